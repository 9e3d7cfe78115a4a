// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// The options for traffic that is not uniform, each as a user would set it. What the scheduler makes of
// lanes, tenants and sizes is tested with plain values beside it; here it is shown that the settings
// reach it, and that answers come as they should.
namespace {

namespace bw = batchwright;
using namespace std::chrono_literals;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::is_ready;
using batchwright_test::outcome_of;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;
using batchwright_test::TestTicket;
using bw::Forecast;
using bw::Outcome;
using bw::use_ticket;

using Batcher = TestBatcher<int, int>;
using Futures = std::vector<std::future<int>>;
using Sizes = std::vector<std::size_t>;
using Inputs = std::vector<int>;

/// Submits all inputs while the batcher is paused, then lets it go until all are answered.
void run_all(Batcher& batcher, TestRuntime& runtime, const Inputs& inputs) {
  batcher.pause();
  Futures answers;
  for (const int input : inputs) answers.push_back(batcher.submit(input));
  batcher.resume();
  for (auto& answer : answers) static_cast<void>(runtime.get(answer));
}

/// Waits until a batch holds the only executor, so that what is submitted then is queued.
void occupy(Batcher& batcher, TestRuntime& runtime, batchwright_test::Gate& gate,
            Futures& answers) {
  answers.push_back(batcher.submit(0));
  runtime.run_until([&] { return gate.waiting() == 1; });
}

TEST(Lanes, OnlyEqualKeysShareABatchAndAnOddOneClosesNobodyElses) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 4, .lane = [](const int& x) { return x / 10; }}, runtime);
  run_all(batcher, runtime, {1, 21, 2, 3, 22, 4});
  ASSERT_EQ(calls.count(), 2u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{1, 2, 3, 4}));
  EXPECT_EQ(calls.all[1].inputs, (Inputs{21, 22}));
}

TEST(Lanes, KeysAreToldApartByEqualityNotByTheirHash) {
  struct Shape {
    int rows;
    bool operator==(const Shape&) const = default;
  };
  struct SameHash {
    std::size_t operator()(const Shape&) const { return 7; }
  };
  TestRuntime runtime;
  Calls calls;
  const auto shape = [](const int& x) { return Shape{x % 2}; };
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 8, .lane = bw::KeyFunction<int>(shape, SameHash{})}, runtime);
  run_all(batcher, runtime, {1, 2, 3, 4});
  ASSERT_EQ(calls.count(), 2u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{1, 3}));
  EXPECT_EQ(calls.all[1].inputs, (Inputs{2, 4}));
}

TEST(Lanes, ThePredictorLearnsTheKey) {
  TestRuntime runtime;
  std::vector<std::string> keys;
  const auto predict = [&keys](std::span<const int> inputs, const bw::BatchInfo& info) {
    keys.push_back(info.lane<std::string>() == nullptr ? "none" : *info.lane<std::string>());
    EXPECT_EQ(info.lane<int>(), nullptr);
    return Inputs(inputs.begin(), inputs.end());
  };
  Batcher batcher(predict, {.lane = [](const int& x) { return "lane " + std::to_string(x % 2); }},
                  runtime);
  run_all(batcher, runtime, {1, 2, 3});
  EXPECT_EQ(keys, (std::vector<std::string>{"lane 1", "lane 0"}));
}

TEST(Lanes, WhatTheKeyThrowsComesOutOfSubmitAndNothingWasAccepted) {
  TestRuntime runtime;
  Calls calls;
  const auto key = [](const int& x) { return x < 0 ? throw std::runtime_error("no key") : x; };
  Batcher batcher(doubler(runtime, calls), {.lane = key}, runtime);
  EXPECT_THROW(static_cast<void>(batcher.submit(-1)), std::runtime_error);
  EXPECT_EQ(batcher.metrics().submitted, 0u);
  auto answer = batcher.submit(1);
  EXPECT_EQ(runtime.get(answer), 2);
}

TEST(Lanes, StickyOnesAreComputedByOneExecutorEach) {
  TestRuntime runtime;
  std::map<int, std::vector<std::size_t>> executors;
  const auto predict = [&](std::span<const int> inputs, const bw::BatchInfo& info) {
    for (const int input : inputs) executors[input % 5].push_back(info.executor);
    return Inputs(inputs.begin(), inputs.end());
  };
  Batcher batcher(bw::shared_predictor(predict),
                  {.max_batch_size = 2,
                   .executors = 3,
                   .lane = [](const int& x) { return x % 5; },
                   .sticky_lanes = bw::StickyLanes::yes},
                  runtime);
  Inputs inputs;
  for (int i = 0; i < 50; ++i) inputs.push_back(i);
  run_all(batcher, runtime, inputs);
  run_all(batcher, runtime, inputs);
  ASSERT_EQ(executors.size(), 5u);
  std::set<std::size_t> at_work;
  for (const auto& [key, used] : executors) {
    EXPECT_EQ(std::count(used.begin(), used.end(), used.front()), 20) << "lane " << key;
    at_work.insert(used.front());
  }
  EXPECT_GT(at_work.size(), 1u);
}

/// A key that counts how many of it there are.
class CountedKey {
 public:
  CountedKey(int value, std::int64_t* alive) noexcept : value_(value), alive_(alive) { ++*alive_; }
  CountedKey(const CountedKey& other) noexcept : CountedKey(other.value_, other.alive_) {}
  CountedKey& operator=(const CountedKey&) = delete;
  ~CountedKey() { --*alive_; }

  bool operator==(const CountedKey& other) const noexcept { return value_ == other.value_; }
  std::size_t hash() const noexcept { return std::hash<int>()(value_); }

 private:
  int value_;
  std::int64_t* alive_;
};

TEST(Lanes, ThoseThatAreIdleAreForgotten) {
  TestRuntime runtime;
  Calls calls;
  std::int64_t alive = 0;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 8,
       .capacity = 2000,
       .lane = bw::KeyFunction<int>([&alive](const int& x) { return CountedKey(x / 2, &alive); },
                                    [](const CountedKey& key) { return key.hash(); })},
      runtime);
  batcher.pause();
  std::vector<TestTicket<int>> answers;
  for (int i = 0; i < 2000; ++i) answers.push_back(batcher.submit(i, use_ticket));
  EXPECT_EQ(alive, 1000);
  batcher.resume();
  ASSERT_TRUE(batcher.wait_idle());
  EXPECT_EQ(alive, 0);  // While the batcher lives, and the answers.
  EXPECT_EQ(calls.count(), 1000u);
}

TEST(Tenants, AFloodLeavesTheOthersTheirShare) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 4,
                   .tenant = [](const int& x) { return x / 100; },
                   .share = [](const int& x) -> std::size_t { return x / 100 == 2 ? 3 : 1; }},
                  runtime);
  Inputs inputs;
  for (int i = 0; i < 40; ++i) inputs.push_back(100 + i);
  for (int i = 0; i < 12; ++i) inputs.push_back(200 + i);
  run_all(batcher, runtime, inputs);
  // As long as both have something, one of the flood for three of the other.
  for (int batch = 0; batch < 4; ++batch) {
    const Inputs& in = calls.all[static_cast<std::size_t>(batch)].inputs;
    EXPECT_EQ(std::count_if(in.begin(), in.end(), [](int x) { return x < 200; }), 1) << batch;
  }
  EXPECT_EQ(calls.count(), 13u);
}

TEST(Tenants, APriorityOrdersTheRequestsOfItsOwnTenantAlone) {
  // The flood, 100 and up, weighs 2 each; with `urgent` at priority 9, and the others have some order too.
  const auto batches = [](bool urgent) {
    TestRuntime runtime;
    Calls calls;
    Batcher batcher(doubler(runtime, calls),
                    {.max_batch_size = 8,
                     .weight = [](const int& x) -> std::size_t { return x < 200 ? 2 : 1; },
                     .tenant = [](const int& x) { return x / 100; }},
                    runtime);
    batcher.pause();
    Futures answers;
    for (int i = 0; i < 20; ++i) {
      answers.push_back(batcher.submit(100 + i, {.priority = urgent ? 9 : 0}));
    }
    for (int i = 0; i < 8; ++i) {
      answers.push_back(batcher.submit(200 + i, {.priority = urgent && i >= 4 ? -1 : -2}));
    }
    batcher.resume();
    for (auto& answer : answers) static_cast<void>(runtime.get(answer));
    std::vector<Inputs> taken;
    for (const Calls::Call& call : calls.all) {
      taken.push_back(call.inputs);
      std::sort(taken.back().begin(), taken.back().end());
    }
    return taken;
  };
  const std::vector<Inputs> alike = batches(false);
  const std::vector<Inputs> urgent = batches(true);
  // A half of each batch by weight is the other's, for as long as it has something.
  ASSERT_EQ(alike.size(), 6u);
  EXPECT_EQ(alike[0], (Inputs{100, 101, 200, 201, 202, 203}));
  EXPECT_EQ(alike[1], (Inputs{102, 103, 204, 205, 206, 207}));
  EXPECT_EQ(alike[2], (Inputs{104, 105, 106, 107}));
  ASSERT_EQ(urgent.size(), 6u);
  EXPECT_EQ(urgent[0], (Inputs{100, 101, 204, 205, 206, 207}));
  EXPECT_EQ(urgent[1], (Inputs{102, 103, 200, 201, 202, 203}));
  EXPECT_EQ(urgent[2], (Inputs{104, 105, 106, 107}));
}

TEST(Weights, TheCapCountsThemAndAnOversizedOneIsRefused) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 10, .weight = [](const int& x) { return static_cast<std::size_t>(x); }},
      runtime);
  run_all(batcher, runtime, {6, 4, 3, 8, 10});
  ASSERT_EQ(calls.count(), 4u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{6, 4}));
  EXPECT_EQ(calls.all[1].inputs, (Inputs{3}));
  EXPECT_EQ(calls.all[2].inputs, (Inputs{8}));
  EXPECT_EQ(calls.all[3].inputs, (Inputs{10}));
  auto refused = batcher.submit(11);
  EXPECT_EQ(outcome_of(runtime, refused), Outcome::too_large);
  EXPECT_THROW(static_cast<void>(batcher.submit(0)), std::invalid_argument);
}

TEST(Weights, AnOversizedOneMayRunAlone) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 10,
                   .weight = [](const int& x) { return static_cast<std::size_t>(x); },
                   .oversized = bw::Oversized::run_alone},
                  runtime);
  run_all(batcher, runtime, {3, 50, 3, 4});
  EXPECT_EQ(calls.all[0].inputs, (Inputs{3}));
  EXPECT_EQ(calls.all[1].inputs, (Inputs{50}));
  EXPECT_EQ(calls.all[2].inputs, (Inputs{3, 4}));
}

TEST(Oversized, IsRefusedOrRunsAloneWhateverMakesItsSizeAndTheCap) {
  enum class By { weight, length };
  struct Case {
    const char* name;
    By by;
    std::size_t max_batch_size;
    std::vector<std::size_t> allowed_sizes;
    int largest;  // The cap: it still shares a batch, or could.
  };
  const Case cases[] = {
      {"weight", By::weight, 8, {}, 8},
      {"the largest allowed size is the cap", By::weight, 16, {4, 8}, 8},
      {"length", By::length, 8, {}, 8},
  };
  for (const Case& c : cases) {
    for (const bw::Oversized oversized : {bw::Oversized::refuse, bw::Oversized::run_alone}) {
      if (oversized == bw::Oversized::run_alone && !c.allowed_sizes.empty()) continue;  // An error.
      SCOPED_TRACE(std::string(c.name) +
                   (oversized == bw::Oversized::refuse ? ", refused" : ", alone"));
      TestRuntime runtime;
      Calls calls;
      const auto size = [](const int& x) { return static_cast<std::size_t>(x); };
      Batcher::Options options{.max_batch_size = c.max_batch_size,
                               .allowed_sizes = c.allowed_sizes,
                               .oversized = oversized};
      if (c.by == By::weight) {
        options.weight = size;
      } else {
        options.length = size;
        options.size_rule = bw::SizeRule::padded;
      }
      Batcher batcher(doubler(runtime, calls), std::move(options), runtime);
      batcher.pause();
      Futures answers;
      for (const int x : {1, c.largest + 1, 1, c.largest, 2}) answers.push_back(batcher.submit(x));
      batcher.resume();
      const bool runs = oversized == bw::Oversized::run_alone;
      for (std::size_t i = 0; i < answers.size(); ++i) {
        EXPECT_EQ(outcome_of(runtime, answers[i]),
                  i == 1 && !runs ? Outcome::too_large : Outcome::ok)
            << i;
      }
      EXPECT_EQ(calls.sizes(), runs ? (Sizes{1, 1, 1, 1, 1}) : (Sizes{2, 1, 1}));
      EXPECT_EQ(calls.saw(c.largest + 1), runs);
      EXPECT_EQ(batcher.metrics().rejected[Outcome::too_large], runs ? 0u : 1u);
    }
  }
}

TEST(Oversized, OneRowOfACallTurnsAwayAllOfThem) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 10, .weight = [](const int& x) { return static_cast<std::size_t>(x); }},
      runtime);
  auto rows = batcher.submit_rows(Inputs{2, 11, 3}, use_ticket);
  EXPECT_EQ(rows.result().outcome(), Outcome::too_large);
  runtime.settle();
  EXPECT_EQ(calls.count(), 0u);
  const bw::MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.accepted, 0u);
  EXPECT_EQ(metrics.rejected[Outcome::too_large], 3u);
  EXPECT_EQ(batcher.submit_rows(Inputs{2, 10, 3}, use_ticket).get(), (Inputs{4, 20, 6}));
}

/// Never waits, and notes the sizes of the batches that it is told of.
struct SizeListener {
  Sizes* sizes = nullptr;

  bw::Decision decide(const bw::QueueView& view) const noexcept {
    return bw::Decision::release(view.max_batch_size, bw::ReleaseReason::greedy);
  }
  void on_batch(const bw::BatchReport& report) noexcept { sizes->push_back(report.size); }
};

TEST(BatchReports, TheirSizeIsWhatTheCapCounts) {
  const auto value = [](const int& x) { return static_cast<std::size_t>(x); };
  const auto sizes_of = [](const Inputs& inputs,
                           TestBatcher<int, int, SizeListener>::Options options) {
    TestRuntime runtime;
    Calls calls;
    Sizes sizes;
    options.policy.sizes = &sizes;
    TestBatcher<int, int, SizeListener> batcher(doubler(runtime, calls), std::move(options),
                                                runtime);
    batcher.pause();
    Futures answers;
    for (const int input : inputs) answers.push_back(batcher.submit(input));
    batcher.resume();
    runtime.settle();
    EXPECT_EQ(calls.count(), 1u);
    return sizes;
  };
  EXPECT_EQ(sizes_of({3, 4}, {.max_batch_size = 20, .weight = value}), Sizes{7});
  EXPECT_EQ(sizes_of({2, 5, 4},
                     {.max_batch_size = 20, .length = value, .size_rule = bw::SizeRule::padded}),
            Sizes{15});
}

TEST(Padded, ALongNewcomerClosesTheBatchWhereNothingSorts) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 20,
                   .length = [](const int& x) { return static_cast<std::size_t>(x); },
                   .size_rule = bw::SizeRule::padded},
                  runtime);
  run_all(batcher, runtime, {2, 3, 2, 9, 2, 5});
  ASSERT_EQ(calls.count(), 3u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{2, 3, 2}));  // 3 x 3; the next makes it 4 x 9.
  EXPECT_EQ(calls.all[1].inputs, (Inputs{9, 2}));     // 2 x 9; the next makes it 3 x 9.
  EXPECT_EQ(calls.all[2].inputs, (Inputs{5}));
}

TEST(ShortestFirst, SimilarLengthsShareABatchThatCountsItsRequests) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 3,
                   .order = bw::QueueOrder::shortest_first,
                   .length = [](const int& x) { return static_cast<std::size_t>(x / 10); }},
                  runtime);
  run_all(batcher, runtime, {900, 20, 700, 21, 10, 500});
  ASSERT_EQ(calls.count(), 2u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{10, 20, 21}));  // Equal ones first in, first out.
  EXPECT_EQ(calls.all[1].inputs, (Inputs{500, 700, 900}));
}

TEST(Padded, CountTimesTheLongestStaysWithinTheCap) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 20,
                   .order = bw::QueueOrder::shortest_first,
                   .length = [](const int& x) { return static_cast<std::size_t>(x); },
                   .size_rule = bw::SizeRule::padded},
                  runtime);
  run_all(batcher, runtime, {9, 2, 3, 10, 2, 5});
  ASSERT_EQ(calls.count(), 2u);
  EXPECT_EQ(calls.all[0].inputs, (Inputs{2, 2, 3, 5}));  // 4 x 5
  EXPECT_EQ(calls.all[1].inputs, (Inputs{9, 10}));       // 2 x 10
}

TEST(AllowedSizes, ThePredictorLearnsThePaddedSize) {
  TestRuntime runtime;
  std::vector<std::pair<std::size_t, std::size_t>> sizes;
  const auto predict = [&sizes](std::span<const int> inputs, const bw::BatchInfo& info) {
    sizes.emplace_back(info.size, info.padded_size);
    return Inputs(inputs.begin(), inputs.end());
  };
  Batcher batcher(predict, {.max_batch_size = 16, .allowed_sizes = {2, 4, 8}}, runtime);
  run_all(batcher, runtime, Inputs(13, 1));
  EXPECT_EQ(sizes, (std::vector<std::pair<std::size_t, std::size_t>>{{8, 8}, {5, 8}}));
}

TEST(AllowedSizes, ABatchMayBeTrimmed) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 8, .allowed_sizes = {2, 4, 8}, .fit = bw::FitRule::trim_down},
                  runtime);
  run_all(batcher, runtime, Inputs(7, 1));
  EXPECT_EQ(calls.sizes(), (Sizes{4, 2, 1}));
}

TEST(AllowedSizes, TheCheapestIsByWhatPaddedBatchesHaveTaken) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  Sizes sizes;
  const auto predict = [&](std::span<const int> inputs, const bw::BatchInfo& info) {
    sizes.push_back(info.size);
    batchwright_test::work_for(runtime, info.padded_size == 4 ? 1ms : 10ms);
    return Inputs(inputs.begin(), inputs.end());
  };
  Batcher batcher(predict,
                  {.max_batch_size = 8, .allowed_sizes = {4, 8}, .fit = bw::FitRule::cheapest},
                  runtime);
  run_all(batcher, runtime, Inputs(4, 1));
  run_all(batcher, runtime, Inputs(6, 1));  // Nobody has measured what 8 take.
  run_all(batcher, runtime, Inputs(6, 1));
  EXPECT_EQ(sizes, (Sizes{4, 6, 4, 2}));
}

TEST(PreferredSizes, TheLargestThatCanBeHadLeaves) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.max_batch_size = 16, .preferred_sizes = {4, 8}},
                  runtime);
  run_all(batcher, runtime, Inputs(14, 1));
  EXPECT_EQ(calls.sizes(), (Sizes{8, 4, 2}));
}

TEST(PreferredSizes, OneThatIsReachedLeavesAtOnceUnderAPolicyThatWaits) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int, bw::TimePolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 16, .preferred_sizes = {4}, .policy = bw::TimePolicy{.max_wait = 10ms}},
      runtime);
  Futures answers;
  for (int i = 0; i < 4; ++i) {
    runtime.settle();
    EXPECT_EQ(calls.count(), 0u);
    answers.push_back(batcher.submit(i));
  }
  runtime.settle();  // No time passes.
  EXPECT_EQ(calls.sizes(), (Sizes{4}));
}

TEST(QueuePolicies, ARequestsOwnTimeoutHoldsWithoutADefault) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate), {}, runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  const bw::TimePoint start = runtime.now();
  auto timed = batcher.submit(1, {.timeout = 7ms});
  EXPECT_EQ(outcome_of(runtime, timed), Outcome::expired);
  EXPECT_EQ(runtime.now() - start, 7ms);
  gate.open();
}

TEST(QueuePolicies, ALevelHasACapacityOfItsOwn) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls), {.levels = {{.priority = 5, .capacity = 2}}}, runtime);
  batcher.pause();
  Futures answers;
  for (int i = 0; i < 3; ++i) answers.push_back(batcher.submit(i, {.priority = 5}));
  answers.push_back(batcher.submit(3, {.priority = 4}));
  batcher.resume();
  EXPECT_EQ(outcome_of(runtime, answers[2]), Outcome::queue_full);
  EXPECT_EQ(outcome_of(runtime, answers[0]), Outcome::ok);
  EXPECT_EQ(outcome_of(runtime, answers[1]), Outcome::ok);
  EXPECT_EQ(outcome_of(runtime, answers[3]), Outcome::ok);
  auto again = batcher.submit(4, {.priority = 5});  // The room has been given back.
  EXPECT_EQ(outcome_of(runtime, again), Outcome::ok);
}

TEST(QueuePolicies, ATimeoutRejectsExactlyWhenItEndsWhileEveryExecutorIsBusy) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate),
                  {.queue = {.timeout = 20ms}, .levels = {{.priority = 5, .timeout = 5ms}}},
                  runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  const bw::TimePoint start = runtime.now();
  auto level = batcher.submit(1, {.priority = 5});
  auto common = batcher.submit(2);
  auto own = batcher.submit(3, {.priority = 5, .timeout = 30ms});
  EXPECT_EQ(outcome_of(runtime, level), Outcome::expired);
  EXPECT_EQ(runtime.now() - start, 5ms);
  EXPECT_EQ(outcome_of(runtime, common), Outcome::expired);
  EXPECT_EQ(runtime.now() - start, 20ms);
  EXPECT_EQ(outcome_of(runtime, own), Outcome::expired);
  EXPECT_EQ(runtime.now() - start, 30ms);
  gate.open();
  EXPECT_EQ(outcome_of(runtime, answers[0]), Outcome::ok);
}

TEST(QueuePolicies, ATimeoutMayPutARequestBehindItsPriority) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 1, .queue = {.timeout = 5ms, .on_timeout = bw::TimeoutAction::delay}},
      runtime);
  batcher.pause();
  Futures answers;
  answers.push_back(batcher.submit(1));
  answers.push_back(batcher.submit(2, {.timeout = 1s}));
  answers.push_back(batcher.submit(3, {.priority = -1}));
  runtime.advance(10ms);
  batcher.resume();
  for (auto& answer : answers) EXPECT_EQ(outcome_of(runtime, answer), Outcome::ok);
  EXPECT_EQ(calls.inputs(), (Inputs{2, 1, 3}));
}

TEST(QueuePolicies, ALevelMayDelayWhereTheOthersReject) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(
      doubler(runtime, calls),
      {.max_batch_size = 1,
       .queue = {.timeout = 20ms},
       .levels = {{.priority = 1, .timeout = 5ms, .on_timeout = bw::TimeoutAction::delay}}},
      runtime);
  batcher.pause();
  Futures answers;
  answers.push_back(batcher.submit(1, {.priority = 1}));
  answers.push_back(batcher.submit(2));
  runtime.advance(5ms);
  answers.push_back(batcher.submit(3, {.priority = 1}));  // Comes behind, and goes before.
  answers.push_back(batcher.submit(4));
  runtime.advance(4ms);
  batcher.resume();
  for (auto& answer : answers) EXPECT_EQ(outcome_of(runtime, answer), Outcome::ok);
  EXPECT_EQ(calls.inputs(), (Inputs{3, 1, 2, 4}));
  calls.all.clear();

  batcher.pause();
  Futures later;
  later.push_back(batcher.submit(5, {.priority = 1}));
  later.push_back(batcher.submit(6));
  later.push_back(batcher.submit(7, {.priority = 2}));
  runtime.advance(20ms);
  EXPECT_EQ(outcome_of(runtime, later[1]), Outcome::expired);
  EXPECT_EQ(outcome_of(runtime, later[2]), Outcome::expired);
  batcher.resume();
  EXPECT_EQ(outcome_of(runtime, later[0]), Outcome::ok);
  EXPECT_EQ(calls.inputs(), (Inputs{5}));
}

TEST(Eviction, TheNewestOfTheLowestPriorityGivesWay) {
  TestRuntime runtime;
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate),
                  {.capacity = 3, .overflow = bw::OverflowAction::evict}, runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  for (int i = 1; i <= 3; ++i) answers.push_back(batcher.submit(i, {.priority = i == 2 ? 2 : 1}));
  answers.push_back(batcher.submit(4, {.priority = 3}));
  EXPECT_EQ(outcome_of(runtime, answers[3]), Outcome::evicted);
  answers.push_back(batcher.submit(5, {.priority = 1}));  // Nothing lower than itself.
  EXPECT_EQ(outcome_of(runtime, answers[5]), Outcome::queue_full);
  gate.open();
  for (const std::size_t i : {0u, 1u, 2u, 4u}) {
    EXPECT_EQ(outcome_of(runtime, answers[i]), Outcome::ok) << i;
  }
  batcher.wait_idle();
  const bw::MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.evicted, 1u);
  EXPECT_EQ(metrics.rejected[Outcome::queue_full], 1u);
  EXPECT_EQ(metrics.unaccounted(), 0);
}

TEST(Eviction, MakesNoRoomInALevelThatIsFullItself) {
  TestRuntime runtime;
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate),
                  {.capacity = 4,
                   .levels = {{.priority = 5, .capacity = 1}},
                   .overflow = bw::OverflowAction::evict},
                  runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  answers.push_back(batcher.submit(1, {.priority = 5}));
  for (int i = 2; i <= 3; ++i) answers.push_back(batcher.submit(i));
  auto beside = batcher.submit(4, {.priority = 5});  // There is room but in its level.
  EXPECT_EQ(outcome_of(runtime, beside), Outcome::queue_full);
  answers.push_back(batcher.submit(5));
  auto full = batcher.submit(6, {.priority = 5});
  EXPECT_EQ(outcome_of(runtime, full), Outcome::queue_full);
  EXPECT_EQ(batcher.metrics().evicted, 0u);
  EXPECT_EQ(batcher.metrics().queued, 4u);
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(outcome_of(runtime, answer), Outcome::ok);
}

TEST(Eviction, AsManyGiveWayAsFreeTheBytes) {
  TestRuntime runtime;
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate),
                  {.max_queued_bytes = 10,
                   .bytes = [](const int& x) { return static_cast<std::size_t>(x); },
                   .overflow = bw::OverflowAction::evict},
                  runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  answers.push_back(batcher.submit(2));
  answers.push_back(batcher.submit(4));
  answers.push_back(batcher.submit(1));
  answers.push_back(batcher.submit(3, {.priority = 1}));
  answers.push_back(batcher.submit(5, {.priority = 1}));  // 1 alone is not enough, 2 need not go.
  EXPECT_EQ(outcome_of(runtime, answers[3]), Outcome::evicted);
  EXPECT_EQ(outcome_of(runtime, answers[2]), Outcome::evicted);
  auto refused = batcher.submit(4, {.priority = 1});  // 2 are not enough, 3 are its equals.
  EXPECT_EQ(outcome_of(runtime, refused), Outcome::queue_full);
  EXPECT_EQ(batcher.metrics().evicted, 2u);
  gate.open();
  for (const std::size_t i : {0u, 1u, 4u, 5u}) {
    EXPECT_EQ(outcome_of(runtime, answers[i]), Outcome::ok) << i;
  }
}

TEST(Eviction, IsNotForWhoOnlyTries) {
  using Pointer = std::unique_ptr<int>;
  TestRuntime runtime;
  batchwright_test::Gate gate(runtime);
  TestBatcher<Pointer, int> batcher(
      [&gate](std::span<const Pointer> inputs) {
        gate.pass();
        Inputs values;
        for (const Pointer& input : inputs) values.push_back(*input);
        return values;
      },
      {.capacity = 1, .overflow = bw::OverflowAction::evict}, runtime);
  auto running = batcher.submit(std::make_unique<int>(0));
  runtime.run_until([&] { return gate.waiting() == 1; });
  auto queued = batcher.submit(std::make_unique<int>(1));
  Pointer argument = std::make_unique<int>(2);
  EXPECT_EQ(batcher.try_submit(std::move(argument), {.priority = 9}).outcome(),
            Outcome::queue_full);
  ASSERT_NE(argument, nullptr);
  runtime.settle();
  EXPECT_FALSE(is_ready(queued));
  EXPECT_EQ(batcher.metrics().evicted, 0u);
  gate.open();
  EXPECT_EQ(runtime.get(queued), 1);
}

TEST(Eviction, ForSeveralNewcomersAtOnceAsManyGiveWayAndNoMore) {
  batchwright_test::for_each_seed(30, [](TestRuntime& runtime) {
    batchwright_test::Gate gate(runtime);
    Batcher batcher(batchwright_test::echo_behind(gate),
                    {.capacity = 6, .overflow = bw::OverflowAction::evict}, runtime);
    Futures answers;
    occupy(batcher, runtime, gate, answers);
    for (int i = 1; i <= 6; ++i) answers.push_back(batcher.submit(i));
    for (int i = 7; i <= 9; ++i) answers.push_back(batcher.submit(i, {.priority = 1}));
    runtime.settle();
    gate.open();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(outcome_of(runtime, answers[i]), i >= 4 && i <= 6 ? Outcome::evicted : Outcome::ok)
          << i;
    }
  });
}

TEST(Eviction, OfARequestThatIsBeingCancelledIsNoHarm) {
  batchwright_test::for_each_seed(300, [](TestRuntime& runtime) {
    Calls calls;
    Batcher batcher(doubler(runtime, calls), {.capacity = 2, .overflow = bw::OverflowAction::evict},
                    runtime);
    batcher.pause();
    auto other = batcher.submit(1, bw::use_ticket);
    auto victim = batcher.submit(2, bw::use_ticket);
    bool cancelled = false;
    auto canceller = runtime.start([&] { cancelled = victim.cancel(); });
    auto urgent = batcher.submit(3, bw::use_ticket, {.priority = 1});
    canceller.join();
    EXPECT_EQ(victim.result().outcome(), cancelled ? Outcome::cancelled : Outcome::evicted);
    batcher.resume();
    EXPECT_EQ(urgent.get(), 6);
    static_cast<void>(other.result());  // Evicted too if the victim's room was not free yet.
    EXPECT_FALSE(calls.saw(2));
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

TEST(Eviction, TakesNothingFromAnotherTenant) {
  TestRuntime runtime;
  batchwright_test::Gate gate(runtime);
  Batcher batcher(batchwright_test::echo_behind(gate),
                  {.capacity = 2,
                   .tenant = [](const int& x) { return x / 10; },
                   .tenant_room = bw::kNoCount,
                   .overflow = bw::OverflowAction::evict},
                  runtime);
  Futures answers;
  occupy(batcher, runtime, gate, answers);
  answers.push_back(batcher.submit(11));
  answers.push_back(batcher.submit(12));
  answers.push_back(batcher.submit(21, {.priority = 9}));
  EXPECT_EQ(outcome_of(runtime, answers[3]), Outcome::queue_full);
  answers.push_back(batcher.submit(13, {.priority = 9}));
  EXPECT_EQ(outcome_of(runtime, answers[2]), Outcome::evicted);
  gate.open();
  EXPECT_EQ(outcome_of(runtime, answers[1]), Outcome::ok);
  EXPECT_EQ(outcome_of(runtime, answers[4]), Outcome::ok);
}

TEST(EarliestDeadline, GoesFirstWithinAPriority) {
  TestRuntime runtime;
  Calls calls;
  Batcher batcher(doubler(runtime, calls),
                  {.max_batch_size = 1, .order = bw::QueueOrder::earliest_deadline}, runtime);
  batcher.pause();
  const bw::TimePoint now = runtime.now();
  Futures answers;
  answers.push_back(batcher.submit(1));
  answers.push_back(batcher.submit(2, {.deadline = now + 9s}));
  answers.push_back(batcher.submit(3, {.deadline = now + 5s}));
  answers.push_back(batcher.submit(4, {.priority = 1}));
  batcher.resume();
  for (auto& answer : answers) static_cast<void>(runtime.get(answer));
  EXPECT_EQ(calls.inputs(), (Inputs{4, 3, 2, 1}));
}

TEST(Isolating, ItsPartsAreTheirOwnSizeAndPadded) {
  TestRuntime runtime;
  std::vector<std::tuple<std::size_t, std::size_t, std::size_t>> runs;
  const auto predict = [&runs](std::span<const int> inputs, const bw::BatchInfo& info) {
    runs.emplace_back(info.count, info.size, info.padded_size);
    for (const int x : inputs) {
      if (x == 9) throw std::runtime_error("bad input");
    }
    return Inputs(inputs.begin(), inputs.end());
  };
  Batcher batcher(bw::isolating(predict),
                  {.max_batch_size = 16,
                   .allowed_sizes = {4, 16},
                   .weight = [](const int&) -> std::size_t { return 2; }},
                  runtime);
  batcher.pause();
  Futures answers;
  for (const int x : {1, 2, 9, 4}) answers.push_back(batcher.submit(x));
  batcher.resume();
  EXPECT_EQ(runtime.get(answers[0]), 1);
  EXPECT_EQ(runtime.get(answers[1]), 2);
  EXPECT_THROW(static_cast<void>(runtime.get(answers[2])), std::runtime_error);
  EXPECT_EQ(runtime.get(answers[3]), 4);
  EXPECT_EQ(runs, (std::vector<std::tuple<std::size_t, std::size_t, std::size_t>>{
                      {4, 8, 16}, {2, 4, 4}, {2, 4, 4}, {1, 2, 4}, {1, 2, 4}}));
}

TEST(ForecastOption, EndsAtOnceWhatCannotMeetItsDeadline) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 10ms),
                                {.max_batch_size = 4, .forecast = Forecast::refuse});
  for (int i = 0; i < 8; ++i) {
    auto answer = batcher.submit(i, use_ticket);
    runtime.settle();
    runtime.advance(10ms);
    EXPECT_EQ(answer.get(), 2 * i);
  }
  std::vector<TestTicket<int>> queued;
  for (int i = 0; i < 12; ++i) queued.push_back(batcher.submit(i, use_ticket));
  runtime.settle();
  auto hopeless = batcher.submit(1, {.deadline = runtime.now() + 30ms});
  auto timely = batcher.submit(2, {.deadline = runtime.now() + 40ms});
  runtime.settle();
  ASSERT_TRUE(is_ready(hopeless));
  EXPECT_EQ(outcome_of(runtime, hopeless), Outcome::would_expire);
  EXPECT_FALSE(is_ready(timely));
  EXPECT_EQ(batcher.metrics().would_expire, 1u);
  for (int i = 0; i < 4; ++i) {
    runtime.advance(10ms);
    runtime.settle();
  }
  EXPECT_EQ(outcome_of(runtime, timely), Outcome::ok);
}

}  // namespace
