// SPDX-License-Identifier: MIT
#ifndef PLANNER_WORKLOAD_HPP
#define PLANNER_WORKLOAD_HPP

#include <batchwright/simulation/simulate.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace planner {

/// The arrivals that the user gave, and the same at other loads.
class Workload {
 public:
  /// Reads `poisson:RATE`, `mmpp:RATE,STAY_MS,...`, `closed:N,THINK_MS` or `trace:FILE,SPEEDUP`. Throws
  /// std::invalid_argument.
  static Workload parse(std::string_view text);

  Workload() = default;

  /// Such a multiple of the given rates; of a closed loop of the given number of clients.
  batchwright::simulation::AnyArrivals at(double factor) const;

  /// Requests a second over a long time; nothing for a closed loop.
  std::optional<double> rate_hz() const;
  std::optional<std::size_t> clients() const;
  bool is_poisson() const { return kind_ == Kind::poisson; }

 private:
  enum class Kind { poisson, mmpp, closed, trace };

  Kind kind_ = Kind::poisson;
  double rate_hz_ = 0;
  batchwright::simulation::MmppArrivals bursts_;
  batchwright::simulation::ClosedLoopArrivals loop_;
  batchwright::simulation::TraceArrivals trace_;
};

/// One point of a plot: how much load, and the factor for it.
struct LoadPoint {
  double load = 0;
  double factor = 1;
};

/// Loads from next to nothing to nearly `capacity_hz`, or where `overload` is of interest to twice of it;
/// of a closed loop from one client to twice those given.
std::vector<LoadPoint> load_points(const Workload& workload, double capacity_hz, bool overload);

/// What batches of the best size give on all executors.
double capacity_hz(const batchwright::simulation::ServiceCurve& curve, std::size_t max_batch,
                   std::size_t executors);

/// Whole text as one number within bounds, or std::invalid_argument: "WHAT must be from A to B, got 'X'".
double parse_number(const std::string& what, std::string_view text, double least, double most);
std::size_t parse_count(const std::string& what, std::string_view text, std::size_t least,
                        std::size_t most);

/// The parts between commas.
std::vector<std::string_view> split(std::string_view text);

}  // namespace planner

#endif  // PLANNER_WORKLOAD_HPP
