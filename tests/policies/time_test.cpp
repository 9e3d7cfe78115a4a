// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"
#include "../support/shell.hpp"

#include <batchwright/policies/time.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright::TimePolicy;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::view_of;

TEST(TimePolicy, WaitsFromTheArrivalOfTheOldest) {
  const TimePolicy policy{.max_wait = 5ms};
  expect_wait(policy.decide(view_of(1)), kOldest + 5ms);
  expect_wait(policy.decide(view_of(20, 3ms)), kOldest + 5ms);
  expect_wait(TimePolicy{.max_wait = Duration::max()}.decide(view_of(1)), kNever);
}

TEST(TimePolicy, WindowIsTwoMillisecondsUnlessSet) { EXPECT_EQ(TimePolicy().max_wait, 2ms); }

TEST(TimePolicy, RefusesAWindowLongerThanTheNet) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(TimePolicy{.max_wait = 1s}.validate(limits), "");
  EXPECT_EQ(TimePolicy{.max_wait = 0s}.validate(limits), "");
  EXPECT_EQ(TimePolicy{.max_wait = 1s + 1ns}.validate(limits),
            "TimePolicy::max_wait must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "1000000001 ns");
  EXPECT_EQ(TimePolicy{.max_wait = -1ns}.validate(limits),
            "TimePolicy::max_wait must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "-1 ns");
}

TEST(TimePolicy, DispatchesAPartialBatchExactlyAtTheWindowsEnd) {
  TestRuntime runtime({.seed = 2});
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime, calls), {.max_batch_size = 4, .policy = {.max_wait = 5ms}}, runtime);
  auto first = batcher.submit(1);
  EXPECT_EQ(runtime.advance(3ms), 0u);
  auto second = batcher.submit(2);
  EXPECT_EQ(runtime.advance(2ms - 1ns), 0u);
  EXPECT_EQ(calls.count(), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_EQ(runtime.get(first), 2);
  EXPECT_EQ(runtime.get(second), 4);
  EXPECT_EQ(calls.count(), 1u);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::time], 1u);
}

TEST(TimePolicy, AFullBatchLeavesAtOnce) {
  TestRuntime runtime({.seed = 2});
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime, calls), {.max_batch_size = 4, .policy = {.max_wait = 5ms}}, runtime);
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4});
  EXPECT_EQ(runtime.advance(0ms), 0u);
  EXPECT_EQ(calls.count(), 1u);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::size], 1u);
}

}  // namespace
