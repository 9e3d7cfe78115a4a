// SPDX-License-Identifier: MIT
#include "tests/support/coroutine.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::CompletionTask;
using batchwright::OverflowAction;
using batchwright::SubmitOptions;
using batchwright::use_ticket;

using Batcher = TestBatcher<int, int>;
using Values = std::vector<int>;

static_assert(!std::is_copy_constructible_v<batchwright::Prediction<int, int, TestRuntime>>);
static_assert(!std::is_move_constructible_v<batchwright::Prediction<int, int, TestRuntime>>);

Task<int> ask(Batcher& batcher, int input, SubmitOptions options = {}) {
  co_return co_await batcher.predict(input, options);
}

TEST(Prediction, TheCoroutineResumesWithTheValue) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(30, [&](TestRuntime& runtime) {
      Calls calls;
      Batcher batcher(doubler(runtime, calls, 5ms), {.executors = executors});
      Task<int> task = ask(batcher, 21);
      EXPECT_EQ(runtime.advance(5ms - 1ns), 0u);
      EXPECT_FALSE(task.done());
      EXPECT_EQ(runtime.advance(1ns), 1u);
      EXPECT_EQ(task.get(), 42);
    });
  }
}

TEST(Prediction, NothingIsSubmittedBeforeItIsAwaited) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  {
    auto prediction = batcher.predict(1);
    runtime.settle();
    static_cast<void>(prediction);
  }
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  EXPECT_EQ(calls.count(), 0u);
}

TEST(Prediction, SeveralInARowAreOneBatchEach) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(20, [&](TestRuntime& runtime) {
      Calls calls;
      Batcher batcher(doubler(runtime, calls), {.executors = executors});
      Task<int> task = [](Batcher& b) -> Task<int> {
        int value = 1;
        for (int i = 0; i < 5; ++i) value = co_await b.predict(value);
        co_return value;
      }(batcher);
      runtime.settle();
      EXPECT_EQ(task.get(), 32);
      EXPECT_EQ(calls.inputs(), (Values{1, 2, 4, 8, 16}));
    });
  }
}

TEST(Prediction, SeveralCoroutinesShareABatch) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 3});
  batcher.pause();
  std::vector<Task<int>> tasks;
  for (int i = 1; i <= 3; ++i) tasks.push_back(ask(batcher, i));
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.sizes(), std::vector<std::size_t>{3});
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(tasks[static_cast<std::size_t>(i - 1)].get(), 2 * i);
}

TEST(Prediction, ThePredictorsExceptionIsThrownThere) {
  TestRuntime runtime;
  Batcher batcher([](std::span<const int>) -> Values { throw std::domain_error("model failure"); });
  Task<int> task = ask(batcher, 1);
  runtime.settle();
  EXPECT_THROW(task.get(), std::domain_error);
}

TEST(Prediction, ARefusalDoesNotSuspend) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.capacity = 1});
  batcher.pause();
  auto queued = batcher.submit(1, use_ticket);
  Task<int> full = ask(batcher, 2);
  ASSERT_TRUE(full.done());
  EXPECT_THROW(full.get(), batchwright::QueueFullError);
  Task<int> late = ask(batcher, 2, {.deadline = runtime.now()});
  ASSERT_TRUE(late.done());
  EXPECT_THROW(late.get(), batchwright::DeadlineExceededError);
  batcher.shutdown();
  Task<int> stopped = ask(batcher, 2);
  ASSERT_TRUE(stopped.done());
  EXPECT_THROW(stopped.get(), batchwright::BatcherStoppedError);
}

TEST(Prediction, ExpiryAndCancellationResumeIt) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  batcher.pause();
  batchwright::StopSource source;
  Task<int> expired = ask(batcher, 1, {.deadline = runtime.now() + 2ms});
  Task<int> cancelled = ask(batcher, 2, {.stop = source.get_token()});
  runtime.settle();
  source.request_stop();
  EXPECT_FALSE(cancelled.done());  // Never inside request_stop.
  runtime.settle();
  EXPECT_THROW(cancelled.get(), batchwright::CancelledError);
  EXPECT_EQ(runtime.advance(2ms), 1u);
  EXPECT_THROW(expired.get(), batchwright::DeadlineExceededError);
}

TEST(Prediction, ItResumesOnTheThreadThatCompletesTheBatch) {
  TestRuntime runtime;
  std::thread::id executor;
  Batcher batcher([&](std::span<const int> inputs) {
    executor = std::this_thread::get_id();
    return Values(inputs.size());
  });
  std::thread::id resumed;
  Task<> task = [](Batcher& b, std::thread::id& on) -> Task<> {
    static_cast<void>(co_await b.predict(1));
    on = std::this_thread::get_id();
  }(batcher, resumed);
  runtime.settle();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(resumed, executor);
}

TEST(Prediction, ItResumesWhereCompleteOnPostsIt) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> queue;
  Batcher batcher(doubler(runtime, calls),
                  {.complete_on = [&](CompletionTask task) { queue.push_back(std::move(task)); }});
  Task<int> called = ask(batcher, 1);
  Task<int> dropped = ask(batcher, 2);
  runtime.settle();
  EXPECT_FALSE(called.done());
  ASSERT_EQ(queue.size(), 2u);
  queue[0]();
  EXPECT_EQ(called.get(), 2);
  EXPECT_FALSE(dropped.done());
  queue.clear();
  EXPECT_EQ(dropped.get(), 4);
}

TEST(Prediction, OnAFullQueueThatBlocksItSuspendsAndBlocksNoThread) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls, 1ms),
                    {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block});
    const auto parks = runtime.parks();
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(ask(batcher, i));
    EXPECT_EQ(runtime.advance(4ms), 4u);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(tasks[static_cast<std::size_t>(i)].get(), 2 * i);
    EXPECT_EQ(calls.inputs(), (Values{0, 1, 2, 3}));
    EXPECT_GT(runtime.parks(), parks);  // The batcher's own threads.
    EXPECT_EQ(batcher.metrics().blocked, 0u);
  });
}

TEST(Prediction, SuspendedForRoomItMayExpireBeCancelledGiveUpOrBeStopped) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls),
                    {.capacity = 1, .overflow = OverflowAction::block, .max_block = 5ms});
    batcher.pause();
    batchwright::StopSource source;
    auto queued = batcher.submit(1, use_ticket);
    Task<int> expired = ask(batcher, 2, {.deadline = runtime.now() + 2ms});
    Task<int> cancelled = ask(batcher, 3, {.stop = source.get_token()});
    Task<int> gave_up = ask(batcher, 4);
    runtime.settle();
    EXPECT_EQ(batcher.metrics().blocked, 3u);
    source.request_stop();
    runtime.settle();
    EXPECT_THROW(cancelled.get(), batchwright::CancelledError);
    EXPECT_EQ(runtime.advance(2ms), 1u);
    EXPECT_THROW(expired.get(), batchwright::DeadlineExceededError);
    EXPECT_EQ(runtime.advance(3ms), 1u);
    EXPECT_THROW(gave_up.get(), batchwright::QueueFullError);
    Task<int> stopped = ask(batcher, 5);
    runtime.settle();
    EXPECT_FALSE(stopped.done());
    batcher.shutdown();
    EXPECT_THROW(stopped.get(), batchwright::BatcherStoppedError);
    EXPECT_EQ(batcher.metrics().rejected.total(), 4u);
  });
}

TEST(Prediction, AFullQueueDoesNotDeadlockACoroutineThatRunsOnAnOwnThread) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block});
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back([](Batcher& b, int value) -> Task<int> {
      for (int round = 0; round < 3; ++round) value = co_await b.predict(value);
      co_return value;
    }(batcher, i));
  }
  runtime.settle();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(tasks[static_cast<std::size_t>(i)].get(), 8 * i);
}

TEST(Prediction, AMoveOnlyInputIsMovedInAndAMoveOnlyValueOut) {
  using Pointer = std::unique_ptr<int>;
  TestRuntime runtime;
  TestBatcher<Pointer, Pointer> batcher([](std::span<Pointer> inputs) {
    std::vector<Pointer> results;
    for (Pointer& input : inputs) results.push_back(std::move(input));
    return results;
  });
  Task<Pointer> task = [](auto& b) -> Task<Pointer> {
    Pointer input = std::make_unique<int>(7);
    co_return co_await b.predict(std::move(input));
  }(batcher);
  runtime.settle();
  EXPECT_EQ(*task.get(), 7);
}

TEST(Prediction, OfVoidThereIsNothingButToGoOn) {
  TestRuntime runtime;
  int computed = 0;
  TestBatcher<int, void> batcher([&](std::span<const int> inputs) {
    for (const int input : inputs) computed += input;
  });
  Task<> task = [](auto& b) -> Task<> {
    co_await b.predict(1);
    co_await b.predict(2);
  }(batcher);
  runtime.settle();
  EXPECT_TRUE(task.done());
  task.get();
  EXPECT_EQ(computed, 3);
}

TEST(Prediction, ItsPriorityHolds) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  batcher.pause();
  Task<int> low = ask(batcher, 1);
  Task<int> high = ask(batcher, 2, {.priority = 1});
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.inputs(), (Values{2, 1}));
}

TEST(Prediction, TheCoroutineMayDestroyTheBatcherThatResumedIt) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    auto batcher = std::make_unique<Batcher>(doubler(runtime, calls));
    Task<int> task = [](std::unique_ptr<Batcher>& owned) -> Task<int> {
      const int value = co_await owned->predict(1);
      owned.reset();
      co_return value;
    }(batcher);
    runtime.settle();
    EXPECT_EQ(task.get(), 2);
    EXPECT_EQ(runtime.parked(), 0u);
  });
}

}  // namespace
