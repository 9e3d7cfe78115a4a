// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_MEASURE_CURVE_HPP
#define BATCHWRIGHT_SIMULATION_MEASURE_CURVE_HPP

#include "../policy.hpp"
#include "checks.hpp"
#include "service_curve.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::simulation {

/// How a predictor is timed.
struct CurveMeasurement {
  /// Batches of each size that are run before and not timed.
  std::size_t warm_ups = 1;
  /// Batches of each size that are timed; their median is taken.
  std::size_t repetitions = 5;
};

/// Times `run(size)`, which has to compute a batch of that size before it returns, for each of the sizes,
/// which ascend from at least 1. The sizes take turns, so that a machine that becomes slower meanwhile
/// does not bend the curve. Takes as long as all these batches. What `run` throws comes out.
///
/// It times the predictor alone; what the batcher adds, some microseconds a batch, is not in it.
template <class Clock = std::chrono::steady_clock, class Run>
  requires std::invocable<Run&, std::size_t>
TableCurve measure_curve(Run&& run, std::span<const std::size_t> sizes,
                         const CurveMeasurement& measurement = {}) {
  std::vector<TableCurve::Point> points;
  for (const std::size_t size : sizes) points.push_back({size, {}});
  static_cast<void>(TableCurve{points});  // Throws for sizes that are none, before anything is run.
  if (measurement.repetitions < 1) {
    detail::require_none(detail::must_be("CurveMeasurement::repetitions", "at least 1", "0"));
  }
  std::vector<std::vector<Duration>> times(points.size());
  for (std::size_t round = 0; round < measurement.warm_ups + measurement.repetitions; ++round) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto start = Clock::now();
      run(points[i].size);
      const Duration time = std::chrono::duration_cast<Duration>(Clock::now() - start);
      if (round >= measurement.warm_ups) times[i].push_back(time);
    }
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto middle = times[i].begin() + std::ssize(times[i]) / 2;
    std::nth_element(times[i].begin(), middle, times[i].end());
    points[i].time = *middle;
  }
  return TableCurve(std::move(points));
}

/// As above, of a predictor of the form `predict(span)` with the first of these inputs, of which there
/// have to be as many as the largest size. Throws std::invalid_argument if there are fewer.
template <class Clock = std::chrono::steady_clock, class Predictor, class TIn>
  requires std::invocable<Predictor&, std::span<const TIn>>
TableCurve measure_curve(Predictor&& predictor, const std::vector<TIn>& inputs,
                         std::span<const std::size_t> sizes,
                         const CurveMeasurement& measurement = {}) {
  for (const std::size_t size : sizes) {
    if (size <= inputs.size()) continue;
    detail::require_none(
        detail::must_be("measure_curve: a size",
                        "at most the number of inputs (" + std::to_string(inputs.size()) + ")",
                        std::to_string(size)));
  }
  return measure_curve<Clock>(
      [&](std::size_t size) {
        static_cast<void>(predictor(std::span<const TIn>(inputs).first(size)));
      },
      sizes, measurement);
}

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_MEASURE_CURVE_HPP
