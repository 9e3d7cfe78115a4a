// SPDX-License-Identifier: MIT
#ifndef PLANNER_EVALUATION_HPP
#define PLANNER_EVALUATION_HPP

#include "options.hpp"
#include "progress.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace planner {

/// What one policy gave.
struct Row {
  std::string policy;
  double mean_ms = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double goodput_hz = 0;  // Answers within the objective; without one all.
  double throughput_hz = 0;
  double mean_batch = 0;
  std::uint64_t answered = 0;
  std::uint64_t dropped = 0;
  double window_ms = 0;  // In which the rates were counted.
};

/// What one policy gave at each load.
struct Curve {
  std::string policy;
  std::vector<double> loads;
  std::vector<double> mean_ms;
  std::vector<double> p99_ms;
  std::vector<double> in_time_percent;  // Answers within the objective, of the requests that came.
};

/// Throws std::invalid_argument, with the option, for whatever `evaluate` and `sweep` would refuse: before
/// the first of them takes its time.
void check(const Options& options);

/// All requests that `evaluate`, and for a plot `sweep`, will simulate.
std::uint64_t work(const Options& options);

/// All policies under the given load.
std::vector<Row> evaluate(const Options& options, Progress& progress);

/// All policies at the loads of a plot, each point of fewer requests.
std::vector<Curve> sweep(const Options& options, Progress& progress);

}  // namespace planner

#endif  // PLANNER_EVALUATION_HPP
