// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"
#include "../support/shell.hpp"

#include <batchwright/policies/hybrid.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::HybridPolicy;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::view_of;

TEST(HybridPolicy, WaitsForWhateverComesFirst) {
  const HybridPolicy policy{.size = 8, .max_wait = 5ms};
  expect_wait(policy.decide(view_of(7, 4ms)), kOldest + 5ms, 8);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(9)), 8, ReleaseReason::size);
}

TEST(HybridPolicy, DefaultsAreTheCapAndTwoMilliseconds) {
  expect_wait(HybridPolicy().decide(view_of(31)), kOldest + 2ms, 32);
  expect_release(HybridPolicy().decide(view_of(32)), 32, ReleaseReason::size);
}

TEST(HybridPolicy, RefusesWhatDoesNotFitTheBatcher) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(HybridPolicy().validate(limits), "");
  EXPECT_EQ((HybridPolicy{.size = 33, .max_wait = 2s}.validate(limits)),
            "HybridPolicy::size must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ((HybridPolicy{.size = 32, .max_wait = 2s}.validate(limits)),
            "HybridPolicy::max_wait must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "2000000000 ns");
}

TEST(HybridPolicy, LeavesAtTheSizeBeforeTheWindowAndAtTheWindowBeforeTheSize) {
  TestRuntime runtime({.seed = 6});
  Calls calls;
  TestBatcher<int, int, HybridPolicy> batcher(doubler(runtime, calls),
                                              {.policy = {.size = 2, .max_wait = 5ms}}, runtime);
  auto first = batcher.submit(1);
  EXPECT_EQ(runtime.advance(4ms), 0u);
  auto second = batcher.submit(2);
  runtime.settle();
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{2}));
  auto third = batcher.submit(3);
  // The dispatcher has slept through the second one, and wakes once more for the window of the first.
  runtime.advance(5ms - 1ns);
  EXPECT_EQ(calls.count(), 1u);
  runtime.advance(1ns);
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::size], 1u);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::time], 1u);
}

}  // namespace
