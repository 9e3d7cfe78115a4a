// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_TIME_HPP
#define BATCHWRIGHT_POLICIES_TIME_HPP

#include "../policy.hpp"
#include "settings.hpp"

#include <string>

namespace batchwright::inline v0_1 {

/// A partial batch leaves `max_wait` after its oldest request came; a full one leaves at once.
///
/// Latency bound: a request waits for company for at most `max_wait`, then for a free executor.
///
/// When not to use it: with fewer requests outstanding than the cap every batch waits the whole window
/// for nothing; GreedyPolicy does not. A window under about 100 us is shorter than what a sleeping
/// thread needs to wake on many machines. The window looks at no deadline: a request whose deadline
/// comes before the window's end expires in the queue, so keep the window below the deadlines.
struct TimePolicy {
  /// 2 ms: a noticeable batch at a thousand requests a second, and unnoticed by a person.
  Duration max_wait = std::chrono::milliseconds(2);

  Decision decide(const QueueView& view) const noexcept {
    return Decision::wait(detail::saturating_add(view.oldest, max_wait));
  }

  PolicyNeeds needs() const noexcept { return {.every_look = false}; }

  std::string validate(const PolicyLimits& limits) const {
    return detail::check_window("TimePolicy::max_wait", max_wait, limits);
  }
};

static_assert(BatchingPolicy<TimePolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_TIME_HPP
