// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LEFT_WAKES_HPP
#define BATCHWRIGHT_DETAIL_LEFT_WAKES_HPP

#include "deferred_wakes.hpp"

#include <atomic>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Callers whom an executor has left to the sleeping dispatcher to be woken: the dispatcher's while there
/// are any, else of whoever holds the intake's lock.
class LeftWakes {
 public:
  /// Whether so many may be left now. Not while the dispatcher has others to see to.
  bool takes(const WakeList& wakes) const noexcept {
    return wakes.size() > 1 && wakes.size() <= kMost && !some_.load(std::memory_order_acquire);
  }

  void leave(WakeList& wakes) noexcept {
    wakes_ = wakes.take();
    some_.store(true, std::memory_order_release);
  }

  /// From the dispatcher.
  void see_to() noexcept {
    if (!some_.load(std::memory_order_acquire)) return;
    wakes_.wake_all();
    some_.store(false, std::memory_order_release);
  }

 private:
  // While it gives them the dispatcher does not hear its alarm.
  static constexpr std::size_t kMost = 32;

  WakeList wakes_;
  std::atomic<bool> some_{false};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LEFT_WAKES_HPP
