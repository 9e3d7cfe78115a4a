// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP
#define BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP

#include "load_generator.hpp"
#include "measurement.hpp"

#include <batchwright/policy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace forecast {

/// What a simulation has to know of a model and a machine, all of it measured.
struct Calibration {
  batchwright::simulation::TableCurve curve;
  /// What batches in a batcher took, as parts of the curve, but for those that were interrupted.
  batchwright::simulation::MeasuredNoise noise;
  batchwright::simulation::Machine machine;
  double capacity = 0;  ///< Requests a second that the batcher answered under a flood.
};

/// Measures the curve by `measure_curve`, every size up to the cap. Then it looks at the instants of
/// batches, not at the latency of any request, in a batcher that is flooded, and in one under half of that
/// load, greedy and with a window; each for `seconds`.
Calibration calibrate(const digits::Testbed& testbed, std::size_t cap, double seconds,
                      batchwright::Duration window, std::uint64_t seed);

}  // namespace forecast

#endif  // BATCHWRIGHT_BENCHMARKS_FORECAST_CALIBRATION_HPP
