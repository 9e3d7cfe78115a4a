// SPDX-License-Identifier: MIT
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::HybridPolicy;
using batchwright::OverflowAction;
using batchwright::SizeRule;

Simulation good() {
  return {.arrivals = PoissonArrivals{},
          .service = {.curve = AffineCurve{.per_item = 100us}},
          .requests = 100};
}

template <class Change>
std::string error_after(Change change) {
  Simulation simulation = good();
  change(simulation);
  try {
    simulate(simulation);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Simulation, TheDefaultsAreTheBatchersOwn) {
  Simulation simulation = good();
  batchwright::detail::settle(simulation);
  EXPECT_EQ(simulation.batcher.max_batch_size, 32u);
  EXPECT_EQ(simulation.batcher.capacity, 1024u);
  EXPECT_EQ(simulation.batcher.max_in_flight, 1u);
  EXPECT_EQ(simulation.classes.size(), 1u);

  simulation = good();
  simulation.batcher.executors = 3;
  simulation.batcher.max_batch_size = 64;
  simulation.service.predictor = PredictorKind::asynchronous;
  batchwright::detail::settle(simulation);
  EXPECT_EQ(simulation.batcher.capacity, 8u * 64 * 3);
  EXPECT_EQ(simulation.batcher.max_in_flight, 6u);
}

TEST(Simulation, WhatIsWrongWithTheBatcherIsTheBatchersOwnError) {
  EXPECT_EQ(error_after([](Simulation& s) { s.batcher.max_batch_size = 0; }),
            "DynamicBatcher: max_batch_size must be at least 1, got 0");
  EXPECT_EQ(error_after([](Simulation& s) { s.batcher.policy = HybridPolicy{.size = 99}; }),
            "DynamicBatcher: HybridPolicy::size must be from 1 to max_batch_size (32), got 99");
  EXPECT_EQ(error_after([](Simulation& s) {
              s.batcher.size_rule = SizeRule::padded;
              s.classes = {{.weight = 2}};
            }),
            "DynamicBatcher: weight must be unset with size_rule padded, got a function");
}

TEST(Simulation, SoIsAClassThatAsksForWhatNoRequestMay) {
  EXPECT_EQ(error_after([](Simulation& s) {
              s.batcher.queue.timeout_override = batchwright::TimeoutOverride::refused;
              s.classes = {{.timeout = 2us}};
            }),
            "DynamicBatcher: timeout of a request must be unset for priority 0, got 2000 ns");
}

TEST(Simulation, WhatMeansNothingInItIsRefused) {
  EXPECT_EQ(error_after([](Simulation& s) {
              s.batcher.weight = [](const RequestClass&) { return std::size_t{1}; };
            }),
            "Simulation: batcher.weight must be unset (the classes say it), got a value");
  EXPECT_EQ(error_after([](Simulation& s) {
              s.batcher.coalesce =
                  batchwright::coalesce_by<int>([](const RequestClass& one) { return one.lane; });
            }),
            "Simulation: batcher.coalesce must be unset (the classes say it), got a value");
  EXPECT_EQ(error_after([](Simulation& s) { s.batcher.overflow = OverflowAction::block; }),
            "Simulation: batcher.overflow must be reject or evict, got block");
  EXPECT_EQ(error_after(
                [](Simulation& s) { s.batcher.complete_on = [](batchwright::CompletionTask) {}; }),
            "Simulation: batcher.complete_on must be unset (there are no threads and no "
            "callbacks), got a value");
}

TEST(Simulation, EachPartIsChecked) {
  EXPECT_EQ(error_after([](Simulation& s) { s.arrivals = PoissonArrivals{.rate_hz = -1}; }),
            "Simulation: PoissonArrivals::rate_hz must be above 0 and at most 1e9, got -1");
  EXPECT_EQ(error_after([](Simulation& s) { s.classes = {{.proportion = -1}}; }),
            "Simulation: classes[0].proportion must be above 0 and at most 1e12, got -1");
  EXPECT_EQ(error_after([](Simulation& s) { s.classes = {{.keys = 1'000'001}}; }),
            "Simulation: classes[0].keys must be from 0 to 1000000, got 1000001");
  EXPECT_EQ(error_after([](Simulation& s) { s.service.curve = nullptr; }),
            "Simulation: service.curve must be callable, got none");
  EXPECT_EQ(error_after([](Simulation& s) { s.requests = 0; }),
            "Simulation: requests must be from 1 to 1000000000, got 0");
  EXPECT_EQ(error_after([](Simulation& s) { s.warm_up = 1; }),
            "Simulation: warm_up must be from 0 to 0.99, got 1");
  EXPECT_EQ(error_after([](Simulation& s) { s.objective = 0ns; }),
            "Simulation: objective must be above 0 ns, got 0 ns");
  EXPECT_EQ(error_after([](Simulation&) {}), "no error");
}

TEST(Simulation, HasNoMoreRequestsThanItsTrace) {
  Simulation simulation = good();
  simulation.arrivals = TraceArrivals{.instants = {0s, 1s, 2s, 3s}};
  simulation.warm_up = 0.5;
  const SimulationResult result = simulate(simulation);
  EXPECT_EQ(result.outcomes.total(), 2u);
  EXPECT_EQ(result.window, 1s);
}

TEST(Simulation, TheExampleOfTheDocumentationRuns) {
  Simulation simulation{
      .arrivals = PoissonArrivals{.rate_hz = 3000},
      .service = {.curve = AffineCurve{.per_item = 144us, .fixed = 1887us},
                  .noise = LognormalNoise{.sigma = 0.1}},
      .batcher = {.max_batch_size = 32, .policy = HybridPolicy{.max_wait = 2ms}, .executors = 2},
      .requests = 20'000,
      .objective = 20ms};
  const SimulationResult result = simulate(simulation);
  EXPECT_LT(result.latency.p99, 20ms);
  EXPECT_NEAR(result.goodput_hz, 3000, 60);
  const Estimate p99 = estimate(replicate(simulation, 10), [](const SimulationResult& r) {
    return double(r.latency.p99.count());
  });
  EXPECT_NEAR(p99.mean, static_cast<double>(result.latency.p99.count()), 0.1 * p99.mean);
  EXPECT_GT(p99.half_width, 0);
}

TEST(Simulation, ReplicationsDifferAndFollowFromTheSeed) {
  EXPECT_THROW(replicate(good(), 0), std::invalid_argument);
  const auto results = replicate(good(), 3);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_NE(results[0], results[1]);
  EXPECT_NE(results[1], results[2]);
  EXPECT_EQ(results, replicate(good(), 3));
}

}  // namespace
