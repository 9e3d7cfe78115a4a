// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PARKING_HPP
#define BATCHWRIGHT_DETAIL_PARKING_HPP

// Parking: a thread sleeps while a 32-bit word holds an expected value, until it is woken or until an
// instant. On Linux this is the futex, with an absolute time on CLOCK_MONOTONIC, the clock behind
// steady_clock. Elsewhere, or with BATCHWRIGHT_PORTABLE_PARKING defined, a fixed table of mutexes
// and condition variables indexed by the word's address.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#if defined(__linux__) && !defined(BATCHWRIGHT_PORTABLE_PARKING)
#define BATCHWRIGHT_FUTEX 1
#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#else
#define BATCHWRIGHT_FUTEX 0
#include <condition_variable>
#include <mutex>
#endif

namespace batchwright::inline v0_1::detail {

/// Wakes every thread that is parked on the word.
inline constexpr std::uint32_t kEveryone = 0x7fffffff;

inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();  // <immintrin.h> would cost more to compile than the rest of this library.
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#if BATCHWRIGHT_FUTEX

inline void park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                 std::chrono::steady_clock::time_point until) noexcept {
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
  timespec deadline{};
  timespec* limit = nullptr;
  if (until != std::chrono::steady_clock::time_point::max()) {
    const std::int64_t ns = until.time_since_epoch().count();
    if (ns <= 0) return;
    deadline.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    deadline.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    limit = &deadline;
  }
  // The kernel compares the word itself, so a store between our caller's check and this call makes it
  // return at once. A return for no reason (a signal, say) is allowed by the contract.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

inline void unpark(const std::atomic<std::uint32_t>& word, std::uint32_t count) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

#else

struct ParkingBucket {
  std::mutex mutex;
  std::condition_variable woken;
};

inline ParkingBucket& parking_bucket(const void* address) noexcept {
  // Never destroyed: threads may still be parked, or wake others, during static destruction.
  static ParkingBucket* const kBuckets = new ParkingBucket[64];
  const auto bits = reinterpret_cast<std::uintptr_t>(address);
  return kBuckets[(bits >> 4 ^ bits >> 12) % 64];
}

inline void park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                 std::chrono::steady_clock::time_point until) noexcept {
  ParkingBucket& bucket = parking_bucket(&word);
  std::unique_lock lock(bucket.mutex);
  // One wait, no loop: a wake for a neighbour in the bucket is a return for no reason.
  if (word.load(std::memory_order_acquire) != expected) return;
  if (until == std::chrono::steady_clock::time_point::max()) {
    bucket.woken.wait(lock);
  } else {
    bucket.woken.wait_until(lock, until);
  }
}

inline void unpark(const std::atomic<std::uint32_t>& word, std::uint32_t) noexcept {
  ParkingBucket& bucket = parking_bucket(&word);
  // Taking the mutex orders this wake after the check of a thread that is about to wait. Everybody in
  // the bucket is woken, because the one that is meant may share it with others.
  { const std::lock_guard lock(bucket.mutex); }
  bucket.woken.notify_all();
}

#endif

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PARKING_HPP
