// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/arrival_rate.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace {

using batchwright::detail::ArrivalRate;
using batchwright_test::Random;

constexpr double kMs = 1e6;

/// Poisson arrivals at so many a millisecond until that time.
double feed(ArrivalRate& rate, Random& random, double from, double until, double per_ms) {
  double at = from;
  for (;;) {
    at += kMs / per_ms * random.exponential();
    if (at > until) return until;
    rate.arrive(at, 1);
  }
}

// Thirty times eight times as many for a third of the time, and the end of the last one.
double feed_bursts(ArrivalRate& rate, Random& random) {
  double now = 0;
  for (int i = 0; i < 30; ++i) {
    now = feed(rate, random, now, now + 200 * kMs, 1);
    now = feed(rate, random, now, now + 100 * kMs, 8);
  }
  rate.roll(now);
  return now;
}

TEST(ArrivalRate, IsThatOfIndependentCallersAndNothingOfItIsUnusual) {
  Random random(2);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  const double now = feed(rate, random, 0, 8000 * kMs, 2);
  rate.roll(now);
  EXPECT_NEAR(rate.mean() * kMs, 2, 0.1);
  EXPECT_NEAR(rate.forecast(now, kMs) * kMs, 2, 0.25);
  EXPECT_NEAR(rate.dispersion(), 1, 0.3);
}

TEST(ArrivalRate, LearnsAfterALongSilenceAtTheStart) {
  // Nobody came in any of its windows, and each batch sets them anew.
  Random random(4);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  rate.roll(0);
  rate.roll(200 * kMs);
  double now = 200 * kMs;
  for (int batch = 0; batch < 200; ++batch) {
    rate.set_window(4 * kMs);
    now = feed(rate, random, now, now + 40 * kMs, 2);
  }
  rate.roll(now);
  EXPECT_NEAR(rate.mean() * kMs, 2, 0.2);
  EXPECT_NEAR(rate.now(now) * kMs, 2, 0.4);
}

TEST(ArrivalRate, FollowsABurstAndReturnsToTheUsual) {
  Random random(3);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  const double now = feed_bursts(rate, random);
  EXPECT_GT(rate.now(now) * kMs, 5) << "the end of a burst";
  EXPECT_NEAR(rate.forecast(now, 1e5 * kMs), rate.mean(), 0.1 * rate.mean());
  const double soon = rate.forecast(now, kMs);
  EXPECT_GT(soon, rate.forecast(now, 50 * kMs));
  EXPECT_GT(rate.forecast(now, 50 * kMs), rate.mean());
  EXPECT_GT(rate.persistence(), 0.5);
}

TEST(ArrivalRate, GroupsAreDispersedAndAClockIsNot) {
  Random random(6);
  ArrivalRate groups;
  ArrivalRate clock;
  groups.set_window(4 * kMs);
  clock.set_window(4 * kMs);
  for (double at = 0; at < 8000 * kMs; at += 2 * kMs * random.exponential()) {
    for (int i = 0; i < 4; ++i) groups.arrive(at, 1);
  }
  for (double at = 0; at < 8000 * kMs; at += 0.5 * kMs) clock.arrive(at, 1);
  EXPECT_NEAR(groups.dispersion(), 4, 1.2);
  EXPECT_LT(clock.dispersion(), 0.2);
}

TEST(ArrivalRate, ARateThatJumpsIsNoDispersion) {
  Random random(3);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  feed_bursts(rate, random);
  EXPECT_LT(rate.dispersion(), 2.5);
}

TEST(ArrivalRate, AWindowThatChangesKeepsTheRate) {
  Random random(4);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  const double now = feed(rate, random, 0, 2000 * kMs, 2);
  const double before = rate.mean();
  rate.set_window(8 * kMs);
  EXPECT_NEAR(rate.mean(), before, 1e-9 * before);
  feed(rate, random, now, now + 2000 * kMs, 2);
  EXPECT_NEAR(rate.mean() * kMs, 2, 0.15);
}

TEST(ArrivalRate, ALongSilenceIsFoundAndCostsLittle) {
  Random random(4);
  ArrivalRate rate;
  rate.set_window(4 * kMs);
  const double now = feed(rate, random, 0, 2000 * kMs, 2);
  rate.roll(now + 1e9 * kMs);  // Would be 250 million windows.
  EXPECT_LT(rate.now(now + 1e9 * kMs) * kMs, 2);
}

TEST(ArrivalRate, IsNothingBeforeTheFirst) {
  ArrivalRate rate;
  EXPECT_EQ(rate.mean(), 0);
  EXPECT_EQ(rate.forecast(5, 5), 0);
  EXPECT_EQ(rate.dispersion(), 1);
}

}  // namespace
