// SPDX-License-Identifier: MIT
#include "support/coroutine.hpp"
#include "support/fragile.hpp"
#include "support/sanitizers.hpp"
#include "support/shell.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Admitted;
using batchwright::Batch;
using batchwright::BatcherError;
using batchwright::GreedyPolicy;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::predictor_per_executor;
using batchwright::Result;
using batchwright::ResultCountError;
using batchwright::shared_predictor;
using batchwright::SubmitOptions;
using batchwright::ThreadInfo;
using batchwright::UnansweredError;
using batchwright::use_ticket;
using batchwright::WouldDeadlockError;
using batchwright_test::Broken;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::Fragile;
using batchwright_test::Gate;
using batchwright_test::is_ready;
using batchwright_test::outcome_of;
using batchwright_test::Task;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::TestTicket;

using Batcher = TestBatcher<int, int>;
using SpanPredictor = std::function<std::vector<int>(std::span<const int>)>;

std::vector<int> doubled(std::span<const int> inputs) {
  std::vector<int> results;
  for (const int input : inputs) results.push_back(input * 2);
  return results;
}

template <class Call>
std::string invalid_argument_of(Call call) {
  try {
    call();
    return "nothing was thrown";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

void expect_at_rest(const TestRuntime& runtime, const MetricsSnapshot& metrics) {
  static_cast<void>(runtime);
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.queued, 0u);
  EXPECT_EQ(metrics.executing, 0u);
  EXPECT_EQ(metrics.blocked, 0u);
  EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
}

// ---- At construction.

TEST(BadConstruction, AWrongSettingIsNamedAndStartsNoThread) {
  TestRuntime runtime({.seed = 1});
  int threads = 0;
  const auto construct = [&](Batcher::Options options) {
    options.on_thread_start = [&](const ThreadInfo&) { ++threads; };
    Batcher batcher(doubled, std::move(options), runtime);
  };
  EXPECT_EQ(invalid_argument_of([&] { construct({.max_batch_size = 0}); }),
            "DynamicBatcher: max_batch_size must be at least 1, got 0");
  EXPECT_EQ(invalid_argument_of([&] { construct({.executors = 2}); }),
            "DynamicBatcher: executors must be 0 or 1 for a bare predictor (give "
            "shared_predictor(p) or predictor_per_executor(f) for more), got 2");
  EXPECT_EQ(threads, 0);
}

TEST(BadConstruction, APredictorIsNotNull) {
  TestRuntime runtime({.seed = 1});
  const std::string expected = "DynamicBatcher: predictor must be callable, got null";
  EXPECT_EQ(invalid_argument_of([&] { Batcher batcher(SpanPredictor(), {}, runtime); }), expected);
  std::vector<int> (*const function)(std::span<const int>) = nullptr;
  EXPECT_EQ(invalid_argument_of([&] { Batcher batcher(function, {}, runtime); }), expected);
  EXPECT_EQ(
      invalid_argument_of([&] { Batcher batcher(shared_predictor(SpanPredictor()), {}, runtime); }),
      expected);
}

TEST(BadConstruction, AFactoryIsNotNullNorWhatItMakes) {
  TestRuntime runtime({.seed = 1});
  EXPECT_EQ(invalid_argument_of([&] {
              Batcher batcher(predictor_per_executor(std::function<SpanPredictor()>()), {},
                              runtime);
            }),
            "DynamicBatcher: predictor factory must be callable, got null");
  EXPECT_EQ(invalid_argument_of([&] {
              Batcher batcher(predictor_per_executor([](std::size_t executor) {
                                return executor == 1 ? SpanPredictor() : SpanPredictor(doubled);
                              }),
                              {.executors = 3}, runtime);
            }),
            "DynamicBatcher: predictor must be callable, got null");
}

TEST(BadConstruction, WhatAFactoryThrowsComesOutAndTheThreadsBeforeItEnd) {
  for (std::size_t bad = 0; bad < 3; ++bad) {
    TestRuntime runtime({.seed = bad});  // It would complain of a thread that is left behind.
    int alive = 0;
    struct Counted {
      explicit Counted(int& count) : alive(&count) { ++*alive; }
      Counted(Counted&& other) : alive(other.alive) { ++*alive; }
      ~Counted() { --*alive; }
      std::vector<int> operator()(std::span<const int> inputs) { return doubled(inputs); }
      int* alive;
    };
    EXPECT_THROW(Batcher(predictor_per_executor([&](std::size_t executor) {
                           if (executor == bad) throw std::domain_error("no such device");
                           return Counted(alive);
                         }),
                         {.executors = 3}, runtime),
                 std::domain_error);
    EXPECT_EQ(alive, 0);
  }
}

TEST(BadConstruction, WhatTheStartHookThrowsComesOutWhicheverThreadItIs) {
  for (int bad = 0; bad < 3; ++bad) {
    TestRuntime runtime({.seed = 7});
    int threads = 0;
    EXPECT_THROW(Batcher(shared_predictor(doubled),
                         {.executors = 2,
                          .on_thread_start =
                              [&](const ThreadInfo&) {
                                if (threads++ == bad) throw 42;
                              }},
                         runtime),
                 int);
    EXPECT_EQ(threads, bad + 1);
  }
}

TEST(BadConstruction, AKeyIsNotMadeByNull) {
  TestRuntime runtime({.seed = 1});
  std::string (*const key)(const int&) = nullptr;
  EXPECT_EQ(invalid_argument_of([&] { Batcher batcher(doubled, {.lane = key}, runtime); }),
            "DynamicBatcher: lane must be callable, got null");
  EXPECT_EQ(invalid_argument_of([&] {
              Batcher batcher(
                  doubled,
                  {.coalesce = batchwright::coalesce_by<int>(std::function<int(const int&)>())},
                  runtime);
            }),
            "DynamicBatcher: coalesce must be callable, got null");
}

// ---- Callbacks.

TEST(BadCallback, NullIsRefusedAndNothingIsAccepted) {
  TestRuntime runtime({.seed = 1});
  Batcher batcher(doubled, {}, runtime);
  const std::string expected = "DynamicBatcher: callback must be callable, got null";
  const std::function<void(Result<int>)> null;
  void (*const function)(Result<int>) = nullptr;
  EXPECT_EQ(invalid_argument_of([&] { batcher.submit(1, null); }), expected);
  EXPECT_EQ(invalid_argument_of([&] { batcher.submit(1, function); }), expected);
  EXPECT_EQ(invalid_argument_of([&] { batcher.try_submit(1, null); }), expected);
  EXPECT_EQ(batcher.metrics().submitted, 0u);
}

// ---- Predictors that answer wrongly.

// Submits four requests that are one batch.
template <class TBatcher>
auto submit_four(TBatcher& batcher) {
  batcher.pause();
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4});
  batcher.resume();
  return futures;
}

TEST(BadPredictor, AWrongNumberOfResultsFailsTheWholeBatchAndNothingElse) {
  for (const std::size_t count : {0u, 1u, 3u, 5u, 1000u}) {
    TestRuntime runtime({.seed = count});
    std::size_t results = count;
    Batcher batcher(
        [&](std::span<const int>) { return std::vector<int>(std::exchange(results, 1)); }, {},
        runtime);
    for (auto& future : submit_four(batcher)) {
      try {
        runtime.get(future);
        ADD_FAILURE() << "a value";
      } catch (const ResultCountError& error) {
        EXPECT_EQ(error.what(), "batchwright: the predictor returned " + std::to_string(count) +
                                    " results for 4 inputs");
        EXPECT_EQ(error.outcome(), Outcome::failed);
      }
    }
    auto next = batcher.submit(1);
    EXPECT_EQ(runtime.get(next), 0);
    ASSERT_TRUE(batcher.wait_idle());
    const MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.failed, 4u);
    EXPECT_EQ(metrics.batches_failed, 1u);
    expect_at_rest(runtime, metrics);
  }
}

template <class Thrown>
void expect_failed_batch_then_good(std::function<void()> fail) {
  TestRuntime runtime({.seed = 2});
  bool bad = true;
  Batcher batcher(
      [&](std::span<const int> inputs) {
        if (std::exchange(bad, false)) fail();
        return doubled(inputs);
      },
      {}, runtime);
  for (auto& future : submit_four(batcher)) EXPECT_THROW(runtime.get(future), Thrown);
  auto next = batcher.submit(21);
  EXPECT_EQ(runtime.get(next), 42);
}

TEST(BadPredictor, AnExceptionReachesEveryRequestOfItsBatchAndNothingElse) {
  expect_failed_batch_then_good<std::domain_error>([] { throw std::domain_error("bad weights"); });
}

TEST(BadPredictor, MayThrowWhatIsNoException) {
  expect_failed_batch_then_good<int>([] { throw 5; });
  expect_failed_batch_then_good<const char*>([] { throw "text"; });
  expect_failed_batch_then_good<Broken>([] { throw Broken(); });
}

TEST(BadPredictor, ThatThrowsAnErrorOfTheLibraryFailsItsBatchWithIt) {
  expect_failed_batch_then_good<batchwright::QueueFullError>(
      [] { throw batchwright::QueueFullError(); });
}

TEST(BadPredictor, CallbacksAndTicketsSeeTheException) {
  TestRuntime runtime({.seed = 2});
  Batcher batcher([](std::span<const int>) -> std::vector<int> { throw 5; }, {}, runtime);
  Outcome outcome = Outcome::ok;
  std::exception_ptr error;
  ASSERT_TRUE(batcher.submit(1, [&](Result<int> result) {
    outcome = result.outcome();
    error = result.error();
  }));
  auto ticket = batcher.submit(2, use_ticket);
  EXPECT_THROW(ticket.get(), int);
  ASSERT_TRUE(batcher.wait_idle());
  EXPECT_EQ(outcome, Outcome::failed);
  EXPECT_THROW(std::rethrow_exception(error), int);
}

TEST(BadPredictor, ThatWritesInPlaceAndThrowsHandsOutNothing) {
  TestRuntime runtime({.seed = 2});
  Batcher batcher(
      [](std::span<const int>, std::span<int> results) {
        results[0] = 7;
        throw std::domain_error("half done");
      },
      {}, runtime);
  for (auto& future : submit_four(batcher)) EXPECT_THROW(runtime.get(future), std::domain_error);
}

TEST(BadPredictor, ThatLeavesItemsOfItsBatchUnansweredFailsThoseAlone) {
  TestRuntime runtime({.seed = 2});
  Batcher batcher([](Batch<int, int>& batch) { batch.answer(1, 7); }, {}, runtime);
  auto futures = submit_four(batcher);
  EXPECT_EQ(runtime.get(futures[1]), 7);
  for (const std::size_t index : {0u, 2u, 3u}) {
    EXPECT_THROW(runtime.get(futures[index]), UnansweredError);
  }
}

TEST(BadPredictor, ThatDropsABatchThatItOwnsFailsIt) {
  TestRuntime runtime({.seed = 2});
  Batcher batcher([](Batch<int, int> batch) { batch.answer(0, 7); }, {}, runtime);
  auto futures = submit_four(batcher);
  EXPECT_EQ(runtime.get(futures[0]), 7);
  for (const std::size_t index : {1u, 2u, 3u}) {
    EXPECT_THROW(runtime.get(futures[index]), UnansweredError);
  }
}

TEST(BadPredictor, ThatThrowsWithABatchInItsHandsFailsWhatIsLeftWithThat) {
  TestRuntime runtime({.seed = 2});
  Batcher owning(
      [](Batch<int, int> batch) {
        batch.answer(0, 7);
        throw std::domain_error("half done");
      },
      {}, runtime);
  Batcher seeing(
      [](Batch<int, int>& batch) {
        batch.answer(0, 7);
        throw std::domain_error("half done");
      },
      {}, runtime);
  for (Batcher* batcher : {&owning, &seeing}) {
    auto futures = submit_four(*batcher);
    EXPECT_EQ(runtime.get(futures[0]), 7);
    for (const std::size_t index : {1u, 2u, 3u}) {
      EXPECT_THROW(runtime.get(futures[index]), std::domain_error);
    }
  }
}

TEST(BadPredictor, ThatAnswersAnItemTwiceOrOneThatIsNotThereIsTold) {
  TestRuntime runtime({.seed = 2});
  std::vector<std::string> told;
  Batcher batcher(
      [&](Batch<int, int>& batch) {
        batch.answer(0, 7);
        for (const std::size_t index : {0u, 4u}) {
          try {
            batch.answer(index, 8);
          } catch (const std::logic_error& error) {
            told.push_back(error.what());
          }
        }
        for (const std::size_t index : {1u, 2u, 3u}) batch.answer(index, 9);
      },
      {}, runtime);
  auto futures = submit_four(batcher);
  EXPECT_EQ(runtime.get(futures[0]), 7);
  EXPECT_EQ(runtime.get(futures[3]), 9);
  EXPECT_EQ(told, (std::vector<std::string>{"Batch: item 0 has been answered already",
                                            "Batch: index must be below size() 4, got 4"}));
}

TEST(BadPredictor, InlineFailsItsBatchAndNothingElseToo) {
  TestRuntime runtime({.seed = 2});
  bool bad = true;
  Batcher batcher(
      [&](std::span<const int> inputs) {
        if (std::exchange(bad, false)) throw 5;
        return doubled(inputs);
      },
      {.executors = 0}, runtime);
  for (auto& future : submit_four(batcher)) EXPECT_THROW(runtime.get(future), int);
  auto next = batcher.submit(21);
  EXPECT_EQ(runtime.get(next), 42);
}

// ---- Inputs.

TEST(BadInput, WhatTheBytesFunctionThrowsComesOutAndNothingWasAccepted) {
  TestRuntime runtime({.seed = 3});
  Batcher batcher(doubled,
                  {.max_queued_bytes = 100,
                   .bytes = [](const int& input) -> std::size_t {
                     if (input < 0) throw std::domain_error("negative");
                     return 1;
                   }},
                  runtime);
  EXPECT_THROW(batcher.submit(-1), std::domain_error);
  EXPECT_THROW(batcher.submit(-1, use_ticket), std::domain_error);
  EXPECT_THROW(batcher.submit(-1, [](Result<int>) { ADD_FAILURE(); }), std::domain_error);
  EXPECT_THROW(batcher.submit_many(std::vector<int>{1, -1}), std::domain_error);
  EXPECT_THROW(batcher.submit_many(std::vector<int>{1, -1}, use_ticket), std::domain_error);
  EXPECT_THROW(static_cast<void>(batcher.predict(-1)), std::domain_error);
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  expect_at_rest(runtime, batcher.metrics());
}

// An input that says itself what the options' functions say of it.
struct Values {
  std::size_t weight = 1;
  std::size_t length = 1;
  std::size_t share = 1;
};
using ValuesBatcher = TestBatcher<Values, int>;

ValuesBatcher::Options values_options() {
  return {.order = batchwright::QueueOrder::shortest_first,
          .weight = [](const Values& input) { return input.weight; },
          .length = [](const Values& input) { return input.length; },
          .oversized = batchwright::Oversized::run_alone,
          .tenant = [](const Values&) { return 0; },
          .share = [](const Values& input) { return input.share; }};
}

std::vector<int> ones(std::span<const Values> inputs) { return std::vector<int>(inputs.size(), 1); }

// What each way to submit a good input and then this one says.
std::set<std::string> messages_of_each_way(ValuesBatcher& batcher, const Values& input,
                                           const SubmitOptions& options = {}) {
  const std::vector<Values> inputs = {Values{}, input};
  const auto fail = [](auto) { ADD_FAILURE() << "answered"; };
  const std::function<void()> ways[] = {
      [&] { batcher.submit(input, options); },
      [&] { batcher.submit(input, use_ticket, options); },
      [&] { batcher.submit(input, fail, options); },
      [&] { static_cast<void>(batcher.try_submit(input, options)); },
      [&] { static_cast<void>(batcher.try_submit(input, use_ticket, options)); },
      [&] { batcher.try_submit(input, fail, options); },
      [&] { batcher.submit_many(inputs, options); },
      [&] { batcher.submit_many(inputs, use_ticket, options); },
      [&] { batcher.submit_rows(inputs, options); },
      [&] { batcher.submit_rows(inputs, use_ticket, options); },
      [&] { batcher.submit_rows(inputs, fail, options); },
      [&] { static_cast<void>(batcher.try_submit_rows(inputs, options)); },
      [&] { static_cast<void>(batcher.try_submit_rows(inputs, use_ticket, options)); },
      [&] { batcher.try_submit_rows(inputs, fail, options); },
      [&] { batcher.predict_and_wait(input, options); },
      [&] { static_cast<void>(batcher.predict(input, options)); },
  };
  std::set<std::string> messages;
  for (const auto& way : ways) messages.insert(invalid_argument_of(way));
  return messages;
}

TEST(BadInput, AValueOfARequestOutOfItsRangeIsToldAndNothingWasAccepted) {
  TestRuntime runtime({.seed = 3});
  ValuesBatcher batcher(ones, values_options(), runtime);
  const struct {
    Values input;
    const char* message;
  } cases[] = {
      {{.weight = 0}, "weight of a request must be from 1 to 4294967295, got 0"},
      {{.weight = 0x1'0000'0000},
       "weight of a request must be from 1 to 4294967295, got 4294967296"},
      {{.length = 0}, "length of a request must be from 1 to 4294967295, got 0"},
      {{.length = 0x1'0000'0000},
       "length of a request must be from 1 to 4294967295, got 4294967296"},
      {{.share = 0}, "share of a request must be from 1 to 1048576, got 0"},
      {{.share = 1048577}, "share of a request must be from 1 to 1048576, got 1048577"},
  };
  for (const auto& [input, message] : cases) {
    EXPECT_EQ(messages_of_each_way(batcher, input),
              (std::set<std::string>{"DynamicBatcher: " + std::string(message)}));
  }
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  expect_at_rest(runtime, batcher.metrics());
  auto last = batcher.submit({.weight = 0xffff'ffff, .length = 0xffff'ffff, .share = 1048576});
  EXPECT_EQ(runtime.get(last), 1);
}

TEST(BadInput, ATimeoutOfARequestIsAboveZero) {
  TestRuntime runtime({.seed = 3});
  ValuesBatcher batcher(ones, {}, runtime);
  const auto expect_told = [&](batchwright::Duration timeout, const std::string& text) {
    EXPECT_EQ(
        messages_of_each_way(batcher, {}, {.timeout = timeout}),
        (std::set<std::string>{
            "DynamicBatcher: timeout of a request must be unset or above 0 ns, got " + text}));
  };
  expect_told(0ns, "0 ns");
  expect_told(-3us, "-3000 ns");
  expect_told(batchwright::Duration::min() + 1ns, "-9223372036854775807 ns");
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  auto unset = batcher.submit({}, {.timeout = SubmitOptions{}.timeout});
  EXPECT_EQ(runtime.get(unset), 1);

  batcher.pause();
  auto shortest = batcher.submit({}, {.timeout = 1ns});
  runtime.advance(1ns);
  EXPECT_EQ(outcome_of(runtime, shortest), Outcome::expired);

  batcher.shutdown();
  expect_told(0ns, "0 ns");  // It is the caller's mistake, whatever the batcher's state.
}

TEST(BadInput, ATimeoutWhereNoneMayBeBroughtIsTold) {
  TestRuntime runtime({.seed = 3});
  ValuesBatcher batcher(ones,
                        {.levels = {{.priority = 4,
                                     .timeout = 5ms,
                                     .timeout_override = batchwright::TimeoutOverride::refused}}},
                        runtime);
  EXPECT_EQ(
      messages_of_each_way(batcher, {}, {.priority = 4, .timeout = 1ms}),
      (std::set<std::string>{"DynamicBatcher: timeout of a request must be unset for priority "
                             "4, got 1000000 ns"}));
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  batcher.pause();
  auto by_default = batcher.submit({}, {.priority = 4});
  auto other = batcher.submit({}, {.priority = 3, .timeout = 1ms});
  runtime.advance(1ms);
  EXPECT_EQ(outcome_of(runtime, other), Outcome::expired);
  EXPECT_FALSE(batchwright_test::is_ready(by_default));
  runtime.advance(4ms);
  EXPECT_EQ(outcome_of(runtime, by_default), Outcome::expired);
}

TEST(BadInput, AnEmptyRangeIsNoRequest) {
  TestRuntime runtime({.seed = 3});
  Batcher batcher(doubled, {}, runtime);
  EXPECT_TRUE(batcher.submit_many(std::vector<int>()).empty());
  EXPECT_TRUE(batcher.submit_many(std::vector<int>(), use_ticket).empty());
  EXPECT_EQ(batcher.metrics().submitted, 0u);
}

// The answer of each way to submit a Fragile, as an outcome: that of a throw is `failed`.
using FragileBatcher = TestBatcher<Fragile, int>;
using Way = std::function<void(FragileBatcher&, const TestRuntime&)>;

Task<int> await(FragileBatcher& batcher, const Fragile& input) {
  co_return co_await batcher.predict(input);
}

struct NamedWay {
  const char* name;
  Way way;
};

const NamedWay kWays[] = {
    {"a future",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       const Fragile input(5);
       auto future = batcher.submit(input);
       EXPECT_EQ(runtime.get(future), 10);
     }},
    {"a moved input",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       auto future = batcher.submit(Fragile(5));
       EXPECT_EQ(runtime.get(future), 10);
     }},
    {"a tried future",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       auto admitted = batcher.try_submit(Fragile(5));
       ASSERT_TRUE(admitted);
       EXPECT_EQ(runtime.get(*admitted), 10);
     }},
    {"a ticket",
     [](FragileBatcher& batcher, const TestRuntime&) {
       EXPECT_EQ(batcher.submit(Fragile(5), use_ticket).get(), 10);
     }},
    {"a callback",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       std::optional<Result<int>> answer;
       ASSERT_TRUE(batcher.submit(Fragile(5),
                                  [&](Result<int> result) { answer.emplace(std::move(result)); }));
       runtime.run_until([&] { return answer.has_value(); });
       EXPECT_EQ(answer->value(), 10);
     }},
    {"many",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       std::vector<Fragile> inputs;
       inputs.reserve(3);
       for (const int value : {5, 5, 5}) inputs.emplace_back(value);
       auto futures = batcher.submit_many(inputs);
       for (auto& future : futures) EXPECT_EQ(runtime.get(future), 10);
     }},
    {"many tickets",
     [](FragileBatcher& batcher, const TestRuntime&) {
       std::vector<Fragile> inputs;
       inputs.reserve(3);
       for (const int value : {5, 5, 5}) inputs.emplace_back(value);
       auto tickets = batcher.submit_many(std::move(inputs), use_ticket);
       for (auto& ticket : tickets) EXPECT_EQ(ticket.get(), 10);
     }},
    {"a coroutine",
     [](FragileBatcher& batcher, const TestRuntime& runtime) {
       const Fragile input(5);
       Task<int> task = await(batcher, input);
       runtime.run_until([&] { return task.done(); });
       EXPECT_EQ(task.get(), 10);
     }},
};

// Whatever throws, the caller or the batch is told, nothing is lost and the batcher goes on.
template <class P>
void walk_through_broken_inputs(P predictor) {
  for (const auto& [name, way] : kWays) {
    SCOPED_TRACE(name);
    TestRuntime runtime({.seed = 4});
    int broken = 0;
    {
      FragileBatcher batcher(predictor, {.max_batch_size = 4}, runtime);
      for (int n = 1;; ++n) {
        SCOPED_TRACE("copy or move number " + std::to_string(n));
        ASSERT_LT(n, 100);
        bool threw = false;
        Fragile::break_at(n);
        try {
          way(batcher, runtime);
        } catch (const Broken&) {
          threw = true;
          ++broken;
        }
        const bool unbroken = Fragile::unbroken();
        EXPECT_EQ(threw, !unbroken);
        ASSERT_TRUE(batcher.wait_idle());
        expect_at_rest(runtime, batcher.metrics());
        ASSERT_EQ(Fragile::alive(), 0);
        auto next = batcher.submit(Fragile(6));
        ASSERT_EQ(runtime.get(next), 12);
        if (unbroken) break;
      }
    }
    EXPECT_GE(broken, 1);
    EXPECT_EQ(Fragile::alive(), 0);
  }
}

TEST(BadInput, ACopyOrMoveThatThrowsFailsTheCallOrTheBatchOverSpans) {
  walk_through_broken_inputs([](std::span<const Fragile> inputs) {
    std::vector<int> results;
    for (const Fragile& input : inputs) results.push_back(input.value() * 2);
    return results;
  });
}

TEST(BadInput, ACopyOrMoveThatThrowsFailsTheCallOverBatches) {
  walk_through_broken_inputs([](Batch<Fragile, int>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, batch.input(i).value() * 2);
  });
}

TEST(BadInput, ACopyThatThrowsWhileWaitingForRoomLeavesNothingBehind) {
  TestRuntime runtime({.seed = 4});
  Gate gate(runtime);
  {
    FragileBatcher batcher(
        [&](std::span<const Fragile> inputs) {
          gate.pass();
          return std::vector<int>(inputs.size(), 1);
        },
        {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block}, runtime);
    auto running = batcher.submit(Fragile(1));
    runtime.run_until([&] { return gate.waiting() == 1; });
    auto queued = batcher.submit(Fragile(2));
    const Fragile input(3);
    Fragile::break_at(1);
    EXPECT_THROW(batcher.submit(input), Broken);
    EXPECT_EQ(batcher.metrics().blocked, 0u);
    gate.open();
    EXPECT_EQ(runtime.get(running), 1);
    EXPECT_EQ(runtime.get(queued), 1);
  }
  EXPECT_EQ(Fragile::alive(), 0);
}

// ---- Results.

TEST(BadResult, AMoveThatThrowsFailsItsRequestAlone) {
  using ResultBatcher = TestBatcher<int, Fragile>;
  // A promise moves its value inside pthread_once; the thread sanitizer's own hangs if that throws.
  for (int way = batchwright_test::kThreadSanitizer ? 1 : 0; way < 4; ++way) {
    for (int n = 1;; ++n) {
      SCOPED_TRACE("way " + std::to_string(way) + ", move " + std::to_string(n));
      ASSERT_LT(n, 100);
      bool unbroken = false;
      {
        TestRuntime runtime({.seed = 4});
        ResultBatcher batcher(
            [](std::span<const int> inputs) {
              std::vector<Fragile> results;
              results.reserve(inputs.size());
              for (const int input : inputs) results.emplace_back(input);
              return results;
            },
            {}, runtime);
        bool threw = false;
        Fragile::break_at(n);
        try {
          if (way == 0) {
            auto future = batcher.submit(3);
            EXPECT_EQ(runtime.get(future).value(), 3);
          } else if (way == 1) {
            EXPECT_EQ(batcher.submit(3, use_ticket).get().value(), 3);
          } else if (way == 2) {
            Task<int> task = [](ResultBatcher& b) -> Task<int> {
              co_return (co_await b.predict(3)).value();
            }(batcher);
            runtime.run_until([&] { return task.done(); });
            EXPECT_EQ(task.get(), 3);
          } else {
            std::exception_ptr error;
            bool done = false;
            ASSERT_TRUE(batcher.submit(3, [&](Result<Fragile>&& result) {
              error = result.error();
              done = true;
            }));
            runtime.run_until([&] { return done; });
            if (error) std::rethrow_exception(error);
          }
        } catch (const Broken&) {
          threw = true;
        }
        unbroken = Fragile::unbroken();
        EXPECT_EQ(threw, !unbroken);
        ASSERT_TRUE(batcher.wait_idle());
        expect_at_rest(runtime, batcher.metrics());
      }
      EXPECT_EQ(Fragile::alive(), 0);
      if (unbroken) break;
    }
  }
}

// ---- From the batcher's own threads.

// Runs `act` inside the predictor, and then inside a callback, of a batcher with a full queue.
void on_each_own_thread(const std::function<void(Batcher&)>& act, std::size_t executors) {
  SCOPED_TRACE("executors: " + std::to_string(executors));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TestRuntime runtime({.seed = seed});
    Batcher* self = nullptr;
    bool in_predictor = false;
    bool in_callback = false;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          if (inputs[0] == 1 && !in_predictor) {
            act(*self);
            in_predictor = true;
          }
          return doubled(inputs);
        },
        {.max_batch_size = 1,
         .executors = executors,
         .capacity = 2,
         .overflow = OverflowAction::block},
        runtime);
    self = &batcher;
    batcher.pause();
    auto first = batcher.submit(1);
    ASSERT_TRUE(batcher.submit(2, [&](Result<int>) {
      act(batcher);
      in_callback = true;
    }));
    batcher.resume();
    EXPECT_EQ(runtime.get(first), 2);
    ASSERT_TRUE(batcher.wait_idle());
    EXPECT_TRUE(in_predictor);
    EXPECT_TRUE(in_callback);
    expect_at_rest(runtime, batcher.metrics());
  }
}

TEST(OwnThreads, MaySubmit) {
  for (const std::size_t executors : {0u, 1u}) {
    on_each_own_thread(
        [](Batcher& batcher) {
          const auto admitted = batcher.try_submit(9, [](Result<int> r) { EXPECT_EQ(*r, 18); });
          EXPECT_TRUE(admitted.outcome() == Outcome::ok ||
                      admitted.outcome() == Outcome::queue_full);
        },
        executors);
  }
}

TEST(OwnThreads, MayFlushPauseAndMeasure) {
  for (const std::size_t executors : {0u, 1u}) {
    on_each_own_thread(
        [](Batcher& batcher) {
          batcher.flush();
          batcher.pause();
          EXPECT_GE(batcher.metrics().accepted, 2u);
          batcher.resume();
        },
        executors);
  }
}

TEST(OwnThreads, MayNotWaitUntilIdle) {
  for (const std::size_t executors : {0u, 1u}) {
    on_each_own_thread(
        [](Batcher& batcher) { EXPECT_THROW(batcher.wait_idle(), WouldDeadlockError); }, executors);
  }
}

TEST(OwnThreads, MayNotWaitForATicketThatHasNoAnswerYet) {
  for (const std::size_t executors : {0u, 1u}) {
    on_each_own_thread(
        [](Batcher& batcher) {
          auto admitted = batcher.try_submit(9, use_ticket);
          if (!admitted) return;  // From the predictor, with the queue full.
          EXPECT_THROW(admitted->wait(), WouldDeadlockError);
          EXPECT_THROW(static_cast<void>(admitted->get()), WouldDeadlockError);
          EXPECT_FALSE(admitted->wait_for(1h));
          EXPECT_TRUE(admitted->valid());
        },
        executors);
  }
}

TEST(OwnThreads, AreNotBlockedByAFullQueue) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime({.seed = 6});
    Gate gate(runtime);
    std::vector<Outcome> outcomes;
    Batcher* self = nullptr;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          if (inputs[0] == 1) {
            gate.pass();
            auto future = self->submit(7);
            outcomes.push_back(is_ready(future) ? outcome_of(runtime, future) : Outcome::ok);
            outcomes.push_back(self->submit(7, [](Result<int>) { ADD_FAILURE(); }).outcome());
            outcomes.push_back(self->submit(7, use_ticket).result().outcome());
            for (auto& each : self->submit_many(std::vector<int>{7, 8})) {
              outcomes.push_back(is_ready(each) ? outcome_of(runtime, each) : Outcome::ok);
            }
          }
          return doubled(inputs);
        },
        {.max_batch_size = 1,
         .executors = executors,
         .capacity = 2,
         .overflow = OverflowAction::block},
        runtime);
    self = &batcher;
    auto first = batcher.submit(1);
    runtime.run_until([&] { return gate.waiting() == 1; });
    auto second = batcher.submit(2);
    auto third = batcher.submit(3);
    gate.open();
    EXPECT_EQ(runtime.get(first), 2);
    EXPECT_EQ(runtime.get(second), 4);
    EXPECT_EQ(runtime.get(third), 6);
    EXPECT_EQ(outcomes, std::vector<Outcome>(5, Outcome::would_deadlock));
    ASSERT_TRUE(batcher.wait_idle());
    expect_at_rest(runtime, batcher.metrics());
  }
}

TEST(OwnThreads, MayAwaitThereWithAFullQueue) {
  TestRuntime runtime({.seed = 6});
  Batcher* self = nullptr;
  std::optional<Task<int>> task;
  const auto await_nine = [](Batcher& batcher) -> Task<int> {
    co_return co_await batcher.predict(9);
  };
  Batcher batcher(
      [&](std::span<const int> inputs) {
        if (inputs[0] == 1) task.emplace(await_nine(*self));
        return doubled(inputs);
      },
      {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block}, runtime);
  self = &batcher;
  auto first = batcher.submit(1);
  auto second = batcher.submit(2);
  EXPECT_EQ(runtime.get(first), 2);
  EXPECT_EQ(runtime.get(second), 4);
  ASSERT_TRUE(batcher.wait_idle());
  EXPECT_EQ(task->get(), 18);
}

// Whoever finishes a batch later runs its callbacks, and must not wait there for what only it ends.
TEST(OwnThreads, ACallbackOnTheThreadThatFinishesABatchMayNotBlockEither) {
  TestRuntime runtime({.seed = 6});
  std::optional<Batch<int, int>> held;
  Batcher batcher([&](Batch<int, int> batch) { held.emplace(std::move(batch)); }, {}, runtime);
  batcher.pause();
  bool called = false;
  ASSERT_TRUE(batcher.submit(1, [&](Result<int>) {
    EXPECT_THROW(batcher.wait_idle(), WouldDeadlockError);
    EXPECT_FALSE(batcher.shutdown().finished);
    called = true;
  }));
  auto second = batcher.submit(2);
  batcher.resume();
  runtime.run_until([&] { return held.has_value(); });
  held->answer(0, 7);
  held->answer(1, 8);
  EXPECT_TRUE(called);
  EXPECT_EQ(runtime.get(second), 8);
  EXPECT_TRUE(batcher.shutdown().finished);
}

}  // namespace
