// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"
#include "../support/shell.hpp"

#include <batchwright/policies/any.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/policies/size.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::AnyPolicy;
using batchwright::ArrivalReport;
using batchwright::BatchingPolicy;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::HybridPolicy;
using batchwright::PolicyLimits;
using batchwright::PolicyNeeds;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::SizePolicy;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::view_of;

// Releases one more than it has been told of.
struct Counting {
  std::size_t batches = 0;
  std::size_t arrivals = 0;
  Decision decide(const QueueView&) const noexcept {
    return Decision::release(1 + 10 * batches + arrivals, ReleaseReason::deadline);
  }
  void on_batch(const BatchReport&) noexcept { ++batches; }
  void on_arrivals(const ArrivalReport& report) noexcept { arrivals += report.count; }
  PolicyNeeds needs() const noexcept { return {.service = true}; }
  std::string validate(const PolicyLimits& limits) const {
    if (limits.max_batch_size >= 8) return "";
    return "Counting: cap " + std::to_string(limits.max_batch_size);
  }
};

static_assert(std::is_convertible_v<HybridPolicy, AnyPolicy>);
static_assert(std::is_nothrow_move_constructible_v<AnyPolicy>);
static_assert(!std::is_constructible_v<AnyPolicy, int>);

std::size_t size_of(AnyPolicy& policy) { return policy.decide(view_of(1)).size(); }

TEST(AnyPolicy, IsGreedyUnlessGivenAPolicy) {
  AnyPolicy policy;
  expect_release(policy.decide(view_of(3)), 3, ReleaseReason::greedy);
}

TEST(AnyPolicy, DecidesAsThePolicyItHolds) {
  AnyPolicy policy = HybridPolicy{.size = 8, .max_wait = 5ms};
  expect_wait(policy.decide(view_of(7)), kOldest + 5ms, 8);
  policy = SizePolicy{.size = 2};
  expect_release(policy.decide(view_of(7)), 2, ReleaseReason::size);
}

TEST(AnyPolicy, PassesEverythingThrough) {
  AnyPolicy policy = Counting();
  EXPECT_EQ(size_of(policy), 1u);
  policy.on_arrivals({.count = 3});
  EXPECT_EQ(size_of(policy), 4u);
  policy.on_batch({});
  EXPECT_EQ(size_of(policy), 14u);
  EXPECT_TRUE(policy.needs().service);
  EXPECT_FALSE(policy.needs().arrivals);
  EXPECT_TRUE(policy.needs().every_look);
  EXPECT_EQ(policy.validate({.max_batch_size = 7}), "Counting: cap 7");
}

TEST(AnyPolicy, LeavesOutWhatThePolicyDoesNotHave) {
  AnyPolicy policy;
  policy.on_arrivals({.count = 3});
  policy.on_batch({});
  EXPECT_FALSE(policy.needs().service);
  EXPECT_FALSE(policy.needs().every_look);  // The one it holds decides by the lane alone.
  EXPECT_EQ(policy.validate({}), "");
}

TEST(AnyPolicy, CopiesAreIndependent) {
  AnyPolicy policy = Counting();
  policy.on_batch({});
  AnyPolicy copy = policy;
  policy.on_batch({});
  EXPECT_EQ(size_of(copy), 11u);
  EXPECT_EQ(size_of(policy), 21u);
  copy.on_arrivals({.count = 5});
  EXPECT_EQ(size_of(copy), 16u);
  EXPECT_EQ(size_of(policy), 21u);
  policy = copy;
  copy.on_batch({});
  EXPECT_EQ(size_of(policy), 16u);
}

TEST(AnyPolicy, CanBeAssignedToItself) {
  AnyPolicy policy = Counting{.batches = 2};
  const AnyPolicy& same = policy;
  policy = same;
  EXPECT_EQ(size_of(policy), 21u);
}

TEST(AnyPolicy, AMovedFromOneTakesAnotherPolicy) {
  AnyPolicy policy = Counting{.batches = 2};
  AnyPolicy moved = std::move(policy);
  EXPECT_EQ(size_of(moved), 21u);
  policy = moved;
  EXPECT_EQ(size_of(policy), 21u);
}

TEST(AnyPolicy, IsToldOfBatchesAndArrivalsByTheBatcher) {
  batchwright_test::TestRuntime runtime({.seed = 9});
  batchwright_test::Calls calls;
  batchwright_test::TestBatcher<int, int, AnyPolicy> batcher(
      batchwright_test::doubler(runtime, calls), {.policy = Counting()}, runtime);
  auto first = batcher.submit(1);
  EXPECT_EQ(runtime.get(first), 2);
  runtime.settle();
  batcher.pause();
  auto rest = batcher.submit_many(std::vector<int>(40));
  batcher.resume();
  runtime.settle();
  // 1 + 1 arrival at first; then 1 + 41 arrivals + 10 for the batch, cut by the cap.
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{1, 32, 8}));
}

}  // namespace
