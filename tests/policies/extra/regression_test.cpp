// SPDX-License-Identifier: MIT
#include "../../support/queue_view.hpp"

#include <batchwright/policies/extra/regression.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::PolicyLimits;
using batchwright::QueueView;
using batchwright::RegressionPolicy;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::view_of;

BatchReport report_of(std::size_t size, Duration wait, Duration service, TimePoint at = kOldest) {
  return {.size = size,
          .oldest = at - wait - service,
          .dispatched = at - service,
          .started = at - service,
          .finished = at};
}

// Has seen batches of 2, 4 and 6 that took 3 ms and one for each item, after waits of 10 ms.
RegressionPolicy trained() {
  RegressionPolicy policy;
  for (const std::size_t size : {2u, 4u, 6u}) {
    policy.on_batch(report_of(size, 10ms, 3ms + size * 1ms));
  }
  return policy;
}

TEST(RegressionPolicy, GuessesByTheLatencyAtFirst) {
  const RegressionPolicy policy{.max_latency = 3s};
  EXPECT_DOUBLE_EQ(policy.per_item_ns(), 0.2e9);
  EXPECT_DOUBLE_EQ(policy.fixed_ns(), 0.1e9);
  EXPECT_EQ(RegressionPolicy{.max_latency = 1h}.per_item_ns(), 2e9);
  EXPECT_EQ(RegressionPolicy{.max_latency = 1h}.fixed_ns(), 1e9);
}

TEST(RegressionPolicy, TheFirstBatchesHoldAtMostOneTwoAndThree) {
  RegressionPolicy policy;
  for (const std::size_t size : {1u, 2u, 3u}) {
    expect_release(policy.decide(view_of(20)), size, ReleaseReason::size);
    policy.on_batch(report_of(size, 0ms, 5ms));
  }
  expect_release(policy.decide(view_of(20)), 20, ReleaseReason::greedy);
}

TEST(RegressionPolicy, FitsTheLineAndTheMeanWait) {
  const RegressionPolicy policy = trained();
  EXPECT_NEAR(policy.per_item_ns(), 1e6, 1);
  EXPECT_NEAR(policy.fixed_ns(), 3e6, 1);
  EXPECT_NEAR(policy.wait_ns(), 10e6, 1);
}

TEST(RegressionPolicy, OfBatchesOfOneSizeTakesTheShortestSolution) {
  RegressionPolicy policy;
  for (int i = 0; i < 3; ++i) policy.on_batch(report_of(2, 1ms, 10ms));
  EXPECT_NEAR(policy.per_item_ns(), 4e6, 1);
  EXPECT_NEAR(policy.fixed_ns(), 2e6, 1);
}

TEST(RegressionPolicy, KeepsTheSlopeAndTheFixedTimeWithinTheirBounds) {
  RegressionPolicy falling;
  for (const std::size_t size : {1u, 2u, 3u})
    falling.on_batch(report_of(size, 1ms, 9ms - size * 1ms));
  EXPECT_EQ(falling.per_item_ns(), 1000);
  RegressionPolicy steep;
  for (const std::size_t size : {1u, 2u, 3u})
    steep.on_batch(report_of(size, 1ms, size * 10ms - 5ms));
  EXPECT_EQ(steep.fixed_ns(), 0);
}

TEST(RegressionPolicy, FitsAnewEveryFiveSecondsAndRemembersFiftyBatches) {
  RegressionPolicy policy = trained();
  for (int i = 0; i < 49; ++i) policy.on_batch(report_of(4, 20ms, 7ms, kOldest + 5s - 1ns));
  EXPECT_NEAR(policy.wait_ns(), 10e6, 1) << "not yet";
  policy.on_batch(report_of(4, 20ms, 7ms, kOldest + 5s));
  EXPECT_NEAR(policy.wait_ns(), 20e6, 1) << "the first three are forgotten";
}

// n (w + 1 ms + a) <= 0.95 W with a = 1 ms and W = 10 ms: until w = 9.5 / n - 2 ms.
TEST(RegressionPolicy, WaitsForOneMoreWhileThatCostsLessThanTheMeanWait) {
  const RegressionPolicy policy = trained();
  QueueView view = view_of(2);
  expect_wait(policy.decide(view), kOldest + 2750us, 3);
  view.now += 2750us;
  expect_release(policy.decide(view), 2, ReleaseReason::greedy);
  view.newest += 1ms;  // A newer one starts the wait again.
  expect_wait(policy.decide(view), kOldest + 3750us, 3);
  expect_release(policy.decide(view_of(5)), 5, ReleaseReason::greedy);
  expect_release(policy.decide(view_of(40)), 32, ReleaseReason::size);
}

TEST(RegressionPolicy, LearnsNothingFromAFailedBatch) {
  RegressionPolicy policy;
  BatchReport failed = report_of(5, 1ms, 1ms);
  failed.failed = true;
  policy.on_batch(failed);
  expect_release(policy.decide(view_of(20)), 1, ReleaseReason::size);
}

TEST(RegressionPolicy, RefusesSettingsThatCannotWork) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(RegressionPolicy().validate(limits), "");
  EXPECT_EQ(RegressionPolicy{.max_latency = 0ns}.validate(limits),
            "RegressionPolicy::max_latency must be above 0, got 0 ns");
  EXPECT_EQ(RegressionPolicy{.tick = -1ns}.validate(limits),
            "RegressionPolicy::tick must be at least 0, got -1 ns");
  EXPECT_EQ(RegressionPolicy{.refresh = -1ns}.validate(limits),
            "RegressionPolicy::refresh must be at least 0, got -1 ns");
}

// At half of what full batches can take its mean is within 5 % of that of GreedyPolicy.
TEST(RegressionPolicy, IsCloseToGreedyUnderRandomArrivals) {
  const auto mean = [](auto policy) {
    return simulate(
               BasicSimulation<decltype(policy)>{
                   .arrivals = PoissonArrivals{.rate_hz = 2466},
                   .service = {.curve = AffineCurve{.per_item = 143'800ns, .fixed = 1'887'400ns}},
                   .batcher = {.policy = policy},
                   .requests = 100'000})
        .latency.mean_ns;
  };
  const double greedy = mean(batchwright::GreedyPolicy{});
  EXPECT_NEAR(mean(RegressionPolicy{}), greedy, 0.05 * greedy);
}

}  // namespace
