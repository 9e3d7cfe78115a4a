// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"
#include "../support/shell.hpp"

#include <batchwright/policies/adaptive.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/size.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::AdaptivePolicy;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::view_of;
using batchwright_test::work_for;

BatchReport report_of(Duration service, bool failed = false) {
  return {.oldest = kOldest - 1h,  // The wait in the queue does not count.
          .dispatched = kOldest,
          .started = kOldest + service / 2,
          .finished = kOldest + service,
          .failed = failed};
}

// A policy that has seen its cap and stands at `size`.
AdaptivePolicy policy_at(std::size_t size, std::size_t cap = 32) {
  AdaptivePolicy policy{.target_latency = 10ms, .current_size = size};
  static_cast<void>(policy.decide(view_of(1, {}, cap)));
  return policy;
}

std::size_t size_after(AdaptivePolicy policy, Duration service) {
  policy.on_batch(report_of(service));
  return policy.current_size;
}

TEST(AdaptivePolicy, BeginsAtOneStep) {
  AdaptivePolicy policy;
  EXPECT_EQ(policy.target_latency, 20ms);
  EXPECT_EQ(policy.step, 4u);
  expect_release(policy.decide(view_of(10)), 4, ReleaseReason::size);
  AdaptivePolicy small;
  expect_release(small.decide(view_of(10, {}, 3)), 3, ReleaseReason::size);
}

TEST(AdaptivePolicy, IsGreedyUpToItsSizeAndNeverWaits) {
  AdaptivePolicy policy = policy_at(8);
  expect_release(policy.decide(view_of(1)), 1, ReleaseReason::greedy);
  expect_release(policy.decide(view_of(7)), 7, ReleaseReason::greedy);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(30)), 8, ReleaseReason::size);
}

TEST(AdaptivePolicy, WaitsForItsSizeOnlyWithAWindow) {
  AdaptivePolicy policy = policy_at(8);
  policy.window = 3ms;
  expect_wait(policy.decide(view_of(7, 1ms)), kOldest + 3ms, 8);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
}

TEST(AdaptivePolicy, WaitsForNoMoreThanAWindowHasGathered) {
  AdaptivePolicy policy = policy_at(16);
  policy.window = 3ms;
  policy.on_batch({.size = 10, .oldest = kOldest - 3ms, .dispatched = kOldest, .failed = true});
  expect_wait(policy.decide(view_of(9, 1ms)), kOldest + 3ms, 10);
  expect_release(policy.decide(view_of(10)), 10, ReleaseReason::size);
  // More came by itself, so more is waited for.
  policy.on_batch({.size = 12, .oldest = kOldest, .dispatched = kOldest, .failed = true});
  expect_wait(policy.decide(view_of(12, 1ms)), kOldest + 3ms, 16);
}

// 64 clients, each of whom asks again when it has its answer, never fill a batch of 128.
TEST(AdaptivePolicy, AWindowThatTheClientsCannotFillCostsNextToNothing) {
  const auto throughput = [](auto policy, std::size_t max_batch) {
    return simulate(batchwright::simulation::BasicSimulation<decltype(policy)>{
                        .arrivals = batchwright::simulation::ClosedLoopArrivals{.clients = 64},
                        .service = {.curve = batchwright::simulation::AffineCurve{.per_item = 100ns,
                                                                                  .fixed = 10us}},
                        .batcher = {.max_batch_size = max_batch, .policy = policy},
                        .requests = 100'000})
        .throughput_hz;
  };
  EXPECT_GT(throughput(AdaptivePolicy{.window = 1ms}, 128),
            throughput(batchwright::GreedyPolicy{}, 128));
  EXPECT_GT(throughput(AdaptivePolicy{.window = 1ms}, 128),
            0.85 * throughput(batchwright::SizePolicy{64}, 64));
}

// Clients who come back one by one lose more by waiting for the last of them than larger batches give.
TEST(AdaptivePolicy, AWindowThatServesTheClientsLaterIsNotWaitedFor) {
  const auto throughput = [](auto policy) {
    return simulate(
               batchwright::simulation::BasicSimulation<decltype(policy)>{
                   .arrivals = batchwright::simulation::ClosedLoopArrivals{.clients = 64,
                                                                           .mean_think = 100us},
                   .service = {.curve = batchwright::simulation::AffineCurve{.per_item = 100ns,
                                                                             .fixed = 10us}},
                   .batcher = {.max_batch_size = 128, .policy = policy},
                   .requests = 300'000})
        .throughput_hz;
  };
  EXPECT_GT(throughput(AdaptivePolicy{.window = 1ms}),
            0.95 * throughput(batchwright::GreedyPolicy{}));
}

// At their own pace they are served as they come, and so the wait that was asked for stays.
TEST(AdaptivePolicy, AWindowIsKeptWhereItCostsNoThroughput) {
  const auto mean_batch = [](Duration window) {
    return simulate(batchwright::simulation::BasicSimulation<AdaptivePolicy>{
                        .arrivals = batchwright::simulation::PoissonArrivals{.rate_hz = 20'000},
                        .service = {.curve = batchwright::simulation::AffineCurve{.per_item = 1us,
                                                                                  .fixed = 20us}},
                        .batcher = {.max_batch_size = 64, .policy = {.window = window}},
                        .requests = 300'000})
        .mean_batch_size();
  };
  EXPECT_LT(mean_batch(0ms), 2);
  EXPECT_GT(mean_batch(1ms), 5);
}

TEST(AdaptivePolicy, FallsByAStepAboveOnePointOneTimesTheTarget) {
  EXPECT_EQ(size_after(policy_at(16), 11ms + 1ns), 12u);
  EXPECT_EQ(size_after(policy_at(16), 1s), 12u);
}

TEST(AdaptivePolicy, RisesByAStepBelowNineTenthsOfTheTarget) {
  EXPECT_EQ(size_after(policy_at(16), 9ms - 1ns), 20u);
  EXPECT_EQ(size_after(policy_at(16), 0ns), 20u);
}

TEST(AdaptivePolicy, StaysBetweenTheTwoBoundsIncluded) {
  EXPECT_EQ(size_after(policy_at(16), 9ms), 16u);
  EXPECT_EQ(size_after(policy_at(16), 10ms), 16u);
  EXPECT_EQ(size_after(policy_at(16), 11ms), 16u);
}

TEST(AdaptivePolicy, StaysWithinOneAndTheCap) {
  EXPECT_EQ(size_after(policy_at(5), 1s), 1u);
  EXPECT_EQ(size_after(policy_at(4), 1s), 1u);
  EXPECT_EQ(size_after(policy_at(3), 1s), 1u);
  EXPECT_EQ(size_after(policy_at(1), 1s), 1u);
  EXPECT_EQ(size_after(policy_at(28), 0ns), 32u);
  EXPECT_EQ(size_after(policy_at(30), 0ns), 32u);
  EXPECT_EQ(size_after(policy_at(32), 0ns), 32u);
  EXPECT_EQ(size_after(policy_at(4, 6), 0ns), 6u);
}

TEST(AdaptivePolicy, LearnsNothingFromAFailedBatch) {
  AdaptivePolicy policy = policy_at(16);
  policy.on_batch(report_of(1s, true));
  policy.on_batch(report_of(0ns, true));
  EXPECT_EQ(policy.current_size, 16u);
}

TEST(AdaptivePolicy, RefusesSettingsThatCannotWork) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(AdaptivePolicy().validate(limits), "");
  EXPECT_EQ(AdaptivePolicy{.target_latency = 0ns}.validate(limits),
            "AdaptivePolicy::target_latency must be above 0, got 0 ns");
  EXPECT_EQ(AdaptivePolicy{.target_latency = -3ns}.validate(limits),
            "AdaptivePolicy::target_latency must be above 0, got -3 ns");
  EXPECT_EQ(AdaptivePolicy{.step = 0}.validate(limits),
            "AdaptivePolicy::step must be from 1 to max_batch_size (32), got 0");
  EXPECT_EQ(AdaptivePolicy{.step = 33}.validate(limits),
            "AdaptivePolicy::step must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ(AdaptivePolicy{.window = 2s}.validate(limits),
            "AdaptivePolicy::window must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "2000000000 ns");
}

// One millisecond an item: 10 ms are met by 10 items. Steps of four from four reach 8, and 8 ms is
// below 9 ms, so 12, which is above 11 ms, so 8 again.
TEST(AdaptivePolicy, SettlesAroundTheSizeThatMeetsTheTarget) {
  TestRuntime runtime({.seed = 8, .time = batchwright::testing::TimeMode::automatic});
  std::vector<std::size_t> sizes;
  TestBatcher<int, int, AdaptivePolicy> batcher(
      [&](std::span<const int> inputs) {
        sizes.push_back(inputs.size());
        work_for(runtime, inputs.size() * 1ms);
        return std::vector<int>(inputs.begin(), inputs.end());
      },
      {.policy = {.target_latency = 10ms}}, runtime);
  batcher.pause();
  std::vector<std::future<int>> futures = batcher.submit_many(std::vector<int>(60));
  batcher.resume();
  for (auto& future : futures) runtime.get(future);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 8, 12, 8, 12, 8, 8}));
}

}  // namespace
