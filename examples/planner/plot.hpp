// SPDX-License-Identifier: MIT
#ifndef PLANNER_PLOT_HPP
#define PLANNER_PLOT_HPP

#include "evaluation.hpp"

#include <string>
#include <vector>

namespace planner {

/// An SVG that needs nothing else: mean and p99 of each policy against the load, on a logarithmic scale. With
/// deadlines the first is what was answered in time, because who drops the most would have the least mean.
std::string plot(const Options& options, const std::vector<Curve>& curves);

}  // namespace planner

#endif  // PLANNER_PLOT_HPP
