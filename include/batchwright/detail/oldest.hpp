// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_OLDEST_HPP
#define BATCHWRIGHT_DETAIL_OLDEST_HPP

#include "../policy.hpp"

#include <atomic>

namespace batchwright::inline v0_1::detail {

/// Since when the oldest request is queued, and the oldest batch runs: said by whoever has the
/// dispatcher's role when a round ends, read by anybody.
class Oldest {
 public:
  void publish(TimePoint queued, TimePoint running) noexcept {
    queued_.store(queued, std::memory_order_relaxed);
    running_.store(running, std::memory_order_relaxed);
  }

  TimePoint queued() const noexcept { return queued_.load(std::memory_order_relaxed); }
  TimePoint running() const noexcept { return running_.load(std::memory_order_relaxed); }

 private:
  std::atomic<TimePoint> queued_{kNever};
  std::atomic<TimePoint> running_{kNever};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_OLDEST_HPP
