// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <future>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// The guarantees about what goes wrong in user code.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::use_ticket;

using Values = std::vector<int>;

// 9. Failing predictors.

TEST(Guarantee, AThrowingPredictorFailsItsOwnBatchAndNothingElse) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      [](std::span<const int> inputs) {
        if (inputs[0] < 0) throw std::domain_error("negative");
        return Values(inputs.begin(), inputs.end());
      },
      {.max_batch_size = 2});
  auto results = batcher.submit_many(Values{1, 2, -3, 4, 5, 6});
  runtime.settle();
  EXPECT_EQ(results[0].get() + results[1].get(), 3);
  for (const std::size_t i : {2u, 3u}) {
    try {
      results[i].get();
      FAIL() << "was answered";
    } catch (const std::domain_error& error) {
      EXPECT_STREQ(error.what(), "negative");
    }
  }
  EXPECT_EQ(results[4].get() + results[5].get(), 11);
  EXPECT_EQ(batcher.metrics().failed, 2u);
  EXPECT_EQ(batcher.metrics().batches_failed, 1u);
}

TEST(Guarantee, APredictorMayThrowAnythingAlsoAnInt) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    TestBatcher<int, int> batcher([](std::span<const int>) -> Values { throw 42; },
                                  {.executors = executors});
    std::future<int> result = batcher.submit(1);
    runtime.settle();
    try {
      result.get();
      FAIL() << "was answered";
    } catch (int thrown) {
      EXPECT_EQ(thrown, 42);
    }
  }
}

TEST(Guarantee, AWrongNumberOfResultsFailsTheWholeBatchAndNeverCrashes) {
  for (const std::size_t count : {0u, 2u, 4u, 1000u}) {
    TestRuntime runtime;
    TestBatcher<int, int> batcher([&](std::span<const int>) { return Values(count); });
    auto results = batcher.submit_many(Values{1, 2, 3});
    runtime.settle();
    for (auto& result : results) {
      try {
        result.get();
        FAIL() << "was answered";
      } catch (const batchwright::ResultCountError& error) {
        EXPECT_EQ(std::string(error.what()), "batchwright: the predictor returned " +
                                                 std::to_string(count) + " results for 3 inputs");
        EXPECT_EQ(error.outcome(), Outcome::failed);
      }
    }
  }
}

TEST(Guarantee, AThrowingCallbackTerminates) {
  const auto run = [] {
    TestRuntime runtime;
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls));
    static_cast<void>(batcher.submit(1, [](const Result<int>&) {
      std::fputs("the callback throws\n", stderr);
      throw std::runtime_error("callback");
    }));
    runtime.settle();
  };
  // Whether the message of the exception is printed as well is up to the compiler.
  EXPECT_DEATH(run(), "the callback throws\nterminate called");
}

// 10. User code.

TEST(Guarantee, NoCallbackRunsInsideSubmitRequestStopOrCancel) {
  for (const std::size_t executors : {0u, 1u}) {
    for_each_seed(40, [&](TestRuntime& runtime) {
      Calls calls;
      TestBatcher<int, int> batcher(doubler(runtime, calls),
                                    {.executors = executors, .capacity = 2});
      const std::thread::id main = std::this_thread::get_id();
      int answers = 0;
      const auto callback = [&](const Result<int>&) {
        ++answers;
        EXPECT_NE(std::this_thread::get_id(), main);
      };
      StopSource stop;
      int accepted = 0;
      accepted += static_cast<bool>(batcher.submit(1, callback, {.stop = stop.get_token()}));
      accepted += static_cast<bool>(batcher.submit(2, callback, {.stop = stop.get_token()}));
      accepted += static_cast<bool>(batcher.submit(3, callback));
      accepted += static_cast<bool>(batcher.submit(4, callback, {.deadline = runtime.now()}));
      stop.request_stop();
      accepted += static_cast<bool>(batcher.submit(5, callback, {.stop = stop.get_token()}));
      runtime.settle();
      EXPECT_EQ(answers, accepted);
    });
  }
}

TEST(Guarantee, ACallbackMayCallWhateverDoesNotBlock) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    Calls calls;
    TestBatcher<int, int> batcher(doubler(runtime, calls), {.executors = executors});
    std::vector<int> answers;
    const auto admitted = batcher.submit(1, [&](Result<int> first) {
      answers.push_back(*first);
      batcher.pause();
      batcher.flush();
      batcher.resume();
      EXPECT_EQ(batcher.metrics().completed, 1u);
      const auto again =
          batcher.try_submit(*first, [&](Result<int> second) { answers.push_back(*second); });
      EXPECT_TRUE(again);
      const auto many = batcher.submit_many(Values{8, 9}, use_ticket);
      EXPECT_EQ(many.size(), 2u);
    });
    ASSERT_TRUE(admitted);
    runtime.settle();
    EXPECT_EQ(answers, (Values{2, 4}));
    EXPECT_EQ(batcher.metrics().completed, 4u);
  }
}

TEST(Guarantee, BlockingOnABatcherFromItsOwnThreadsIsAnErrorAndNotAHang) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    using Batcher = TestBatcher<int, int>;
    Batcher* self = nullptr;
    int errors = 0;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          if (inputs[0] == 1) {
            EXPECT_THROW(self->wait_idle(), batchwright::WouldDeadlockError);
            auto ticket = self->submit(2, use_ticket);
            EXPECT_THROW(ticket.get(), batchwright::WouldDeadlockError);
            EXPECT_THROW(ticket.wait(), batchwright::WouldDeadlockError);
            EXPECT_FALSE(ticket.wait_for(1h));
            // The queue is full now.
            auto refused = self->submit(3, use_ticket);
            EXPECT_EQ(refused.result().outcome(), Outcome::would_deadlock);
            ++errors;
          }
          return Values(inputs.size(), 7);
        },
        {.max_batch_size = 1,
         .executors = executors,
         .capacity = 1,
         .overflow = OverflowAction::block});
    self = &batcher;
    auto ticket = batcher.submit(1, use_ticket);
    runtime.settle();
    EXPECT_EQ(ticket.get(), 7);
    EXPECT_EQ(errors, 1);
    EXPECT_EQ(batcher.metrics().completed, 2u);
    EXPECT_EQ(batcher.metrics().rejected[Outcome::would_deadlock], 1u);
  }
}

TEST(Guarantee, AnotherBatchersThreadsMayBlock) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> inner(doubler(runtime, calls, 3ms));
  TestBatcher<int, int> outer([&](std::span<const int> inputs) {
    Values results;
    for (const int input : inputs) results.push_back(inner.submit(input, use_ticket).get() + 1);
    return results;
  });
  auto ticket = outer.submit(1, use_ticket);
  runtime.advance(3ms);
  EXPECT_EQ(ticket.get(), 3);
}

}  // namespace
