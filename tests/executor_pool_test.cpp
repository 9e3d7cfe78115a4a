// SPDX-License-Identifier: MIT
#include "support/random.hpp"
#include "support/shell.hpp"

#include <batchwright/executor_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Several batchers on one set of executors.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::BasicExecutorPool;
using batchwright::Batch;
using batchwright::BatchInfo;
using batchwright::CallerRunsWhen;
using batchwright::ExecutorPool;
using batchwright::ExecutorPoolOptions;
using batchwright::HybridPolicy;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::predictor_per_executor;
using batchwright::ReplaceOrder;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::StickyLanes;
using batchwright::ThreadInfo;
using batchwright::TimePoint;
using batchwright::use_ticket;
using batchwright::WouldDeadlockError;
using batchwright::testing::TimeMode;

using Pool = BasicExecutorPool<TestRuntime>;
using Batcher = TestBatcher<int, int>;
using Ints = std::vector<int>;

std::shared_ptr<Pool> make_pool(const TestRuntime& runtime, std::size_t executors) {
  return std::make_shared<Pool>(ExecutorPoolOptions{.executors = executors}, runtime);
}

auto adds(int number) {
  return shared_predictor([number](std::span<const int> inputs) {
    Ints results;
    for (const int input : inputs) results.push_back(input + number);
    return results;
  });
}

TEST(ExecutorPool, ServesSeveralBatchers) {
  for (const std::size_t executors : {1u, 3u}) {
    TestRuntime runtime;
    const auto pool = make_pool(runtime, executors);
    Batcher first(adds(100), {.pool = pool});
    TestBatcher<std::string, std::size_t> second(
        shared_predictor([](std::span<const std::string> inputs) {
          std::vector<std::size_t> sizes;
          for (const std::string& input : inputs) sizes.push_back(input.size());
          return sizes;
        }),
        {.pool = pool});
    auto number = first.submit(1);
    auto size = second.submit("four");
    EXPECT_EQ(runtime.get(number), 101);
    EXPECT_EQ(runtime.get(size), 4u);
  }
}

TEST(ExecutorPool, AnswersEachRequestOnceInEveryInterleaving) {
  for_each_seed(150, [](TestRuntime& runtime) {
    std::array<int, 3> answered{};
    int wrong = 0;
    {
      const auto pool = make_pool(runtime, 2);
      Batcher a(adds(1000), {.max_batch_size = 3, .pool = pool});
      Batcher b(adds(2000), {.max_batch_size = 2, .pool = pool, .pool_share = 2});
      Batcher c(adds(3000), {.max_batch_size = 4, .pool = pool});
      std::vector<TestRuntime::Thread> clients;
      for (int k = 0; k < 3; ++k) {
        clients.push_back(runtime.start([&, k] {
          Batcher& batcher = k == 0 ? a : k == 1 ? b : c;
          for (int i = 0; i < 15; ++i) {
            batcher.submit(i, [&, i, k](Result<int> result) {
              ++answered[static_cast<std::size_t>(k)];
              if (result.value() != i + (k + 1) * 1000) ++wrong;
            });
            runtime.interleave("next");
          }
        }));
      }
      for (auto& client : clients) client.join();
    }
    EXPECT_EQ(answered, (std::array<int, 3>{15, 15, 15}));
    EXPECT_EQ(wrong, 0);
  });
}

TEST(ExecutorPool, ABatchIsClosedOnlyWhenItsExecutorIsThere) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 1);
  Gate gate(runtime);
  Calls calls;
  Batcher holder(shared_predictor(echo_behind(gate)), {.pool = pool});
  Batcher batcher(shared_predictor(doubler(runtime, calls)), {.max_batch_size = 8, .pool = pool});
  auto held = holder.submit(1);
  runtime.settle();
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 5; ++i) {
    answers.push_back(batcher.submit(i));
    runtime.settle();
  }
  auto urgent = batcher.submit(9, {.priority = 1});
  gate.open();
  runtime.get(held);
  runtime.get(urgent);
  for (auto& answer : answers) runtime.get(answer);
  ASSERT_EQ(calls.count(), 1u);
  EXPECT_EQ(calls.all[0].inputs, Ints({9, 0, 1, 2, 3, 4}));
}

TEST(ExecutorPool, AnswersDeadlinesAndCancellationsOnTimeWhileOthersHaveTheExecutors) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 1);
  Gate gate(runtime);
  Batcher holder(shared_predictor(echo_behind(gate)), {.pool = pool});
  Batcher batcher(adds(1), {.pool = pool});
  auto held = holder.submit(1);
  runtime.settle();
  auto expiring = batcher.submit(1, {.deadline = runtime.now() + 5ms});
  auto cancelled = batcher.submit(2, use_ticket);
  auto kept = batcher.submit(3);
  runtime.settle();
  EXPECT_TRUE(cancelled.cancel());
  runtime.advance(5ms);
  runtime.settle();
  ASSERT_TRUE(is_ready(expiring));
  EXPECT_EQ(outcome_of(runtime, expiring), Outcome::expired);
  EXPECT_TRUE(cancelled.ready());
  gate.open();
  EXPECT_EQ(runtime.get(kept), 4);
  runtime.get(held);
}

TEST(ExecutorPool, GivesBackAnExecutorThatNothingIsLeftFor) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 1);
  Gate gate(runtime);
  Batcher holder(shared_predictor(echo_behind(gate)), {.pool = pool});
  Batcher batcher(adds(1), {.pool = pool});
  auto held = holder.submit(1);
  runtime.settle();
  {
    auto cancelled = batcher.submit(2, use_ticket);
    runtime.settle();
    cancelled.cancel();
    runtime.settle();
  }
  gate.open();
  runtime.get(held);
  for (int i = 0; i < 3; ++i) {
    auto again = holder.submit(1);
    EXPECT_EQ(runtime.get(again), 1);
  }
}

// A grant may be on its way while its reason vanishes, and while the batcher ends.
TEST(ExecutorPool, WhoseRequestsVanishKeepsNoLease) {
  for_each_seed(400, [](TestRuntime& runtime) {
    const auto pool = make_pool(runtime, 1);
    Batcher stays(adds(1), {.max_batch_size = 1, .pool = pool});
    int answered = 0;
    auto client = runtime.start([&] {
      for (int i = 0; i < 12; ++i) {
        stays.submit(i, [&](const Result<int>&) { ++answered; });
        runtime.interleave("next");
      }
    });
    for (int round = 0; round < 3; ++round) {
      Batcher fickle(adds(round), {.pool = pool});
      for (int i = 0; i < 3; ++i) {
        auto ticket = fickle.submit(i, use_ticket);
        runtime.interleave("change of mind");
        ticket.cancel();
        runtime.interleave("next");
      }
      if (round == 1) {
        EXPECT_TRUE(fickle.wait_idle());
      }
      if (round == 2) {
        auto meanwhile = stays.submit(1, use_ticket);
        EXPECT_EQ(meanwhile.get(), 2);
      }
    }
    client.join();
    auto last = stays.submit(1, use_ticket);
    EXPECT_EQ(last.get(), 2);
    stays.shutdown();
    EXPECT_EQ(answered, 12);
  });
}

TEST(ExecutorPool, SharesTimeByWeightWhateverTheBatchesTake) {
  TestRuntime runtime(TestOptions{.switch_probability = 0, .time = TimeMode::automatic});
  const auto pool = make_pool(runtime, 2);
  std::array<std::chrono::nanoseconds, 2> used{};
  const auto takes = [&](std::size_t who, std::chrono::nanoseconds span) {
    return shared_predictor([&, who, span](std::span<const int> inputs) {
      work_for(runtime, span);
      used[who] += span;
      return Ints(inputs.begin(), inputs.end());
    });
  };
  Batcher slow(takes(0, 7ms), {.max_batch_size = 1, .pool = pool, .capacity = 2000});
  Batcher quick(takes(1, 1ms),
                {.max_batch_size = 1, .pool = pool, .pool_share = 3, .capacity = 2000});
  for (int i = 0; i < 2000; ++i) {
    slow.submit(i, [](const Result<int>&) {});
    quick.submit(i, [](const Result<int>&) {});
  }
  const TimePoint end = runtime.now() + 500ms;
  const std::atomic<std::uint32_t> word{0};
  while (runtime.now() < end) runtime.park(word, 0, end);
  const double ratio = static_cast<double>(used[1].count()) / static_cast<double>(used[0].count());
  EXPECT_NEAR(ratio, 3.0, 0.2);
  EXPECT_NEAR(static_cast<double>((used[0] + used[1]).count()), 1e9, 2e7);  // Both were busy.
  slow.shutdown({.mode = ShutdownMode::abandon});
  quick.shutdown({.mode = ShutdownMode::abandon});
}

TEST(ExecutorPool, EachExecutorHasAPredictorOfItsOwnMadeAndDestroyedOnItsThread) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 3);
  std::set<std::thread::id> threads;
  int alive = 0;
  {
    Batcher batcher(
        predictor_per_executor([&] {
          ++alive;
          threads.insert(std::this_thread::get_id());
          auto guard = std::shared_ptr<void>(nullptr, [&, id = std::this_thread::get_id()](void*) {
            --alive;
            EXPECT_EQ(std::this_thread::get_id(), id);
          });
          return
              [guard](std::span<const int> inputs) { return Ints(inputs.begin(), inputs.end()); };
        }),
        {.pool = pool});
    EXPECT_EQ(threads.size(), 3u);
    EXPECT_EQ(alive, 3);
    auto answer = batcher.submit(1);
    runtime.get(answer);
  }
  EXPECT_EQ(alive, 0);
}

TEST(ExecutorPool, AConstructorThatThrowsLeavesThePoolAsItWas) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 2);
  int made = 0;
  const auto construct = [&] {
    Batcher batcher(predictor_per_executor([&]() -> std::function<Ints(std::span<const int>)> {
                      if (++made == 2) throw std::runtime_error("no device");
                      return [](std::span<const int> inputs) { return Ints(inputs.size()); };
                    }),
                    {.pool = pool});
  };
  EXPECT_THROW(construct(), std::runtime_error);
  EXPECT_EQ(made, 2);
  Batcher batcher(adds(1), {.pool = pool});
  auto answer = batcher.submit(1);
  EXPECT_EQ(runtime.get(answer), 2);
}

TEST(ExecutorPool, ReplacesAPredictorUnderLoadOfOthers) {
  for_each_seed(60, [](TestRuntime& runtime) {
    const auto pool = make_pool(runtime, 2);
    const auto version = [](int number) {
      return predictor_per_executor([number] {
        return [number](std::span<const int> inputs) {
          Ints results;
          for (const int input : inputs) results.push_back(input * 10 + number);
          return results;
        };
      });
    };
    Batcher other(adds(1), {.max_batch_size = 2, .pool = pool});
    Batcher batcher(version(1), {.max_batch_size = 2, .pool = pool});
    int answered = 0;
    int wrong = 0;
    int serving = 1;
    int loading = 1;
    auto client = runtime.start([&] {
      for (int i = 0; i < 10; ++i) {
        other.submit(i, [&, i](const Result<int>& result) {
          ++answered;
          if (!result || *result != i + 1) ++wrong;
        });
        batcher.submit(i, [&, i, least = serving](const Result<int>& result) {
          ++answered;
          if (!result || *result < i * 10 + least || *result > i * 10 + loading) ++wrong;
        });
        runtime.interleave("next");
      }
    });
    for (int number = 2; number < 5; ++number) {
      loading = number;
      batcher.replace_predictor(
          version(number), number % 2 == 0 ? ReplaceOrder::unload_first : ReplaceOrder::load_first);
      serving = number;
      EXPECT_EQ(batcher.submit(7, use_ticket).get(), 70 + number);
    }
    client.join();
    other.shutdown();
    batcher.shutdown();
    EXPECT_EQ(answered, 20);
    EXPECT_EQ(wrong, 0);
  });
}

TEST(ExecutorPool, AnAsynchronousPredictorGivesItsExecutorBackAtOnce) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 1);
  std::vector<Batch<int, int>> held;
  Batcher asynchronous([&](Batch<int, int> batch) { held.push_back(std::move(batch)); },
                       {.pool = pool});
  Batcher other(adds(1), {.pool = pool});
  auto slow = asynchronous.submit(1);
  runtime.settle();
  ASSERT_EQ(held.size(), 1u);
  auto quick = other.submit(1);
  EXPECT_EQ(runtime.get(quick), 2);
  EXPECT_FALSE(is_ready(slow));
  held[0].answer(0, 7);
  held.clear();
  EXPECT_EQ(runtime.get(slow), 7);
}

TEST(ExecutorPool, ABatcherEndsWhileOthersGoOn) {
  for_each_seed(100, [](TestRuntime& runtime) {
    const auto pool = make_pool(runtime, 2);
    Batcher stays(adds(1), {.max_batch_size = 2, .pool = pool});
    int answered = 0;
    auto client = runtime.start([&] {
      for (int i = 0; i < 20; ++i) {
        stays.submit(i, [&](const Result<int>&) { ++answered; });
        runtime.interleave("next");
      }
    });
    for (int round = 0; round < 3; ++round) {
      Batcher goes(adds(round), {.max_batch_size = 1, .pool = pool});
      for (int i = 0; i < 3; ++i) goes.submit(i, [](const Result<int>&) {});
      if (round == 1) goes.shutdown({.mode = ShutdownMode::abandon});
    }
    client.join();
    stays.shutdown();
    EXPECT_EQ(answered, 20);
  });
}

TEST(ExecutorPool, WhatWouldBlockOnItsOwnThreadsIsRefused) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 1);
  Batcher full(adds(1), {.pool = pool, .capacity = 1, .overflow = OverflowAction::block});
  full.pause();
  auto first = full.submit(1);
  int refused = 0;
  Batcher batcher(shared_predictor([&](std::span<const int> inputs) {
                    try {
                      full.wait_idle();
                    } catch (const WouldDeadlockError&) {
                      ++refused;
                    }
                    auto blocked = full.submit(2);
                    if (outcome_of(runtime, blocked) == Outcome::would_deadlock) ++refused;
                    try {
                      Batcher nested(adds(1), {.pool = pool});
                    } catch (const WouldDeadlockError&) {
                      ++refused;
                    }
                    return Ints(inputs.size());
                  }),
                  {.pool = pool});
  auto answer = batcher.submit(1);
  runtime.get(answer);
  EXPECT_EQ(refused, 3);
  full.resume();
  runtime.get(first);
}

TEST(ExecutorPool, AnIdlePoolUsesNoCpu) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 3);
  Batcher a(adds(1), {.pool = pool});
  TestBatcher<int, int, HybridPolicy> b(adds(1), {.pool = pool});
  auto answer = a.submit(1);
  runtime.get(answer);
  runtime.settle();
  const std::uint64_t before = activity(runtime);
  runtime.advance(1h);
  EXPECT_EQ(activity(runtime), before);
}

TEST(ExecutorPool, ABatcherThatIsPausedOrWaitsForExecutorsThatHangUsesNoCpu) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 2);
  Gate gate(runtime);
  Batcher holder(shared_predictor(echo_behind(gate)), {.max_batch_size = 1, .pool = pool});
  TestBatcher<int, int, HybridPolicy> waits(
      adds(1), {.policy = {.max_wait = 1ms}, .pool = pool, .max_wait = 5ms});
  TestBatcher<int, int, HybridPolicy> paused(
      adds(1), {.policy = {.max_wait = 1ms}, .pool = pool, .max_wait = 5ms});
  paused.pause();
  auto held = holder.submit_many(Ints{1, 2}, use_ticket);
  auto waiting = waits.submit_many(Ints{1, 2, 3}, use_ticket);
  auto kept = paused.submit_many(Ints{1, 2, 3}, use_ticket);
  runtime.settle();
  runtime.advance(10ms);  // All windows are over.
  EXPECT_EQ(gate.waiting(), 2u);
  const std::uint64_t before = activity(runtime);
  EXPECT_EQ(runtime.advance(1h), 0u);
  EXPECT_EQ(activity(runtime), before);
  EXPECT_EQ(runtime.next_due(), batchwright::kNever);
  gate.open();
  EXPECT_EQ(waiting[2].get(), 4);
}

TEST(ExecutorPool, ABusyExecutorGoesFromBatchToBatchWithoutWakingAnybody) {
  TestRuntime runtime(TestOptions{.switch_probability = 0});
  const auto pool = make_pool(runtime, 1);
  Batcher a(adds(1), {.max_batch_size = 1, .pool = pool});
  Batcher b(adds(1), {.max_batch_size = 1, .pool = pool});
  Gate gate(runtime);
  Batcher holder(shared_predictor(echo_behind(gate)), {.pool = pool});
  holder.submit(1, [](const Result<int>&) {});
  runtime.settle();
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    a.submit(i, [&](const Result<int>&) { ++answered; });
    b.submit(i, [&](const Result<int>&) { ++answered; });
  }
  runtime.settle();
  const std::uint64_t before = runtime.counts().unparks;
  gate.open();
  runtime.settle();
  EXPECT_EQ(answered, 40);
  EXPECT_LE(runtime.counts().unparks - before, 3u);
}

// On executors of its own the scheduler chooses, in a pool the arbiter does.
TEST(ExecutorPool, LoneBatchesGoToTheExecutorThatHasBeenTheQuickest) {
  for (const bool pooled : {false, true}) {
    SCOPED_TRACE(pooled);
    TestRuntime runtime(TestOptions{.switch_probability = 0, .time = TimeMode::automatic});
    std::array<std::chrono::nanoseconds, 3> takes = {9ms, 2ms, 5ms};
    std::vector<std::size_t> used;
    Batcher::Options options{.max_batch_size = 1};
    if (pooled) {
      options.pool = make_pool(runtime, 3);
    } else {
      options.executors = 3;
    }
    Batcher batcher(shared_predictor([&](std::span<const int> inputs, const BatchInfo& info) {
                      used.push_back(info.executor);
                      work_for(runtime, takes[info.executor]);
                      return Ints(inputs.begin(), inputs.end());
                    }),
                    options, runtime);
    const auto lone = [&](int count) {
      used.clear();
      const TimePoint start = runtime.now();
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(batcher.submit(i, use_ticket).get(), i);
        runtime.settle();  // The executor is vacant, too.
      }
      return runtime.now() - start;
    };
    EXPECT_EQ(lone(3), 16ms);  // Each is tried once.
    EXPECT_EQ(used, (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_EQ(lone(10), 20ms);
    EXPECT_EQ(used, std::vector<std::size_t>(10, 1));
    // Of two at once one goes to the second quickest.
    used.clear();
    auto answers = batcher.submit_many(Ints{1, 2}, use_ticket);
    for (auto& answer : answers) answer.result();
    runtime.settle();
    std::sort(used.begin(), used.end());
    EXPECT_EQ(used, (std::vector<std::size_t>{1, 2}));
    // It is not the quickest for ever.
    takes[1] = 30ms;
    lone(10);
    EXPECT_EQ(used[0], 1u);
    EXPECT_EQ(used[9], 2u);
    EXPECT_TRUE(std::is_sorted(used.begin(), used.end()));
  }
}

TEST(ExecutorPool, RunsItsStartHookOnEachThread) {
  TestRuntime runtime;
  std::vector<std::string> seen;
  const Pool pool(
      {.executors = 2,
       .name = "gpus",
       .on_thread_start =
           [&](const ThreadInfo& info) { seen.push_back(info.name + std::to_string(info.index)); }},
      runtime);
  EXPECT_EQ(seen, (std::vector<std::string>{"gpus0", "gpus1"}));
  EXPECT_THROW(Pool({.executors = 2,
                     .on_thread_start =
                         [](const ThreadInfo& info) {
                           if (info.index == 1) throw std::runtime_error("no affinity");
                         }},
                    runtime),
               std::runtime_error);
}

TEST(ExecutorPool, MayBeDroppedBeforeItsBatchers) {
  TestRuntime runtime;
  auto pool = make_pool(runtime, 1);
  Batcher batcher(adds(1), {.pool = pool});
  pool.reset();
  auto answer = batcher.submit(1);
  EXPECT_EQ(runtime.get(answer), 2);
}

TEST(ExecutorPool, SaysWhatItRefuses) {
  TestRuntime runtime;
  const auto pool = make_pool(runtime, 2);
  const auto message_of = [&](auto construct) {
    try {
      construct();
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(message_of([&] { Pool none({.executors = 0}, runtime); }),
            "ExecutorPool: executors must be from 1 to 1024, got 0");
  EXPECT_EQ(message_of([&] { Pool many({.executors = 1025}, runtime); }),
            "ExecutorPool: executors must be from 1 to 1024, got 1025");
  EXPECT_EQ(message_of([&] { Batcher(adds(1), {.executors = 2, .pool = pool}); }),
            "DynamicBatcher: executors must be unset with pool, got 2");
  EXPECT_EQ(message_of([&] { Batcher(adds(1), {.pool = pool, .pool_share = 0}); }),
            "DynamicBatcher: pool_share must be from 1 to 1000, got 0");
  EXPECT_EQ(message_of([&] { Batcher(adds(1), {.pool = pool, .pool_share = 1001}); }),
            "DynamicBatcher: pool_share must be from 1 to 1000, got 1001");
  EXPECT_EQ(message_of([&] { Batcher(adds(1), {.pool = pool, .pool_share = 1000}); }), "nothing");
  EXPECT_EQ(message_of([&] { Batcher(adds(1), {.pool_share = 2}); }),
            "DynamicBatcher: pool_share must be 1 without pool, got 2");
  EXPECT_EQ(message_of([&] {
              Batcher(adds(1), {.pool = pool,
                                .lane = [](const int& input) { return input; },
                                .sticky_lanes = StickyLanes::yes});
            }),
            "DynamicBatcher: sticky_lanes must be no with pool, got yes");
  EXPECT_EQ(message_of([&] {
              Batcher(adds(1), {.pool = pool, .caller_runs = CallerRunsWhen::executor_free});
            }),
            "DynamicBatcher: caller_runs must be never with a pool, got executor_free");
  EXPECT_EQ(message_of([&] {
              Batcher([](std::span<const int> inputs) { return Ints(inputs.size()); },
                      {.pool = pool});
            }),
            "DynamicBatcher: executors must be 0 or 1 for a bare predictor (give "
            "shared_predictor(p) or predictor_per_executor(f) for more), got 2");
  EXPECT_EQ(message_of([&] {
              Batcher(adds(1), {.pool = std::make_shared<ExecutorPool>(ExecutorPoolOptions{})});
            }),
            "DynamicBatcher: pool must be a pool of the batcher's own runtime, got one of another");
}

}  // namespace
