// SPDX-License-Identifier: MIT
#include "../../support/queued_requests.hpp"

#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/policies/extra/early_drop.hpp>
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
using batchwright::EarlyDropPolicy;
using batchwright::GreedyPolicy;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright_test::expect_release;
using batchwright_test::kOldest;
using batchwright_test::QueuedRequests;

// Deadlines from 10 ms on, each 1 ms after the one before; l(b) = 5 + b ms.
QueuedRequests ascending(std::size_t count) {
  std::vector<TimePoint> deadlines;
  for (std::size_t i = 0; i < count; ++i) deadlines.push_back(kOldest + 10ms + i * 1ms);
  QueuedRequests queue = QueuedRequests::with_deadlines(deadlines);
  queue.line(5ms, 1ms);
  return queue;
}

TEST(EarlyDropPolicy, LeavesAsAWindowWhoseFirstOneIsInTime) {
  QueuedRequests queue = ascending(20);
  expect_release(EarlyDropPolicy{.size = 5}.decide(queue.view()), 5, ReleaseReason::deadline);
}

TEST(EarlyDropPolicy, DropsThoseForWhomTheWholeWindowWouldBeLate) {
  QueuedRequests queue = ascending(20);
  // A window of eight takes 13 ms: the fourth request has that long.
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view()).dropped(), 3u);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view(1ms)).dropped(), 4u);
}

TEST(EarlyDropPolicy, TheWindowIsNotLongerThanTheQueueBehindIt) {
  // With three left the window takes 8 ms.
  QueuedRequests queue = ascending(5);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view(2ms)).dropped(), 1u);
  expect_release(EarlyDropPolicy{.size = 8}.decide(queue.view()), 5, ReleaseReason::greedy);
}

TEST(EarlyDropPolicy, DropsAllWhereNoneCanBeMet) {
  QueuedRequests queue = ascending(5);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view(9ms)).dropped(), 5u);
  expect_release(EarlyDropPolicy{.size = 8}.decide(ascending(1).view(4ms)), 1,
                 ReleaseReason::greedy);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(ascending(1).view(4ms + 1ns)).dropped(), 1u);
}

TEST(EarlyDropPolicy, WithoutASizeABatchTakesHalfOfTheTimeThatThereWas) {
  QueuedRequests queue = QueuedRequests::with_deadlines(std::vector<TimePoint>(20, kOldest + 24ms));
  queue.line(5ms, 1ms);
  expect_release(EarlyDropPolicy().decide(queue.view()), 7, ReleaseReason::deadline);
  expect_release(EarlyDropPolicy().decide(queue.view(12ms)), 7, ReleaseReason::deadline);
  EXPECT_EQ(EarlyDropPolicy().decide(queue.view(20ms)).dropped(), 20u);
}

TEST(EarlyDropPolicy, AddsTheDeviationsToTheMean) {
  QueuedRequests queue = ascending(20);
  queue.line(5ms, 1ms, 2ms);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view()).dropped(), 3u);
  EXPECT_EQ((EarlyDropPolicy{.size = 8, .deviations = 1}.decide(queue.view()).dropped()), 5u);
}

TEST(EarlyDropPolicy, CountsWeights) {
  QueuedRequests queue({{.deadline = kOldest + 10ms, .weight = 6},
                        {.deadline = kOldest + 15ms, .weight = 4},
                        {.deadline = kOldest + 15ms, .weight = 4}});
  queue.line(5ms, 1ms);
  EXPECT_EQ(EarlyDropPolicy{.size = 8}.decide(queue.view()).dropped(), 1u);
  QueuedRequests large({{.deadline = kOldest + 10ms, .weight = 6}});
  large.line(5ms, 1ms);
  EXPECT_EQ(EarlyDropPolicy{.size = 2}.decide(large.view()).dropped(), 1u);
}

TEST(EarlyDropPolicy, DropsNobodyWithoutADeadlineNorBeforeTheFirstBatch) {
  std::vector<TimePoint> deadlines{kOldest + 1ms, kOldest + 1ms, kNever, kNever};
  QueuedRequests queue = QueuedRequests::with_deadlines(deadlines);
  queue.line(5ms, 1ms);
  EXPECT_EQ(EarlyDropPolicy().decide(queue.view()).dropped(), 2u);
  QueuedRequests unlimited = QueuedRequests::with_deadlines({kNever, kNever});
  expect_release(EarlyDropPolicy().decide(unlimited.line(5ms, 1ms).view()), 2,
                 ReleaseReason::greedy);
  QueuedRequests unknown = QueuedRequests::with_deadlines({kOldest + 1ms, kOldest + 1ms});
  expect_release(EarlyDropPolicy().decide(unknown.view()), 2, ReleaseReason::greedy);
}

TEST(EarlyDropPolicy, ChecksItsSettings) {
  EXPECT_EQ(EarlyDropPolicy().validate({.max_batch_size = 32}), "");
  EXPECT_EQ(EarlyDropPolicy{.size = 33}.validate({.max_batch_size = 32}),
            "EarlyDropPolicy::size must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ(EarlyDropPolicy{.deviations = -1}.validate({.max_batch_size = 32}),
            "EarlyDropPolicy::deviations must be from 0 to 100, got -1.000000");
}

// l(b) = b + 5 ms, 25 ms to answer in.
template <class Policy>
SimulationResult run(Policy policy, double rate_hz) {
  return simulate(
      BasicSimulation<Policy>{.arrivals = PoissonArrivals{.rate_hz = rate_hz},
                              .classes = {{.deadline = 25ms}},
                              .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 5ms}},
                              .batcher = {.policy = policy, .executors = 1},
                              .requests = 40'000,
                              .objective = 25ms});
}

// What can be answered in batches of seven, the largest that take half of the deadline, is 583 a second.
TEST(EarlyDropPolicy, UnderOverloadAnswersWhatItsBatchesCanAndTheOthersCollapse) {
  const SimulationResult result = run(EarlyDropPolicy{}, 1000);
  EXPECT_GT(result.goodput_hz, 0.97 * 583);
  EXPECT_EQ(result.outcomes[Outcome::expired], 0u);
  EXPECT_GT(result.goodput_hz, 1.3 * run(DeadlinePolicy{}, 1000).goodput_hz);
  EXPECT_GT(result.goodput_hz, 1.3 * run(GreedyPolicy{}, 1000).goodput_hz);
}

}  // namespace
