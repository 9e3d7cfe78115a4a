// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_FORECAST_METRICS_HPP
#define BATCHWRIGHT_FORECAST_METRICS_HPP

#include "policy.hpp"
#include "time_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace batchwright::inline v0_1 {

/// How right the service model was: of each batch, what it was expected to take when it was dispatched, for
/// its size, against what it took from there to its last answer. Batches that failed, were run again in
/// parts, or lost requests on the way to the predictor say nothing about it and are left out.
struct ForecastMetrics {
  TimeHistogram early;            ///< Of a batch that took less than expected: by how much.
  TimeHistogram late;             ///< Of all others: by how much they took more.
  std::uint64_t expected_ns = 0;  ///< Sum of the forecasts.
  std::uint64_t taken_ns = 0;     ///< Sum of what the batches took.

  void record(Duration expected, Duration taken) noexcept {
    const std::uint64_t forecast = count_of(expected);
    const std::uint64_t actual = count_of(taken);
    if (actual < forecast) {
      early.record(forecast - actual);
    } else {
      late.record(actual - forecast);
    }
    expected_ns += forecast;
    taken_ns += actual;
  }

  std::uint64_t count() const noexcept { return early.count() + late.count(); }

  /// Above zero where batches take longer than expected: the bias. Zero without batches.
  Duration mean_error() const noexcept { return mean(late.sum() - early.sum()); }

  /// The mean of the errors without their signs. Zero without batches.
  Duration mean_absolute_error() const noexcept { return mean(late.sum() + early.sum()); }

  /// The sum of the errors without their signs, over what the batches took: 0.1 is off by a tenth. Zero
  /// without batches.
  double relative_error() const noexcept {
    return taken_ns == 0 ? 0 : (late.sum() + early.sum()) / static_cast<double>(taken_ns);
  }

  ForecastMetrics& operator+=(const ForecastMetrics& other) noexcept {
    early += other.early;
    late += other.late;
    expected_ns += other.expected_ns;
    taken_ns += other.taken_ns;
    return *this;
  }

  /// Takes away an earlier state of these same figures.
  ForecastMetrics& operator-=(const ForecastMetrics& earlier) noexcept {
    early -= earlier.early;
    late -= earlier.late;
    expected_ns -= std::min(expected_ns, earlier.expected_ns);
    taken_ns -= std::min(taken_ns, earlier.taken_ns);
    return *this;
  }

  friend bool operator==(const ForecastMetrics&, const ForecastMetrics&) = default;

 private:
  static std::uint64_t count_of(Duration duration) noexcept {
    return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
  }

  Duration mean(double sum) const noexcept {
    const std::uint64_t batches = count();
    return batches == 0 ? Duration::zero()
                        : Duration(std::llround(sum / static_cast<double>(batches)));
  }
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_FORECAST_METRICS_HPP
