// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// The ways to submit and to be answered, but for tickets and coroutines, which have tests of their own.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::CompletionTask;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::TimePoint;
using batchwright::use_ticket;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;

// Futures.

TEST(SubmitFuture, TheValueComesThroughTheFuture) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    std::future<int> result = batcher.submit(21);
    EXPECT_EQ(runtime.get(result), 42);
  });
}

TEST(SubmitFuture, AFutureMayOutliveItsBatcher) {
  TestRuntime runtime;
  Calls calls;
  std::future<int> result;
  {
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    result = batcher.submit(21);
  }
  EXPECT_EQ(result.get(), 42);
}

TEST(SubmitFuture, ALaterBatcherAtTheSameAddressGetsWhatTheSameThreadsSubmit) {
  TestRuntime runtime;
  std::optional<TestBatcher<int, int>> batcher;
  const auto submit_to_each = [&](int first) {
    for (int add = first; add < first + 50; ++add) {
      batcher.emplace([add](std::span<const int> inputs) { return Values{inputs[0] + add}; },
                      batchwright::BatcherOptions<int, batchwright::GreedyPolicy>{}, runtime);
      runtime
          .start([&] {
            std::future<int> result = batcher->submit(1000);
            EXPECT_EQ(runtime.get(result), 1000 + add);
          })
          .join();
      std::future<int> result = batcher->submit(2000);
      EXPECT_EQ(runtime.get(result), 2000 + add);
    }
  };
  submit_to_each(0);
  runtime.start([&] { submit_to_each(100); }).join();
}

TEST(SubmitFuture, ADroppedFutureAbandonsTheAnswerAndNotTheWork) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  static_cast<void>(batcher.submit(1));
  runtime.settle();
  EXPECT_TRUE(calls.saw(1));
  EXPECT_EQ(batcher.metrics().completed, 1u);
}

TEST(SubmitFuture, OutcomesBecomeTheirExceptions) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 2});
  batcher.pause();
  batchwright::StopSource source;
  std::future<int> expired = batcher.submit(1, {.deadline = runtime.now() + 1ms});
  std::future<int> cancelled = batcher.submit(2, {.stop = source.get_token()});
  std::future<int> full = batcher.submit(3);
  source.request_stop();
  runtime.advance(1ms);
  std::future<int> late = batcher.submit(4, {.deadline = runtime.now()});
  std::future<int> unwanted = batcher.submit(5, {.stop = source.get_token()});
  EXPECT_THROW(expired.get(), batchwright::DeadlineExceededError);
  EXPECT_THROW(cancelled.get(), batchwright::CancelledError);
  EXPECT_THROW(full.get(), batchwright::QueueFullError);
  EXPECT_THROW(late.get(), batchwright::DeadlineExceededError);
  EXPECT_THROW(unwanted.get(), batchwright::CancelledError);
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.expired, 1u);
  EXPECT_EQ(metrics.cancelled, 1u);
  EXPECT_EQ(metrics.rejected[Outcome::expired], 1u);
  EXPECT_EQ(metrics.rejected[Outcome::cancelled], 1u);
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 1u);
}

TEST(SubmitFuture, AnInputIsCopiedFromAnLvalueAndConvertedFromWhatConverts) {
  TestRuntime runtime;
  TestBatcher<std::string, std::string> batcher([](std::span<const std::string> inputs) {
    return std::vector<std::string>(inputs.begin(), inputs.end());
  });
  const std::string kept = "kept as it is, and long enough to be on the heap";
  std::future<std::string> copied = batcher.submit(kept);
  std::future<std::string> converted = batcher.submit("a literal");
  std::future<std::string> braced = batcher.submit({'a', 'b'});
  runtime.settle();
  EXPECT_EQ(copied.get(), kept);
  EXPECT_EQ(converted.get(), "a literal");
  EXPECT_EQ(braced.get(), "ab");
}

// Callbacks.

TEST(SubmitCallback, ACallbackRunsOnceOnTheThreadThatCompletesTheBatch) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    std::thread::id executor;
    std::vector<std::thread::id> ran_on;
    TestBatcher<int, int> batcher(
        [&](std::span<const int> inputs) {
          executor = std::this_thread::get_id();
          return Values(inputs.size(), 5);
        },
        {.executors = executors});
    const auto admitted = batcher.submit(1, [&](Result<int> result) {
      ran_on.push_back(std::this_thread::get_id());
      EXPECT_EQ(*result, 5);
    });
    EXPECT_TRUE(admitted);
    EXPECT_EQ(admitted.outcome(), Outcome::ok);
    runtime.settle();
    EXPECT_EQ(ran_on, std::vector<std::thread::id>{executor});
  }
}

TEST(SubmitCallback, ACallbackMayTakeItsResultByValueByReferenceOrAsAnRvalue) {
  TestRuntime runtime;
  TestBatcher<int, std::unique_ptr<int>> batcher([](std::span<const int> inputs) {
    std::vector<std::unique_ptr<int>> results;
    for (const int input : inputs) results.push_back(std::make_unique<int>(input));
    return results;
  });
  using Answer = Result<std::unique_ptr<int>>;
  int sum = 0;
  EXPECT_TRUE(batcher.submit(1, [&](Answer result) { sum += **result; }));
  EXPECT_TRUE(batcher.submit(2, [&](const Answer& result) { sum += **result; }));
  EXPECT_TRUE(batcher.submit(4, [&](Answer&& result) { sum += *std::move(result).value(); }));
  runtime.settle();
  EXPECT_EQ(sum, 7);
}

TEST(SubmitCallback, ACallbackMayBeMoveOnlyAndIsDestroyedAfterItsCall) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  auto shared = std::make_shared<int>(0);
  EXPECT_TRUE(batcher.submit(3, [owner = std::make_unique<std::shared_ptr<int>>(shared)](
                                    const Result<int>& result) { **owner = *result; }));
  EXPECT_EQ(shared.use_count(), 2);
  runtime.settle();
  EXPECT_EQ(*shared, 6);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(SubmitCallback, APredictorsExceptionReachesTheCallbackAsItIs) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      [](std::span<const int>) -> Values { throw std::domain_error("model failure"); });
  bool called = false;
  EXPECT_TRUE(batcher.submit(1, [&](const Result<int>& result) {
    called = true;
    EXPECT_FALSE(result);
    EXPECT_EQ(result.outcome(), Outcome::failed);
    EXPECT_THROW(std::rethrow_exception(result.error()), std::domain_error);
  }));
  runtime.settle();
  EXPECT_TRUE(called);
}

TEST(SubmitCallback, ARefusalIsToldByTheReturnedValueAlone) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 1});
  batcher.pause();
  auto queued = batcher.submit(1, use_ticket);
  const auto never = [](const Result<int>&) { FAIL() << "called"; };
  EXPECT_EQ(batcher.submit(2, never).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit(2, never).outcome(), Outcome::queue_full);
  batcher.resume();
  runtime.settle();
}

TEST(SubmitCallback, ABlockedSubmissionThatIsTurnedAwayTellsItsCallback) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls),
                                {.capacity = 1, .overflow = OverflowAction::block});
  batcher.pause();
  auto queued = batcher.submit(1, use_ticket);
  std::vector<Outcome> outcomes;
  EXPECT_TRUE(
      batcher.submit(2, [&](const Result<int>& result) { outcomes.push_back(result.outcome()); },
                     {.deadline = runtime.now() + 1ms}));
  runtime.settle();
  EXPECT_EQ(outcomes, std::vector<Outcome>{Outcome::expired});
}

// submit_many.

TEST(SubmitMany, AllAreAdmittedTogetherInTheirOrder) {
  for_each_seed(20, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls), {.max_batch_size = 4});
    auto results = batcher.submit_many(Values{1, 2, 3, 4, 5, 6});
    ASSERT_EQ(results.size(), 6u);
    runtime.settle();
    EXPECT_EQ(calls.inputs(), (Values{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(calls.sizes(), (Sizes{4, 2}));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(results[i].get(), static_cast<int>(2 * i + 2));
  });
}

TEST(SubmitMany, ARangeThatDoesNotFitIsRefusedAsAWhole) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 4});
  batcher.pause();
  auto queued = batcher.submit_many(Values{1, 2});
  std::vector<std::future<int>> full = batcher.submit_many(Values{3, 4, 5});
  ASSERT_EQ(full.size(), 3u);
  for (auto& future : full) EXPECT_EQ(outcome_of(runtime, future), Outcome::queue_full);
  auto large = batcher.submit_many(Values{1, 2, 3, 4, 5}, use_ticket);
  ASSERT_EQ(large.size(), 5u);
  for (auto& ticket : large) EXPECT_EQ(ticket.result().outcome(), Outcome::too_large);
  const auto fits = batcher.submit_many(Values{6, 7});
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 6, 7}));
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.submitted, 12u);
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 3u);
  EXPECT_EQ(metrics.rejected[Outcome::too_large], 5u);
}

TEST(SubmitMany, AnRvalueRangeIsMovedFromAndAnLvalueRangeIsNot) {
  TestRuntime runtime;
  TestBatcher<std::string, std::size_t> batcher([](std::span<const std::string> inputs) {
    std::vector<std::size_t> sizes;
    for (const std::string& input : inputs) sizes.push_back(input.size());
    return sizes;
  });
  std::vector<std::string> inputs(2, std::string(100, 'x'));
  auto copied = batcher.submit_many(inputs);
  EXPECT_EQ(inputs[0].size() + inputs[1].size(), 200u);
  auto moved = batcher.submit_many(std::move(inputs));
  EXPECT_EQ(inputs[0].size() + inputs[1].size(), 0u);  // NOLINT(bugprone-use-after-move)
  runtime.settle();
  for (auto& result : copied) EXPECT_EQ(result.get(), 100u);
  for (auto& result : moved) EXPECT_EQ(result.get(), 100u);
}

TEST(SubmitMany, ARefusedRvalueRangeIsNotMovedFrom) {
  TestRuntime runtime;
  using Input = std::unique_ptr<int>;
  TestBatcher<Input, int> batcher(
      [](std::span<const Input> inputs) { return Values(inputs.size()); }, {.capacity = 1});
  std::vector<Input> inputs;
  inputs.push_back(std::make_unique<int>(1));
  inputs.push_back(std::make_unique<int>(2));
  const auto refused = batcher.submit_many(std::move(inputs));
  EXPECT_EQ(refused.size(), 2u);
  EXPECT_TRUE(inputs[0] != nullptr && inputs[1] != nullptr);  // NOLINT(bugprone-use-after-move)
}

TEST(SubmitMany, AnyRangeWillDoAlsoOneOfProxies) {
  TestRuntime runtime;
  TestBatcher<bool, int> batcher([](std::span<const bool> inputs) {
    Values results;
    for (const bool input : inputs) results.push_back(input);
    return results;
  });
  const bool array[] = {true, false};
  const std::deque<bool> deque = {false, true, true};
  const std::vector<bool> bits = {true, false, true};
  int sum = 0;
  auto answers = batcher.submit_many(array, use_ticket);
  std::vector<std::future<int>> futures = batcher.submit_many(deque);
  std::vector<std::future<int>> proxies = batcher.submit_many(bits);
  std::vector<std::future<int>> moved = batcher.submit_many(std::vector<bool>{true, true});
  runtime.settle();
  for (auto& answer : answers) sum += answer.get();
  for (auto& future : futures) sum += future.get();
  for (auto& future : proxies) sum += future.get();
  for (auto& future : moved) sum += future.get();
  EXPECT_EQ(sum, 1 + 2 + 2 + 2);
}

TEST(SubmitMany, OptionsHoldForEachOfThem) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.pause();
  batchwright::StopSource source;
  auto expiring = batcher.submit_many(Values{1, 2}, use_ticket, {.deadline = runtime.now() + 1ms});
  auto stopping = batcher.submit_many(Values{3, 4}, use_ticket, {.stop = source.get_token()});
  source.request_stop();
  runtime.advance(1ms);
  for (auto& ticket : expiring) EXPECT_EQ(ticket.result().outcome(), Outcome::expired);
  for (auto& ticket : stopping) EXPECT_EQ(ticket.result().outcome(), Outcome::cancelled);
}

TEST(SubmitMany, ABlockedRangeIsAdmittedAsAWholeOnceItFits) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(
      doubler(runtime, calls, 1ms),
      {.max_batch_size = 1, .capacity = 3, .overflow = OverflowAction::block});
  auto queued = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  TimePoint admitted{};
  auto client = runtime.start([&] {
    const auto more = batcher.submit_many(Values{4, 5}, use_ticket);
    admitted = runtime.now();
  });
  const TimePoint start = runtime.now();
  runtime.advance(10ms);
  client.join();
  EXPECT_EQ(admitted, start + 1ms);  // One computed, one being computed: room for two.
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 3, 4, 5}));
}

// Submissions that fail after their room was reserved.

TEST(SubmitThrowing, RoomThatAFailedSubmissionGivesBackGoesToWhoWaitsForIt) {
  TestRuntime runtime;
  std::vector<std::string> events;
  struct Slow {
    Slow(const TestRuntime& r, int number) : runtime(r), value(number) {}
    Slow(const Slow& other) : runtime(other.runtime), value(other.value) {
      if (value >= 0) return;
      work_for(runtime, 1ms);
      throw std::range_error("copy");
    }
    TestRuntime runtime;
    int value;
  };
  TestBatcher<Slow, int> batcher(
      [](std::span<const Slow> inputs) { return Values(inputs.size(), 1); },
      {.capacity = 1, .overflow = OverflowAction::block});
  const Slow good(runtime, 1);
  const Slow bad(runtime, -1);
  auto failing = runtime.start(
      [&] { EXPECT_THROW(static_cast<void>(batcher.submit(bad)), std::range_error); });
  runtime.settle();  // It holds the only room, and is copying its input.
  auto waiting = runtime.start([&] { EXPECT_EQ(batcher.submit(good, use_ticket).get(), 1); });
  runtime.advance(1ms);
  failing.join();
  waiting.join();
}

TEST(SubmitThrowing, AShutdownWaitsForASubmissionThatHasReservedItsRoom) {
  for (const bool fails : {false, true}) {
    TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
    struct Slow {
      Slow(const TestRuntime& r, bool f) : runtime(r), fails(f) {}
      Slow(const Slow& other) : runtime(other.runtime), fails(other.fails) {
        work_for(runtime, 1ms);
        if (fails) throw std::range_error("copy");
      }
      Slow(Slow&&) = default;
      TestRuntime runtime;
      bool fails;
    };
    TestBatcher<Slow, int> batcher(
        [](std::span<const Slow> inputs) { return Values(inputs.size(), 1); });
    const Slow input(runtime, fails);
    int answer = 0;
    auto client = runtime.start([&] {
      try {
        answer = batcher.submit(input, use_ticket).get();
      } catch (const std::range_error&) {
        answer = -1;
      }
    });
    runtime.settle();
    EXPECT_TRUE(batcher.shutdown().finished);
    EXPECT_EQ(runtime.elapsed(), 1ms);
    client.join();
    EXPECT_EQ(answer, fails ? -1 : 1);
  }
}

// complete_on.

TEST(CompleteOn, CallbacksRunWhereTheyArePosted) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> queue;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.complete_on = [&](CompletionTask task) {
                                  queue.push_back(std::move(task));
                                }});
  std::vector<int> answers;
  std::vector<std::thread::id> threads;
  for (int i = 1; i <= 2; ++i) {
    EXPECT_TRUE(batcher.submit(i, [&](Result<int> result) {
      answers.push_back(*result);
      threads.push_back(std::this_thread::get_id());
    }));
  }
  runtime.settle();
  EXPECT_EQ(answers, Values{});
  ASSERT_EQ(queue.size(), 2u);
  for (CompletionTask& task : queue) task();
  EXPECT_EQ(answers, (Values{2, 4}));
  EXPECT_EQ(threads, std::vector<std::thread::id>(2, std::this_thread::get_id()));
}

TEST(CompleteOn, AnInlineExecutorIsAsNone) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls),
                                {.complete_on = [](CompletionTask task) { task(); }});
  int answer = 0;
  EXPECT_TRUE(batcher.submit(4, [&](Result<int> result) { answer = *result; }));
  runtime.settle();
  EXPECT_EQ(answer, 8);
}

TEST(CompleteOn, ATaskThatIsDroppedRunsThen) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> queue;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.complete_on = [&](CompletionTask task) {
                                  queue.push_back(std::move(task));
                                }});
  int answers = 0;
  EXPECT_TRUE(batcher.submit(1, [&](const Result<int>& result) { answers += *result; }));
  runtime.settle();
  EXPECT_EQ(answers, 0);
  queue.clear();
  EXPECT_EQ(answers, 2);
}

TEST(CompleteOn, TasksMayOutliveTheBatcher) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> queue;
  int answers = 0;
  {
    TestBatcher<int, int> batcher(
        doubler(runtime, calls),
        {.complete_on = [&](CompletionTask task) { queue.push_back(std::move(task)); }});
    EXPECT_TRUE(batcher.submit(1, [&](const Result<int>& result) { answers += *result; }));
  }
  queue.clear();
  EXPECT_EQ(answers, 2);
}

TEST(CompleteOn, WhatEndsWithoutAPredictorIsPostedToo) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> queue;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.complete_on = [&](CompletionTask task) {
                                  queue.push_back(std::move(task));
                                }});
  batcher.pause();
  std::vector<Outcome> outcomes;
  EXPECT_TRUE(
      batcher.submit(1, [&](const Result<int>& result) { outcomes.push_back(result.outcome()); },
                     {.deadline = runtime.now() + 1ms}));
  runtime.advance(1ms);
  EXPECT_TRUE(outcomes.empty());
  queue.clear();
  EXPECT_EQ(outcomes, std::vector<Outcome>{Outcome::expired});
}

TEST(CompleteOn, FuturesAndTicketsAreAnsweredWithoutIt) {
  TestRuntime runtime;
  Calls calls;
  int posted = 0;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.complete_on = [&](CompletionTask task) {
                                  ++posted;
                                  task();
                                }});
  std::future<int> future = batcher.submit(1);
  auto ticket = batcher.submit(2, use_ticket);
  runtime.settle();
  EXPECT_EQ(future.get() + ticket.get(), 6);
  EXPECT_EQ(posted, 0);
}

}  // namespace
