// SPDX-License-Identifier: MIT
#ifndef PLANNER_EVALUATION_HPP
#define PLANNER_EVALUATION_HPP

#include "options.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
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
  std::uint64_t dropped = 0;
};

/// What one policy gave at each load.
struct Curve {
  std::string policy;
  std::vector<double> loads;
  std::vector<double> mean_ms;
  std::vector<double> p99_ms;
};

/// Is told before each simulation what it is of.
using OnStep = std::function<void(const std::string& what)>;

std::size_t steps(const Options& options);

/// All policies under the given load. Throws std::invalid_argument for what a policy's settings and the
/// batcher's do not allow.
std::vector<Row> evaluate(const Options& options, const OnStep& on_step);

/// All policies at the loads of a plot, each point of fewer requests.
std::vector<Curve> sweep(const Options& options, const OnStep& on_step);

}  // namespace planner

#endif  // PLANNER_EVALUATION_HPP
