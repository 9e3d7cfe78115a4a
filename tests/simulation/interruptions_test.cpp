// SPDX-License-Identifier: MIT
#include <batchwright/simulation/interruptions.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::TimePoint;
using batchwright::detail::CoreClock;

constexpr TimePoint kStart = TimePoint{} + 24h;

/// 7 ms without and 3 ms with an interruption, again and again.
const std::vector<Interruption> kThreeOfTen{{.after = 7ms, .length = 3ms}};

/// The first instant, counted from the start, that is not interrupted and begins just after an interruption.
Duration first_end(CoreClock clock) {
  for (TimePoint instant = kStart;; instant += 1us) {
    if (const TimePoint entered = clock.enter(instant); entered != instant) return entered - kStart;
  }
}

TEST(Interruptions, TheFirstIsAtARandomInstant) {
  double sum = 0;
  int inside = 0;
  constexpr int kSeeds = 20'000;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CoreClock clock(kThreeOfTen, Random(seed), kStart);
    const Duration wait = clock.enter(kStart) - kStart;
    EXPECT_LT(wait, 3ms + 1ns);
    inside += wait > 0ms ? 1 : 0;
    sum += static_cast<double>(wait.count()) / 1e6;
  }
  // A random instant is in an interruption with 3/10, and then in the middle of it in the mean.
  EXPECT_NEAR(inside, 0.3 * kSeeds, 4 * std::sqrt(0.21 * kSeeds));
  EXPECT_NEAR(sum / kSeeds, 0.3 * 1.5, 0.03);
}

TEST(Interruptions, WhoComesInOneEntersAtItsEnd) {
  CoreClock clock(kThreeOfTen, Random(1), kStart);
  const TimePoint end = kStart + first_end(clock);
  EXPECT_EQ(clock.enter(end), end);
  EXPECT_EQ(clock.enter(end + 7ms - 1ns), end + 7ms - 1ns);
  EXPECT_EQ(clock.enter(end + 7ms), end + 10ms);
  EXPECT_EQ(clock.enter(end + 19ms), end + 20ms);
  EXPECT_EQ(clock.enter(end + 100s + 8ms), end + 100s + 10ms);
}

TEST(Interruptions, WorkTakesLongerByThoseThatFallIntoIt) {
  CoreClock clock(kThreeOfTen, Random(1), kStart);
  const TimePoint end = kStart + first_end(clock);
  EXPECT_EQ(clock.leave(end, 7ms), end + 7ms);         // Done as it begins.
  EXPECT_EQ(clock.leave(end + 7ms, 1ms), end + 11ms);  // Enters at its end.
  EXPECT_EQ(clock.leave(end + 11ms, 6ms + 1ns), end + 20ms + 1ns);
  EXPECT_EQ(clock.leave(end + 21ms, 20ms), end + 47ms);
  EXPECT_EQ(clock.leave(end + 50ms, 70s + 1ms), end + 50ms + 100s + 1ms);
  EXPECT_EQ(clock.leave(end + 200s, 0ms), end + 200s);
  EXPECT_EQ(clock.leave(end + 200s + 5ms, 10ms), end + 200s + 21ms);
}

TEST(Interruptions, SeveralFollowEachOtherInTheirOrder) {
  const std::vector<Interruption> all{
      {.after = 1ms, .length = 5ms}, {.after = 2ms, .length = 1ms}, {.length = 1ms}};
  CoreClock clock(all, Random(3), kStart);
  TimePoint end = kStart;
  for (TimePoint instant = kStart; end - instant < 4ms; instant += 100us) {
    end = clock.enter(instant);
  }
  EXPECT_EQ(clock.leave(end, 2ms), end + 2ms);
  EXPECT_EQ(clock.enter(end + 2ms), end + 4ms);  // Two without a gap are one.
  EXPECT_EQ(clock.leave(end + 4ms, 4ms), end + 4ms + 1ms + 5ms + 2ms + 2ms + 1ms);
}

TEST(Interruptions, WhatNeverEndsIsNotLookedAt) {
  CoreClock clock(kThreeOfTen, Random(1), kStart);
  EXPECT_EQ(clock.leave(kStart, Duration::max()), kNever);
  EXPECT_EQ(clock.enter(kNever), kNever);
  EXPECT_EQ(clock.leave(kNever, 1ms), kNever);
}

/// What single requests, far apart, take on a machine; 1 ms without it.
double mean_ms(Machine machine, std::size_t executors = 1) {
  const SimulationResult result =
      simulate(Simulation{.arrivals = PoissonArrivals{.rate_hz = 1},
                          .service = {.curve = AffineCurve{.fixed = 1ms}},
                          .machine = std::move(machine),
                          .batcher = {.executors = executors},
                          .requests = 50'000});
  return result.latency.mean_ns / 1e6;
}

TEST(Interruptions, ALoneRequestTakesLongerByTheirShareAndTheRestOfOne) {
  // It waits for the rest of one, 0.3 * 1.5 ms, and during its 1 ms one begins with 1 in 7 if it came outside
  // (7/10), and never if it came within: 0.1 * 3 ms more.
  EXPECT_NEAR(mean_ms({.interruptions = kThreeOfTen}), 1 + 0.45 + 0.3, 0.03);
  EXPECT_NEAR(mean_ms({.interruptions = kThreeOfTen}, 3), 1 + 0.45 + 0.3, 0.03);
  // Who sleeps is woken within: the hand-over of 2 ms goes on meanwhile.
  EXPECT_NEAR(mean_ms({.hand_over = 2ms, .interruptions = kThreeOfTen}), 2 + 1 + 0.45 + 0.3, 0.03);
}

TEST(Interruptions, EachExecutorHasItsOwnAndEntersAtItsEnd) {
  struct Reports {
    std::vector<batchwright::BatchReport> all;
    void on_batch(const batchwright::BatchReport& report) { all.push_back(report); }
  } reports;
  // Both come at the start, most likely within an interruption.
  simulate(Simulation{.arrivals = TraceArrivals{.instants = {0ms, 0ms}},
                      .service = {.curve = AffineCurve{.fixed = 1ms}},
                      .machine = {.interruptions = {{.after = 1s, .length = 9s}}},
                      .batcher = {.max_batch_size = 1, .executors = 2},
                      .warm_up = 0},
           reports);
  ASSERT_EQ(reports.all.size(), 2u);
  EXPECT_NE(reports.all[0].started, reports.all[1].started);
  for (const batchwright::BatchReport& report : reports.all) {
    EXPECT_EQ(report.finished - report.started, 1ms);
    EXPECT_GT(report.started, report.dispatched);
  }
}

TEST(Interruptions, AreChecked) {
  using batchwright::detail::check_machine;
  EXPECT_EQ(check_machine({.interruptions = kThreeOfTen}), "");
  EXPECT_EQ(check_machine({.interruptions = {{.after = -1ns}}}),
            "machine.interruptions[0].after must be from 0 ns to 1 h, got -1 ns");
  EXPECT_EQ(check_machine({.interruptions = {{.after = 1ms}, {.after = 1ms, .length = 2h}}}),
            "machine.interruptions[1].length must be from 0 ns to 1 h, got 7200000000000 ns");
  EXPECT_EQ(check_machine({.interruptions = {{.length = 1ms}}}),
            "machine.interruptions must be apart by some time, got 0 ns between all of them");
}

}  // namespace
