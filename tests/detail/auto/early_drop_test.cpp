// SPDX-License-Identifier: MIT
#include "../../support/queue_view.hpp"

#include <batchwright/detail/auto/early_drop.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::EarlyDrop;
using batchwright::detail::LearnedCurve;

constexpr TimePoint kNow = TimePoint{} + 1000s;

/// A queue of requests of such ages.
struct Queue : batchwright_test::ListedQueue {
  EarlyDrop::Plan plan(double rate_per_ms, const LearnedCurve& curve,
                       double objective = 10e6) const {
    return EarlyDrop().plan(cursor(), requests.size(),
                            {.now = static_cast<double>(kNow.time_since_epoch().count()),
                             .objective = objective,
                             .rate = rate_per_ms / 1e6,
                             .cap = 32},
                            curve);
  }
};

Queue aged(const std::vector<Duration>& ages) {
  Queue queue;
  for (const Duration age : ages) queue.requests.push_back({.enqueued = kNow - age});
  return queue;
}

/// 2 ms, and 0.2 ms a request.
LearnedCurve curve() {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, 2e6 + 0.2e6 * static_cast<double>(size));
  }
  return curve;
}

TEST(EarlyDrop, TakesAllWhoAreInTime) {
  const EarlyDrop::Plan plan = aged({3ms, 2ms, 1ms}).plan(0.3, curve());
  EXPECT_EQ(plan.dropped, 0u);
  EXPECT_EQ(plan.batch, 3u);
  EXPECT_FALSE(plan.limited);
}

TEST(EarlyDrop, GivesUpOnThoseWhoAreLateWhateverIsDone) {
  const EarlyDrop::Plan plan = aged({9ms, 8500us, 7ms, 1ms}).plan(0.3, curve());
  EXPECT_EQ(plan.dropped, 2u);
}

TEST(EarlyDrop, AHeadThatTheQueueCanBearIsServed) {
  // 3.05 ms are left: five at most.
  const EarlyDrop::Plan plan = aged(std::vector<Duration>(8, 6950us)).plan(0.1, curve());
  EXPECT_EQ(plan.dropped, 0u);
  EXPECT_EQ(plan.batch, 5u);
  EXPECT_TRUE(plan.limited);
}

TEST(EarlyDrop, UnderOverloadTheHeadGoesSoThatABatchIsFull) {
  std::vector<Duration> ages = {7700us, 7500us};
  for (int i = 0; i < 60; ++i) ages.push_back(3ms);
  const EarlyDrop::Plan plan = aged(ages).plan(8, curve());
  EXPECT_EQ(plan.dropped, 2u);
  EXPECT_GE(plan.batch, 20u);
}

TEST(EarlyDrop, DoesNotSettleForSmallBatchesOneAfterAnother) {
  // Ages spread evenly: serving the oldest first there would be three at a time for ever.
  LearnedCurve steep;
  for (std::size_t size = 1; size <= 32; ++size) {
    steep.observe(size, 5e6 + 1e6 * static_cast<double>(size));
  }
  std::vector<Duration> ages;
  for (int i = 0; i < 36; ++i) ages.push_back(31ms - 870us * i);
  const EarlyDrop::Plan plan = aged(ages).plan(1.04, steep, 40e6);
  EXPECT_GT(plan.dropped, 5u);
  EXPECT_GT(plan.batch, 7u);
}

TEST(EarlyDrop, ALargerBatchIsWorthTheRiskToItsFirst) {
  // 10 % noise. The first one has no more than the mean time of a full batch, those behind it have
  // much: that it is late half of the time costs less than to leave it out.
  const LearnedCurve noisy = curve();
  Queue queue = aged({11600us});
  for (int i = 0; i < 31; ++i) queue.requests.push_back({.enqueued = kNow - 1us * i});
  const EarlyDrop::Plan plan =
      EarlyDrop().plan(queue.cursor(), queue.requests.size(),
                       {.now = static_cast<double>(kNow.time_since_epoch().count()),
                        .objective = 20e6,
                        .rate = 1e-6,
                        .deviation = 0.1,
                        .cap = 32},
                       noisy);
  EXPECT_EQ(plan.dropped, 0u);
  EXPECT_EQ(plan.batch, 32u);
  EXPECT_TRUE(plan.limited);
}

TEST(EarlyDrop, LearnsTheTimesAnewWhenTheCurveIsDrawn) {
  LearnedCurve learned = curve();
  EarlyDrop drop;
  const Queue queue = aged(std::vector<Duration>(8, 7ms));
  const auto plan = [&] {
    return drop.plan(queue.cursor(), queue.requests.size(),
                     {.now = static_cast<double>(kNow.time_since_epoch().count()),
                      .objective = 10e6,
                      .rate = 1e-7,
                      .cap = 32},
                     learned);
  };
  EXPECT_LT(plan().batch, 8u);
  for (int i = 0; i < 400; ++i) {
    const auto size = static_cast<std::size_t>(i % 32) + 1;
    learned.observe(size, 1e6 + 0.1e6 * static_cast<double>(size));
  }
  EXPECT_EQ(plan().batch, 8u);
}

TEST(EarlyDrop, ACapAboveItsDepthIsUsed) {
  LearnedCurve flat;
  for (std::size_t size = 1; size <= 256; ++size) flat.observe(size, 1e6);
  Queue queue = aged(std::vector<Duration>(200, 1ms));
  const EarlyDrop::Plan plan =
      EarlyDrop().plan(queue.cursor(), queue.requests.size(),
                       {.now = static_cast<double>(kNow.time_since_epoch().count()),
                        .objective = 10e6,
                        .rate = 1e-5,
                        .cap = 256},
                       flat);
  EXPECT_EQ(plan.batch, 200u);
}

TEST(EarlyDrop, AnEarlierDeadlineOfItsOwnCounts) {
  Queue queue = aged({0ms});
  queue.requests[0].deadline = kNow + 1ms;
  EXPECT_EQ(queue.plan(0.1, curve()).dropped, 1u);
}

}  // namespace
