// SPDX-License-Identifier: MIT
#include "measurement.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace digits {

bool Testbed::matches(std::size_t image, const Prediction& prediction) const {
  const Prediction& expected = reference[image];
  if (backend.tolerance == 0.0F) return identical(prediction, expected);
  for (std::size_t k = 0; k < kClasses; ++k) {
    const float allowed = backend.tolerance * (1.0F + std::abs(expected.logits[k]));
    // Written so that a logit that is not a number does not match.
    if (!(std::abs(prediction.logits[k] - expected.logits[k]) <= allowed)) return false;
  }
  return prediction.label == expected.label;
}

void run_on_threads(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

void Budget::start(Clock::time_point now) {
  end_ = now + std::chrono::duration_cast<Clock::duration>(limit_.time);
  taken_ = 0;
}

void Sample::merge(const Sample& other) {
  seconds = std::max(seconds, other.seconds);
  latencies_ms.insert(latencies_ms.end(), other.latencies_ms.begin(), other.latencies_ms.end());
  mismatches += other.mismatches;
  failures += other.failures;
}

float quantile(std::vector<float>& values, double share) {
  if (values.empty()) return 0.0F;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

Figures summarise(Sample sample) {
  std::vector<float>& latencies = sample.latencies_ms;
  return {.requests_per_second =
              sample.seconds > 0.0 ? static_cast<double>(latencies.size()) / sample.seconds : 0.0,
          .p50_ms = double{quantile(latencies, 0.50)},
          .p95_ms = double{quantile(latencies, 0.95)},
          .p99_ms = double{quantile(latencies, 0.99)}};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

Figures median(std::span<const Figures> rounds) {
  const auto of = [&](double Figures::*figure) {
    std::vector<double> values;
    for (const Figures& round : rounds) values.push_back(round.*figure);
    return median(std::move(values));
  };
  return {.requests_per_second = of(&Figures::requests_per_second),
          .p50_ms = of(&Figures::p50_ms),
          .p95_ms = of(&Figures::p95_ms),
          .p99_ms = of(&Figures::p99_ms)};
}

}  // namespace digits
