// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::use_ticket;
using batchwright::testing::TimeMode;

using Values = std::vector<int>;
using Ticket = TestTicket<int>;

static_assert(!std::is_copy_constructible_v<Ticket>);
static_assert(std::is_nothrow_move_constructible_v<Ticket>);
static_assert(std::is_nothrow_move_assignable_v<Ticket>);

TEST(Ticket, GetWaitsForTheValue) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    Ticket ticket = batcher.submit(21, use_ticket);
    EXPECT_TRUE(ticket.valid());
    EXPECT_EQ(ticket.get(), 42);
    EXPECT_FALSE(ticket.valid());
  });
}

TEST(Ticket, GetThrowsWhatThePredictorThrew) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      [](std::span<const int>) -> Values { throw std::domain_error("model failure"); });
  Ticket ticket = batcher.submit(1, use_ticket);
  EXPECT_THROW(ticket.get(), std::domain_error);
  EXPECT_FALSE(ticket.valid());
}

TEST(Ticket, GetThrowsTheErrorOfItsOutcome) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 1});
  batcher.pause();
  Ticket cancelled = batcher.submit(1, use_ticket);
  Ticket full = batcher.submit(2, use_ticket);
  cancelled.cancel();
  EXPECT_THROW(cancelled.get(), batchwright::CancelledError);
  EXPECT_THROW(full.get(), batchwright::QueueFullError);
  EXPECT_FALSE(full.valid());
}

TEST(Ticket, ResultGivesTheAnswerWithoutAThrow) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  Ticket ticket = batcher.submit(3, use_ticket);
  const Result<int> result = ticket.result();
  EXPECT_EQ(result.outcome(), Outcome::ok);
  EXPECT_EQ(*result, 6);
  EXPECT_EQ(result.timing().batch_size, 1u);
}

TEST(Ticket, ResultMovesAMoveOnlyValueOut) {
  TestRuntime runtime;
  TestBatcher<int, std::unique_ptr<int>> batcher([](std::span<const int> inputs) {
    std::vector<std::unique_ptr<int>> results;
    for (const int input : inputs) results.push_back(std::make_unique<int>(input));
    return results;
  });
  auto first = batcher.submit(1, use_ticket);
  auto second = batcher.submit(2, use_ticket);
  const std::unique_ptr<int> value = first.get();
  EXPECT_EQ(*value, 1);
  EXPECT_EQ(**second.result(), 2);
}

TEST(Ticket, ARefusedOneIsReadyAndHoldsItsReason) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.shutdown();
  Ticket ticket = batcher.submit(1, use_ticket);
  EXPECT_TRUE(ticket.valid());
  EXPECT_TRUE(ticket.ready());
  EXPECT_TRUE(ticket.wait_for(1h));
  EXPECT_TRUE(ticket.wait_until(kNever));
  ticket.wait();
  EXPECT_FALSE(ticket.cancel());
  EXPECT_EQ(ticket.result().outcome(), Outcome::stopped);
  EXPECT_FALSE(ticket.valid());
}

TEST(Ticket, ReadyTellsWhetherTheAnswerIsThere) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  const Ticket ticket = batcher.submit(1, use_ticket);
  runtime.advance(5ms - 1ns);
  EXPECT_FALSE(ticket.ready());
  runtime.advance(1ns);
  EXPECT_TRUE(ticket.ready());
  EXPECT_TRUE(ticket.ready());
}

TEST(Ticket, WaitForGivesUpExactlyAtItsLimit) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  Ticket ticket = batcher.submit(1, use_ticket);
  EXPECT_FALSE(ticket.wait_for(2ms));
  EXPECT_EQ(runtime.elapsed(), 2ms);
  EXPECT_FALSE(ticket.wait_until(runtime.now() + 3ms - 1ns));
  EXPECT_TRUE(ticket.wait_for(batchwright::Duration::max()));
  EXPECT_EQ(runtime.elapsed(), 5ms);
  EXPECT_TRUE(ticket.valid());
  EXPECT_EQ(ticket.get(), 2);
}

TEST(Ticket, AWaitWithALimitThatHasPassedDoesNotWait) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  Ticket ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_FALSE(ticket.wait_for(0ms));
  EXPECT_FALSE(ticket.wait_for(-1ms));
  EXPECT_FALSE(ticket.wait_until(runtime.now()));
  runtime.advance(5ms);
}

TEST(Ticket, AnEmptyOneThrowsForEverythingButAssignment) {
  TestRuntime runtime;
  Calls calls;
  Ticket ticket;
  EXPECT_FALSE(ticket.valid());
  EXPECT_THROW(static_cast<void>(ticket.ready()), std::logic_error);
  EXPECT_THROW(ticket.wait(), std::logic_error);
  EXPECT_THROW(ticket.wait_for(1ms), std::logic_error);
  EXPECT_THROW(ticket.wait_until(kNever), std::logic_error);
  EXPECT_THROW(ticket.get(), std::logic_error);
  EXPECT_THROW(ticket.result(), std::logic_error);
  EXPECT_THROW(ticket.cancel(), std::logic_error);
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  ticket = batcher.submit(1, use_ticket);
  EXPECT_EQ(ticket.get(), 2);
}

TEST(Ticket, AMoveTakesTheRequestAlong) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  Ticket first = batcher.submit(1, use_ticket);
  Ticket second(std::move(first));
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
  first = batcher.submit(2, use_ticket);
  EXPECT_EQ(second.get(), 2);
  EXPECT_EQ(first.get(), 4);
}

TEST(Ticket, AssignedToItDropsWhatItHeld) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  Ticket ticket = batcher.submit(1, use_ticket);
  ticket = batcher.submit(2, use_ticket);
  Ticket& same = ticket;
  ticket = std::move(same);
  EXPECT_EQ(ticket.get(), 4);
  EXPECT_EQ(batcher.metrics().completed, 2u);
}

TEST(Ticket, DroppedItAbandonsTheAnswerAndNotTheWork) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    static_cast<void>(batcher.submit(1, use_ticket));
    runtime.settle();
    EXPECT_TRUE(calls.saw(1));
    EXPECT_EQ(batcher.metrics().completed, 1u);
  });
}

TEST(Ticket, ItMayOutliveItsBatcher) {
  TestRuntime runtime;
  Calls calls;
  Ticket answered;
  Ticket cancelled;
  Ticket refused;
  {
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    answered = batcher.submit(1, use_ticket);
    cancelled = batcher.submit(2, use_ticket);
    cancelled.cancel();
    batcher.shutdown();
    refused = batcher.submit(3, use_ticket);
  }
  EXPECT_FALSE(answered.cancel());
  EXPECT_EQ(answered.get(), 2);
  EXPECT_FALSE(cancelled.cancel());
  EXPECT_TRUE(cancelled.ready());
  EXPECT_EQ(refused.result().outcome(), Outcome::stopped);
}

TEST(Ticket, BecomesAFutureBeforeOrAfterTheAnswer) {
  static_assert(std::is_convertible_v<Ticket, std::future<int>>);
  static_assert(!std::is_convertible_v<Ticket&, std::future<int>>);
  for_each_seed(60, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    Ticket ticket = batcher.submit(21, use_ticket);
    std::future<int> future = std::move(ticket);
    EXPECT_FALSE(ticket.valid());  // NOLINT(bugprone-use-after-move)
    runtime.settle();
    EXPECT_EQ(future.wait_for(0s), std::future_status::ready);
    EXPECT_EQ(future.get(), 42);
    Ticket answered = batcher.submit(4, use_ticket);
    runtime.settle();
    EXPECT_TRUE(answered.ready());
    future = std::move(answered);
    EXPECT_EQ(future.get(), 8);
  });
}

TEST(Ticket, BecomesAFutureAfterAWaitThatWasGivenUp) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 5ms));
  Ticket ticket = batcher.submit(1, use_ticket);
  EXPECT_FALSE(ticket.wait_for(2ms));
  std::future<int> future = std::move(ticket);
  EXPECT_EQ(future.wait_for(0s), std::future_status::timeout);
  batcher.shutdown();
  EXPECT_EQ(future.get(), 2);
}

TEST(Ticket, AFutureOfItCarriesWhatGetWouldThrow) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      [](std::span<const int>) -> Values { throw std::domain_error("model failure"); });
  std::future<int> failed = batcher.submit(1, use_ticket);
  batcher.shutdown();
  EXPECT_THROW(failed.get(), std::domain_error);
  std::future<int> refused = batcher.submit(2, use_ticket);
  EXPECT_THROW(refused.get(), batchwright::BatcherStoppedError);
  EXPECT_THROW(static_cast<void>(std::future<int>(Ticket())), std::logic_error);
}

TEST(Ticket, AFutureOfItMayBeDroppedOrOutliveTheBatcherAndHoldAMoveOnlyValue) {
  TestRuntime runtime;
  std::future<std::unique_ptr<int>> future;
  {
    TestBatcher<int, std::unique_ptr<int>> batcher([](std::span<const int> inputs) {
      std::vector<std::unique_ptr<int>> results;
      for (const int input : inputs) results.push_back(std::make_unique<int>(input));
      return results;
    });
    future = batcher.submit(7, use_ticket);
    static_cast<void>(std::future<std::unique_ptr<int>>(batcher.submit(8, use_ticket)));
  }
  EXPECT_EQ(*future.get(), 7);
}

TEST(Ticket, CancelIsTrueOnceAndTheAnswerFollowsSoon) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  batcher.pause();
  Ticket ticket = batcher.submit(1, use_ticket);
  EXPECT_TRUE(ticket.cancel());
  EXPECT_FALSE(ticket.cancel());
  EXPECT_EQ(ticket.result().outcome(), Outcome::cancelled);
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
}

TEST(Ticket, CancelAfterTheAnswerIsFalse) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls));
  Ticket ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_FALSE(ticket.cancel());
  EXPECT_EQ(ticket.get(), 2);
}

TEST(Ticket, ACancelledRequestThatWasDroppedIsNotComputedEither) {
  for_each_seed(30, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    bool cancelled = false;
    {
      Ticket ticket = batcher.submit(1, use_ticket);
      cancelled = ticket.cancel();
    }
    runtime.settle();
    EXPECT_EQ(calls.saw(1), !cancelled);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Ticket, OnAnOwnThreadAnAnswerThatIsThereIsTaken) {
  TestRuntime runtime;
  using Batcher = TestBatcher<int, int>;
  Batcher* self = nullptr;
  Ticket first;
  int value = 0;
  Batcher batcher([&](std::span<const int> inputs) {
    if (inputs[0] == 2) value = first.get();
    return Values(inputs.size(), 7);
  });
  self = &batcher;
  first = self->submit(1, use_ticket);
  runtime.settle();
  auto second = self->submit(2, use_ticket);
  runtime.settle();
  EXPECT_EQ(value, 7);
}

TEST(Ticket, OnAnOwnThreadAnAnswerThatIsNotThereIsAnErrorAndTheTicketStaysGood) {
  TestRuntime runtime;
  using Batcher = TestBatcher<int, int>;
  Batcher* self = nullptr;
  Ticket inner;
  Batcher batcher([&](std::span<const int> inputs) {
    if (inputs[0] == 1) {
      inner = self->submit(2, use_ticket);
      EXPECT_THROW(inner.get(), batchwright::WouldDeadlockError);
      EXPECT_THROW(inner.result(), batchwright::WouldDeadlockError);
      EXPECT_FALSE(inner.wait_for(1ms));
      EXPECT_FALSE(inner.ready());
    }
    return Values(inputs.size(), 7);
  });
  self = &batcher;
  auto outer = batcher.submit(1, use_ticket);
  EXPECT_EQ(outer.get(), 7);
  EXPECT_EQ(inner.get(), 7);
}

TEST(Ticket, OfVoidThereIsNothingButSuccess) {
  TestRuntime runtime;
  TestBatcher<int, void> batcher([](std::span<const int>) {});
  auto ticket = batcher.submit(1, use_ticket);
  ticket.get();
  EXPECT_FALSE(ticket.valid());
}

}  // namespace
