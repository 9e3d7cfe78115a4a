// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_DEFERRED_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_DEFERRED_HPP

#include "../../policy.hpp"
#include "deadline_batch.hpp"

#include <cstddef>
#include <string>

namespace batchwright::inline v0_1 {

/// A batch waits as long as one more request would still fit before the first one's deadline d: with n
/// queued it leaves at d - l(n + 1), where l is the measured time of a size. Each arrival moves that
/// instant forward.
///
/// Source: Symphony (Chen et al., arXiv:2308.07470): a batch of n may be dispatched in the window
/// [d - l(n + 1), d - l(n)]; before it a larger batch is still possible, after it this one is late. Here
/// it leaves at the window's start, or as soon as an executor is free; what can then not be met as a
/// whole is cut as by DeadlinePolicy. The choice among several models is not part of it.
///
/// Latency bound: the deadline, as far as an executor is free in the window; the latency is close to it
/// at any load. A request without a deadline at the head is not kept waiting.
///
/// When not to use it: on one executor, where the time that it waits is lost (GreedyPolicy); where the mean latency counts; and where even the largest batch that meets the
/// deadlines cannot carry the load. It is for several executors and deadlines of two to three times the
/// time of a batch.
struct DeferredPolicy {
  /// As DeadlinePolicy's.
  double deviations = 1;

  Decision decide(const QueueView& view) const noexcept {
    QueueCursor cursor = view.queue;
    QueuedRequest head;
    if (view.size < view.max_batch_size && detail::has_samples(view) && cursor.next(head) &&
        head.deadline != kNever) {
      const std::size_t larger = view.size + 1;
      const TimePoint until =
          head.deadline - detail::expected_time(*view.service, larger, deviations);
      if (until > view.now) return Decision::wait(until, larger);
    }
    return detail::release_by_deadline(view, deviations);
  }

  PolicyNeeds needs() const noexcept { return {.service = true}; }

  std::string validate(const PolicyLimits&) const {
    return detail::check_deviations("DeferredPolicy::deviations", deviations);
  }
};

static_assert(BatchingPolicy<DeferredPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_DEFERRED_HPP
