// SPDX-License-Identifier: MIT
#include "../../support/queued_requests.hpp"

#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::DeadlinePolicy;
using batchwright::GreedyPolicy;
using batchwright::kNever;
using batchwright::QueueOrder;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright_test::expect_release;
using batchwright_test::kOldest;
using batchwright_test::QueuedRequests;

std::vector<TimePoint> all_at(std::size_t count, TimePoint deadline) {
  return std::vector<TimePoint>(count, deadline);
}

TEST(DeadlinePolicy, TakesTheMostWithWhichTheHeadMeetsItsDeadline) {
  QueuedRequests queue = QueuedRequests::with_deadlines(all_at(20, kOldest + 20ms));
  queue.line(5ms, 1ms);
  const DeadlinePolicy policy;
  expect_release(policy.decide(queue.view(5ms)), 10, ReleaseReason::deadline);
  expect_release(policy.decide(queue.view(5ms + 1ns)), 9, ReleaseReason::deadline);
  expect_release(policy.decide(queue.view(14ms)), 1, ReleaseReason::deadline);
}

TEST(DeadlinePolicy, TakesAllThatIsQueuedWhereTheDeadlineAllowsIt) {
  QueuedRequests queue = QueuedRequests::with_deadlines(all_at(15, kOldest + 20ms));
  queue.line(5ms, 1ms);
  expect_release(DeadlinePolicy().decide(queue.view()), 15, ReleaseReason::greedy);
  expect_release(DeadlinePolicy().decide(queue.view({}, 15)), 15, ReleaseReason::size);
  expect_release(DeadlinePolicy().decide(queue.view({}, 8)), 8, ReleaseReason::size);
}

TEST(DeadlinePolicy, AddsTheDeviationsToTheMean) {
  QueuedRequests queue = QueuedRequests::with_deadlines(all_at(20, kOldest + 20ms));
  queue.line(5ms, 1ms, 2ms);
  expect_release(DeadlinePolicy{.deviations = 0}.decide(queue.view()), 15, ReleaseReason::deadline);
  expect_release(DeadlinePolicy().decide(queue.view()), 13, ReleaseReason::deadline);
  expect_release(DeadlinePolicy{.deviations = 3}.decide(queue.view()), 9, ReleaseReason::deadline);
}

TEST(DeadlinePolicy, WhatCannotBeMetRidesAlongWithTheFirstThatCan) {
  std::vector<TimePoint> deadlines = all_at(2, kOldest + 5ms);
  deadlines.resize(20, kOldest + 15ms);
  QueuedRequests queue = QueuedRequests::with_deadlines(deadlines);
  queue.line(5ms, 1ms);
  expect_release(DeadlinePolicy().decide(queue.view()), 10, ReleaseReason::deadline);
  // Seven milliseconds are left: two items, but it would take three to reach the first that can be met.
  expect_release(DeadlinePolicy().decide(queue.view(8ms)), 20, ReleaseReason::greedy);
}

TEST(DeadlinePolicy, CountsWeights) {
  QueuedRequests queue({{.deadline = kOldest + 12ms, .weight = 6}, {.weight = 8}, {.weight = 8}});
  queue.line(5ms, 1ms);
  expect_release(DeadlinePolicy().decide(queue.view()), 7, ReleaseReason::deadline);
  expect_release(DeadlinePolicy().decide(queue.view(1ms)), 6, ReleaseReason::deadline);
  expect_release(DeadlinePolicy().decide(queue.view(1ms + 1ns)), 22, ReleaseReason::greedy);
}

TEST(DeadlinePolicy, IsGreedyWithoutDeadlinesAndBeforeTheFirstBatch) {
  QueuedRequests queue = QueuedRequests::with_deadlines(all_at(20, kNever));
  expect_release(DeadlinePolicy().decide(queue.line(5ms, 1ms).view()), 20, ReleaseReason::greedy);
  QueuedRequests unknown = QueuedRequests::with_deadlines(all_at(20, kOldest + 1ms));
  expect_release(DeadlinePolicy().decide(unknown.view()), 20, ReleaseReason::greedy);
}

TEST(DeadlinePolicy, ChecksItsSetting) {
  EXPECT_EQ(DeadlinePolicy().validate({.max_batch_size = 32}), "");
  EXPECT_EQ(DeadlinePolicy{.deviations = 101}.validate({.max_batch_size = 32}),
            "DeadlinePolicy::deviations must be from 0 to 100, got 101.000000");
}

// l(b) = b + 5 ms, 25 ms to answer in.
template <class Policy>
SimulationResult run(Policy policy, std::size_t executors, const AnyArrivals& arrivals) {
  return simulate(BasicSimulation<Policy>{
      .arrivals = arrivals,
      .classes = {{.deadline = 25ms}},
      .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 5ms}},
      .batcher = {.policy = policy, .executors = executors, .order = QueueOrder::earliest_deadline},
      .requests = 40'000,
      .objective = 25ms});
}

double in_time(const SimulationResult& result) { return result.goodput_hz / result.offered_hz; }

TEST(DeadlinePolicy, OnSeveralExecutorsAnswersAllInTimeWhereGreedyDoesNot) {
  const PoissonArrivals half{.rate_hz = 4000};
  const SimulationResult result = run(DeadlinePolicy{}, 8, half);
  EXPECT_LE(result.latency.max, 25ms);
  EXPECT_LT(in_time(run(GreedyPolicy{}, 8, half)), 0.9);
}

TEST(DeadlinePolicy, OfAGroupThatComesAtOnceAnswersAPartInTimeInsteadOfNone) {
  const ClumpedArrivals groups{.rate_hz = 200, .mean_clump = 16};
  EXPECT_GT(in_time(run(DeadlinePolicy{}, 1, groups)),
            1.5 * in_time(run(GreedyPolicy{}, 1, groups)));
}

// What its comment warns of.
TEST(DeadlinePolicy, OnOneBusyExecutorUrgentHeadsKeepTheBatchesSmall) {
  const PoissonArrivals busy{.rate_hz = 500};
  EXPECT_LT(in_time(run(DeadlinePolicy{}, 1, busy)), in_time(run(GreedyPolicy{}, 1, busy)));
}

}  // namespace
