// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SCHEDULER_LIMITS_HPP
#define BATCHWRIGHT_DETAIL_SCHEDULER_LIMITS_HPP

#include "../policy.hpp"
#include "../scheduling.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The scheduler's constants. All are validated by whoever takes them from the user.
struct SchedulerLimits {
  std::size_t max_batch_size = 32;
  std::size_t executors = 1;
  std::size_t max_in_flight = 1;
  Duration max_wait = std::chrono::seconds(1);
  std::uint64_t overtaking_bound = 1000;
  std::size_t capacity = kNoCount;  ///< Nobody can come while so many are queued.
  QueueOrder order = QueueOrder::fifo;
  SizeRule size_rule = SizeRule::sum;
  std::vector<std::size_t> preferred_sizes = {};  ///< Ascending; none above the cap.
  std::vector<std::size_t> allowed_sizes = {};    ///< Ascending; none above the cap.
  FitRule fit = FitRule::pad_up;
  Forecast forecast = Forecast::off;
  bool leased_executors = false;  ///< Executors are granted one by one, each for one batch.
  bool keyed_lanes = false;       ///< Requests may come with lanes of their own.

  /// No batch is larger, but for one request that is larger by itself.
  std::size_t cap() const noexcept {
    return allowed_sizes.empty() ? max_batch_size : allowed_sizes.back();
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SCHEDULER_LIMITS_HPP
