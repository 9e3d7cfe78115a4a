// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/detail/answer_order.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

// Answers in the order of dispatch, from several executors and from other threads.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::BasicExecutorPool;
using batchwright::Batch;
using batchwright::ExecutorPoolOptions;
using batchwright::Outcome;
using batchwright::PreserveOrder;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::StopSource;
using batchwright::TimeoutAction;
using batchwright::testing::TimeMode;

using Batcher = TestBatcher<int, int>;
using Ints = std::vector<int>;

// Takes as many milliseconds for a batch as its first input says; fails negative ones.
auto as_long_as_told(const TestRuntime& runtime) {
  return shared_predictor([runtime](std::span<const int> inputs) {
    work_for(runtime, std::chrono::milliseconds(std::abs(inputs.front())));
    if (inputs.front() < 0) throw std::runtime_error("bad");
    return Ints(inputs.begin(), inputs.end());
  });
}

// Submits each value and notes the answers as they come.
void submit_all(Batcher& batcher, const Ints& values, Ints& answers) {
  for (const int value : values) {
    batcher.submit(value, [&answers, value](const Result<int>&) { answers.push_back(value); });
  }
}

TEST(AnswerOrder, AQuickBatchWaitsForTheSlowOneBeforeIt) {
  for (const PreserveOrder order : {PreserveOrder::no, PreserveOrder::yes}) {
    TestRuntime runtime(TestOptions{.time = TimeMode::automatic});
    Ints answers;
    {
      Batcher batcher(as_long_as_told(runtime),
                      {.max_batch_size = 1, .executors = 3, .preserve_order = order});
      submit_all(batcher, {9, 5, 7}, answers);
    }
    EXPECT_EQ(answers, order == PreserveOrder::yes ? Ints({9, 5, 7}) : Ints({5, 7, 9}));
  }
}

TEST(AnswerOrder, AnExecutorGoesOnWhileItsResultsWait) {
  TestRuntime runtime(TestOptions{.time = TimeMode::automatic});
  Ints answers;
  const batchwright::TimePoint start = runtime.now();
  {
    Batcher batcher(as_long_as_told(runtime),
                    {.max_batch_size = 1, .executors = 2, .preserve_order = PreserveOrder::yes});
    submit_all(batcher, {9, 3, 3, 3}, answers);
  }
  EXPECT_EQ(answers, Ints({9, 3, 3, 3}));
  EXPECT_EQ(runtime.now() - start, 9ms);  // 3 x 3 beside 9.
}

TEST(AnswerOrder, ItIsTheOrderOfDispatchWhereThatIsByPriorityAndADelayedOneIsLast) {
  TestRuntime runtime(TestOptions{.time = TimeMode::automatic});
  Ints answers;
  {
    Batcher batcher(as_long_as_told(runtime), {.max_batch_size = 1,
                                               .executors = 2,
                                               .preserve_order = PreserveOrder::yes,
                                               .queue = {.on_timeout = TimeoutAction::delay}});
    submit_all(batcher, {9, 9}, answers);
    runtime.settle();
    const auto note = [&](int value) {
      return [&answers, value](const Result<int>&) { answers.push_back(value); };
    };
    batcher.submit(1, note(1), {.timeout = 1ms});
    batcher.submit(3, note(3));
    batcher.submit(8, note(8), {.priority = 1});
  }
  EXPECT_EQ(answers, Ints({9, 9, 8, 3, 1}));
}

TEST(AnswerOrder, WhatFailsHoldsNoPlaceAndWaitsForNone) {
  TestRuntime runtime(TestOptions{.time = TimeMode::automatic});
  Ints answers;
  {
    Batcher batcher(as_long_as_told(runtime),
                    {.max_batch_size = 1, .executors = 4, .preserve_order = PreserveOrder::yes});
    submit_all(batcher, {9, -2, 3, -12}, answers);
  }
  EXPECT_EQ(answers, Ints({-2, 9, 3, -12}));
}

TEST(AnswerOrder, ABatchOfWhichNothingIsLeftHoldsNoPlace) {
  for_each_seed(100, [](TestRuntime& runtime) {
    Ints answers;
    StopSource stop;
    Gate gate(runtime);
    {
      Batcher batcher(shared_predictor([&](std::span<const int> inputs) {
                        gate.pass();
                        return Ints(inputs.begin(), inputs.end());
                      }),
                      {.max_batch_size = 1,
                       .executors = 2,
                       .max_in_flight = 8,
                       .preserve_order = PreserveOrder::yes});
      submit_all(batcher, {1}, answers);
      for (int i = 0; i < 4; ++i) {
        batcher.submit(10 + i,
                       [&](const Result<int>& result) { answers.push_back(result ? 10 : -1); },
                       {.stop = stop.get_token()});
      }
      submit_all(batcher, {2, 3}, answers);
      stop.request_stop();
      gate.open();
    }
    EXPECT_EQ(answers.size(), 7u);
    Ints computed;
    for (const int answer : answers) {
      if (answer >= 0) computed.push_back(answer);
    }
    EXPECT_EQ(computed.front(), 1);
    EXPECT_EQ(Ints(computed.end() - 2, computed.end()), Ints({2, 3}));
  });
}

TEST(AnswerOrder, WithinABatchTheOrderIsThatOfItsItems) {
  TestRuntime runtime;
  Ints answers;
  {
    Batcher batcher(
        [&](Batch<int, int>& batch) {
          for (std::size_t i = batch.size(); i-- > 0;) {
            if (batch.input(i) == 3) {
              batch.fail(i, std::make_exception_ptr(std::runtime_error("three")));
            } else {
              batch.answer(i, 0);
            }
          }
        },
        {.preserve_order = PreserveOrder::yes});
    batcher.pause();
    submit_all(batcher, {1, 2, 3, 4}, answers);
    batcher.resume();
  }
  EXPECT_EQ(answers, Ints({3, 1, 2, 4}));
}

TEST(AnswerOrder, HoldsForBatchesThatAreAnsweredFromElsewhere) {
  std::uint64_t seed = 0;
  for_each_seed(300, [&](TestRuntime& runtime) {
    Random random(++seed);
    std::vector<std::shared_ptr<Batch<int, int>>> held;
    Ints answers;
    Ints expected;
    {
      Batcher batcher(
          [&](Batch<int, int> batch) {
            held.push_back(std::make_shared<Batch<int, int>>(std::move(batch)));
          },
          {.max_batch_size = 3, .max_in_flight = 6, .preserve_order = PreserveOrder::yes});
      for (int i = 0; i < 30; ++i) expected.push_back(i);
      submit_all(batcher, expected, answers);
      std::vector<TestRuntime::Thread> answerers;
      while (answers.size() < 30) {
        runtime.settle();
        std::vector<std::shared_ptr<Batch<int, int>>> now;
        std::swap(now, held);
        while (!now.empty()) {
          const auto place = now.begin() + static_cast<std::ptrdiff_t>(random.below(now.size()));
          answerers.push_back(runtime.start([batch = *place, &runtime] {
            const std::size_t size = batch->size();
            for (std::size_t i = size; i-- > 0;) {
              runtime.interleave("answer one");
              batch->answer(i, 1);
            }
          }));
          now.erase(place);
        }
        for (auto& thread : answerers) thread.join();
        answerers.clear();
      }
    }
    EXPECT_EQ(answers, expected);
  });
}

TEST(AnswerOrder, IsExactWithManyExecutorsAndRandomTimes) {
  std::uint64_t seed = 0;
  for_each_seed(
      100,
      [&](TestRuntime& runtime) {
        Random random(++seed);
        Ints answers;
        Ints values;
        for (int i = 0; i < 60; ++i) values.push_back(static_cast<int>(random.below(20)) * 100 + i);
        {
          Batcher batcher(
              shared_predictor([&](std::span<const int> inputs) {
                work_for(runtime, std::chrono::milliseconds(inputs.front() / 100));
                return Ints(inputs.begin(), inputs.end());
              }),
              {.max_batch_size = 4, .executors = 5, .preserve_order = PreserveOrder::yes});
          submit_all(batcher, values, answers);
        }
        EXPECT_EQ(answers, values);
      },
      TestOptions{.time = TimeMode::automatic});
}

TEST(AnswerOrder, IsThatOfEachBatcherInAPool) {
  std::uint64_t seed = 0;
  for_each_seed(
      60,
      [&](TestRuntime& runtime) {
        Random random(++seed);
        const auto pool = std::make_shared<BasicExecutorPool<TestRuntime>>(
            ExecutorPoolOptions{.executors = 3}, runtime);
        Ints answers[2];
        Ints values[2];
        for (int i = 0; i < 40; ++i) {
          for (Ints& each : values) each.push_back(static_cast<int>(random.below(20)) * 100 + i);
        }
        {
          const auto predict = [&](std::span<const int> inputs) {
            work_for(runtime, std::chrono::milliseconds(inputs.front() / 100));
            return Ints(inputs.begin(), inputs.end());
          };
          Batcher first(shared_predictor(predict),
                        {.max_batch_size = 1, .pool = pool, .preserve_order = PreserveOrder::yes});
          Batcher second(shared_predictor(predict),
                         {.max_batch_size = 4, .pool = pool, .preserve_order = PreserveOrder::yes});
          auto client = runtime.start([&] { submit_all(first, values[0], answers[0]); });
          submit_all(second, values[1], answers[1]);
          client.join();
        }
        EXPECT_EQ(answers[0], values[0]);
        EXPECT_EQ(answers[1], values[1]);
      },
      TestOptions{.time = TimeMode::automatic});
}

TEST(AnswerOrder, FuturesAndTicketsAreReadyInItToo) {
  constexpr std::size_t kRequests = 30;
  for (const bool pooled : {false, true}) {
    SCOPED_TRACE(pooled);
    std::uint64_t seed = 0;
    std::size_t partly = 0;
    for_each_seed(
        60,
        [&](TestRuntime& runtime) {
          Random random(++seed);
          Ints values;
          for (std::size_t i = 0; i < kRequests; ++i) {
            values.push_back(static_cast<int>(random.below(20)));
          }
          std::vector<std::future<int>> futures;  // Of even numbers.
          std::vector<TestTicket<int>> tickets;   // Of odd ones.
          std::size_t early = 0;
          // From the last one on, so that whoever is not ready had not been when those behind him were.
          const auto look = [&] {
            std::size_t ready = 0;
            for (std::size_t i = kRequests; i-- > 0;) {
              const bool now = i % 2 == 0 ? is_ready(futures[i / 2]) : tickets[i / 2].ready();
              if (!now && ready > 0) ++early;
              if (now) ++ready;
            }
            if (ready > 0 && ready < kRequests) ++partly;
          };
          Batcher::Options options{.max_batch_size = 1 + random.below(3),
                                   .preserve_order = PreserveOrder::yes};
          if (pooled) {
            options.pool = std::make_shared<BasicExecutorPool<TestRuntime>>(
                ExecutorPoolOptions{.executors = 4}, runtime);
          } else {
            options.executors = 4;
          }
          Batcher batcher(shared_predictor([&](std::span<const int> inputs) {
                            look();
                            work_for(runtime, std::chrono::milliseconds(inputs.front()));
                            look();
                            return Ints(inputs.begin(), inputs.end());
                          }),
                          options, runtime);
          batcher.pause();
          for (std::size_t i = 0; i < kRequests; ++i) {
            if (i % 2 == 0) {
              futures.push_back(batcher.submit(values[i]));
            } else {
              tickets.push_back(batcher.submit(values[i], batchwright::use_ticket));
            }
          }
          auto watcher = runtime.start([&] {
            while (!tickets.back().ready()) {
              look();
              work_for(runtime, 1ms);
            }
          });
          batcher.resume();
          watcher.join();
          for (std::size_t i = 0; i < kRequests; ++i) {
            EXPECT_EQ(i % 2 == 0 ? runtime.get(futures[i / 2]) : tickets[i / 2].get(), values[i]);
          }
          EXPECT_EQ(early, 0u);
        },
        TestOptions{.time = TimeMode::automatic});
    EXPECT_GT(partly, 1000u);
  }
}

TEST(AnswerOrder, CountsWhatItHoldsAsExecuting) {
  TestRuntime runtime;
  std::vector<std::shared_ptr<Batch<int, int>>> held;
  Ints answers;
  Batcher batcher(
      [&](Batch<int, int> batch) {
        held.push_back(std::make_shared<Batch<int, int>>(std::move(batch)));
      },
      {.max_batch_size = 1, .max_in_flight = 2, .preserve_order = PreserveOrder::yes});
  submit_all(batcher, {1, 2}, answers);
  runtime.settle();
  ASSERT_EQ(held.size(), 2u);
  held[1]->answer(0, 1);
  EXPECT_EQ(batcher.metrics().executing, 2u);
  EXPECT_EQ(batcher.metrics().completed, 0u);
  EXPECT_FALSE(batcher.wait_idle(runtime.now()));
  held[0]->answer(0, 1);
  EXPECT_EQ(batcher.metrics().executing, 0u);
  EXPECT_EQ(batcher.metrics().completed, 2u);
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(answers, Ints({1, 2}));
}

}  // namespace
