// SPDX-License-Identifier: MIT
#include <batchwright/simulation/tuner.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AnyPolicy;
using batchwright::Duration;
using batchwright::parse_policy;
using batchwright::PolicyLimits;

Simulation v100(AnyArrivals arrivals, std::size_t executors = 1) {
  return {.arrivals = std::move(arrivals),
          .service = {.curve = AffineCurve{.per_item = 143'800ns, .fixed = 1'887'400ns}},
          .batcher = {.executors = executors},
          .requests = 20'000};
}

bool names(const std::vector<std::string>& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& one) {
    return one == name || one.starts_with(name + ":");
  });
}

TEST(TuningCandidates, AreAllValidForTheBatcherAndNamedOnce) {
  Simulation simulation = v100(PoissonArrivals{.rate_hz = 1000});
  simulation.classes = {{.deadline = 20ms}};
  for (const std::size_t cap : {1u, 2u, 24u, 32u}) {
    simulation.batcher.max_batch_size = cap;
    std::vector<std::string> all = tuning_candidates(simulation, 8);
    for (const std::string& name : all) {
      EXPECT_EQ(parse_policy(name).validate(PolicyLimits{.max_batch_size = cap, .max_wait = 1s}),
                "")
          << name;
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  }
}

TEST(TuningCandidates, LookAtDeadlinesAndClientsOnlyWhereThereAreSuch) {
  Simulation simulation = v100(PoissonArrivals{.rate_hz = 1000});
  const std::vector<std::string> plain = tuning_candidates(simulation);
  EXPECT_TRUE(names(plain, "greedy"));
  EXPECT_TRUE(names(plain, "hybrid"));
  EXPECT_FALSE(names(plain, "deferred"));
  EXPECT_FALSE(names(plain, "quorum"));
  simulation.classes = {{.deadline = 20ms}};
  const std::vector<std::string> all = tuning_candidates(simulation, 8);
  EXPECT_TRUE(names(all, "deferred"));
  EXPECT_TRUE(names(all, "quorum"));
}

TEST(TuningCandidates, NoWaitIsLongerThanTheNet) {
  Simulation simulation = v100(PoissonArrivals{.rate_hz = 1000});
  simulation.batcher.max_wait = 1ms;
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1ms};
  const std::vector<std::string> all = tuning_candidates(simulation);
  EXPECT_TRUE(names(all, "time"));
  for (const std::string& name : all) {
    EXPECT_EQ(parse_policy(name).validate(limits), "") << name;
  }
}

TEST(TuningCandidates, NoSizeIsAboveTheLargestAllowedOne) {
  Simulation simulation = v100(PoissonArrivals{.rate_hz = 1000});
  simulation.batcher.allowed_sizes = {4, 8};
  for (const std::string& name : tuning_candidates(simulation)) {
    EXPECT_EQ(parse_policy(name).validate({.max_batch_size = 8, .max_wait = 1s}), "") << name;
  }
  EXPECT_FALSE(tune(simulation).empty());
}

TEST(Tuner, FindsTheControlLimitOfTheOptimum) {
  const std::vector<TunedPolicy> best = tune(v100(PoissonArrivals{.rate_hz = 1479.4}));
  ASSERT_FALSE(best.empty());
  // Two is the optimum's limit at this load, and greedy is 0.35 % worse.
  EXPECT_EQ(best.front().name, "control_limit:limits=2");
  EXPECT_NEAR(best.front().predicted.latency.mean_ns, 3.73781e6, 0.05e6);
}

TEST(Tuner, FindsTheQuorumForClientsWhoDoNotThink) {
  const std::vector<TunedPolicy> best = tune(v100(ClosedLoopArrivals{.clients = 24}),
                                             {.goal = TuningGoal::throughput, .clients = 24});
  // 24 / (t0 + 24 a); half batches, as greedy has them, give 24 / (2 t0 + 24 a).
  EXPECT_NEAR(best.front().predicted.throughput_hz, 1000 * 24 / (1.8874 + 0.1438 * 24), 10);
}

TEST(Tuner, FindsDeferralForTightDeadlinesOnSeveralExecutors) {
  Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 3000},
                        .classes = {{.deadline = 12ms}},
                        .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 5ms}},
                        .batcher = {.executors = 8},
                        .requests = 20'000,
                        .objective = 12ms};
  const std::vector<TunedPolicy> best = tune(simulation, {.goal = TuningGoal::goodput});
  EXPECT_GT(best.front().predicted.goodput_hz, 0.97 * best.front().predicted.offered_hz);
  simulation.batcher.policy = batchwright::GreedyPolicy{};
  EXPECT_LT(simulate(simulation).goodput_hz, 0.7 * best.front().predicted.goodput_hz);
}

TEST(Tuner, UnderOverloadFindsThePolicyThatGivesUpOnSomeForTheObjective) {
  Simulation simulation = v100(PoissonArrivals{.rate_hz = 7400});  // Full batches answer 4,931.
  simulation.objective = 20ms;
  const std::vector<TunedPolicy> best = tune(simulation, {.goal = TuningGoal::goodput});
  EXPECT_EQ(best.front().name, "auto:objective_ms=20");
  EXPECT_GT(best.front().predicted.goodput_hz, 0.8 * 4931);
}

TEST(Tuner, ReturnsTheFinalistsBestFirstWithFullPredictions) {
  const Simulation simulation = v100(PoissonArrivals{.rate_hz = 2000});
  const std::vector<TunedPolicy> best =
      tune(simulation, {.goal = TuningGoal::p99_latency, .finalists = 5});
  ASSERT_EQ(best.size(), 5u);
  for (std::size_t i = 1; i < best.size(); ++i) {
    EXPECT_LE(best[i - 1].predicted.latency.p99, best[i].predicted.latency.p99);
  }
  // The prediction is what a simulation of that policy gives.
  Simulation again = simulation;
  again.batcher.policy = best.front().policy;
  EXPECT_EQ(simulate(again), best.front().predicted);
}

TEST(Tuner, TriesOnlyWhatItIsGiven) {
  const std::vector<TunedPolicy> best =
      tune(v100(PoissonArrivals{.rate_hz = 500}),
           {.policies = {"time:max_wait_ms=5", "greedy", "hybrid:max_wait_ms=9"}});
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].name, "greedy");
  EXPECT_EQ(best[1].name, "time:max_wait_ms=5");
  EXPECT_EQ(best[2].name, "hybrid:max_wait_ms=9");
}

template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(Tuner, SaysWhatIsWrong) {
  const Simulation simulation = v100(PoissonArrivals{.rate_hz = 500});
  EXPECT_EQ(error_of([&] { tune(simulation, {.finalists = 0}); }),
            "Simulation: finalists must be at least 1, got 0");
  EXPECT_EQ(error_of([&] { tune(simulation, {.first_part = 0}); }),
            "Simulation: first_part must be from 0.001 to 1, got 0");
  EXPECT_NE(error_of([&] { tune(simulation, {.policies = {"gredy"}}); }).find("no 'gredy'"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { tune(Simulation{.arrivals = PoissonArrivals{}}); }),
            "Simulation: service.curve must be callable, got none");
  EXPECT_EQ(error_of([&] {
              tune(Simulation{.arrivals = PoissonArrivals{},
                              .service = {.curve = AffineCurve{.per_item = -1ms}}});
            }),
            "Simulation: service.curve(1) must be at least 0 ns, got -1000000 ns");
}

}  // namespace
