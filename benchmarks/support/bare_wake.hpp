// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP

#include "meter.hpp"

#include <batchwright/policy.hpp>
#include <batchwright/runtime.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace benchmarks {

/// What the machine itself needs to wake sleeping threads: one thread wakes them by futex, one after
/// another, and sleeps itself until they have answered. With one they play ping-pong.
class BareWake {
 public:
  /// Who is woken answers after `pause`, as if a device computed. Without it the threads stay on one
  /// core; with it each goes to sleep where its timer woke it, and a wake may have to cross.
  explicit BareWake(std::size_t threads = 1, std::chrono::microseconds pause = {}) {
    for (std::size_t i = 0; i < threads; ++i) sleepers_.push_back(std::make_unique<Sleeper>(pause));
  }

  /// Nanoseconds from before the first wake-up to the first instruction of the last thread.
  std::int64_t probe() {
    ++round_;
    const std::int64_t start = now_ns();
    for (const auto& sleeper : sleepers_) sleeper->send(round_);
    std::int64_t last = start;
    for (const auto& sleeper : sleepers_) last = std::max(last, sleeper->await(round_));
    return last - start;
  }

 private:
  class Sleeper {
   public:
    explicit Sleeper(std::chrono::microseconds pause)
        : pause_(pause), thread_([this] { answer(); }) {}
    ~Sleeper() {
      send(kEnd);
      thread_.join();
    }

    void send(std::uint32_t round) {
      ping_.store(round, std::memory_order_release);
      runtime_.unpark(ping_, 1);
    }

    // When it woke.
    std::int64_t await(std::uint32_t round) {
      while (pong_.load(std::memory_order_acquire) != round) {
        runtime_.park(pong_, round - 1, batchwright::kNever);
      }
      return woken_;
    }

   private:
    static constexpr std::uint32_t kEnd = 0xffffffff;

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
        if (pause_.count() > 0) std::this_thread::sleep_for(pause_);
        pong_.store(seen, std::memory_order_release);
        runtime_.unpark(pong_, 1);
      }
    }

    batchwright::SystemRuntime runtime_;
    alignas(64) std::atomic<std::uint32_t> ping_{0};
    alignas(64) std::atomic<std::uint32_t> pong_{0};
    std::int64_t woken_ = 0;  // Of the sleeper, until it has sent its pong.
    const std::chrono::microseconds pause_;
    std::thread thread_;
  };

  std::vector<std::unique_ptr<Sleeper>> sleepers_;
  std::uint32_t round_ = 0;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_BARE_WAKE_HPP
