// SPDX-License-Identifier: MIT
#include "../../support/queue_view.hpp"

#include <batchwright/policies/extra/latency_fraction.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::LatencyFractionPolicy;
using batchwright::PolicyLimits;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::RunningBatch;
using batchwright::TimePoint;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::view_of;

BatchReport report_of(TimePoint dispatched, Duration service) {
  return {.dispatched = dispatched, .started = dispatched, .finished = dispatched + service};
}

TEST(LatencyFractionPolicy, WaitsFromIdleForItsOwnSpanOnly) {
  LatencyFractionPolicy policy;
  expect_wait(policy.decide(view_of(1)), kOldest + 500us);
  policy.on_batch(report_of(kOldest - 1ms - 1ns, 0ms));
  expect_wait(policy.decide(view_of(3)), kOldest + 500us);
}

TEST(LatencyFractionPolicy, WithinTheIntervalOfTheLastBatchWaitsForItsEnd) {
  LatencyFractionPolicy policy{.interval = 3ms, .last_release = kOldest - 1ms};
  expect_wait(policy.decide(view_of(3)), kOldest + 2ms);
  policy.last_release = kOldest - 3ms;
  expect_wait(policy.decide(view_of(3)), kOldest);
}

TEST(LatencyFractionPolicy, KnowsABatchThatIsStillBeingComputed) {
  LatencyFractionPolicy policy{.interval = 3ms, .last_release = kOldest - 1h};
  const std::vector<RunningBatch> running{{.dispatched = kOldest - 9ms},
                                          {.dispatched = kOldest - 1ms}};
  QueueView view = view_of(3);
  view.running = running;
  expect_wait(policy.decide(view), kOldest + 2ms);
}

TEST(LatencyFractionPolicy, AFullBatchLeaves) {
  LatencyFractionPolicy policy;
  expect_release(policy.decide(view_of(40)), 32, ReleaseReason::size);
}

TEST(LatencyFractionPolicy, TheIntervalIsTheSmoothedFractionWithinItsBounds) {
  LatencyFractionPolicy policy;
  policy.on_batch(report_of(kOldest, 50ms));  // From 1 ms a tenth of the way to a tenth of 50 ms.
  EXPECT_EQ(policy.interval, 1400us);
  policy.on_batch(report_of(kOldest, 50ms));
  EXPECT_EQ(policy.interval, 1760us);
  for (int i = 0; i < 200; ++i) policy.on_batch(report_of(kOldest, 50ms));
  EXPECT_NEAR(double(policy.interval.count()), 5e6, 100);
  for (int i = 0; i < 200; ++i) policy.on_batch(report_of(kOldest, 1s));
  EXPECT_EQ(policy.interval, 20ms);
  for (int i = 0; i < 200; ++i) policy.on_batch(report_of(kOldest, 0ms));
  EXPECT_EQ(policy.interval, 1ms);
}

TEST(LatencyFractionPolicy, RefusesSettingsThatCannotWork) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(LatencyFractionPolicy().validate(limits), "");
  EXPECT_EQ(LatencyFractionPolicy{.fraction = 0}.validate(limits),
            "LatencyFractionPolicy::fraction must be above 0 and at most 1, got 0.000000");
  EXPECT_EQ(LatencyFractionPolicy{.smoothing = 2}.validate(limits),
            "LatencyFractionPolicy::smoothing must be above 0 and at most 1, got 2.000000");
  EXPECT_EQ((LatencyFractionPolicy{.least = 3ms, .most = 2ms}.validate(limits)),
            "LatencyFractionPolicy::least must be from 0 to most (2000000 ns), got 3000000 ns");
  EXPECT_EQ(LatencyFractionPolicy{.most = 2s}.validate(limits),
            "LatencyFractionPolicy::most must be from 0 to the batcher's max_wait (1000000000 ns), "
            "got 2000000000 ns");
  EXPECT_EQ(LatencyFractionPolicy{.from_idle = -1ns}.validate(limits),
            "LatencyFractionPolicy::from_idle must be from 0 to the batcher's max_wait (1000000000 "
            "ns), got -1 ns");
}

template <class Policy>
SimulationResult run(Policy policy, std::size_t executors, double rate_hz) {
  return simulate(
      BasicSimulation<Policy>{.arrivals = PoissonArrivals{.rate_hz = rate_hz},
                              .service = {.curve = AffineCurve{.per_item = 100us, .fixed = 40ms}},
                              .batcher = {.policy = policy, .executors = executors},
                              .requests = 20'000});
}

TEST(LatencyFractionPolicy, WithAFreeExecutorBatchesLeaveATenthOfTheirTimeApart) {
  // Twenty executors are never all busy: a batch of b takes 40 ms + b / 10, and a batch leaves every
  // tenth of that.
  const SimulationResult result = run(LatencyFractionPolicy{}, 20, 4000);
  const double apart = static_cast<double>(result.window.count()) / double(result.batches);
  const double service = 40e6 + 0.1e6 * result.mean_batch_size();
  EXPECT_NEAR(apart, service / 10, 0.02 * service / 10);
}

TEST(LatencyFractionPolicy, ALoneRequestWaitsTheSpanFromIdleAndNoLonger) {
  const SimulationResult result = run(LatencyFractionPolicy{}, 1, 1);
  EXPECT_EQ(result.latency.p50, 40ms + 100us + 500us);
}

TEST(LatencyFractionPolicy, OnOneBusyExecutorIsGreedy) {
  const SimulationResult greedy = run(batchwright::GreedyPolicy{}, 1, 600);
  const SimulationResult result = run(LatencyFractionPolicy{}, 1, 600);
  EXPECT_NEAR(result.latency.mean_ns, greedy.latency.mean_ns, 0.001 * greedy.latency.mean_ns);
}

}  // namespace
