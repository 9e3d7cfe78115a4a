// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_QUEUE_LEVELS_HPP
#define BATCHWRIGHT_DETAIL_QUEUE_LEVELS_HPP

#include "../errors.hpp"
#include "../policies/settings.hpp"
#include "../policy.hpp"
#include "../queue_policy.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Which queue policy holds for a priority, and what it makes of a request's own timeout.
class QueueLevels {
 public:
  /// A request that brings no timeout.
  static constexpr Duration kNoTimeout = Duration::min();

  /// `others`: for priorities that `levels` do not list.
  QueueLevels(const QueuePolicy& others, std::vector<QueuePolicy> levels)
      : others_(others), levels_(std::move(levels)) {}

  /// Where a priority is listed; kNoCount if it is not. O(levels).
  std::size_t find(int priority) const noexcept {
    for (std::size_t index = 0; index < levels_.size(); ++index) {
      if (levels_[index].priority == priority) return index;
    }
    return kNoCount;
  }

  const QueuePolicy& policy(std::size_t level) const noexcept {
    return level == kNoCount ? others_ : levels_[level];
  }

  /// Throws std::invalid_argument for a timeout that a request of that priority may not bring.
  void check(int priority, Duration own) const {
    if (own == kNoTimeout) return;
    const bool refused = policy(find(priority)).timeout_override == TimeoutOverride::refused;
    if (own > Duration::zero() && !refused) return;
    raise_invalid(
        "timeout of a request",
        refused ? "unset for priority " + std::to_string(priority) : "unset or above 0 ns",
        to_text(own));
  }

  /// How long a request of that level may be queued.
  Duration timeout(std::size_t level, Duration own) const noexcept {
    return own == kNoTimeout ? policy(level).timeout : own;
  }

 private:
  const QueuePolicy others_;
  const std::vector<QueuePolicy> levels_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_QUEUE_LEVELS_HPP
