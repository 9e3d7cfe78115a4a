// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <vector>

// The guarantee about the end.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::ReleaseReason;
using batchwright::Result;
using batchwright::ShutdownMode;
using batchwright::ShutdownReport;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;

constexpr TimePolicy kPatient{.max_wait = 900ms};

// 11. Shutdown.

TEST(Guarantee, ADrainingShutdownComputesWhatIsQueuedAndReportsIt) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls, 5ms),
                                            {.max_batch_size = 2, .policy = kPatient});
  const auto results = batcher.submit_many(Values{1, 2, 3});
  const ShutdownReport report = batcher.shutdown();
  EXPECT_EQ(report.completed, 3u);
  EXPECT_EQ(report.abandoned, 0u);
  EXPECT_EQ(report.executing, 0u);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(runtime.elapsed(), 10ms);
  EXPECT_EQ(batcher.metrics().batches[ReleaseReason::drain], 1u);
  for (const auto& result : results) EXPECT_TRUE(is_ready(result));
}

TEST(Guarantee, AnAbandoningShutdownStopsWhatIsQueuedAndFinishesWhatIsComputed) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms), {.max_batch_size = 1});
  auto results = batcher.submit_many(Values{1, 2, 3});
  runtime.settle();
  const ShutdownReport report = batcher.shutdown({.mode = ShutdownMode::abandon});
  EXPECT_EQ(report.completed, 1u);
  EXPECT_EQ(report.abandoned, 2u);
  EXPECT_EQ(report.executing, 0u);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(results[0].get(), 2);
  EXPECT_EQ(outcome_of(runtime, results[1]), Outcome::stopped);
  EXPECT_EQ(outcome_of(runtime, results[2]), Outcome::stopped);
}

TEST(Guarantee, AShutdownWhoseTimeIsUpReturnsThenAndReportsWhatIsStillComputed) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  Gate gate(runtime);
  std::vector<std::future<int>> results;
  {
    TestBatcher<int, int> batcher(
        [&](std::span<const int> inputs) {
          gate.pass();
          return Values(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 2});
    results = batcher.submit_many(Values{1, 2, 3});
    runtime.settle();
    const ShutdownReport report = batcher.shutdown({.until = runtime.now() + 20ms});
    EXPECT_EQ(runtime.elapsed(), 20ms);
    EXPECT_EQ(report.completed, 0u);
    EXPECT_EQ(report.abandoned, 1u);
    EXPECT_EQ(report.executing, 2u);
    EXPECT_FALSE(report.finished);
    runtime.settle();
    EXPECT_EQ(outcome_of(runtime, results[2]), Outcome::stopped);
    // The destructor does not wait once more.
  }
  EXPECT_EQ(runtime.elapsed(), 20ms);
  EXPECT_FALSE(is_ready(results[0]));
  gate.open();
  runtime.settle();
  EXPECT_EQ(results[0].get(), 1);
  EXPECT_EQ(results[1].get(), 2);
}

TEST(Guarantee, AShutdownTellsARunningPredictorThatNobodyWaits) {
  for (const auto mode : {ShutdownMode::drain, ShutdownMode::abandon}) {
    TestRuntime runtime({.time = TimeMode::automatic});
    std::size_t steps = 0;
    TestBatcher<int, int> batcher(
        [&](std::span<const int> inputs, const batchwright::BatchInfo& info) {
          while (steps < 100 && !info.stop.stop_requested()) {
            work_for(runtime, 1ms);
            ++steps;
          }
          return Values(inputs.size());
        });
    auto ticket = batcher.submit(1, use_ticket);
    runtime.settle();
    batcher.shutdown({.mode = mode, .until = runtime.now() + 10ms + 500us});
    runtime.run_until([&] { return ticket.ready(); });
    EXPECT_EQ(steps, mode == ShutdownMode::drain ? 11u : 1u);
  }
}

TEST(Guarantee, AShutdownWakesBlockedProducersAndEveryOtherWaiter) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls),
                                  {.capacity = 1, .overflow = OverflowAction::block});
    batcher.pause();
    auto queued = batcher.submit(1, use_ticket);
    std::array<Outcome, 2> blocked{};
    std::vector<TestRuntime::Thread> threads;
    for (Outcome& outcome : blocked) {
      threads.push_back(
          runtime.start([&] { outcome = batcher.submit(2, use_ticket).result().outcome(); }));
    }
    int answer = 0;
    threads.push_back(runtime.start([&] { answer = queued.get(); }));
    runtime.settle();
    EXPECT_TRUE(batcher.shutdown().finished);
    runtime.settle();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(blocked[0], Outcome::stopped);
    EXPECT_EQ(blocked[1], Outcome::stopped);
    EXPECT_EQ(answer, 2);  // A drain ends the pause.
  });
}

TEST(Guarantee, AShutdownMayBeCalledAgainAndFromSeveralThreadsAtOnce) {
  for_each_seed(30,
                [](TestRuntime& runtime) {
                  Calls calls;
                  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
                  auto ticket = batcher.submit(1, use_ticket);
                  int finished = 0;
                  std::vector<TestRuntime::Thread> threads;
                  for (int i = 0; i < 3; ++i) {
                    threads.push_back(runtime.start([&, i] {
                      const auto mode = i == 2 ? ShutdownMode::abandon : ShutdownMode::drain;
                      finished += batcher.shutdown({.mode = mode}).finished;
                    }));
                  }
                  for (auto& thread : threads) thread.join();
                  EXPECT_EQ(finished, 3);
                  EXPECT_TRUE(batcher.shutdown().finished);
                  EXPECT_TRUE(ticket.ready());
                },
                {.time = TimeMode::automatic});
}

TEST(Guarantee, AShutdownFromACallbackDoesNotWait) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls),
                                  {.max_batch_size = 1, .executors = executors});
    batcher.pause();
    ShutdownReport report{.finished = true};
    const auto first = batcher.submit(1, [&](const Result<int>&) { report = batcher.shutdown(); });
    ASSERT_TRUE(first);
    auto second = batcher.submit(2, use_ticket);
    batcher.resume();
    runtime.settle();
    EXPECT_FALSE(report.finished);
    EXPECT_EQ(second.get(), 4);
    EXPECT_EQ(batcher.submit(3, use_ticket).result().outcome(), Outcome::stopped);
    EXPECT_TRUE(batcher.shutdown().finished);
  }
}

TEST(Guarantee, SubmittingAfterAShutdownIsRefused) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.shutdown();
  std::future<int> future = batcher.submit(1);
  EXPECT_THROW(future.get(), batchwright::BatcherStoppedError);
  EXPECT_EQ(batcher.submit(1, use_ticket).result().outcome(), Outcome::stopped);
  EXPECT_EQ(batcher.submit(1, [](const Result<int>&) { FAIL() << "called"; }).outcome(),
            Outcome::stopped);
  auto futures = batcher.submit_many(Values{1, 2});
  ASSERT_EQ(futures.size(), 2u);
  EXPECT_EQ(outcome_of(runtime, futures[1]), Outcome::stopped);
  EXPECT_EQ(batcher.metrics().rejected[Outcome::stopped], 5u);
}

TEST(Guarantee, TheDestructorDrains) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    std::vector<std::future<int>> results;
    {
      TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                                {.max_batch_size = 2, .policy = kPatient});
      batcher.pause();
      results = batcher.submit_many(Values{1, 2, 3});
    }
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(is_ready(results[i]));
      EXPECT_EQ(results[i].get(), static_cast<int>(2 * (i + 1)));
    }
    EXPECT_EQ(runtime.parked(), 0u);
  });
}

TEST(Guarantee, ABatcherMayBeDestroyedOnItsOwnThreadsWhichCarryTheRestToItsEnd) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(30, [&](TestRuntime& runtime) {
      using Batcher = TestBatcher<int, int>;
      Calls calls;
      auto alive = std::make_shared<int>(0);
      std::optional<Batcher> batcher;
      batcher.emplace([alive, inner = doubler(runtime, calls)](
                          std::span<const int> inputs) { return inner(inputs); },
                      Batcher::Options{.max_batch_size = 1, .executors = executors});
      batcher->pause();
      auto first = batcher->submit(1, [&](const Result<int>&) { batcher.reset(); });
      ASSERT_TRUE(first);
      auto second = batcher->submit(2, use_ticket);
      auto third = batcher->submit(3, use_ticket);
      batcher->resume();
      runtime.settle();
      EXPECT_FALSE(batcher.has_value());
      EXPECT_EQ(second.get(), 4);
      EXPECT_EQ(third.get(), 6);
      EXPECT_EQ(runtime.parked(), 0u);
      EXPECT_EQ(alive.use_count(), 1);  // All of it is gone, the predictor too.
    });
  }
}

}  // namespace
