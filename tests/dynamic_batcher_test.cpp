// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <future>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::ReleaseReason;
using batchwright::ThreadInfo;
using batchwright::TimePoint;
using batchwright::TimePolicy;
using batchwright::use_ticket;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;

// A window longer than any test, so that only what the test is about makes a batch leave.
constexpr TimePolicy kPatient{.max_wait = 900ms};

TEST(DynamicBatcher, FourRequestsAtOnceMakeOneBatchAndEachGetsItsOwnResult) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                              {.max_batch_size = 4, .policy = {.max_wait = 50ms}});
    std::vector<std::future<int>> results(4);
    std::vector<TestRuntime::Thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(runtime.start([&batcher, &result = results[static_cast<std::size_t>(i)],
                                       input = i + 1] { result = batcher.submit(input); }));
    }
    runtime.settle();
    for (auto& client : clients) client.join();

    EXPECT_EQ(calls.sizes(), Sizes{4});
    EXPECT_EQ(runtime.elapsed(), 0ms);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), 2 * (i + 1));
    }
  });
}

TEST(DynamicBatcher, ThreeRequestsLeaveWhenTheWindowEnds) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                            {.max_batch_size = 4, .policy = {.max_wait = 50ms}});
  std::vector<std::future<int>> results = batcher.submit_many(Values{1, 2, 3});
  EXPECT_EQ(runtime.advance(50ms - 1ns), 0u);
  EXPECT_EQ(calls.count(), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_EQ(calls.sizes(), Sizes{3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), 2 * (i + 1));
}

TEST(DynamicBatcher, TheEverydayTypeTakesAnyPolicy) {
  batchwright::DynamicBatcher<int, int> batcher(
      [](std::span<const int> inputs) { return Values(inputs.begin(), inputs.end()); },
      {.max_batch_size = 2, .policy = batchwright::SizePolicy{.size = 2}});
  std::future<int> first = batcher.submit(1);
  std::future<int> second = batcher.submit(2);
  EXPECT_EQ(first.get(), 1);
  EXPECT_EQ(second.get(), 2);
}

// Construction.

TEST(DynamicBatcher, TheStartHookRunsOnEachThreadBeforeThePredictorIsMade) {
  TestRuntime runtime;
  std::vector<std::string> hooks;
  std::vector<std::thread::id> threads;
  {
    const TestBatcher<int, int> batcher(
        batchwright::predictor_per_executor([&](std::size_t executor) {
          hooks.push_back("predictor " + std::to_string(executor));
          threads.push_back(std::this_thread::get_id());
          return [](std::span<const int> inputs) { return Values(inputs.size()); };
        }),
        {.executors = 2, .name = "digits", .on_thread_start = [&](const ThreadInfo& info) {
           hooks.push_back(info.name + (info.role == ThreadInfo::Role::executor
                                            ? " executor " + std::to_string(info.index)
                                            : " dispatcher"));
           threads.push_back(std::this_thread::get_id());
         }});
  }
  EXPECT_EQ(hooks,
            (std::vector<std::string>{"digits executor 0", "predictor 0", "digits executor 1",
                                      "predictor 1", "digits dispatcher"}));
  ASSERT_EQ(threads.size(), 5u);
  EXPECT_EQ(threads[0], threads[1]);
  EXPECT_EQ(threads[2], threads[3]);
  std::sort(threads.begin(), threads.end());
  EXPECT_EQ(std::unique(threads.begin(), threads.end()) - threads.begin(), 3);
}

// pause, resume, flush, wait_idle.

TEST(DynamicBatcher, PauseStopsDispatchAndResumeGoesOnAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.pause();
  std::future<int> result = batcher.submit(1);
  EXPECT_EQ(runtime.advance(1h), 0u);
  EXPECT_EQ(calls.count(), 0u);
  batcher.resume();
  EXPECT_EQ(runtime.advance(0ns), 0u);
  EXPECT_EQ(result.get(), 2);
  EXPECT_EQ(calls.all.at(0).at, runtime.now());
}

TEST(DynamicBatcher, PauseLetsARunningBatchFinish) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  std::future<int> running = batcher.submit(1);
  runtime.settle();
  batcher.pause();
  std::future<int> queued = batcher.submit(2);
  runtime.advance(1h);
  EXPECT_EQ(running.get(), 2);
  EXPECT_FALSE(is_ready(queued));
  batcher.resume();
  runtime.advance(5ms);
  EXPECT_EQ(queued.get(), 4);
}

TEST(DynamicBatcher, PauseAndResumeMayBeRepeated) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.resume();
  batcher.pause();
  batcher.pause();
  std::future<int> result = batcher.submit(1);
  runtime.settle();
  EXPECT_FALSE(is_ready(result));
  batcher.resume();
  runtime.settle();
  EXPECT_TRUE(is_ready(result));
}

TEST(DynamicBatcher, FlushMakesAllThatIsQueuedLeaveAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                            {.max_batch_size = 8, .policy = kPatient});
  const auto results = batcher.submit_many(Values{1, 2, 3});
  EXPECT_EQ(runtime.advance(1ms), 0u);
  batcher.flush();
  EXPECT_EQ(runtime.advance(0ns), 0u);
  EXPECT_EQ(calls.sizes(), Sizes{3});
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.batches[ReleaseReason::flush], 1u);
  EXPECT_EQ(metrics.batches.total(), 1u);
}

TEST(DynamicBatcher, WhatComesAfterAFlushWaitsForItsOwnWindow) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                            {.policy = {.max_wait = 10ms}});
  std::future<int> first = batcher.submit(1);
  batcher.flush();
  runtime.settle();
  std::future<int> second = batcher.submit(2);
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_TRUE(is_ready(first));
  EXPECT_FALSE(is_ready(second));
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_TRUE(is_ready(second));
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::time], 1u);
}

TEST(DynamicBatcher, AFlushWhilePausedActsAfterTheResume) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls), {.policy = kPatient});
  batcher.pause();
  std::future<int> result = batcher.submit(1);
  batcher.flush();
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  batcher.resume();
  runtime.settle();
  EXPECT_TRUE(is_ready(result));
}

TEST(DynamicBatcher, WaitIdleReturnsWhenTheLastBatchIsAnswered) {
  for_each_seed(20,
                [](TestRuntime& runtime) {
                  Calls calls;
                  TestBatcher<int, int, TimePolicy> batcher(
                      doubler(runtime, calls, 5ms),
                      {.max_batch_size = 2, .policy = {.max_wait = 1ms}});
                  const auto results = batcher.submit_many(Values{1, 2, 3});
                  EXPECT_TRUE(batcher.wait_idle());
                  EXPECT_EQ(runtime.elapsed(), 10ms);
                  for (const auto& result : results) EXPECT_TRUE(is_ready(result));
                },
                {.time = batchwright::testing::TimeMode::automatic});
}

TEST(DynamicBatcher, WaitIdleGivesUpAtItsLimitAndNotBefore) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  std::future<int> result = batcher.submit(1);
  EXPECT_FALSE(batcher.wait_idle(runtime.now() + 4ms));
  EXPECT_EQ(runtime.elapsed(), 4ms);
  EXPECT_TRUE(batcher.wait_idle(runtime.now() + 4ms));
  EXPECT_EQ(runtime.elapsed(), 5ms);
  EXPECT_EQ(result.get(), 2);
}

TEST(DynamicBatcher, WaitIdleOfAnIdleBatcherReturnsAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  EXPECT_TRUE(batcher.wait_idle(runtime.now() + 1h));
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(runtime.elapsed(), 0ms);
}

TEST(DynamicBatcher, WaitIdleWithALimitOfNowDoesNotWait) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.pause();
  std::future<int> result = batcher.submit(1);
  runtime.settle();
  batcher.resume();
  EXPECT_FALSE(batcher.wait_idle(runtime.now()));
  EXPECT_EQ(runtime.elapsed(), 0ms);
}

TEST(DynamicBatcher, WhilePausedWaitIdleWaitsForWhatExecutesAlone) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  std::future<int> running = batcher.submit(1);
  runtime.settle();
  batcher.pause();
  std::future<int> queued = batcher.submit(2);
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(runtime.elapsed(), 5ms);
  EXPECT_TRUE(is_ready(running));
  EXPECT_FALSE(is_ready(queued));
}

TEST(DynamicBatcher, SeveralThreadsMayWaitForIdleAtOnce) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
    std::future<int> result = batcher.submit(1);
    int idle = 0;
    std::vector<TestRuntime::Thread> waiters;
    for (int i = 0; i < 3; ++i) {
      waiters.push_back(runtime.start([&] { idle += batcher.wait_idle(); }));
    }
    runtime.settle();
    EXPECT_EQ(idle, 0);
    runtime.advance(5ms);
    EXPECT_EQ(idle, 3);
    for (auto& waiter : waiters) waiter.join();
  });
}

TEST(DynamicBatcher, WaitIdleAfterAShutdownReturnsAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.shutdown();
  EXPECT_TRUE(batcher.wait_idle());
}

// Priorities.

TEST(DynamicBatcher, HigherPrioritiesLeaveFirstWhateverTheOrderOfTheirArrival) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.max_batch_size = 2});
  batcher.pause();
  std::vector<std::future<int>> results;
  for (const auto& [input, priority] : std::vector<std::pair<int, int>>{
           {1, 0}, {2, -5}, {3, 7}, {4, 0}, {5, 2'000'000'000}, {6, -2'000'000'000}}) {
    results.push_back(batcher.submit(input, {.priority = priority}));
  }
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.inputs(), (Values{5, 3, 1, 4, 2, 6}));
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{2, 2, 2}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), 2 * (i + 1));
}

// Capacity.

TEST(DynamicBatcher, AFullQueueRejectsAtOnceAndTakesAgainWhatHasRoom) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 2});
  batcher.pause();
  std::future<int> first = batcher.submit(1);
  std::future<int> second = batcher.submit(2);
  std::future<int> third = batcher.submit(3);
  ASSERT_TRUE(is_ready(third));
  EXPECT_THROW(third.get(), batchwright::QueueFullError);
  batcher.resume();
  runtime.settle();
  std::future<int> fourth = batcher.submit(4);
  runtime.settle();
  EXPECT_EQ(first.get() + second.get() + fourth.get(), 2 + 4 + 8);
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.submitted, 4u);
  EXPECT_EQ(metrics.accepted, 3u);
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 1u);
  EXPECT_EQ(metrics.completed, 3u);
}

TEST(DynamicBatcher, CapacityCountsWhatIsQueuedAndNotWhatIsComputed) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms), {.max_batch_size = 2, .capacity = 2});
  const auto running = batcher.submit_many(Values{1, 2});
  runtime.settle();
  const auto queued = batcher.submit_many(Values{3, 4});
  EXPECT_EQ(batcher.try_submit(5, use_ticket).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.metrics().executing, 2u);
  EXPECT_EQ(batcher.metrics().queued, 2u);
  runtime.advance(10ms);
  for (const auto& future : queued) EXPECT_TRUE(is_ready(future));
}

TEST(DynamicBatcher, ExpiryAndCancellationGiveTheirRoomBack) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 2});
  batcher.pause();
  auto expires = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 1ms});
  auto cancelled = batcher.submit(2, use_ticket);
  EXPECT_FALSE(batcher.try_submit(3));
  cancelled.cancel();
  runtime.settle();
  auto third = batcher.try_submit(3);
  EXPECT_TRUE(third);
  EXPECT_FALSE(batcher.try_submit(4));
  runtime.advance(1ms);
  auto fourth = batcher.try_submit(4);
  EXPECT_TRUE(fourth);
  EXPECT_FALSE(batcher.try_submit(5));
}

TEST(DynamicBatcher, BytesAreBoundedAsTheirFunctionCountsThem) {
  TestRuntime runtime;
  TestBatcher<std::string, std::size_t> batcher(
      [](std::span<const std::string> inputs) {
        std::vector<std::size_t> sizes;
        for (const std::string& input : inputs) sizes.push_back(input.size());
        return sizes;
      },
      {.max_queued_bytes = 10, .bytes = [](const std::string& text) { return text.size(); }});
  batcher.pause();
  EXPECT_EQ(batcher.try_submit(std::string(11, 'x')).outcome(), Outcome::too_large);
  auto six = batcher.try_submit(std::string(6, 'x'));
  ASSERT_TRUE(six);
  EXPECT_EQ(batcher.try_submit(std::string(5, 'x')).outcome(), Outcome::queue_full);
  auto four = batcher.try_submit(std::string(4, 'x'));
  ASSERT_TRUE(four);
  auto nothing = batcher.try_submit(std::string());
  ASSERT_TRUE(nothing);
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(six->get(), 6u);
  EXPECT_EQ(four->get(), 4u);
  EXPECT_EQ(nothing->get(), 0u);
  EXPECT_TRUE(batcher.try_submit(std::string(10, 'x')));
}

TEST(DynamicBatcher, ABlockedSubmitTakesTheFirstRoomThatComes) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(
        doubler(runtime, calls, 5ms),
        {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block});
    std::future<int> running = batcher.submit(1);
    runtime.settle();
    std::future<int> queued = batcher.submit(2);
    std::future<int> blocked;
    TimePoint admitted{};
    auto client = runtime.start([&] {
      blocked = batcher.submit(3);
      admitted = runtime.now();
    });
    runtime.settle();
    EXPECT_EQ(batcher.metrics().blocked, 1u);
    runtime.advance(15ms);
    client.join();
    EXPECT_EQ(admitted, runtime.now() - 10ms);
    EXPECT_EQ(calls.inputs(), (Values{1, 2, 3}));
    EXPECT_EQ(blocked.get(), 6);
    EXPECT_EQ(batcher.metrics().blocked, 0u);
  });
}

TEST(DynamicBatcher, BlockedSubmitsAreServedInTheOrderOfTheirCalls) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(
        doubler(runtime, calls, 1ms),
        {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block});
    std::vector<TestRuntime::Thread> clients;
    std::vector<std::future<int>> results(5);
    for (int i = 0; i < 5; ++i) {
      clients.push_back(runtime.start([&batcher, &result = results[static_cast<std::size_t>(i)],
                                       i] { result = batcher.submit(i); }));
      runtime.settle();
    }
    runtime.advance(5ms);
    for (auto& client : clients) client.join();
    EXPECT_EQ(calls.inputs(), (Values{0, 1, 2, 3, 4}));
  });
}

TEST(DynamicBatcher, ABlockedSubmitGivesUpExactlyAtMaxBlock) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(
      doubler(runtime, calls),
      {.capacity = 1, .overflow = OverflowAction::block, .max_block = 3ms});
  batcher.pause();
  std::future<int> queued = batcher.submit(1);
  std::future<int> refused = batcher.submit(2);
  EXPECT_EQ(runtime.elapsed(), 3ms);
  EXPECT_EQ(outcome_of(runtime, refused), Outcome::queue_full);
  EXPECT_EQ(batcher.metrics().rejected[Outcome::queue_full], 1u);
}

TEST(DynamicBatcher, ABlockedSubmitObeysItsOwnDeadlineAndStop) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls),
                                {.capacity = 1, .overflow = OverflowAction::block});
  batcher.pause();
  std::future<int> queued = batcher.submit(1);
  batchwright::StopSource source;
  std::future<int> expired;
  std::future<int> stopped;
  auto first =
      runtime.start([&] { expired = batcher.submit(2, {.deadline = runtime.now() + 2ms}); });
  auto second = runtime.start([&] { stopped = batcher.submit(3, {.stop = source.get_token()}); });
  EXPECT_EQ(runtime.advance(2ms - 1ns), 0u);
  EXPECT_EQ(batcher.metrics().blocked, 2u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  first.join();
  EXPECT_EQ(outcome_of(runtime, expired), Outcome::expired);
  EXPECT_EQ(batcher.metrics().blocked, 1u);
  source.request_stop();
  runtime.settle();
  second.join();
  EXPECT_EQ(outcome_of(runtime, stopped), Outcome::cancelled);
  EXPECT_EQ(batcher.metrics().rejected[Outcome::expired], 1u);
  EXPECT_EQ(batcher.metrics().rejected[Outcome::cancelled], 1u);
}

TEST(DynamicBatcher, ANewcomerDoesNotOvertakeWhoIsBlocked) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(
      doubler(runtime, calls, 1ms),
      {.max_batch_size = 4, .capacity = 4, .overflow = OverflowAction::block});
  batcher.pause();
  const auto queued = batcher.submit_many(Values{1, 2});
  std::vector<std::future<int>> blocked;
  auto client = runtime.start([&] { blocked = batcher.submit_many(Values{3, 4, 5}); });
  runtime.settle();
  // There is room for one more, but those three came first.
  EXPECT_EQ(batcher.try_submit(6).outcome(), Outcome::queue_full);
  batcher.resume();
  runtime.advance(2ms);
  client.join();
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 3, 4, 5}));
}

TEST(DynamicBatcher, OfSeveralFreeExecutorsTheOneThatHasBeenTheFastestComputes) {
  TestRuntime runtime;
  Sizes used;  // Executors.
  TestBatcher<int, int> batcher(batchwright::predictor_per_executor([&](std::size_t executor) {
                                  return [&, executor](std::span<const int> inputs) {
                                    used.push_back(executor);
                                    work_for(runtime, executor == 1 ? 2ms : 5ms);
                                    return Values(inputs.begin(), inputs.end());
                                  };
                                }),
                                {.max_batch_size = 1, .executors = 3}, runtime);
  auto all = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  EXPECT_EQ(used.size(), 3u);
  runtime.advance(5ms);
  for (int i = 0; i < 3; ++i) {
    auto alone = batcher.submit(i, use_ticket);
    runtime.advance(2ms);
    EXPECT_TRUE(alone.ready());
  }
  EXPECT_EQ(Sizes(used.begin() + 3, used.end()), (Sizes{1, 1, 1}));
}

}  // namespace
