// SPDX-License-Identifier: MIT
#include "evaluation.hpp"

#include "report.hpp"

#include <batchwright/policies/extra/named.hpp>

#include <algorithm>
#include <stdexcept>

namespace planner {
namespace {

namespace sim = batchwright::simulation;

constexpr std::uint64_t kPointRequests = 20'000;

sim::Simulation simulation_of(const Options& options, const std::string& policy, double factor,
                              std::uint64_t requests) {
  sim::Simulation simulation{.arrivals = options.workload.at(factor),
                             .service = {.curve = options.curve},
                             .batcher = {.max_batch_size = options.max_batch,
                                         .policy = batchwright::parse_policy(policy),
                                         .executors = options.executors},
                             .requests = requests,
                             .objective = options.objective.value_or(batchwright::Duration::max()),
                             .seed = options.seed};
  if (options.deadlines) {
    simulation.classes = {{.deadline = *options.objective}};
    simulation.batcher.order = batchwright::QueueOrder::earliest_deadline;
    simulation.batcher.forecast = batchwright::Forecast::refuse;
  }
  return simulation;
}

struct Mover {
  Progress& progress;

  void on_request(const sim::EndedRequest&) { progress.ended_one(); }
};

sim::SimulationResult run(const Options& options, const std::string& policy, double factor,
                          std::uint64_t requests, Progress& progress) {
  return simulate(simulation_of(options, policy, factor, requests), Mover{progress});
}

// A simulation of one request refuses what a long one would.
void try_one(const Options& options, const std::string& policy, double factor,
             const std::string& option) {
  try {
    simulate(simulation_of(options, policy, factor, 1));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(option + ": " + error.what());
  }
}

double to_ms(batchwright::Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

std::uint64_t point_requests(const Options& options) {
  return std::min(options.requests, kPointRequests);
}

std::vector<LoadPoint> points_of(const Options& options) {
  return load_points(options.workload,
                     capacity_hz(options.curve, options.max_batch, options.executors),
                     options.deadlines);
}

}  // namespace

void check(const Options& options) {
  for (const std::string& policy : options.policies) {
    const batchwright::PolicyLimits limits{
        .max_batch_size = options.max_batch,
        .max_wait = batchwright::BatcherOptions<sim::RequestClass>{}.max_wait};
    const std::string problem = batchwright::parse_policy(policy).validate(limits);
    if (!problem.empty()) throw std::invalid_argument("--policy " + policy + ": " + problem);
    try_one(options, policy, 1, "--policy " + policy);
  }
  if (!options.plot) return;
  for (const LoadPoint& point : points_of(options)) {
    try_one(options, options.policies.front(), point.factor,
            "--plot: at a load of " + fixed(point.load, 0));
  }
}

std::uint64_t work(const Options& options) {
  const std::size_t points = options.plot ? points_of(options).size() : 0;
  return options.policies.size() * (options.requests + points * point_requests(options));
}

std::vector<Row> evaluate(const Options& options, Progress& progress) {
  std::vector<Row> rows;
  for (const std::string& policy : options.policies) {
    progress.begin(policy, options.requests);
    const sim::SimulationResult result = run(options, policy, 1, options.requests, progress);
    rows.push_back({.policy = policy,
                    .mean_ms = result.latency.mean_ns / 1e6,
                    .p50_ms = to_ms(result.latency.p50),
                    .p99_ms = to_ms(result.latency.p99),
                    .goodput_hz = result.goodput_hz,
                    .throughput_hz = result.throughput_hz,
                    .mean_batch = result.mean_batch_size(),
                    .answered = result.latency.count,
                    .dropped = result.outcomes.dropped(),
                    .window_ms = to_ms(result.window)});
  }
  return rows;
}

std::vector<Curve> sweep(const Options& options, Progress& progress) {
  const std::vector<LoadPoint> points = points_of(options);
  std::vector<Curve> curves;
  for (const std::string& policy : options.policies) {
    Curve curve{.policy = policy, .loads = {}, .mean_ms = {}, .p99_ms = {}, .in_time_percent = {}};
    for (const LoadPoint& point : points) {
      progress.begin(policy + " against the load", point_requests(options));
      const sim::SimulationResult result =
          run(options, policy, point.factor, point_requests(options), progress);
      curve.loads.push_back(point.load);
      curve.mean_ms.push_back(result.latency.mean_ns / 1e6);
      curve.p99_ms.push_back(to_ms(result.latency.p99));
      curve.in_time_percent.push_back(
          result.offered_hz > 0 ? std::min(100 * result.goodput_hz / result.offered_hz, 100.0) : 0);
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace planner
