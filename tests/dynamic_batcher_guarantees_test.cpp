// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <stdexcept>
#include <vector>

// The guarantees, each by its number. Number 5 is in dynamic_batcher_latency_test.cpp, 7 and 8 in
// dynamic_batcher_inputs_test.cpp, 9 and 10 in dynamic_batcher_failures_test.cpp, 11 in
// dynamic_batcher_shutdown_test.cpp, 12 and 13 in dynamic_batcher_cost_test.cpp.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Decision;
using batchwright::Outcome;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::Result;
using batchwright::ShutdownMode;
using batchwright::StopSource;
using batchwright::TimePoint;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;

constexpr TimePolicy kPatient{.max_wait = 900ms};

// 1. Exactly one answer.

TEST(Guarantee, EveryAcceptedRequestIsAnsweredExactlyOnce) {
  for_each_seed(60,
                [](TestRuntime& runtime) {
                  constexpr int kThreads = 3;
                  constexpr int kRequests = 12;
                  struct Entry {
                    bool accepted = false;
                    int answers = 0;
                    Outcome outcome = Outcome::ok;
                  };
                  std::array<Entry, kThreads * kRequests> entries;
                  batchwright::MetricsSnapshot metrics;
                  {
                    TestBatcher<int, int, TimePolicy> batcher(
                        [&](std::span<const int> inputs) {
                          work_for(runtime, 1ms);
                          if (inputs[0] % 5 == 0) throw std::runtime_error("model failure");
                          return Values(inputs.size() + (inputs[0] % 7 == 0), 1);
                        },
                        {.max_batch_size = 3, .policy = {.max_wait = 1ms}, .capacity = 8});
                    std::array<StopSource, kThreads> sources;
                    std::vector<TestRuntime::Thread> clients;
                    for (int thread = 0; thread < kThreads; ++thread) {
                      clients.push_back(runtime.start([&, thread] {
                        for (int i = 0; i < kRequests; ++i) {
                          const int input = thread * kRequests + i;
                          Entry& entry = entries[static_cast<std::size_t>(input)];
                          const auto deadline =
                              i % 4 == 3 ? runtime.now() + 1500us : batchwright::kNever;
                          const auto admitted = batcher.submit(
                              input,
                              [&entry](const Result<int>& result) {
                                ++entry.answers;
                                entry.outcome = result.outcome();
                              },
                              {.priority = i % 2,
                               .deadline = deadline,
                               .stop = sources[static_cast<std::size_t>(thread)].get_token()});
                          entry.accepted = static_cast<bool>(admitted);
                          if (i % 3 == 0) work_for(runtime, 500us);
                        }
                        if (thread == 1) sources[1].request_stop();
                      }));
                    }
                    for (auto& client : clients) client.join();
                    batcher.shutdown({.mode = ShutdownMode::abandon});
                    metrics = batcher.metrics();
                  }
                  std::uint64_t accepted = 0;
                  for (const Entry& entry : entries) {
                    EXPECT_EQ(entry.answers, entry.accepted ? 1 : 0);
                    accepted += entry.accepted;
                  }
                  EXPECT_EQ(metrics.accepted, accepted);
                  EXPECT_EQ(metrics.answered(), accepted);
                  EXPECT_EQ(metrics.submitted, entries.size());
                  EXPECT_EQ(metrics.unaccounted(), 0);
                },
                {.time = TimeMode::automatic});
}

// 2. The cap.

struct ReleasesTooMuch {
  Decision decide(const QueueView&) const noexcept {
    return Decision::release(batchwright::kNoCount, ReleaseReason::greedy);
  }
};

TEST(Guarantee, ABatchNeverExceedsTheHardCapWhateverThePolicySays) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, ReleasesTooMuch> batcher(doubler(runtime, calls), {.max_batch_size = 7});
  const auto results = batcher.submit_many(Values(23, 1));
  runtime.settle();
  EXPECT_EQ(calls.sizes(), (Sizes{7, 7, 7, 2}));
}

// 3. Order of one thread.

TEST(Guarantee, RequestsOfOneThreadAndPriorityLeaveInTheOrderOfTheirSubmitCalls) {
  for_each_seed(60, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls), {.max_batch_size = 4});
    std::vector<TestRuntime::Thread> clients;
    for (int thread = 0; thread < 3; ++thread) {
      clients.push_back(runtime.start([&batcher, thread] {
        for (int i = 0; i < 10; ++i) {
          static_cast<void>(batcher.submit(1000 * thread + i, use_ticket, {.priority = i % 2}));
        }
      }));
    }
    for (auto& client : clients) client.join();
    runtime.settle();
    const Values order = calls.inputs();
    EXPECT_EQ(order.size(), 30u);
    for (int lane = 0; lane < 6; ++lane) {
      Values mine;
      std::copy_if(order.begin(), order.end(), std::back_inserter(mine),
                   [&](int input) { return input / 1000 == lane / 2 && input % 2 == lane % 2; });
      EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    }
  });
}

// 4. Priorities and the overtaking bound.

TEST(Guarantee, HigherPrioritiesGoFirstAndOvertakeNoMoreOftenThanTheBound) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls),
                                {.max_batch_size = 1, .overtaking_bound = 2});
  batcher.pause();
  std::vector<TestTicket<int>> tickets;
  tickets.push_back(batcher.submit(0, use_ticket));
  for (int i = 1; i <= 5; ++i) tickets.push_back(batcher.submit(i, use_ticket, {.priority = 1}));
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 0, 3, 4, 5}));
}

TEST(Guarantee, ARequestAtTheOvertakingBoundIsDueAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime, calls), {.max_batch_size = 2, .policy = kPatient, .overtaking_bound = 2});
  auto low = batcher.submit(0, use_ticket);
  batcher.pause();
  const auto high = batcher.submit_many(Values{1, 2}, use_ticket, {.priority = 1});
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 0}));
  EXPECT_EQ(runtime.elapsed(), 0ms);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::overtaken], 1u);
}

// 6. The point of no return.

TEST(Guarantee, WhileEveryExecutorIsBusyDeadlinesAreAnsweredExactlyOnTime) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 50ms));
  auto running = batcher.submit(1, use_ticket);
  runtime.settle();
  auto expiring = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 10ms});
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_FALSE(expiring.ready());
  EXPECT_EQ(runtime.advance(1ns), 1u);
  ASSERT_TRUE(expiring.ready());
  const Result<int> result = expiring.result();
  EXPECT_EQ(result.outcome(), Outcome::expired);
  EXPECT_EQ(result.timing().answered, runtime.now());
  EXPECT_FALSE(running.ready());
  runtime.advance(40ms);
  EXPECT_FALSE(calls.saw(2));
}

TEST(Guarantee, WhileEveryExecutorIsBusyCancellationsAreAnsweredAtOnce) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 50ms));
  StopSource source;
  auto running = batcher.submit(1, use_ticket);
  runtime.settle();
  auto first = batcher.submit(2, use_ticket);
  auto second = batcher.submit(3, use_ticket, {.stop = source.get_token()});
  EXPECT_TRUE(first.cancel());
  source.request_stop();
  EXPECT_EQ(runtime.advance(0ns), 0u);
  ASSERT_TRUE(first.ready());
  ASSERT_TRUE(second.ready());
  EXPECT_EQ(first.result().outcome(), Outcome::cancelled);
  EXPECT_EQ(second.result().outcome(), Outcome::cancelled);
  EXPECT_FALSE(running.ready());
  runtime.advance(50ms);
  EXPECT_EQ(calls.inputs(), Values{1});
}

TEST(Guarantee, WhilePausedDeadlinesAndCancellationsAreAnsweredOnTime) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.pause();
  auto expiring = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 10ms});
  auto cancelled = batcher.submit(2, use_ticket);
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_FALSE(expiring.ready());
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_TRUE(expiring.ready());
  cancelled.cancel();
  runtime.settle();
  EXPECT_TRUE(cancelled.ready());
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
}

TEST(Guarantee, InlineDeadlinesAndCancellationsAreAnsweredWhenTheRunningBatchEnds) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 50ms), {.executors = 0});
  const TimePoint start = runtime.now();
  auto running = batcher.submit(1, use_ticket);
  runtime.settle();
  auto expiring = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 10ms});
  auto cancelled = batcher.submit(3, use_ticket);
  EXPECT_TRUE(cancelled.cancel());
  EXPECT_EQ(runtime.advance(50ms - 1ns), 0u);
  EXPECT_FALSE(expiring.ready());
  EXPECT_FALSE(cancelled.ready());
  EXPECT_EQ(runtime.advance(1ns), 1u);
  ASSERT_TRUE(expiring.ready());
  ASSERT_TRUE(cancelled.ready());
  const Result<int> result = expiring.result();
  EXPECT_EQ(result.outcome(), Outcome::expired);
  EXPECT_EQ(result.timing().answered, start + 50ms);
  EXPECT_EQ(cancelled.result().outcome(), Outcome::cancelled);
  EXPECT_EQ(calls.inputs(), Values{1});
}

TEST(Guarantee, ARequestExpiresAtTheVeryInstantAtWhichItWouldBeDispatched) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                            {.policy = {.max_wait = 10ms}});
  auto expiring = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 10ms});
  auto computed = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 10ms + 1ns});
  runtime.advance(10ms);
  EXPECT_EQ(expiring.result().outcome(), Outcome::expired);
  EXPECT_EQ(computed.result().outcome(), Outcome::ok);
  EXPECT_EQ(calls.inputs(), Values{2});
}

TEST(Guarantee, ADeadlineThatPassesBetweenDispatchAndThePredictorIsKept) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    TestBatcher<int, int, TimePolicy> batcher(
        doubler(runtime, calls), {.policy = {.max_wait = 10ms}, .executors = executors});
    const TimePoint start = runtime.now();
    // The first expires as the batch becomes due, and its callback keeps the dispatcher for a while.
    ASSERT_TRUE(batcher.submit(1, [&](const Result<int>&) { work_for(runtime, 5ms); },
                               {.deadline = start + 10ms}));
    auto second = batcher.submit(2, use_ticket, {.deadline = start + 12ms});
    auto third = batcher.submit(3, use_ticket, {.deadline = start + 16ms});
    runtime.advance(20ms);
    EXPECT_EQ(second.result().outcome(), Outcome::expired);
    EXPECT_EQ(third.get(), 6);
    EXPECT_EQ(calls.inputs(), Values{3});
  }
}

TEST(Guarantee, OncePredictionHasBegunTheAnswerComesEvenIfLate) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 50ms));
  StopSource source;
  auto late =
      batcher.submit(1, use_ticket, {.deadline = runtime.now() + 10ms, .stop = source.get_token()});
  runtime.settle();
  source.request_stop();
  EXPECT_FALSE(late.cancel());
  runtime.advance(50ms);
  EXPECT_EQ(late.get(), 2);
  EXPECT_EQ(batcher.metrics().completed_late, 1u);
}

TEST(Guarantee, ARequestIsCancelledIfAndOnlyIfItsCancellationWins) {
  std::size_t won = 0;
  std::size_t lost = 0;
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(80, [&](TestRuntime& runtime) {
      Calls calls;
      TestBatcher<int, int> batcher(doubler(runtime, calls), {.executors = executors});
      auto ticket = batcher.submit(1, use_ticket);
      for (int i = 0; i < 8; ++i) runtime.interleave("before the cancellation");
      const bool cancelled = ticket.cancel();
      EXPECT_FALSE(ticket.cancel());
      runtime.settle();
      ASSERT_TRUE(ticket.ready());
      EXPECT_EQ(ticket.result().outcome(), cancelled ? Outcome::cancelled : Outcome::ok);
      EXPECT_EQ(calls.saw(1), !cancelled);
      EXPECT_EQ(batcher.metrics().cancelled, cancelled ? 1u : 0u);
      EXPECT_EQ(batcher.metrics().unaccounted(), 0);
      ++(cancelled ? won : lost);
    });
  }
  // Both ends of the race were seen.
  EXPECT_GE(won, 10u);
  EXPECT_GE(lost, 10u);
}

TEST(Guarantee, ARequestThatWasDispatchedIsCancelledAsLongAsItHasNotStarted) {
  std::size_t won = 0;
  for_each_seed(80, [&](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    auto ticket = batcher.submit(1, use_ticket);
    while (batcher.metrics().queued > 0) runtime.interleave("until it is dispatched");
    const bool cancelled = ticket.cancel();
    EXPECT_EQ(ticket.result().outcome(), cancelled ? Outcome::cancelled : Outcome::ok);
    EXPECT_EQ(calls.saw(1), !cancelled);
    won += cancelled;
  });
  EXPECT_GE(won, 10u);
}

TEST(Guarantee, AnExpiredOrCancelledRequestIsNeverComputed) {
  std::size_t expired = 0;
  std::size_t cancelled = 0;
  for_each_seed(60, [&](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls, 1ms), {.max_batch_size = 2});
    StopSource source;
    std::vector<TestTicket<int>> tickets;
    for (int i = 0; i < 8; ++i) {
      tickets.push_back(batcher.submit(
          i, use_ticket,
          {.deadline = runtime.now() + (i % 4) * 1ms + 500us, .stop = source.get_token()}));
    }
    auto canceller = runtime.start([&] {
      work_for(runtime, 1ms);
      source.request_stop();
    });
    runtime.advance(10ms);
    canceller.join();
    for (int i = 0; i < 8; ++i) {
      const Outcome outcome = tickets[static_cast<std::size_t>(i)].result().outcome();
      EXPECT_EQ(calls.saw(i), outcome == Outcome::ok);
      expired += outcome == Outcome::expired;
      cancelled += outcome == Outcome::cancelled;
    }
  });
  EXPECT_GE(expired, 10u);
  EXPECT_GE(cancelled, 10u);
}

}  // namespace
