// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_CONTROL_LIMIT_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_CONTROL_LIMIT_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace batchwright::inline v0_1 {

/// Everything up to the cap leaves when at least a limit is queued, which depends on how many executors
/// are free.
///
/// Source: the optimal rule for one server that takes batches is of this form (Deb and Serfozo, Advances
/// in Applied Probability 1973); Xu et al. (arXiv:2301.12865) compute the limit for inference, with a
/// price of energy. `control_limit` gives it for Poisson arrivals and a straight service curve; for
/// others simulate.
///
/// Latency bound: none of its own. Fewer requests than the limit wait for the next arrival, or for the
/// batcher's `max_wait`, the net under every policy.
///
/// When not to use it: the limit belongs to one rate. When the rate falls what is queued waits for
/// arrivals that do not come; the gain over GreedyPolicy is half a percent of the mean where a batch has
/// no price.
struct ControlLimitPolicy {
  /// With one executor free, with two, ...; the last one holds for more.
  std::vector<std::size_t> limits = {1};

  Decision decide(const QueueView& view) const noexcept {
    const std::size_t state = std::max<std::size_t>(view.free_executors, 1) - 1;
    const std::size_t limit =
        std::min(limits[std::min(state, limits.size() - 1)], view.max_batch_size);
    return view.size >= limit ? Decision::release(view.size, ReleaseReason::size)
                              : Decision::wait(kNever, limit);
  }

  std::string validate(const PolicyLimits& batcher) const {
    if (limits.empty()) return "ControlLimitPolicy::limits must be at least one, got none";
    for (std::size_t i = 0; i < limits.size(); ++i) {
      if (limits[i] >= 1 && limits[i] <= batcher.max_batch_size) continue;
      return "ControlLimitPolicy::limits[" + std::to_string(i) +
             "] must be from 1 to max_batch_size (" + std::to_string(batcher.max_batch_size) +
             "), got " + std::to_string(limits[i]);
    }
    return {};
  }
};

static_assert(BatchingPolicy<ControlLimitPolicy>);

/// The limit for one executor, Poisson arrivals and l(b) = fixed + per_item b: n wait for one more while
/// that is expected before it costs more than a batch's fixed time, (n + 1) / rate < fixed - n per_item.
inline std::size_t control_limit(double rate_hz, Duration per_item, Duration fixed) noexcept {
  const double rate = rate_hz / 1e9;
  const double limit = (rate * static_cast<double>(fixed.count()) - 1) /
                       (1 + rate * static_cast<double>(per_item.count()));
  return limit > 1 ? static_cast<std::size_t>(std::ceil(limit)) : 1;
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_CONTROL_LIMIT_HPP
