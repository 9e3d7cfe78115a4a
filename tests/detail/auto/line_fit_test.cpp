// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/line_fit.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

using batchwright::detail::ClassMean;
using batchwright::detail::LineFit;
using batchwright_test::Random;

double line(double size) { return 2 + 0.5 * size; }

TEST(LineFit, IsTheLineOfThoseOnOne) {
  std::vector<ClassMean> means(5);
  for (const double size : {1.0, 4.0, 9.0})
    means.push_back({.count = 3, .size = size, .time = line(size)});
  const LineFit fit = LineFit::through(means, 0.01);
  ASSERT_TRUE(fit.known);
  EXPECT_NEAR(fit.fixed, 2, 1e-9);
  EXPECT_NEAR(fit.slope, 0.5, 1e-9);
  EXPECT_EQ(fit.misfit, 0);
}

TEST(LineFit, IsNotKnownOfTwoClassesAndThenTheirMeansHold) {
  const std::vector<ClassMean> means = {{.count = 4, .size = 1, .time = 3},
                                        {.count = 1, .size = 2, .time = 9}};
  const LineFit fit = LineFit::through(means, 0.04);
  EXPECT_FALSE(fit.known);
  EXPECT_EQ(fit.time_of(means[1]), 9);
  EXPECT_NEAR(fit.doubt_of(means[0]), 0.1, 1e-9);
}

TEST(LineFit, TakesNoiseForNoise) {
  Random random(5);
  double raw = 0;
  double fitted = 0;
  double doubt = 0;
  for (int run = 0; run < 200; ++run) {
    std::vector<ClassMean> means;
    for (double size = 1; size <= 8; ++size) {
      means.push_back(
          {.count = 4, .size = size, .time = line(size) * (1 + 0.1 * (random.unit() - 0.5))});
    }
    const LineFit fit = LineFit::through(means, 4 * 0.01 / 12);
    for (const ClassMean& mean : means) {
      raw += std::pow(mean.time / line(mean.size) - 1, 2);
      fitted += std::pow(fit.time_of(mean) / line(mean.size) - 1, 2);
      doubt += std::pow(fit.doubt_of(mean), 2);
    }
  }
  EXPECT_LT(fitted, raw / 2);
  EXPECT_NEAR(doubt / fitted, 1, 0.3) << "it knows how wrong it is";
}

TEST(LineFit, LeavesACurveThatIsNoLineAsItIs) {
  std::vector<ClassMean> means;
  for (double size = 1; size <= 8; ++size) {
    means.push_back({.count = 20, .size = size, .time = size <= 4 ? 2.0 : 6.0});
  }
  const LineFit fit = LineFit::through(means, 0.01);
  EXPECT_GT(fit.misfit, 0.01);
  for (const ClassMean& mean : means) EXPECT_NEAR(fit.time_of(mean), mean.time, 0.02 * mean.time);
}

TEST(LineFit, NeverFallsAndNeverStartsBelowNothing) {
  const std::vector<ClassMean> falling = {{.count = 4, .size = 1, .time = 5},
                                          {.count = 4, .size = 2, .time = 4},
                                          {.count = 4, .size = 3, .time = 3}};
  EXPECT_EQ(LineFit::through(falling, 0.01).slope, 0);
  const std::vector<ClassMean> convex = {{.count = 4, .size = 1, .time = 1},
                                         {.count = 4, .size = 4, .time = 16},
                                         {.count = 4, .size = 8, .time = 64}};
  EXPECT_EQ(LineFit::through(convex, 0.01).fixed, 0);
  EXPECT_GT(LineFit::through(convex, 0.01).slope, 0);
}

}  // namespace
