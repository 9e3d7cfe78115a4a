// SPDX-License-Identifier: MIT
// AutoPolicy where the predictor is asynchronous: how many batches it has in flight.
#include "../support/queue_view.hpp"

#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AutoPolicy;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::QueueView;
using batchwright::RunningBatch;
using batchwright::TimePoint;
using batchwright_test::view_of;

constexpr AffineCurve kV100{.per_item = 143'800ns, .fixed = 1'887'400ns};
constexpr double kMostPerSecond = 32 / (0.1438e-3 * 32 + 1.8874e-3);

struct Device {
  std::size_t streams = 1;
  Duration hand_over{};
  std::size_t executors = 1;
};

template <class Policy>
double mean_ms(const Device& device, double load, std::size_t in_flight) {
  const auto streams = static_cast<double>(device.streams * device.executors);
  return simulate(BasicSimulation<Policy>{
                      .arrivals = PoissonArrivals{.rate_hz = load * streams * kMostPerSecond},
                      .service = {.curve = kV100,
                                  .noise = LognormalNoise{},
                                  .predictor = PredictorKind::asynchronous,
                                  .streams = device.streams},
                      .machine = {.hand_over = device.hand_over},
                      .batcher = {.executors = device.executors,
                                  .max_in_flight = in_flight,
                                  .capacity = 1 << 20},
                      .requests = 20'000})
             .latency.mean_ns /
         1e6;
}

TEST(AutoPolicyInFlight, HoldsBackWhatWouldOnlyWait) {
  const Device device;
  for (const double load : {0.3, 0.7, 0.9}) {
    const double alone = mean_ms<AutoPolicy>(device, load, 1);
    for (const std::size_t in_flight : {2u, 4u}) {
      EXPECT_LT(mean_ms<AutoPolicy>(device, load, in_flight), 1.04 * alone)
          << load << ' ' << in_flight;
    }
  }
  EXPECT_GT(mean_ms<GreedyPolicy>(device, 0.7, 2), 1.5 * mean_ms<AutoPolicy>(device, 0.7, 2));
}

TEST(AutoPolicyInFlight, UsesTheStreamsThatThereAre) {
  const Device device{.streams = 2};
  for (const double load : {0.3, 0.7}) {
    const double two = mean_ms<AutoPolicy>(device, load, 2);
    EXPECT_LT(two, 1.01 * mean_ms<GreedyPolicy>(device, load, 2)) << load;
    EXPECT_LT(mean_ms<AutoPolicy>(device, load, 4), 1.06 * two) << load;
  }
}

TEST(AutoPolicyInFlight, PreparesABatchWhereThatHidesAHandOver) {
  const Device device{.hand_over = 400us};
  for (const double load : {0.3, 0.7}) {
    EXPECT_LT(mean_ms<AutoPolicy>(device, load, 2), 0.98 * mean_ms<AutoPolicy>(device, load, 1))
        << load;
  }
}

TEST(AutoPolicyInFlight, HoldsBackOnSeveralExecutors) {
  const Device device{.executors = 2};
  for (const double load : {0.3, 0.7}) {
    EXPECT_LT(mean_ms<AutoPolicy>(device, load, 4), 1.04 * mean_ms<AutoPolicy>(device, load, 2))
        << load;
  }
}

/// A policy that has seen batches on one executor computed one after the other, each alone for 2 ms.
AutoPolicy taught(TimePoint& now) {
  AutoPolicy policy;
  TimePoint free = now;
  for (int i = 0; i < 40; ++i) {
    // Some wait for others, and some do not.
    const TimePoint dispatched = i % 2 == 0 ? std::max(now, free) : free - 1ms;
    free = std::max(dispatched, free) + 2ms;
    now = free + (i % 2 == 0 ? 0ms : 1ms);
    policy.on_batch({.size = 4, .count = 4, .dispatched = dispatched, .finished = free});
  }
  return policy;
}

TEST(AutoPolicyInFlight, EvenAFullBatchIsHeldUntilTheOneBeforeHasEnded) {
  TimePoint now = batchwright_test::kOldest;
  AutoPolicy policy = taught(now);
  ASSERT_EQ(policy.rule.overlap().width(), 1u);
  ASSERT_FALSE(policy.rule.overlap().tries());
  const std::vector<RunningBatch> running = {{.size = 4, .dispatched = now}};
  for (const std::size_t queued : {1u, 5u, 40u}) {
    QueueView view = view_of(queued);
    view.now = view.oldest = view.newest = now + 1ms;
    EXPECT_TRUE(policy.decide(view).is_release()) << queued;
    view.running = running;
    const Decision decision = policy.decide(view);
    EXPECT_TRUE(decision.is_hold()) << queued;
    EXPECT_GT(decision.until(), now + 2ms) << "its end is told, and not awaited at an instant";
  }
}

TEST(AutoPolicyInFlight, ABatchThatDoesNotEndIsNotAwaitedForEver) {
  TimePoint now = batchwright_test::kOldest;
  AutoPolicy policy = taught(now);
  const std::vector<RunningBatch> running = {{.size = 4, .dispatched = now}};
  QueueView view = view_of(3);
  view.running = running;
  view.now = view.oldest = view.newest = now + 5ms;
  const Decision decision = policy.decide(view);
  ASSERT_TRUE(decision.is_hold());
  EXPECT_LT(decision.until(), now + 12ms);
  view.now = decision.until();
  EXPECT_FALSE(policy.decide(view).is_hold());
}

TEST(AutoPolicyInFlight, NothingIsHeldPastItsLastInstant) {
  TimePoint now = batchwright_test::kOldest;
  AutoPolicy policy = taught(now);
  const std::vector<RunningBatch> running = {{.size = 4, .dispatched = now}};
  QueueView view = view_of(1);
  view.now = view.oldest = view.newest = now + 1ms;
  view.running = running;
  batchwright_test::ListedQueue due{{{.enqueued = view.now, .deadline = now + 4ms}}};
  view.queue = due.cursor();
  const Decision decision = AutoPolicy(policy).decide(view);
  ASSERT_TRUE(decision.is_hold());
  const Duration one(static_cast<std::int64_t>(policy.rule.curve()(1)));
  EXPECT_LE(decision.until(), now + 4ms - one);
  view.now = decision.until();
  EXPECT_TRUE(AutoPolicy(policy).decide(view).is_release());

  view = view_of(1);
  view.now = view.oldest = view.newest = now + 1ms;
  view.running = running;
  policy.objective = 3ms;
  const Decision in_time = AutoPolicy(policy).decide(view);
  ASSERT_TRUE(in_time.is_hold());
  EXPECT_LE(in_time.until(), now + 4ms - one);
  view.now = in_time.until();
  EXPECT_FALSE(AutoPolicy(policy).decide(view).is_hold());
}

TEST(AutoPolicyInFlight, WhereMoreAreQueuedThanItCanTakeNothingIsHeld) {
  TimePoint now = batchwright_test::kOldest;
  AutoPolicy policy = taught(now);
  const std::vector<RunningBatch> running = {{.size = 4, .dispatched = now}};
  QueueView view = view_of(64);
  view.now = view.oldest = view.newest = now + 1ms;
  view.running = running;
  EXPECT_TRUE(policy.decide(view).is_release());
}

}  // namespace
