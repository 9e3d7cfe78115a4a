// SPDX-License-Identifier: MIT
#ifndef PLANNER_OPTIONS_HPP
#define PLANNER_OPTIONS_HPP

#include "workload.hpp"

#include <batchwright/simulation/simulate.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace planner {

struct Options {
  Workload workload;
  batchwright::simulation::ServiceCurve curve;
  std::optional<batchwright::simulation::AffineCurve> line;     // Where the curve is one,
  std::optional<batchwright::simulation::TableCurve> measured;  // or where it was measured.
  std::size_t max_batch = 32;
  std::size_t executors = 1;
  std::optional<batchwright::Duration> objective;
  bool deadlines = false;  // Whether the objective is the requests' deadline, too.
  std::vector<std::string> policies;
  std::uint64_t requests = 100'000;
  std::uint64_t seed = 1;
  std::optional<std::string> json;
  std::optional<std::string> plot;
  bool help = false;
};

/// Reads the arguments after the program's name, as `--name value` or `--name=value`, and the files
/// that they name. Throws std::invalid_argument with one line: the option, what is allowed, the value.
Options parse_options(std::span<const char* const> arguments);

/// What `--help` prints.
const char* usage();

}  // namespace planner

#endif  // PLANNER_OPTIONS_HPP
