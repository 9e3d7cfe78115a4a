// SPDX-License-Identifier: MIT
#include "../../support/optimal_rule.hpp"
#include "../../support/queue_view.hpp"

#include <batchwright/policies/extra/control_limit.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::control_limit;
using batchwright::ControlLimitPolicy;
using batchwright::kNever;
using batchwright::PolicyLimits;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright_test::DispatchProblem;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::view_of;

TEST(ControlLimitPolicy, ReleasesEverythingFromTheLimitOn) {
  const ControlLimitPolicy policy{.limits = {5}};
  expect_wait(policy.decide(view_of(4, 1h)), kNever, 5);
  expect_release(policy.decide(view_of(5)), 5, ReleaseReason::size);
  expect_release(policy.decide(view_of(40)), 40, ReleaseReason::size);
  expect_release(policy.decide(view_of(3, {}, 3)), 3, ReleaseReason::size);
}

TEST(ControlLimitPolicy, TheLimitDependsOnTheFreeExecutorsAndTheLastHoldsForMore) {
  const ControlLimitPolicy policy{.limits = {2, 6}};
  QueueView view = view_of(4);
  expect_release(policy.decide(view), 4, ReleaseReason::size);
  view.free_executors = 2;
  expect_wait(policy.decide(view), kNever, 6);
  view.free_executors = 9;
  expect_wait(policy.decide(view), kNever, 6);
}

TEST(ControlLimitPolicy, RefusesLimitsThatCannotBeReached) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(ControlLimitPolicy().validate(limits), "");
  EXPECT_EQ(ControlLimitPolicy{.limits = {}}.validate(limits),
            "ControlLimitPolicy::limits must be at least one, got none");
  EXPECT_EQ((ControlLimitPolicy{.limits = {1, 33}}.validate(limits)),
            "ControlLimitPolicy::limits[1] must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ((ControlLimitPolicy{.limits = {0}}.validate(limits)),
            "ControlLimitPolicy::limits[0] must be from 1 to max_batch_size (32), got 0");
}

constexpr double kCapRate = 32 / (0.1438 * 32 + 1.8874) * 1000;

// The formula finds what the solved decision process has as its best rule.
TEST(ControlLimitPolicy, TheFormulaGivesTheLimitsOfTheOptimum) {
  for (const double load : {0.3, 0.5, 0.7}) {
    const DispatchProblem problem(
        {.rate = load * kCapRate / 1000,
         .time = [](std::size_t size) { return 1.8874 + 0.1438 * double(size); },
         .states = 200});
    const DispatchProblem::Solution solution = problem.solve();
    std::size_t least = 1;
    while (solution.rule[least] == 0) ++least;
    EXPECT_EQ(control_limit(load * kCapRate, 143'800ns, 1'887'400ns), least) << load;
  }
  EXPECT_EQ(control_limit(0.9 * kCapRate, 143'800ns, 1'887'400ns), 5u);
  EXPECT_EQ(control_limit(0.5 * 8 / 5.4 * 1000, 50us, 5ms), 3u);
  EXPECT_EQ(control_limit(1, 1ms, 1ms), 1u) << "at low rates nobody is waited for";
}

TEST(ControlLimitPolicy, ReachesTheOptimalMeanLatency) {
  const double rate = 0.3 * kCapRate;
  const auto results = replicate(
      BasicSimulation<ControlLimitPolicy>{
          .arrivals = PoissonArrivals{.rate_hz = rate},
          .service = {.curve = AffineCurve{.per_item = 143'800ns, .fixed = 1'887'400ns}},
          .batcher = {.policy = {.limits = {control_limit(rate, 143'800ns, 1'887'400ns)}}},
          .requests = 60'000},
      8);
  const Estimate mean = estimate(
      results, [](const SimulationResult& result) { return result.latency.mean_ns / 1e6; });
  EXPECT_NEAR(mean.mean, 3.73781, 3 * mean.standard_error);
  EXPECT_LE(3 * mean.standard_error, 0.01 * mean.mean);
}

}  // namespace
