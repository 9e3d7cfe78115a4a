// SPDX-License-Identifier: MIT
#include "../../support/queued_requests.hpp"

#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/policies/extra/deferred.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::DeferredPolicy;
using batchwright::kNever;
using batchwright::QueueOrder;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::QueuedRequests;

QueuedRequests queue_of(std::size_t count, TimePoint deadline) {
  QueuedRequests queue = QueuedRequests::with_deadlines(std::vector<TimePoint>(count, deadline));
  queue.line(5ms, 1ms);
  return queue;
}

TEST(DeferredPolicy, WaitsUntilOneMoreWouldNotMeetTheDeadline) {
  QueuedRequests queue = queue_of(3, kOldest + 20ms);
  expect_wait(DeferredPolicy().decide(queue.view()), kOldest + 11ms, 4);
  expect_wait(DeferredPolicy().decide(queue.view(11ms - 1ns)), kOldest + 11ms, 4);
  expect_release(DeferredPolicy().decide(queue.view(11ms)), 3, ReleaseReason::greedy);
}

TEST(DeferredPolicy, EachArrivalMovesTheInstantForward) {
  QueuedRequests queue = queue_of(4, kOldest + 20ms);
  expect_wait(DeferredPolicy().decide(queue.view()), kOldest + 10ms, 5);
}

TEST(DeferredPolicy, TooLateForAllItCutsTheBatch) {
  QueuedRequests queue = queue_of(10, kOldest + 20ms);
  expect_release(DeferredPolicy().decide(queue.view(5ms)), 10, ReleaseReason::greedy);
  expect_release(DeferredPolicy().decide(queue.view(7ms)), 8, ReleaseReason::deadline);
}

TEST(DeferredPolicy, AFullBatchLeaves) {
  QueuedRequests queue = queue_of(4, kOldest + 20ms);
  expect_release(DeferredPolicy().decide(queue.view({}, 4)), 4, ReleaseReason::size);
}

TEST(DeferredPolicy, DoesNotWaitWithoutADeadlineOrAMeasuredBatch) {
  QueuedRequests free = queue_of(3, kNever);
  expect_release(DeferredPolicy().decide(free.view()), 3, ReleaseReason::greedy);
  QueuedRequests unknown =
      QueuedRequests::with_deadlines(std::vector<TimePoint>(3, kOldest + 20ms));
  expect_release(DeferredPolicy().decide(unknown.view()), 3, ReleaseReason::greedy);
}

TEST(DeferredPolicy, KeepsDeviationsFromTheDeadline) {
  QueuedRequests queue = queue_of(3, kOldest + 20ms);
  queue.line(5ms, 1ms, 2ms);
  expect_wait(DeferredPolicy{.deviations = 0}.decide(queue.view()), kOldest + 11ms, 4);
  expect_wait(DeferredPolicy{.deviations = 2}.decide(queue.view()), kOldest + 7ms, 4);
}

TEST(DeferredPolicy, ChecksItsSetting) {
  EXPECT_EQ(DeferredPolicy().validate({.max_batch_size = 32}), "");
  EXPECT_EQ(DeferredPolicy{.deviations = -1}.validate({.max_batch_size = 32}),
            "DeferredPolicy::deviations must be from 0 to 100, got -1.000000");
}

// l(b) = b + 5 ms, 12 ms to answer in.
template <class Policy>
SimulationResult tight(Policy policy, std::size_t executors, double rate_hz) {
  return simulate(BasicSimulation<Policy>{
      .arrivals = PoissonArrivals{.rate_hz = rate_hz},
      .classes = {{.deadline = 12ms}},
      .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 5ms}},
      .batcher = {.policy = policy, .executors = executors, .order = QueueOrder::earliest_deadline},
      .requests = 40'000,
      .objective = 12ms});
}

// The largest rate of which 99 in 100 are answered in time.
template <class Policy>
double goodput(Policy policy, std::size_t executors) {
  double best = 0;
  for (double rate = 100; rate <= 600; rate += 10) {
    const SimulationResult result = tight(policy, executors, rate * double(executors));
    if (result.goodput_hz < 0.99 * result.offered_hz) break;
    best = result.goodput_hz;
  }
  return best;
}

TEST(DeferredPolicy, OnSeveralExecutorsWithTightDeadlinesGivesMoreGoodput) {
  const double deferred = goodput(DeferredPolicy{}, 8);
  EXPECT_GT(deferred, 1.15 * goodput(batchwright::GreedyPolicy{}, 8));
  EXPECT_GT(deferred, 1.15 * goodput(batchwright::DeadlinePolicy{}, 8));
}

TEST(DeferredPolicy, OnOneExecutorGivesLess) {
  EXPECT_LT(tight(DeferredPolicy{}, 1, 300).goodput_hz,
            0.95 * tight(batchwright::GreedyPolicy{}, 1, 300).goodput_hz);
}

}  // namespace
