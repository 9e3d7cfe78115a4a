// SPDX-License-Identifier: MIT
#include "support/coroutine.hpp"
#include "support/shell.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::DeadlineExceededError;
using batchwright::Duration;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::QueueFullError;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::SubmitOptions;
using batchwright::TooLargeError;
using batchwright::use_ticket;
using batchwright::testing::TestThread;
using batchwright_test::Calls;
using batchwright_test::for_each_seed;
using batchwright_test::is_ready;
using batchwright_test::outcome_of;
using batchwright_test::Task;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using Batcher = TestBatcher<int, int>;

// A batcher, cap 1, whose predictor computes one request each time it is told to. It has one request
// in the predictor from the start, so what is submitted stays queued.
class Busy {
 public:
  Busy(const TestRuntime& runtime, Batcher::Options options) : runtime_(runtime) {
    options.max_batch_size = 1;
    batcher_.emplace(
        [this](std::span<const int> inputs) {
          computed.push_back(inputs[0]);
          runtime_.run_until([this] { return permits_ > 0; });
          --permits_;
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        std::move(options), runtime);
    first_ = batcher_->submit(0);
    runtime_.run_until([this] { return computed.size() == 1; });
  }

  // Ends without deadlock, and with everything accounted for.
  ~Busy() {
    permits_ = 1'000'000;
    EXPECT_TRUE(batcher_->wait_idle());
    const MetricsSnapshot metrics = batcher_->metrics();
    EXPECT_EQ(metrics.unaccounted(), 0);
    EXPECT_EQ(metrics.queued, 0u);
    EXPECT_EQ(metrics.blocked, 0u);
    EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
    EXPECT_EQ(metrics.submitted, submitted_ + 1);
  }

  Batcher& operator*() { return *batcher_; }
  Batcher* operator->() { return &*batcher_; }

  // Lets the predictor finish `count` more requests, and everybody else act upon it.
  void finish(int count = 1) {
    permits_ += count;
    runtime_.settle();
  }

  // For the count of all at the end.
  void note_submitted(std::uint64_t count) { submitted_ += count; }

  std::vector<int> computed;

 private:
  TestRuntime runtime_;
  int permits_ = 0;
  std::uint64_t submitted_ = 0;
  std::optional<Batcher> batcher_;
  std::future<int> first_;
};

// A thread that submits one input and may have to wait for it.
class Producer {
 public:
  Producer(const TestRuntime& runtime, Busy& busy, int input, SubmitOptions options = {})
      : runtime_(runtime) {
    busy.note_submitted(1);
    thread_ = runtime.start([this, &busy, input, options] {
      future_ = busy->submit(input, options);
      returned_ = true;
    });
  }
  ~Producer() { thread_.join(); }

  bool returned() const { return returned_; }
  Outcome outcome() {
    runtime_.run_until([this] { return returned_ && is_ready(future_); });
    return outcome_of(runtime_, future_);
  }

 private:
  TestRuntime runtime_;
  bool returned_ = false;
  std::future<int> future_;
  TestThread thread_;
};

// ---- By count.

TEST(Capacity, RejectsWhatDoesNotFit) {
  TestRuntime runtime({.seed = 1});
  Busy busy(runtime, {.capacity = 2});
  auto first = busy->submit(1);
  auto second = busy->submit(2);
  auto third = busy->submit(3);
  ASSERT_TRUE(is_ready(third));
  EXPECT_THROW(third.get(), QueueFullError);
  EXPECT_EQ(busy->try_submit(3).outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->submit(3, use_ticket).result().outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->submit(3, [](Result<int>) { ADD_FAILURE(); }).outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->metrics().queued, 2u);
  busy.finish();
  auto fourth = busy->try_submit(4);
  EXPECT_TRUE(fourth);
  busy.note_submitted(7);
}

TEST(Capacity, CountsWhatIsQueuedNotWhatIsComputed) {
  TestRuntime runtime({.seed = 1});
  Busy busy(runtime, {.capacity = 1});
  EXPECT_EQ(busy->metrics().executing, 1u);
  EXPECT_EQ(busy->metrics().queued, 0u);
  EXPECT_TRUE(busy->try_submit(1));
  EXPECT_FALSE(busy->try_submit(2));
  busy.note_submitted(2);
}

TEST(Capacity, IsGivenBackByExpiryAndCancellation) {
  TestRuntime runtime({.seed = 1});
  Busy busy(runtime, {.capacity = 2});
  auto expiring = busy->submit(1, {.deadline = runtime.now() + 2ms});
  auto cancelled = busy->submit(2, use_ticket);
  EXPECT_FALSE(busy->try_submit(3));
  EXPECT_EQ(runtime.advance(2ms), 1u);
  EXPECT_EQ(outcome_of(runtime, expiring), Outcome::expired);
  EXPECT_TRUE(busy->try_submit(4));
  EXPECT_FALSE(busy->try_submit(5));
  EXPECT_TRUE(cancelled.cancel());
  runtime.settle();
  EXPECT_TRUE(busy->try_submit(6));
  busy.note_submitted(6);
}

TEST(Capacity, ARangeIsAcceptedWholeOrNotAtAll) {
  TestRuntime runtime({.seed = 1});
  Busy busy(runtime, {.capacity = 4});
  auto three = busy->submit_many(std::vector<int>{1, 2, 3});
  EXPECT_FALSE(is_ready(three[0]));
  auto two = busy->submit_many(std::vector<int>{4, 5});
  ASSERT_EQ(two.size(), 2u);
  for (auto& future : two) EXPECT_THROW(future.get(), QueueFullError);
  EXPECT_EQ(busy->metrics().queued, 3u);
  auto one = busy->submit_many(std::vector<int>{6}, use_ticket);
  EXPECT_FALSE(one[0].ready());
  busy.note_submitted(6);
}

TEST(Capacity, WhatCanNeverFitIsTooLargeAndDoesNotWait) {
  TestRuntime runtime({.seed = 1});
  Busy busy(runtime, {.capacity = 4, .overflow = OverflowAction::block});
  auto futures = busy->submit_many(std::vector<int>(5));
  ASSERT_EQ(futures.size(), 5u);
  for (auto& future : futures) EXPECT_THROW(future.get(), TooLargeError);
  EXPECT_EQ(busy->metrics().rejected[Outcome::too_large], 5u);
  EXPECT_EQ(busy->metrics().blocked, 0u);
  busy.note_submitted(5);
}

// ---- By bytes.

Batcher::Options bytes_options(std::size_t limit, OverflowAction overflow) {
  return {.max_queued_bytes = limit,
          .bytes = [](const int& input) { return static_cast<std::size_t>(input); },
          .overflow = overflow};
}

TEST(Capacity, IsBoundByBytesToo) {
  TestRuntime runtime({.seed = 2});
  Busy busy(runtime, bytes_options(10, OverflowAction::reject));
  auto six = busy->submit(6);
  EXPECT_EQ(busy->try_submit(5).outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->metrics().queued, 1u);  // The place that it could have had was given back.
  auto four = busy->submit(4);
  EXPECT_EQ(busy->try_submit(1).outcome(), Outcome::queue_full);
  EXPECT_TRUE(busy->try_submit(0));
  EXPECT_EQ(busy->try_submit(11).outcome(), Outcome::too_large);
  busy.finish();  // The six leave the queue.
  EXPECT_TRUE(busy->try_submit(6));
  EXPECT_EQ(busy->try_submit(1).outcome(), Outcome::queue_full);
  EXPECT_EQ(runtime.advance(0ms), 0u);
  busy.note_submitted(8);
}

TEST(Capacity, ARangesBytesAreCountedTogether) {
  TestRuntime runtime({.seed = 2});
  Busy busy(runtime, bytes_options(10, OverflowAction::reject));
  EXPECT_EQ(busy->submit_many(std::vector<int>{4, 4, 4}, use_ticket)[2].result().outcome(),
            Outcome::too_large);
  auto fits = busy->submit_many(std::vector<int>{4, 4}, use_ticket);
  EXPECT_FALSE(fits[0].ready());
  EXPECT_EQ(busy->submit_many(std::vector<int>{1, 2}, use_ticket)[0].result().outcome(),
            Outcome::queue_full);
  EXPECT_TRUE(busy->try_submit(2));
  busy.note_submitted(8);
}

TEST(Capacity, BlocksUntilThereAreBytesEnough) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, bytes_options(10, OverflowAction::block));
    auto six = busy->submit(6);
    auto two = busy->submit(2);
    Producer eight(runtime, busy, 8);
    runtime.settle();
    EXPECT_FALSE(eight.returned());
    busy.finish();  // Six leave: two are left, and eight fit.
    EXPECT_TRUE(eight.returned());
    busy.note_submitted(2);
    busy.finish(10);
    EXPECT_EQ(eight.outcome(), Outcome::ok);
  });
}

// ---- Blocking.

TEST(BlockedSubmit, IsReleasedInOrderAsRoomComesFree) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
    auto queued = busy->submit(1);
    busy.note_submitted(1);
    Producer first(runtime, busy, 2);
    runtime.settle();
    Producer second(runtime, busy, 3);
    runtime.settle();
    Producer third(runtime, busy, 4);
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 3u);
    EXPECT_FALSE(first.returned());
    busy.finish();
    EXPECT_TRUE(first.returned());
    EXPECT_FALSE(second.returned());
    EXPECT_EQ(busy->metrics().blocked, 2u);
    busy.finish();
    EXPECT_TRUE(second.returned());
    EXPECT_FALSE(third.returned());
    busy.finish();
    EXPECT_TRUE(third.returned());
    busy.finish(2);
    EXPECT_EQ(third.outcome(), Outcome::ok);
    EXPECT_EQ(busy.computed, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

TEST(BlockedSubmit, IsNotOvertakenByNewcomers) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 3, .overflow = OverflowAction::block});
  auto queued = busy->submit_many(std::vector<int>{1, 2});
  busy.note_submitted(2);
  std::vector<std::future<int>> group;
  TestThread blocked = runtime.start([&] {
    group = busy->submit_many(std::vector<int>{10, 11, 12});
  });
  runtime.settle();
  // There is a place for one, but somebody waits for three.
  EXPECT_EQ(busy->try_submit(20).outcome(), Outcome::queue_full);
  Producer newcomer(runtime, busy, 21);
  runtime.settle();
  EXPECT_FALSE(newcomer.returned());
  busy.finish();
  EXPECT_TRUE(group.empty());
  EXPECT_EQ(busy->try_submit(22).outcome(), Outcome::queue_full);
  busy.finish();
  EXPECT_EQ(group.size(), 3u);
  EXPECT_FALSE(newcomer.returned());
  busy.finish(10);
  EXPECT_EQ(newcomer.outcome(), Outcome::ok);
  blocked.join();
  EXPECT_EQ(busy.computed, (std::vector<int>{0, 1, 2, 10, 11, 12, 21}));
  busy.note_submitted(5);
}

TEST(BlockedSubmit, AFullLevelHoldsUpNobodyOfAnother) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 10,
                        .levels = {{.priority = 1, .capacity = 1}, {.priority = 2, .capacity = 1}},
                        .overflow = OverflowAction::block});
    auto one = busy->submit(1, {.priority = 1});
    auto two = busy->submit(2, {.priority = 2});
    Producer third(runtime, busy, 3, {.priority = 1});
    runtime.settle();
    Producer fourth(runtime, busy, 4, {.priority = 2});
    runtime.settle();
    Producer fifth(runtime, busy, 5, {.priority = 1});
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 3u);
    auto urgent = busy->try_submit(6, {.priority = 9});
    EXPECT_TRUE(urgent);
    EXPECT_EQ(busy->try_submit(7, {.priority = 1}).outcome(), Outcome::queue_full);
    busy.finish(2);  // The one in the predictor and the urgent one: 2 comes next.
    EXPECT_TRUE(fourth.returned());
    EXPECT_FALSE(third.returned());
    busy.finish(2);
    EXPECT_TRUE(third.returned());
    EXPECT_FALSE(fifth.returned());
    EXPECT_EQ(busy->try_submit(8, {.priority = 1}).outcome(), Outcome::queue_full);
    busy.finish(3);
    EXPECT_EQ(fifth.outcome(), Outcome::ok);
    EXPECT_EQ(busy.computed, (std::vector<int>{0, 6, 2, 4, 1, 3, 5}));
    busy.note_submitted(5);
  });
}

TEST(BlockedSubmit, WhoWaitedForALevelWaitsForTheQueueOnceThatIsFullToo) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 2,
                      .levels = {{.priority = 1, .capacity = 1}},
                      .overflow = OverflowAction::block});
  auto one = busy->submit(1, {.priority = 1});
  Producer second(runtime, busy, 2, {.priority = 1});
  runtime.settle();
  auto low = busy->submit(3);  // Passes by, and fills the queue.
  Producer last(runtime, busy, 4);
  runtime.settle();
  EXPECT_FALSE(last.returned());
  EXPECT_EQ(busy->metrics().blocked, 2u);
  busy.finish();  // The level has room again, and the queue room for one.
  EXPECT_TRUE(second.returned());
  EXPECT_FALSE(last.returned());
  busy.finish(4);
  EXPECT_EQ(last.outcome(), Outcome::ok);
  EXPECT_EQ(busy.computed, (std::vector<int>{0, 1, 2, 3, 4}));
  busy.note_submitted(2);
}

TEST(BlockedSubmit, TrySubmitNeverWaits) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
  EXPECT_TRUE(busy->try_submit(1));
  const std::uint64_t parks = runtime.parks();
  EXPECT_EQ(busy->try_submit(2).outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->try_submit(2, use_ticket).outcome(), Outcome::queue_full);
  EXPECT_EQ(busy->try_submit(2, [](Result<int>) { ADD_FAILURE(); }).outcome(), Outcome::queue_full);
  EXPECT_EQ(runtime.parks(), parks);
  busy.note_submitted(4);
}

TEST(BlockedSubmit, ExpiresExactlyAtItsDeadlineWhileEverythingIsBusy) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
    auto queued = busy->submit(1);
    busy.note_submitted(1);
    Producer producer(runtime, busy, 2, {.deadline = runtime.now() + 5ms});
    runtime.settle();
    EXPECT_EQ(runtime.advance(5ms - 1ns), 0u);
    EXPECT_FALSE(producer.returned());
    EXPECT_EQ(runtime.advance(1ns), 1u);
    EXPECT_TRUE(producer.returned());
    EXPECT_EQ(producer.outcome(), Outcome::expired);
    EXPECT_EQ(busy->metrics().rejected[Outcome::expired], 1u);
    EXPECT_EQ(busy->metrics().blocked, 0u);
  });
}

TEST(BlockedSubmit, ReachesItsTimeLimitExactly) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block, .max_block = 5ms});
    auto queued = busy->submit(1);
    busy.note_submitted(1);
    Producer producer(runtime, busy, 2, {.deadline = runtime.now() + 6ms});
    runtime.settle();
    EXPECT_EQ(runtime.advance(5ms - 1ns), 0u);
    EXPECT_EQ(runtime.advance(1ns), 1u);
    EXPECT_EQ(producer.outcome(), Outcome::queue_full);
    EXPECT_EQ(busy->metrics().rejected[Outcome::queue_full], 1u);
  });
}

TEST(BlockedSubmit, ADeadlineBeforeTheLimitActsFirst) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block, .max_block = 5ms});
  auto queued = busy->submit(1);
  busy.note_submitted(1);
  Producer producer(runtime, busy, 2, {.deadline = runtime.now() + 4ms});
  runtime.settle();
  EXPECT_EQ(runtime.advance(4ms), 1u);
  EXPECT_EQ(producer.outcome(), Outcome::expired);
}

TEST(BlockedSubmit, WithNoTimeAtAllIsRefusedAtOnce) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block, .max_block = 0ms});
  auto queued = busy->submit(1);
  auto refused = busy->submit(2);
  EXPECT_THROW(runtime.get(refused), QueueFullError);
  EXPECT_EQ(runtime.elapsed(), 0ms);
  busy.note_submitted(2);
}

TEST(BlockedSubmit, ADeadlineCountsFromTheCallAndGoesOnInTheQueue) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
  auto queued = busy->submit(1);
  busy.note_submitted(1);
  Producer producer(runtime, busy, 2, {.deadline = runtime.now() + 5ms});
  runtime.settle();
  EXPECT_EQ(runtime.advance(3ms), 0u);
  busy.finish();
  EXPECT_TRUE(producer.returned());
  EXPECT_EQ(runtime.advance(2ms - 1ns), 0u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_EQ(producer.outcome(), Outcome::expired);
  EXPECT_EQ(busy->metrics().expired, 1u);
  EXPECT_EQ(busy.computed, (std::vector<int>{0, 1}));
}

TEST(BlockedSubmit, IsCancelledByItsStopToken) {
  for_each_seed(30, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
    auto queued = busy->submit(1);
    busy.note_submitted(1);
    StopSource stop;
    Producer producer(runtime, busy, 2, {.stop = stop.get_token()});
    Producer next(runtime, busy, 3);
    if (runtime.counts().steps % 2 == 0) runtime.settle();
    stop.request_stop();
    EXPECT_EQ(producer.outcome(), Outcome::cancelled);
    EXPECT_EQ(runtime.elapsed(), 0ms);
    busy.finish(5);
    EXPECT_EQ(next.outcome(), Outcome::ok);
    EXPECT_EQ(busy.computed, (std::vector<int>{0, 1, 3}));
  });
}

TEST(BlockedSubmit, WhoeverLeavesTheLineLetsTheNextComeUp) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 2, .overflow = OverflowAction::block});
  auto queued = busy->submit(1);
  busy.note_submitted(1);
  StopSource stop;
  std::vector<std::future<int>> group;
  TestThread blocked = runtime.start([&] {
    group = busy->submit_many(std::vector<int>{10, 11}, {.stop = stop.get_token()});
  });
  runtime.settle();
  Producer next(runtime, busy, 2);
  runtime.settle();
  EXPECT_FALSE(next.returned());  // It would fit, but stands behind two.
  stop.request_stop();
  runtime.settle();
  EXPECT_TRUE(next.returned());
  blocked.join();
  for (auto& future : group) EXPECT_EQ(outcome_of(runtime, future), Outcome::cancelled);
  EXPECT_EQ(busy->metrics().rejected[Outcome::cancelled], 2u);
  busy.note_submitted(2);
}

TEST(BlockedSubmit, IsEndedByShutdown) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
    auto queued = busy->submit(1);
    busy.note_submitted(1);
    Producer first(runtime, busy, 2);
    Producer second(runtime, busy, 3);
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 2u);
    busy->shutdown({.until = runtime.now()});
    EXPECT_EQ(first.outcome(), Outcome::stopped);
    EXPECT_EQ(second.outcome(), Outcome::stopped);
    EXPECT_EQ(busy.computed.size(), 1u);  // While the predictor is still at its first.
    EXPECT_EQ(busy->metrics().rejected[Outcome::stopped], 2u);
  });
}

TEST(BlockedSubmit, WaitsWhilePausedToo) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
  busy->pause();
  auto queued = busy->submit(1);
  busy.note_submitted(1);
  Producer producer(runtime, busy, 2, {.deadline = runtime.now() + 5ms});
  busy.finish(5);
  EXPECT_FALSE(producer.returned());
  EXPECT_EQ(runtime.advance(5ms), 1u);
  EXPECT_EQ(producer.outcome(), Outcome::expired);
  busy->resume();
}

TEST(BlockedSubmit, WithACallbackOrATicketEndsThroughIt) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
  auto queued = busy->submit(1);
  std::optional<Outcome> by_callback;
  std::optional<Outcome> by_ticket;
  TestThread first = runtime.start([&] {
    const bool accepted = static_cast<bool>(
        busy->submit(2, [&](Result<int> result) { by_callback = result.outcome(); },
                     {.deadline = runtime.now() + 2ms}));
    EXPECT_TRUE(accepted);
  });
  TestThread second = runtime.start([&] {
    by_ticket = busy->submit(3, use_ticket, {.deadline = runtime.now() + 3ms}).result().outcome();
  });
  runtime.settle();
  EXPECT_EQ(runtime.advance(2ms), 1u);
  EXPECT_EQ(by_callback, Outcome::expired);
  EXPECT_EQ(by_ticket, std::nullopt);
  EXPECT_EQ(runtime.advance(1ms), 1u);
  EXPECT_EQ(by_ticket, Outcome::expired);
  first.join();
  second.join();
  busy.note_submitted(3);
}

// ---- Coroutines.

TEST(BlockedCoroutine, IsSuspendedAndBlocksNoThread) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block});
    auto queued = busy->submit(1);
    const auto await = [](Batcher& batcher, int input) -> Task<int> {
      co_return co_await batcher.predict(input);
    };
    Task<int> first = await(*busy, 2);
    Task<int> second = await(*busy, 3);
    EXPECT_FALSE(first.done());
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 2u);
    busy.finish(4);
    EXPECT_EQ(first.get(), 2);
    EXPECT_EQ(second.get(), 3);
    EXPECT_EQ(busy.computed, (std::vector<int>{0, 1, 2, 3}));
    busy.note_submitted(3);
  });
}

TEST(BlockedCoroutine, ObeysDeadlineLimitStopAndShutdown) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 1, .overflow = OverflowAction::block, .max_block = 5ms});
    auto queued = busy->submit(1);
    std::vector<Outcome> outcomes;
    const auto await = [](Batcher& batcher, SubmitOptions options,
                          std::vector<Outcome>& log) -> Task<> {
      try {
        co_await batcher.predict(2, options);
      } catch (const batchwright::BatcherError& error) {
        log.push_back(error.outcome());
      }
    };
    StopSource stop;
    Task<> expiring = await(*busy, {.deadline = runtime.now() + 3ms}, outcomes);
    Task<> limited = await(*busy, {}, outcomes);
    Task<> stopping = await(*busy, {.stop = stop.get_token()}, outcomes);
    runtime.settle();
    stop.request_stop();
    runtime.settle();
    EXPECT_EQ(outcomes, (std::vector<Outcome>{Outcome::cancelled}));
    EXPECT_EQ(runtime.advance(3ms), 1u);
    EXPECT_EQ(outcomes.back(), Outcome::expired);
    EXPECT_EQ(runtime.advance(2ms), 1u);
    EXPECT_EQ(outcomes.back(), Outcome::queue_full);
    Task<> last = await(*busy, {}, outcomes);
    busy->shutdown({.until = runtime.now()});
    runtime.settle();
    EXPECT_EQ(outcomes.back(), Outcome::stopped);
    EXPECT_EQ(outcomes.size(), 4u);
    busy.note_submitted(5);
  });
}

TEST(BlockedCoroutine, ARefusalDoesNotSuspendIt) {
  TestRuntime runtime({.seed = 3});
  Busy busy(runtime, {.capacity = 1});
  auto queued = busy->submit(1);
  const auto await = [](Batcher& batcher) -> Task<int> { co_return co_await batcher.predict(2); };
  Task<int> task = await(*busy);
  ASSERT_TRUE(task.done());
  EXPECT_THROW(task.get(), QueueFullError);
  busy.note_submitted(2);
}

// ---- By tenant.

int tens(const int& input) { return input / 10; }

TEST(TenantRoom, WhoFloodsFindsTheQueueFullBeforeTheOthersDo) {
  TestRuntime runtime;
  Busy busy(runtime, {.capacity = 10, .tenant = tens});
  int accepted = 0;
  for (int i = 10; i < 20; ++i) accepted += busy->try_submit(i) ? 1 : 0;
  EXPECT_EQ(accepted, 8);
  EXPECT_TRUE(busy->try_submit(20));
  EXPECT_FALSE(busy->try_submit(18));
  EXPECT_TRUE(busy->try_submit(30));  // The last place.
  EXPECT_EQ(busy->metrics().queued, 10u);
  busy.finish(4);
  EXPECT_TRUE(busy->try_submit(21));
  busy.note_submitted(14);
}

TEST(TenantRoom, IsForgottenWithTheTenantAndComesBackWhole) {
  TestRuntime runtime;
  Busy busy(runtime, {.capacity = 5, .tenant = tens});
  for (int round = 0; round < 3; ++round) {
    int accepted = 0;
    for (int i = 10; i < 20; ++i) accepted += busy->try_submit(i) ? 1 : 0;
    EXPECT_EQ(accepted, 4);
    busy.finish(4);  // The last one is in the predictor.
    EXPECT_EQ(busy->metrics().queued, 0u);
  }
  busy.note_submitted(30);
}

TEST(TenantRoom, HasItsLevelsToItself) {
  TestRuntime runtime;
  Busy busy(runtime, {.capacity = 10,
                      .levels = {{.priority = 1}, {.priority = 2, .capacity = 1}},
                      .tenant = tens});
  EXPECT_TRUE(busy->try_submit(10, {.priority = 2}));
  EXPECT_FALSE(busy->try_submit(11, {.priority = 2}));
  EXPECT_TRUE(busy->try_submit(12, {.priority = 1}));
  EXPECT_TRUE(busy->try_submit(20, {.priority = 2}));
  EXPECT_FALSE(busy->try_submit(21, {.priority = 2}));
  busy.finish(2);
  EXPECT_EQ(busy.computed, (std::vector<int>{0, 10, 20}));
  EXPECT_TRUE(busy->try_submit(13, {.priority = 2}));
  busy.note_submitted(6);
}

TEST(TenantRoom, WhoWaitsForItHoldsUpNobodyOfAnotherTenant) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime, {.capacity = 5, .tenant = tens, .overflow = OverflowAction::block});
    auto held = busy->submit_many(std::vector<int>{10, 11, 12, 13});
    Producer fifth(runtime, busy, 14);
    runtime.settle();
    Producer sixth(runtime, busy, 15);
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 2u);
    Producer other(runtime, busy, 20);
    runtime.settle();
    EXPECT_TRUE(other.returned());  // That was the last place.
    Producer others(runtime, busy, 30);
    runtime.settle();
    EXPECT_FALSE(others.returned());
    busy.finish(1);  // A place comes free: with it the first tenant would hold all but that of 20.
    EXPECT_FALSE(fifth.returned());
    EXPECT_TRUE(others.returned());
    EXPECT_EQ(busy->try_submit(16).outcome(), Outcome::queue_full);
    busy.finish(8);
    EXPECT_EQ(fifth.outcome(), Outcome::ok);
    EXPECT_EQ(sixth.outcome(), Outcome::ok);
    busy.note_submitted(5);
  });
}

TEST(TenantRoom, OfOneTenantWhoCameFirstGoesFirst) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(
        runtime,
        {.capacity = 10, .tenant = tens, .tenant_room = 1, .overflow = OverflowAction::block});
    auto held = busy->submit_many(std::vector<int>{10, 11, 12, 13, 14});
    auto caller = runtime.start([&] {
      for (auto& one : busy->submit_many(std::vector<int>{15, 16})) {
        runtime.run_until([&] { return is_ready(one); });
      }
    });
    runtime.settle();
    Producer single(runtime, busy, 17);
    runtime.settle();
    busy.finish();
    EXPECT_FALSE(single.returned());  // There is room for one of it, and not for two.
    busy.finish();
    EXPECT_EQ(busy->metrics().blocked, 1u);
    EXPECT_FALSE(single.returned());
    busy.finish(7);
    EXPECT_EQ(single.outcome(), Outcome::ok);
    caller.join();
    EXPECT_EQ(busy.computed, (std::vector<int>{0, 10, 11, 12, 13, 14, 15, 16, 17}));
    busy.note_submitted(7);
  });
}

TEST(TenantRoom, ACallOfSeveralTenantsWaitsForAllOfTheirRooms) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(
        runtime,
        {.capacity = 10, .tenant = tens, .tenant_room = 1, .overflow = OverflowAction::block});
    auto ones = busy->submit_many(std::vector<int>{10, 11, 12});
    auto twos = busy->submit_many(std::vector<int>{20, 21});
    std::vector<std::future<int>> both;
    auto caller = runtime.start([&] {
      both = busy->submit_many(std::vector<int>{22, 13, 23});
      for (auto& one : both) runtime.run_until([&] { return is_ready(one); });
    });
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 1u);
    EXPECT_EQ(busy->metrics().queued, 5u);
    EXPECT_TRUE(busy->try_submit(30));  // Passes.
    EXPECT_FALSE(busy->try_submit(24));
    busy.finish(7);
    EXPECT_EQ(busy->metrics().blocked, 0u);
    busy.finish(3);
    caller.join();
    busy.note_submitted(10);
  });
}

TEST(TenantRoom, ACallOfSeveralTenantsThatIsCancelledLeavesNothingBehind) {
  for_each_seed(20, [](const TestRuntime& runtime) {
    Busy busy(runtime,
              {.capacity = 6, .tenant = tens, .tenant_room = 1, .overflow = OverflowAction::block});
    auto ones = busy->submit_many(std::vector<int>{10, 11, 12});
    StopSource stop;
    auto caller = runtime.start([&] {
      for (auto& one :
           busy->submit_many(std::vector<int>{20, 13, 21}, {.stop = stop.get_token()})) {
        EXPECT_EQ(outcome_of(runtime, one), Outcome::cancelled);
      }
    });
    runtime.settle();
    EXPECT_EQ(busy->metrics().blocked, 1u);
    stop.request_stop();
    caller.join();
    EXPECT_TRUE(busy->try_submit(22));
    busy.finish(2);
    EXPECT_TRUE(busy->try_submit(14));
    busy.note_submitted(8);
  });
}

TEST(TenantRoom, IsMadeByEvictingTheTenantsOwn) {
  TestRuntime runtime;
  Busy busy(runtime, {.capacity = 10, .tenant = tens, .overflow = OverflowAction::evict});
  auto low = busy->submit_many(std::vector<int>{10, 11, 12, 13, 14, 15, 16, 17});
  auto other = busy->submit(20);
  auto refused = busy->submit(18);  // Its equals do not give way.
  EXPECT_EQ(outcome_of(runtime, refused), Outcome::queue_full);
  auto urgent = busy->submit(19, {.priority = 1});
  runtime.settle();
  EXPECT_EQ(outcome_of(runtime, low[7]), Outcome::evicted);
  EXPECT_EQ(outcome_of(runtime, low[6]), Outcome::evicted);
  EXPECT_FALSE(is_ready(other));
  busy.finish(9);
  EXPECT_EQ(runtime.get(urgent), 19);
  EXPECT_EQ(runtime.get(low[5]), 15);
  busy.note_submitted(11);
}

TEST(TenantRoom, WhatIsEvictedMakesRoomForNobodyElse) {
  std::size_t most_evicted = 0;
  for_each_seed(200, [&](const TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int> batcher(
        doubler(runtime, calls),
        {.capacity = 10, .tenant = tens, .tenant_room = 1, .overflow = OverflowAction::evict},
        runtime);
    batcher.pause();
    auto low = batcher.submit_many(std::vector<int>{10, 11, 12, 13, 14});
    std::future<int> urgent;
    TestThread own = runtime.start([&] { urgent = batcher.submit(15, {.priority = 1}); });
    TestThread other = runtime.start([&] {
      for (int input = 20; input < 24; ++input) static_cast<void>(batcher.try_submit(input));
    });
    runtime.settle();
    own.join();
    other.join();
    std::size_t evicted = 0;
    for (std::future<int>& one : low) {
      if (is_ready(one)) ++evicted;
    }
    EXPECT_EQ(batcher.metrics().blocked, 0u);  // Who evicts does not wait.
    EXPECT_EQ(evicted > 0, !is_ready(urgent));
    most_evicted = std::max(most_evicted, evicted);
  });
  EXPECT_GT(most_evicted, 1u);  // The others came first, and then in between.
}

TEST(TenantRoom, IsGivenBackWhenACopyThrowsInTheMiddleOfACall) {
  struct Fragile {
    explicit Fragile(int number) : value(number) {}
    Fragile(const Fragile& other) : value(other.value) {
      if (value < 0) throw std::range_error("copy");
    }
    int value;
  };
  TestRuntime runtime;
  TestBatcher<Fragile, int> batcher(
      [](std::span<const Fragile> inputs) { return std::vector<int>(inputs.size(), 1); },
      {.capacity = 3,
       .levels = {{.priority = 0, .capacity = 2}},
       .tenant = [](const Fragile& input) { return input.value; }},
      runtime);
  std::vector<Fragile> inputs;
  inputs.reserve(3);
  for (const int number : {1, 2, 3}) inputs.emplace_back(number);
  for (int i = 0; i < 2; ++i) {
    inputs[1].value = -2;
    EXPECT_THROW(static_cast<void>(batcher.submit_many(inputs)), std::range_error);
    inputs[1].value = 2;
    for (auto& answer : batcher.submit_many(inputs)) EXPECT_EQ(runtime.get(answer), 1);
  }
  EXPECT_EQ(batcher.metrics().queued, 0u);
}

// ---- All of it at once.

void many_producers_lose_nothing(Batcher::Options settings) {
  settings.max_batch_size = 2;
  settings.overflow = OverflowAction::block;
  settings.max_block = 6ms;
  for_each_seed(
      25,
      [&settings](const TestRuntime& runtime) {
        Calls calls;
        Batcher batcher(batchwright_test::doubler(runtime, calls, 1ms), settings, runtime);
        std::uint64_t ended[batchwright::kOutcomeCount] = {};
        StopSource stop;
        std::vector<TestThread> producers;
        for (int p = 0; p < 4; ++p) {
          producers.push_back(runtime.start([&, p] {
            for (int i = 0; i < 5; ++i) {
              SubmitOptions options{.priority = p % 2};
              if (p == 1) options.deadline = runtime.now() + 3ms;
              if (p == 2) options.stop = stop.get_token();
              if (p == 3 && i % 2 == 1) {
                for (auto& future : batcher.submit_many(std::vector<int>{i, i + 1}, options)) {
                  runtime.run_until([&] { return is_ready(future); });
                  ++ended[static_cast<std::size_t>(outcome_of(runtime, future))];
                }
              } else {
                auto future = batcher.submit(i, options);
                runtime.run_until([&] { return is_ready(future); });
                ++ended[static_cast<std::size_t>(outcome_of(runtime, future))];
              }
            }
          }));
        }
        batchwright_test::work_for(runtime, 4ms);
        stop.request_stop();
        for (auto& producer : producers) producer.join();
        std::uint64_t total = 0;
        for (const std::uint64_t count : ended) total += count;
        EXPECT_EQ(total, 22u);
        const MetricsSnapshot metrics = batcher.metrics();
        EXPECT_EQ(metrics.submitted, 22u);
        EXPECT_EQ(metrics.completed, ended[0]);
        EXPECT_EQ(metrics.unaccounted(), 0);
        EXPECT_EQ(metrics.blocked, 0u);
        EXPECT_EQ(metrics.queued, 0u);
      },
      {.time = batchwright::testing::TimeMode::automatic});
}

TEST(Capacity, ManyProducersThroughOnePlaceLoseNothing) {
  many_producers_lose_nothing({.capacity = 2});
}

TEST(Capacity, ManyProducersThroughLevelsOfTheirOwnLoseNothing) {
  many_producers_lose_nothing(
      {.capacity = 2, .levels = {{.priority = 0, .capacity = 1}, {.priority = 1, .capacity = 2}}});
}

TEST(TenantRoom, ManyProducersOfSeveralTenantsLoseNothing) {
  many_producers_lose_nothing({.capacity = 3,
                               .levels = {{.priority = 1, .capacity = 2}},
                               .tenant = [](const int& input) { return input % 2; },
                               .tenant_room = 1});
}

TEST(Capacity, BelowTheCapNobodyWaitsForWhatCannotCome) {
  const TestRuntime runtime({.seed = 1, .time = batchwright::testing::TimeMode::automatic});
  TestBatcher<int, int, batchwright::SizePolicy> batcher(
      [](std::span<const int> inputs) { return std::vector<int>(inputs.begin(), inputs.end()); },
      {.max_batch_size = 32, .capacity = 2}, runtime);
  const auto begin = runtime.now();
  auto futures = batcher.submit_many(std::vector<int>{1, 2});
  EXPECT_EQ(runtime.get(futures[0]), 1);
  EXPECT_EQ(runtime.get(futures[1]), 2);
  EXPECT_EQ(runtime.now(), begin);
}

}  // namespace
