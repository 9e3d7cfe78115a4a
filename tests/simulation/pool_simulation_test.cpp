// SPDX-License-Identifier: MIT
#include <batchwright/batchwright.hpp>
#include <batchwright/simulation/pool_simulation.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::Outcome;

Simulation batcher(double rate_hz, AffineCurve curve, std::size_t share = 1) {
  return {.arrivals = PoissonArrivals{.rate_hz = rate_hz},
          .service = {.curve = curve},
          .batcher = {.max_batch_size = 8, .pool_share = share, .capacity = 64},
          .requests = 8'000};
}

double busy(const SimulationResult& result) {
  return std::accumulate(result.utilisation.begin(), result.utilisation.end(), 0.0);
}

// One that cannot be served: 8,000 a second, where full batches alone give 1,000.
constexpr AffineCurve kSlow{.per_item = 1ms, .fixed = 0ms};
constexpr AffineCurve kQuick{.per_item = 250us, .fixed = 0ms};

TEST(PoolSimulation, ABatcherAloneHasThePoolAsItsOwn) {
  for (const std::size_t executors : {1u, 3u}) {
    Simulation alone = batcher(700.0 * static_cast<double>(executors), kSlow);
    alone.service.noise = LognormalNoise{.sigma = 0.3};
    const std::vector<SimulationResult> pooled =
        simulate_pool({.batchers = {alone}, .executors = executors});
    alone.batcher.executors = executors;
    ASSERT_EQ(pooled.size(), 1u);
    const SimulationResult own = simulate(alone);
    EXPECT_EQ(pooled[0].latency, own.latency) << executors;
    EXPECT_EQ(pooled[0].batches, own.batches);
  }
}

TEST(PoolSimulation, UnderOverloadEachGetsItsShareOfTheExecutorsTimeWhateverItsBatchesTake) {
  for (const std::size_t share : {1u, 3u}) {
    const auto results = simulate_pool(
        {.batchers = {batcher(8000, kSlow, share), batcher(32'000, kQuick)}, .executors = 2});
    ASSERT_EQ(results.size(), 2u);
    EXPECT_NEAR(busy(results[0]) / busy(results[1]), static_cast<double>(share),
                0.02 * static_cast<double>(share));
    EXPECT_NEAR(busy(results[0]) + busy(results[1]), 2.0, 0.02);
  }
}

// A tenth of an executor, and one that would take eight, for about ten seconds.
PoolSimulation beside_a_flood() {
  PoolSimulation two{.batchers = {batcher(100, kSlow), batcher(32'000, kQuick)}};
  two.batchers[0].requests = 1'000;
  return two;
}

TEST(PoolSimulation, WhatOneDoesNotUseGoesToTheOther) {
  const auto results = simulate_pool(beside_a_flood());
  EXPECT_NEAR(busy(results[0]), 0.1, 0.01);
  EXPECT_NEAR(busy(results[1]), 0.9, 0.04);  // Its window is a short one.
  EXPECT_EQ(results[0].outcomes.dropped(), 0u);
  EXPECT_GT(results[1].outcomes[Outcome::queue_full], 0u);
}

TEST(PoolSimulation, AFloodDelaysTheOthersByTheBatchThatRunsAndNoMore) {
  const auto results = simulate_pool(beside_a_flood());
  // Its own batch of one, behind one of eight that has begun: 1 ms + 2 ms, and who comes meanwhile.
  EXPECT_GE(results[0].latency.p50, 1ms);
  EXPECT_LE(results[0].latency.p99, 5ms);
}

TEST(PoolSimulation, BatchersOfEqualSettingsDoNotGetEqualArrivals) {
  const auto results =
      simulate_pool({.batchers = {batcher(300, kSlow), batcher(300, kSlow)}, .executors = 2});
  EXPECT_NE(results[0], results[1]);
  EXPECT_NEAR(results[0].latency.mean_ns, results[1].latency.mean_ns,
              0.1 * results[0].latency.mean_ns);
}

TEST(PoolSimulation, IsTheSameEachTime) {
  const PoolSimulation two{.batchers = {batcher(500, kSlow), batcher(900, kQuick)}};
  EXPECT_EQ(simulate_pool(two), simulate_pool(two));
}

TEST(PoolSimulation, EachHasItsOwnPolicyAndEndsItsRequests) {
  Simulation waits = batcher(400, kQuick);
  waits.batcher.policy = HybridPolicy{.size = 4, .max_wait = 20ms};
  const auto results = simulate_pool({.batchers = {waits, batcher(400, kQuick)}, .executors = 2});
  EXPECT_GT(results[0].mean_batch_size(), 3.0);
  EXPECT_LT(results[1].mean_batch_size(), 1.5);
  for (const SimulationResult& result : results) {
    EXPECT_EQ(result.outcomes.total(), 7'200u);  // Without the warm-up.
  }
}

TEST(PoolSimulation, AnAsynchronousPredictorHoldsItsExecutorForTheCallAlone) {
  Simulation device = batcher(500, kSlow);
  device.service.predictor = PredictorKind::asynchronous;
  const auto results = simulate_pool({.batchers = {device, batcher(3000, kQuick)}});
  EXPECT_EQ(results[0].outcomes.dropped(), 0u);
  EXPECT_EQ(results[1].outcomes.dropped(), 0u);
}

TEST(PoolSimulation, OfRecordedArrivalsTheLastOnesEndToo) {
  Simulation few = batcher(100, kSlow);
  few.arrivals = TraceArrivals{.instants = {0ms, 1ms, 2ms}};
  few.warm_up = 0;
  few.batcher.policy = batchwright::SizePolicy{.size = 8};
  few.batcher.max_wait = batchwright::Duration::max();
  const auto results = simulate_pool({.batchers = {few, few}});
  for (const SimulationResult& result : results) EXPECT_EQ(result.outcomes[Outcome::ok], 3u);
}

std::string problem_of(const PoolSimulation& simulation) {
  try {
    static_cast<void>(simulate_pool(simulation));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(PoolSimulation, WhatIsWrongIsNamed) {
  const Simulation good = batcher(100, kSlow);
  EXPECT_EQ(problem_of({}), "Simulation: batchers must be at least one, got none");
  EXPECT_EQ(problem_of({.batchers = {good}, .executors = 0}),
            "Simulation: executors must be from 1 to 1024, got 0");
  Simulation own = good;
  own.batcher.executors = 2;
  EXPECT_EQ(problem_of({.batchers = {good, own}}),
            "DynamicBatcher: executors must be unset with pool, got 2");
  Simulation pooled = good;
  pooled.batcher.pool = std::make_shared<batchwright::ExecutorPool>();
  EXPECT_EQ(problem_of({.batchers = {pooled}}),
            "Simulation: batcher.pool must be unset (simulate_pool shares executors), got a value");
  try {
    static_cast<void>(simulate(pooled));
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(
        error.what(),
        std::string("Simulation: batcher.pool must be unset (simulate_pool shares executors), "
                    "got a value"));
  }
}

}  // namespace
