// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_SIZE_HPP
#define BATCHWRIGHT_POLICIES_SIZE_HPP

#include "../policy.hpp"
#include "settings.hpp"

#include <algorithm>
#include <string>

namespace batchwright::inline v0_1 {

/// A batch leaves when `size` is queued, and holds that much.
///
/// Latency bound: none of its own. A partial batch waits until the batcher's `max_wait`, the net under
/// every policy, a `flush()` or the shutdown.
///
/// When to use it: bulk work whose end is followed by `flush()`, or a model that takes one size only.
/// When not to: wherever a person or a service waits for a single answer.
struct SizePolicy {
  /// The batcher's cap, unless set.
  std::size_t size = kNoCount;

  Decision decide(const QueueView& view) const noexcept {
    const std::size_t goal = std::min(size, view.max_batch_size);
    return view.size >= goal ? Decision::release(goal, ReleaseReason::size)
                             : Decision::wait(kNever, goal);
  }

  PolicyNeeds needs() const noexcept { return {.every_look = false}; }

  std::string validate(const PolicyLimits& limits) const {
    return detail::check_size("SizePolicy::size", size, limits);
  }
};

static_assert(BatchingPolicy<SizePolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_SIZE_HPP
