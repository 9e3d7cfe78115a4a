// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_IDLE_WAITERS_HPP
#define BATCHWRIGHT_DETAIL_IDLE_WAITERS_HPP

#include "../runtime.hpp"
#include "block_cache.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// A thread that waits until nothing is queued or executing, or until the dispatcher has ended. It lies on
/// that thread's stack.
struct IdleWaiter {
  std::atomic<std::uint32_t> idle{0};
  IdleWaiter* next = nullptr;

  /// Blocks until it is told or `until` comes. True if it has been told.
  template <Runtime R>
  bool wait(const R& runtime, TimePoint until) noexcept {
    BlocksAtHand::give_back_old();
    while (idle.load(std::memory_order_acquire) == 0 && runtime.now() < until) {
      runtime.park(idle, 0, until);
    }
    return idle.load(std::memory_order_acquire) == 1;
  }
};

/// Those who wait for the same. Guarded by the intake's lock.
class IdleWaiters {
 public:
  bool empty() const noexcept { return first_ == nullptr; }

  void add(IdleWaiter& waiter) noexcept { waiter.next = std::exchange(first_, &waiter); }

  void remove(IdleWaiter& waiter) noexcept {
    for (IdleWaiter** place = &first_; *place != nullptr; place = &(*place)->next) {
      if (*place == &waiter) {
        *place = waiter.next;
        return;
      }
    }
  }

  /// Tells and forgets them all.
  template <Runtime R>
  void tell(const R& runtime) noexcept {
    while (first_ != nullptr) {
      IdleWaiter* const waiter = std::exchange(first_, first_->next);
      std::atomic<std::uint32_t>& word = waiter->idle;
      word.store(1, std::memory_order_release);
      runtime.unpark(word, 1);
    }
  }

 private:
  IdleWaiter* first_ = nullptr;
};

/// Blocks until the batcher of this intake is idle or `until` comes. True if it was idle.
template <class Intake, Runtime R>
bool wait_idle(Intake& intake, const R& runtime, TimePoint until) noexcept {
  IdleWaiter waiter;
  intake.add(waiter);
  const bool idle = waiter.wait(runtime, until);
  intake.remove(waiter);
  return idle;
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_IDLE_WAITERS_HPP
