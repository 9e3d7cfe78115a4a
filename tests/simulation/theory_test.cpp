// SPDX-License-Identifier: MIT
// The simulator against what queueing theory says exactly. Each figure is a mean over independent
// replications; it has to be within three standard errors of the exact value, and three standard errors
// within 1 % of it, so that agreement means something.

#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/policies/size.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatchingPolicy;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::Outcome;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::SizePolicy;

/// Fits of published measurements: a ResNet-50 on two GPUs, milliseconds.
constexpr double kV100Item = 0.1438, kV100Fixed = 1.8874;
constexpr double kP4Item = 0.5833, kP4Fixed = 1.4284;

Duration ms(double milliseconds) {
  return Duration(static_cast<std::int64_t>(std::llround(milliseconds * 1e6)));
}

AffineCurve curve(double per_item_ms, double fixed_ms) {
  return {.per_item = ms(per_item_ms), .fixed = ms(fixed_ms)};
}

/// Arrivals a second that are such a part of what batches of that size can take.
double rate_at(double load, double per_item_ms, double fixed_ms, std::size_t cap) {
  const auto size = static_cast<double>(cap);
  return load * size / (per_item_ms * size + fixed_ms) * 1000;
}

void expect_agrees(const Estimate& estimate, double exact) {
  EXPECT_LE(std::abs(estimate.mean - exact), 3 * estimate.standard_error)
      << "mean " << estimate.mean << ", exact " << exact;
  EXPECT_LE(3 * estimate.standard_error, 0.01 * exact)
      << "too few requests: the mean " << estimate.mean << " says nothing";
}

double mean_ms(const SimulationResult& result) { return result.latency.mean_ns / 1e6; }

template <BatchingPolicy Policy>
Estimate mean_latency_ms(const BasicSimulation<Policy>& simulation, std::size_t replications = 8) {
  return estimate(replicate(simulation, replications), mean_ms);
}

/// The optimum's form: everything leaves once `least` is queued.
struct ControlLimit {
  std::size_t least = 1;

  Decision decide(const QueueView& view) const noexcept {
    return view.size >= least ? Decision::release(view.size, ReleaseReason::size)
                              : Decision::wait(kNever, least);
  }
};

BasicSimulation<GreedyPolicy> single_server(double rate_hz) {
  return {.arrivals = PoissonArrivals{.rate_hz = rate_hz},
          .service = {.curve = AffineCurve{.per_item = 1ms}},
          .batcher = {.max_batch_size = 1},
          .requests = 60'000};
}

// One server, no batches.

TEST(Theory, MeanLatencyOfAnMD1QueueIsThePollaczekKhinchineFormula) {
  for (const double load : {0.3, 0.6}) {
    expect_agrees(mean_latency_ms(single_server(load * 1000)), 1 + load / (2 * (1 - load)));
  }
}

TEST(Theory, PercentilesOfAnMM1QueueAreThoseOfAnExponential) {
  BasicSimulation<GreedyPolicy> simulation = single_server(300);
  simulation.service.noise = ExponentialNoise{};
  const std::vector<SimulationResult> results = replicate(simulation, 16);
  const auto quantile = [&](Duration LatencySummary::*q) {
    return estimate(results, [q](const SimulationResult& result) {
      return static_cast<double>((result.latency.*q).count()) / 1e6;
    });
  };
  // P(T > t) = e^-(mu - lambda) t.
  expect_agrees(quantile(&LatencySummary::p50), std::log(2.0) / 0.7);
  expect_agrees(quantile(&LatencySummary::p90), std::log(10.0) / 0.7);
  expect_agrees(quantile(&LatencySummary::p95), std::log(20.0) / 0.7);
  expect_agrees(quantile(&LatencySummary::p99), std::log(100.0) / 0.7);
}

TEST(Theory, MeanLatencyOfAnMG1QueueWithLognormalTimesFollowsTheirSecondMoment) {
  BasicSimulation<GreedyPolicy> simulation = single_server(500);
  simulation.service.noise = LognormalNoise{.sigma = 0.5};
  const double second_moment = std::exp(0.25);
  expect_agrees(mean_latency_ms(simulation), 1 + 0.5 * second_moment / (2 * (1 - 0.5)));
}

TEST(Theory, MeanLatencyOfAnMM2QueueIsErlangs) {
  BasicSimulation<GreedyPolicy> simulation = single_server(1000);
  simulation.batcher.executors = 2;
  simulation.service.noise = ExponentialNoise{};
  // For two servers Erlang's probability of waiting is 2 r^2 / (1 + r) at the load r.
  const double waits = 2 * 0.5 * 0.5 / 1.5;
  expect_agrees(mean_latency_ms(simulation, 10), 1 + waits / (2 - 1));
}

// Batches.

TEST(Theory, BelowTheStabilityLimitAllIsAnsweredAndAboveItThroughputIsTheLimit) {
  const double limit = rate_at(1, kV100Item, kV100Fixed, 32);
  BasicSimulation<GreedyPolicy> simulation{.arrivals = PoissonArrivals{.rate_hz = 0.97 * limit},
                                           .service = {.curve = curve(kV100Item, kV100Fixed)},
                                           .batcher = {.max_batch_size = 32},
                                           .requests = 200'000};
  SimulationResult result = simulate(simulation);
  EXPECT_EQ(result.outcomes.dropped(), 0u);
  EXPECT_NEAR(result.throughput_hz, 0.97 * limit, 0.01 * limit);

  simulation.arrivals = PoissonArrivals{.rate_hz = 1.2 * limit};
  result = simulate(simulation);
  EXPECT_NEAR(result.throughput_hz, limit, 0.001 * limit);
  const auto refused = static_cast<double>(result.outcomes[Outcome::queue_full]);
  EXPECT_NEAR(refused / static_cast<double>(result.outcomes.total()), 0.2 / 1.2, 0.01);
}

template <BatchingPolicy Policy>
void expect_littles_law(Policy policy, std::size_t executors) {
  const BasicSimulation<Policy> simulation{
      .arrivals = ClumpedArrivals{.rate_hz = 3000, .mean_clump = 3},
      .service = {.curve = curve(kV100Item, kV100Fixed), .noise = LognormalNoise{.sigma = 0.2}},
      .batcher = {.max_batch_size = 32, .policy = policy, .executors = executors},
      .requests = 50'000};
  const SimulationResult result = simulate(simulation);
  EXPECT_NEAR(result.mean_in_system, result.offered_hz * result.latency.mean_ns / 1e9,
              0.002 * result.mean_in_system);
}

TEST(Theory, LittlesLawHoldsOfEveryRun) {
  expect_littles_law(GreedyPolicy{}, 1);
  expect_littles_law(GreedyPolicy{}, 3);
  expect_littles_law(HybridPolicy{.max_wait = 4ms}, 2);
  expect_littles_law(ControlLimit{5}, 1);
}

/// Greedy batches without a cap, at r = rate x time of an item: the mean latency of the exact chain of
/// batch sizes, B' = max(1, Poisson(rate x l(B))), and Inoue's bound (2021).
struct Uncapped {
  double per_item_ms, fixed_ms, r, exact_ms;

  double bound_ms() const {
    const double rate = r / per_item_ms;
    const double first = (per_item_ms + fixed_ms) / (2 * (1 - r)) *
                         (1 + 2 * rate * fixed_ms + (1 - rate * fixed_ms) / (1 + r));
    const double second = 1.5 * fixed_ms / (1 - r) + per_item_ms / 2 * (r + 2) / (1 - r * r);
    return std::min(first, second);
  }
};

TEST(Theory, GreedyBatchesWithoutACapFollowTheExactChainAndStayBelowInouesBound) {
  for (const Uncapped& one :
       {Uncapped{kV100Item, kV100Fixed, 0.1, 3.14589},
        Uncapped{kV100Item, kV100Fixed, 0.4, 4.92385},
        Uncapped{kV100Item, kV100Fixed, 0.8, 14.71472}, Uncapped{kP4Item, kP4Fixed, 0.2, 2.93290},
        Uncapped{kP4Item, kP4Fixed, 0.6, 6.51196}}) {
    const Estimate mean = mean_latency_ms(BasicSimulation<GreedyPolicy>{
        .arrivals = PoissonArrivals{.rate_hz = 1000 * one.r / one.per_item_ms},
        .service = {.curve = curve(one.per_item_ms, one.fixed_ms)},
        .batcher = {.max_batch_size = 4096},
        .requests = one.r < 0.7 ? 60'000u : 320'000u});
    expect_agrees(mean, one.exact_ms);
    EXPECT_LE(one.exact_ms, one.bound_ms() + 1e-5);
    EXPECT_LE(mean.mean - 3 * mean.standard_error, one.bound_ms());
  }
}

template <BatchingPolicy Policy>
BasicSimulation<Policy> capped(double load, Policy policy) {
  return {.arrivals = PoissonArrivals{.rate_hz = rate_at(load, kV100Item, kV100Fixed, 32)},
          .service = {.curve = curve(kV100Item, kV100Fixed)},
          .batcher = {.max_batch_size = 32, .policy = policy},
          .requests = load < 0.8 ? 60'000u : 120'000u};
}

TEST(Theory, GreedyBatchesUnderACapHaveTheMeanOfTheSolvedChain) {
  expect_agrees(mean_latency_ms(capped(0.3, GreedyPolicy{})), 3.75071);
  expect_agrees(mean_latency_ms(capped(0.5, GreedyPolicy{})), 4.57972);
  expect_agrees(mean_latency_ms(capped(0.7, GreedyPolicy{})), 5.85989);
  expect_agrees(mean_latency_ms(capped(0.9, GreedyPolicy{})), 8.25039);
}

TEST(Theory, TheOptimalControlLimitsHaveTheOptimalMeans) {
  expect_agrees(mean_latency_ms(capped(0.3, ControlLimit{2})), 3.73781);
  expect_agrees(mean_latency_ms(capped(0.5, ControlLimit{3})), 4.57745);
  expect_agrees(mean_latency_ms(capped(0.7, ControlLimit{4})), 5.85977);
  expect_agrees(mean_latency_ms(capped(0.9, ControlLimit{5})), 8.25039);
}

TEST(Theory, OnTheSameArrivalsTheControlLimitBeatsGreedyByTheExactDifference) {
  const auto heavy = [](auto policy) {
    return BasicSimulation<decltype(policy)>{
        .arrivals = PoissonArrivals{.rate_hz = rate_at(0.5, 0.05, 5, 8)},
        .service = {.curve = curve(0.05, 5)},
        .batcher = {.max_batch_size = 8, .policy = policy},
        .requests = 60'000};
  };
  const std::vector<SimulationResult> greedy = replicate(heavy(GreedyPolicy{}), 16);
  const std::vector<SimulationResult> limit = replicate(heavy(ControlLimit{2}), 16);
  std::vector<double> gain;
  for (std::size_t i = 0; i < greedy.size(); ++i) {
    gain.push_back(mean_ms(greedy[i]) - mean_ms(limit[i]));
  }
  expect_agrees(estimate(greedy, mean_ms), 7.86278);
  expect_agrees(estimate(limit, mean_ms), 7.83076);
  const Estimate mean_gain = estimate(std::span<const double>(gain));
  EXPECT_NEAR(mean_gain.mean, 7.86278 - 7.83076, 3 * mean_gain.standard_error);
  EXPECT_GT(mean_gain.mean, 3 * mean_gain.standard_error) << "the difference is lost in noise";
}

TEST(Theory, SizeOrTimeoutWithAFreeWorkerFollowsTheClosedForm) {
  struct Case {
    double rate_hz;
    Duration window;
    std::size_t size;
    double mean_batch, mean_wait_ms;
  };
  for (const Case& one :
       {Case{1000, 5ms, 8, 5.74452, 2.65380}, Case{10'000, 2ms, 16, 15.74959, 0.73996}}) {
    const std::vector<SimulationResult> results = replicate(
        BasicSimulation<HybridPolicy>{
            .arrivals = PoissonArrivals{.rate_hz = one.rate_hz},
            .service = {.curve = AffineCurve{}},
            .batcher = {.max_batch_size = one.size, .policy = HybridPolicy{.max_wait = one.window}},
            .requests = 60'000},
        8);
    expect_agrees(estimate(results, mean_ms), one.mean_wait_ms);
    expect_agrees(estimate(results, &SimulationResult::mean_batch_size), one.mean_batch);
  }
}

TEST(Theory, WaitingForAFullBatchCostsHalfItsFillTime) {
  expect_agrees(mean_latency_ms(BasicSimulation<SizePolicy>{
                    .arrivals = PoissonArrivals{.rate_hz = 1000},
                    .service = {.curve = AffineCurve{.fixed = 1ns}},
                    .batcher = {.max_batch_size = 8, .policy = SizePolicy{}},
                    .requests = 60'000}),
                (8 - 1) / 2.0);
}

// Clients who wait for their answers.

template <BatchingPolicy Policy>
SimulationResult closed_loop(std::size_t clients, Duration think, Policy policy) {
  return simulate(BasicSimulation<Policy>{
      .arrivals = ClosedLoopArrivals{.clients = clients, .mean_think = think},
      .service = {.curve = curve(kV100Item, kV100Fixed)},
      .batcher = {.max_batch_size = 64, .policy = policy},
      .requests = 100'000});
}

TEST(Theory, AClosedLoopWithoutThinkingHalvesTheBatchesOfGreedyAndNotThoseOfAQuorum) {
  for (const std::size_t clients : {8u, 32u, 64u}) {
    const auto n = static_cast<double>(clients);
    const SimulationResult greedy = closed_loop(clients, 0ms, GreedyPolicy{});
    EXPECT_NEAR(greedy.throughput_hz, 1000 * n / (2 * kV100Fixed + kV100Item * n),
                0.001 * greedy.throughput_hz);
    EXPECT_NEAR(greedy.mean_batch_size(), n / 2, 0.001 * n);

    const SimulationResult quorum = closed_loop(clients, 0ms, SizePolicy{clients});
    EXPECT_NEAR(quorum.throughput_hz, 1000 * n / (kV100Fixed + kV100Item * n),
                0.001 * quorum.throughput_hz);
    EXPECT_NEAR(quorum.mean_batch_size(), n, 0.001 * n);
  }
}

TEST(Theory, AClosedLoopThatThinksHasTheKnownThroughput) {
  EXPECT_NEAR(closed_loop(32, 200us, GreedyPolicy{}).throughput_hz, 3820, 38);
  EXPECT_NEAR(closed_loop(32, 1ms, GreedyPolicy{}).throughput_hz, 3806, 38);
  EXPECT_NEAR(closed_loop(32, 5ms, GreedyPolicy{}).throughput_hz, 3090, 31);
  // A full quorum waits for the slowest of 32 exponential thinkers.
  double slowest = 0;
  for (int k = 1; k <= 32; ++k) slowest += 0.2 / k;
  EXPECT_NEAR(closed_loop(32, 200us, SizePolicy{32}).throughput_hz,
              1000 * 32 / (kV100Fixed + kV100Item * 32 + slowest), 44);
}

}  // namespace
