// SPDX-License-Identifier: MIT
#include "../support/allocations.hpp"
#include "../support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

// Simulated requests that share a computation, and that a batcher does the same with them.
namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatchReport;
using batchwright::coalesce_by;
using batchwright::Duration;
using batchwright::Forecast;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::QueueOrder;
using batchwright::Result;
using batchwright::SizePolicy;
using batchwright::SubmitOptions;
using batchwright::TimePoint;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;

struct Ended {
  std::size_t request_class = 0;
  Duration arrived{};
  Duration answered{};
  Outcome outcome = Outcome::ok;

  friend bool operator==(const Ended&, const Ended&) = default;
};

/// By number.
struct Diary {
  std::vector<Ended> requests;
  std::vector<std::size_t> batches;  // How many each computed.

  void on_request(const EndedRequest& one) {
    if (requests.size() <= one.number) requests.resize(one.number + 1);
    requests[one.number] = {one.request_class, one.arrived - kStart, one.answered - kStart,
                            one.outcome};
  }
  void on_batch(const BatchReport& report) { batches.push_back(report.count); }

  static constexpr TimePoint kStart = TimePoint{} + 24h;
};

template <class Policy>
Diary diary_of(const BasicSimulation<Policy>& simulation) {
  Diary diary;
  simulate(simulation, diary);
  return diary;
}

/// By hand: all with one key, 2 ms for a batch and 1 ms for each that it computes.
Simulation schedule(std::vector<Duration> instants) {
  return {.arrivals = TraceArrivals{.instants = std::move(instants)},
          .classes = {{.keys = 1}},
          .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms}},
          .warm_up = 0};
}

std::vector<Duration> answers(const Diary& diary) {
  std::vector<Duration> answered;
  for (const Ended& one : diary.requests) answered.push_back(one.answered);
  return answered;
}

using Durations = std::vector<Duration>;
using Sizes = std::vector<std::size_t>;

TEST(Sharing, WhoComesWhileAnIdenticalOneIsComputedGetsItsAnswer) {
  const Simulation simulation = schedule({0ms, 1ms, 2ms, 3ms, 4ms});
  const Diary diary = diary_of(simulation);
  // The one that comes as the first ends begins anew.
  EXPECT_EQ(answers(diary), (Durations{3ms, 3ms, 3ms, 6ms, 6ms}));
  EXPECT_EQ(diary.batches, (Sizes{1, 1}));
  EXPECT_EQ(simulate(simulation).shared, 3u);
}

TEST(Sharing, WhatIsQueuedAndIdenticalIsComputedOnce) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 2ms});
  simulation.batcher.policy = HybridPolicy{.max_wait = 5ms};
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(answers(diary), Durations(4, 8ms));
  EXPECT_EQ(diary.batches, Sizes{1});
}

TEST(Sharing, ThoseWithoutKeysAreEachComputed) {
  Simulation simulation = schedule({0ms, 1ms, 2ms});
  simulation.classes = {{.proportion = 1e-9, .keys = 1}, {}};
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(answers(diary), (Durations{3ms, 7ms, 7ms}));
  EXPECT_EQ(diary.batches, (Sizes{1, 2}));
  EXPECT_EQ(simulate(simulation).shared, 0u);
}

TEST(Sharing, ManyKeysAreHardlyEverTheSame) {
  Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 2000},
                        .classes = {{.keys = 1'000'000}},
                        .service = {.curve = AffineCurve{.per_item = 144us, .fixed = 1887us}},
                        .requests = 20'000};
  EXPECT_LT(simulate(simulation).shared, 20u);
  simulation.classes[0].keys = 2;
  EXPECT_GT(simulate(simulation).shared, 5'000u);
}

TEST(Sharing, ByTheDispatcherItselfOnlyWhatIsQueuedIsShared) {
  Simulation simulation = schedule({0ms, 1ms, 2ms});
  simulation.batcher.executors = 0;
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(answers(diary), (Durations{3ms, 6ms, 6ms}));
}

TEST(Sharing, WhoWaitsForARunningComputationExpiresByHimself) {
  Simulation simulation = schedule({0ms, 1ms});
  simulation.classes[0].deadline = 2ms;
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.requests[0].outcome, Outcome::ok);
  EXPECT_EQ(diary.requests[1].outcome, Outcome::ok);  // At 3 ms, its deadline, it is there.
  simulation.classes[0].deadline = 1ms;
  EXPECT_EQ(diary_of(simulation).requests[1], (Ended{0, 1ms, 2ms, Outcome::expired}));
  simulation.arrivals = TraceArrivals{.instants = {0ms, 1ms, 2900us}};
  const SimulationResult result = simulate(simulation);
  EXPECT_EQ(result.outcomes[Outcome::expired], 1u);
  EXPECT_EQ(result.mean_queued, 0);
}

TEST(Sharing, WhoWaitsForARunningComputationHoldsHisRoom) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 4ms});
  simulation.batcher.capacity = 1;
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.requests[1], (Ended{0, 1ms, 3ms, Outcome::ok}));
  EXPECT_EQ(diary.requests[2], (Ended{0, 2ms, 2ms, Outcome::queue_full}));
  EXPECT_EQ(diary.requests[3], (Ended{0, 4ms, 7ms, Outcome::ok}));
}

// One key: who finds nobody computing begins; all who come meanwhile wait for the rest of it. A cycle
// has 1 + r d of them, of which r d wait d / 2 in the mean.
TEST(Sharing, OfOneKeyTheMeanIsThatOfTheCycle) {
  const double rate = 2000;
  const double service = 2e-3;
  const SimulationResult result =
      simulate(Simulation{.arrivals = PoissonArrivals{.rate_hz = rate},
                          .classes = {{.keys = 1}},
                          .service = {.curve = AffineCurve{.fixed = 2ms}},
                          .requests = 400'000});
  const double riders = rate * service;
  const double mean_ns = 1e9 * service * (1 + riders / 2) / (1 + riders);
  EXPECT_NEAR(result.latency.mean_ns, mean_ns, 0.005 * mean_ns);
  EXPECT_NEAR(static_cast<double>(result.shared) / static_cast<double>(result.latency.count),
              riders / (1 + riders), 0.005);
  EXPECT_EQ(result.batch_sizes.max(), 1u);
  // Who waits for what is computed is not queued.
  EXPECT_EQ(result.mean_queued, 0);
  EXPECT_NEAR(result.mean_in_system, rate * result.latency.mean_ns * 1e-9, 0.01);
}

TEST(Sharing, WithoutKeysNothingChanges) {
  Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 3000},
                        .service = {.curve = AffineCurve{.per_item = 144us, .fixed = 1887us}},
                        .requests = 5'000};
  const SimulationResult plain = simulate(simulation);
  // Each request is one of the coalescer's, and none shares.
  simulation.classes = {{.proportion = 1e-9, .keys = 1}, {}};
  const SimulationResult keyed = simulate(simulation);
  EXPECT_EQ(keyed.latency, plain.latency);
  EXPECT_EQ(keyed.batch_sizes, plain.batch_sizes);
}

TEST(Sharing, ALongerRunAllocatesNoMore) {
  if (batchwright::detail::kLargestPooled == 0) GTEST_SKIP() << "there are no pools";
  const auto allocations = [](std::uint64_t requests) {
    const BasicSimulation<GreedyPolicy> simulation{.arrivals = PoissonArrivals{.rate_hz = 3000},
                                                   .classes = {{.keys = 5}},
                                                   .service = {.curve = AffineCurve{.fixed = 1ms}},
                                                   .requests = requests};
    const batchwright_test::AllocationCount count;
    simulate(simulation);
    return count();
  };
  allocations(5'000);
  EXPECT_LE(allocations(100'000), allocations(5'000) + 4);
}

// What is left when a run ends early has memory of the pools, which the address sanitizer looks for.
TEST(Sharing, AListenerThatThrowsLeavesNothingBehind) {
  struct Thrower {
    std::size_t left = 0;
    void on_request(const EndedRequest&) {
      if (left-- == 0) throw std::runtime_error("enough");
    }
  };
  for (std::size_t left = 0; left < 60; ++left) {
    EXPECT_THROW(simulate(Simulation{.arrivals = PoissonArrivals{.rate_hz = 8000},
                                     .classes = {{.keys = 3}, {.deadline = 1ms, .keys = 2}, {}},
                                     .service = {.curve = AffineCurve{.fixed = 1ms}},
                                     .batcher = {.max_batch_size = 4, .executors = 2},
                                     .requests = 1000},
                          Thrower{left}),
                 std::runtime_error);
  }
}

// The batcher itself, with the same requests at the same instants on virtual time.

using Curve = AffineCurve;

template <class Policy>
std::vector<Ended> run_batcher(const BasicSimulation<Policy>& simulation,
                               const std::vector<Ended>& requests) {
  TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
  const Curve curve{.per_item = 144us, .fixed = 1887us};
  batchwright::BatcherOptions<int, Policy> options;
  options.max_batch_size = simulation.batcher.max_batch_size;
  options.policy = simulation.batcher.policy;
  options.executors = simulation.batcher.executors;
  options.capacity = simulation.batcher.capacity;
  options.overflow = simulation.batcher.overflow;
  options.order = simulation.batcher.order;
  options.forecast = simulation.batcher.forecast;
  options.coalesce = coalesce_by<int>(std::identity{});
  auto predict = [&](std::span<const int> inputs) {
    batchwright_test::work_for(runtime, curve(inputs.size()));
    return std::vector<int>(inputs.begin(), inputs.end());
  };
  TestBatcher<int, int, Policy> batcher(batchwright::shared_predictor(predict), options, runtime);
  const TimePoint start = runtime.now() + 1s;
  std::vector<Ended> ended(requests.size());
  std::size_t left = requests.size();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    batchwright_test::work_for(runtime, start + requests[i].arrived - runtime.now());
    const RequestClass& one = simulation.classes[requests[i].request_class];
    ended[i] = {requests[i].request_class, runtime.now() - start, {}, Outcome::ok};
    SubmitOptions submit{.priority = one.priority};
    if (one.deadline != Duration::max()) submit.deadline = runtime.now() + one.deadline;
    const auto admitted = batcher.submit(
        static_cast<int>(requests[i].request_class),
        [&, i](const Result<int>& result) {
          ended[i].answered = runtime.now() - start;
          ended[i].outcome = result.outcome();
          --left;
        },
        submit);
    if (!admitted) {
      ended[i].answered = runtime.now() - start;
      ended[i].outcome = admitted.outcome();
      --left;
    }
  }
  while (left > 0) batchwright_test::work_for(runtime, 1ms);
  return ended;
}

template <class Policy>
void expect_the_batchers_answers(BasicSimulation<Policy> simulation) {
  simulation.service.curve = Curve{.per_item = 144us, .fixed = 1887us};
  simulation.warm_up = 0;
  std::size_t shared = 0;
  for (simulation.seed = 1; simulation.seed <= 5; ++simulation.seed) {
    SCOPED_TRACE(simulation.seed);
    // Of the trace nothing comes behind those that are measured.
    Durations instants;
    for (const Ended& one : diary_of(simulation).requests) instants.push_back(one.arrived);
    instants.resize(simulation.requests);
    BasicSimulation<Policy> traced = simulation;
    traced.arrivals = TraceArrivals{.instants = instants};
    const std::vector<Ended> simulated = diary_of(traced).requests;
    const std::vector<Ended> real = run_batcher(traced, simulated);
    ASSERT_EQ(simulated.size(), real.size());
    for (std::size_t i = 0; i < real.size(); ++i) {
      ASSERT_EQ(simulated[i].outcome, real[i].outcome) << "request " << i;
      ASSERT_EQ(simulated[i].answered, real[i].answered) << "request " << i;
    }
    shared += simulate(traced).shared;
  }
  EXPECT_GT(shared, simulation.requests / 10);
}

std::vector<RequestClass> popular() {
  return {{.proportion = 8, .keys = 1},
          {.proportion = 4, .priority = 1, .deadline = 5ms, .keys = 1},
          {.proportion = 4, .deadline = 2500us, .keys = 1},
          {.proportion = 2, .priority = 2, .keys = 1},
          {.proportion = 1, .priority = -1, .deadline = 20ms, .keys = 1},
          {.proportion = 1, .keys = 1}};
}

TEST(SharingOfTheBatcher, EachAnswerComesAtTheSimulatedInstant) {
  expect_the_batchers_answers(
      BasicSimulation<GreedyPolicy>{.arrivals = PoissonArrivals{.rate_hz = 3000},
                                    .classes = popular(),
                                    .batcher = {.max_batch_size = 4},
                                    .requests = 400});
}

TEST(SharingOfTheBatcher, SoItDoesWithWindowsAndSeveralExecutors) {
  expect_the_batchers_answers(BasicSimulation<HybridPolicy>{
      .arrivals = PoissonArrivals{.rate_hz = 3000},
      .classes = popular(),
      .batcher = {.max_batch_size = 4,
                  .policy = HybridPolicy{.size = 3, .max_wait = 1500us},
                  .executors = 2,
                  .order = QueueOrder::earliest_deadline},
      .requests = 400});
}

TEST(SharingOfTheBatcher, SoItDoesWhereTheQueueIsFull) {
  for (const OverflowAction overflow : {OverflowAction::reject, OverflowAction::evict}) {
    expect_the_batchers_answers(BasicSimulation<GreedyPolicy>{
        .arrivals = PoissonArrivals{.rate_hz = 4000},
        .classes = popular(),
        .batcher = {.max_batch_size = 2, .capacity = 4, .overflow = overflow},
        .requests = 400});
  }
}

TEST(SharingOfTheBatcher, SoItDoesWhereAFullQueueEndsAWait) {
  expect_the_batchers_answers(
      BasicSimulation<SizePolicy>{.arrivals = PoissonArrivals{.rate_hz = 2000},
                                  .classes = popular(),
                                  .batcher = {.max_batch_size = 8, .executors = 2, .capacity = 4},
                                  .requests = 400});
}

TEST(SharingOfTheBatcher, SoItDoesWithAForecast) {
  expect_the_batchers_answers(
      BasicSimulation<GreedyPolicy>{.arrivals = PoissonArrivals{.rate_hz = 4000},
                                    .classes = popular(),
                                    .batcher = {.max_batch_size = 2, .forecast = Forecast::refuse},
                                    .requests = 400});
}

TEST(SharingOfTheBatcher, SoItDoesOnTheDispatchersOwnThread) {
  expect_the_batchers_answers(
      BasicSimulation<GreedyPolicy>{.arrivals = PoissonArrivals{.rate_hz = 3000},
                                    .classes = popular(),
                                    .batcher = {.max_batch_size = 4, .executors = 0},
                                    .requests = 400});
}

}  // namespace
