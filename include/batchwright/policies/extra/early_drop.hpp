// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_EARLY_DROP_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_EARLY_DROP_HPP

#include "../../policy.hpp"
#include "../settings.hpp"
#include "deadline_batch.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace batchwright::inline v0_1 {

/// As soon as an executor is free a batch of `size` leaves, or of all there are if fewer. A window of that
/// length slides over the queue to the first request that still meets its deadline if the whole window
/// is one batch; those before it end as `Outcome::would_expire`. So one that is nearly late does not
/// force a small batch, which would make those behind it late.
///
/// Source: Nexus (Shen et al., SOSP 2019, section 6.3, early drop). There a global scheduler sets the
/// size; unless set it is here the largest whose batch takes half of the time that the first request had:
/// then one that has just missed a batch waits for it and meets its deadline in the next one.
///
/// Latency bound: the deadline, as far as the times keep within `deviations` of their means. It never
/// waits for company.
///
/// When not to use it: without deadlines it is GreedyPolicy with a smaller cap. On several executors that
/// are not busy it goes in batches of one (DeferredPolicy).
struct EarlyDropPolicy {
  /// The length of the window, in units of size. Unset: by the deadlines and the measured times.
  std::size_t size = kNoCount;

  /// How many deviations of the service time are added to its mean. Nexus adds none, and answers more so.
  double deviations = 0;

  Decision decide(const QueueView& view) const noexcept {
    const std::size_t most = std::min(view.size, view.max_batch_size);
    const ReleaseReason whole =
        view.size >= view.max_batch_size ? ReleaseReason::size : ReleaseReason::greedy;
    QueueCursor cursor = view.queue;
    QueuedRequest request;
    if (!detail::has_samples(view) || !cursor.next(request) || request.deadline == kNever) {
      return Decision::release(std::min(most, size), whole);
    }
    const std::size_t length = window(view, request);
    std::size_t passed = 0;
    std::size_t left = view.size;
    do {
      const std::size_t batch = std::max(std::min(left, length), request.weight);
      if (request.deadline == kNever ||
          detail::expected_time(*view.service, batch, deviations) <= request.deadline - view.now) {
        if (passed > 0) return Decision::drop(passed);
        return Decision::release(batch, batch < most ? ReleaseReason::deadline : whole);
      }
      ++passed;
      left -= std::min(left, request.weight);
    } while (cursor.next(request));
    return Decision::drop(passed);
  }

  PolicyNeeds needs() const noexcept { return {.service = true}; }

  std::string validate(const PolicyLimits& limits) const {
    std::string problem =
        size == kNoCount ? "" : detail::check_size("EarlyDropPolicy::size", size, limits);
    if (!problem.empty()) return problem;
    return detail::check_deviations("EarlyDropPolicy::deviations", deviations);
  }

 private:
  std::size_t window(const QueueView& view, const QueuedRequest& first) const noexcept {
    if (size != kNoCount) return std::min(size, view.max_batch_size);
    const Duration half = (first.deadline - first.enqueued) / 2;
    return std::max<std::size_t>(
        detail::largest_within(*view.service, view.max_batch_size, half, deviations), 1);
  }
};

static_assert(BatchingPolicy<EarlyDropPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_EARLY_DROP_HPP
