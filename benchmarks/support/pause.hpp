// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_PAUSE_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_PAUSE_HPP

#include <chrono>
#include <random>
#include <thread>

namespace benchmarks {

/// Sleeps until the machine is at rest, for a random while, so that what comes next comes at no
/// particular phase of any timer.
class Pause {
 public:
  void operator()() { std::this_thread::sleep_for(std::chrono::microseconds(length_(random_))); }

 private:
  std::mt19937 random_{1};
  std::uniform_int_distribution<int> length_{300, 1300};
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_PAUSE_HPP
