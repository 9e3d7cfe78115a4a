// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

// The guarantee about instants, and who wakes whom.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Decision;
using batchwright::Outcome;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::TimePoint;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;

// 5. Exact instants.

TEST(Guarantee, APartialBatchIsDispatchedExactlyAtThePolicysBoundForItsOldestRequest) {
  for (const std::size_t executors : {0u, 1u, 2u}) {
    TestRuntime runtime;
    Calls calls;
    TestBatcher<int, int, TimePolicy> batcher(
        batchwright::shared_predictor(doubler(runtime, calls)),
        {.max_batch_size = 8, .policy = {.max_wait = 10ms}, .executors = executors});
    const TimePoint start = runtime.now();
    auto first = batcher.submit(1, use_ticket);
    EXPECT_EQ(runtime.advance(7ms), 0u);
    auto second = batcher.submit(2, use_ticket);
    EXPECT_EQ(runtime.advance(3ms - 1ns), 0u);
    EXPECT_EQ(calls.count(), 0u);
    EXPECT_EQ(runtime.advance(1ns), 1u);
    EXPECT_EQ(calls.sizes(), Sizes{2});
    EXPECT_EQ(calls.all.at(0).at, start + 10ms);
  }
}

TEST(Guarantee, ABatchThatIsDueLeavesAtTheInstantAnExecutorBecomesFree) {
  for (const std::size_t executors : {0u, 1u, 2u}) {
    for_each_seed(10, [&](TestRuntime& runtime) {
      Calls calls;
      TestBatcher<int, int, TimePolicy> batcher(
          batchwright::shared_predictor(doubler(runtime, calls, 25ms)),
          {.max_batch_size = 2, .policy = {.max_wait = 10ms}, .executors = executors});
      const TimePoint start = runtime.now();
      const std::size_t busy = std::max<std::size_t>(executors, 1);
      const auto running = batcher.submit_many(Values(2 * busy), use_ticket);
      EXPECT_EQ(runtime.advance(1ms), 0u);
      auto waiting = batcher.submit(7, use_ticket);
      // Its window ends at 11 ms, while every executor is busy: nobody wakes for that.
      EXPECT_EQ(runtime.advance(24ms - 1ns), 0u);
      EXPECT_EQ(calls.count(), busy);
      EXPECT_EQ(runtime.advance(1ns), busy);
      EXPECT_EQ(calls.count(), busy + 1);
      EXPECT_EQ(calls.all.back().at, start + 25ms);
      EXPECT_EQ(calls.all.back().inputs, Values{7});
      runtime.advance(25ms);
    });
  }
}

TEST(Guarantee, AnExecutorThatIsFreeBeforeTheWindowEndsWaitsForItsEnd) {
  for_each_seed(10, [&](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls, 5ms),
                                              {.max_batch_size = 2, .policy = {.max_wait = 10ms}});
    const TimePoint start = runtime.now();
    const auto running = batcher.submit_many(Values{1, 2}, use_ticket);
    EXPECT_EQ(runtime.advance(1ms), 0u);
    auto waiting = batcher.submit(3, use_ticket);
    runtime.advance(10ms);
    EXPECT_EQ(calls.count(), 2u);
    EXPECT_EQ(calls.all.back().at, start + 11ms);
    runtime.advance(5ms);
  });
}

TEST(Guarantee, TheNetCatchesARequestThatThePolicyWouldKeepForEver) {
  struct WaitsForEver {
    Decision decide(const QueueView&) const noexcept { return Decision::wait(batchwright::kNever); }
  };
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, WaitsForEver> batcher(doubler(runtime, calls), {.max_wait = 30ms});
  auto ticket = batcher.submit(1, use_ticket);
  EXPECT_EQ(runtime.advance(30ms - 1ns), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_TRUE(ticket.ready());
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::net], 1u);
}

TEST(Guarantee, AHybridBatchLeavesAtItsSizeOrAtTheEndOfItsWindow) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, batchwright::HybridPolicy> batcher(
      doubler(runtime, calls), {.max_batch_size = 8, .policy = {.size = 3, .max_wait = 10ms}});
  const TimePoint start = runtime.now();
  const auto full = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  EXPECT_EQ(runtime.advance(4ms), 0u);
  auto partial = batcher.submit(4, use_ticket);
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  ASSERT_EQ(calls.sizes(), (Sizes{3, 1}));
  EXPECT_EQ(calls.all[0].at, start);
  EXPECT_EQ(calls.all[1].at, start + 14ms);
}

TEST(Guarantee, TheTimingOfAResultIsExact) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls, 7ms),
                                            {.max_batch_size = 8, .policy = {.max_wait = 10ms}});
  const TimePoint start = runtime.now();
  auto first = batcher.submit(1, use_ticket);
  runtime.advance(4ms);
  auto second = batcher.submit(2, use_ticket);
  runtime.advance(20ms);
  const auto early = first.result().timing();
  const auto late = second.result().timing();
  EXPECT_EQ(early.enqueued, start);
  EXPECT_EQ(late.enqueued, start + 4ms);
  for (const auto& timing : {early, late}) {
    EXPECT_EQ(timing.started, start + 10ms);
    EXPECT_EQ(timing.answered, start + 17ms);
    EXPECT_EQ(timing.batch_size, 2u);
    EXPECT_EQ(timing.batch_id, 1u);
  }
}

// Whatever the interleaving: on virtual time there is no error at all. Instants are whole milliseconds,
// so that much happens at once.

TEST(Guarantee, WhateverTheInterleavingEachBatchStartsAtTheInstantThatTheRulesName) {
  constexpr std::size_t kCap = 3;
  constexpr auto kWindow = 4ms;
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(
        40,
        [&](TestRuntime& runtime) {
          Calls calls;
          TestBatcher<int, int, TimePolicy> batcher(
              doubler(runtime, calls, 5ms),
              {.max_batch_size = kCap, .policy = {.max_wait = kWindow}, .executors = executors});
          std::vector<TestTicket<int>> tickets(24);
          std::vector<TestRuntime::Thread> clients;
          for (std::size_t client = 0; client < 3; ++client) {
            clients.push_back(runtime.start([&, client] {
              for (std::size_t i = client; i < tickets.size(); i += 3) {
                tickets[i] = batcher.submit(static_cast<int>(i), use_ticket);
                work_for(runtime, ((7 * i + 5 * client) % 4) * 1ms);
              }
            }));
          }
          for (auto& client : clients) client.join();
          struct Seen {
            std::size_t count = 0;
            TimePoint oldest = batchwright::kNever;
            TimePoint newest{};
            TimePoint started{};
            TimePoint finished{};
          };
          std::map<std::uint64_t, Seen> batches;
          for (auto& ticket : tickets) {
            const auto timing = ticket.result().timing();
            Seen& seen = batches[timing.batch_id];
            ++seen.count;
            seen.oldest = std::min(seen.oldest, timing.enqueued);
            seen.newest = std::max(seen.newest, timing.enqueued);
            seen.started = timing.started;
            seen.finished = timing.answered;
          }
          TimePoint free{};
          for (const auto& [id, seen] : batches) {
            const TimePoint window = seen.oldest + kWindow;
            const TimePoint due = seen.count == kCap ? std::min(window, seen.newest) : window;
            EXPECT_EQ(seen.started, std::max(due, free)) << "batch " << id;
            EXPECT_EQ(seen.finished, seen.started + 5ms);
            free = seen.finished;
          }
        },
        TestOptions{.time = TimeMode::automatic});
  }
}

TEST(Guarantee, WhateverTheInterleavingDeadlinesAreAnsweredAtTheirVeryInstant) {
  std::size_t expired = 0;
  for (const std::size_t executors : {1u, 2u}) {
    for_each_seed(
        30,
        [&](TestRuntime& runtime) {
          Calls calls;
          TestBatcher<int, int, TimePolicy> batcher(
              batchwright::shared_predictor(doubler(runtime, calls, 5ms)),
              {.max_batch_size = 2, .policy = {.max_wait = 2ms}, .executors = executors});
          struct Asked {
            TimePoint deadline{};
            TestTicket<int> ticket;
          };
          std::vector<Asked> all(24);
          std::vector<TestRuntime::Thread> clients;
          for (std::size_t client = 0; client < 3; ++client) {
            clients.push_back(runtime.start([&, client] {
              for (std::size_t i = client; i < all.size(); i += 3) {
                all[i].deadline = runtime.now() + ((5 * i) % 13 + 1) * 1ms;
                all[i].ticket =
                    batcher.submit(static_cast<int>(i), use_ticket, {.deadline = all[i].deadline});
                work_for(runtime, ((7 * i + 5 * client) % 4) * 1ms);
              }
            }));
          }
          for (auto& client : clients) client.join();
          for (Asked& asked : all) {
            const Result<int> result = asked.ticket.result();
            if (result) {
              EXPECT_LT(result.timing().started, asked.deadline);
            } else {
              EXPECT_EQ(result.outcome(), Outcome::expired);
              EXPECT_EQ(result.timing().answered, asked.deadline);
              ++expired;
            }
          }
        },
        TestOptions{.time = TimeMode::automatic});
  }
  EXPECT_GE(expired, 100u);
}

TEST(Guarantee, ADeadlineThatComesWhileAnExecutorTakesItsNextBatchIsKept) {
  for_each_seed(60, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls, 10ms), {.max_batch_size = 1});
    const auto queued = batcher.submit_many(Values(5, 1), use_ticket, {.priority = 1});
    std::vector<TestTicket<int>> expiring(9);
    std::vector<TestRuntime::Thread> clients;
    for (std::size_t client = 0; client < 3; ++client) {
      clients.push_back(runtime.start([&, client] {
        for (std::size_t i = client; i < expiring.size(); i += 3) {
          work_for(runtime, 10ms);
          expiring[i] = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 5ms});
        }
      }));
    }
    runtime.advance(50ms);
    for (auto& client : clients) client.join();
    for (auto& ticket : expiring) {
      const auto timing = ticket.result().timing();
      EXPECT_EQ(timing.answered, timing.enqueued + 5ms);
    }
  });
}

// Who wakes whom. Counts are of `unpark` calls that woke a thread, and of those that found none.

class WakeUps : public ::testing::Test {
 protected:
  // Wakes since the last call, after everything has come to rest.
  std::uint64_t wakes() {
    runtime_.settle();
    EXPECT_EQ(runtime_.counts().idle_unparks, idle_unparks_);
    idle_unparks_ = runtime_.counts().idle_unparks;
    return runtime_.unparks() - std::exchange(unparks_, runtime_.unparks());
  }

  void begin() {
    runtime_.settle();
    unparks_ = runtime_.unparks();
    idle_unparks_ = runtime_.counts().idle_unparks;
  }

  // Nobody is interrupted, so that a wake is never saved by chance.
  TestRuntime runtime_{TestOptions{.switch_probability = 0}};
  Calls calls_;

 private:
  std::uint64_t unparks_ = 0;
  std::uint64_t idle_unparks_ = 0;
};

TEST_F(WakeUps, OfAWindowTheFirstRequestWakesTheDispatcherAndTheOneThatFillsTheBatchTheExecutor) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 32, .policy = {.max_wait = 10ms}});
  begin();
  std::vector<TestTicket<int>> tickets;
  tickets.push_back(batcher.submit(0, use_ticket));
  EXPECT_EQ(wakes(), 1u);
  for (int i = 1; i < 31; ++i) {
    tickets.push_back(batcher.submit(i, use_ticket));
    EXPECT_EQ(wakes(), 0u);
  }
  tickets.push_back(batcher.submit(31, use_ticket));
  EXPECT_EQ(wakes(), 1u);
  EXPECT_EQ(calls_.sizes(), Sizes{32});
}

TEST_F(WakeUps, ManyRequestsOfOneCallWakeTheExecutorAlone) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_), {.max_batch_size = 100});
  begin();
  const auto tickets = batcher.submit_many(Values(100, 1), use_ticket);
  EXPECT_EQ(wakes(), 1u);
  EXPECT_EQ(calls_.sizes(), Sizes{100});
}

TEST_F(WakeUps, ALoneRequestWakesTheExecutorAlone) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_));
  begin();
  for (int i = 0; i < 3; ++i) {
    auto ticket = batcher.submit(i, use_ticket);
    EXPECT_EQ(wakes(), 1u);
    EXPECT_TRUE(ticket.ready());
  }
}

TEST_F(WakeUps, InlineALoneRequestCostsOneWake) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_), {.executors = 0});
  begin();
  auto ticket = batcher.submit(1, use_ticket);
  EXPECT_EQ(wakes(), 1u);
  EXPECT_TRUE(ticket.ready());
}

TEST_F(WakeUps, WhileEveryExecutorIsBusyOrDispatchIsPausedArrivalsWakeNobody) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_, 10ms), {.max_batch_size = 4});
  auto running = batcher.submit(0, use_ticket);
  begin();
  const auto queued = batcher.submit_many(Values(3, 1), use_ticket);
  EXPECT_EQ(wakes(), 0u);
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(batcher.submit(i, use_ticket));
    EXPECT_EQ(wakes(), 0u);
  }
  batcher.pause();
  EXPECT_EQ(wakes(), 1u);
  static_cast<void>(batcher.submit(1, use_ticket));
  EXPECT_EQ(wakes(), 0u);
  runtime_.advance(10ms);
  batcher.resume();
  runtime_.advance(40ms);
  EXPECT_EQ(calls_.sizes(), (Sizes{1, 4, 4, 4, 2}));
}

TEST_F(WakeUps, AnEarlierDeadlineWakesTheDispatcherAndALaterOneDoesNot) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 32, .policy = {.max_wait = 10ms}});
  begin();
  const TimePoint start = runtime_.now();
  auto first = batcher.submit(1, use_ticket, {.deadline = start + 8ms});
  EXPECT_EQ(wakes(), 1u);
  auto later = batcher.submit(2, use_ticket, {.deadline = start + 9ms});
  EXPECT_EQ(wakes(), 0u);
  auto earlier = batcher.submit(3, use_ticket, {.deadline = start + 7ms});
  EXPECT_EQ(wakes(), 1u);
  EXPECT_EQ(runtime_.next_due(), start + 7ms);
  EXPECT_EQ(runtime_.advance(10ms), 3u);
}

TEST_F(WakeUps, CallersOfABatchAreWokenWhileTheNextOneRuns) {
  for_each_seed(50, [](TestRuntime& runtime) {
    // The second batch does not end before the callers of the first have their answers.
    Gate gate(runtime);
    TestBatcher<int, int> batcher(
        [&](std::span<const int> inputs) {
          if (inputs.front() == 10) gate.pass();
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 3}, runtime);
    batcher.pause();
    int answered = 0;
    std::vector<batchwright::testing::TestThread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.push_back(runtime.start([&, caller] {
        EXPECT_EQ(batcher.submit(caller, use_ticket).get(), caller);
        if (++answered == 3) gate.open();
      }));
    }
    runtime.settle();
    auto next = batcher.submit_many(std::vector<int>{10, 11, 12}, use_ticket);
    batcher.resume();
    for (auto& ticket : next) ticket.wait();
    EXPECT_EQ(answered, 3);
    for (auto& caller : callers) caller.join();
  });
}

TEST_F(WakeUps, AnExecutorGoesFromBatchToBatchWithoutWakingAnybody) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_, 10ms), {.max_batch_size = 1});
  begin();
  auto first = batcher.submit(1, use_ticket);
  EXPECT_EQ(wakes(), 1u);
  runtime_.advance(10ms);
  EXPECT_EQ(wakes(), 0u);  // Nothing is queued.
  auto second = batcher.submit(2, use_ticket);
  EXPECT_EQ(wakes(), 1u);
  auto third = batcher.submit(3, use_ticket);
  EXPECT_EQ(wakes(), 0u);
  auto fourth = batcher.submit(4, use_ticket);
  EXPECT_EQ(wakes(), 0u);
  EXPECT_EQ(runtime_.advance(30ms), 3u);  // The executor's own work, and nothing else.
  EXPECT_EQ(wakes(), 0u);
  EXPECT_EQ(calls_.count(), 4u);
}

TEST_F(WakeUps, ATicketIsWokenOnlyIfSomebodyWaitsForIt) {
  TestBatcher<int, int> batcher(doubler(runtime_, calls_, 10ms));
  begin();
  auto unwatched = batcher.submit(1, use_ticket);
  EXPECT_EQ(wakes(), 1u);
  runtime_.advance(10ms);
  EXPECT_EQ(wakes(), 0u);
  auto watched = batcher.submit(2, use_ticket);
  auto waiter = runtime_.start([&] { watched.wait(); });
  EXPECT_EQ(wakes(), 1u);
  runtime_.advance(10ms);
  EXPECT_EQ(wakes(), 1u);
  waiter.join();
}

TEST_F(WakeUps, ACancellationWakesTheDispatcherOnce) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 32, .policy = {.max_wait = 10ms}});
  const auto source = batchwright::StopSource();
  const auto tickets = batcher.submit_many(Values(5, 1), use_ticket, {.stop = source.get_token()});
  begin();
  batchwright::StopSource(source).request_stop();
  EXPECT_EQ(wakes(), 1u);
  for (const auto& ticket : tickets) EXPECT_TRUE(ticket.ready());
}

TEST(WakeUpsUnderContention, EveryWakeEndsExactlyOneWait) {
  for_each_seed(
      40,
      [](TestRuntime& runtime) {
        Calls calls;
        {
          TestBatcher<int, int, TimePolicy> batcher(
              doubler(runtime, calls, 1ms), {.max_batch_size = 4, .policy = {.max_wait = 1ms}});
          std::vector<TestRuntime::Thread> clients;
          for (int thread = 0; thread < 3; ++thread) {
            clients.push_back(runtime.start([&] {
              for (int i = 0; i < 5; ++i) EXPECT_EQ(batcher.submit(i, use_ticket).get(), 2 * i);
            }));
          }
          for (auto& client : clients) client.join();
        }
        const auto counts = runtime.counts();
        EXPECT_EQ(counts.woken, counts.unparks);
        EXPECT_EQ(counts.parks, counts.woken + counts.timeouts);
      },
      TestOptions{.time = TimeMode::automatic});
}

}  // namespace
