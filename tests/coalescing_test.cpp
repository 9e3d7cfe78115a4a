// SPDX-License-Identifier: MIT
#include "tests/support/coroutine.hpp"
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
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Batch;
using batchwright::BatchInfo;
using batchwright::coalesce_by;
using batchwright::Coalescing;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::Forecast;
using batchwright::kNever;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::PolicyNeeds;
using batchwright::predictor_per_executor;
using batchwright::PreserveOrder;
using batchwright::QueueCursor;
using batchwright::QueuedRequest;
using batchwright::QueueOrder;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::ReplaceOrder;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::SizePolicy;
using batchwright::StopSource;
using batchwright::TimeoutAction;
using batchwright::TimePoint;
using batchwright::use_ticket;
using batchwright::testing::TestThread;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;
using Batcher = TestBatcher<int, int>;
using Ticket = TestTicket<int>;

const auto kEqual = coalesce_by<int>(std::identity{});

// A predictor of batches that the test finishes.
struct Taken {
  std::vector<Batch<int, int>> all;

  auto predictor() {
    return [this](Batch<int, int> batch) { all.push_back(std::move(batch)); };
  }
  void answer(std::size_t index) {
    Batch<int, int> batch = std::move(all[index]);
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, batch.input(i) * 2);
  }
};

Task<int> predicted(Batcher& batcher, int input) { co_return co_await batcher.predict(input); }

// One computation for all.

TEST(Coalescing, WhateverWayTheyAreAnsweredEqualOnesAreComputedOnce) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    std::future<int> future = batcher.submit(7);
    Ticket ticket = batcher.submit(7, use_ticket);
    std::atomic<int> called{0};
    EXPECT_TRUE(batcher.submit(7, [&](const Result<int>& result) { called = *result; }));
    Task<int> awaited = predicted(batcher, 7);
    std::vector<std::future<int>> many = batcher.submit_many(Values{7, 8, 7});
    auto rows = batcher.submit_rows(Values{8, 7, 9, 7}, use_ticket);
    batcher.resume();
    EXPECT_EQ(rows.get(), (Values{16, 14, 18, 14}));
    EXPECT_EQ(runtime.get(future), 14);
    EXPECT_EQ(ticket.get(), 14);
    EXPECT_EQ(runtime.get(many[0]) + runtime.get(many[1]) + runtime.get(many[2]), 14 + 16 + 14);
    batcher.shutdown();
    EXPECT_EQ(called, 14);
    EXPECT_EQ(awaited.get(), 14);
    EXPECT_EQ(calls.inputs(), (Values{7, 8, 9}));
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.completed, 11u);
    EXPECT_EQ(metrics.shared, 8u);
    EXPECT_EQ(metrics.items, 3u);
    EXPECT_EQ(metrics.unaccounted(), 0);
  });
}

TEST(Coalescing, WithoutTheOptionEachIsComputed) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls));
  auto rows = batcher.submit_rows(Values{1, 1}, use_ticket);
  EXPECT_EQ(rows.get(), (Values{2, 2}));
  EXPECT_EQ(calls.inputs(), (Values{1, 1}));
  EXPECT_EQ(batcher.metrics().shared, 0u);
}

TEST(Coalescing, WhatRunsIsJoinedAlsoWhileAllExecutorsAreBusy) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(),
                    {.max_batch_size = 4, .max_in_flight = 1, .coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket);
    runtime.settle();
    ASSERT_EQ(taken.all.size(), 1u);
    runtime.advance(3ms);
    Ticket other = batcher.submit(2, use_ticket);
    runtime.settle();  // From now on no arrival would change what the dispatcher does.
    Ticket second = batcher.submit(1, use_ticket);
    Ticket third = batcher.submit(1, use_ticket);
    runtime.settle();
    EXPECT_EQ(batcher.metrics().executing, 3u);
    EXPECT_EQ(batcher.metrics().queued, 1u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    runtime.advance(2ms);
    taken.answer(0);
    const Result<int> result = second.result();
    EXPECT_EQ(*result, 2);
    EXPECT_EQ(result.timing().answered - result.timing().enqueued, 2ms);
    EXPECT_EQ(result.timing().started, result.timing().enqueued);
    EXPECT_EQ(result.timing().batch_id, 1u);
    EXPECT_EQ(first.get() + third.get(), 4);
    runtime.settle();
    ASSERT_EQ(taken.all.size(), 2u);
    EXPECT_EQ(taken.all[1].size(), 1u);
    taken.answer(1);
    EXPECT_EQ(other.get(), 4);
    EXPECT_EQ(batcher.metrics().shared, 2u);
    taken.all.clear();
  });
}

TEST(Coalescing, NothingIsKeptOnceItIsAnswered) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(batcher.submit(5, use_ticket).get(), 10);
  EXPECT_EQ(calls.inputs(), (Values{5, 5, 5}));
}

TEST(Coalescing, TheyTakeOneSlotOfABatchAndOfWhatAPolicySees) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, SizePolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 4, .policy = SizePolicy{.size = 3}, .coalesce = kEqual});
  std::vector<Ticket> tickets;
  for (const int input : {1, 1, 1, 1, 2, 1, 2})
    tickets.push_back(batcher.submit(input, use_ticket));
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  tickets.push_back(batcher.submit(3, use_ticket));
  for (Ticket& ticket : tickets) EXPECT_GT(ticket.get(), 0);
  ASSERT_EQ(calls.count(), 1u);
  EXPECT_EQ(calls.all[0].inputs, (Values{1, 2, 3}));
  EXPECT_EQ(batcher.metrics().batch_size.max(), 3u);
}

TEST(Coalescing, WeightsCountOnceToo) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 10,
                   .weight = [](const int& input) { return static_cast<std::size_t>(input); },
                   .coalesce = kEqual});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{6, 6, 6, 4, 6, 4}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{12, 12, 12, 8, 12, 8}));
  ASSERT_EQ(calls.count(), 1u);
  EXPECT_EQ(calls.inputs(), (Values{6, 4}));
}

// Which are equal.

struct Word {
  int letters;
  friend bool operator==(const Word&, const Word&) = default;
};
struct OneHash {
  std::size_t operator()(const Word&) const noexcept { return 1; }
};

TEST(Coalescing, KeysAreToldApartByEqualityNotByTheirHash) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.coalesce = coalesce_by<int>([](const int& input) { return Word{input / 10}; }, OneHash{})});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{11, 12, 21, 22, 31, 19}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{22, 22, 42, 42, 62, 22}));
  EXPECT_EQ(calls.inputs(), (Values{11, 21, 31}));
}

TEST(Coalescing, LanesDoNotShare) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.lane = [](const int& input) { return input / 100; },
                   .coalesce = coalesce_by<int>([](const int& input) { return input % 100; })});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{1, 101, 1, 101}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{2, 202, 2, 202}));
  EXPECT_EQ(calls.inputs(), (Values{1, 101}));
}

TEST(Coalescing, TenantsDoNotShare) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.tenant = [](const int& input) { return input / 100; },
                   .coalesce = coalesce_by<int>([](const int& input) { return input % 100; })});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{1, 101, 201, 101}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{2, 202, 402, 202}));
  EXPECT_EQ(calls.inputs(), (Values{1, 101, 201}));
}

TEST(Coalescing, WhatAKeyThrowsComesOutOfTheCallAndNothingWasAccepted) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.coalesce = coalesce_by<int>([](const int& input) {
                                              if (input == 13) throw std::domain_error("thirteen");
                                              return input;
                                            })});
  EXPECT_THROW(batcher.submit(13, use_ticket), std::domain_error);
  EXPECT_THROW(batcher.submit_many(Values{1, 13}), std::domain_error);
  EXPECT_EQ(batcher.submit(1, use_ticket).get(), 2);
  EXPECT_EQ(batcher.metrics().accepted, 1u);
}

// Answers.

TEST(Coalescing, AnExceptionIsEveryones) {
  for_each_seed(50, [](TestRuntime&) {
    Batcher batcher([](std::span<const int>) -> Values { throw std::domain_error("no"); },
                    {.coalesce = kEqual});
    batcher.pause();
    std::vector<Ticket> tickets;
    for (int i = 0; i < 4; ++i) tickets.push_back(batcher.submit(1, use_ticket));
    batcher.resume();
    for (Ticket& ticket : tickets) EXPECT_THROW(ticket.get(), std::domain_error);
    EXPECT_EQ(batcher.metrics().failed, 4u);
    EXPECT_EQ(batcher.metrics().shared, 3u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Coalescing, OfVoidTheAnswerIsNothingButSuccess) {
  TestRuntime runtime;
  int computed = 0;
  TestBatcher<int, void> batcher(
      [&](Batch<int, void>& batch) {
        for (std::size_t i = 0; i < batch.size(); ++i, ++computed) batch.answer(i);
      },
      {.coalesce = coalesce_by<void>(std::identity{})});
  batcher.pause();
  auto first = batcher.submit(1, use_ticket);
  auto second = batcher.submit(1, use_ticket);
  batcher.resume();
  first.get();
  EXPECT_TRUE(second.result().has_value());
  EXPECT_EQ(computed, 1);
}

TEST(Coalescing, ACopyThatThrowsFailsItsRequestAlone) {
  struct Touchy {
    int value = 0;
    int* copies = nullptr;
    Touchy(int v, int* c) : value(v), copies(c) {}
    Touchy(Touchy&&) = default;
    Touchy& operator=(Touchy&&) = default;
    Touchy(const Touchy& other) : value(other.value), copies(other.copies) {
      if (++*copies == 2) throw std::domain_error("second");
    }
  };
  TestRuntime runtime;
  int copies = 0;
  TestBatcher<int, Touchy> batcher(
      [&](Batch<int, Touchy>& batch) {
        for (std::size_t i = 0; i < batch.size(); ++i)
          batch.answer(i, Touchy(batch.input(i), &copies));
      },
      {.coalesce = coalesce_by<Touchy>(std::identity{})});
  batcher.pause();
  std::vector<TestTicket<Touchy>> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(batcher.submit(9, use_ticket));
  batcher.resume();
  int right = 0;
  int failed = 0;
  for (auto& ticket : tickets) {
    const Result<Touchy> result = ticket.result();
    result ? ++right : ++failed;
    if (result) {
      EXPECT_EQ((*result).value, 9);
    } else {
      EXPECT_EQ(result.outcome(), Outcome::failed);
      EXPECT_TRUE(result.error());
    }
  }
  EXPECT_EQ(right, 3);
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(copies, 3);
  EXPECT_EQ(batcher.metrics().failed, 1u);
  EXPECT_EQ(batcher.metrics().unaccounted(), 0);
}

TEST(Coalescing, ResultsThatCannotBeCopiedNeedOnlyNotAskForIt) {
  using Move = std::vector<std::unique_ptr<int>>;  // Claims to be copyable.
  TestRuntime runtime;
  TestBatcher<int, Move> batcher([](Batch<int, Move>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, Move());
  });
  EXPECT_TRUE(batcher.submit(1, use_ticket).get().empty());
}

// Each by itself: deadlines, timeouts, cancellations.

TEST(Coalescing, EachExpiresByItselfAndTheOthersAreComputed) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    const TimePoint now = runtime.now();
    Ticket first = batcher.submit(1, use_ticket, {.deadline = now + 2ms});
    Ticket second = batcher.submit(1, use_ticket);
    Ticket third = batcher.submit(1, use_ticket, {.timeout = 4ms});
    runtime.settle();
    EXPECT_EQ(runtime.advance(2ms - 1ns), 0u);
    runtime.advance(1ns);
    ASSERT_TRUE(first.ready());
    EXPECT_EQ(first.result().outcome(), Outcome::expired);
    EXPECT_FALSE(third.ready());
    runtime.advance(2ms);
    ASSERT_TRUE(third.ready());
    const Result<int> expired = third.result();
    EXPECT_EQ(expired.outcome(), Outcome::expired);
    EXPECT_EQ(expired.timing().answered, now + 4ms);
    EXPECT_FALSE(second.ready());
    batcher.resume();
    EXPECT_EQ(second.get(), 2);
    EXPECT_EQ(batcher.metrics().expired, 2u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Coalescing, TheTimeoutOfTheFirstIsItsOwn) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
  batcher.pause();
  Ticket first = batcher.submit(1, use_ticket, {.timeout = 1ms});
  Ticket second = batcher.submit(1, use_ticket);
  runtime.settle();
  runtime.advance(2ms);
  EXPECT_EQ(first.result().outcome(), Outcome::expired);
  batcher.resume();
  EXPECT_EQ(second.get(), 2);
}

TEST(Coalescing, WhenTheLastHasExpiredNothingIsComputed) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    Ticket first = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 2ms});
    Ticket second = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 1ms});
    runtime.settle();
    runtime.advance(2ms);
    EXPECT_TRUE(first.ready() && second.ready());
    EXPECT_EQ(batcher.metrics().queued, 0u);
    Ticket again = batcher.submit(1, use_ticket);
    batcher.resume();
    EXPECT_EQ(again.get(), 2);
    EXPECT_EQ(calls.inputs(), (Values{1}));
  });
}

TEST(Coalescing, WhoJoinsWhatRunsStillExpiresOnTime) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(), {.coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 1ms});
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 3ms});
    Ticket other = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 5ms});
    runtime.settle();
    runtime.advance(3ms);
    ASSERT_TRUE(rider.ready());
    EXPECT_EQ(rider.result().outcome(), Outcome::expired);
    EXPECT_FALSE(first.ready());
    EXPECT_EQ(batcher.metrics().executing, 2u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    taken.answer(0);
    EXPECT_EQ(first.get(), 2);
    EXPECT_EQ(other.get(), 2);
    EXPECT_EQ(batcher.metrics().completed_late, 1u);
    taken.all.clear();
  });
}

TEST(Coalescing, EachIsCancelledByItselfAndTheLastTakesTheWorkAlong) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    StopSource stop;
    Ticket first = batcher.submit(1, use_ticket);
    Ticket second = batcher.submit(1, use_ticket, {.stop = stop.get_token()});
    Ticket third = batcher.submit(1, use_ticket);
    Ticket alone = batcher.submit(2, use_ticket);
    Ticket both = batcher.submit(2, use_ticket);
    EXPECT_TRUE(first.cancel());
    stop.request_stop();
    EXPECT_TRUE(alone.cancel());
    EXPECT_TRUE(both.cancel());
    EXPECT_EQ(first.result().outcome(), Outcome::cancelled);
    EXPECT_EQ(second.result().outcome(), Outcome::cancelled);
    EXPECT_EQ(both.result().outcome(), Outcome::cancelled);
    batcher.resume();
    EXPECT_EQ(third.get(), 2);
    EXPECT_EQ(calls.inputs(), (Values{1}));
    EXPECT_EQ(batcher.metrics().cancelled, 4u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Coalescing, WhoJoinsWhatRunsMayStillLeaveAndWhoEnteredMayNot) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(), {.coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket);
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket);
    Ticket stays = batcher.submit(1, use_ticket);
    runtime.settle();
    EXPECT_FALSE(first.cancel());
    EXPECT_TRUE(rider.cancel());
    EXPECT_EQ(rider.result().outcome(), Outcome::cancelled);
    taken.answer(0);
    EXPECT_EQ(first.get(), 2);
    EXPECT_EQ(stays.get(), 2);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    taken.all.clear();
  });
}

TEST(Coalescing, ThePredictorIsToldWhenNobodyWaitsAnyMore) {
  for_each_seed(50, [](TestRuntime& runtime) {
    std::optional<BatchInfo> info;
    std::optional<Batch<int, int>> batch;
    int runs = 0;
    Batcher batcher(
        [&](Batch<int, int> taken, const BatchInfo& its) {
          info = its;
          batch = std::move(taken);
          ++runs;
        },
        {.max_in_flight = 2, .coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 1ms});
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket);
    runtime.settle();
    const BatchInfo seen = *info;
    EXPECT_FALSE(first.cancel());
    runtime.advance(2ms);
    EXPECT_FALSE(seen.stop.stop_requested());
    EXPECT_TRUE(rider.cancel());
    runtime.settle();
    EXPECT_TRUE(seen.stop.stop_requested());
    // What has been given up is not joined.
    std::optional<Batch<int, int>> forsaken = std::move(batch);
    Ticket late = batcher.submit(1, use_ticket);
    runtime.settle();
    EXPECT_EQ(runs, 2);
    forsaken->answer(0, 0);
    batch->answer(0, 2);
    EXPECT_EQ(late.get(), 2);
    EXPECT_EQ(first.get(), 0);
    batch.reset();
  });
}

TEST(Coalescing, TheLastDeadlineOfThoseWhoWaitCountsForThePredictor) {
  TestRuntime runtime;
  std::optional<BatchInfo> info;
  std::optional<Batch<int, int>> batch;
  Batcher batcher(
      [&](Batch<int, int> taken, const BatchInfo& its) {
        info = its;
        batch = std::move(taken);
      },
      {.coalesce = kEqual});
  batcher.pause();
  Ticket first = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 1ms});
  Ticket second = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 3ms});
  batcher.resume();
  runtime.settle();
  Ticket rider = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 5ms});
  runtime.settle();
  runtime.advance(4ms);
  EXPECT_FALSE(info->stop.stop_requested());
  runtime.advance(1ms);
  EXPECT_TRUE(info->stop.stop_requested());
  EXPECT_EQ(rider.result().outcome(), Outcome::expired);
  batch->answer(0, 2);
  EXPECT_EQ(first.get() + second.get(), 4);
}

// Rank.

TEST(Coalescing, WhoJoinsLiftsTheWorkAndWhoLeavesLetsItSink) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.max_batch_size = 1, .coalesce = kEqual});
    batcher.pause();
    std::vector<Ticket> tickets;
    for (const int input : {1, 2, 3, 4}) tickets.push_back(batcher.submit(input, use_ticket));
    tickets.push_back(batcher.submit(9, use_ticket, {.priority = 1}));
    tickets.push_back(batcher.submit(3, use_ticket, {.priority = 1}));
    tickets.push_back(batcher.submit(4, use_ticket, {.priority = 2}));
    Ticket gone = batcher.submit(2, use_ticket, {.priority = 3});
    Ticket back = batcher.submit(1, use_ticket, {.priority = 3, .deadline = runtime.now() + 1ms});
    runtime.settle();
    EXPECT_TRUE(gone.cancel());
    runtime.advance(1ms);
    EXPECT_EQ(gone.result().outcome(), Outcome::cancelled);
    EXPECT_EQ(back.result().outcome(), Outcome::expired);
    batcher.resume();
    for (Ticket& ticket : tickets) EXPECT_GT(ticket.get(), 0);
    // The lifted 3 is older than 9; 1 and 2 are back in their old places.
    EXPECT_EQ(calls.inputs(), (Values{4, 3, 9, 1, 2}));
  });
}

TEST(Coalescing, AnEarlierDeadlineLiftsTheWorkToo) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 1, .order = QueueOrder::earliest_deadline, .coalesce = kEqual});
  batcher.pause();
  const TimePoint now = runtime.now();
  std::vector<Ticket> tickets;
  tickets.push_back(batcher.submit(1, use_ticket, {.deadline = now + 50ms}));
  tickets.push_back(batcher.submit(2, use_ticket));
  tickets.push_back(batcher.submit(3, use_ticket, {.deadline = now + 20ms}));
  tickets.push_back(batcher.submit(2, use_ticket, {.deadline = now + 30ms}));
  Ticket gone = batcher.submit(1, use_ticket, {.deadline = now + 10ms});
  runtime.settle();
  EXPECT_TRUE(gone.cancel());
  batcher.resume();
  for (Ticket& ticket : tickets) EXPECT_GT(ticket.get(), 0);
  EXPECT_EQ(calls.inputs(), (Values{3, 2, 1}));
}

/// Releases the first request 5 ms before its deadline; by the lane alone, so that it is asked only when
/// the lane has changed.
struct BeforeTheDeadline {
  Decision decide(const QueueView& view) const noexcept {
    QueueCursor cursor = view.queue;
    QueuedRequest first;
    cursor.next(first);
    if (first.deadline == kNever) return Decision::wait(kNever);
    if (first.deadline - 5ms > view.now) return Decision::wait(first.deadline - 5ms);
    return Decision::release(view.size, ReleaseReason::deadline);
  }
  PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

TEST(Coalescing, APolicySeesTheLastDeadlineOfThoseWhoWaitForTheWork) {
  for (const bool keyed : {false, true}) {
    TestRuntime runtime;
    Calls calls;
    using Options = TestBatcher<int, int, BeforeTheDeadline>::Options;
    Options options{.coalesce = kEqual, .max_wait = Duration::max()};
    if (keyed) options.lane = [](const int& input) { return input % 2; };
    TestBatcher<int, int, BeforeTheDeadline> batcher(doubler(runtime, calls), std::move(options),
                                                     runtime);
    // When the batch leaves that comes of these.
    const auto left_at = [&](auto act) {
      const TimePoint begin = runtime.now();
      act(begin);
      runtime.settle();
      runtime.advance(100ms);
      EXPECT_TRUE(batcher.wait_idle());
      return calls.all.back().at - begin;
    };
    const auto submit = [&](TimePoint deadline) {
      return batcher.submit(1, use_ticket, {.deadline = deadline});
    };
    EXPECT_EQ(left_at([&](TimePoint now) { submit(now + 20ms); }), 15ms);
    EXPECT_EQ(left_at([&](TimePoint now) {
                submit(now + 20ms);
                submit(now + 10ms);
                submit(now + 40ms);
                submit(now + 30ms);
              }),
              35ms);
    EXPECT_EQ(left_at([&](TimePoint now) {
                submit(now + 20ms);
                Ticket without = submit(kNever);
                Ticket last = submit(now + 40ms);
                runtime.settle();
                runtime.advance(1ms);
                EXPECT_TRUE(without.cancel());
                EXPECT_TRUE(last.cancel());
              }),
              15ms);
    EXPECT_EQ(left_at([&](TimePoint now) {
                Ticket without = submit(kNever);
                submit(now + 20ms);
                runtime.settle();
                runtime.advance(1ms);
                EXPECT_TRUE(without.cancel());
              }),
              15ms);
    EXPECT_EQ(calls.count(), 4u);
  }
}

TEST(Coalescing, ATimeoutDelaysTheWorkWhenItIsTheLast) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 1, .queue = {.on_timeout = TimeoutAction::delay}, .coalesce = kEqual});
  batcher.pause();
  std::vector<Ticket> tickets;
  for (const int input : {1, 2}) {
    tickets.push_back(batcher.submit(input, use_ticket, {.timeout = 1ms}));
  }
  tickets.push_back(batcher.submit(2, use_ticket, {.timeout = 5ms}));
  tickets.push_back(batcher.submit(3, use_ticket, {.timeout = 2ms}));
  runtime.settle();
  runtime.advance(3ms);
  tickets.push_back(batcher.submit(3, use_ticket));  // Back among the live ones.
  batcher.resume();
  for (Ticket& ticket : tickets) EXPECT_GT(ticket.get(), 0);
  EXPECT_EQ(calls.inputs(), (Values{2, 3, 1}));
}

// Room.

TEST(Coalescing, AQueueFullOfEqualOnesDoesNotWaitForCompany) {
  for_each_seed(20,
                [](TestRuntime& runtime) {
                  Calls calls;
                  TestBatcher<int, int, SizePolicy> batcher(
                      shared_predictor(doubler(runtime, calls, 5ms)),
                      {.max_batch_size = 32, .executors = 2, .capacity = 3, .coalesce = kEqual},
                      runtime);
                  const TimePoint begin = runtime.now();
                  std::vector<std::future<int>> first = batcher.submit_many(Values{1, 1, 1});
                  work_for(runtime, 1ms);
                  // Two wait for what is being computed, and hold their room.
                  std::vector<std::future<int>> second = batcher.submit_many(Values{1, 1, 2});
                  for (std::future<int>& result : first) EXPECT_EQ(runtime.get(result), 2);
                  EXPECT_EQ(runtime.now(), begin + 5ms);
                  EXPECT_EQ(runtime.get(second[0]), 2);
                  EXPECT_EQ(runtime.get(second[2]), 4);
                  EXPECT_EQ(runtime.now(), begin + 6ms);
                  EXPECT_EQ(calls.inputs(), (Values{1, 2}));
                },
                {.time = TimeMode::automatic});
}

TEST(Coalescing, EachCountsAgainstTheCapacityAlsoWhileItRides) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(), {.capacity = 2, .coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket);
    runtime.settle();
    Ticket second = batcher.submit(1, use_ticket);
    Ticket third = batcher.submit(1, use_ticket);
    runtime.settle();
    EXPECT_EQ(batcher.try_submit(1, use_ticket).outcome(), Outcome::queue_full);
    EXPECT_TRUE(second.cancel());
    EXPECT_EQ(second.result().outcome(), Outcome::cancelled);
    auto fourth = batcher.try_submit(1, use_ticket);
    ASSERT_TRUE(fourth);
    runtime.settle();
    taken.answer(0);
    EXPECT_EQ(first.get() + third.get() + fourth->get(), 6);
    EXPECT_TRUE(batcher.try_submit_rows(Values{1, 1}, use_ticket));
    runtime.settle();
    taken.answer(1);
    batcher.shutdown();
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    taken.all.clear();
  });
}

TEST(Coalescing, ARiderGivesTheRoomOfItsLevelBackWithTheResult) {
  TestRuntime runtime;
  Taken taken;
  Batcher batcher(taken.predictor(),
                  {.levels = {{.priority = 1, .capacity = 1}}, .coalesce = kEqual});
  Ticket first = batcher.submit(1, use_ticket);
  runtime.settle();
  Ticket rider = batcher.submit(1, use_ticket, {.priority = 1});
  runtime.settle();
  EXPECT_EQ(batcher.try_submit(1, use_ticket, {.priority = 1}).outcome(), Outcome::queue_full);
  taken.answer(0);
  EXPECT_EQ(first.get() + rider.get(), 4);
  auto next = batcher.try_submit(1, use_ticket, {.priority = 1});
  ASSERT_TRUE(next);
  runtime.settle();
  taken.answer(1);
  EXPECT_EQ(next->get(), 2);
  taken.all.clear();
}

TEST(Coalescing, TheRoomOfRidersGoesToWhoWaitsForItWhenTheResultIsThere) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(
        taken.predictor(),
        {.max_in_flight = 1, .capacity = 1, .coalesce = kEqual, .overflow = OverflowAction::block});
    auto pair = batcher.submit_many(Values{1}, use_ticket);
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket);
    runtime.settle();
    std::optional<Ticket> blocked;
    TestThread client = runtime.start([&] { blocked = batcher.submit(2, use_ticket); });
    runtime.settle();
    EXPECT_FALSE(blocked.has_value());
    // The batch is not over before `held` is gone: it is the riders' room.
    Batch<int, int> held = std::move(taken.all[0]);
    held.answer(0, 2);
    client.join();
    EXPECT_EQ(rider.get(), 2);
    { const Batch<int, int> over = std::move(held); }
    runtime.settle();
    taken.answer(1);
    EXPECT_EQ(blocked->get(), 4);
    taken.all.clear();
  });
}

TEST(Coalescing, AWorkIsEvictedAsAWholeByItsMostUrgentMember) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.max_batch_size = 1,
                                              .capacity = 4,
                                              .coalesce = kEqual,
                                              .overflow = OverflowAction::evict});
    batcher.pause();
    Ticket kept = batcher.submit(1, use_ticket);
    Ticket lifts = batcher.submit(1, use_ticket, {.priority = 2});
    Ticket first = batcher.submit(2, use_ticket);
    Ticket second = batcher.submit(2, use_ticket);
    Ticket urgent = batcher.submit(3, use_ticket, {.priority = 1});
    EXPECT_EQ(first.result().outcome(), Outcome::evicted);
    EXPECT_EQ(second.result().outcome(), Outcome::evicted);
    runtime.settle();
    EXPECT_EQ(batcher.metrics().queued, 3u);
    batcher.resume();
    EXPECT_EQ(kept.get() + lifts.get() + urgent.get(), 10);
    EXPECT_EQ(calls.inputs(), (Values{1, 3}));
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Coalescing, BytesAndLevelsAreGivenBackByEach) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.levels = {{.priority = 1, .capacity = 2}},
                                            .max_queued_bytes = 30,
                                            .bytes = [](const int&) { return std::size_t{10}; },
                                            .coalesce = kEqual});
  batcher.pause();
  Ticket first = batcher.submit(1, use_ticket, {.priority = 1});
  Ticket second = batcher.submit(1, use_ticket, {.priority = 1});
  EXPECT_EQ(batcher.try_submit(1, use_ticket, {.priority = 1}).outcome(), Outcome::queue_full);
  Ticket third = batcher.submit(1, use_ticket);
  EXPECT_EQ(batcher.try_submit(1, use_ticket).outcome(), Outcome::queue_full);
  EXPECT_TRUE(second.cancel());
  EXPECT_EQ(second.result().outcome(), Outcome::cancelled);
  EXPECT_TRUE(batcher.try_submit(1, use_ticket, {.priority = 1}));
  batcher.resume();
  EXPECT_EQ(first.get() + third.get(), 4);
  batcher.pause();
  EXPECT_TRUE(batcher.try_submit_rows(Values{1, 1}, use_ticket, {.priority = 1}));
  EXPECT_TRUE(batcher.try_submit(1, use_ticket));
  batcher.shutdown();
  EXPECT_EQ(batcher.metrics().unaccounted(), 0);
}

// With the other features.

TEST(Coalescing, AForecastRefusesTheOneThatAskedAndNotWhoComesAfter) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  Batcher batcher(doubler(runtime, calls, 10ms),
                  {.max_batch_size = 1, .coalesce = kEqual, .forecast = Forecast::refuse});
  for (int i = 0; i < 10; ++i) batcher.submit(i, use_ticket).get();
  Ticket busy = batcher.submit(50, use_ticket);
  batcher.pause();
  Ticket hopeless = batcher.submit(1, use_ticket, {.deadline = runtime.now() + 5ms});
  Ticket patient = batcher.submit(1, use_ticket);
  batcher.resume();
  EXPECT_EQ(hopeless.result().outcome(), Outcome::would_expire);
  EXPECT_EQ(patient.get(), 2);
  busy.get();
  EXPECT_EQ(batcher.metrics().unaccounted(), 0);
}

// Who asks while predictors are replaced, one after another: `version(number)` answers with its number.
template <class Version>
void replace_while_others_share(TestRuntime& runtime, ReplaceOrder order, Version version) {
  Batcher batcher(version(1), {.max_batch_size = 1, .executors = 2, .coalesce = kEqual});
  std::size_t answered = 0;
  std::size_t wrong = 0;
  int serving = 1;
  int loading = 1;
  TestThread client = runtime.start([&] {
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(batcher.submit(i % 2, [&, least = serving](const Result<int>& result) {
        ++answered;
        if (!result || *result < least || *result > loading) ++wrong;
      }));
      runtime.interleave("next");
    }
  });
  for (int number = 2; number < 5; ++number) {
    loading = number;
    batcher.replace_predictor(version(number), order);
    serving = number;
    EXPECT_EQ(batcher.submit(0, use_ticket).get(), number);
  }
  client.join();
  batcher.shutdown();
  EXPECT_EQ(answered, 40u);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(batcher.metrics().unaccounted(), 0);
}

TEST(Coalescing, WhoComesAfterAReplacementIsAnsweredByTheNewPredictor) {
  for_each_seed(60,
                [](TestRuntime& runtime) {
                  replace_while_others_share(runtime, ReplaceOrder::load_first, [&](int number) {
                    return shared_predictor([runtime, number](std::span<const int> inputs) {
                      work_for(runtime, 3us);
                      return Values(inputs.size(), number);
                    });
                  });
                },
                {.time = TimeMode::automatic});
}

TEST(Coalescing, SoHeIsWhereAllUnloadFirst) {
  for_each_seed(60,
                [](TestRuntime& runtime) {
                  replace_while_others_share(runtime, ReplaceOrder::unload_first, [&](int number) {
                    return predictor_per_executor([&runtime, number] {
                      return [runtime, number](std::span<const int> inputs) {
                        work_for(runtime, 3us);
                        return Values(inputs.size(), number);
                      };
                    });
                  });
                },
                {.time = TimeMode::automatic});
}

// A work that was begun by the old predictor is in flight behind its call, and is waited for.
TEST(Coalescing, SoHeIsWhereTheOldOneAnswersLater) {
  for (const ReplaceOrder order : {ReplaceOrder::load_first, ReplaceOrder::unload_first}) {
    for_each_seed(60,
                  [order](TestRuntime& runtime) {
                    std::vector<TestThread> threads;
                    replace_while_others_share(runtime, order, [&](int number) {
                      return predictor_per_executor([&, number] {
                        return [&, number](Batch<int, int> batch) {
                          threads.push_back(
                              runtime.start([runtime, number, taken = std::move(batch)]() mutable {
                                work_for(runtime, 3us);
                                taken.answer(0, number);
                              }));
                        };
                      });
                    });
                    for (TestThread& thread : threads) thread.join();
                  },
                  {.time = TimeMode::automatic});
  }
}

TEST(Coalescing, InOrderTheAnswersOfAWorkWaitForItsTurn) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(), {.max_batch_size = 1,
                                        .max_in_flight = 2,
                                        .preserve_order = PreserveOrder::yes,
                                        .coalesce = kEqual});
    Ticket first = batcher.submit(1, use_ticket);
    Ticket second = batcher.submit(2, use_ticket);
    runtime.settle();
    ASSERT_EQ(taken.all.size(), 2u);
    Ticket rider = batcher.submit(2, use_ticket);
    runtime.settle();
    taken.answer(1);
    runtime.settle();
    EXPECT_FALSE(second.ready() || rider.ready());
    Ticket late = batcher.submit(2, use_ticket);  // Joins a result that waits.
    runtime.settle();
    taken.answer(0);
    EXPECT_EQ(second.get() + rider.get() + late.get() + first.get(), 14);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    taken.all.clear();
  });
}

TEST(Coalescing, OnTheDispatchersOwnThreadWhatIsQueuedIsShared) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.executors = 0, .coalesce = kEqual});
  batcher.pause();
  auto rows = batcher.submit_rows(Values{1, 2, 1}, use_ticket);
  batcher.resume();
  EXPECT_EQ(rows.get(), (Values{2, 4, 2}));
  EXPECT_EQ(calls.inputs(), (Values{1, 2}));
}

TEST(Coalescing, AnAbandoningShutdownStopsWhoIsQueuedAndWhoRides) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(),
                    {.max_batch_size = 1, .max_in_flight = 1, .coalesce = kEqual});
    Ticket runs = batcher.submit(1, use_ticket);
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket);
    Ticket queued = batcher.submit(2, use_ticket);
    Ticket joined = batcher.submit(2, use_ticket);
    runtime.settle();
    TestThread closer = runtime.start([&] { batcher.shutdown({.mode = ShutdownMode::abandon}); });
    EXPECT_EQ(rider.result().outcome(), Outcome::stopped);
    EXPECT_EQ(queued.result().outcome(), Outcome::stopped);
    EXPECT_EQ(joined.result().outcome(), Outcome::stopped);
    EXPECT_FALSE(runs.ready());
    taken.answer(0);
    closer.join();
    EXPECT_EQ(runs.get(), 2);
    EXPECT_EQ(batcher.metrics().stopped, 3u);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
    taken.all.clear();
  });
}

TEST(Coalescing, ADrainingShutdownAnswersThemAll) {
  for_each_seed(50, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    auto rows = batcher.submit_rows(Values{1, 1, 2, 2}, use_ticket);
    EXPECT_TRUE(batcher.shutdown().finished);
    ASSERT_TRUE(rows.ready());
    EXPECT_EQ(rows.get(), (Values{2, 2, 4, 4}));
    EXPECT_EQ(calls.inputs(), (Values{1, 2}));
  });
}

TEST(Coalescing, ACallbackMaySubmitTheSameAgain) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual});
    batcher.pause();
    std::optional<Ticket> again;
    EXPECT_TRUE(batcher.submit(1, [](const Result<int>&) {}));
    EXPECT_TRUE(
        batcher.submit(1, [&](const Result<int>&) { again = batcher.submit(1, use_ticket); }));
    batcher.resume();
    EXPECT_TRUE(batcher.wait_idle(kNever));
    EXPECT_EQ(again->get(), 2);
    EXPECT_EQ(calls.inputs(), (Values{1, 1}));
  });
}

TEST(Coalescing, ClassesAddUpToTheWholeAlsoWithRiders) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Taken taken;
    Batcher batcher(taken.predictor(),
                    {.max_in_flight = 1, .coalesce = kEqual, .metrics = {.per_priority = true}});
    Ticket first = batcher.submit(1, use_ticket);
    runtime.settle();
    Ticket rider = batcher.submit(1, use_ticket);
    Ticket gone = batcher.submit(1, use_ticket);
    Ticket queued = batcher.submit(2, use_ticket);
    runtime.settle();
    EXPECT_TRUE(gone.cancel());
    EXPECT_EQ(gone.result().outcome(), Outcome::cancelled);
    MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.queued, 1u);
    EXPECT_EQ(metrics.priorities.front().queued, 1u);
    EXPECT_EQ(metrics.priorities.front().accepted, 4u);
    taken.answer(0);
    EXPECT_EQ(first.get() + rider.get(), 4);
    runtime.settle();
    taken.answer(1);
    EXPECT_EQ(queued.get(), 4);
    batcher.shutdown();
    metrics = batcher.metrics();
    EXPECT_EQ(metrics.priorities.front().queued, 0u);
    EXPECT_EQ(metrics.priorities.front().completed, 3u);
    EXPECT_EQ(metrics.priorities.front().cancelled, 1u);
    taken.all.clear();
  });
}

TEST(Coalescing, AnObserverHearsOfEach) {
  struct Ears final : batchwright::Observer {
    std::vector<std::uint64_t> admitted;
    std::vector<std::uint64_t> answered;
    std::size_t computed = 0;
    void on_admitted(const batchwright::AdmittedEvent& event) noexcept override {
      admitted.push_back(event.trace_id);
    }
    void on_batch_formed(const batchwright::BatchFormedEvent& event) noexcept override {
      computed += event.count;
    }
    void on_answered(const batchwright::AnsweredEvent& event) noexcept override {
      answered.push_back(event.trace_id);
      EXPECT_EQ(event.batch_id, 1u);
      EXPECT_LE(event.enqueued, event.started);
    }
  };
  TestRuntime runtime;
  Calls calls;
  const auto ears = std::make_shared<Ears>();
  {
    Batcher batcher(doubler(runtime, calls), {.coalesce = kEqual, .observer = ears});
    batcher.pause();
    for (std::uint64_t id = 1; id <= 3; ++id) {
      EXPECT_TRUE(batcher.submit(1, [](const Result<int>&) {}, {.trace_id = id}));
    }
  }
  EXPECT_EQ(ears->admitted, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(ears->computed, 1u);
  std::sort(ears->answered.begin(), ears->answered.end());
  EXPECT_EQ(ears->answered, ears->admitted);
}

TEST(Coalescing, NobodyIsAnsweredBeforeHeCame) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 2, .coalesce = kEqual}, runtime);
  batcher.pause();
  std::optional<Ticket> rider;
  // The answers of a batch are given one after the other, and whoever comes meanwhile may still join.
  const auto joins = [&](int input) {
    return [&, input](const Result<int>&) {
      if (rider.has_value()) return;
      batchwright_test::work_for(runtime, 5ms);
      rider = batcher.submit(input, use_ticket);
      batchwright_test::work_for(runtime, 5ms);
    };
  };
  EXPECT_TRUE(batcher.submit(1, joins(2)));
  EXPECT_TRUE(batcher.submit(2, joins(1)));
  batcher.resume();
  runtime.advance(20ms);
  const batchwright::RequestTiming timing = std::move(*rider).result().timing();
  EXPECT_EQ(calls.all.size(), 1u);
  EXPECT_LE(timing.enqueued, timing.started);
  EXPECT_LE(timing.started, timing.answered);
}

TEST(Coalescing, AnInputIsDestroyedBeforeItsAnswer) {
  struct Counted {
    int* alive;
    explicit Counted(int* count) : alive(count) { ++*alive; }
    Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
    ~Counted() { --*alive; }
  };
  TestRuntime runtime;
  int alive = 0;
  std::vector<int> seen;
  {
    TestBatcher<Counted, int> batcher(
        [](Batch<Counted, int>& batch) {
          for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, 1);
        },
        {.coalesce = coalesce_by<int>([](const Counted&) { return 1; })});
    batcher.pause();
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(
          batcher.submit(Counted(&alive), [&](const Result<int>&) { seen.push_back(alive); }));
    }
    EXPECT_EQ(alive, 3);
  }
  // The first one's goes before all answers, each other's before its own.
  EXPECT_EQ(seen, (std::vector<int>{1, 0, 0}));
}

// Bad input.

TEST(Coalescing, MadeForAnotherResultItIsAnError) {
  TestRuntime runtime;
  Calls calls;
  try {
    const Batcher batcher(doubler(runtime, calls),
                          {.coalesce = coalesce_by<long>(std::identity{})});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "DynamicBatcher: coalesce must be made by coalesce_by<TOut> with the batcher's "
                 "TOut, got one that was made with another type");
  }
}

// All at once.

struct Tally {
  std::array<int, batchwright::kOutcomeCount> outcomes{};
  int answers = 0;
  std::uint64_t shared = 0;

  void add(int input, const Result<int>& result) {
    ++answers;
    ++outcomes[static_cast<std::size_t>(result.outcome())];
    if (result) {
      EXPECT_EQ(*result, input * 2);
    }
  }
};

TEST(Coalescing, EachIsAnsweredOnceAndNoneIsComputedTwiceAtATimeInEveryInterleaving) {
  constexpr std::uint64_t kSeeds = 1500;
  constexpr int kClients = 3;
  constexpr int kCalls = 5;
  Tally all;
  for_each_seed(
      kSeeds,
      [&](TestRuntime& runtime) {
        Random random(static_cast<std::uint64_t>(all.answers) + 1);
        std::map<int, int> computing;
        // It does not look whether anybody still waits, so what runs can always be joined.
        const auto predict = [&](std::span<const int> inputs) {
          for (const int input : inputs) EXPECT_EQ(++computing[input], 1);
          work_for(runtime, std::chrono::microseconds(1 + inputs.size()));
          Values results;
          for (const int input : inputs) {
            --computing[input];
            results.push_back(input * 2);
          }
          if (inputs.front() == 3) throw std::domain_error("three");
          return results;
        };
        Batcher batcher(
            shared_predictor(predict),
            {.max_batch_size = 1 + random.below(3),
             .executors = random.below(4),
             .preserve_order = random.chance(25) ? PreserveOrder::yes : PreserveOrder::no,
             .capacity = 6,
             .order = random.chance(30) ? QueueOrder::earliest_deadline : QueueOrder::fifo,
             .coalesce = kEqual,
             .overflow = random.chance(50) ? OverflowAction::block : OverflowAction::evict,
             .overtaking_bound = 2});
        Tally tally;
        std::array<StopSource, 2> stops;
        std::vector<TestThread> clients;
        for (int client = 0; client < kClients; ++client) {
          clients.push_back(runtime.start([&, draw = Random(random.bits())]() mutable {
            for (int i = 0; i < kCalls; ++i) {
              const int input = static_cast<int>(1 + draw.below(3));
              batchwright::SubmitOptions options{.priority = static_cast<int>(draw.below(3))};
              if (draw.chance(20)) options.stop = stops[draw.below(2)].get_token();
              if (draw.chance(30)) options.deadline = runtime.now() + 3us;
              if (draw.chance(40)) {
                const auto admitted = batcher.submit(
                    input, [&, input](const Result<int>& result) { tally.add(input, result); },
                    options);
                if (!admitted) tally.add(input, Result<int>::failure(admitted.outcome()));
                continue;
              }
              Ticket ticket = batcher.submit(input, use_ticket, options);
              const bool cancelled = draw.chance(30) && ticket.cancel();
              const Result<int> result = ticket.result();
              tally.add(input, result);
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
          if (draw.chance(15)) batcher.shutdown({.mode = ShutdownMode::abandon});
        }));
        for (TestThread& client : clients) client.join();
        batcher.shutdown();
        EXPECT_EQ(tally.answers, kClients * kCalls);
        const MetricsSnapshot metrics = batcher.metrics();
        EXPECT_EQ(metrics.queued + metrics.executing, 0u);
        EXPECT_EQ(metrics.unaccounted(), 0);
        EXPECT_EQ(metrics.items + metrics.shared, metrics.completed + metrics.failed);
        EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
        all.answers += tally.answers;
        all.shared += metrics.shared;
        for (std::size_t i = 0; i < tally.outcomes.size(); ++i)
          all.outcomes[i] += tally.outcomes[i];
      },
      {.time = TimeMode::automatic});
  for (const Outcome outcome : {Outcome::ok, Outcome::failed, Outcome::expired, Outcome::cancelled,
                                Outcome::evicted, Outcome::stopped}) {
    EXPECT_GT(all.outcomes[static_cast<std::size_t>(outcome)], 10) << to_string(outcome);
  }
  EXPECT_GT(all.shared, 1000u);
}

}  // namespace
