// SPDX-License-Identifier: MIT
#include "evaluation.hpp"

#include <batchwright/policies/extra/named.hpp>

#include <algorithm>

namespace planner {
namespace {

namespace sim = batchwright::simulation;

constexpr std::uint64_t kPointRequests = 20'000;

sim::SimulationResult run(const Options& options, const std::string& policy, double factor,
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
  return simulate(simulation);
}

double to_ms(batchwright::Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

std::vector<LoadPoint> points_of(const Options& options) {
  return load_points(options.workload,
                     capacity_hz(options.curve, options.max_batch, options.executors));
}

}  // namespace

std::size_t steps(const Options& options) {
  const std::size_t points = options.plot ? points_of(options).size() : 0;
  return options.policies.size() * (1 + points);
}

std::vector<Row> evaluate(const Options& options, const OnStep& on_step) {
  std::vector<Row> rows;
  for (const std::string& policy : options.policies) {
    on_step(policy);
    const sim::SimulationResult result = run(options, policy, 1, options.requests);
    rows.push_back({.policy = policy,
                    .mean_ms = result.latency.mean_ns / 1e6,
                    .p50_ms = to_ms(result.latency.p50),
                    .p99_ms = to_ms(result.latency.p99),
                    .goodput_hz = result.goodput_hz,
                    .throughput_hz = result.throughput_hz,
                    .mean_batch = result.mean_batch_size(),
                    .dropped = result.outcomes.dropped()});
  }
  return rows;
}

std::vector<Curve> sweep(const Options& options, const OnStep& on_step) {
  const std::vector<LoadPoint> points = points_of(options);
  std::vector<Curve> curves;
  for (const std::string& policy : options.policies) {
    Curve curve{.policy = policy, .loads = {}, .mean_ms = {}, .p99_ms = {}};
    for (const LoadPoint& point : points) {
      on_step(policy + " against the load");
      const sim::SimulationResult result =
          run(options, policy, point.factor, std::min(options.requests, kPointRequests));
      curve.loads.push_back(point.load);
      curve.mean_ms.push_back(result.latency.mean_ns / 1e6);
      curve.p99_ms.push_back(to_ms(result.latency.p99));
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace planner
