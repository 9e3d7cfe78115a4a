// SPDX-License-Identifier: MIT
#include <batchwright/policies/adaptive.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/policies/size.hpp>
#include <batchwright/policies/time.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AdaptivePolicy;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::kNoCount;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::QueueView;
using batchwright::SizePolicy;
using batchwright::TimePoint;
using batchwright::TimePolicy;

/// The instants of a run, counted from its first arrival.
struct Diary {
  struct Ended {
    Duration arrived, answered;
    Outcome outcome = Outcome::ok;
    friend bool operator==(const Ended&, const Ended&) = default;
  };
  struct Batch {
    std::size_t executor, count;
    Duration dispatched, finished;
    friend bool operator==(const Batch&, const Batch&) = default;
  };

  std::vector<Ended> requests;  // By number.
  std::vector<Batch> batches;   // In the order in which they ended.
  std::vector<std::size_t> classes;

  void on_request(const EndedRequest& request) {
    if (requests.size() <= request.number) {
      requests.resize(request.number + 1);
      classes.resize(request.number + 1);
    }
    requests[request.number] = {request.arrived - kStart, request.answered - kStart,
                                request.outcome};
    classes[request.number] = request.request_class;
  }
  void on_batch(const BatchReport& report) {
    batches.push_back(
        {report.executor, report.count, report.dispatched - kStart, report.finished - kStart});
  }

  static constexpr TimePoint kStart = TimePoint{} + 24h;
};

/// Written by hand: arrivals at these instants, 2 ms for a batch and 1 ms for each request.
Simulation schedule(std::vector<Duration> instants) {
  return {.arrivals = TraceArrivals{.instants = std::move(instants)},
          .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms}},
          .warm_up = 0};
}

Diary diary_of(const Simulation& simulation) {
  Diary diary;
  simulate(simulation, diary);
  return diary;
}

using Batches = std::vector<Diary::Batch>;
using Requests = std::vector<Diary::Ended>;

TEST(Simulator, GreedyServesAHandWrittenSchedule) {
  const Diary diary = diary_of(schedule({0ms, 1ms, 2ms, 3ms, 10ms}));
  // The one at 3 ms comes in the instant in which the first batch ends, and joins the next one.
  EXPECT_EQ(diary.batches, (Batches{{0, 1, 0ms, 3ms}, {0, 3, 3ms, 8ms}, {0, 1, 10ms, 13ms}}));
  EXPECT_EQ(diary.requests,
            (Requests{{0ms, 3ms}, {1ms, 8ms}, {2ms, 8ms}, {3ms, 8ms}, {10ms, 13ms}}));
}

TEST(Simulator, TheFiguresAreThoseOfTheHandWrittenSchedule) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 3ms, 10ms});
  simulation.objective = 6ms;
  const SimulationResult result = simulate(simulation);
  EXPECT_EQ(result.window, 10ms);
  EXPECT_DOUBLE_EQ(result.latency.mean_ns, (3 + 7 + 6 + 5 + 3) / 5.0 * 1e6);
  EXPECT_EQ(result.latency.p50, 5ms);
  EXPECT_EQ(result.latency.max, 7ms);
  EXPECT_DOUBLE_EQ(result.offered_hz, 400);
  EXPECT_DOUBLE_EQ(result.throughput_hz, 400);
  EXPECT_DOUBLE_EQ(result.goodput_hz, 300);
  EXPECT_DOUBLE_EQ(result.utilisation[0], 0.8);
  EXPECT_DOUBLE_EQ(result.mean_queued, 0.3);
  EXPECT_DOUBLE_EQ(result.mean_in_system, 2.1);
  EXPECT_EQ(result.batches, 3u - 1) << "the last one leaves when the window has closed";
}

TEST(Simulator, AnArrivalAtTheEndOfAWindowJoinsTheBatch) {
  Simulation simulation = schedule({0ms, 4ms, 4ms, 5ms});
  simulation.batcher.policy = TimePolicy{.max_wait = 4ms};
  EXPECT_EQ(diary_of(simulation).batches, (Batches{{0, 3, 4ms, 9ms}, {0, 1, 9ms, 12ms}}));
}

TEST(Simulator, AWaitEndsWhenTheAwaitedSizeHasCome) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 3ms});
  simulation.batcher.policy = HybridPolicy{.size = 3, .max_wait = 50ms};
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.batches[0], (Diary::Batch{0, 3, 2ms, 7ms}));
  EXPECT_EQ(diary.batches[1], (Diary::Batch{0, 1, 53ms, 56ms})) << "the window of the last one";
}

TEST(Simulator, WhoWouldWaitForEverLeavesWhenNobodyComesAnyMore) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 3ms});
  simulation.batcher.policy = SizePolicy{.size = 3};
  simulation.batcher.max_wait = Duration::max();
  EXPECT_EQ(diary_of(simulation).batches, (Batches{{0, 3, 2ms, 7ms}, {0, 1, 7ms, 10ms}}));
}

TEST(Simulator, TheLastRequestsHaveCompanyToo) {
  const SimulationResult result =
      simulate(BasicSimulation<SizePolicy>{.arrivals = RegularArrivals{.rate_hz = 1000},
                                           .service = {.curve = AffineCurve{.fixed = 1us}},
                                           .batcher = {.policy = SizePolicy{.size = 8}},
                                           .requests = 20,
                                           .warm_up = 0});
  EXPECT_EQ(result.latency.count, 20u);
  EXPECT_EQ(result.latency.max, 7ms + 1us) << "not what the net is for";
}

// With half as much again as the largest preferred size can carry, and with a little less than that.
TEST(Simulator, UnderLoadBatchesAreOfAPreferredSizeAndNeverOfOneMore) {
  constexpr double kCapacity = 8 / 0.010;  // 2 ms and 1 ms for each of 8.
  for (const double load : {0.9, 1.5}) {
    SCOPED_TRACE(load);
    const Diary diary = diary_of(
        {.arrivals = PoissonArrivals{.rate_hz = load * kCapacity},
         .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms}},
         .batcher = {.max_batch_size = 16, .preferred_sizes = {4, 8}, .capacity = 1'000'000},
         .requests = 4000,
         .warm_up = 0});
    std::vector<std::size_t> seen(17);
    std::size_t arrived = 0;
    std::size_t dispatched = 0;
    std::size_t of_eight = 0;
    std::size_t between = 0;
    for (const Diary::Batch& batch : diary.batches) {
      while (arrived < diary.requests.size() &&
             diary.requests[arrived].arrived <= batch.dispatched) {
        ++arrived;
      }
      if (arrived == diary.requests.size()) break;  // Beside the last ones are some we do not see.
      const std::size_t queued = arrived - dispatched;
      EXPECT_EQ(batch.count, queued >= 8 ? 8 : queued >= 4 ? 4 : queued) << queued << " queued";
      of_eight += queued >= 8 ? 1 : 0;
      between += queued > 4 && queued < 8 ? 1 : 0;
      ++seen[batch.count];
      dispatched += batch.count;
    }
    EXPECT_EQ(seen[8], of_eight);
    EXPECT_GT(of_eight, load > 1 ? 300u : 50u);
    if (load < 1) {
      EXPECT_GT(between, 50u);
    }
    for (const std::size_t size : {5u, 6u, 7u, 9u, 16u}) EXPECT_EQ(seen[size], 0u) << size;
  }
}

TEST(Simulator, ARunEndsThoughAPolicyLetsARequestWaitForEver) {
  Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 1000},
                        .classes = {{.proportion = 1e5}, {.lane = 1}},
                        .service = {.curve = AffineCurve{.fixed = 1us}},
                        .batcher = {.max_batch_size = 8,
                                    .policy = SizePolicy{},
                                    .max_wait = Duration::max(),
                                    .overtaking_bound = 1'000'000'000},
                        .requests = 200'000,
                        .warm_up = 0,
                        .seed = 3};
  const SimulationResult result = simulate(simulation);
  EXPECT_EQ(result.outcomes[Outcome::ok], 200'000u);
  EXPECT_GT(result.classes[1].latency.max, 100s);
}

TEST(Simulator, TheNetCatchesWhomThePolicyForgets) {
  Simulation simulation = schedule({0ms, 100ms});
  simulation.batcher.policy = SizePolicy{.size = 3};
  simulation.batcher.max_wait = 20ms;
  EXPECT_EQ(diary_of(simulation).batches, (Batches{{0, 1, 20ms, 23ms}, {0, 1, 120ms, 123ms}}));
}

TEST(Simulator, UnequalExecutorsEndOutOfTurnAndTheFasterIsPreferred) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 3ms, 40ms, 80ms});
  simulation.batcher.executors = 2;
  simulation.service.speeds = {0.5, 3};
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.batches, (Batches{{1, 1, 1ms, 2ms},
                                    {1, 1, 2ms, 3ms},
                                    {1, 1, 3ms, 4ms},
                                    {0, 1, 0ms, 6ms},
                                    {1, 1, 40ms, 41ms},
                                    {1, 1, 80ms, 81ms}}));
}

TEST(Simulator, RequestsExpireOnTimeWhileTheExecutorIsBusy) {
  Simulation simulation = schedule({0ms, 1ms, 2ms});
  simulation.service.curve = AffineCurve{.fixed = 10ms};
  simulation.classes = {{.deadline = 8ms}};
  EXPECT_EQ(diary_of(simulation).requests,
            (Requests{{0ms, 10ms}, {1ms, 9ms, Outcome::expired}, {2ms, 10ms, Outcome::expired}}));
}

TEST(Simulator, RequestsExpireOnTimeWhileThePolicyWaits) {
  Simulation simulation = schedule({0ms, 1ms, 30ms});
  simulation.classes = {{.deadline = 8ms}};
  simulation.batcher.policy = TimePolicy{.max_wait = 20ms};
  EXPECT_EQ(diary_of(simulation).requests, (Requests{{0ms, 8ms, Outcome::expired},
                                                     {1ms, 9ms, Outcome::expired},
                                                     {30ms, 38ms, Outcome::expired}}));
}

TEST(Simulator, OnTheDispatchersOwnThreadTheyExpireWhenTheBatchEnds) {
  Simulation simulation = schedule({0ms, 1ms, 5ms});
  simulation.service.curve = AffineCurve{.fixed = 10ms};
  simulation.classes = {{.deadline = 8ms}};
  simulation.batcher.executors = 0;
  EXPECT_EQ(diary_of(simulation).requests,
            (Requests{{0ms, 10ms}, {1ms, 10ms, Outcome::expired}, {5ms, 20ms}}));
}

TEST(Simulator, ATimeoutThatDelaysPutsARequestBehindTheOthers) {
  Simulation simulation = schedule({0ms, 1ms, 6ms, 20ms});
  simulation.service.curve = AffineCurve{.fixed = 10ms};
  simulation.batcher.max_batch_size = 1;
  simulation.batcher.queue = {.timeout = 5ms, .on_timeout = batchwright::TimeoutAction::delay};
  EXPECT_EQ(diary_of(simulation).requests,
            (Requests{{0ms, 10ms}, {1ms, 40ms}, {6ms, 20ms}, {20ms, 30ms}}));
}

TEST(Simulator, WhatFindsTheQueueFullIsRefusedAtOnce) {
  Simulation simulation = schedule({0ms, 1ms, 1ms, 2ms, 3ms, 4ms});
  simulation.batcher.capacity = 2;
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.requests[3], (Diary::Ended{2ms, 2ms, Outcome::queue_full}));
  EXPECT_EQ(diary.requests[4].outcome, Outcome::queue_full) << "it comes before the batch leaves";
  EXPECT_EQ(diary.requests[5], (Diary::Ended{4ms, 10ms})) << "the batch has left and made room";
}

TEST(Simulator, ALevelHasACapacityOfItsOwn) {
  Simulation simulation = schedule({0ms, 1ms, 1ms, 7ms});
  simulation.batcher.levels = {{.priority = 0, .capacity = 1}};
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.requests[1].outcome, Outcome::ok);
  EXPECT_EQ(diary.requests[2].outcome, Outcome::queue_full);
  EXPECT_EQ(diary.requests[3].outcome, Outcome::ok);
}

TEST(Simulator, BytesAreBounded) {
  Simulation simulation = schedule({0ms, 1ms, 1ms, 7ms});
  simulation.classes = {{.bytes = 600}};
  simulation.batcher.max_queued_bytes = 1000;
  const Diary diary = diary_of(simulation);
  EXPECT_EQ(diary.requests[1].outcome, Outcome::ok);
  EXPECT_EQ(diary.requests[2].outcome, Outcome::queue_full);
  EXPECT_EQ(diary.requests[3].outcome, Outcome::ok);
}

TEST(Simulator, WhatIsLargerThanTheCapIsRefused) {
  Simulation simulation = schedule({0ms});
  simulation.classes = {{.weight = 33}};
  EXPECT_EQ(diary_of(simulation).requests, (Requests{{0ms, 0ms, Outcome::too_large}}));
  simulation.batcher.oversized = batchwright::Oversized::run_alone;
  EXPECT_EQ(diary_of(simulation).requests, (Requests{{0ms, 35ms}}));
}

TEST(Simulator, AHigherPriorityEvictsALowerOneFromAFullQueue) {
  Simulation simulation = schedule(std::vector<Duration>(60, 0ms));
  simulation.classes = {{.name = "low"}, {.name = "high", .priority = 1}};
  simulation.batcher.max_batch_size = 4;
  simulation.batcher.capacity = 10;
  simulation.batcher.overflow = OverflowAction::evict;
  const SimulationResult result = simulate(simulation);
  // All of one instant. Four leave when the first gives way, and ten stay in the queue.
  EXPECT_EQ(result.classes[0].outcomes[Outcome::ok], 0u);
  EXPECT_GT(result.classes[0].outcomes[Outcome::evicted], 0u);
  EXPECT_EQ(result.classes[1].outcomes[Outcome::ok], 14u);
  EXPECT_EQ(result.classes[1].outcomes[Outcome::evicted], 0u);
  EXPECT_EQ(result.outcomes.total(), 60u);
}

TEST(Simulator, AHigherPriorityGoesFirst) {
  Simulation simulation{
      .arrivals = PoissonArrivals{.rate_hz = 300},
      .classes = {{.name = "low", .proportion = 4}, {.name = "high", .priority = 1}},
      .service = {.curve = AffineCurve{.per_item = 3ms}},
      .batcher = {.max_batch_size = 1},
      .requests = 20'000};
  const SimulationResult result = simulate(simulation);
  EXPECT_LT(result.classes[1].latency.p99, result.classes[0].latency.p50);
}

TEST(Simulator, LanesAreBatchedApartAndWeightsFillTheBatch) {
  Simulation simulation = schedule(std::vector<Duration>(40, 0ms));
  simulation.classes = {{.weight = 2, .lane = 0}, {.weight = 3, .lane = 1}};
  simulation.batcher.max_batch_size = 6;
  struct Sizes {
    std::vector<std::pair<std::size_t, std::size_t>> seen;
    void on_batch(const BatchReport& report) { seen.emplace_back(report.count, report.size); }
  } sizes;
  const SimulationResult result = simulate(simulation, sizes);
  EXPECT_EQ(result.outcomes[Outcome::ok], 40u);
  for (const auto& [count, size] : sizes.seen) {
    EXPECT_TRUE(size == 2 * count || size == 3 * count) << count << " of size " << size;
    EXPECT_LE(size, 6u);
  }
}

TEST(Simulator, TheSizeOfABatchIsWhatTheCapCounts) {
  Simulation simulation = schedule(std::vector<Duration>(40, 0ms));
  simulation.classes = {{.length = 2}, {.length = 5}};
  simulation.batcher.max_batch_size = 20;
  simulation.batcher.size_rule = batchwright::SizeRule::padded;
  struct Sizes {
    std::vector<BatchReport> seen;
    void on_batch(const BatchReport& report) { seen.push_back(report); }
  } sizes;
  simulate(simulation, sizes);
  ASSERT_FALSE(sizes.seen.empty());
  for (const BatchReport& report : sizes.seen) {
    EXPECT_TRUE(report.size == 2 * report.count || report.size == 5 * report.count);
    EXPECT_EQ(report.padded_size, report.size);
  }
}

TEST(Simulator, AStickyLaneStaysWithItsExecutor) {
  Simulation simulation = schedule(std::vector<Duration>(40, 0ms));
  simulation.classes = {{.lane = 0}, {.lane = 1}};
  simulation.batcher.executors = 2;
  simulation.batcher.max_batch_size = 2;
  simulation.batcher.sticky_lanes = batchwright::StickyLanes::yes;
  Diary diary = diary_of(simulation);
  std::vector<std::size_t> of_lane(2), of_executor(2);
  for (const std::size_t lane : diary.classes) ++of_lane[lane];
  for (const Diary::Batch& batch : diary.batches) of_executor[batch.executor] += batch.count;
  EXPECT_EQ(of_executor, of_lane);
}

TEST(Simulator, ATenantThatFloodsTakesNoRoomFromOneThatKeepsWithinItsShare) {
  // The executor answers 1,000 a second. One tenant offers ten times that, the other 0.4 of it.
  const auto answered_of_the_quiet = [](std::size_t tenant_room) {
    Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 10'400},
                          .classes = {{.proportion = 10'000}, {.proportion = 400, .tenant = 1}},
                          .service = {.curve = AffineCurve{.per_item = 1ms}},
                          .batcher = {.max_batch_size = 4, .capacity = 100},
                          .requests = 100'000,
                          .warm_up = 0};
    simulation.batcher.tenant_room = tenant_room;
    struct Counted {
      double ended = 0;
      double answered = 0;
      void on_request(const EndedRequest& request) {
        if (request.request_class != 1) return;
        ++ended;
        answered += request.outcome == Outcome::ok ? 1 : 0;
      }
    } counted;
    simulate(simulation, counted);
    return counted.answered / counted.ended;
  };
  EXPECT_EQ(answered_of_the_quiet(4), 1);
  EXPECT_LT(answered_of_the_quiet(kNoCount), 0.2);
}

TEST(Simulator, TenantsShareTheExecutorAsTheirSharesSay) {
  Simulation simulation{.arrivals = PoissonArrivals{.rate_hz = 4000},
                        .classes = {{.tenant = 0, .tenant_share = 3}, {.tenant = 1}},
                        .service = {.curve = AffineCurve{.per_item = 1ms}},
                        .batcher = {.max_batch_size = 1, .capacity = 100'000},
                        .requests = 20'000,
                        .warm_up = 0};
  std::vector<std::size_t> served(2);
  struct Served {
    std::vector<std::size_t>& served;
    void on_request(const EndedRequest& request) {
      if (request.answered < Diary::kStart + 4s) ++served[request.request_class];
    }
  } listener{served};
  simulate(simulation, listener);
  EXPECT_NEAR(static_cast<double>(served[0]) / static_cast<double>(served[1]), 3, 0.05);
}

TEST(Simulator, ABatchTakesTheTimeOfTheSizeThatItIsPaddedTo) {
  Simulation simulation = schedule({0ms, 1ms, 1ms, 1ms});
  simulation.batcher.allowed_sizes = {1, 8};
  simulation.batcher.max_batch_size = 8;
  EXPECT_EQ(diary_of(simulation).batches, (Batches{{0, 1, 0ms, 3ms}, {0, 3, 3ms, 13ms}}));
}

TEST(Simulator, AnAsynchronousExecutorTakesTheNextBatchAndComputesItAfterTheFirst) {
  Simulation simulation = schedule({0ms, 1ms, 2ms, 2ms, 3ms});
  simulation.service.predictor = PredictorKind::asynchronous;
  EXPECT_EQ(diary_of(simulation).batches,
            (Batches{{0, 1, 0ms, 3ms}, {0, 1, 1ms, 6ms}, {0, 3, 3ms, 11ms}}));
}

TEST(Simulator, AnAsynchronousExecutorWithTwoStreamsComputesTwoBatchesAtOnce) {
  Simulation simulation = schedule({0ms, 1ms, 2ms});
  simulation.service.predictor = PredictorKind::asynchronous;
  simulation.service.streams = 2;
  simulation.batcher.max_in_flight = 3;
  EXPECT_EQ(diary_of(simulation).batches,
            (Batches{{0, 1, 0ms, 3ms}, {0, 1, 1ms, 4ms}, {0, 1, 2ms, 6ms}}));
}

TEST(Simulator, AnAsynchronousExecutorIsGivenASecondBatchWhenEachHasOne) {
  Simulation simulation = schedule({0ms, 1ms, 1500us, 2ms});
  simulation.service.predictor = PredictorKind::asynchronous;
  simulation.service.streams = 2;
  simulation.batcher.executors = 2;
  EXPECT_EQ(
      diary_of(simulation).batches,
      (Batches{{0, 1, 0ms, 3ms}, {1, 1, 1ms, 4ms}, {0, 1, 1500us, 4500us}, {1, 1, 2ms, 5ms}}));
}

TEST(Simulator, OfASynchronousExecutorTheStreamsMeanNothing) {
  Simulation simulation = schedule({0ms, 1ms});
  simulation.service.streams = 2;
  EXPECT_EQ(diary_of(simulation).batches, (Batches{{0, 1, 0ms, 3ms}, {0, 1, 3ms, 6ms}}));
}

TEST(Simulator, AChangeOfTheServiceHoldsForBatchesDispatchedFromThenOn) {
  Simulation simulation = schedule({0ms, 2ms, 10ms});
  simulation.service.changes = {{.at = 1ms, .factor = 2}};
  EXPECT_EQ(diary_of(simulation).batches,
            (Batches{{0, 1, 0ms, 3ms}, {0, 1, 3ms, 9ms}, {0, 1, 10ms, 16ms}}));
}

TEST(Simulator, AClosedLoopSendsTheNextAfterTheAnswer) {
  Simulation simulation{
      .arrivals =
          ClosedLoopArrivals{
              .clients = 1, .mean_think = 5ms, .think_time = ThinkTime::fixed, .turnaround = 0ns},
      .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms}},
      .requests = 3,
      .warm_up = 0};
  EXPECT_EQ(diary_of(simulation).requests, (Requests{{0ms, 3ms}, {8ms, 11ms}, {16ms, 19ms}}));
}

TEST(Simulator, ARefusedClientComesBackAndTheRunEnds) {
  Simulation simulation{.arrivals = ClosedLoopArrivals{.clients = 40, .turnaround = 0ns},
                        .service = {.curve = AffineCurve{.per_item = 1ms}},
                        .batcher = {.max_batch_size = 2, .capacity = 4},
                        .requests = 5000};
  const SimulationResult result = simulate(simulation);
  EXPECT_GT(result.outcomes[Outcome::queue_full], 0u);
  EXPECT_GT(result.outcomes[Outcome::ok], 0u);
  EXPECT_EQ(result.outcomes.total(), 4500u);
}

/// Everything at once.
Simulation rich(std::uint64_t seed) {
  return {.arrivals = MmppArrivals{.states = {{.rate_hz = 9000, .mean_stay = 20ms},
                                              {.rate_hz = 900, .mean_stay = 30ms}}},
          .classes = {{.name = "a", .proportion = 2, .priority = 1, .deadline = 30ms},
                      {.name = "b", .timeout = 50ms, .weight = 2, .lane = 1},
                      {.name = "c", .lane = 1, .tenant = 1, .tenant_share = 2}},
          .service = {.curve = AffineCurve{.per_item = 140us, .fixed = 2ms},
                      .noise = LognormalNoise{.sigma = 0.2},
                      .stalls = {.probability = 0.01, .length = 20ms},
                      .speeds = {1, 0.7},
                      .changes = {{.at = 1s, .factor = 1.5}}},
          .batcher = {.max_batch_size = 16,
                      .policy = AdaptivePolicy{.window = 1ms},
                      .executors = 2,
                      .capacity = 64,
                      .overflow = OverflowAction::evict},
          .requests = 20'000,
          .objective = 20ms,
          .seed = seed};
}

TEST(Simulator, EqualSeedsGiveEqualResultsToTheLastBit) {
  const SimulationResult result = simulate(rich(5));
  EXPECT_EQ(result, simulate(rich(5)));
  EXPECT_NE(result, simulate(rich(6)));
  EXPECT_GT(result.outcomes[Outcome::expired], 0u);
  EXPECT_GT(result.outcomes[Outcome::evicted], 0u);
  EXPECT_GT(result.outcomes[Outcome::queue_full], 0u);
}

TEST(Simulator, AResultIsTheSameWithEveryCompiler) {
  const SimulationResult result = simulate(rich(5));
  EXPECT_EQ(result.latency.mean_ns, 0x1.bffa153641a56p+23);
  EXPECT_EQ(result.latency.p999.count(), 47'123'492);
  EXPECT_EQ(result.outcomes[Outcome::ok], 10'654u);
  EXPECT_EQ(result.batches, 1587u);
}

TEST(Simulator, DifferentPoliciesSeeTheSameArrivalsAndClasses) {
  Simulation greedy = rich(5);
  greedy.batcher.policy = GreedyPolicy{};
  Simulation waiting = rich(5);
  waiting.batcher.policy = HybridPolicy{.max_wait = 20ms};
  const Diary a = diary_of(greedy);
  const Diary b = diary_of(waiting);
  std::size_t different = 0;
  for (std::size_t i = 0; i < greedy.requests; ++i) {
    ASSERT_EQ(a.requests[i].arrived, b.requests[i].arrived);
    ASSERT_EQ(a.classes[i], b.classes[i]);
    different += a.requests[i].answered != b.requests[i].answered;
  }
  EXPECT_GT(different, 1000u);
}

TEST(Simulator, EveryRequestEndsOnceAndEachAnswerIsInABatch) {
  struct Counts {
    std::vector<int> ended = std::vector<int>(40'000);
    std::size_t answered = 0, computed = 0;
    void on_request(const EndedRequest& request) {
      ++ended[request.number];
      answered += request.outcome == Outcome::ok;
    }
    void on_batch(const BatchReport& report) {
      computed += report.count;
      EXPECT_LE(report.size, 16u);
    }
  } counts;
  simulate(rich(7), counts);
  for (std::size_t i = 0; i < counts.ended.size(); ++i) {
    ASSERT_LE(counts.ended[i], 1);
    if (i < 20'000) {
      ASSERT_EQ(counts.ended[i], 1);
    }
  }
  EXPECT_EQ(counts.answered, counts.computed);
}

/// Counts how often it is asked.
struct Counting {
  HybridPolicy policy;
  int* asked = nullptr;

  batchwright::Decision decide(const QueueView& view) noexcept {
    ++*asked;
    return policy.decide(view);
  }
};

TEST(Simulator, ThePolicyIsAskedWhenTheDispatcherWouldWakeAndNotAtEachArrival) {
  int asked = 0;
  const BasicSimulation<Counting> simulation{
      .arrivals = RegularArrivals{.rate_hz = 1000},
      .service = {.curve = AffineCurve{.fixed = 1us}},
      .batcher = {.max_batch_size = 10,
                  .policy = {.policy = HybridPolicy{.max_wait = 50ms}, .asked = &asked}},
      .requests = 1000};
  simulate(simulation);
  EXPECT_EQ(asked, 200) << "when the first of a batch comes, and when the last of it does";
}

}  // namespace
