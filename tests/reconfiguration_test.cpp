// SPDX-License-Identifier: MIT
#include "support/shell.hpp"

#include <batchwright/reconfiguration.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What changes of a running batcher: its predictor, its cap, its policy.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::AnyPolicy;
using batchwright::BatcherStoppedError;
using batchwright::BatchInfo;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::Outcome;
using batchwright::predictor_per_executor;
using batchwright::ReplaceOrder;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::ShutdownMode;
using batchwright::SizePolicy;
using batchwright::use_ticket;
using batchwright::WouldDeadlockError;
using batchwright::testing::TimeMode;

using Batcher = TestBatcher<int, int>;

// Answers x * 100 + its version.
auto version(int number, const TestRuntime& runtime, batchwright::Duration service = 0ns) {
  return [=](std::span<const int> inputs) {
    work_for(runtime, service);
    std::vector<int> results;
    for (const int input : inputs) results.push_back(input * 100 + number);
    return results;
  };
}

// Predictors that know how many of them live, and on which threads.
struct Model {
  static inline std::set<const Model*> alive;
  static inline std::size_t most = 0;
  static inline std::vector<std::string> log;

  explicit Model(int the_number) : number(the_number), thread(std::this_thread::get_id()) {
    alive.insert(this);
    most = std::max(most, alive.size());
    log.push_back("load " + std::to_string(number));
  }
  Model(const Model&) = delete;
  ~Model() {
    alive.erase(this);
    log.push_back("unload " + std::to_string(number));
    EXPECT_EQ(std::this_thread::get_id(), thread);
  }

  static void reset() {
    most = 0;
    log.clear();
    EXPECT_TRUE(alive.empty());
  }

  int number;
  std::thread::id thread;
};

auto factory(int number) {
  return predictor_per_executor([number] {
    return [model = std::make_unique<Model>(number)](std::span<const int> inputs) {
      EXPECT_EQ(std::this_thread::get_id(), model->thread);
      std::vector<int> results;
      for (const int input : inputs) results.push_back(input * 100 + model->number);
      return results;
    };
  });
}

auto broken_factory() {
  return predictor_per_executor(
      []() -> std::function<std::vector<int>(std::span<const int>)> { throw std::bad_alloc(); });
}

TEST(ReplacePredictor, AnswersWithTheNewOneFromThenOn) {
  for (const std::size_t executors : {0u, 1u, 3u}) {
    SCOPED_TRACE(executors);
    TestRuntime runtime;
    Batcher batcher(shared_predictor(version(1, runtime)), {.executors = executors});
    auto before = batcher.submit(1);
    EXPECT_EQ(runtime.get(before), 101);
    batcher.replace_predictor(shared_predictor(version(2, runtime)));
    auto after = batcher.submit(1);
    EXPECT_EQ(runtime.get(after), 102);
  }
}

TEST(ReplacePredictor, LosesNothingThatWasAcceptedBefore) {
  for_each_seed(
      60,
      [](TestRuntime& runtime) {
        std::size_t answered = 0;
        std::size_t wrong = 0;
        {
          Batcher batcher(shared_predictor(version(1, runtime, 1us)),
                          {.max_batch_size = 4, .executors = 2});
          auto client = runtime.start([&] {
            for (int i = 0; i < 40; ++i) {
              batcher.submit(i, [&, i](Result<int> result) {
                ++answered;
                if (result.value() / 100 != i) ++wrong;
              });
              runtime.interleave("next");
            }
          });
          for (int number = 2; number < 5; ++number) {
            batcher.replace_predictor(shared_predictor(version(number, runtime, 1us)));
            auto ticket = batcher.submit(7, use_ticket);
            EXPECT_EQ(ticket.get(), 700 + number);
          }
          client.join();
        }
        EXPECT_EQ(answered, 40u);
        EXPECT_EQ(wrong, 0u);
      },
      TestOptions{.time = TimeMode::automatic});
}

TEST(ReplacePredictor, NeitherDoesItWhereAllUnloadFirst) {
  for_each_seed(
      60,
      [](TestRuntime& runtime) {
        std::vector<int> computed_by;
        const auto each = [&](int number) {
          return predictor_per_executor([&, number] {
            return [&, number, run = version(number, runtime, 1us)](std::span<const int> inputs) {
              computed_by.push_back(number);
              auto results = run(inputs);
              computed_by.push_back(number);
              return results;
            };
          });
        };
        std::size_t answered = 0;
        std::size_t wrong = 0;
        int serving = 1;
        {
          Batcher batcher(each(1), {.max_batch_size = 4, .executors = 2});
          auto client = runtime.start([&] {
            for (int i = 0; i < 40; ++i) {
              batcher.submit(i, [&, i, least = serving](Result<int> result) {
                ++answered;
                const int by = result.value() - i * 100;
                if (by < least || by > 4) ++wrong;
              });
              runtime.interleave("next");
            }
          });
          for (int number = 2; number < 5; ++number) {
            batcher.replace_predictor(each(number), ReplaceOrder::unload_first);
            serving = number;
            auto ticket = batcher.submit(7, use_ticket);
            EXPECT_EQ(ticket.get(), 700 + number);
          }
          client.join();
        }
        EXPECT_EQ(answered, 40u);
        EXPECT_EQ(wrong, 0u);
        // Nobody begins before the old ones have ended.
        EXPECT_TRUE(std::is_sorted(computed_by.begin(), computed_by.end()));
      },
      TestOptions{.time = TimeMode::automatic});
}

TEST(ReplacePredictor, LoadsOneExecutorAfterAnotherAndKeepsBothUntilAllHaveLoaded) {
  Model::reset();
  {
    TestRuntime runtime;
    Batcher batcher(factory(1), {.executors = 2});
    batcher.replace_predictor(factory(2));
    EXPECT_EQ(Model::most, 4u);
    const std::vector<std::string> expected = {"load 1", "load 1",   "load 2",
                                               "load 2", "unload 1", "unload 1"};
    EXPECT_EQ(Model::log, expected);
  }
  EXPECT_TRUE(Model::alive.empty());
}

TEST(ReplacePredictor, UnloadsAllBeforeItLoadsIfAsked) {
  Model::reset();
  {
    TestRuntime runtime;
    Batcher batcher(factory(1), {.executors = 3});
    batcher.replace_predictor(factory(2), ReplaceOrder::unload_first);
    EXPECT_EQ(Model::most, 3u);
    auto answer = batcher.submit(5);
    EXPECT_EQ(runtime.get(answer), 502);
  }
  EXPECT_TRUE(Model::alive.empty());
}

TEST(ReplacePredictor, KeepsTheOldOneWhenTheNewOneCannotBeLoaded) {
  for (const ReplaceOrder order : {ReplaceOrder::load_first, ReplaceOrder::unload_first}) {
    Model::reset();
    TestRuntime runtime;
    Batcher batcher(factory(1), {.executors = 2});
    EXPECT_THROW(batcher.replace_predictor(broken_factory(), order), std::bad_alloc);
    auto answer = batcher.submit(5);
    EXPECT_EQ(runtime.get(answer), 501);
    EXPECT_EQ(Model::alive.size(), 2u);
    batcher.replace_predictor(factory(3), order);
    auto again = batcher.submit(5);
    EXPECT_EQ(runtime.get(again), 503);
  }
}

TEST(ReplacePredictor, FailsBatchesWithTheReasonWhenNeitherCanBeLoaded) {
  TestRuntime runtime;
  int made = 0;
  Batcher batcher(
      predictor_per_executor([&]() -> std::function<std::vector<int>(std::span<const int>)> {
        if (++made > 1) throw std::runtime_error("gone");
        return version(1, runtime);
      }),
      {});
  EXPECT_THROW(batcher.replace_predictor(broken_factory(), ReplaceOrder::unload_first),
               std::bad_alloc);
  auto failed = batcher.submit(1);
  EXPECT_THROW(runtime.get(failed), std::runtime_error);
  batcher.replace_predictor(version(2, runtime));
  auto answer = batcher.submit(1);
  EXPECT_EQ(runtime.get(answer), 102);
}

TEST(ReplacePredictor, WaitsForAnAsynchronousBatchOfTheOldOne) {
  TestRuntime runtime;
  std::vector<batchwright::Batch<int, int>> held;
  bool gone = false;
  Batcher batcher(predictor_per_executor([&] {
    return [&held, guard = std::shared_ptr<void>(&gone, [&](void*) { gone = true; })](
               batchwright::Batch<int, int> batch) { held.push_back(std::move(batch)); };
  }));
  auto slow = batcher.submit(1);
  runtime.settle();
  ASSERT_EQ(held.size(), 1u);
  auto changer = runtime.start([&] { batcher.replace_predictor(version(2, runtime)); });
  runtime.settle();
  EXPECT_FALSE(gone);
  held[0].answer(0, 1);
  held.clear();
  changer.join();
  EXPECT_TRUE(gone);
  EXPECT_EQ(runtime.get(slow), 1);
}

TEST(ReplacePredictor, LetsTheOthersServeWhileOneLoads) {
  TestRuntime runtime;
  Gate loading(runtime);
  Batcher batcher(shared_predictor(version(1, runtime)), {.executors = 2});
  auto changer = runtime.start([&] {
    batcher.replace_predictor(predictor_per_executor([&] {
      loading.pass();
      return version(2, runtime);
    }));
  });
  runtime.settle();
  ASSERT_EQ(loading.waiting(), 1u);
  for (int i = 0; i < 4; ++i) {
    auto answer = batcher.submit(i);
    EXPECT_EQ(runtime.get(answer), i * 100 + 1);
  }
  loading.open();
  changer.join();
}

TEST(ReplacePredictor, GoesOnDuringAPause) {
  TestRuntime runtime;
  Batcher batcher(version(1, runtime), {});
  batcher.pause();
  auto queued = batcher.submit(1);
  batcher.replace_predictor(version(2, runtime));
  EXPECT_FALSE(is_ready(queued));
  batcher.resume();
  EXPECT_EQ(runtime.get(queued), 102);
}

TEST(ReplacePredictor, LearnsTheNewTimes) {
  TestRuntime runtime(TestOptions{.switch_probability = 0});
  struct Watcher {
    std::uint64_t* samples;
    batchwright::PolicyNeeds needs() const noexcept { return {.service = true}; }
    batchwright::Decision decide(const batchwright::QueueView& view) noexcept {
      *samples = view.service->samples;
      return batchwright::Decision::release(1, batchwright::ReleaseReason::greedy);
    }
  };
  std::uint64_t samples = 0;
  TestBatcher<int, int, Watcher> batcher(version(1, runtime), {.policy = {&samples}});
  for (int i = 0; i < 5; ++i) {
    auto answer = batcher.submit(i);
    runtime.get(answer);
  }
  EXPECT_GE(samples, 4u);
  batcher.replace_predictor(version(2, runtime));
  auto answer = batcher.submit(1);
  runtime.get(answer);
  EXPECT_EQ(samples, 0u);
}

TEST(ReplacePredictor, TellsThatNobodyWaitsAlsoWhereTheFirstDidNotWantToKnow) {
  TestRuntime runtime;
  Batcher batcher(version(1, runtime), {});
  bool stopped = false;
  Gate gate(runtime);
  batcher.replace_predictor([&](std::span<const int> inputs, const BatchInfo& info) {
    gate.pass();
    stopped = info.stop.stop_requested();
    return std::vector<int>(inputs.size());
  });
  batchwright::StopSource stop;
  auto answer = batcher.submit(1, {.stop = stop.get_token()});
  runtime.settle();
  stop.request_stop();
  runtime.settle();
  gate.open();
  runtime.get(answer);
  EXPECT_TRUE(stopped);
}

TEST(ReplacePredictor, IsRefusedInAShutdownAndNobodyHangs) {
  std::size_t refused = 0;
  int round = 0;
  for_each_seed(200, [&](TestRuntime& runtime) {
    Model::reset();
    {
      Batcher batcher(factory(1), {.executors = 2});
      auto answer = batcher.submit(1, use_ticket);
      const bool unload = ++round % 2 == 0;
      auto changer = runtime.start([&] {
        try {
          batcher.replace_predictor(factory(2),
                                    unload ? ReplaceOrder::unload_first : ReplaceOrder::load_first);
        } catch (const BatcherStoppedError&) {
          ++refused;
        }
      });
      batcher.shutdown({.mode = ShutdownMode::drain});
      changer.join();
      EXPECT_EQ(answer.get() / 100, 1);
      EXPECT_THROW(batcher.replace_predictor(factory(2)), BatcherStoppedError);
    }
    EXPECT_TRUE(Model::alive.empty());
  });
  EXPECT_GT(refused, 0u);
  EXPECT_LT(refused, 200u);
}

TEST(ReplacePredictor, SaysWhatItRefuses) {
  TestRuntime runtime;
  Batcher batcher(shared_predictor(version(1, runtime)), {.executors = 2});
  try {
    batcher.replace_predictor(version(2, runtime));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "DynamicBatcher: executors must be 0 or 1 for a bare predictor (give "
                 "shared_predictor(p) or predictor_per_executor(f) for more), got 2");
  }
  try {
    batcher.replace_predictor(factory(2), ReplaceOrder::unload_first);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "DynamicBatcher: order must be load_first unless both predictors are "
                 "predictor_per_executor, got unload_first");
  }
  bool refused = false;
  batcher.submit(1, [&](const Result<int>&) {
    try {
      batcher.replace_predictor(shared_predictor(version(2, runtime)));
    } catch (const WouldDeadlockError&) {
      refused = true;
    }
  });
  runtime.settle();
  EXPECT_TRUE(refused);
}

TEST(ReplacePredictor, InAnOrderThatIsNoneIsAnErrorAndTheOldOneServesOn) {
  TestRuntime runtime;
  Model::reset();
  Batcher batcher(factory(1), {.executors = 2});
  try {
    batcher.replace_predictor(factory(2), ReplaceOrder{7});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "DynamicBatcher: order must be one of the 2 enumerators, got 7");
  }
  EXPECT_EQ(Model::log, (std::vector<std::string>{"load 1", "load 1"}));
  auto answer = batcher.submit(3);
  EXPECT_EQ(runtime.get(answer), 301);
}

TEST(WarmUp, RunsEachAllowedSizeOnEachExecutorBeforeTheFirstRequest) {
  TestRuntime runtime;
  std::vector<std::vector<std::size_t>> seen(2);
  std::vector<int> inputs_seen;
  Batcher batcher(shared_predictor([&](std::span<const int> inputs, const BatchInfo& info) {
                    if (info.batch_id == 0) {
                      seen[info.executor].push_back(info.padded_size);
                      EXPECT_EQ(inputs.size(), info.size);
                      EXPECT_EQ(info.lane<int>() == nullptr ? -1 : *info.lane<int>(), inputs[0]);
                    }
                    return std::vector<int>(inputs.begin(), inputs.end());
                  }),
                  {.max_batch_size = 8,
                   .allowed_sizes = {2, 4, 8},
                   .executors = 2,
                   .lane = [](const int& input) { return input; },
                   .warm_up = {[] { return 5; }, [] { return 6; }}});
  for (const auto& sizes : seen) EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 4, 8, 2, 4, 8}));
  EXPECT_EQ(batcher.metrics().completed, 0u);
  auto answer = batcher.submit(3);
  EXPECT_EQ(runtime.get(answer), 3);
}

// Where a batcher's predictors run: on the dispatcher's own thread, on one executor of its own or two, or
// on those of a pool.
enum class Place { dispatcher, executor, executors, pool };
constexpr Place kPlaces[] = {Place::dispatcher, Place::executor, Place::executors, Place::pool};

std::size_t executors_at(Place place) {
  return place == Place::executors || place == Place::pool ? 2 : 1;
}

template <class Options>
Options placed(Options options, Place place, const TestRuntime& runtime) {
  if (place != Place::pool) {
    options.executors = place == Place::dispatcher ? 0 : executors_at(place);
  } else {
    options.pool = std::make_shared<batchwright::BasicExecutorPool<TestRuntime>>(
        batchwright::ExecutorPoolOptions{.executors = 2}, runtime);
  }
  return options;
}

// Predictors that know at which sizes they have been warmed, and on which thread: who is given a request
// before all of that has been done has been cold.
struct Kitchen {
  std::vector<std::string> log;  // Warmed predictors, in order: version and executor.
  std::size_t cold = 0;

  auto makes(int number) {
    return predictor_per_executor([this, number] {
      return [this, number, sizes = std::vector<std::size_t>(), thread = std::thread::id()](
                 std::span<const int> inputs, const BatchInfo& info) mutable {
        if (info.batch_id == 0) {
          if (sizes.empty()) thread = std::this_thread::get_id();
          sizes.push_back(info.padded_size);
          if (sizes.size() == 3) {
            log.push_back(std::to_string(number) + " on " + std::to_string(info.executor));
          }
        } else if (sizes != std::vector<std::size_t>{2, 4, 8} ||
                   thread != std::this_thread::get_id()) {
          ++cold;
        }
        return std::vector<int>(inputs.size(), number);
      };
    });
  }

  // What has been warmed since it was last asked, whoever was first.
  std::vector<std::string> warmed() {
    std::sort(log.begin(), log.end());
    return std::exchange(log, {});
  }

  static std::vector<std::string> all(std::vector<int> numbers, Place place) {
    std::vector<std::string> expected;
    for (const int number : numbers) {
      for (std::size_t executor = 0; executor < executors_at(place); ++executor) {
        expected.push_back(std::to_string(number) + " on " + std::to_string(executor));
      }
    }
    return expected;
  }

  static Batcher::Options options(Place place, const TestRuntime& runtime) {
    return placed(Batcher::Options{.max_batch_size = 8, .allowed_sizes = {2, 4, 8}, .warm_up = {[] {
                                                                                      return 5;
                                                                                    }}},
                  place, runtime);
  }
};

TEST(WarmUp, IsDoneBeforeTheFirstRequestWhereverThePredictorRuns) {
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    for_each_seed(20, [&](TestRuntime& runtime) {
      Kitchen kitchen;
      Batcher batcher(kitchen.makes(1), Kitchen::options(place, runtime), runtime);
      EXPECT_EQ(kitchen.warmed(), Kitchen::all({1}, place));
      EXPECT_EQ(batcher.metrics().executions, 0u);
      std::vector<TestTicket<int>> answers;
      for (int i = 0; i < 30; ++i) answers.push_back(batcher.submit(i, use_ticket));
      for (auto& answer : answers) EXPECT_EQ(answer.get(), 1);
      EXPECT_EQ(kitchen.cold, 0u);
      EXPECT_TRUE(kitchen.log.empty());
    });
  }
}

TEST(WarmUp, IsDoneAgainByThoseThatUnloadFirst) {
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    for_each_seed(20, [&](TestRuntime& runtime) {
      Kitchen kitchen;
      Batcher batcher(kitchen.makes(1), Kitchen::options(place, runtime), runtime);
      kitchen.warmed();
      std::size_t answered = 0;
      auto client = runtime.start([&] {
        for (int i = 0; i < 20; ++i) {
          batcher.submit(i, [&](const Result<int>& result) { answered += result ? 1 : 0; });
          runtime.interleave("next");
        }
      });
      batcher.replace_predictor(kitchen.makes(2), ReplaceOrder::unload_first);
      EXPECT_EQ(kitchen.warmed(), Kitchen::all({2}, place));
      // So is the old one, where it has to come back.
      EXPECT_THROW(batcher.replace_predictor(broken_factory(), ReplaceOrder::unload_first),
                   std::bad_alloc);
      EXPECT_EQ(kitchen.warmed(), Kitchen::all({2}, place));
      EXPECT_EQ(batcher.submit(1, use_ticket).get(), 2);
      client.join();
      batcher.shutdown();
      EXPECT_EQ(answered, 20u);
      EXPECT_EQ(kitchen.cold, 0u);
    });
  }
}

TEST(WarmUp, RunsPreferredSizesAndTheCapByWeightWithoutAllowedOnes) {
  TestRuntime runtime;
  std::vector<std::pair<std::size_t, std::size_t>> seen;  // Rows and size.
  Batcher batcher(
      [&](std::span<const int> inputs, const BatchInfo& info) {
        seen.emplace_back(inputs.size(), info.size);
        return std::vector<int>(inputs.size());
      },
      {.max_batch_size = 8,
       .preferred_sizes = {6},
       .weight = [](const int& input) { return static_cast<std::size_t>(input); },
       .warm_up = {[] { return 3; }}});
  EXPECT_EQ(seen, (std::vector<std::pair<std::size_t, std::size_t>>{{2, 6}, {2, 6}}));
}

TEST(WarmUp, WaitsForAnAsynchronousPredictor) {
  TestRuntime runtime(TestOptions{.time = TimeMode::automatic});
  std::vector<TestRuntime::Thread> threads;
  std::size_t finished = 0;
  {
    Batcher batcher(
        [&](batchwright::Batch<int, int> batch) {
          threads.push_back(
              runtime.start([&, kept = std::make_shared<decltype(batch)>(std::move(batch))] {
                work_for(runtime, 1ms);
                finished += kept->size();
                while (!kept->empty() && kept->pending(0)) {
                  for (std::size_t i = 0; i < kept->size(); ++i) kept->answer(i, 1);
                }
              }));
        },
        {.max_batch_size = 4, .warm_up = {[] { return 1; }}});
    EXPECT_EQ(finished, 4u);
  }
  for (auto& thread : threads) thread.join();
}

TEST(WarmUp, IsDoneAgainForAReplacement) {
  TestRuntime runtime;
  int cold = 0;
  int warm = 0;
  Batcher batcher(version(1, runtime), {.warm_up = {[&] {
                                          ++warm;
                                          return 1;
                                        }}});
  EXPECT_EQ(warm, 32);
  batcher.replace_predictor([&](std::span<const int> inputs, const BatchInfo& info) {
    if (info.batch_id > 0 && warm == 32) ++cold;
    return std::vector<int>(inputs.size());
  });
  EXPECT_EQ(warm, 64);
  EXPECT_EQ(cold, 0);
}

TEST(WarmUp, ThrowsOutOfTheConstructor) {
  TestRuntime runtime;
  const auto fails = [](std::span<const int>) -> std::vector<int> {
    throw std::runtime_error("no kernel");
  };
  EXPECT_THROW(Batcher(fails, {.warm_up = {[] { return 1; }}}), std::runtime_error);
  EXPECT_THROW(Batcher(version(1, runtime),
                       {.warm_up = {[]() -> int { throw std::domain_error("no input"); }}}),
               std::domain_error);
  try {
    Batcher(version(1, runtime), {.warm_up = {nullptr}});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "DynamicBatcher: warm_up[0] must be callable, got null");
  }
}

TEST(Reconfigure, ChangesTheCap) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 8});
  const auto sizes_of_eight = [&] {
    calls.all.clear();
    batcher.pause();
    std::vector<std::future<int>> answers;
    for (int i = 0; i < 8; ++i) answers.push_back(batcher.submit(i));
    batcher.resume();
    for (auto& answer : answers) runtime.get(answer);
    return calls.sizes();
  };
  EXPECT_EQ(sizes_of_eight(), (std::vector<std::size_t>{8}));
  batcher.reconfigure({.max_batch_size = 3});
  EXPECT_EQ(sizes_of_eight(), (std::vector<std::size_t>{3, 3, 2}));
  EXPECT_EQ(batcher.metrics().max_batch_size, 3u);
  batcher.reconfigure({.max_batch_size = 8});
  EXPECT_EQ(sizes_of_eight(), (std::vector<std::size_t>{8}));
}

TEST(Reconfigure, TheCapIsOneOfTheAllowedSizesAndSetsAsidePreferredOnes) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, SizePolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 16, .preferred_sizes = {8, 16}, .allowed_sizes = {4, 8, 16}});
  batcher.reconfigure({.max_batch_size = 7, .policy = SizePolicy{.size = 4}});
  EXPECT_EQ(batcher.metrics().max_batch_size, 4u);
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(batcher.submit(i));
  for (auto& answer : answers) runtime.get(answer);
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{4, 4}));
}

TEST(Reconfigure, APreferredSizeAboveTheCapIsNotOne) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, SizePolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 8, .preferred_sizes = {4, 8}, .weight = [](const int&) { return 3u; }});
  batcher.reconfigure({.max_batch_size = 6});
  auto first = batcher.submit(1);
  auto second = batcher.submit(2);
  runtime.settle();
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{1}));  // Two would pass 4.
}

TEST(Reconfigure, RefusesWhatIsHeavierThanTheNewCap) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 8, .weight = [](const int& input) {
                                              return static_cast<std::size_t>(input);
                                            }});
  batcher.pause();
  auto before = batcher.submit(8);
  batcher.reconfigure({.max_batch_size = 4});
  auto after = batcher.submit(8);
  EXPECT_EQ(outcome_of(runtime, after), Outcome::too_large);
  batcher.resume();
  EXPECT_EQ(runtime.get(before), 16);  // Accepted is accepted: it runs alone.
}

TEST(Reconfigure, ChangesThePolicyForWhatIsQueuedToo) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, AnyPolicy> batcher(doubler(runtime, calls),
                                           {.policy = SizePolicy{.size = 4}});
  auto waiting = batcher.submit(1);
  runtime.advance(10ms);
  EXPECT_FALSE(is_ready(waiting));
  batcher.reconfigure({.policy = HybridPolicy{.size = 8, .max_wait = 20ms}});
  runtime.advance(9ms);
  EXPECT_FALSE(is_ready(waiting));
  runtime.advance(1ms);
  runtime.settle();
  ASSERT_TRUE(is_ready(waiting));
  batcher.reconfigure({.policy = GreedyPolicy{}});
  auto at_once = batcher.submit(2);
  runtime.settle();
  EXPECT_TRUE(is_ready(at_once));
}

TEST(Reconfigure, IsHeardByEveryLaneThatWaits) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, AnyPolicy> batcher(doubler(runtime, calls),
                                           {.max_batch_size = 4,
                                            .policy = SizePolicy{},
                                            .lane = [](const int& input) { return input % 3; }});
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(batcher.submit(i));
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  batcher.reconfigure({.max_batch_size = 2});  // Two of each lane make a batch now.
  runtime.settle();
  EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{2, 2, 2}));
  auto alone = batcher.submit(7);
  runtime.settle();
  EXPECT_FALSE(is_ready(alone));
  batcher.reconfigure({.policy = GreedyPolicy{}});
  runtime.settle();
  EXPECT_TRUE(is_ready(alone));
}

// Caps and policies change while others submit. From the batch on in which somebody is who came after a
// change, the cap is the new one, until there is another.
TEST(Reconfigure, LosesNothingAndPassesNoCapInEveryInterleaving) {
  using Any = TestBatcher<int, int, AnyPolicy>;
  struct Change {
    std::size_t cap;
    AnyPolicy policy;
  };
  const std::vector<Change> changes = {{3, SizePolicy{.size = 1}},
                                       {1, GreedyPolicy{}},
                                       {4, HybridPolicy{.size = 2, .max_wait = 5us}},
                                       {2, HybridPolicy{.max_wait = 2us}}};
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    for_each_seed(
        40,
        [&](TestRuntime& runtime) {
          std::vector<std::pair<std::uint64_t, std::size_t>> batches;  // Id and size.
          std::vector<std::uint64_t> heard(changes.size());            // The first batch after it.
          const auto predict = [&](std::span<const int> inputs, const BatchInfo& info) {
            batches.emplace_back(info.batch_id, inputs.size());
            for (const int input : inputs) {
              if (input >= 1000) heard[static_cast<std::size_t>(input - 1000)] = info.batch_id;
            }
            return version(1, runtime, 1us)(inputs);
          };
          std::size_t answered = 0;
          std::size_t wrong = 0;
          Any batcher(
              shared_predictor(predict),
              placed(Any::Options{.max_batch_size = 8, .policy = GreedyPolicy{}}, place, runtime),
              runtime);
          const auto submit = [&](int input) {
            batcher.submit(input, [&, input](const Result<int>& result) {
              ++answered;
              if (!result || *result != input * 100 + 1) ++wrong;
            });
            runtime.interleave("next");
          };
          std::vector<TestRuntime::Thread> clients;
          for (int client = 0; client < 2; ++client) {
            clients.push_back(runtime.start([&, client] {
              for (int i = 0; i < 15; ++i) submit(15 * client + i);
            }));
          }
          for (std::size_t i = 0; i < changes.size(); ++i) {
            batcher.reconfigure({.max_batch_size = changes[i].cap, .policy = changes[i].policy});
            submit(1000 + static_cast<int>(i));
          }
          batcher.reconfigure({.policy = SizePolicy{.size = 2}});
          for (auto& client : clients) client.join();
          batcher.reconfigure({.policy = GreedyPolicy{}});
          EXPECT_TRUE(batcher.wait_idle());
          EXPECT_EQ(answered, 30u + changes.size());
          EXPECT_EQ(wrong, 0u);
          EXPECT_EQ(batcher.metrics().unaccounted(), 0);
          for (const auto& [id, size] : batches) {
            for (std::size_t i = 0; i < changes.size(); ++i) {
              const bool last = i + 1 == changes.size();
              if (id < heard[i] || (!last && id >= heard[i + 1])) continue;
              // The next change may have been made already.
              const std::size_t next = last ? 0 : changes[i + 1].cap;
              EXPECT_LE(size, std::max(changes[i].cap, next)) << "batch " << id;
            }
          }
        },
        TestOptions{.time = TimeMode::automatic});
  }
}

TEST(Reconfigure, ChangesNothingWhenSomethingDoesNotFit) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, AnyPolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 8,
       .allowed_sizes = {2, 8},
       .policy = SizePolicy{.size = 8},
       .weight = [](const int& input) { return static_cast<std::size_t>(input); }});
  const auto message_of = [&](const batchwright::Reconfiguration<AnyPolicy>& changes) {
    try {
      batcher.reconfigure(changes);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  // The cap is 8 for everybody who asks, and the policy waits until that much is there.
  const auto expect_unchanged = [&] {
    EXPECT_EQ(batcher.metrics().max_batch_size, 8u);
    calls.all.clear();
    auto largest = batcher.submit(8);
    runtime.settle();
    ASSERT_TRUE(is_ready(largest));
    EXPECT_EQ(runtime.get(largest), 16);
    auto first = batcher.submit(3);
    auto second = batcher.submit(4);
    runtime.settle();
    EXPECT_FALSE(is_ready(first));
    auto third = batcher.submit(1);
    runtime.settle();
    ASSERT_TRUE(is_ready(third));
    EXPECT_EQ(runtime.get(first) + runtime.get(second) + runtime.get(third), 16);
    EXPECT_EQ(calls.sizes(), (std::vector<std::size_t>{1, 3}));
    // What later changes are measured against is the same too.
    EXPECT_EQ(message_of({.max_batch_size = 2}),
              "DynamicBatcher: SizePolicy::size must be from 1 to max_batch_size (2), got 8");
    EXPECT_EQ(message_of({.policy = SizePolicy{.size = 9}}),
              "DynamicBatcher: SizePolicy::size must be from 1 to max_batch_size (8), got 9");
  };
  expect_unchanged();
  EXPECT_EQ(message_of({.max_batch_size = 1, .policy = GreedyPolicy{}}),
            "DynamicBatcher: max_batch_size must be from 2 to 8 when it is changed, got 1");
  expect_unchanged();
  EXPECT_EQ(message_of({.max_batch_size = 9, .policy = GreedyPolicy{}}),
            "DynamicBatcher: max_batch_size must be from 2 to 8 when it is changed, got 9");
  expect_unchanged();
  EXPECT_EQ(message_of({.max_batch_size = 2, .policy = SizePolicy{.size = 3}}),
            "DynamicBatcher: SizePolicy::size must be from 1 to max_batch_size (2), got 3");
  expect_unchanged();
  EXPECT_EQ(message_of({.max_batch_size = 2, .policy = HybridPolicy{.max_wait = 1001ms}}),
            "DynamicBatcher: HybridPolicy::max_wait must be from 0 to the batcher's max_wait "
            "(1000000000 ns), got 1001000000 ns");
  expect_unchanged();
  EXPECT_EQ(message_of({.max_batch_size = 2, .policy = GreedyPolicy{}}), "nothing");
  EXPECT_EQ(batcher.metrics().max_batch_size, 2u);
}

}  // namespace
