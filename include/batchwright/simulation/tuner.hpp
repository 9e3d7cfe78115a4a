// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_TUNER_HPP
#define BATCHWRIGHT_SIMULATION_TUNER_HPP

#include "../detail/text.hpp"
#include "../policies/any.hpp"
#include "../policies/extra/named.hpp"
#include "../policy.hpp"
#include "checks.hpp"
#include "results.hpp"
#include "simulate.hpp"
#include "simulation.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// What the best policy is best in.
enum class TuningGoal : std::uint8_t {
  mean_latency,
  p99_latency,
  goodput,     ///< Answers within the simulation's objective.
  throughput,  ///< Answers, however late.
};

/// What to try.
struct TuningOptions {
  TuningGoal goal = TuningGoal::mean_latency;
  /// How many clients wait for their answers, where they do and it is known: adds quorums.
  std::size_t clients = 0;
  /// Policies as `parse_policy` reads them. Unless set: see `tuning_candidates`.
  std::vector<std::string> policies = {};
  /// All are simulated with this part of the requests, and so many of the best with all of them.
  double first_part = 0.2;
  std::size_t finalists = 8;
};

/// A policy and what it is predicted to give.
struct TunedPolicy {
  std::string name;  ///< As `parse_policy` reads it.
  AnyPolicy policy;
  SimulationResult predicted;
};

}  // namespace simulation

namespace detail {

/// Worse is larger. What answers nothing is worst.
inline double cost_of(const simulation::SimulationResult& result, simulation::TuningGoal goal) {
  using simulation::TuningGoal;
  if (result.latency.count == 0) return 1e300;
  switch (goal) {
    case TuningGoal::p99_latency:
      return static_cast<double>(result.latency.p99.count());
    case TuningGoal::goodput:
      return -result.goodput_hz;
    case TuningGoal::throughput:
      return -result.throughput_hz;
    case TuningGoal::mean_latency:
      break;
  }
  return result.latency.mean_ns;
}

/// Names policies over their settings, none twice, and none that the batcher's limits forbid.
class CandidateList {
 public:
  explicit CandidateList(const PolicyLimits& limits) : limits_(limits) {}

  void add(std::string name) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return;
    if (parse_policy(name).validate(limits_).empty()) names_.push_back(std::move(name));
  }

  std::vector<std::string> take() { return std::move(names_); }

 private:
  PolicyLimits limits_;
  std::vector<std::string> names_;
};

inline std::string in_milliseconds(Duration duration) {
  std::string text;
  append_scaled(text, duration.count(), 6);
  return text;
}

inline std::vector<std::size_t> powers_up_to(std::size_t most) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 2; size < most; size *= 2) sizes.push_back(size);
  sizes.push_back(most);
  return sizes;
}

}  // namespace detail

namespace simulation {

/// What `tune` tries unless told: each policy over a grid of its settings, in units of what a batch takes.
/// Policies that look at deadlines only where a class has one, quorums only where clients are known, and
/// what gives up on requests for the simulation's objective only where goodput is the goal.
inline std::vector<std::string> tuning_candidates(const Simulation& simulation,
                                                  std::size_t clients = 0,
                                                  TuningGoal goal = TuningGoal::mean_latency) {
  const auto& allowed = simulation.batcher.allowed_sizes;
  const std::size_t cap = allowed.empty() ? simulation.batcher.max_batch_size : allowed.back();
  const ServiceCurve& curve = simulation.service.curve;
  if (!curve) detail::require_none(detail::must_be("service.curve", "callable", "none"));
  detail::require_none(detail::check_not_negative("service.curve(1)", curve(1)));
  const std::vector<std::size_t> sizes = detail::powers_up_to(cap);
  detail::CandidateList list({.max_batch_size = cap, .max_wait = simulation.batcher.max_wait});
  for (const std::string_view name : policy_names()) {  // Those that have no grid below.
    constexpr std::string_view kGrids[] = {
        "time",       "size",   "hybrid",        "adaptive",        "aimd", "deadline", "deferred",
        "early_drop", "quorum", "control_limit", "latency_fraction"};
    if (std::find(std::begin(kGrids), std::end(kGrids), name) == std::end(kGrids)) {
      list.add(std::string(name));
    }
  }
  if (goal == TuningGoal::goodput && simulation.objective != Duration::max()) {
    list.add("auto:objective_ms=" + detail::in_milliseconds(simulation.objective));
  }
  list.add("regression:tick_ms=0");
  for (const double part : {0.1, 0.25, 0.5, 1.0, 2.0, 4.0}) {
    const Duration wait = detail::to_duration(part * static_cast<double>(curve(1).count()));
    const std::string max_wait = "max_wait_ms=" + detail::in_milliseconds(wait);
    list.add("time:" + max_wait);
    for (const std::size_t size : sizes) {
      if (size == cap) continue;
      list.add("hybrid:size=" + std::to_string(size) + "," + max_wait);
    }
    if (clients > 0) {
      list.add("quorum:clients=" + std::to_string(clients) + "," + max_wait);
    }
  }
  for (const std::size_t size : sizes) {
    list.add("control_limit:limits=" + std::to_string(size));
    if (curve(size) <= Duration::zero())
      continue;  // A time that it cannot be is said by `simulate`.
    const std::string target = detail::in_milliseconds(curve(size));
    list.add("aimd:target_ms=" + target);
    list.add("adaptive:step=1,target_ms=" + target);
  }
  for (const char* const fraction : {"0.1", "0.25", "0.5"}) {
    list.add(std::string("latency_fraction:fraction=") + fraction);
    list.add(std::string("latency_fraction:least_ms=0,from_idle_ms=0,fraction=") + fraction);
  }
  const bool deadlines =
      std::any_of(simulation.classes.begin(), simulation.classes.end(),
                  [](const RequestClass& one) { return one.deadline != Duration::max(); });
  if (deadlines) {
    for (const char* const deviations : {"0", "1", "3"}) {
      list.add(std::string("deadline:deviations=") + deviations);
      list.add(std::string("deferred:deviations=") + deviations);
      list.add(std::string("early_drop:deviations=") + deviations);
    }
  }
  return list.take();
}

/// Simulates policies over their settings, all under the same arrivals, and returns those that were
/// simulated in full, the best one first. The simulation says everything else: the curve, the arrivals,
/// the executors, the cap, the objective, the seed; its own policy is left alone.
///
/// The prediction of the best of many is a little rosy, because it was also the luckiest: simulate it
/// again with another seed for an honest figure. Throws as `simulate` and `parse_policy` do.
inline std::vector<TunedPolicy> tune(const Simulation& simulation,
                                     const TuningOptions& options = {}) {
  detail::require_none(detail::check_between("first_part", options.first_part, 0.001, 1));
  if (options.finalists < 1) {
    detail::require_none(detail::must_be("finalists", "at least 1", "0"));
  }
  const auto run = [&simulation](const std::string& name, double part) {
    Simulation one = simulation;
    one.batcher.policy = parse_policy(name);
    one.requests = std::max<std::uint64_t>(
        static_cast<std::uint64_t>(static_cast<double>(simulation.requests) * part), 1);
    AnyPolicy policy = one.batcher.policy;
    SimulationResult predicted = simulate(one);
    return TunedPolicy{name, std::move(policy), std::move(predicted)};
  };
  const auto better = [&options](const TunedPolicy& a, const TunedPolicy& b) {
    return detail::cost_of(a.predicted, options.goal) < detail::cost_of(b.predicted, options.goal);
  };
  std::vector<TunedPolicy> tried;
  for (const std::string& name : options.policies.empty()
                                     ? tuning_candidates(simulation, options.clients, options.goal)
                                     : options.policies) {
    tried.push_back(run(name, options.first_part));
  }
  // Of equal ones those that were named first: the simpler ones.
  std::stable_sort(tried.begin(), tried.end(), better);
  tried.resize(std::min(tried.size(), options.finalists));
  for (TunedPolicy& one : tried) one = run(one.name, 1);
  std::stable_sort(tried.begin(), tried.end(), better);
  return tried;
}

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_TUNER_HPP
