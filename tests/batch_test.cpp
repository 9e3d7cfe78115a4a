// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::TimePoint;
using batchwright::UnansweredError;
using batchwright::use_ticket;

using Batch = batchwright::Batch<int, int>;
using Values = std::vector<int>;
using Tickets = std::vector<TestTicket<int>>;

static_assert(!std::is_copy_constructible_v<Batch>);
static_assert(std::is_nothrow_move_constructible_v<Batch>);
static_assert(std::is_nothrow_move_assignable_v<Batch>);

std::exception_ptr error(const char* what) {
  return std::make_exception_ptr(std::runtime_error(what));
}

std::string what_of(TestTicket<int>& ticket) {
  try {
    return std::to_string(ticket.get());
  } catch (const UnansweredError&) {
    return "unanswered";
  } catch (const std::exception& thrown) {
    return thrown.what();
  }
}

std::vector<std::string> what_of(Tickets& tickets) {
  std::vector<std::string> all;
  for (auto& ticket : tickets) all.push_back(what_of(ticket));
  return all;
}

using Whats = std::vector<std::string>;

// By reference.

TEST(BatchByReference, ItShowsTheInputsInOrderAndEachIsAnsweredByItself) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    ASSERT_EQ(batch.size(), 3u);
    EXPECT_FALSE(batch.empty());
    for (std::size_t i = 3; i-- > 0;) {
      EXPECT_TRUE(batch.pending(i));
      EXPECT_EQ(batch.input(i), static_cast<int>(i + 1));
      batch.answer(i, 10 * batch.input(i));
      EXPECT_FALSE(batch.pending(i));
    }
    EXPECT_EQ(batch.size(), 3u);
  });
  auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"10", "20", "30"}));
}

TEST(BatchByReference, AnAnswerIsGivenAtOnceAndNotWhenTheCallReturns) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([&](Batch& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      work_for(runtime, 1ms);
      batch.answer(i, 1);
    }
  });
  auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(runtime.advance(1ms), 1u);
    EXPECT_TRUE(tickets[i].ready());
    EXPECT_EQ(tickets[i].result().timing().answered, runtime.now());
    EXPECT_EQ(i < 2 && tickets[i + 1].ready(), false);
  }
}

TEST(BatchByReference, WhatIsLeftUnansweredFails) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) { batch.answer(1, 5); });
  auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"unanswered", "5", "unanswered"}));
  EXPECT_EQ(batcher.metrics().failed, 2u);
  EXPECT_EQ(batcher.metrics().completed, 1u);
}

TEST(BatchByReference, OneItemMayFailAloneAndTheRestTogether) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    batch.fail(0, error("first"));
    batch.answer(1, 5);
    batch.fail_all(error("rest"));
    batch.fail_all(error("none is left"));
  });
  auto tickets = batcher.submit_many(Values{1, 2, 3, 4}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"first", "5", "rest", "rest"}));
}

TEST(BatchByReference, AThrowFailsWhatHasNotBeenAnswered) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    batch.answer(0, 5);
    throw std::runtime_error("half way");
  });
  auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"5", "half way", "half way"}));
}

TEST(BatchByReference, AThrowAfterTheLastAnswerChangesNothing) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, 5);
    throw std::runtime_error("too late");
  });
  for (int round = 0; round < 3; ++round) {
    auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
    runtime.settle();
    EXPECT_EQ(what_of(tickets), (Whats{"5", "5"}));
  }
}

TEST(BatchByReference, AnsweringTwiceIsAnErrorAndTheFirstAnswerStays) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    batch.answer(0, 5);
    EXPECT_THROW(batch.answer(0, 6), std::logic_error);
    EXPECT_THROW(batch.fail(0, error("again")), std::logic_error);
    EXPECT_THROW(batch.input(0), std::logic_error);
    batch.answer(1, 7);
    EXPECT_THROW(batch.answer(1, 8), std::logic_error);  // The whole batch is finished now.
    EXPECT_FALSE(batch.pending(1));
  });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"5", "7"}));
}

TEST(BatchByReference, AnIndexOutsideIsAnErrorThatNamesIt) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch& batch) {
    EXPECT_FALSE(batch.pending(2));
    EXPECT_THROW(batch.input(2), std::out_of_range);
    EXPECT_THROW(batch.fail(2, error("outside")), std::out_of_range);
    try {
      batch.answer(2, 5);
      ADD_FAILURE() << "was answered";
    } catch (const std::out_of_range& thrown) {
      EXPECT_STREQ(thrown.what(), "Batch: index must be below size() 2, got 2");
    }
    batch.answer(0, 1);
    batch.answer(1, 2);
  });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"1", "2"}));
}

TEST(BatchByReference, AnAnswerThatCannotBeMadeLeavesItsItemPending) {
  struct Picky {
    explicit Picky(int value) {
      if (value < 0) throw std::range_error("negative");
    }
  };
  TestRuntime runtime;
  TestBatcher<int, Picky> batcher([](batchwright::Batch<int, Picky>& batch) {
    EXPECT_THROW(batch.answer(0, Picky(-1)), std::range_error);
    EXPECT_TRUE(batch.pending(0));
    batch.answer(0, Picky(1));
  });
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_EQ(ticket.result().outcome(), Outcome::ok);
}

TEST(BatchByReference, MovedOutOfThePredictorItMayBeAnsweredLater) {
  TestRuntime runtime;
  std::optional<Batch> kept;
  TestBatcher<int, int> batcher([&](Batch& batch) { kept.emplace(std::move(batch)); });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_FALSE(tickets[0].ready());
  kept->answer(0, 5);
  kept->answer(1, 6);
  EXPECT_EQ(what_of(tickets), (Whats{"5", "6"}));
}

TEST(BatchByReference, OfVoidAnItemIsAnsweredWithNothing) {
  TestRuntime runtime;
  TestBatcher<int, void> batcher([](batchwright::Batch<int, void>& batch) {
    batch.answer(0);
    batch.fail(1, error("second"));
  });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_EQ(tickets[0].result().outcome(), Outcome::ok);
  EXPECT_EQ(tickets[1].result().outcome(), Outcome::failed);
}

// By value.

TEST(BatchByValue, ItMayBeAnsweredWithinTheCall) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, 2 * batch.input(i));
  });
  for (int round = 0; round < 5; ++round) {
    auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
    runtime.settle();
    EXPECT_EQ(what_of(tickets), (Whats{"2", "4", "6"}));
  }
}

TEST(BatchByValue, ItMayBeAnsweredLaterFromAnotherThread) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(30, [&](TestRuntime& runtime) {
      std::vector<TestRuntime::Thread> devices;
      TestBatcher<int, std::thread::id> batcher(
          [&](batchwright::Batch<int, std::thread::id> taken) {
            devices.push_back(runtime.start([&, batch = std::move(taken)]() mutable {
              work_for(runtime, 3ms);
              for (std::size_t i = 0; i < batch.size(); ++i) {
                batch.answer(i, std::this_thread::get_id());
              }
            }));
          },
          {.executors = executors});
      bool called = false;
      ASSERT_TRUE(batcher.submit(1, [&](const Result<std::thread::id>& device) {
        called = true;
        EXPECT_EQ(*device, std::this_thread::get_id());
      }));
      auto ticket = batcher.submit(2, use_ticket);
      runtime.advance(3ms);
      EXPECT_TRUE(called);
      EXPECT_TRUE(ticket.ready());
      for (auto& thread : devices) thread.join();
    });
  }
}

TEST(BatchByValue, DroppedUnansweredItFailsItsRequests) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch batch) { batch.answer(1, 5); });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"unanswered", "5"}));
}

TEST(BatchByValue, DroppedLaterItFailsItsRequestsThen) {
  TestRuntime runtime;
  std::optional<Batch> kept;
  TestBatcher<int, int> batcher([&](Batch batch) { kept.emplace(std::move(batch)); });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.advance(1h);
  EXPECT_FALSE(tickets[0].ready());
  kept->answer(0, 5);
  kept.reset();
  EXPECT_EQ(what_of(tickets), (Whats{"5", "unanswered"}));
}

TEST(BatchByValue, AThrowWithTheBatchInHandFailsItWithWhatWasThrown) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch batch) {
    const Batch owned = std::move(batch);
    throw std::runtime_error("in hand");
  });
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"in hand", "in hand"}));
}

TEST(BatchByValue, AThrowAfterTheBatchWasHandedOnLeavesItToItsOwner) {
  TestRuntime runtime;
  std::optional<Batch> kept;
  TestBatcher<int, int> batcher([&](Batch batch) {
    kept.emplace(std::move(batch));
    throw std::runtime_error("after the hand-over");
  });
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_FALSE(ticket.ready());
  kept->answer(0, 5);
  EXPECT_EQ(ticket.get(), 5);
}

TEST(BatchByValue, AssignedToItFailsWhatItHeld) {
  TestRuntime runtime;
  std::vector<Batch> kept;
  TestBatcher<int, int> batcher([&](Batch batch) { kept.push_back(std::move(batch)); },
                                {.max_batch_size = 1, .max_in_flight = 2});
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  ASSERT_EQ(kept.size(), 2u);
  kept[0] = std::move(kept[1]);
  EXPECT_EQ(what_of(tickets[0]), "unanswered");
  Batch& same = kept[0];
  kept[0] = std::move(same);
  kept[0].answer(0, 7);
  EXPECT_EQ(tickets[1].get(), 7);
}

TEST(BatchByValue, ItsItemsMayBeAnsweredFromSeveralThreadsAtOnce) {
  for_each_seed(40, [](TestRuntime& runtime) {
    std::optional<Batch> kept;
    TestBatcher<int, int> batcher([&](Batch batch) { kept.emplace(std::move(batch)); });
    for (int round = 0; round < 2; ++round) {
      auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
      runtime.settle();
      std::vector<TestRuntime::Thread> threads;
      for (std::size_t i = 0; i < 3; ++i) {
        threads.push_back(runtime.start([&, i] { kept->answer(i, 2 * kept->input(i)); }));
      }
      for (auto& thread : threads) thread.join();
      EXPECT_EQ(what_of(tickets), (Whats{"2", "4", "6"}));
      EXPECT_EQ(batcher.metrics().completed, 3u * static_cast<unsigned>(round + 1));
    }
    EXPECT_TRUE(batcher.wait_idle());
  });
}

TEST(BatchByValue, AnotherBatchAnsweredMeanwhileIsNotTakenForThisOne) {
  TestRuntime runtime;
  std::vector<Batch> kept;
  TestBatcher<int, int> batcher(
      [&](Batch batch) {
        if (batch.input(0) == 1) {
          kept.push_back(std::move(batch));
        } else {
          kept[0].answer(0, 5);  // Within the call for the second, the first is finished.
          kept.clear();
          batch.answer(0, 6);
        }
      },
      {.max_batch_size = 1});
  for (int round = 0; round < 3; ++round) {
    auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
    runtime.settle();
    EXPECT_EQ(what_of(tickets), (Whats{"5", "6"}));
  }
  EXPECT_TRUE(batcher.wait_idle());
}

TEST(BatchByValue, ItKeepsItsFactsWhileItIsPending) {
  TestRuntime runtime;
  std::vector<Batch> kept;
  TestBatcher<int, int> batcher([&](Batch batch) { kept.push_back(std::move(batch)); },
                                {.max_batch_size = 2});
  auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
  runtime.settle();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].info().batch_id, 1u);
  EXPECT_EQ(kept[0].info().size, 2u);
  EXPECT_EQ(kept[1].info().batch_id, 2u);
  EXPECT_EQ(kept[1].info().size, 1u);
  kept.clear();
}

// A device may read them until then.
TEST(BatchByValue, ItsInputsStayWhereTheyAreWhileOtherBatchesComeAndGo) {
  TestRuntime runtime;
  std::optional<Batch> slow;
  const int* input = nullptr;
  TestBatcher<int, int> batcher(
      [&](Batch batch) {
        if (!slow.has_value()) {
          input = &batch.input(1);
          slow.emplace(std::move(batch));
          return;
        }
        for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, batch.input(i));
      },
      {.max_batch_size = 2});
  auto first = batcher.submit_many(Values{1, 2}, use_ticket);
  runtime.settle();
  for (int round = 0; round < 20; ++round) {
    auto others = batcher.submit_many(Values{7, 8}, use_ticket);
    runtime.settle();
    EXPECT_EQ(what_of(others), (Whats{"7", "8"}));
    ASSERT_EQ(slow->size(), 2u);
    EXPECT_EQ(*input, 2);
    EXPECT_EQ(&slow->input(1), input);
  }
  slow->answer(0, 10);
  slow->answer(1, 20);
  runtime.settle();
  EXPECT_EQ(what_of(first), (Whats{"10", "20"}));
}

// How many at once.

// Drops every batch, and those that come when these are gone.
void drop_all(const TestRuntime& runtime, std::deque<Batch>& kept) {
  while (!kept.empty()) {
    std::exchange(kept, {}).clear();
    runtime.settle();
  }
}

TEST(BatchInFlight, UnlessSetThereAreTwoForEachExecutorThatOwnsItsBatches) {
  for (const std::size_t executors : {1u, 2u}) {
    TestRuntime runtime;
    std::deque<Batch> kept;
    TestBatcher<int, int> batcher(
        batchwright::shared_predictor([&](Batch batch) { kept.push_back(std::move(batch)); }),
        {.max_batch_size = 1, .executors = executors});
    const auto tickets = batcher.submit_many(Values(10, 1), use_ticket);
    runtime.settle();
    EXPECT_EQ(kept.size(), 2 * executors);
    EXPECT_EQ(batcher.metrics().executing_batches, 2 * executors);
    EXPECT_EQ(batcher.metrics().queued, 10 - 2 * executors);
    drop_all(runtime, kept);
  }
}

/// Has one batch in flight, whatever could be.
struct OneInFlight {
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    if (!view.running.empty()) return batchwright::Decision::hold(batchwright::kNever);
    return batchwright::Decision::release(view.size, batchwright::ReleaseReason::greedy);
  }
};

TEST(BatchInFlight, WhatThePolicyHoldsLeavesWhenTheOneBeforeIsFinished) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(20, [&](TestRuntime& runtime) {
      std::deque<Batch> kept;
      TestBatcher<int, int, OneInFlight> batcher(
          [&](Batch batch) { kept.push_back(std::move(batch)); }, {.max_batch_size = 2,
                                                                   .policy = OneInFlight{},
                                                                   .executors = executors,
                                                                   .max_in_flight = 3});
      auto tickets = batcher.submit_many(Values(7, 1), use_ticket);
      runtime.advance(10ms);
      EXPECT_EQ(kept.size(), 1u) << "though three full batches are queued";
      kept[0].answer(0, 7);
      kept[0].answer(1, 7);
      runtime.advance(1ms);
      EXPECT_EQ(kept.size(), 2u);
      drop_all(runtime, kept);
      EXPECT_TRUE(batcher.wait_idle());
    });
  }
}

TEST(BatchInFlight, TheNextLeavesAtTheInstantOneOfThemIsFinished) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(20, [&](TestRuntime& runtime) {
      std::deque<Batch> kept;
      std::vector<TimePoint> entered;
      TestBatcher<int, int> batcher(
          [&](Batch batch) {
            entered.push_back(runtime.now());
            kept.push_back(std::move(batch));
          },
          {.max_batch_size = 1, .executors = executors, .max_in_flight = 3});
      auto tickets = batcher.submit_many(Values(5, 1), use_ticket);
      const TimePoint start = runtime.now();
      EXPECT_EQ(runtime.advance(10ms), 0u);
      EXPECT_EQ(kept.size(), 3u);
      kept[1].answer(0, 7);  // Not the oldest.
      EXPECT_EQ(runtime.advance(5ms), 0u);
      EXPECT_EQ(kept.size(), 4u);
      EXPECT_EQ(entered.back(), start + 10ms);
      EXPECT_TRUE(tickets[1].ready());
      drop_all(runtime, kept);
      EXPECT_TRUE(batcher.wait_idle());
    });
  }
}

TEST(BatchInFlight, AnExecutorIsCalledAgainOnlyAfterItsCallHasReturned) {
  TestRuntime runtime;
  std::size_t calls = 0;
  TestBatcher<int, int> batcher(
      [&](Batch batch) {
        ++calls;
        batch.answer(0, 1);       // Finished, and yet
        work_for(runtime, 10ms);  // the call goes on.
      },
      {.max_batch_size = 1});
  auto tickets = batcher.submit_many(Values(2, 1), use_ticket);
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_TRUE(tickets[0].ready());
  EXPECT_EQ(calls, 1u);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_EQ(calls, 2u);
  runtime.advance(10ms);
}

}  // namespace
