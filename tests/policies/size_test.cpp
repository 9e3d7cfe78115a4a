// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"
#include "../support/shell.hpp"

#include <batchwright/policies/size.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::kNever;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright::SizePolicy;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::view_of;

TEST(SizePolicy, WaitsForItsSizeAndNothingElse) {
  const SizePolicy policy{.size = 8};
  expect_wait(policy.decide(view_of(7, 1h)), kNever, 8);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(20)), 8, ReleaseReason::size);
}

TEST(SizePolicy, SizeIsTheCapUnlessSet) {
  expect_wait(SizePolicy().decide(view_of(31)), kNever, 32);
  expect_release(SizePolicy().decide(view_of(32)), 32, ReleaseReason::size);
}

TEST(SizePolicy, RefusesASizeAboveTheCapAndZero) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(SizePolicy().validate(limits), "");
  EXPECT_EQ(SizePolicy{.size = 1}.validate(limits), "");
  EXPECT_EQ(SizePolicy{.size = 32}.validate(limits), "");
  EXPECT_EQ(SizePolicy{.size = 33}.validate(limits),
            "SizePolicy::size must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ(SizePolicy{.size = 0}.validate(limits),
            "SizePolicy::size must be from 1 to max_batch_size (32), got 0");
}

TEST(SizePolicy, APartialBatchIsCaughtByTheNetExactlyAtItsEnd) {
  TestRuntime runtime({.seed = 4});
  Calls calls;
  TestBatcher<int, int, SizePolicy> batcher(doubler(runtime, calls), {.policy = {.size = 3}},
                                            runtime);
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4});
  runtime.settle();
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{3}));
  EXPECT_EQ(runtime.advance(1s - 1ns), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::size], 1u);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::net], 1u);
}

TEST(SizePolicy, FlushEndsTheWait) {
  TestRuntime runtime({.seed = 4});
  Calls calls;
  TestBatcher<int, int, SizePolicy> batcher(doubler(runtime, calls), {.policy = {.size = 3}},
                                            runtime);
  auto future = batcher.submit(1);
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  batcher.flush();
  EXPECT_EQ(runtime.get(future), 2);
  EXPECT_EQ(runtime.elapsed(), 0s);
}

}  // namespace
