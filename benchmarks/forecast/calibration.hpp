// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP
#define BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP

#include "load_generator.hpp"
#include "measurement.hpp"

#include <batchwright/policy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace forecast {

/// What a simulation has to know of a model and a machine, all of it measured.
struct Calibration {
  /// Of a batcher that was busy to some degree: how often an executor is interrupted depends on it.
  struct Point {
    double load = 0;  ///< Part of the capacity.
    /// What batches took, as parts of the curve, in their order, but for those that were interrupted.
    batchwright::simulation::MeasuredNoise noise = {};
    batchwright::simulation::Machine machine = {};
  };

  batchwright::simulation::TableCurve curve;
  double capacity = 0;  ///< Requests a second that the batcher answered under a flood.
  std::vector<Point> points = {};

  /// The one whose load is closest.
  const Point& at(double load) const;
};

/// Looks at the instants of batches, not at the latency of any request, in a batcher that is flooded, and in
/// one under each of these parts of that load, which ascend, greedy and with a window; each for `seconds`.
Calibration calibrate(const digits::Testbed& testbed, std::size_t cap, double seconds,
                      std::span<const double> loads, batchwright::Duration window,
                      std::uint64_t seed);

}  // namespace forecast

#endif  // BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP
