// SPDX-License-Identifier: MIT
#include "tests/support/fragile.hpp"
#include "tests/support/random.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Batch;
using batchwright::BatchInfo;
using batchwright::CompletionTask;
using batchwright::isolating;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::PreserveOrder;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::StopSource;
using batchwright::use_ticket;
using batchwright::testing::TestThread;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;
using Batcher = TestBatcher<int, int>;
using Rows = TestTicket<Values>;
using Pointer = std::unique_ptr<int>;

constexpr int kBad = 13;

Values doubled(Values values) {
  for (int& value : values) value *= 2;
  return values;
}

// Doubles, and throws if a bad one is among the inputs.
auto picky(const TestRuntime& runtime, Calls& calls) {
  return [runtime, &calls](std::span<const int> inputs) {
    calls.all.push_back({runtime.now(), {inputs.begin(), inputs.end()}});
    runtime.interleave("predict");
    if (std::find(inputs.begin(), inputs.end(), kBad) != inputs.end()) {
      throw std::domain_error("thirteen");
    }
    return doubled({inputs.begin(), inputs.end()});
  };
}

// The way of one row and of the call as a whole.

TEST(SubmitRows, TheRowsTravelInSeveralBatchesAndComeBackInTheirOrder) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.max_batch_size = 2});
    batcher.pause();
    std::future<Values> rows = batcher.submit_rows(Values{5, 4, 3, 2, 1});
    batcher.resume();
    EXPECT_EQ(runtime.get(rows), (Values{10, 8, 6, 4, 2}));
    EXPECT_EQ(calls.sizes(), (Sizes{2, 2, 1}));
  });
}

TEST(SubmitRows, TheyKeepTheTimeAndTheOrderOfTheirCall) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 3});
  batcher.pause();
  auto before = batcher.submit(1, use_ticket);
  auto rows = batcher.submit_rows(Values{2, 3, 4}, use_ticket);
  auto after = batcher.submit_rows(Values{5, 6}, use_ticket);
  runtime.advance(5ms);
  batcher.resume();
  EXPECT_EQ(rows.result().timing().enqueued, before.result().timing().enqueued);
  EXPECT_EQ(after.get(), (Values{10, 12}));
  EXPECT_EQ(calls.inputs(), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(calls.sizes(), (Sizes{3, 3}));
}

TEST(SubmitRows, TheOrderOfTheirCompletionDoesNotMatter) {
  TestRuntime runtime;
  std::vector<Batch<int, int>> taken;
  Batcher batcher([&](Batch<int, int> batch) { taken.push_back(std::move(batch)); },
                  {.max_batch_size = 2, .max_in_flight = 3});
  auto rows = batcher.submit_rows(Values{1, 2, 3, 4, 5}, use_ticket);
  runtime.settle();
  ASSERT_EQ(taken.size(), 3u);
  for (const std::size_t batch : {2u, 0u, 1u}) {
    EXPECT_FALSE(rows.ready());
    for (std::size_t i = taken[batch].size(); i-- > 0;) {
      taken[batch].answer(i, taken[batch].input(i) * 10);
    }
  }
  EXPECT_TRUE(rows.ready());
  EXPECT_EQ(rows.get(), (Values{10, 20, 30, 40, 50}));
  taken.clear();
}

TEST(SubmitRows, TheyShareBatchesWithTheRequestsOfOthers) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 8});
  batcher.pause();
  auto first = batcher.submit_rows(Values{1, 2}, use_ticket);
  auto second = batcher.submit_rows(Values{3, 4}, use_ticket);
  auto single = batcher.submit(5, use_ticket);
  batcher.resume();
  EXPECT_EQ(first.get(), (Values{2, 4}));
  EXPECT_EQ(second.get(), (Values{6, 8}));
  EXPECT_EQ(single.get(), 10);
  EXPECT_EQ(calls.count(), 1u);
}

TEST(SubmitRows, OfSeveralLanesAndWeightsTheyAreJoinedAllTheSame) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 4,
                   .weight = [](const int& x) { return static_cast<std::size_t>(x); },
                   .lane = [](const int& x) { return x % 2; },
                   .tenant = [](const int& x) { return x % 3; }});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{1, 2, 3, 4, 1, 2}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{2, 4, 6, 8, 2, 4}));
  for (const auto& call : calls.all) {
    EXPECT_LE(std::accumulate(call.inputs.begin(), call.inputs.end(), 0), 4);
    for (const int input : call.inputs) EXPECT_EQ(input % 2, call.inputs[0] % 2);
  }
  EXPECT_GE(calls.count(), 4u);
}

TEST(SubmitRows, APriorityIsThatOfAllRows) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 2});
  batcher.pause();
  auto low = batcher.submit_rows(Values{1, 2}, use_ticket);
  auto high = batcher.submit_rows(Values{3, 4}, use_ticket, {.priority = 1});
  batcher.resume();
  EXPECT_EQ(low.get(), (Values{2, 4}));
  EXPECT_EQ(calls.inputs(), (Values{3, 4, 1, 2}));
}

// Failures.

TEST(SubmitRows, ABadRowFailsItsCallAloneWithItsException) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(isolating(picky(runtime, calls)), {.max_batch_size = 8});
    batcher.pause();
    auto before = batcher.submit_rows(Values{1, 2}, use_ticket);
    auto bad = batcher.submit_rows(Values{3, kBad, 4}, use_ticket);
    auto after = batcher.submit_rows(Values{5, 6, 7}, use_ticket);
    batcher.resume();
    EXPECT_THROW(bad.get(), std::domain_error);
    EXPECT_EQ(before.get(), (Values{2, 4}));
    EXPECT_EQ(after.get(), (Values{10, 12, 14}));
    EXPECT_EQ(batcher.metrics().failed, 1u);
  });
}

TEST(SubmitRows, WhenOneFailsThoseStillQueuedAreNeverComputed) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(picky(runtime, calls), {.max_batch_size = 1});
    batcher.pause();
    std::future<Values> rows = batcher.submit_rows(Values{1, kBad, 2, 3, 4});
    auto other = batcher.submit_rows(Values{7, 8}, use_ticket);
    batcher.resume();
    EXPECT_THROW(runtime.get(rows), std::domain_error);
    EXPECT_EQ(other.get(), (Values{14, 16}));
    runtime.settle();
    // The one that may have been dispatched is not computed either: it had not been entered.
    EXPECT_EQ(calls.inputs(), (Values{1, kBad, 7, 8}));
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.failed, 1u);
    EXPECT_EQ(metrics.cancelled, 3u);
    EXPECT_EQ(metrics.completed, 3u);
    EXPECT_EQ(metrics.unaccounted(), 0);
    EXPECT_EQ(metrics.queued, 0u);
  });
}

TEST(SubmitRows, ThoseThatRunWhenOneFailsAreLeftToRunAndTheAnswerWaitsForThem) {
  TestRuntime runtime;
  std::vector<Batch<int, int>> taken;
  Batcher batcher([&](Batch<int, int> batch) { taken.push_back(std::move(batch)); },
                  {.max_batch_size = 1, .max_in_flight = 2});
  auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  ASSERT_EQ(taken.size(), 2u);
  taken[0].fail(0, std::make_exception_ptr(std::domain_error("first")));
  runtime.settle();
  EXPECT_FALSE(rows.ready());
  EXPECT_EQ(taken[1].input(0), 2);  // Its input is untouched until its predictor is done with it.
  EXPECT_TRUE(taken[1].info().stop.stop_requested());  // And that is told that nobody waits.
  EXPECT_EQ(taken.size(), 2u);
  taken[1].answer(0, 20);
  EXPECT_TRUE(rows.ready());
  EXPECT_THROW(rows.get(), std::domain_error);
  runtime.settle();
  EXPECT_EQ(taken.size(), 2u);
  taken.clear();
}

TEST(SubmitRows, TheFirstFailureIsTheCalls) {
  TestRuntime runtime;
  std::vector<Batch<int, int>> taken;
  Batcher batcher([&](Batch<int, int> batch) { taken.push_back(std::move(batch)); });
  auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  taken[0].answer(0, 1);
  taken[0].fail(2, std::make_exception_ptr(std::domain_error("first")));
  taken[0].fail(1, std::make_exception_ptr(std::logic_error("second")));
  EXPECT_THROW(rows.get(), std::domain_error);
  taken.clear();
}

TEST(SubmitRows, TheRoomOfThoseThatAreWithdrawnComesFree) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(picky(runtime, calls),
                  {.max_batch_size = 1, .capacity = 4, .overflow = OverflowAction::block});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{kBad, 1, 2, 3}, use_ticket);
  std::optional<Values> others;
  auto client = runtime.start([&] {
    others = batcher.submit_rows(Values{4, 5, 6, 7}, use_ticket).get();
  });
  runtime.settle();
  EXPECT_EQ(batcher.metrics().blocked, 1u);
  batcher.resume();
  client.join();
  EXPECT_EQ(others, (Values{8, 10, 12, 14}));
  EXPECT_EQ(rows.result().outcome(), Outcome::failed);
  EXPECT_EQ(calls.inputs(), (Values{kBad, 4, 5, 6, 7}));
}

// Admission.

TEST(SubmitRows, CapacityTakesThemAllOrRefusesThemAll) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.capacity = 4});
  batcher.pause();
  auto queued = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  std::future<Values> refused = batcher.submit_rows(Values{4, 5});
  EXPECT_THROW(refused.get(), batchwright::QueueFullError);
  EXPECT_EQ(batcher.submit_rows(Values{4, 5}, use_ticket).result().outcome(), Outcome::queue_full);
  EXPECT_THROW(batcher.submit_rows(Values(5)).get(), batchwright::TooLargeError);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.queued, 3u);
  EXPECT_EQ(metrics.accepted, 3u);
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 4u);
  EXPECT_EQ(metrics.rejected[Outcome::too_large], 5u);
  auto fits = batcher.submit_rows(Values{6}, use_ticket);
  batcher.resume();
  EXPECT_EQ(queued.get(), (Values{2, 4, 6}));
  EXPECT_EQ(fits.get(), (Values{12}));
}

TEST(SubmitRows, ABlockedCallWaitsForRoomForAllOfThem) {
  for_each_seed(30,
                [](TestRuntime& runtime) {
                  Calls calls;
                  Batcher batcher(
                      doubler(runtime, calls, 1ms),
                      {.max_batch_size = 1, .capacity = 3, .overflow = OverflowAction::block});
                  auto first = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
                  auto second = batcher.submit_rows(Values{4, 5, 6}, use_ticket);
                  EXPECT_EQ(second.get(), (Values{8, 10, 12}));
                  EXPECT_EQ(first.get(), (Values{2, 4, 6}));
                  EXPECT_EQ(calls.inputs(), (Values{1, 2, 3, 4, 5, 6}));
                },
                {.time = TimeMode::automatic});
}

TEST(SubmitRows, ABlockedCallThatIsTurnedAwayEndsAsAWhole) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.capacity = 2, .overflow = OverflowAction::block, .max_block = 3ms});
  batcher.pause();
  auto queued = batcher.submit_rows(Values{1, 2}, use_ticket);
  EXPECT_EQ(batcher.submit_rows(Values{3, 4}, use_ticket).result().outcome(), Outcome::queue_full);
  EXPECT_EQ(runtime.elapsed(), 3ms);
  EXPECT_EQ(batcher.submit_rows(Values{3, 4}, use_ticket, {.deadline = runtime.now() + 1ms})
                .result()
                .outcome(),
            Outcome::expired);
  EXPECT_EQ(runtime.elapsed(), 4ms);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 2u);
  EXPECT_EQ(metrics.rejected[Outcome::expired], 2u);
  EXPECT_EQ(metrics.unaccounted(), 0);
  batcher.resume();
  EXPECT_EQ(queued.get(), (Values{2, 4}));
  EXPECT_FALSE(calls.saw(3));
}

TEST(SubmitRows, ATriedCallThatDeclinesLeavesItsInputsAndItsCallbackUntouched) {
  TestRuntime runtime;
  TestBatcher<Pointer, int> batcher(
      [](std::span<const Pointer> inputs) {
        Values results;
        for (const Pointer& input : inputs) results.push_back(*input);
        return results;
      },
      {.capacity = 2, .overflow = OverflowAction::block});
  batcher.pause();
  std::vector<Pointer> inputs;
  for (int i = 1; i <= 2; ++i) inputs.push_back(std::make_unique<int>(i));
  auto single = batcher.submit(std::make_unique<int>(0), use_ticket);
  auto owned = std::make_unique<int>(0);
  const auto callback = [&owned](std::unique_ptr<int> kept) {
    return [kept = std::move(kept), &owned](Result<Values> result) mutable {
      owned = std::move(kept);
      *owned = result.value()[1];
    };
  };
  auto notes = callback(std::make_unique<int>(7));
  EXPECT_EQ(batcher.try_submit_rows(std::move(inputs)).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit_rows(std::move(inputs), use_ticket).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit_rows(std::move(inputs), std::move(notes)).outcome(),
            Outcome::queue_full);
  for (int i = 1; i <= 2; ++i) EXPECT_EQ(*inputs[static_cast<std::size_t>(i - 1)], i);
  batcher.resume();
  runtime.settle();
  EXPECT_TRUE(batcher.try_submit_rows(std::move(inputs), std::move(notes)));
  runtime.settle();
  EXPECT_EQ(*owned, 2);
  for (const Pointer& input : inputs) EXPECT_EQ(input, nullptr);
  auto future = batcher.try_submit_rows(std::vector<Pointer>{});
  EXPECT_TRUE((*future).get().empty());
  auto ticket = batcher.try_submit_rows(std::vector<Pointer>{}, use_ticket);
  EXPECT_TRUE((*ticket).get().empty());
}

TEST(SubmitRows, ElementsOfAnLvalueAreCopiedAndOfAnRvalueMoved) {
  TestRuntime runtime;
  using Strings = std::vector<std::string>;
  TestBatcher<std::string, std::string> batcher(
      [](std::span<const std::string> inputs) { return Strings(inputs.begin(), inputs.end()); });
  const std::string word(40, 'x');
  Strings words{word, word};
  auto copied = batcher.submit_rows(words, use_ticket);
  EXPECT_EQ(words, (Strings{word, word}));
  auto moved = batcher.submit_rows(std::move(words), use_ticket);
  for (const std::string& left : words) EXPECT_TRUE(left.empty());  // NOLINT: that is the question.
  const char* const literals[] = {"a", "b"};
  auto converted = batcher.submit_rows(literals, use_ticket);
  EXPECT_EQ(copied.get(), (Strings{word, word}));
  EXPECT_EQ(moved.get(), (Strings{word, word}));
  EXPECT_EQ(converted.get(), (Strings{"a", "b"}));
}

TEST(SubmitRows, AnInputThatCannotBeCopiedThrowsOutOfTheCallAndNothingIsAccepted) {
  TestRuntime runtime;
  TestBatcher<Fragile, int> batcher(
      [](std::span<const Fragile> inputs) { return Values(inputs.size(), 1); }, {.capacity = 3});
  {
    const std::vector<Fragile> inputs = [] {
      std::vector<Fragile> made;
      made.reserve(3);
      for (int i = 0; i < 3; ++i) made.emplace_back(i);
      return made;
    }();
    for (int nth = 1; nth <= 3; ++nth) {
      Fragile::break_at(nth);
      EXPECT_THROW(static_cast<void>(batcher.submit_rows(inputs)), Broken);
      Fragile::break_at(nth);
      EXPECT_THROW(static_cast<void>(batcher.submit_rows(inputs, use_ticket)), Broken);
      Fragile::break_at(nth);
      EXPECT_THROW(
          static_cast<void>(batcher.submit_rows(inputs, [](const Result<Values>&) { FAIL(); })),
          Broken);
      EXPECT_EQ(Fragile::alive(), 3);
    }
    EXPECT_EQ(batcher.submit_rows(inputs, use_ticket).get(),
              (Values{1, 1, 1}));  // All the room is there.
  }
  EXPECT_EQ(batcher.metrics().accepted, 3u);
  EXPECT_EQ(Fragile::alive(), 0);
}

TEST(SubmitRows, WithoutAnyTheAnswerIsThereAtOnceAlsoFromABatcherThatIsStopped) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  for (int round = 0; round < 2; ++round) {
    std::future<Values> future = batcher.submit_rows(Values{});
    ASSERT_TRUE(is_ready(future));
    EXPECT_EQ(future.get(), Values{});
    Rows ticket = batcher.submit_rows(Values{}, use_ticket);
    EXPECT_TRUE(ticket.ready());
    EXPECT_FALSE(ticket.cancel());
    EXPECT_EQ(ticket.get(), Values{});
    bool called = false;
    EXPECT_TRUE(batcher.submit_rows(Values{}, [&](const Result<Values>& result) {
      called = true;
      EXPECT_TRUE((*result).empty());
    }));
    EXPECT_TRUE(called);
    batcher.shutdown();
  }
  EXPECT_EQ(batcher.metrics().submitted, 0u);
}

// Time, stops, cancellation, eviction.

TEST(SubmitRows, ADeadlineEndsTheCallOnTimeAndNoneOfItsRowsIsComputed) {
  TestRuntime runtime;
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate), {.max_batch_size = 1});
  auto busy = batcher.submit(1, use_ticket);
  auto rows = batcher.submit_rows(Values{2, 3}, use_ticket, {.deadline = runtime.now() + 5ms});
  runtime.advance(5ms - 1ns);
  EXPECT_FALSE(rows.ready());
  runtime.advance(1ns);
  EXPECT_TRUE(rows.ready());
  EXPECT_THROW(rows.get(), batchwright::DeadlineExceededError);
  EXPECT_EQ(batcher.metrics().expired, 2u);
  gate.open();
  EXPECT_EQ(busy.get(), 1);
}

TEST(SubmitRows, ADeadlineThatComesWhenSomeRunEndsTheCallWhenTheseAreDone) {
  TestRuntime runtime;
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate), {.max_batch_size = 1});
  auto rows = batcher.submit_rows(Values{1, 2}, use_ticket, {.deadline = runtime.now() + 5ms});
  runtime.advance(6ms);
  EXPECT_EQ(batcher.metrics().expired, 1u);
  EXPECT_FALSE(rows.ready());
  gate.open();
  EXPECT_EQ(rows.result().outcome(), Outcome::expired);
  EXPECT_EQ(batcher.metrics().completed, 1u);
}

TEST(SubmitRows, AStopCancelsAllOfThem) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls));
    batcher.pause();
    StopSource stop;
    auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket, {.stop = stop.get_token()});
    auto other = batcher.submit_rows(Values{4, 5}, use_ticket);
    stop.request_stop();
    EXPECT_EQ(rows.result().outcome(), Outcome::cancelled);
    batcher.resume();
    EXPECT_EQ(other.get(), (Values{8, 10}));
    EXPECT_EQ(calls.inputs(), (Values{4, 5}));
    EXPECT_EQ(batcher.metrics().cancelled, 3u);
  });
}

TEST(SubmitRows, ATicketCancelsAllOfThem) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls));
    batcher.pause();
    Rows rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
    auto other = batcher.submit_rows(Values{4, 5}, use_ticket);
    EXPECT_TRUE(rows.cancel());
    EXPECT_FALSE(rows.cancel());
    EXPECT_EQ(rows.result().outcome(), Outcome::cancelled);
    batcher.resume();
    EXPECT_EQ(other.get(), (Values{8, 10}));
    EXPECT_EQ(calls.inputs(), (Values{4, 5}));
  });
}

TEST(SubmitRows, ATicketCancelsWhatIsQueuedAndTheAnswerWaitsForWhatRuns) {
  TestRuntime runtime;
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate), {.max_batch_size = 1});
  Rows rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  EXPECT_TRUE(rows.cancel());
  runtime.settle();
  EXPECT_FALSE(rows.ready());
  gate.open();
  EXPECT_EQ(rows.result().outcome(), Outcome::cancelled);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.cancelled, 2u);
  EXPECT_EQ(metrics.completed, 1u);
}

TEST(SubmitRows, ATicketCancelsNothingWhereAllRowsRunOrHaveRun) {
  TestRuntime runtime;
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate));
  Rows rows = batcher.submit_rows(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_FALSE(rows.cancel());
  gate.open();
  runtime.settle();
  EXPECT_FALSE(rows.cancel());
  EXPECT_EQ(rows.get(), (Values{1, 2}));
}

TEST(SubmitRows, OneThatIsEvictedEndsItsCallAndTheOthersAreNotComputed) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls),
                    {.max_batch_size = 1, .capacity = 4, .overflow = OverflowAction::evict});
    batcher.pause();
    auto kept = batcher.submit(1, use_ticket);
    auto rows = batcher.submit_rows(Values{2, 3, 4}, use_ticket);
    auto urgent = batcher.submit(5, use_ticket, {.priority = 1});
    EXPECT_THROW(rows.get(), batchwright::EvictedError);
    runtime.settle();
    EXPECT_EQ(batcher.metrics().queued, 2u);
    batcher.resume();
    EXPECT_EQ(kept.get() + urgent.get(), 12);
    EXPECT_EQ(calls.inputs(), (Values{5, 1}));
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.dropped, 1u);
    EXPECT_EQ(metrics.cancelled, 2u);
    EXPECT_EQ(metrics.unaccounted(), 0);
  });
}

TEST(SubmitRows, SeveralRowsOfOneCallMayBeEvictedTogether) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.capacity = 4, .overflow = OverflowAction::evict});
    batcher.pause();
    auto rows = batcher.submit_rows(Values{1, 2, 3, 4}, use_ticket);
    auto urgent = batcher.submit_rows(Values{5, 6, 7}, use_ticket, {.priority = 1});
    EXPECT_EQ(rows.result().outcome(), Outcome::evicted);
    batcher.resume();
    EXPECT_EQ(urgent.get(), (Values{10, 12, 14}));
    EXPECT_EQ(calls.inputs(), (Values{5, 6, 7}));
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

// The end.

TEST(SubmitRows, ADrainingShutdownComputesThemAll) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.max_batch_size = 2});
    batcher.pause();
    auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
    EXPECT_TRUE(batcher.shutdown().finished);
    EXPECT_TRUE(rows.ready());
    EXPECT_EQ(rows.get(), (Values{2, 4, 6}));
    EXPECT_EQ(batcher.submit_rows(Values{4}, use_ticket).result().outcome(), Outcome::stopped);
  });
}

TEST(SubmitRows, AnAbandoningShutdownStopsTheCall) {
  TestRuntime runtime;
  Gate gate(runtime);
  Batcher batcher(echo_behind(gate), {.max_batch_size = 1});
  auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  auto closer = runtime.start([&] { batcher.shutdown({.mode = ShutdownMode::abandon}); });
  runtime.settle();
  EXPECT_FALSE(rows.ready());
  gate.open();
  closer.join();
  EXPECT_TRUE(rows.ready());
  EXPECT_THROW(rows.get(), batchwright::BatcherStoppedError);
  EXPECT_EQ(batcher.metrics().stopped, 2u);
}

TEST(SubmitRows, AHandleMayOutliveItsBatcher) {
  TestRuntime runtime;
  Calls calls;
  std::future<Values> future;
  Rows ticket;
  Rows failed;
  {
    Batcher batcher(picky(runtime, calls), {.max_batch_size = 1});
    future = batcher.submit_rows(Values{1, 2});
    ticket = batcher.submit_rows(Values{3, 4}, use_ticket);
    failed = batcher.submit_rows(Values{kBad, 5}, use_ticket);
  }
  EXPECT_EQ(future.get(), (Values{2, 4}));
  EXPECT_FALSE(ticket.cancel());
  EXPECT_EQ(ticket.get(), (Values{6, 8}));
  EXPECT_FALSE(failed.cancel());
  EXPECT_EQ(failed.result().outcome(), Outcome::failed);
}

TEST(SubmitRows, ADroppedHandleAbandonsTheAnswerAndNotTheWork) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  static_cast<void>(batcher.submit_rows(Values{1, 2}, use_ticket));
  static_cast<void>(batcher.submit_rows(Values{3, 4}));
  runtime.settle();
  EXPECT_EQ(batcher.metrics().completed, 4u);
}

// Results and callbacks.

TEST(SubmitRows, ResultsNeedOnlyBeMovable) {
  struct Label {
    explicit Label(int v) : value(std::make_unique<int>(v)) {}
    Pointer value;
    std::array<char, 64> text{};
  };
  TestRuntime runtime;
  TestBatcher<int, Label> batcher(
      [](std::span<const int> inputs) {
        std::vector<Label> labels;
        for (const int input : inputs) labels.emplace_back(input);
        return labels;
      },
      {.max_batch_size = 2});
  const std::vector<Label> labels = batcher.submit_rows(Values{1, 2, 3}, use_ticket).get();
  ASSERT_EQ(labels.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*labels[static_cast<std::size_t>(i)].value, i + 1);
}

TEST(SubmitRows, TruthValuesAreJoinedToo) {
  TestRuntime runtime;
  TestBatcher<int, bool> batcher([](Batch<int, bool>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, batch.input(i) % 2 == 1);
  });
  EXPECT_EQ(batcher.submit_rows(Values{1, 2, 3}, use_ticket).get(),
            (std::vector<bool>{true, false, true}));
}

TEST(SubmitRows, OfVoidTheAnswerIsNothingButSuccess) {
  TestRuntime runtime;
  TestBatcher<int, void> batcher([](std::span<const int> inputs) {
    if (inputs[0] == kBad) throw std::domain_error("thirteen");
  });
  std::future<void> future = batcher.submit_rows(Values{1, 2});
  runtime.get(future);
  batcher.submit_rows(Values{1, 2}, use_ticket).get();
  EXPECT_THROW(batcher.submit_rows(Values{kBad, 2}, use_ticket).get(), std::domain_error);
  bool called = false;
  EXPECT_TRUE(
      batcher.submit_rows(Values{1}, [&](Result<void> result) { called = result.has_value(); }));
  runtime.settle();
  EXPECT_TRUE(called);
}

TEST(SubmitRows, ACallbackRunsOnceOnTheThreadThatAnswersTheLastRow) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    std::thread::id executor;
    std::vector<std::thread::id> ran_on;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          executor = std::this_thread::get_id();
          return Values(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 2, .executors = executors});
    EXPECT_TRUE(batcher.submit_rows(Values{1, 2, 3}, [&](Result<Values> result) {
      ran_on.push_back(std::this_thread::get_id());
      EXPECT_EQ(result.value(), (Values{1, 2, 3}));
    }));
    EXPECT_TRUE(ran_on.empty());
    runtime.settle();
    EXPECT_EQ(ran_on, std::vector<std::thread::id>{executor});
  }
}

TEST(SubmitRows, ACallbackIsPostedWhereCompletionsAre) {
  TestRuntime runtime;
  Calls calls;
  std::vector<CompletionTask> tasks;
  Batcher batcher(doubler(runtime, calls),
                  {.complete_on = [&](CompletionTask task) { tasks.push_back(std::move(task)); }});
  Values answer;
  EXPECT_TRUE(batcher.submit_rows(Values{1, 2, 3},
                                  [&](Result<Values> result) { answer = std::move(*result); }));
  runtime.settle();
  EXPECT_TRUE(answer.empty());
  ASSERT_EQ(tasks.size(), 1u);
  tasks.front()();
  EXPECT_EQ(answer, (Values{2, 4, 6}));
}

TEST(SubmitRows, ACallbackMaySubmitAgainAndCancelOthers) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(picky(runtime, calls), {.max_batch_size = 1});
  batcher.pause();
  Rows other;
  std::optional<Rows> again;
  EXPECT_TRUE(batcher.submit_rows(Values{kBad, 1}, [&](const Result<Values>& result) {
    EXPECT_EQ(result.outcome(), Outcome::failed);
    EXPECT_TRUE(other.cancel());
    again = batcher.submit_rows(Values{3, 4}, use_ticket);
  }));
  other = batcher.submit_rows(Values{5, 6}, use_ticket);
  // Behind the withdrawn rows' cancellation nothing of the other call may have been entered.
  batcher.resume();
  runtime.settle();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->get(), (Values{6, 8}));
  EXPECT_EQ(other.result().outcome(), Outcome::cancelled);
}

TEST(SubmitRows, ANullCallbackIsAnError) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  const std::function<void(Result<Values>)> null;
  EXPECT_THROW(static_cast<void>(batcher.submit_rows(Values{1}, null)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(batcher.submit_rows(Values{}, null)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(batcher.try_submit_rows(Values{1}, null)), std::invalid_argument);
}

TEST(SubmitRows, OnAnOwnThreadACallThatWouldBlockIsRefused) {
  TestRuntime runtime;
  Batcher* self = nullptr;
  std::optional<Outcome> inner;
  Batcher batcher(
      [&](std::span<const int> inputs) {
        if (inputs[0] == 1)
          inner = self->submit_rows(Values{7, 8, 9}, use_ticket).result().outcome();
        return Values(inputs.begin(), inputs.end());
      },
      {.max_batch_size = 1, .capacity = 3, .overflow = OverflowAction::block});
  self = &batcher;
  batcher.pause();
  auto rows = batcher.submit_rows(Values{1, 2, 3}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{1, 2, 3}));
  EXPECT_EQ(inner, Outcome::would_deadlock);
}

// Everything at once, in many interleavings: each call is answered once, as a whole, and rightly.

struct Tally {
  std::array<int, batchwright::kOutcomeCount> outcomes{};
  int calls = 0;

  void add(const Values& inputs, const Result<Values>& result) {
    ++calls;
    ++outcomes[static_cast<std::size_t>(result.outcome())];
    if (result) {
      EXPECT_EQ(*result, doubled(inputs));
    }
    if (result.outcome() == Outcome::failed) {
      EXPECT_NE(std::find(inputs.begin(), inputs.end(), kBad), inputs.end());
    }
  }
};

TEST(SubmitRows, EveryCallIsAnsweredOnceAndRightlyInEveryInterleaving) {
  constexpr std::uint64_t kSeeds = 600;
  constexpr int kClients = 3;
  constexpr int kCalls = 4;
  Tally all;
  for_each_seed(
      kSeeds,
      [&](TestRuntime& runtime) {
        Random random(static_cast<std::uint64_t>(all.calls) + 1);
        const auto predict = [&runtime](Batch<int, int>& batch) {
          work_for(runtime, std::chrono::microseconds(batch.size()));
          for (std::size_t i = 0; i < batch.size(); ++i) {
            if (batch.input(i) == kBad) {
              batch.fail(i, std::make_exception_ptr(std::domain_error("thirteen")));
            } else {
              batch.answer(i, batch.input(i) * 2);
            }
          }
        };
        Batcher batcher(
            shared_predictor(predict),
            {.max_batch_size = 1 + random.below(4),
             .executors = 1 + random.below(3),
             .preserve_order = random.chance(25) ? PreserveOrder::yes : PreserveOrder::no,
             .capacity = 8,
             .overflow = random.chance(50) ? OverflowAction::block : OverflowAction::evict});
        Tally tally;
        std::array<StopSource, 2> stops;
        std::vector<TestThread> clients;
        for (int client = 0; client < kClients; ++client) {
          clients.push_back(runtime.start([&, draw = Random(random.bits())]() mutable {
            for (int i = 0; i < kCalls; ++i) {
              Values inputs;
              for (std::size_t k = draw.below(5); k > 0; --k) {
                inputs.push_back(draw.chance(8) ? kBad : static_cast<int>(100 * k));
              }
              batchwright::SubmitOptions options{.priority = static_cast<int>(draw.below(2))};
              if (draw.chance(20)) options.stop = stops[draw.below(2)].get_token();
              if (draw.chance(20)) options.deadline = runtime.now() + 2us;
              if (draw.chance(30)) {
                const auto admitted = batcher.submit_rows(
                    inputs,
                    [&, inputs](const Result<Values>& result) { tally.add(inputs, result); },
                    options);
                if (!admitted) tally.add(inputs, Result<Values>::failure(admitted.outcome()));
                continue;
              }
              auto rows = batcher.submit_rows(inputs, use_ticket, options);
              const bool cancelled = draw.chance(40) && rows.cancel();
              const Result<Values> result = rows.result();
              tally.add(inputs, result);
              if (cancelled) {
                EXPECT_EQ(result.outcome(), Outcome::cancelled);
              }
            }
          }));
        }
        clients.push_back(runtime.start([&, draw = Random(random.bits())]() mutable {
          for (StopSource& stop : stops) {
            for (std::size_t step = draw.below(100); step > 0; --step) runtime.interleave("later");
            stop.request_stop();
          }
          if (draw.chance(25)) batcher.shutdown({.mode = ShutdownMode::abandon});
        }));
        for (TestThread& client : clients) client.join();
        batcher.shutdown();
        EXPECT_EQ(tally.calls, kClients * kCalls);
        const MetricsSnapshot metrics = batcher.metrics();
        EXPECT_EQ(metrics.unaccounted(), 0);
        EXPECT_EQ(metrics.accepted, metrics.answered());
        EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
        all.calls += tally.calls;
        for (std::size_t i = 0; i < tally.outcomes.size(); ++i)
          all.outcomes[i] += tally.outcomes[i];
      },
      {.time = TimeMode::automatic});
  for (const Outcome outcome : {Outcome::ok, Outcome::failed, Outcome::expired, Outcome::cancelled,
                                Outcome::evicted, Outcome::stopped}) {
    EXPECT_GT(all.outcomes[static_cast<std::size_t>(outcome)], 10) << to_string(outcome);
  }
}

}  // namespace
