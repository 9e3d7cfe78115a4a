// SPDX-License-Identifier: MIT
// Simulated requests a second, on one core.

#include <batchwright/policies/any.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AnyPolicy;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;

constexpr std::uint64_t kRequests = 1'000'000;
constexpr AffineCurve kCurve{.per_item = 143'800ns, .fixed = 1'887'400ns};
constexpr double kMostPerSecond = 32 / (0.1438e-3 * 32 + 1.8874e-3);

template <class Policy>
void run(benchmark::State& state, const BasicSimulation<Policy>& simulation) {
  for (auto _ : state) {
    const SimulationResult result = simulate(simulation);
    if (result.outcomes.dropped() > 0) {
      state.SkipWithError("requests were dropped");
      return;
    }
    benchmark::DoNotOptimize(result.latency.mean_ns);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(simulation.requests));
}

/// Poisson arrivals, at such a percentage of what the executors can take.
template <class Policy>
void poisson(benchmark::State& state, Policy policy) {
  const auto executors = static_cast<std::size_t>(state.range(1));
  const double load = static_cast<double>(state.range(0)) / 100;
  run(state, BasicSimulation<Policy>{
                 .arrivals = PoissonArrivals{.rate_hz = load * kMostPerSecond *
                                                        static_cast<double>(executors)},
                 .service = {.curve = kCurve},
                 .batcher = {.policy = policy, .executors = executors, .capacity = 1 << 20},
                 .requests = kRequests});
}

void closed_loop(benchmark::State& state) {
  run(state, BasicSimulation<GreedyPolicy>{
                 .arrivals = ClosedLoopArrivals{.clients = 64, .mean_think = 1ms},
                 .service = {.curve = kCurve, .noise = LognormalNoise{}},
                 .requests = kRequests});
}

void cells(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"load", "executors"})
      ->ArgsProduct({{30, 70, 90}, {1, 4}})
      ->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(poisson, greedy, GreedyPolicy{})->Name("Simulation/greedy")->Apply(cells);
BENCHMARK_CAPTURE(poisson, any, AnyPolicy{})->Name("Simulation/any_greedy")->Apply(cells);
BENCHMARK_CAPTURE(poisson, hybrid, HybridPolicy{})->Name("Simulation/hybrid")->Apply(cells);
BENCHMARK(closed_loop)->Name("Simulation/closed_loop")->Unit(benchmark::kMillisecond);

}  // namespace
