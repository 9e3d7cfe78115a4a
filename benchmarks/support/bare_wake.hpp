// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP

#include "meter.hpp"

#include <batchwright/policy.hpp>
#include <batchwright/runtime.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

namespace benchmarks {

/// What the machine itself needs to wake a sleeping thread: two threads that play ping-pong by futex.
class BareWake {
 public:
  BareWake() : partner_([this] { answer(); }) {}

  ~BareWake() {
    send(kEnd);
    partner_.join();
  }

  /// Nanoseconds from before the wake-up to the first instruction of the woken thread.
  std::int64_t probe() {
    const std::int64_t start = now_ns();
    send(++round_);
    while (pong_.load(std::memory_order_acquire) != round_) {
      runtime_.park(pong_, round_ - 1, batchwright::kNever);
    }
    return woken_ - start;
  }

 private:
  static constexpr std::uint32_t kEnd = 0xffffffff;

  void send(std::uint32_t round) {
    ping_.store(round, std::memory_order_release);
    runtime_.unpark(ping_, 1);
  }

  void answer() {
    for (std::uint32_t seen = 0;;) {
      std::uint32_t now = ping_.load(std::memory_order_acquire);
      while (now == seen) {
        runtime_.park(ping_, seen, batchwright::kNever);
        now = ping_.load(std::memory_order_acquire);
      }
      woken_ = now_ns();
      if (now == kEnd) return;
      seen = now;
      pong_.store(seen, std::memory_order_release);
      runtime_.unpark(pong_, 1);
    }
  }

  batchwright::SystemRuntime runtime_;
  std::uint32_t round_ = 0;
  alignas(64) std::atomic<std::uint32_t> ping_{0};
  alignas(64) std::atomic<std::uint32_t> pong_{0};
  std::int64_t woken_ = 0;  // Of the partner, until it has sent its pong.
  std::thread partner_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP
