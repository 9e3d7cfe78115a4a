// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/returns.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace {

using batchwright::detail::Returns;

constexpr double kMs = 1e6;

/// Batches of 4 every 10 ms; each caller comes back after 3 ms.
double loop(Returns& returns, int batches) {
  double now = 0;
  for (int i = 0; i < batches; ++i) {
    returns.answer(now, 4);
    for (int k = 0; k < 4; ++k) returns.arrive(now + 3 * kMs, 1);
    now += 10 * kMs;
  }
  return now;
}

TEST(Returns, CountsWhoIsOut) {
  Returns returns;
  EXPECT_FALSE(returns.arrive(kMs, 1)) << "nobody was answered";
  returns.answer(2 * kMs, 3);
  returns.answer(4 * kMs, 2);
  EXPECT_EQ(returns.out(), 5);
  EXPECT_TRUE(returns.arrive(5 * kMs, 1));
  EXPECT_EQ(returns.out(), 4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(returns.arrive(6 * kMs, 1));
  EXPECT_FALSE(returns.arrive(6 * kMs, 1));
  EXPECT_EQ(returns.out(), 0);
}

TEST(Returns, NobodyComesBackBeforeTheAnswer) {
  Returns returns;
  returns.answer(10 * kMs, 1);
  EXPECT_FALSE(returns.arrive(9 * kMs, 1));
}

TEST(Returns, LearnsHowLongItTakesAndExpectsThemThen) {
  Returns returns;
  const double now = loop(returns, 60);
  returns.answer(now, 4);
  EXPECT_EQ(returns.intensity(now + kMs), 0);
  EXPECT_GT(returns.intensity(now + 3 * kMs), 0);
  EXPECT_LT(returns.expected(now, now + 2.9 * kMs), 0.01);
  EXPECT_GT(returns.expected(now, now + 3.01 * kMs), 4) << "an integrated hazard: all four surely";
}

TEST(Returns, KnowsHowManyCanBeBackInTime) {
  Returns returns;
  const double now = loop(returns, 60);
  returns.answer(now, 4);
  EXPECT_NEAR(returns.within(now + kMs, kMs), 0, 0.01);
  EXPECT_NEAR(returns.within(now + kMs, 2.5 * kMs), 4, 0.2);
  returns.clear();
  EXPECT_EQ(returns.within(now + kMs, 2.5 * kMs), 0);
}

TEST(Returns, GivesAnArrivalToTheBatchItMostLikelyComesFrom) {
  Returns returns;
  const double now = loop(returns, 60);
  returns.answer(now, 1);
  returns.answer(now + 2 * kMs, 1);
  returns.arrive(now + 5 * kMs, 1);  // Three after the second, not five after the first.
  EXPECT_GT(returns.times().ends_within(2.9 * kMs, 3.1 * kMs), 0.97);
  EXPECT_LT(returns.intensity(now + 5 * kMs), 1e-6) << "the first is long overdue";
}

TEST(Returns, ForgetsTheOldestOfTooManyBatches) {
  Returns returns;
  for (int i = 0; i < 100; ++i) returns.answer(i * kMs, 2);
  EXPECT_LE(returns.out(), 64);
  returns.clear();
  EXPECT_EQ(returns.out(), 0);
  EXPECT_FALSE(returns.arrive(1000 * kMs, 1));
}

}  // namespace
