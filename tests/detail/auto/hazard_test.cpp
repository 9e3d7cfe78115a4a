// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/hazard.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace {

using batchwright::detail::Hazard;
using batchwright_test::Random;

TEST(Hazard, OfExponentialTimesIsTheirRate) {
  Random random(1);
  Hazard hazard;
  double rates = 0;
  double outlasting = 0;
  for (int i = 0; i < 4000; ++i) {
    hazard.end(1e6 * random.exponential());
    if (i < 200) continue;
    for (const double age : {0.3e6, 0.8e6, 1.5e6}) rates += hazard.rate(age) * 1e6 / 3 / 3800;
    outlasting += hazard.outlasts(1e6) / 3800;
  }
  EXPECT_NEAR(rates, 1, 0.1);
  EXPECT_NEAR(outlasting, std::exp(-1), 0.03);
}

TEST(Hazard, KnowsAFixedTimeToTheMicrosecond) {
  Hazard hazard;
  for (int i = 0; i < 200; ++i) hazard.end(5e6);
  EXPECT_EQ(hazard.rate(4.9e6), 0);
  EXPECT_EQ(hazard.outlasts(4.99e6), 1);
  EXPECT_LT(hazard.outlasts(5.001e6), 0.02);
  EXPECT_GT(hazard.ends_within(4e6, 5.001e6), 0.98);
}

TEST(Hazard, TwoKindsOfTimesAreTwo) {
  Hazard hazard;
  for (int i = 0; i < 200; ++i) hazard.end(i % 2 == 0 ? 1e6 : 9e6);
  EXPECT_NEAR(hazard.outlasts(3e6), 0.5, 0.07);
  EXPECT_LT(hazard.ends_within(3e6, 8e6), 0.1);
  EXPECT_GT(hazard.ends_within(3e6, 9.1e6), 0.9);
}

TEST(Hazard, TheNewestTimesCount) {
  Hazard hazard;
  for (int i = 0; i < 500; ++i) hazard.end(1e6);
  for (int i = 0; i < 136; ++i) hazard.end(2e6);
  EXPECT_NEAR(hazard.mean(), 2e6, 1);
  EXPECT_GT(hazard.outlasts(1.9e6), 0.98);
}

TEST(Hazard, KeepsItsSampleInOrder) {
  // Survival never rises and a time's end is never less than certain to have been possible.
  Random random(5);
  Hazard hazard;
  for (int i = 0; i < 3000; ++i) {
    hazard.end(random.chance(20) ? 0 : std::exp(5 + 12 * random.unit()));
    double before = 1;
    for (double age = 100; age < 1e8; age *= 1.7) {
      const double now = hazard.outlasts(age);
      ASSERT_LE(now, before + 1e-12) << i;
      ASSERT_GE(now, 0) << i;
      ASSERT_GE(hazard.rate(age), 0) << i;
      before = now;
    }
  }
}

TEST(Hazard, ThoseWhoAreGoneAreNotExpected) {
  Hazard hazard;
  for (int i = 0; i < 100; ++i) {
    hazard.end(1e6);
    hazard.give_up(1);
  }
  EXPECT_GT(hazard.outlasts(20e6), 0.2);
}

}  // namespace
