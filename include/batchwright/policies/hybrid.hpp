// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_HYBRID_HPP
#define BATCHWRIGHT_POLICIES_HYBRID_HPP

#include "../policy.hpp"
#include "settings.hpp"

#include <algorithm>
#include <string>

namespace batchwright::inline v0_1 {

/// A batch leaves when `size` is queued or `max_wait` after its oldest request came, whichever comes
/// first.
///
/// Latency bound: a request waits for company for at most `max_wait`, then for a free executor.
///
/// When not to use it: as TimePolicy, it makes a lone request wait the whole window although an
/// executor is free; and its window looks at no deadline.
struct HybridPolicy {
  /// The batcher's cap, unless set.
  std::size_t size = kNoCount;
  /// As TimePolicy's.
  Duration max_wait = std::chrono::milliseconds(2);

  Decision decide(const QueueView& view) const noexcept {
    const std::size_t goal = std::min(size, view.max_batch_size);
    if (view.size >= goal) return Decision::release(goal, ReleaseReason::size);
    return Decision::wait(detail::saturating_add(view.oldest, max_wait), goal);
  }

  PolicyNeeds needs() const noexcept { return {.every_look = false}; }

  std::string validate(const PolicyLimits& limits) const {
    std::string problem = detail::check_size("HybridPolicy::size", size, limits);
    if (!problem.empty()) return problem;
    return detail::check_window("HybridPolicy::max_wait", max_wait, limits);
  }
};

static_assert(BatchingPolicy<HybridPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_HYBRID_HPP
