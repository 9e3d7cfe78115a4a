// SPDX-License-Identifier: MIT
#include "support/shell.hpp"

#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/timeline.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What the batcher puts into its metrics, on virtual time and to the nanosecond.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::ClassesMetrics;
using batchwright::ClassMetrics;
using batchwright::Duration;
using batchwright::Histogram;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::testing::TestThread;

using Batcher = TestBatcher<int, int>;
using WindowBatcher = TestBatcher<int, int, TimePolicy>;
using Tickets = std::vector<TestTicket<int>>;

Histogram histogram_of(std::initializer_list<Duration> values) {
  Histogram histogram;
  for (const Duration value : values) histogram.record(static_cast<std::uint64_t>(value.count()));
  return histogram;
}

const ClassMetrics& class_of(const ClassesMetrics& classes, const std::string& label) {
  for (const ClassMetrics& one : classes) {
    if (one.label == label) return one;
  }
  throw std::out_of_range("no class " + label);
}

std::vector<std::string> labels(const ClassesMetrics& classes) {
  std::vector<std::string> labels;
  for (const ClassMetrics& one : classes) labels.push_back(one.label);
  return labels;
}

// --- Times

TEST(BatcherTimes, QueueWaitAndLatencyCountFromEachRequestsOwnAdmission) {
  for (const std::size_t executors : {0u, 1u, 2u}) {
    TestRuntime runtime;
    Calls calls;
    WindowBatcher batcher(
        batchwright::shared_predictor(doubler(runtime, calls, 5ms)),
        {.max_batch_size = 8, .policy = {.max_wait = 10ms}, .executors = executors});
    auto first = batcher.submit(1, use_ticket);
    runtime.advance(4ms);
    auto second = batcher.submit(2, use_ticket);
    runtime.advance(6ms);
    EXPECT_TRUE(batcher.metrics().queue_wait.empty());  // Told with the answer.
    runtime.advance(5ms);
    EXPECT_TRUE(first.ready() && second.ready());
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.queue_wait, histogram_of({10ms, 6ms}));
    EXPECT_EQ(metrics.latency, histogram_of({15ms, 11ms}));
    EXPECT_EQ(metrics.service_time, histogram_of({5ms}));
    EXPECT_EQ(metrics.batch_size.sum(), 2);
  }
}

TEST(BatcherTimes, WhatExpiresOrIsCancelledInTheQueueHasNoQueueWaitAndNoLatency) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    WindowBatcher batcher(doubler(runtime, calls, 2ms),
                          {.policy = {.max_wait = 10ms}, .executors = executors});
    auto kept = batcher.submit(1, use_ticket);
    auto expires = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 3ms});
    auto cancelled = batcher.submit(3, use_ticket);
    runtime.advance(5ms);
    cancelled.cancel();
    runtime.advance(5ms);
    runtime.advance(2ms);
    EXPECT_EQ(calls.inputs(), std::vector<int>{1});
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.completed, 1u);
    EXPECT_EQ(metrics.expired, 1u);
    EXPECT_EQ(metrics.cancelled, 1u);
    EXPECT_EQ(metrics.queue_wait, histogram_of({10ms}));
    EXPECT_EQ(metrics.latency, histogram_of({12ms}));
    EXPECT_TRUE(kept.ready());
    EXPECT_EQ(expires.result().outcome(), Outcome::expired);
  }
}

TEST(BatcherTimes, ACancellationThatComesTooLateChangesNothing) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls, 7ms));
  auto ticket = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 3ms});
  runtime.advance(5ms);
  ticket.cancel();
  runtime.advance(2ms);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.completed, 1u);
  EXPECT_EQ(metrics.completed_late, 1u);
  EXPECT_EQ(metrics.cancelled + metrics.expired, 0u);
  EXPECT_EQ(metrics.queue_wait, histogram_of({0ms}));
  EXPECT_EQ(metrics.latency, histogram_of({7ms}));
}

TEST(BatcherTimes, OfARequestBehindABusyExecutorTheWholeWaitCounts) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls, 10ms), {.max_batch_size = 1});
  auto first = batcher.submit(1, use_ticket);
  runtime.advance(1ms);
  auto second = batcher.submit(2, use_ticket);
  runtime.advance(9ms);
  runtime.advance(10ms);
  EXPECT_TRUE(second.ready());
  EXPECT_EQ(batcher.metrics().queue_wait, histogram_of({0ms, 9ms}));
  EXPECT_EQ(batcher.metrics().latency, histogram_of({10ms, 19ms}));
}

TEST(BatcherTimes, TheOldestQueuedRequestAgesBehindABusyExecutorThatNobodyIsWokenFor) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls, 20ms), {.max_batch_size = 4});
  auto running = batcher.submit(1, use_ticket);
  runtime.advance(5ms);
  EXPECT_EQ(batcher.metrics().oldest_queued_age, 0ms);
  auto queued = batcher.submit(2, use_ticket);
  runtime.advance(4ms);
  auto newer = batcher.submit(3, use_ticket);
  runtime.advance(2ms);
  EXPECT_EQ(batcher.metrics().oldest_queued_age, 6ms);
  runtime.advance(9ms);
  EXPECT_EQ(batcher.metrics().oldest_queued_age, 0ms);
  runtime.advance(20ms);
  EXPECT_TRUE(newer.ready());
}

TEST(BatcherTimes, OfAFailedRequestAreCountedToo) {
  TestRuntime runtime;
  Batcher batcher([runtime](std::span<const int>) -> std::vector<int> {
    work_for(runtime, 3ms);
    throw std::runtime_error("bad");
  });
  auto ticket = batcher.submit(1, use_ticket);
  runtime.advance(3ms);
  EXPECT_EQ(batcher.metrics().failed, 1u);
  EXPECT_EQ(batcher.metrics().latency, histogram_of({3ms}));
  EXPECT_EQ(batcher.metrics().queue_wait, histogram_of({0ms}));
}

TEST(BatcherTimes, OfItemsThatAreAnsweredOneByOneEndAtTheirOwnAnswers) {
  TestRuntime runtime;
  Batcher batcher([runtime](batchwright::Batch<int, int>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      work_for(runtime, 1ms);
      batch.answer(i, 1);
    }
  });
  batcher.pause();
  Tickets tickets = batcher.submit_many(std::vector<int>{1, 2, 3}, use_ticket);
  runtime.advance(4ms);
  batcher.resume();
  for (int i = 0; i < 3; ++i) runtime.advance(1ms);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.queue_wait, histogram_of({4ms, 4ms, 4ms}));
  EXPECT_EQ(metrics.latency, histogram_of({5ms, 6ms, 7ms}));
  EXPECT_EQ(metrics.service_time, histogram_of({3ms}));
}

TEST(BatcherGauges, WhatExecutorsHaveIsCountedUntilItIsAnsweredInWhateverOrder) {
  for (const batchwright::PreserveOrder order :
       {batchwright::PreserveOrder::no, batchwright::PreserveOrder::yes}) {
    TestRuntime runtime;
    Calls calls;
    Batcher batcher(batchwright::shared_predictor(doubler(runtime, calls, 5ms)),
                    {.max_batch_size = 2, .executors = 2, .preserve_order = order});
    Tickets tickets = batcher.submit_many(std::vector<int>{1, 2, 3}, use_ticket);
    runtime.settle();
    EXPECT_EQ(batcher.metrics().executing, 3u);
    EXPECT_EQ(batcher.metrics().executing_batches, 2u);
    runtime.advance(5ms);
    for (const auto& ticket : tickets) EXPECT_TRUE(ticket.ready());
    EXPECT_EQ(batcher.metrics().executing, 0u);
    EXPECT_EQ(batcher.metrics().executing_batches, 0u);
  }
}

TEST(BatcherGauges, ABatchCountsUntilTheLastOfItsItemsIsAnswered) {
  TestRuntime runtime;
  Batcher batcher([runtime](batchwright::Batch<int, int>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      work_for(runtime, 1ms);
      batch.answer(i, 1);
    }
  });
  Tickets tickets = batcher.submit_many(std::vector<int>{1, 2}, use_ticket);
  runtime.advance(1ms);
  EXPECT_EQ(batcher.metrics().executing, 1u);
  EXPECT_EQ(batcher.metrics().executing_batches, 1u);
  runtime.advance(1ms);
  EXPECT_EQ(batcher.metrics().executing, 0u);
  EXPECT_EQ(batcher.metrics().executing_batches, 0u);
}

TEST(BatcherTimes, OfOneThatWaitedForRoomCountFromItsAdmission) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls, 10ms),
                  {.max_batch_size = 1,
                   .capacity = 1,
                   .overflow = batchwright::OverflowAction::block,
                   .metrics = {.per_priority = true}},
                  runtime);
  auto first = batcher.submit(1, use_ticket);
  runtime.settle();
  auto second = batcher.submit(2, use_ticket);
  TestThread blocked = runtime.start([&] { static_cast<void>(batcher.submit(3, use_ticket)); });
  runtime.settle();
  EXPECT_EQ(class_of(batcher.metrics().priorities, "0").queued, 1u);
  runtime.advance(10ms);
  EXPECT_EQ(class_of(batcher.metrics().priorities, "0").accepted, 3u);
  EXPECT_EQ(class_of(batcher.metrics().priorities, "0").queued, 1u);
  blocked.join();
  runtime.advance(10ms);
  runtime.advance(10ms);
  EXPECT_EQ(batcher.metrics().queue_wait, histogram_of({0ms, 10ms, 10ms}));
  EXPECT_EQ(class_of(batcher.metrics().priorities, "0").queue_wait.sum(), 20e6);
}

// --- What of a batch

TEST(BatcherPadding, IsCountedUpToTheAllowedSize) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 16, .allowed_sizes = {4, 8}},
                  runtime);
  for (const std::size_t count : {3u, 8u, 5u}) {
    const Tickets tickets = batcher.submit_many(std::vector<int>(count), use_ticket);
    runtime.settle();
  }
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.computed, 4u + 8u + 8u);
  EXPECT_EQ(metrics.padding, 1u + 0u + 3u);
  EXPECT_DOUBLE_EQ(metrics.padding_rate(), 4.0 / 20);
  // The cap is the largest allowed size.
  EXPECT_EQ(metrics.max_batch_size, 8u);
  EXPECT_DOUBLE_EQ(metrics.utilisation(), 16.0 / 24);
}

TEST(BatcherPadding, IsCountedUpToTheLongest) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.length = [](const int& x) { return static_cast<std::size_t>(x); },
                   .size_rule = batchwright::SizeRule::padded},
                  runtime);
  const Tickets tickets = batcher.submit_many(std::vector<int>{2, 5, 4}, use_ticket);
  runtime.settle();
  EXPECT_EQ(batcher.metrics().computed, 15u);
  EXPECT_EQ(batcher.metrics().padding, 4u);
}

TEST(BatcherForecast, IsComparedWithWhatEachBatchTook) {
  TestRuntime runtime;
  Duration service{};
  Batcher batcher(
      [&](std::span<const int> inputs) {
        work_for(runtime, service);
        return std::vector<int>(inputs.size());
      },
      {.allowed_sizes = {1, 2, 4}, .fit = batchwright::FitRule::cheapest}, runtime);
  const auto run = [&](Duration took) {
    service = took;
    auto ticket = batcher.submit(1, use_ticket);
    runtime.advance(took);
    EXPECT_TRUE(ticket.ready());
  };
  ASSERT_TRUE(batcher.metrics().forecast.has_value());
  run(5ms);  // Nothing was known before it.
  EXPECT_EQ(batcher.metrics().forecast->count(), 0u);
  run(8ms);
  EXPECT_EQ(batcher.metrics().forecast->mean_error(), 3ms);
  run(5ms);  // The mean was 6.5 ms.
  const batchwright::ForecastMetrics forecast = *batcher.metrics().forecast;
  EXPECT_EQ(forecast.count(), 2u);
  EXPECT_EQ(forecast.mean_error(), 750us);
  EXPECT_EQ(forecast.mean_absolute_error(), 2250us);
  EXPECT_EQ(forecast.expected_ns, 11'500'000u);
  EXPECT_EQ(forecast.taken_ns, 13'000'000u);
}

TEST(BatcherForecast, SaysNothingOfABatchThatFailed) {
  TestRuntime runtime;
  bool bad = false;
  Batcher batcher(
      [&](std::span<const int> inputs) {
        if (bad) throw std::runtime_error("bad");
        return std::vector<int>(inputs.size());
      },
      {.allowed_sizes = {1, 2}, .fit = batchwright::FitRule::cheapest}, runtime);
  for (const bool fails : {false, true, false}) {
    bad = fails;
    auto ticket = batcher.submit(1, use_ticket);
    runtime.settle();
  }
  EXPECT_EQ(batcher.metrics().forecast->count(), 1u);
}

TEST(BatcherMetrics, OfABatchThatLosesARequestOnTheWayToThePredictorAreThoseOfTheRest) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    WindowBatcher batcher(doubler(runtime, calls),
                          {.allowed_sizes = {1, 2, 4},
                           .fit = batchwright::FitRule::cheapest,
                           .policy = {.max_wait = 10ms},
                           .executors = executors,
                           .metrics = {.per_priority = true}},
                          runtime);
    auto teaches = batcher.submit(0, use_ticket);
    runtime.advance(10ms);
    const TimePoint start = runtime.now();
    // The first expires as the batch becomes due, and its callback keeps the dispatcher for a while.
    ASSERT_TRUE(batcher.submit(1, [&](const batchwright::Result<int>&) { work_for(runtime, 5ms); },
                               {.priority = 1, .deadline = start + 10ms}));
    auto second = batcher.submit(2, use_ticket, {.priority = 2, .deadline = start + 12ms});
    auto third = batcher.submit(3, use_ticket, {.priority = 3, .deadline = start + 16ms});
    runtime.advance(20ms);
    ASSERT_EQ(calls.sizes(), (std::vector<std::size_t>{1, 1}));
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.computed, 2u);
    EXPECT_EQ(metrics.padding, 0u);
    EXPECT_EQ(metrics.queue_wait, histogram_of({10ms, 15ms}));
    EXPECT_EQ(metrics.forecast->count(), 0u);  // It was for two.
    EXPECT_EQ(class_of(metrics.priorities, "1").expired, 1u);
    EXPECT_EQ(class_of(metrics.priorities, "2").expired, 1u);
    EXPECT_EQ(class_of(metrics.priorities, "3").completed, 1u);
    for (const ClassMetrics& one : metrics.priorities) EXPECT_EQ(one.queued, 0u);
  }
}

TEST(BatcherForecast, IsAbsentWithoutAServiceModel) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.allowed_sizes = {1, 2}}, runtime);
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_FALSE(batcher.metrics().forecast.has_value());
}

// --- Why batches leave

using AutoBatcher = TestBatcher<int, int, batchwright::AutoPolicy>;

/// A predictor that takes 1 ms, and as much again for each item.
auto nearly_linear(const TestRuntime& runtime) {
  return batchwright::shared_predictor([runtime](std::span<const int> inputs) {
    work_for(runtime, 1ms + 1ms * static_cast<int>(inputs.size()));
    return std::vector<int>(inputs.size());
  });
}

TEST(BatcherReasons, GreedyAndSizeAreCounted) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 2}, runtime);
  for (const std::size_t count : {1u, 2u, 1u}) {
    const Tickets tickets = batcher.submit_many(std::vector<int>(count), use_ticket);
    runtime.settle();
  }
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.batches[ReleaseReason::greedy], 2u);
  EXPECT_EQ(metrics.batches[ReleaseReason::size], 1u);
  EXPECT_EQ(metrics.batches.total(), 3u);
}

TEST(BatcherReasons, TimeFlushAndDrainAreCounted) {
  TestRuntime runtime;
  Calls calls;
  WindowBatcher batcher(doubler(runtime, calls), {.policy = {.max_wait = 10ms}}, runtime);
  Tickets tickets;
  tickets.push_back(batcher.submit(1, use_ticket));
  runtime.advance(10ms);
  tickets.push_back(batcher.submit(1, use_ticket));
  batcher.flush();
  runtime.settle();
  tickets.push_back(batcher.submit(1, use_ticket));
  batcher.shutdown();
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.batches[ReleaseReason::time], 1u);
  EXPECT_EQ(metrics.batches[ReleaseReason::flush], 1u);
  EXPECT_EQ(metrics.batches[ReleaseReason::drain], 1u);
  EXPECT_EQ(metrics.batches.total(), 3u);
}

TEST(BatcherReasons, DeadlineIsCountedWhereABatchIsCutForOne) {
  TestRuntime runtime;
  TestBatcher<int, int, batchwright::DeadlinePolicy> batcher(nearly_linear(runtime), {}, runtime);
  for (int i = 0; i < 20; ++i) {
    const Tickets tickets =
        batcher.submit_many(std::vector<int>(static_cast<std::size_t>(1 + i % 4)), use_ticket);
    runtime.advance(5ms);
  }
  ASSERT_EQ(batcher.metrics().batches[ReleaseReason::deadline], 0u);
  const Tickets tickets =
      batcher.submit_many(std::vector<int>(8), use_ticket, {.deadline = runtime.now() + 5500us});
  runtime.settle();
  runtime.advance(5ms);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::deadline], 1u);
  EXPECT_EQ(batcher.metrics().batch_size.max(), 4u);
  runtime.advance(5ms);
}

TEST(BatcherReasons, SplitIsCountedWhereSmallerBatchesWorkALongQueueOff) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  AutoBatcher batcher(
      [runtime](std::span<const int> inputs) {
        const auto size = static_cast<int>(inputs.size());
        work_for(runtime, 1ms * size * size);
        return std::vector<int>(inputs.size());
      },
      {.max_batch_size = 8}, runtime);
  for (int i = 0; i < 40; ++i) {
    for (const auto& ticket :
         batcher.submit_many(std::vector<int>(static_cast<std::size_t>(1 + i % 8)), use_ticket)) {
      ticket.wait();
    }
  }
  const std::uint64_t before = batcher.metrics().batches[ReleaseReason::split];
  const Tickets tickets = batcher.submit_many(std::vector<int>(64), use_ticket);
  ASSERT_TRUE(batcher.wait_idle());
  EXPECT_GT(batcher.metrics().batches[ReleaseReason::split], before);
}

TEST(BatcherReasons, ReturnsIsCountedWhereCallersAreWaitedFor) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  AutoBatcher batcher(
      [runtime](std::span<const int> inputs) {
        work_for(runtime, 5ms + 100us * static_cast<int>(inputs.size()));
        return std::vector<int>(inputs.size());
      },
      {.max_batch_size = 8}, runtime);
  std::vector<TestThread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.push_back(runtime.start([&] {
      for (int i = 0; i < 40; ++i) batcher.submit(i, use_ticket).wait();
    }));
  }
  for (TestThread& caller : callers) caller.join();
  EXPECT_GT(batcher.metrics().batches[ReleaseReason::returns], 10u);
}

TEST(BatcherReasons, PacedIsCountedWhereDispatchesToSeveralExecutorsAreKeptApart) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  AutoBatcher batcher(batchwright::shared_predictor([runtime](std::span<const int> inputs) {
                        work_for(runtime, 2ms + 100us * static_cast<int>(inputs.size()));
                        return std::vector<int>(inputs.size());
                      }),
                      {.max_batch_size = 32, .executors = 4, .capacity = 10'000}, runtime);
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(12'000);  // A second.
  for (int i = 0; i < 2'000; ++i) {
    work_for(runtime, Duration(static_cast<std::int64_t>(1e9 * gap(random))));
    static_cast<void>(batcher.submit(i, [](const batchwright::Result<int>&) {}));
  }
  ASSERT_TRUE(batcher.wait_idle());
  EXPECT_GT(batcher.metrics().batches[ReleaseReason::paced], 10u);
}

// --- By class

TEST(BatcherClasses, AreAbsentUnlessAskedFor) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.lane = [](const int& x) { return x; }, .tenant = [](const int& x) { return x; }}, runtime);
  auto ticket = batcher.submit(1, use_ticket, {.priority = 3});
  runtime.settle();
  EXPECT_TRUE(batcher.metrics().priorities.empty());
  EXPECT_TRUE(batcher.metrics().lanes.empty());
  EXPECT_TRUE(batcher.metrics().tenants.empty());
}

TEST(BatcherClasses, QueueWaitIsToldByPriorityLaneAndTenant) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    Batcher batcher(doubler(runtime, calls, 10ms),
                    {.max_batch_size = 1,
                     .executors = executors,
                     .lane = [](const int& x) { return x % 2 == 0 ? "even" : "odd"; },
                     .tenant = [](const int& x) { return std::string(x < 10 ? "small" : "large"); },
                     .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true}},
                    runtime);
    batcher.pause();
    Tickets tickets;
    tickets.push_back(batcher.submit(2, use_ticket));
    tickets.push_back(batcher.submit(11, use_ticket, {.priority = 7}));
    runtime.advance(1ms);
    batcher.resume();
    runtime.advance(10ms);
    runtime.advance(10ms);
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(labels(metrics.priorities), (std::vector<std::string>{"0", "7", "other"}));
    EXPECT_EQ(labels(metrics.lanes), (std::vector<std::string>{"even", "odd", "other"}));
    EXPECT_EQ(labels(metrics.tenants), (std::vector<std::string>{"small", "large", "other"}));
    const bool small_first = calls.all.at(0).inputs.at(0) == 2;  // The tenants are equals.
    const double small = small_first ? 1e6 : 11e6;
    const double large = small_first ? 11e6 : 1e6;
    EXPECT_EQ(class_of(metrics.priorities, "0").queue_wait.sum(), small);
    EXPECT_EQ(class_of(metrics.priorities, "7").queue_wait.sum(), large);
    EXPECT_EQ(class_of(metrics.lanes, "even").queue_wait.sum(), small);
    EXPECT_EQ(class_of(metrics.lanes, "odd").queue_wait.sum(), large);
    EXPECT_EQ(class_of(metrics.tenants, "small").queue_wait.sum(), small);
    EXPECT_EQ(class_of(metrics.tenants, "large").queue_wait.sum(), large);
    EXPECT_EQ(class_of(metrics.tenants, "other").accepted, 0u);
  }
}

TEST(BatcherClasses, TheDepthIsRightWhileTheDispatcherIsLeftAsleep) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Gate gate(runtime);
    Batcher batcher(echo_behind(gate),
                    {.max_batch_size = 4,
                     .executors = executors,
                     .lane = [](const int& x) { return x / 10; },
                     .tenant = [](const int& x) { return x % 10; },
                     .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true}},
                    runtime);
    Tickets tickets;
    tickets.push_back(batcher.submit(0, use_ticket));
    runtime.settle();
    for (const int input : {1, 2, 1, 71, 2}) tickets.push_back(batcher.submit(input, use_ticket));
    const MetricsSnapshot full = batcher.metrics();
    EXPECT_EQ(class_of(full.tenants, "0").queued, 0u);
    EXPECT_EQ(class_of(full.tenants, "1").queued, 3u);
    EXPECT_EQ(class_of(full.tenants, "2").queued, 2u);
    EXPECT_EQ(class_of(full.lanes, "0").queued, 4u);
    EXPECT_EQ(class_of(full.lanes, "7").queued, 1u);
    EXPECT_EQ(class_of(full.priorities, "0").queued, 5u);
    EXPECT_EQ(full.queued, 5u);
    gate.open();
    runtime.settle();
    EXPECT_EQ(class_of(batcher.metrics().priorities, "0").queued, 0u);
    EXPECT_EQ(class_of(batcher.metrics().lanes, "0").queued, 0u);
    EXPECT_EQ(class_of(batcher.metrics().lanes, "7").queued, 0u);
    EXPECT_EQ(class_of(batcher.metrics().tenants, "1").completed, 3u);
  }
}

/// Gives up on requests of one priority, and waits for no others.
struct DropsOnePriority {
  int priority = 0;
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    batchwright::QueueCursor queue = view.queue;
    batchwright::QueuedRequest first;
    if (queue.next(first) && first.priority == priority) return batchwright::Decision::drop(1);
    return batchwright::Decision::release(view.size, ReleaseReason::greedy);
  }
};

TEST(BatcherClasses, EachOutcomeIsCountedForItsClass) {
  TestRuntime runtime;
  Gate gate(runtime);
  bool bad = false;
  TestBatcher<int, int, DropsOnePriority> batcher(
      [&](std::span<const int> inputs) {
        gate.pass();
        if (bad) throw std::runtime_error("bad");
        return std::vector<int>(inputs.size());
      },
      {.max_batch_size = 1,
       .policy = {.priority = 6},
       .capacity = 3,
       .overflow = batchwright::OverflowAction::evict,
       .metrics = {.per_priority = true}},
      runtime);
  Tickets tickets;
  const auto submit = [&](int priority, batchwright::TimePoint deadline = batchwright::kNever) {
    tickets.push_back(batcher.submit(1, use_ticket, {.priority = priority, .deadline = deadline}));
    runtime.settle();
  };
  submit(6);                       // Is given up on.
  submit(5);                       // Fails.
  submit(4, runtime.now() + 1ms);  // Expires.
  submit(3);                       // Is cancelled.
  submit(1);                       // Is evicted by
  submit(2);                       // one that is stopped.
  tickets[3].cancel();
  runtime.advance(1ms);
  bad = true;
  const batchwright::ShutdownReport report =
      batcher.shutdown({.mode = batchwright::ShutdownMode::abandon, .until = runtime.now()});
  EXPECT_FALSE(report.finished);
  runtime.settle();
  gate.open();
  runtime.settle();
  const ClassesMetrics priorities = batcher.metrics().priorities;
  EXPECT_EQ(class_of(priorities, "6").would_expire, 1u);
  EXPECT_EQ(class_of(priorities, "5").failed, 1u);
  EXPECT_EQ(class_of(priorities, "4").expired, 1u);
  EXPECT_EQ(class_of(priorities, "3").cancelled, 1u);
  EXPECT_EQ(class_of(priorities, "1").evicted, 1u);
  EXPECT_EQ(class_of(priorities, "2").stopped, 1u);
  for (const ClassMetrics& one : priorities) {
    EXPECT_EQ(one.answered(), one.label == "other" ? 0u : 1u) << one.label;
    EXPECT_EQ(one.accepted, one.answered()) << one.label;
    EXPECT_EQ(one.queued, 0u) << one.label;
  }
}

TEST(BatcherClasses, AKeyThatComesAgainGoesOnWithItsOldCounts) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.tenant = [](const int& x) { return x; }, .metrics = {.per_tenant = true}},
                  runtime);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    for (const int tenant : {7, 8}) {
      auto ticket = batcher.submit(tenant, use_ticket);
      runtime.settle();  // The tenant is forgotten.
      EXPECT_TRUE(ticket.ready());
    }
    EXPECT_EQ(class_of(batcher.metrics().tenants, "7").completed, i);
  }
  EXPECT_EQ(labels(batcher.metrics().tenants), (std::vector<std::string>{"7", "8", "other"}));
}

TEST(BatcherClasses, ThoseBeyondTheLimitAreCountedTogether) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.tenant = [](const int& x) { return x; },
                   .metrics = {.per_priority = true, .per_tenant = true, .max_classes = 2}},
                  runtime);
  Tickets tickets;
  for (int i = 0; i < 100; ++i) tickets.push_back(batcher.submit(i, use_ticket, {.priority = i}));
  runtime.settle();
  for (const ClassesMetrics& classes : {batcher.metrics().tenants, batcher.metrics().priorities}) {
    ASSERT_EQ(labels(classes), (std::vector<std::string>{"0", "1", "other"}));
    EXPECT_EQ(classes[0].completed, 1u);
    EXPECT_EQ(classes[2].completed, 98u);
    EXPECT_EQ(classes[2].queue_wait.count(), 98u);
  }
}

TEST(BatcherClasses, KeysOfOneLabelAreOneClass) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.tenant = {[](const int& x) { return x; },
                              {},
                              [](const int& key) { return key < 5 ? "small" : "large"; }},
                   .metrics = {.per_tenant = true}},
                  runtime);
  Tickets tickets;
  for (int i = 0; i < 15; ++i) tickets.push_back(batcher.submit(i, use_ticket));
  runtime.settle();
  EXPECT_EQ(class_of(batcher.metrics().tenants, "small").completed, 5u);
  EXPECT_EQ(class_of(batcher.metrics().tenants, "large").completed, 10u);
}

TEST(BatcherClasses, WhatALabelThrowsComesOutAndNothingWasAccepted) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.tenant = {[](const int& x) { return x; },
                              {},
                              [](const int& key) {
                                if (key < 0) throw std::domain_error("no name");
                                return key;
                              }},
                   .metrics = {.per_tenant = true}},
                  runtime);
  EXPECT_THROW(static_cast<void>(batcher.submit(-1, use_ticket)), std::domain_error);
  EXPECT_THROW(static_cast<void>(batcher.submit_many(std::vector<int>{1, -1}, use_ticket)),
               std::domain_error);
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_EQ(class_of(batcher.metrics().tenants, "1").accepted, 1u);
}

/// What all classes of a kind say together.
batchwright::ClassCounts sum_of(const ClassesMetrics& classes) {
  batchwright::ClassCounts sum;
  for (const ClassMetrics& one : classes) sum += one;
  return sum;
}

TEST(BatcherClasses, AddUpToTheWholeInEveryInterleaving) {
  std::uint64_t given_up = 0;
  for_each_seed(40, [&given_up](TestRuntime& runtime) {
    TestBatcher<int, int, DropsOnePriority> batcher(
        batchwright::shared_predictor([runtime](std::span<const int> inputs) {
          if (inputs[0] % 7 == 0) throw std::runtime_error("bad");
          return std::vector<int>(inputs.size());
        }),
        {.max_batch_size = 4,
         .policy = {.priority = 2},
         .executors = 2,
         .capacity = 8,
         .lane = [](const int& x) { return x % 2; },
         .tenant = [](const int& x) { return x % 5; },
         .overflow = batchwright::OverflowAction::evict,
         .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true, .max_classes = 3}},
        runtime);
    std::vector<TestThread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.push_back(runtime.start([&, t] {
        Tickets tickets;
        for (int i = 0; i < 30; ++i) {
          tickets.push_back(
              batcher.submit(31 * t + i, use_ticket,
                             {.priority = i % 4,
                              .deadline = i % 6 == 0 ? runtime.now() + 1us : batchwright::kNever}));
          if (i % 5 == 0) tickets.back().cancel();
        }
      }));
    }
    MetricsSnapshot before;
    for (int look = 0; look < 20; ++look) {
      const MetricsSnapshot now = batcher.metrics();
      for (const auto kind : batchwright::detail::kMetricsClasses) {
        for (const ClassMetrics& one : now.*kind) {
          ASSERT_LE(one.answered(), one.accepted);
          ASSERT_LE(one.queued, one.accepted);
        }
        for (const ClassMetrics& one : before.*kind) {
          const ClassMetrics& later = class_of(now.*kind, one.label);
          for (const auto counter : batchwright::detail::kClassCounters) {
            ASSERT_GE(later.*counter, one.*counter);
          }
        }
      }
      before = now;
      if (look % 5 == 0) runtime.advance(1us);
    }
    for (TestThread& thread : threads) thread.join();
    runtime.advance(1us);
    ASSERT_TRUE(batcher.wait_idle());
    const MetricsSnapshot metrics = batcher.metrics();
    ASSERT_EQ(metrics.unaccounted(), 0);
    for (const auto kind : batchwright::detail::kMetricsClasses) {
      const batchwright::ClassCounts sum = sum_of(metrics.*kind);
      ASSERT_EQ(sum.accepted, metrics.accepted);
      ASSERT_EQ(sum.queued, 0u);
      ASSERT_EQ(sum.completed, metrics.completed);
      ASSERT_EQ(sum.completed_late, metrics.completed_late);
      ASSERT_EQ(sum.failed, metrics.failed);
      ASSERT_EQ(sum.expired, metrics.expired);
      ASSERT_EQ(sum.cancelled, metrics.cancelled);
      ASSERT_EQ(sum.would_expire, metrics.would_expire);
      ASSERT_EQ(sum.evicted, metrics.evicted);
      ASSERT_EQ(sum.queue_wait.count(), metrics.queue_wait.count());
      ASSERT_EQ(sum.queue_wait.sum(), metrics.queue_wait.sum());
    }
    given_up += metrics.would_expire;
  });
  EXPECT_GT(given_up, 0u);
}

// --- The name

TEST(BatcherName, IsInItsMetricsAndToldToItsObserverFirst) {
  struct Scribe : batchwright::Observer {
    std::vector<std::string> lines;
    void on_attached(const batchwright::AttachedEvent& event) noexcept override {
      lines.push_back("attached to " + std::string(event.name));
    }
    void on_admitted(const batchwright::AdmittedEvent&) noexcept override {
      lines.push_back("admitted");
    }
  };
  TestRuntime runtime;
  Calls calls;
  const auto scribe = std::make_shared<Scribe>();
  Batcher batcher(doubler(runtime, calls), {.name = "rank", .observer = scribe}, runtime);
  EXPECT_EQ(batcher.metrics().name, "rank");
  auto ticket = batcher.submit(1, use_ticket);
  EXPECT_EQ(scribe->lines, (std::vector<std::string>{"attached to rank", "admitted"}));
  runtime.settle();
}

TEST(BatcherName, IsTheTimelinesUnlessItHasItsOwn) {
  TestRuntime runtime;
  Calls calls;
  const auto unnamed = std::make_shared<batchwright::TimelineRecorder>();
  const auto named = std::make_shared<batchwright::TimelineRecorder>("mine");
  EXPECT_NE(unnamed->json().find("\"batcher\":\"batchwright\""), std::string::npos);
  for (const auto& recorder : {unnamed, named}) {
    const Batcher batcher(doubler(runtime, calls), {.name = "rank", .observer = recorder}, runtime);
  }
  EXPECT_NE(unnamed->json().find("\"batcher\":\"rank\""), std::string::npos);
  EXPECT_NE(named->json().find("\"batcher\":\"mine\""), std::string::npos);
}

}  // namespace
