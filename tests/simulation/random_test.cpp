// SPDX-License-Identifier: MIT
#include <batchwright/simulation/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace {

using batchwright::Duration;
using batchwright::simulation::Random;

struct Moments {
  double mean = 0, variance = 0;
};

template <class Draw>
Moments moments_of(Draw draw) {
  constexpr int kCount = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kCount;
  return {mean, squares / kCount - mean * mean};
}

TEST(Random, ASeedGivesTheSameBitsEverywhere) {
  Random random(1);
  EXPECT_EQ(random.bits(), 0xcfc5d07f6f03c29bU);
  EXPECT_EQ(random.bits(), 0xbf424132963fe08dU);
}

TEST(Random, ASeedGivesTheSameSamplesEverywhereToTheLastBit) {
  Random random(7);
  EXPECT_EQ(random.unit(), 0x1.c583400555d2p-5);
  EXPECT_EQ(random.exponential(), 0x1.607e46efd274cp-3);
  EXPECT_EQ(random.normal(), 0x1.b5767da98c6p-2);
  EXPECT_EQ(random.lognormal(0.5), 0x1.95ec154723f94p+0);
  EXPECT_EQ(random.geometric(4), 4u);
}

TEST(Random, AStreamDependsOnTheSeedAndNotOnWhatWasDrawn) {
  Random random(5);
  Random before = random.stream(3);
  random.bits();
  Random after = random.stream(3);
  Random other = random.stream(4);
  const std::uint64_t first = before.bits();
  EXPECT_EQ(after.bits(), first);
  EXPECT_NE(other.bits(), first);
  EXPECT_NE(Random(6).stream(3).bits(), first);
}

TEST(Random, UnitNumbersAreUniform) {
  Random random(2);
  const Moments unit = moments_of([&] { return random.unit(); });
  EXPECT_NEAR(unit.mean, 0.5, 0.002);
  EXPECT_NEAR(unit.variance, 1.0 / 12, 0.001);
}

TEST(Random, ExponentialNumbersHaveTheirMeanTheirVarianceAndTheirTail) {
  Random random(3);
  const Moments exponential = moments_of([&] { return random.exponential(); });
  EXPECT_NEAR(exponential.mean, 1, 0.01);
  EXPECT_NEAR(exponential.variance, 1, 0.03);
  for (const double t : {0.1, 0.5, 2.0, 4.0}) {
    const double above = moments_of([&] { return random.exponential() > t ? 1.0 : 0.0; }).mean;
    EXPECT_NEAR(above, std::exp(-t), 0.004) << t;
  }
}

TEST(Random, NormalNumbersHaveTheirMomentsAndTheirTails) {
  Random random(4);
  const Moments normal = moments_of([&] { return random.normal(); });
  EXPECT_NEAR(normal.mean, 0, 0.01);
  EXPECT_NEAR(normal.variance, 1, 0.01);
  EXPECT_NEAR(moments_of([&] { return random.normal() > 1 ? 1.0 : 0.0; }).mean, 0.15866, 0.003);
  EXPECT_NEAR(moments_of([&] { return random.normal() < -2 ? 1.0 : 0.0; }).mean, 0.02275, 0.001);
}

TEST(Random, LognormalFactorsHaveMeanOneWhateverTheirSpread) {
  Random random(5);
  for (const double sigma : {0.1, 0.5}) {
    const Moments factor = moments_of([&] { return random.lognormal(sigma); });
    EXPECT_NEAR(factor.mean, 1, 0.01 * sigma);
    EXPECT_NEAR(factor.variance, std::exp(sigma * sigma) - 1, 0.01);
  }
  EXPECT_EQ(random.lognormal(0), 1.0);
}

TEST(Random, GeometricNumbersHaveTheirMeanAndAreAtLeastOne) {
  Random random(6);
  EXPECT_NEAR(moments_of([&] { return static_cast<double>(random.geometric(4)); }).mean, 4, 0.05);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.geometric(1), 1u);
}

TEST(Random, TheOwnExponentialFunctionIsRightToAMillionth) {
  for (double x = -18; x <= 18; x += 0.37) {
    EXPECT_NEAR(batchwright::detail::portable_exp(x) / std::exp(x), 1, 1e-6) << x;
  }
  EXPECT_EQ(batchwright::detail::portable_exp(0), 1.0);
}

TEST(Random, NanosecondsAreRoundedAndSaturate) {
  using batchwright::detail::to_duration;
  EXPECT_EQ(to_duration(1.4), Duration(1));
  EXPECT_EQ(to_duration(1.6), Duration(2));
  EXPECT_EQ(to_duration(1e30), Duration::max());
  EXPECT_EQ(to_duration(std::nan("")), Duration::max());
}

}  // namespace
