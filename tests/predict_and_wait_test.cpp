// SPDX-License-Identifier: MIT
#include "support/shell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::BatcherOptions;
using batchwright::CallerRunsWhen;
using batchwright::Outcome;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::TimePolicy;
using batchwright_test::for_each_seed;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::work_for;

constexpr auto kFree = CallerRunsWhen::executor_free;

std::vector<int> doubled(std::span<const int> inputs) {
  std::vector<int> results;
  for (const int input : inputs) results.push_back(2 * input);
  return results;
}

// Notes on which threads it runs.
struct Witness {
  std::vector<std::thread::id> threads;

  auto predictor() {
    return shared_predictor([this](std::span<const int> inputs) {
      threads.push_back(std::this_thread::get_id());
      return doubled(inputs);
    });
  }
};

TEST(PredictAndWait, AnswersLikeATicket) {
  const TestRuntime runtime({.seed = 1});
  TestBatcher<int, int> batcher(doubled, {}, runtime);
  EXPECT_EQ(batcher.predict_and_wait(21), 42);
  batcher.shutdown();
  EXPECT_THROW(batcher.predict_and_wait(1), batchwright::BatcherStoppedError);
}

TEST(PredictAndWait, ThrowsWhatThePredictorThrew) {
  for (const auto when : {CallerRunsWhen::never, kFree}) {
    const TestRuntime runtime({.seed = 1});
    TestBatcher<int, int> batcher(shared_predictor([](std::span<const int>) -> std::vector<int> {
                                    throw std::runtime_error("no model");
                                  }),
                                  {.caller_runs = when}, runtime);
    EXPECT_THROW(batcher.predict_and_wait(1), std::runtime_error);
    const auto metrics = batcher.metrics();
    EXPECT_EQ(metrics.failed, 1u);
    EXPECT_EQ(metrics.executing, 0u);
  }
}

TEST(PredictAndWait, RunsOnItsCallersThreadWhenTheBatcherIsIdleAndAllowsIt) {
  for (const auto when : {CallerRunsWhen::never, kFree}) {
    const TestRuntime runtime({.seed = 1});
    Witness witness;
    TestBatcher<int, int> batcher(witness.predictor(), {.caller_runs = when}, runtime);
    EXPECT_TRUE(batcher.wait_idle());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(batcher.predict_and_wait(i), 2 * i);
      EXPECT_TRUE(batcher.wait_idle());
    }
    ASSERT_EQ(witness.threads.size(), 3u);
    for (const auto& thread : witness.threads) {
      EXPECT_EQ(thread == std::this_thread::get_id(), when == kFree);
    }
  }
}

TEST(PredictAndWait, IsCountedAsAnyOther) {
  const TestRuntime runtime({.seed = 1});
  Witness witness;
  TestBatcher<int, int> batcher(witness.predictor(), {.caller_runs = kFree}, runtime);
  EXPECT_TRUE(batcher.wait_idle());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(batcher.predict_and_wait(i), 2 * i);
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.submitted, 5u);
  EXPECT_EQ(metrics.completed, 5u);
  EXPECT_EQ(metrics.batches.total(), 5u);
  EXPECT_EQ(metrics.queued, 0u);
  EXPECT_EQ(metrics.executing, 0u);
  EXPECT_EQ(metrics.unaccounted(), 0);
}

TEST(PredictAndWait, WaitsForCompanyWhereThePolicyDoes) {
  const TestRuntime runtime({.seed = 1, .time = batchwright::testing::TimeMode::automatic});
  Witness witness;
  TestBatcher<int, int, TimePolicy> batcher(
      witness.predictor(), {.policy = {.max_wait = 5ms}, .caller_runs = kFree}, runtime);
  EXPECT_TRUE(batcher.wait_idle());
  const auto begin = runtime.now();
  EXPECT_EQ(batcher.predict_and_wait(1), 2);
  EXPECT_EQ(runtime.now() - begin, 5ms);
  EXPECT_NE(witness.threads.at(0), std::this_thread::get_id());
}

TEST(PredictAndWait, DoesNotRunMoreBatchesAtOnceThanThereAreExecutors) {
  for_each_seed(60,
                [](const TestRuntime& runtime) {
                  std::size_t running = 0;
                  std::size_t most = 0;
                  TestBatcher<int, int> batcher(
                      shared_predictor([&](std::span<const int> inputs) {
                        most = std::max(most, ++running);
                        work_for(runtime, 10us);
                        --running;
                        return doubled(inputs);
                      }),
                      {.max_batch_size = 2, .executors = 2, .caller_runs = kFree}, runtime);
                  std::vector<batchwright::testing::TestThread> callers;
                  for (int caller = 0; caller < 4; ++caller) {
                    callers.push_back(runtime.start([&, caller] {
                      for (int i = 0; i < 3; ++i) {
                        EXPECT_EQ(batcher.predict_and_wait(10 * caller + i), 2 * (10 * caller + i));
                      }
                    }));
                  }
                  for (auto& caller : callers) caller.join();
                  EXPECT_LE(most, 2u);
                  EXPECT_EQ(batcher.metrics().completed, 12u);
                },
                {.time = batchwright::testing::TimeMode::automatic});
}

TEST(PredictAndWait, AShutdownWaitsForWhatACallerRuns) {
  for_each_seed(100,
                [](const TestRuntime& runtime) {
                  bool computed = false;
                  auto batcher = std::make_unique<TestBatcher<int, int>>(
                      shared_predictor([&](std::span<const int> inputs) {
                        work_for(runtime, 10us);
                        computed = true;
                        return doubled(inputs);
                      }),
                      TestBatcher<int, int>::Options{.caller_runs = kFree}, runtime);
                  bool submitted = false;
                  auto caller = runtime.start([&] {
                    try {
                      EXPECT_EQ(batcher->predict_and_wait(1), 2);
                      submitted = true;
                    } catch (const batchwright::BatcherStoppedError&) {
                    }
                  });
                  runtime.interleave("before the shutdown");
                  const auto report = batcher->shutdown();
                  EXPECT_TRUE(report.finished);
                  EXPECT_EQ(batcher->metrics().executing, 0u);
                  caller.join();
                  EXPECT_EQ(computed, submitted);
                },
                {.time = batchwright::testing::TimeMode::automatic});
}

TEST(PredictAndWait, WhenThePredictorHasBeenReplacedNobodyRunsTheOldOne) {
  for_each_seed(100,
                [](const TestRuntime& runtime) {
                  // Says whether it is alive, and by which factor it multiplies.
                  struct Model {
                    std::shared_ptr<bool> alive;
                    int factor;
                    const TestRuntime* runtime;
                    std::vector<int> operator()(std::span<const int> inputs) const {
                      EXPECT_TRUE(*alive);
                      runtime->interleave("predicts");
                      EXPECT_TRUE(*alive);
                      std::vector<int> results;
                      for (const int input : inputs) results.push_back(factor * input);
                      return results;
                    }
                  };
                  struct Life {
                    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
                    ~Life() { *alive = false; }
                  };
                  auto life = std::make_shared<Life>();
                  const auto model = [&](std::shared_ptr<Life> owner, int factor) {
                    return shared_predictor([owner, m = Model{owner->alive, factor, &runtime}](
                                                std::span<const int> inputs) { return m(inputs); });
                  };
                  TestBatcher<int, int> batcher(model(life, 2),
                                                {.executors = 2, .caller_runs = kFree}, runtime);
                  life.reset();
                  EXPECT_TRUE(batcher.wait_idle());
                  EXPECT_EQ(batcher.predict_and_wait(1), 2);  // From now on callers have a runner.
                  bool replaced = false;
                  std::vector<batchwright::testing::TestThread> callers;
                  for (int caller = 0; caller < 2; ++caller) {
                    callers.push_back(runtime.start([&] {
                      for (int i = 1; i <= 4; ++i) {
                        const bool fresh = replaced;
                        const int answer = batcher.predict_and_wait(i);
                        EXPECT_TRUE(answer == 3 * i || (!fresh && answer == 2 * i));
                      }
                    }));
                  }
                  batcher.replace_predictor(model(std::make_shared<Life>(), 3));
                  replaced = true;
                  for (auto& caller : callers) caller.join();
                  EXPECT_EQ(batcher.predict_and_wait(5), 15);
                },
                {.time = batchwright::testing::TimeMode::automatic});
}

TEST(PredictAndWait, WhenAReplacementFailsCallersGoOnWithWhatTheyHave) {
  const TestRuntime runtime({.seed = 1});
  int made = 0;
  TestBatcher<int, int> batcher(batchwright::predictor_per_executor([&made] {
                                  ++made;
                                  return doubled;
                                }),
                                {.caller_runs = kFree}, runtime);
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(batcher.predict_and_wait(1), 2);
  const int before = made;
  EXPECT_THROW(batcher.replace_predictor(batchwright::predictor_per_executor(
                   []() -> std::vector<int> (*)(std::span<const int>) {
                     throw std::runtime_error("no model");
                   })),
               std::runtime_error);
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(batcher.predict_and_wait(2), 4);
  EXPECT_EQ(made, before);
  batcher.replace_predictor(batchwright::predictor_per_executor([&made] {
    ++made;
    return doubled;
  }));
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(batcher.predict_and_wait(3), 6);
  EXPECT_EQ(made, before + 2);  // The executor's, and the callers'.
}

// The report of the only batch waits for the next request: nobody looks at it, and nobody is woken.
TEST(PredictAndWait, OnAnIdleBatcherWakesNobody) {
  const TestRuntime runtime({.seed = 1});
  Witness witness;
  TestBatcher<int, int> batcher(witness.predictor(), {.caller_runs = kFree}, runtime);
  EXPECT_TRUE(batcher.wait_idle());
  runtime.settle();
  const auto unparks = runtime.unparks();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(batcher.predict_and_wait(i), 2 * i);
  EXPECT_EQ(runtime.unparks(), unparks);
  // It is looked at all the same, where that matters.
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_EQ(batcher.metrics().executing_batches, 0u);
}

TEST(PredictAndWait, OnTheBatchersOwnThreadsItNeverBlocksForEver) {
  const TestRuntime runtime({.seed = 1});
  TestBatcher<int, int>* self = nullptr;
  TestBatcher<int, int> batcher(
      shared_predictor([&](std::span<const int> inputs) {
        std::vector<int> results;
        for (const int input : inputs) {
          results.push_back(input == 0 ? 0 : self->predict_and_wait(input - 1) + 1);
        }
        return results;
      }),
      {.executors = 1, .caller_runs = kFree}, runtime);
  self = &batcher;
  EXPECT_EQ(batcher.predict_and_wait(0), 0);
  EXPECT_THROW(batcher.predict_and_wait(1), batchwright::WouldDeadlockError);
  EXPECT_TRUE(batcher.wait_idle());
}

TEST(PredictAndWait, CallerRunsNeedsAPredictorThatAnyThreadMayCall) {
  const auto problem = [](auto predictor, BatcherOptions<int> options) {
    options.caller_runs = kFree;
    try {
      batchwright::DynamicBatcher<int, int> batcher(std::move(predictor), std::move(options));
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(problem(shared_predictor(doubled), {}), "");
  EXPECT_EQ(problem(doubled, {}),
            "DynamicBatcher: caller_runs must be never with a bare predictor, got executor_free");
  EXPECT_EQ(problem(shared_predictor(doubled), {.executors = 0}),
            "DynamicBatcher: caller_runs must be never with no executors, got executor_free");
  EXPECT_EQ(problem(shared_predictor(doubled), {.lane = [](const int& input) { return input; },
                                                .sticky_lanes = batchwright::StickyLanes::yes}),
            "DynamicBatcher: caller_runs must be never with sticky_lanes, got executor_free");
  EXPECT_EQ(
      problem(shared_predictor(doubled),
              {.coalesce = batchwright::coalesce_by<int>([](const int& input) { return input; })}),
      "DynamicBatcher: caller_runs must be never with coalesce, got executor_free");
}

}  // namespace
