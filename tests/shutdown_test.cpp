// SPDX-License-Identifier: MIT
#include "support/coroutine.hpp"
#include "support/shell.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Batch;
using batchwright::BatcherStoppedError;
using batchwright::HybridPolicy;
using batchwright::kNever;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::ReleaseReason;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::ShutdownReport;
using batchwright::SizePolicy;
using batchwright::TimePoint;
using batchwright::UnansweredError;
using batchwright::use_ticket;
using batchwright::testing::TestThread;
using batchwright::testing::TimeMode;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::echo_behind;
using batchwright_test::for_each_seed;
using batchwright_test::Gate;
using batchwright_test::is_ready;
using batchwright_test::outcome_of;
using batchwright_test::Task;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::TestTicket;
using batchwright_test::work_for;

using Batcher = TestBatcher<int, int>;

void expect_report(const ShutdownReport& report, std::uint64_t completed, std::uint64_t abandoned,
                   std::uint64_t executing, bool finished) {
  EXPECT_EQ(report.completed, completed);
  EXPECT_EQ(report.abandoned, abandoned);
  EXPECT_EQ(report.executing, executing);
  EXPECT_EQ(report.finished, finished);
}

template <class TBatcher>
void expect_nothing_lost(TBatcher& batcher) {
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.queued, 0u);
  EXPECT_EQ(metrics.executing, 0u);
  EXPECT_EQ(metrics.blocked, 0u);
}

// ---- The modes, and the report.

TEST(Shutdown, DrainComputesWhatIsQueuedWithoutWaitingForCompany) {
  for_each_seed(10,
                [](const TestRuntime& runtime) {
                  Calls calls;
                  TestBatcher<int, int, SizePolicy> batcher(doubler(runtime, calls, 2ms),
                                                            {.max_batch_size = 4}, runtime);
                  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4, 5, 6});
                  const ShutdownReport report = batcher.shutdown();
                  expect_report(report, 6, 0, 0, true);
                  for (std::size_t i = 0; i < futures.size(); ++i) {
                    ASSERT_TRUE(is_ready(futures[i]));
                    EXPECT_EQ(futures[i].get(), static_cast<int>(i + 1) * 2);
                  }
                  EXPECT_EQ(runtime.elapsed(), 4ms);
                  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::drain], 1u);
                  expect_nothing_lost(batcher);
                },
                {.time = TimeMode::automatic});
}

TEST(Shutdown, AbandonStopsWhatIsQueuedAndFinishesWhatIsComputed) {
  for_each_seed(10, [](const TestRuntime& runtime) {
    Gate gate(runtime);
    Batcher batcher(echo_behind(gate), {.max_batch_size = 2}, runtime);
    auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4, 5});
    runtime.run_until([&] { return gate.waiting() == 1; });
    TestThread opener = runtime.start([&] {
      runtime.run_until([&] { return is_ready(futures[4]); });  // While the first batch runs.
      EXPECT_EQ(gate.waiting(), 1u);
      gate.open();
    });
    const ShutdownReport report = batcher.shutdown({.mode = ShutdownMode::abandon});
    opener.join();
    expect_report(report, 2, 3, 0, true);
    EXPECT_EQ(futures[0].get(), 1);
    EXPECT_EQ(futures[1].get(), 2);
    for (const std::size_t index : {2u, 3u, 4u}) {
      EXPECT_EQ(outcome_of(runtime, futures[index]), Outcome::stopped);
    }
    expect_nothing_lost(batcher);
  });
}

TEST(Shutdown, DrainEndsAPause) {
  TestRuntime runtime({.seed = 2});
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  batcher.pause();
  auto future = batcher.submit(4);
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  expect_report(batcher.shutdown(), 1, 0, 0, true);
  EXPECT_EQ(future.get(), 8);
}

TEST(Shutdown, AbandonWhilePausedComputesNothing) {
  TestRuntime runtime({.seed = 2});
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  batcher.pause();
  auto future = batcher.submit(4);
  expect_report(batcher.shutdown({.mode = ShutdownMode::abandon}), 0, 1, 0, true);
  EXPECT_EQ(outcome_of(runtime, future), Outcome::stopped);
  EXPECT_EQ(calls.count(), 0u);
}

TEST(Shutdown, InAModeThatIsNoneIsAnErrorAndNothingIsShutDown) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  batcher.pause();
  auto queued = batcher.submit(1);
  try {
    batcher.shutdown({.mode = ShutdownMode{7}});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "DynamicBatcher: mode must be one of the 2 enumerators, got 7");
  }
  runtime.settle();
  EXPECT_FALSE(is_ready(queued));
  auto later = batcher.submit(2);
  batcher.resume();
  EXPECT_EQ(runtime.get(queued), 2);
  EXPECT_EQ(runtime.get(later), 4);
}

TEST(Shutdown, OfAnIdleBatcherReportsNothing) {
  TestRuntime runtime({.seed = 2});
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  expect_report(batcher.shutdown(), 0, 0, 0, true);
}

TEST(Shutdown, CountsWhatFailsAsCompleted) {
  TestRuntime runtime({.seed = 2});
  Batcher batcher([](std::span<const int>) -> std::vector<int> { throw 5; }, {}, runtime);
  batcher.pause();
  auto future = batcher.submit(4);
  expect_report(batcher.shutdown(), 1, 0, 0, true);
  EXPECT_THROW(future.get(), int);
}

TEST(Shutdown, EndsEveryThread) {
  for (const std::size_t executors : {0u, 1u, 4u}) {
    TestRuntime runtime({.seed = 2});
    Calls calls;
    Batcher batcher(shared_predictor(doubler(runtime, calls)), {.executors = executors}, runtime);
    runtime.settle();
    EXPECT_EQ(runtime.parked(), executors + 1);
    batcher.shutdown();
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 0u);
  }
}

// ---- Afterwards.

TEST(Shutdown, AfterwardsEveryWayToSubmitIsRefused) {
  TestRuntime runtime({.seed = 3});
  Calls calls;
  TestBatcher<std::unique_ptr<int>, int> batcher(
      [&](std::span<const std::unique_ptr<int>> inputs) {
        calls.all.emplace_back();
        return std::vector<int>(inputs.size());
      },
      {.capacity = 4, .overflow = OverflowAction::block}, runtime);
  batcher.shutdown();

  auto future = batcher.submit(std::make_unique<int>(1));
  EXPECT_EQ(outcome_of(runtime, future), Outcome::stopped);
  EXPECT_EQ(batcher.submit(std::make_unique<int>(1), use_ticket).result().outcome(),
            Outcome::stopped);
  EXPECT_EQ(batcher.submit(std::make_unique<int>(1), [](Result<int>) { ADD_FAILURE(); }).outcome(),
            Outcome::stopped);
  std::vector<std::unique_ptr<int>> inputs(3);
  auto many = batcher.submit_many(std::move(inputs));
  ASSERT_EQ(many.size(), 3u);
  for (auto& each : many) EXPECT_EQ(outcome_of(runtime, each), Outcome::stopped);
  auto tickets = batcher.submit_many(std::vector<std::unique_ptr<int>>(2), use_ticket);
  ASSERT_EQ(tickets.size(), 2u);
  for (auto& ticket : tickets) EXPECT_EQ(ticket.result().outcome(), Outcome::stopped);
  const auto await = [](auto& b) -> Task<int> { co_return co_await b.predict(nullptr); };
  Task<int> task = await(batcher);
  ASSERT_TRUE(task.done());
  EXPECT_THROW(task.get(), BatcherStoppedError);

  auto input = std::make_unique<int>(7);
  EXPECT_EQ(batcher.try_submit(std::move(input)).outcome(), Outcome::stopped);
  EXPECT_EQ(batcher.try_submit(std::move(input), use_ticket).outcome(), Outcome::stopped);
  EXPECT_EQ(batcher.try_submit(std::move(input), [](Result<int>) { ADD_FAILURE(); }).outcome(),
            Outcome::stopped);
  ASSERT_NE(input, nullptr);
  EXPECT_EQ(*input, 7);

  EXPECT_EQ(calls.count(), 0u);
  EXPECT_EQ(batcher.metrics().rejected[Outcome::stopped], 12u);
  expect_nothing_lost(batcher);
}

TEST(Shutdown, AfterwardsEverythingElseIsHarmless) {
  TestRuntime runtime({.seed = 3});
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  batcher.shutdown();
  batcher.flush();
  batcher.pause();
  batcher.resume();
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(batcher.metrics().accepted, 0u);
}

// ---- More than once.

TEST(Shutdown, TwiceReportsNothingTheSecondTime) {
  TestRuntime runtime({.seed = 4});
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {}, runtime);
  batcher.pause();
  auto future = batcher.submit(1);
  expect_report(batcher.shutdown(), 1, 0, 0, true);
  expect_report(batcher.shutdown(), 0, 0, 0, true);
  expect_report(batcher.shutdown({.mode = ShutdownMode::abandon}), 0, 0, 0, true);
}

TEST(Shutdown, FromSeveralThreadsAtOnceReturnsToAllOfThem) {
  for_each_seed(
      40,
      [](const TestRuntime& runtime) {
        Calls calls;
        Batcher batcher(doubler(runtime, calls, 1ms), {.max_batch_size = 2}, runtime);
        auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4, 5});
        std::vector<TestThread> threads;
        for (int i = 0; i < 4; ++i) {
          threads.push_back(runtime.start([&batcher, i] {
            const ShutdownReport report =
                batcher.shutdown({.mode = i == 3 ? ShutdownMode::abandon : ShutdownMode::drain});
            EXPECT_TRUE(report.finished);
            EXPECT_EQ(report.executing, 0u);
          }));
        }
        EXPECT_TRUE(batcher.shutdown().finished);
        for (auto& thread : threads) thread.join();
        for (auto& future : futures) {
          const Outcome outcome = outcome_of(runtime, future);
          EXPECT_TRUE(outcome == Outcome::ok || outcome == Outcome::stopped) << to_string(outcome);
        }
        expect_nothing_lost(batcher);
      },
      {.time = TimeMode::automatic});
}

TEST(Shutdown, AbandonOvertakesADrainThatIsUnderWay) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Gate gate(runtime);
    Batcher batcher(echo_behind(gate), {.max_batch_size = 1}, runtime);
    auto futures = batcher.submit_many(std::vector<int>{1, 2, 3});
    runtime.run_until([&] { return gate.waiting() == 1; });
    TestThread drainer = runtime.start([&] { EXPECT_TRUE(batcher.shutdown().finished); });
    expect_report(batcher.shutdown({.mode = ShutdownMode::abandon, .until = runtime.now()}), 0, 2,
                  1, false);
    gate.open();
    drainer.join();
    EXPECT_EQ(outcome_of(runtime, futures[0]), Outcome::ok);
    EXPECT_EQ(outcome_of(runtime, futures[1]), Outcome::stopped);
    EXPECT_EQ(outcome_of(runtime, futures[2]), Outcome::stopped);
  });
}

// ---- In a race with those who submit.

TEST(Shutdown, RacingSubmissionsAreAnsweredOrRefusedUntouched) {
  for (const ShutdownMode mode : {ShutdownMode::drain, ShutdownMode::abandon}) {
    for_each_seed(40, [&](const TestRuntime& runtime) {
      TestBatcher<std::unique_ptr<int>, int> batcher(
          [](std::span<const std::unique_ptr<int>> inputs) {
            std::vector<int> results;
            for (const auto& input : inputs) results.push_back(*input);
            return results;
          },
          {.max_batch_size = 4}, runtime);
      int accepted = 0;
      int refused = 0;
      std::vector<TestThread> producers;
      for (int p = 0; p < 3; ++p) {
        producers.push_back(runtime.start([&] {
          for (int i = 1; i <= 6; ++i) {
            auto input = std::make_unique<int>(i);
            auto admitted = batcher.try_submit(std::move(input));
            if (admitted) {
              ++accepted;
              try {
                EXPECT_EQ(runtime.get(*admitted), i);
              } catch (const BatcherStoppedError&) {
                EXPECT_EQ(mode, ShutdownMode::abandon);
              }
            } else {
              ++refused;
              EXPECT_EQ(admitted.outcome(), Outcome::stopped);
              ASSERT_NE(input, nullptr);
              EXPECT_EQ(*input, i);
            }
          }
        }));
      }
      for (int i = 0; i < 40; ++i) runtime.interleave("before shutdown");
      EXPECT_TRUE(batcher.shutdown({.mode = mode}).finished);
      for (auto& producer : producers) producer.join();
      EXPECT_EQ(accepted + refused, 18);
      EXPECT_EQ(batcher.metrics().accepted, static_cast<std::uint64_t>(accepted));
      expect_nothing_lost(batcher);
    });
  }
}

TEST(Shutdown, WakesThoseWhoWaitForRoom) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    Gate gate(runtime);
    Batcher batcher(echo_behind(gate),
                    {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block},
                    runtime);
    auto running = batcher.submit(1);
    runtime.run_until([&] { return gate.waiting() == 1; });
    auto queued = batcher.submit(2);
    Outcome outcome = Outcome::ok;
    TestThread blocked = runtime.start([&] {
      auto future = batcher.submit(3);
      runtime.run_until([&] { return is_ready(future); });
      outcome = outcome_of(runtime, future);
    });
    runtime.settle();
    EXPECT_EQ(batcher.metrics().blocked, 1u);
    EXPECT_FALSE(batcher.shutdown({.mode = ShutdownMode::drain, .until = runtime.now()}).finished);
    blocked.join();  // While the executor is still busy.
    EXPECT_EQ(outcome, Outcome::stopped);
    EXPECT_EQ(gate.waiting(), 1u);
    gate.open();
    EXPECT_EQ(runtime.get(running), 1);
    EXPECT_EQ(batcher.metrics().blocked, 0u);
  });
}

TEST(Shutdown, WakesThoseWhoWaitUntilIdle) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {}, runtime);
    batcher.pause();
    auto future = batcher.submit(1);
    batcher.resume();
    bool idle = false;
    TestThread waiter = runtime.start([&] { idle = batcher.wait_idle(); });
    batcher.shutdown();
    waiter.join();
    EXPECT_TRUE(idle);
  });
}

// ---- With a limit in time.

TEST(Shutdown, WithoutTimeReturnsAtOnceAndReportsWhatIsLeft) {
  TestRuntime runtime({.seed = 5});
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate), {.max_batch_size = 2}, runtime);
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3});
  runtime.run_until([&] { return gate.waiting() == 1; });
  expect_report(batcher.shutdown({.until = TimePoint{}}), 0, 1, 2, false);
  gate.open();
  EXPECT_EQ(runtime.get(futures[0]), 1);
  EXPECT_EQ(runtime.get(futures[1]), 2);
  EXPECT_THROW(runtime.get(futures[2]), BatcherStoppedError);
  // Asked again it waits for the rest.
  expect_report(batcher.shutdown(), 0, 0, 0, true);
}

TEST(Shutdown, WaitsExactlyUntilItsLimit) {
  TestRuntime runtime({.seed = 5, .time = TimeMode::automatic});
  Batcher batcher(
      [&](std::span<const int> inputs) {
        work_for(runtime, 10ms);
        return std::vector<int>(inputs.begin(), inputs.end());
      },
      {.max_batch_size = 1}, runtime);
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3});
  const ShutdownReport report = batcher.shutdown({.until = runtime.now() + 15ms});
  EXPECT_EQ(runtime.elapsed(), 15ms);
  expect_report(report, 1, 1, 1, false);
  EXPECT_EQ(runtime.get(futures[1]), 2);
  EXPECT_EQ(runtime.elapsed(), 20ms);
  EXPECT_EQ(outcome_of(runtime, futures[2]), Outcome::stopped);
}

// ---- A batch that is never finished.

TEST(Shutdown, ReportsAnAsynchronousBatchThatIsNeverFinished) {
  for_each_seed(20,
                [](const TestRuntime& runtime) {
                  std::optional<Batch<int, int>> held;
                  std::future<int> future;
                  {
                    Batcher batcher([&](Batch<int, int> batch) { held.emplace(std::move(batch)); },
                                    {}, runtime);
                    future = batcher.submit(1);
                    runtime.run_until([&] { return held.has_value(); });
                    expect_report(batcher.shutdown({.until = runtime.now() + 5ms}), 0, 0, 1, false);
                    EXPECT_EQ(runtime.elapsed(), 5ms);
                    EXPECT_TRUE(held->info().stop.stop_requested());
                  }
                  // The destructor did not wait either; to drop the batch, long after, is harmless.
                  EXPECT_EQ(runtime.elapsed(), 5ms);
                  EXPECT_FALSE(is_ready(future));
                  held.reset();
                  EXPECT_THROW(runtime.get(future), UnansweredError);
                  runtime.settle();
                  EXPECT_EQ(runtime.parked(), 0u);
                },
                {.time = TimeMode::automatic});
}

TEST(Shutdown, ABatchCanStillBeAnsweredAfterTheBatcher) {
  TestRuntime runtime({.seed = 6});
  std::optional<Batch<int, int>> held;
  std::future<int> future;
  TestTicket<int> ticket;
  {
    Batcher batcher([&](Batch<int, int> batch) { held.emplace(std::move(batch)); }, {}, runtime);
    batcher.pause();
    future = batcher.submit(1);
    ticket = batcher.submit(2, use_ticket);
    batcher.resume();
    runtime.run_until([&] { return held.has_value(); });
    EXPECT_FALSE(batcher.shutdown({.until = runtime.now()}).finished);
  }
  EXPECT_EQ(held->input(0), 1);
  EXPECT_FALSE(ticket.cancel());
  held->answer(0, 7);
  held->answer(1, 8);
  EXPECT_EQ(runtime.get(future), 7);
  EXPECT_EQ(ticket.get(), 8);
}

// ---- Destruction.

TEST(Destruction, DrainsAndEveryFutureIsReady) {
  for_each_seed(30,
                [](const TestRuntime& runtime) {
                  Calls calls;
                  std::vector<std::future<int>> futures;
                  {
                    TestBatcher<int, int, HybridPolicy> batcher(
                        doubler(runtime, calls, 1ms), {.policy = {.max_wait = 500ms}}, runtime);
                    for (int i = 0; i < 40; ++i) futures.push_back(batcher.submit(i));
                  }
                  for (int i = 0; i < 40; ++i) {
                    ASSERT_TRUE(is_ready(futures[static_cast<std::size_t>(i)]));
                    EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), 2 * i);
                  }
                  EXPECT_EQ(runtime.elapsed(), 2ms);
                  EXPECT_EQ(runtime.parked(), 0u);
                },
                {.time = TimeMode::automatic});
}

TEST(Destruction, TicketsOutliveTheBatcher) {
  TestRuntime runtime({.seed = 7});
  Calls calls;
  std::vector<TestTicket<int>> tickets;
  {
    Batcher batcher(doubler(runtime, calls), {}, runtime);
    batcher.pause();
    tickets = batcher.submit_many(std::vector<int>{1, 2}, use_ticket);
  }
  EXPECT_TRUE(tickets[0].ready());
  EXPECT_FALSE(tickets[0].cancel());
  EXPECT_EQ(tickets[0].get(), 2);
  tickets.clear();
}

// On its own threads it does not wait: they carry what is queued to its end.
void expect_destroyed_on_own_thread(
    std::size_t executors, const std::function<void(const TestRuntime&, std::unique_ptr<Batcher>&,
                                                    std::vector<std::future<int>>&)>& submit) {
  for_each_seed(30, [&](const TestRuntime& runtime) {
    Calls calls;
    std::vector<std::future<int>> futures;
    std::unique_ptr<Batcher> batcher;
    bool destroy_in_predictor = false;
    auto predict = [&, next = doubler(runtime, calls)](std::span<const int> inputs) {
      if (inputs[0] == 99 && std::exchange(destroy_in_predictor, true) == false) batcher.reset();
      return next(inputs);
    };
    batcher = std::make_unique<Batcher>(
        predict, Batcher::Options{.max_batch_size = 2, .executors = executors}, runtime);
    batcher->pause();
    submit(runtime, batcher, futures);
    batcher->resume();
    for (auto& future : futures) EXPECT_EQ(runtime.get(future) % 2, 0);
    runtime.run_until([&] { return batcher == nullptr; });
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 0u) << "a thread is left";
  });
}

TEST(Destruction, FromTheBatchersOwnCallback) {
  for (const std::size_t executors : {0u, 1u}) {
    expect_destroyed_on_own_thread(executors, [](const TestRuntime&, auto& batcher, auto& futures) {
      futures.push_back(batcher->submit(1));
      ASSERT_TRUE(batcher->submit(2, [&batcher](Result<int> result) {
        EXPECT_EQ(*result, 4);
        batcher.reset();
      }));
      for (int i = 3; i < 8; ++i) futures.push_back(batcher->submit(i));
    });
  }
}

TEST(Destruction, FromTheBatchersOwnPredictor) {
  for (const std::size_t executors : {0u, 1u}) {
    expect_destroyed_on_own_thread(executors, [](const TestRuntime&, auto& batcher, auto& futures) {
      for (const int input : {1, 2, 99, 4, 5, 6}) futures.push_back(batcher->submit(input));
    });
  }
}

TEST(Destruction, FromTheDispatcherThatAnswersAnExpiredRequest) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    Gate gate(runtime);
    auto batcher = std::make_unique<Batcher>(echo_behind(gate), Batcher::Options{}, runtime);
    auto future = batcher->submit(1);
    runtime.run_until([&] { return gate.waiting() == 1; });
    ASSERT_TRUE(batcher->submit(2,
                                [&](Result<int> result) {
                                  EXPECT_EQ(result.outcome(), Outcome::expired);
                                  batcher.reset();
                                },
                                {.deadline = runtime.now() + 3ms}));
    EXPECT_EQ(runtime.advance(3ms), 1u);
    EXPECT_EQ(batcher, nullptr);
    gate.open();
    EXPECT_EQ(runtime.get(future), 1);
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 0u);
  });
}

TEST(Destruction, ByACallbackThatIsTheLastOwner) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    Calls calls;
    bool called = false;
    std::weak_ptr<Batcher> weak;
    {
      auto batcher =
          std::make_shared<Batcher>(doubler(runtime, calls), Batcher::Options{}, runtime);
      weak = batcher;
      ASSERT_TRUE(batcher->submit(3, [&called, batcher](Result<int> result) {
        EXPECT_EQ(*result, 6);
        called = true;
      }));
    }
    runtime.run_until([&] { return called && weak.expired(); });
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 0u);
  });
}

TEST(Destruction, ByTheCallbackOfABatchThatIsFinishedElsewhere) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    std::optional<Batch<int, int>> held;
    auto batcher =
        std::make_unique<Batcher>([&](Batch<int, int> batch) { held.emplace(std::move(batch)); },
                                  Batcher::Options{}, runtime);
    batcher->pause();
    ASSERT_TRUE(batcher->submit(1, [&](Result<int>) { batcher.reset(); }));
    auto second = batcher->submit(2);
    batcher->resume();
    runtime.run_until([&] { return held.has_value(); });
    held->answer(0, 7);
    EXPECT_EQ(batcher, nullptr);
    held->answer(1, 8);
    EXPECT_EQ(runtime.get(second), 8);
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 0u);
  });
}

TEST(Destruction, OnOneBatchersThreadOfAnotherWaits) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Calls calls;
    auto inner = std::make_unique<Batcher>(doubler(runtime, calls), Batcher::Options{}, runtime);
    Batcher outer(doubler(runtime, calls), {}, runtime);
    inner->pause();
    auto future = inner->submit(1);
    bool ready = false;
    ASSERT_TRUE(outer.submit(2, [&](Result<int>) {
      inner.reset();
      ready = is_ready(future);
    }));
    ASSERT_TRUE(outer.wait_idle());
    EXPECT_TRUE(ready);
  });
}

TEST(Shutdown, FromACallbackDoesNotWait) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(20, [&](const TestRuntime& runtime) {
      Calls calls;
      Batcher batcher(doubler(runtime, calls), {.max_batch_size = 1, .executors = executors},
                      runtime);
      batcher.pause();
      std::optional<ShutdownReport> report;
      ASSERT_TRUE(batcher.submit(1, [&](Result<int>) { report = batcher.shutdown(); }));
      auto second = batcher.submit(2);
      batcher.resume();
      EXPECT_EQ(runtime.get(second), 4);
      ASSERT_TRUE(report.has_value());
      EXPECT_FALSE(report->finished);
      EXPECT_TRUE(batcher.shutdown().finished);
    });
  }
}

TEST(Shutdown, FromThePredictorDoesNotWait) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(20, [&](const TestRuntime& runtime) {
      Batcher* self = nullptr;
      Batcher batcher(
          [&](std::span<const int> inputs) {
            EXPECT_FALSE(self->shutdown({.mode = ShutdownMode::abandon}).finished);
            return std::vector<int>(inputs.begin(), inputs.end());
          },
          {.max_batch_size = 1, .executors = executors}, runtime);
      self = &batcher;
      batcher.pause();
      auto first = batcher.submit(1);
      auto second = batcher.submit(2);
      batcher.resume();
      EXPECT_EQ(runtime.get(first), 1);
      EXPECT_THROW(runtime.get(second), BatcherStoppedError);
    });
  }
}

}  // namespace
