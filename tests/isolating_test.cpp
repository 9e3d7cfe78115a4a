// SPDX-License-Identifier: MIT
#include "tests/support/fragile.hpp"
#include "tests/support/random.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::BatchInfo;
using batchwright::BatchReport;
using batchwright::isolating;
using batchwright::kNoCount;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::ShutdownMode;
using batchwright::StopSource;
using batchwright::use_ticket;

using Values = std::vector<int>;
using Whats = std::vector<std::string>;
using Poison = std::set<int>;
using Pointer = std::unique_ptr<int>;

Values up_to(int count) {
  Values values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

// The error of a run: which input it met first, among how many.
void refuse(std::span<const int> inputs, const Poison& poison) {
  for (const int input : inputs) {
    if (poison.contains(input)) {
      throw std::runtime_error(std::to_string(input) + " of " + std::to_string(inputs.size()));
    }
  }
}

// Returns ten times the inputs, unless there is poison among them; notes its runs.
auto tenfold(Poison poison, std::vector<BatchInfo>* runs = nullptr) {
  return [poison = std::move(poison), runs](std::span<const int> inputs, const BatchInfo& info) {
    if (runs != nullptr) runs->push_back(info);
    EXPECT_EQ(info.size, inputs.size());
    EXPECT_EQ(info.padded_size, inputs.size());
    refuse(inputs, poison);
    Values results;
    for (const int input : inputs) results.push_back(10 * input);
    return results;
  };
}

template <class TOut>
std::string what_of(TestTicket<TOut>& ticket) {
  try {
    if constexpr (std::is_void_v<TOut>) {
      ticket.get();
      return "done";
    } else if constexpr (std::is_same_v<TOut, Pointer>) {
      return std::to_string(*ticket.get());
    } else {
      return std::to_string(static_cast<int>(ticket.get()));
    }
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something else";
  }
}

template <class TOut>
Whats what_of(std::vector<TestTicket<TOut>>& tickets) {
  Whats whats;
  for (auto& ticket : tickets) whats.push_back(what_of(ticket));
  return whats;
}

// What a batch of 0, 1, ... comes to.
template <class TOut = int, class P>
Whats run(int count, P predictor, MetricsSnapshot* metrics = nullptr) {
  TestRuntime runtime;
  TestBatcher<int, TOut> batcher(std::move(predictor));
  auto tickets = batcher.submit_many(up_to(count), use_ticket);
  runtime.settle();
  if (metrics != nullptr) *metrics = batcher.metrics();
  return what_of(tickets);
}

// The rules, by recursion.
struct Model {
  const Poison& poison;
  std::size_t allowed;
  std::size_t runs = 0;
  std::string error = {};
  Whats whats = {};

  void settle(int begin, int end) {
    if (runs == allowed)
      return whats.resize(whats.size() + static_cast<std::size_t>(end - begin), error);
    ++runs;
    const auto bad = poison.lower_bound(begin);
    if (bad == poison.end() || *bad >= end) {
      for (int i = begin; i < end; ++i) whats.push_back(std::to_string(10 * i));
      return;
    }
    error = std::to_string(*bad) + " of " + std::to_string(end - begin);
    if (end - begin == 1) return whats.push_back(error);
    const int middle = begin + (end - begin) / 2;
    settle(begin, middle);
    settle(middle, end);
  }
};

std::size_t log2_up(std::size_t n) {
  std::size_t log = 0;
  while ((std::size_t{1} << log) < n) ++log;
  return log;
}

// Who fails.

TEST(Isolating, OneBadRequestFailsAloneWhereverItIsInTheBatch) {
  for (const int count : {8, 16, 32}) {
    for (int bad = 0; bad < count; ++bad) {
      MetricsSnapshot metrics;
      const Whats whats = run(count, isolating(tenfold({bad})), &metrics);
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(whats[static_cast<std::size_t>(i)],
                  i == bad ? std::to_string(bad) + " of 1" : std::to_string(10 * i));
      }
      EXPECT_EQ(metrics.executions, 1 + 2 * log2_up(static_cast<std::size_t>(count)));
    }
  }
}

TEST(Isolating, SeveralBadRequestsFailAlone) {
  EXPECT_EQ(run(6, isolating(tenfold({0, 3}))),
            (Whats{"0 of 1", "10", "20", "3 of 1", "40", "50"}));
}

TEST(Isolating, WithoutItAllFail) {
  EXPECT_EQ(run(3, tenfold({1})), (Whats{"1 of 3", "1 of 3", "1 of 3"}));
}

TEST(Isolating, ABatchThatDoesNotFailIsRunOnce) {
  MetricsSnapshot metrics;
  EXPECT_EQ(run(3, isolating(tenfold({})), &metrics), (Whats{"0", "10", "20"}));
  EXPECT_EQ(metrics.executions, 1u);
  EXPECT_EQ(metrics.batches_failed, 0u);
}

TEST(Isolating, ABatchOfOneFailsAtOnce) {
  std::vector<BatchInfo> runs;
  EXPECT_EQ(run(1, isolating(tenfold({0}, &runs))), (Whats{"0 of 1"}));
  EXPECT_EQ(runs.size(), 1u);
}

TEST(Isolating, WhatIsLeftAtTheBoundFailsWithTheLastError) {
  MetricsSnapshot metrics;
  const Poison all{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(
      run(8, isolating(tenfold(all)), &metrics),
      (Whats{"0 of 1", "1 of 1", "2 of 1", "3 of 1", "4 of 1", "5 of 1", "6 of 2", "6 of 2"}));
  EXPECT_EQ(metrics.executions, 1u + 12u);
  EXPECT_EQ(
      run(8, isolating(tenfold(all), {.max_extra_executions = 14}), &metrics),
      (Whats{"0 of 1", "1 of 1", "2 of 1", "3 of 1", "4 of 1", "5 of 1", "6 of 1", "7 of 1"}));
  EXPECT_EQ(metrics.executions, 1u + 14u);
  // Also if the last run was a good one.
  EXPECT_EQ(run(4, isolating(tenfold({3}), {.max_extra_executions = 1}), &metrics),
            (Whats{"0", "10", "3 of 4", "3 of 4"}));
  EXPECT_EQ(metrics.executions, 2u);
  EXPECT_EQ(run(2, isolating(tenfold({1}), {.max_extra_executions = 0}), &metrics),
            (Whats{"1 of 2", "1 of 2"}));
  EXPECT_EQ(metrics.executions, 1u);
}

TEST(Isolating, AnyBatchEndsAsTheModelSays) {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    const int count = 1 + static_cast<int>(random.below(40));
    const auto n = static_cast<std::size_t>(count);
    Poison poison;
    for (std::size_t i = random.below(random.below(2) == 0 ? 4 : n + 1); i > 0; --i) {
      poison.insert(static_cast<int>(random.below(n)));
    }
    const std::size_t bound = random.below(3) == 0 ? kNoCount : random.below(2 * n);
    Model model{poison, 1 + (bound == kNoCount ? 4 * log2_up(n) : bound)};
    model.settle(0, count);

    SCOPED_TRACE("round " + std::to_string(round) + ", of " + std::to_string(count));
    TestRuntime runtime;
    std::vector<BatchInfo> runs;
    TestBatcher<int, int> batcher(
        isolating(tenfold(poison, &runs), {.max_extra_executions = bound}),
        {.max_batch_size = 40, .executors = random.below(2)});
    auto tickets = batcher.submit_many(up_to(count), use_ticket);
    runtime.settle();
    ASSERT_EQ(what_of(tickets), model.whats);
    ASSERT_EQ(runs.size(), model.runs);
    const MetricsSnapshot metrics = batcher.metrics();
    ASSERT_EQ(metrics.executions, model.runs);
    ASSERT_EQ(metrics.batches.total(), 1u);
    ASSERT_EQ(metrics.completed + metrics.failed, n);
    ASSERT_EQ(metrics.batches_failed, metrics.failed > 0 ? 1u : 0u);
    ASSERT_EQ(metrics.executing, 0u);
    ASSERT_EQ(metrics.executing_batches, 0u);
  }
}

// With what they fail.

TEST(Isolating, EachBadRequestGetsWhatItsOwnRunThrew) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(isolating([](std::span<const int> inputs) {
    for (const int input : inputs) {
      if (input == 1) throw std::domain_error("one");
      if (input == 2) throw 42;
    }
    return Values(inputs.begin(), inputs.end());
  }));
  auto tickets = batcher.submit_many(up_to(4), use_ticket);
  runtime.settle();
  EXPECT_EQ(tickets[0].get(), 0);
  EXPECT_THROW(tickets[1].get(), std::domain_error);
  EXPECT_THROW(tickets[2].get(), int);
  EXPECT_EQ(tickets[3].get(), 3);
}

TEST(Isolating, AWrongNumberOfResultsIsAFailureOfThePart) {
  const auto skipping = [](std::span<const int> inputs) {
    Values results;
    for (const int input : inputs) {
      if (input != 2) results.push_back(10 * input);
    }
    return results;
  };
  MetricsSnapshot metrics;
  EXPECT_EQ(run(4, isolating(skipping), &metrics),
            (Whats{"0", "10", "batchwright: the predictor returned 0 results for 1 inputs", "30"}));
  EXPECT_EQ(metrics.executions, 5u);
  EXPECT_EQ(run(4, isolating(skipping, {.max_extra_executions = 2}))[3],
            "batchwright: the predictor returned 1 results for 2 inputs");
}

TEST(Isolating, AnInputThatCannotBeMovedFailsItsBatchUnrun) {
  int runs = 0;
  {
    TestRuntime runtime;
    TestBatcher<Fragile, int> batcher(isolating([&](std::span<const Fragile> inputs) {
      ++runs;
      return Values(inputs.size());
    }));
    batcher.pause();
    std::vector<TestTicket<int>> tickets;
    for (int i = 0; i < 3; ++i) tickets.push_back(batcher.submit(Fragile(i), use_ticket));
    runtime.settle();
    Fragile::break_at(2);
    batcher.resume();
    runtime.settle();
    EXPECT_FALSE(Fragile::unbroken());
    for (auto& ticket : tickets) EXPECT_THROW(ticket.get(), Broken);
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(batcher.metrics().batches_failed, 1u);
  }
  EXPECT_EQ(Fragile::alive(), 0);
}

// All kinds of results.

TEST(Isolating, WorksInPlaceWithFreshResultsForEachRun) {
  EXPECT_EQ(run(5, isolating([](std::span<const int> inputs, std::span<int> results) {
                  ASSERT_EQ(results.size(), inputs.size());
                  for (std::size_t i = 0; i < inputs.size(); ++i) {
                    EXPECT_EQ(results[i], 0);
                    results[i] = 10 * inputs[i];
                  }
                  refuse(inputs, {2});
                })),
            (Whats{"0", "10", "2 of 1", "30", "40"}));
  // With the facts of the batch.
  EXPECT_EQ(run(2, isolating([](std::span<const int> inputs, std::span<int> results,
                                const BatchInfo& info) {
                  EXPECT_EQ(info.size, results.size());
                  refuse(inputs, {0});
                })),
            (Whats{"0 of 1", "0"}));
}

TEST(Isolating, WorksWithNoResultsAtAll) {
  EXPECT_EQ(run<void>(4, isolating([](std::span<const int> inputs) { refuse(inputs, {1}); })),
            (Whats{"done", "1 of 1", "done", "done"}));
}

TEST(Isolating, WorksWithMoveOnlyResults) {
  const auto point = [](std::span<const int> inputs) {
    refuse(inputs, {1});
    std::vector<Pointer> results;
    for (const int input : inputs) results.push_back(std::make_unique<int>(10 * input));
    return results;
  };
  EXPECT_EQ(run<Pointer>(4, isolating(point)), (Whats{"0", "1 of 1", "20", "30"}));
  EXPECT_EQ(run<Pointer>(4, isolating([](std::span<const int> inputs, std::span<Pointer> results) {
                           for (std::size_t i = 0; i < inputs.size(); ++i) {
                             EXPECT_EQ(results[i], nullptr);
                             results[i] = std::make_unique<int>(10 * inputs[i]);
                           }
                           refuse(inputs, {1});
                         })),
            (Whats{"0", "1 of 1", "20", "30"}));
}

TEST(Isolating, WorksWithResultsThatHaveNoDefaultAndWithBits) {
  struct Label {
    explicit Label(int number) : value(number) {}
    explicit operator int() const { return value; }
    int value;
  };
  EXPECT_EQ(run<Label>(3, isolating([](std::span<const int> inputs) {
                         refuse(inputs, {0});
                         std::vector<Label> results;
                         for (const int input : inputs) results.emplace_back(10 * input);
                         return results;
                       })),
            (Whats{"0 of 1", "10", "20"}));
  EXPECT_EQ(run<bool>(3, isolating([](std::span<const int> inputs) {
                        refuse(inputs, {0});
                        std::vector<bool> results;
                        for (const int input : inputs) results.push_back(input == 2);
                        return results;
                      })),
            (Whats{"0 of 1", "0", "1"}));
}

TEST(Isolating, AResultThatCannotBeMovedFailsItsRequestAlone) {
  struct Heavy {
    explicit Heavy(int number) : value(number) {}
    Heavy(Heavy&& other) noexcept(false) : value(other.value) {
      if (other.value == 20) throw std::runtime_error("too heavy");
    }
    Heavy& operator=(Heavy&&) = default;
    explicit operator int() const { return value; }
    int value;
  };
  MetricsSnapshot metrics;
  EXPECT_EQ(run<Heavy>(4, isolating([](std::span<const int> inputs) {
                         refuse(inputs, {0});
                         std::vector<Heavy> results;
                         results.reserve(inputs.size());
                         for (const int input : inputs) results.emplace_back(10 * input);
                         return results;
                       }),
                       &metrics),
            (Whats{"0 of 1", "10", "too heavy", "30"}));
  EXPECT_EQ(metrics.executions, 5u);  // That is no failure of the predictor.
  EXPECT_EQ(metrics.failed, 2u);
}

TEST(Isolating, MoveOnlyInputsAreSeenUnchangedInEachRun) {
  TestRuntime runtime;
  TestBatcher<Pointer, int> batcher(isolating([](std::span<const Pointer> inputs) {
    Values results;
    for (const Pointer& input : inputs) results.push_back(10 * *input);
    if (results.front() == 0) throw std::runtime_error("bad");
    return results;
  }));
  std::vector<Pointer> inputs;
  for (int i = 0; i < 5; ++i) inputs.push_back(std::make_unique<int>(i));
  auto tickets = batcher.submit_many(std::move(inputs), use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"bad", "10", "20", "30", "40"}));
}

// What the predictor and the callers see meanwhile.

TEST(Isolating, ThePredictorIsToldTheAttemptAndTheSizeOfThePart) {
  TestRuntime runtime;
  std::vector<BatchInfo> runs;
  TestBatcher<int, int> batcher(isolating(tenfold({4}, &runs)));
  for (const std::uint64_t batch : {1u, 2u}) {
    runs.clear();
    auto tickets = batcher.submit_many(Values{4, 5, 6}, use_ticket);
    runtime.settle();
    ASSERT_EQ(runs.size(), 3u);
    const std::size_t sizes[] = {3, 1, 2};
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(runs[i].batch_id, batch);
      EXPECT_EQ(runs[i].attempt, i + 1);
      EXPECT_EQ(runs[i].size, sizes[i]);
    }
    const Result<int> second = tickets[1].result();
    EXPECT_EQ(second.timing().batch_size, 3u);
    EXPECT_EQ(second.timing().batch_id, batch);
  }
  runs.clear();
  auto ticket = batcher.submit(7, use_ticket);
  runtime.settle();
  EXPECT_EQ(runs.at(0).attempt, 1u);
}

TEST(Isolating, ThePartsAreAnsweredOneByOneInTheOrderOfTheBatch) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    const auto start = runtime.now();
    TestBatcher<int, int> batcher(isolating([&](std::span<const int> inputs) {
                                    work_for(runtime, 1ms);
                                    refuse(inputs, {2});
                                    return Values(inputs.begin(), inputs.end());
                                  }),
                                  {.executors = executors});
    batcher.pause();
    Values order;
    std::vector<batchwright::Duration> when;
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(batcher.submit(i, [&, i](const Result<int>& result) {
        order.push_back(i);
        when.push_back(result.timing().answered - start);
        EXPECT_EQ(runtime.now(), result.timing().answered);
      }));
    }
    auto last = batcher.submit(9, use_ticket);
    batcher.resume();
    runtime.advance(2ms);  // All five, then 0 and 1.
    EXPECT_EQ(order, (Values{0, 1}));
    runtime.advance(10ms);
    EXPECT_EQ(order, (Values{0, 1, 2, 3}));
    EXPECT_EQ(when, (std::vector<batchwright::Duration>{2ms, 2ms, 4ms, 5ms}));
    EXPECT_EQ(last.get(), 9);
  }
}

TEST(Isolating, AnInputIsGoneBeforeItsAnswerAndThoseBehindItAreNot) {
  struct Tracked {
    std::shared_ptr<int> value;
  };
  TestRuntime runtime;
  std::vector<std::weak_ptr<int>> inputs;
  TestBatcher<Tracked, int> batcher(isolating([](std::span<const Tracked> rows) {
    Values results;
    for (const Tracked& row : rows) results.push_back(*row.value);
    refuse(results, {1});
    return results;
  }));
  batcher.pause();
  Values alive;
  for (int i = 0; i < 4; ++i) {
    auto value = std::make_shared<int>(i);
    inputs.push_back(value);
    ASSERT_TRUE(batcher.submit(Tracked{std::move(value)}, [&, i](const Result<int>&) {
      EXPECT_TRUE(inputs[static_cast<std::size_t>(i)].expired());
      alive.push_back(static_cast<int>(std::count_if(
          inputs.begin(), inputs.end(), [](const auto& input) { return !input.expired(); })));
    }));
  }
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(alive, (Values{3, 2, 0, 0}));
}

// Who stops waiting.

TEST(Isolating, ARequestCancelledBetweenTwoRunsGetsWhatThePredictorGives) {
  TestRuntime runtime;
  StopSource source;
  int runs = 0;
  TestBatcher<int, int> batcher(isolating([&](std::span<const int> inputs) {
    ++runs;
    work_for(runtime, 1ms);
    refuse(inputs, {0});
    return Values(inputs.begin(), inputs.end());
  }));
  batcher.pause();
  auto bad = batcher.submit(0, use_ticket);
  auto cancelled = batcher.submit(1, use_ticket, {.stop = source.get_token()});
  auto late = batcher.submit(2, use_ticket, {.deadline = runtime.now() + 1500us});
  batcher.resume();
  runtime.advance(500us);
  source.request_stop();
  runtime.advance(10ms);
  EXPECT_EQ(what_of(bad), "0 of 1");
  EXPECT_EQ(what_of(cancelled), "1");
  EXPECT_EQ(what_of(late), "2");
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(batcher.metrics().completed_late, 1u);
}

TEST(Isolating, ThereIsNoFurtherRunWhenNobodyWaitsAnyMore) {
  for (const std::size_t executors : {1u, 2u}) {
    TestRuntime runtime;
    StopSource source;
    int runs = 0;
    TestBatcher<int, int> batcher(
        batchwright::shared_predictor(isolating([&](std::span<const int> inputs) {
          ++runs;
          work_for(runtime, 1ms);
          refuse(inputs, {0});
          return Values(inputs.begin(), inputs.end());
        })),
        {.executors = executors});
    // One batch by its cancellations, one by its deadlines: in the first run, or in the second.
    for (const auto when : {500us, 1500us}) {
      for (const bool by_deadline : {false, true}) {
        runs = 0;
        StopSource stop;
        const auto deadline = by_deadline ? runtime.now() + when : batchwright::kNever;
        auto tickets = batcher.submit_many(Values{0, 1, 2, 3}, use_ticket,
                                           {.deadline = deadline, .stop = stop.get_token()});
        runtime.advance(when);
        if (!by_deadline) stop.request_stop();
        runtime.advance(10ms);
        const bool second = when == 1500us;
        EXPECT_EQ(runs, second ? 2 : 1);
        EXPECT_EQ(what_of(tickets), Whats(4, second ? "0 of 2" : "0 of 4"));
      }
    }
    EXPECT_EQ(batcher.metrics().failed, 16u);
    EXPECT_EQ(batcher.metrics().cancelled, 0u);
  }
}

TEST(Isolating, WhoHasBeenAnsweredKeepsNoRunGoing) {
  for (const bool coalesced : {false, true}) {
    for (const bool by_deadline : {false, true}) {
      SCOPED_TRACE(std::string(coalesced ? "coalesced" : "each for itself") +
                   (by_deadline ? ", by deadline" : ", by cancellation"));
      TestRuntime runtime;
      StopSource stop;
      int runs = 0;
      TestBatcher<int, int>::Options options;
      if (coalesced) options.coalesce = batchwright::coalesce_by<int>(std::identity{});
      TestBatcher<int, int> batcher(isolating([&](std::span<const int> inputs) {
                                      ++runs;
                                      work_for(runtime, 1ms);
                                      refuse(inputs, {4, 6});
                                      return Values(inputs.begin(), inputs.end());
                                    }),
                                    std::move(options), runtime);
      batcher.pause();
      Values good = up_to(4);
      if (coalesced) good.push_back(0);
      auto first = batcher.submit_many(good, use_ticket);
      const auto deadline = by_deadline ? runtime.now() + 2500us : batchwright::kNever;
      auto rest = batcher.submit_many(Values{4, 5, 6, 7}, use_ticket,
                                      {.deadline = deadline, .stop = stop.get_token()});
      batcher.resume();
      // The whole, the first part, which is good, the second, during which nobody waits any more.
      runtime.advance(2500us);
      EXPECT_EQ(runs, 3);
      if (!by_deadline) stop.request_stop();
      runtime.advance(20ms);
      EXPECT_EQ(runs, 3);
      for (auto& ticket : first) EXPECT_LT(ticket.get(), 4);
      for (auto& ticket : rest) EXPECT_EQ(ticket.result().outcome(), Outcome::failed);
    }
  }
}

TEST(Isolating, AShutdownThatAbandonsLetsTheRunningOneEndAndStartsNoOther) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    int runs = 0;
    TestBatcher<int, int> batcher(isolating([&](std::span<const int> inputs) {
                                    ++runs;
                                    work_for(runtime, 1ms);
                                    refuse(inputs, {3});
                                    return Values(inputs.begin(), inputs.end());
                                  }),
                                  {.executors = executors});
    auto tickets = batcher.submit_many(up_to(4), use_ticket);
    runtime.advance(1500us);  // In the second run, that of 0 and 1.
    batcher.shutdown({.mode = ShutdownMode::abandon, .until = runtime.now()});
    runtime.advance(10ms);
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(what_of(tickets), (Whats{"0", "1", "3 of 4", "3 of 4"}));
    EXPECT_TRUE(batcher.shutdown().finished);
    EXPECT_EQ(batcher.metrics().failed, 2u);
    EXPECT_EQ(batcher.metrics().executions, 2u);
  }
}

TEST(Isolating, AShutdownThatDrainsWaitsForAllRuns) {
  for_each_seed(20, [](TestRuntime& runtime) {
    TestBatcher<int, int> batcher(isolating(tenfold({3})));
    auto tickets = batcher.submit_many(up_to(4), use_ticket);
    EXPECT_TRUE(batcher.shutdown().finished);
    EXPECT_EQ(what_of(tickets), (Whats{"0", "10", "20", "3 of 1"}));
    static_cast<void>(runtime);
  });
}

// What is counted and reported.

// Keeps what it is told of batches.
struct Listener {
  std::shared_ptr<std::vector<BatchReport>> reports = std::make_shared<std::vector<BatchReport>>();

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::release(view.max_batch_size, batchwright::ReleaseReason::greedy);
  }
  void on_batch(const BatchReport& report) noexcept { reports->push_back(report); }
};

TEST(Isolating, EachRunIsCountedAndTheBatchOnce) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(isolating(tenfold({1})));
  const auto tickets = batcher.submit_many(up_to(4), use_ticket);
  runtime.settle();
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.executions, 5u);
  EXPECT_EQ(metrics.batches.total(), 1u);
  EXPECT_EQ(metrics.batches_failed, 1u);
  EXPECT_EQ(metrics.items, 4u);
  EXPECT_EQ(metrics.batch_size.mean(), 4);
  EXPECT_EQ(metrics.service_time.count(), 1u);
  EXPECT_EQ(metrics.completed, 3u);
  EXPECT_EQ(metrics.failed, 1u);
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.executing_batches, 0u);
}

TEST(Isolating, ABatchThatIsGoodInPartsHasNotFailedButTeachesNothing) {
  TestRuntime runtime;
  Listener listener;
  TestBatcher<int, int, Listener> batcher(isolating([](std::span<const int> inputs) {
                                            if (inputs.size() > 2)
                                              throw std::runtime_error("out of memory");
                                            return Values(inputs.begin(), inputs.end());
                                          }),
                                          {.policy = listener});
  auto tickets = batcher.submit_many(up_to(4), use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"0", "1", "2", "3"}));
  EXPECT_EQ(batcher.metrics().executions, 3u);
  EXPECT_EQ(batcher.metrics().batches_failed, 0u);
  auto single = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_EQ(batcher.metrics().executions, 4u);
  batcher.shutdown();  // Reports may wait for the dispatcher's next visit.
  ASSERT_EQ(listener.reports->size(), 2u);
  EXPECT_TRUE(listener.reports->at(0).failed);
  EXPECT_EQ(listener.reports->at(0).count, 4u);
  EXPECT_FALSE(listener.reports->at(1).failed);
}

TEST(Isolating, ABatchOfWhichAPartFailsIsAFailedOneInItsReport) {
  TestRuntime runtime;
  Listener listener;
  TestBatcher<int, int, Listener> batcher(isolating(tenfold({1})), {.policy = listener});
  const auto tickets = batcher.submit_many(up_to(2), use_ticket);
  runtime.settle();
  batcher.shutdown();  // Reports may wait for the dispatcher's next visit.
  ASSERT_EQ(listener.reports->size(), 1u);
  EXPECT_TRUE(listener.reports->at(0).failed);
}

// How it goes with the other wrappers.

TEST(Isolating, SeveralExecutorsMayShareIt) {
  for_each_seed(30, [](TestRuntime& runtime) {
    TestBatcher<int, int> batcher(batchwright::shared_predictor(isolating(tenfold({1, 6}))),
                                  {.max_batch_size = 4, .executors = 2});
    auto tickets = batcher.submit_many(up_to(8), use_ticket);
    runtime.settle();
    EXPECT_EQ(what_of(tickets), (Whats{"0", "1 of 1", "20", "30", "40", "50", "6 of 1", "70"}));
  });
}

// A model that can neither be copied nor moved.
class Pinned {
 public:
  explicit Pinned(std::size_t executor) : executor_(executor) {}
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  Values operator()(std::span<const int> inputs, const BatchInfo& info) const {
    EXPECT_EQ(info.executor, executor_);
    refuse(inputs, {1});
    return {inputs.begin(), inputs.end()};
  }

 private:
  std::size_t executor_;
};

TEST(Isolating, EachExecutorMayHaveItsOwn) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      batchwright::predictor_per_executor([](std::size_t executor) {
        return batchwright::IsolatingPredictor<Pinned>{Pinned(executor), {}};
      }),
      {.max_batch_size = 2, .executors = 2});
  auto tickets = batcher.submit_many(up_to(4), use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(tickets), (Whats{"0", "1 of 1", "2", "3"}));

  TestBatcher<int, int> other(
      batchwright::predictor_per_executor([] { return isolating(tenfold({0})); }));
  auto more = other.submit_many(up_to(2), use_ticket);
  runtime.settle();
  EXPECT_EQ(what_of(more), (Whats{"0 of 1", "10"}));
}

TEST(Isolating, WhatItWrapsMayBeMoveOnlyButNotNull) {
  EXPECT_EQ(run(2, isolating([ten = std::make_unique<int>(10)](std::span<const int> inputs) {
                  refuse(inputs, {0});
                  return Values(inputs.size(), *ten);
                })),
            (Whats{"0 of 1", "10"}));
  TestRuntime runtime;
  using Batcher = TestBatcher<int, int>;
  try {
    const Batcher batcher(isolating(std::function<Values(std::span<const int>)>()));
    FAIL() << "was constructed";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "DynamicBatcher: predictor must be callable, got null");
  }
}

TEST(Isolating, ABareOneServesOneExecutorOnly) {
  TestRuntime runtime;
  using Batcher = TestBatcher<int, int>;
  EXPECT_THROW(Batcher(isolating(tenfold({})), {.executors = 2}), std::invalid_argument);
}

}  // namespace
