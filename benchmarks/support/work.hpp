// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP

#include "meter.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace benchmarks {

/// Arithmetic that takes the time of a model, by a number of steps and not by a clock: whoever takes
/// its core away makes it longer.
class Work {
 public:
  explicit Work(std::chrono::nanoseconds length) : steps_(kTrial) {
    std::int64_t fastest = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < 20; ++i) {
      const std::int64_t start = now_ns();
      run();
      fastest = std::min(fastest, now_ns() - start);
    }
    steps_ = kTrial * length.count() / fastest;
  }

  /// Returns 0.
  int run() const {
    std::uint64_t x = 1;
    for (std::int64_t i = 0; i < steps_; ++i) {
      x = x * 6364136223846793005U + 1442695040888963407U;
      asm volatile("" : "+r"(x));  // Each step waits for the one before.
    }
    return static_cast<int>(x >> 63 >> 1);
  }

 private:
  static constexpr std::int64_t kTrial = 400'000;

  std::int64_t steps_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP
