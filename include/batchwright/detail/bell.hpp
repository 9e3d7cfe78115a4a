// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BELL_HPP
#define BATCHWRIGHT_DETAIL_BELL_HPP

#include "../policy.hpp"
#include "../runtime.hpp"
#include "adaptive_spin.hpp"
#include "block_cache.hpp"

#include <atomic>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// One thread waits for it to be rung, by any other. It reads the count, looks at all that it could be
/// rung for, and then waits for another count; whoever rings has changed what it looks at before. A
/// thread that only looks out, see AdaptiveSpin, hears it without having to be woken: it says that it
/// sleeps before it looks at the count for the last time, they ring before they look whether it sleeps.
template <Runtime R>
class Bell {
 public:
  Bell(const R& runtime, Duration longest_spin) noexcept
      : runtime_(runtime), spin_(runtime, longest_spin) {}

  std::uint32_t rings() const noexcept { return rings_.load(std::memory_order_seq_cst); }

  /// True if the thread has to be woken: one that is parked on `word`.
  bool ring() noexcept {
    rings_.fetch_add(1, std::memory_order_seq_cst);
    return asleep_.load(std::memory_order_seq_cst);
  }
  const std::atomic<std::uint32_t>& word() const noexcept { return rings_; }

  /// Whether whoever rings now would have to wake the thread. A snapshot.
  bool asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }

  /// Waits for another count than `heard`, until the instant, or until it returns for no reason.
  void wait(std::uint32_t heard, TimePoint until) noexcept {
    const auto rang = [&] { return rings_.load(std::memory_order_acquire) != heard; };
    if (spin_.wait_for(until, rang)) return;
    BlocksAtHand::give_back_old();
    asleep_.store(true, std::memory_order_seq_cst);
    runtime_.interleave("falls asleep");
    runtime_.park(rings_, heard, until);
    asleep_.store(false, std::memory_order_relaxed);
  }

 private:
  [[no_unique_address]] R runtime_;
  std::atomic<std::uint32_t> rings_{0};
  std::atomic<bool> asleep_{false};
  AdaptiveSpin<R> spin_;  // The waiting thread's.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BELL_HPP
