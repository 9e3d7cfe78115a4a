// SPDX-License-Identifier: MIT
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/time.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::TimePolicy;
using batchwright::detail::check_machine;
using batchwright::detail::MachineSampler;

/// Batches of a run, counted from its first arrival, which comes at once.
struct Batch {
  std::size_t count;
  Duration dispatched, started, finished;
  friend bool operator==(const Batch&, const Batch&) = default;
};
struct Batches {
  std::vector<Batch> all;
  void on_batch(const BatchReport& report) {
    const batchwright::TimePoint start = batchwright::TimePoint{} + 24h;
    all.push_back(
        {report.count, report.dispatched - start, report.started - start, report.finished - start});
  }
};

/// 2 ms for a batch and 1 ms for each request.
std::vector<Batch> batches_of(std::vector<Duration> arrivals, Machine machine,
                              batchwright::AnyPolicy policy = {}) {
  Batches batches;
  simulate(Simulation{.arrivals = TraceArrivals{.instants = std::move(arrivals)},
                      .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms}},
                      .machine = std::move(machine),
                      .batcher = {.policy = std::move(policy)},
                      .warm_up = 0},
           batches);
  return batches.all;
}

using All = std::vector<Batch>;

TEST(Machine, AddsNothingUnlessSet) {
  EXPECT_EQ(batches_of({0ms, 1ms}, {}), (All{{1, 0ms, 0ms, 3ms}, {1, 3ms, 3ms, 6ms}}));
}

TEST(Machine, WhoComesWhileTheDispatcherWakesIsInTheBatch) {
  EXPECT_EQ(batches_of({0ms, 1ms, 5ms}, {.wake_up = 2ms}),
            (All{{2, 2ms, 2ms, 6ms}, {1, 6ms, 6ms, 9ms}}));
}

TEST(Machine, TheDispatchersAlarmIsLate) {
  EXPECT_EQ(batches_of({0ms, 11ms}, {.timer_lateness = 2ms}, TimePolicy{.max_wait = 10ms}),
            (All{{2, 12ms, 12ms, 16ms}}));
}

TEST(Machine, AnExecutorThatSleptEntersLaterAndOneThatIsAwakeAtOnce) {
  EXPECT_EQ(batches_of({0ms, 1ms, 40ms}, {.hand_over = 5ms}),
            (All{{1, 0ms, 5ms, 8ms}, {1, 8ms, 8ms, 11ms}, {1, 40ms, 45ms, 48ms}}));
}

TEST(Machine, WhatAnAsynchronousPredictorIsHandedWhileItComputesIsReadyInTime) {
  Batches batches;
  simulate(Simulation{.arrivals = TraceArrivals{.instants = {0ms, 1ms, 8ms}},
                      .service = {.curve = AffineCurve{.per_item = 1ms, .fixed = 2ms},
                                  .predictor = PredictorKind::asynchronous},
                      .machine = {.hand_over = 2ms},
                      .warm_up = 0},
           batches);
  // The third has to be handed over while nothing is computed.
  EXPECT_EQ(batches.all, (All{{1, 0ms, 2ms, 5ms}, {1, 1ms, 2ms, 8ms}, {1, 8ms, 10ms, 13ms}}));
}

TEST(Machine, AnExecutorIsOccupiedByItsOwnWorkToo) {
  EXPECT_EQ(batches_of({0ms, 0ms, 1ms}, {.per_batch = 10ms, .per_request = 1ms}),
            (All{{2, 0ms, 0ms, 16ms}, {1, 16ms, 16ms, 30ms}}));
}

TEST(Machine, PausesComeAfterSoMuchComputing) {
  const Machine machine{.pauses = {{.computed = 3ms, .length = 10ms}, {.computed = 1ms}}};
  MachineSampler sampler(machine, Random(1));
  Duration sum{};
  for (int i = 0; i < 1000; ++i) sum += sampler.occupied(2ms, 1);
  EXPECT_NEAR(static_cast<double>(sum.count()) / 1e6, 2000 + 500 * 10, 10);
  EXPECT_NEAR(static_cast<double>(sampler.occupied(4s, 1).count()) / 1e6, 4000 + 1000 * 10, 10);
  EXPECT_EQ(sampler.occupied(Duration::max(), 1), Duration::max());
}

TEST(Machine, PausesBeginAtARandomOne) {
  Machine machine;
  for (int i = 1; i <= 50; ++i) machine.pauses.push_back({.computed = 1ms, .length = i * 1ms});
  std::set<Duration> first;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    first.insert(MachineSampler(machine, Random(seed)).occupied(1ms, 1));
  }
  EXPECT_GE(first.size(), 20u);
}

TEST(Machine, ADelayIsDrawnFromItsSample) {
  const Delay delay({1ms, 5ms});
  Random random(1);
  int longer = 0;
  for (int i = 0; i < 1000; ++i) longer += delay.draw(random) == 5ms ? 1 : 0;
  EXPECT_NEAR(longer, 500, 60);
  EXPECT_EQ(Delay(3ms).draw(random), 3ms);
  EXPECT_EQ(Delay().draw(random), 0ms);
}

TEST(Machine, EveryTimeIsChecked) {
  EXPECT_EQ(check_machine({}), "");
  EXPECT_EQ(check_machine({.wake_up = -1ns}),
            "machine.wake_up must be from 0 ns to 1 h, got -1 ns");
  EXPECT_EQ(check_machine({.timer_lateness = Delay({1ns, 2h})}),
            "machine.timer_lateness[1] must be from 0 ns to 1 h, got 7200000000000 ns");
  EXPECT_EQ(check_machine({.hand_over = -2ns}),
            "machine.hand_over must be from 0 ns to 1 h, got -2 ns");
  EXPECT_EQ(check_machine({.per_batch = -1ns}),
            "machine.per_batch must be from 0 ns to 1 h, got -1 ns");
  EXPECT_EQ(check_machine({.per_request = -1ns}),
            "machine.per_request must be from 0 ns to 1 h, got -1 ns");
  EXPECT_EQ(check_machine({.pauses = {{.computed = 1ms, .length = -1ns}}}),
            "machine.pauses[0].length must be from 0 ns to 1 h, got -1 ns");
  EXPECT_EQ(check_machine({.pauses = {{.length = 1ms}}}),
            "machine.pauses must be apart by some computing, got 0 ns between all of them");
  EXPECT_THROW(batches_of({0ms}, {.per_batch = -1ns}), std::invalid_argument);
}

}  // namespace
