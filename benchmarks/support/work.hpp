// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP

#include "meter.hpp"

#include <chrono>
#include <cstdint>

namespace benchmarks {

/// Arithmetic that takes the time of a model, by a number of steps and not by a clock: whoever takes
/// its core away makes it longer.
class Work {
 public:
  explicit Work(std::chrono::nanoseconds length) : steps_(1'000'000) {
    run();
    const std::int64_t start = now_ns();
    run();
    const auto measured = static_cast<double>(now_ns() - start);
    steps_ = static_cast<std::int64_t>(1e6 * static_cast<double>(length.count()) / measured);
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
  std::int64_t steps_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_WORK_HPP
