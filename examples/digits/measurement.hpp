// SPDX-License-Identifier: MIT
#ifndef DIGITS_MEASUREMENT_HPP
#define DIGITS_MEASUREMENT_HPP

#include "backend.hpp"
#include "digits_data.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace digits {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// What every measurement needs. Outlives them all, read by many threads.
struct Testbed {
  Backend backend;
  LabelledImages test;
  std::vector<Prediction> reference;  ///< Of each test image alone, without a batcher.

  /// Whether `prediction` is the right answer for that image: same label, and the same logits as
  /// far as the backend promises them.
  bool matches(std::size_t image, const Prediction& prediction) const;
};

/// Calls work(0) ... work(count - 1), each on a thread of its own, and returns when all have.
void run_on_threads(std::size_t count, const std::function<void(std::size_t)>& work);

/// How long one measurement lasts: that long, or until that many requests are answered.
struct Limit {
  std::chrono::duration<double> time{0.4};
  std::optional<std::uint64_t> requests = std::nullopt;
};

/// Hands out a Limit to the threads of one measurement.
class Budget {
 public:
  explicit Budget(const Limit& limit) : limit_(limit) {}

  /// Before the threads share it.
  void start(Clock::time_point now);

  /// Whether one more request may be made.
  bool take(Clock::time_point now) {
    if (!limit_.requests) return now < end_;
    return taken_.fetch_add(1, std::memory_order_relaxed) < *limit_.requests;
  }

 private:
  const Limit limit_;
  Clock::time_point end_{};
  std::atomic<std::uint64_t> taken_{0};
};

/// What one measurement saw.
struct Sample {
  double seconds = 0.0;             ///< From the first request to the last answer.
  std::vector<float> latencies_ms;  ///< One an answer.
  std::uint64_t mismatches = 0;     ///< Answers that are not the one without a batcher.
  std::uint64_t failures = 0;       ///< Requests that got no prediction.

  /// Adds what another thread of the same measurement saw.
  void merge(const Sample& other);
};

/// The sizes of the batches that one executor computed, in order.
using BatchLog = std::vector<std::uint32_t>;

/// A Sample in four numbers.
struct Figures {
  double requests_per_second = 0.0;
  double p50_ms = 0.0;
  double p95_ms = 0.0;
  double p99_ms = 0.0;
};

Figures summarise(Sample sample);

/// The smallest value that is not below `share` of all; 0 of none. Reorders `values`.
float quantile(std::vector<float>& values, double share);

double median(std::vector<double> values);

/// The median of each figure over the rounds.
Figures median(std::span<const Figures> rounds);

}  // namespace digits

#endif  // DIGITS_MEASUREMENT_HPP
