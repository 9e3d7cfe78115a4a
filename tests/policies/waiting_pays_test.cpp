// SPDX-License-Identifier: MIT
#include <batchwright/policies/waiting_pays.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

namespace {

using namespace std::chrono_literals;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::WaitingPays;

// Batches of 64, each of which takes as long as is said for the way that is gone.
class Loop {
 public:
  Loop(Duration with, Duration without) : with_(with), without_(without) {}

  // Returns how many of them waited.
  int run(int batches, bool failed = false) {
    int waited = 0;
    for (int i = 0; i < batches; ++i) {
      const bool waits = pays.pays();
      waited += waits ? 1 : 0;
      const TimePoint begin = now_;
      now_ += waits ? with_ : without_;
      pays.observe(
          {.size = 64, .oldest = begin, .dispatched = begin, .finished = now_, .failed = failed},
          1ms);
    }
    return waited;
  }

  void change(Duration with, Duration without) {
    with_ = with;
    without_ = without;
  }
  void idle(Duration span) { now_ += span; }

  WaitingPays pays;

 private:
  Duration with_;
  Duration without_;
  TimePoint now_{Duration(1s)};
};

TEST(WaitingPays, IsBelievedUntilItIsMeasured) {
  Loop loop(30us, 10us);
  EXPECT_EQ(loop.run(31), 31);
}

TEST(WaitingPays, IsGivenUpForATenthMore) {
  Loop more(30us, 10us);
  EXPECT_LT(more.run(10'000), 200);
  Loop less(10us, 9500ns);
  EXPECT_GT(less.run(10'000), 9'000);
  Loop equal(10us, 10us);
  EXPECT_GT(equal.run(10'000), 9'000);
}

TEST(WaitingPays, WhatIsMuchWorseIsNotTriedToTheEnd) {
  Loop worse(10us, 100us);
  // Nine trials, each of four batches.
  EXPECT_EQ(10'000 - worse.run(10'000), 4 * 9);
}

TEST(WaitingPays, IsFoundOutAgainWhenTheLoadChanges) {
  Loop loop(30us, 10us);
  loop.run(10'000);
  EXPECT_FALSE(loop.pays.pays());
  loop.change(10us, 30us);
  loop.run(20'000);
  EXPECT_TRUE(loop.pays.pays());
}

TEST(WaitingPays, APauseOfTheLoadAndAFailureSayNothing) {
  Loop loop(10us, 9us);
  for (int i = 0; i < 200; ++i) {
    loop.run(20);
    loop.idle(2ms);
  }
  EXPECT_TRUE(loop.pays.pays());
  EXPECT_EQ(loop.run(1000, true), 1000);
}

TEST(WaitingPays, ABatchOfBeforeTheChangeCountsForNeither) {
  WaitingPays pays;
  TimePoint now{Duration(1s)};
  for (int i = 0; i < 33; ++i) {
    pays.observe({.size = 64, .oldest = now, .dispatched = now, .finished = now + 10us}, 1ms);
    now += 10us;
  }
  ASSERT_FALSE(pays.pays());  // On trial.
  // Dispatched while it was waited: they do not make the trial.
  for (int i = 0; i < 100; ++i) {
    pays.observe({.size = 64, .oldest = now - 20us, .dispatched = now - 20us, .finished = now},
                 1ms);
  }
  EXPECT_FALSE(pays.pays());
}

}  // namespace
