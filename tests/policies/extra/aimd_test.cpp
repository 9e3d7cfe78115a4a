// SPDX-License-Identifier: MIT
#include "../../support/queue_view.hpp"

#include <batchwright/policies/extra/aimd.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AimdPolicy;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::view_of;

BatchReport report_of(std::size_t size, Duration service, bool failed = false) {
  return {.size = size,
          .dispatched = kOldest,
          .started = kOldest,
          .finished = kOldest + service,
          .failed = failed};
}

AimdPolicy policy_at(double size) {
  AimdPolicy policy{.target_latency = 10ms, .size = size};
  static_cast<void>(policy.decide(view_of(1)));
  return policy;
}

double size_after(AimdPolicy policy, std::size_t batch, Duration service, bool failed = false) {
  policy.on_batch(report_of(batch, service, failed));
  return policy.size;
}

TEST(AimdPolicy, IsGreedyUpToTheWholePartOfItsSize) {
  AimdPolicy policy = policy_at(8.9);
  expect_release(policy.decide(view_of(1)), 1, ReleaseReason::greedy);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(30)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(30, {}, 4)), 4, ReleaseReason::size);
}

TEST(AimdPolicy, WaitsForItsSizeOnlyWithAWindow) {
  AimdPolicy policy = policy_at(8);
  policy.window = 3ms;
  expect_wait(policy.decide(view_of(7, 1ms)), kOldest + 3ms, 8);
}

TEST(AimdPolicy, RisesByTheIncreaseAfterAFullBatchWithinTheTarget) {
  EXPECT_EQ(size_after(policy_at(8), 8, 10ms), 9);
  EXPECT_EQ(size_after(policy_at(32), 32, 1ms), 32) << "never above the cap";
  EXPECT_EQ(size_after(policy_at(31.5), 31, 1ms), 32);
}

TEST(AimdPolicy, ABatchThatWasNotFullDoesNotRaiseIt) {
  EXPECT_EQ(size_after(policy_at(8), 7, 1ms), 8);
}

TEST(AimdPolicy, FallsToATenthLessAboveTheTarget) {
  EXPECT_DOUBLE_EQ(size_after(policy_at(8), 8, 10ms + 1ns), 7.2);
  EXPECT_DOUBLE_EQ(size_after(policy_at(8), 3, 1s), 7.2);
  EXPECT_EQ(size_after(policy_at(1.05), 1, 1s), 1) << "never below one";
}

TEST(AimdPolicy, LearnsNothingFromAFailedBatch) {
  EXPECT_EQ(size_after(policy_at(8), 8, 1s, true), 8);
  EXPECT_EQ(size_after(policy_at(8), 8, 1ms, true), 8);
}

TEST(AimdPolicy, RefusesSettingsThatCannotWork) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(AimdPolicy().validate(limits), "");
  EXPECT_EQ(AimdPolicy{.target_latency = 0ns}.validate(limits),
            "AimdPolicy::target_latency must be above 0, got 0 ns");
  EXPECT_EQ(AimdPolicy{.increase = 0}.validate(limits),
            "AimdPolicy::increase must be above 0 and at most 1000000, got 0.000000");
  EXPECT_EQ(AimdPolicy{.decrease = 1}.validate(limits),
            "AimdPolicy::decrease must be above 0 and below 1, got 1.000000");
  EXPECT_EQ(AimdPolicy{.size = 33}.validate(limits),
            "AimdPolicy::size must be from 1 to max_batch_size (32), got 33.000000");
  EXPECT_EQ(AimdPolicy{.window = 2s}.validate(limits),
            "AimdPolicy::window must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "2000000000 ns");
}

struct Sizes {
  std::vector<std::size_t> sizes;
  void on_batch(const batchwright::BatchReport& report) { sizes.push_back(report.size); }
};

// l(b) = b ms and 20 ms: b = 20. One more is one too many, so the size falls from 21 to 18.9 and rises
// by one batch at a time: 18, 19, 20, and 21.9 = 21 again.
TEST(AimdPolicy, UnderSaturationIsTheSawtoothBetweenNineTenthsAndTheTarget) {
  Sizes seen;
  simulate(
      BasicSimulation<AimdPolicy>{.arrivals = PoissonArrivals{.rate_hz = 2000},
                                  .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 0ms}},
                                  .batcher = {.policy = {.target_latency = 20ms}, .capacity = 100},
                                  .requests = 20'000},
      seen);
  ASSERT_GT(seen.sizes.size(), 200u);
  const std::vector<std::size_t> tail(seen.sizes.end() - 100, seen.sizes.end() - 1);
  const auto [least, most] = std::minmax_element(tail.begin(), tail.end());
  EXPECT_EQ(*most, 21u);
  EXPECT_EQ(*least, 18u);
}

}  // namespace
