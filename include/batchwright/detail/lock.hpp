// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LOCK_HPP
#define BATCHWRIGHT_DETAIL_LOCK_HPP

#include "../policy.hpp"
#include "../runtime.hpp"

#include <atomic>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// A mutual exclusion whose waiting goes through the runtime. Held for a few dozen instructions at a
/// time, and over no user code but the equality of keys (see KeySpace), so it spins briefly before it
/// parks.
/// States of the word: 0 free, 1 held, 2 held and somebody may be parked.
template <Runtime R>
class Lock {
 public:
  explicit Lock(const R& runtime) noexcept : runtime_(runtime) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  // Small enough to be inlined wherever it is called.
  void lock() noexcept {
    runtime_.interleave("lock");
    if (!try_lock()) lock_contended();
  }

  void unlock() noexcept {
    if (word_.exchange(0, std::memory_order_release) == 2) wake_one();
  }

 private:
  static constexpr int kSpins = 64;

  bool try_lock() noexcept {
    std::uint32_t free = 0;
    return word_.compare_exchange_weak(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed);
  }

  void lock_contended() noexcept {
    for (int spin = 0; spin < kSpins; ++spin) {
      runtime_.relax();
      if (spin < kSpins - 1 && try_lock()) return;
    }
    while (word_.exchange(2, std::memory_order_acquire) != 0) runtime_.park(word_, 2, kNever);
  }

  void wake_one() noexcept {
    runtime_.interleave("unlocked, not yet woken");
    runtime_.unpark(word_, 1);
  }

  std::atomic<std::uint32_t> word_{0};
  [[no_unique_address]] R runtime_;
};

/// Holds a lock while it lives. (std::lock_guard, without the cost of its header.)
template <Runtime R>
class [[nodiscard]] LockGuard {
 public:
  explicit LockGuard(Lock<R>& lock) noexcept : lock_(lock) { lock_.lock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;
  ~LockGuard() { lock_.unlock(); }

 private:
  Lock<R>& lock_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LOCK_HPP
