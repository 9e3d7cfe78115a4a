// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/learned_curve.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright_test::Random;

/// Microseconds: a fixed part of 2 ms and 150 a request.
double line(std::size_t size) { return 2'000'000 + 150'000 * static_cast<double>(size); }

TEST(LearnedCurve, KnowsNothingBeforeTheFirstBatch) {
  const LearnedCurve curve;
  EXPECT_EQ(curve(1), 0);
  EXPECT_EQ(curve(1000), 0);
  EXPECT_EQ(curve.samples(), 0u);
}

TEST(LearnedCurve, KnowsTheSizesItSawAndIsStraightBetween) {
  LearnedCurve curve;
  for (const std::size_t size : {1u, 4u, 16u, 32u}) curve.observe(size, line(size));
  for (std::size_t size = 1; size <= 32; ++size) {
    EXPECT_NEAR(curve(size), line(size), 1e-6 * line(size)) << size;
  }
}

TEST(LearnedCurve, LearnsACurveThatIsNoLine) {
  const auto steps = [](std::size_t size) { return size <= 8 ? 2e6 : size <= 16 ? 3e6 : 6e6; };
  LearnedCurve curve;
  for (const std::size_t size : {1u, 4u, 8u, 10u, 16u, 20u, 32u}) curve.observe(size, steps(size));
  for (const std::size_t size : {1u, 4u, 8u, 10u, 16u, 20u, 32u})
    EXPECT_EQ(curve(size), steps(size)) << size;
  for (const std::size_t size : {2u, 6u}) EXPECT_NEAR(curve(size), steps(size), 1) << size;
}

TEST(LearnedCurve, TakesASizeInAGapForCheapAtFirst) {
  const auto steps = [](std::size_t size) { return size <= 8 ? 2e6 : 4e6; };
  LearnedCurve curve;
  for (const std::size_t size : {1u, 6u, 12u}) curve.observe(size, steps(size));
  EXPECT_LT(curve(9), 2.75e6) << "half of the way is 3 ms";
  EXPECT_GT(curve(9), 2.25e6);
  EXPECT_GT(curve.doubt(9), 0.1);
  for (int i = 0; i < 2000; ++i) curve.observe(i % 2 == 0 ? 6 : 12, steps(i % 2 == 0 ? 6 : 12));
  EXPECT_NEAR(curve(9), 3e6, 0.05e6) << "it was not tried although it seemed cheap";
}

TEST(LearnedCurve, SizesOnALineAreKnownFromEachOther) {
  // A few noisy batches of each of 16 sizes: a mean of three would be 5 % off.
  double squares = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    LearnedCurve curve;
    for (int i = 0; i < 48; ++i) {
      const std::size_t size = 1 + static_cast<std::size_t>(i) % 16;
      curve.observe(size, line(size) * (0.85 + 0.3 * random.unit()));
    }
    for (std::size_t size = 1; size <= 16; ++size) {
      squares += std::pow(curve(size) / line(size) - 1, 2) / 320;
    }
    EXPECT_LT(curve.doubt(4), 0.06);
  }
  EXPECT_LT(std::sqrt(squares), 0.03);
}

TEST(LearnedCurve, DoubtsWhatItSawLittleOf) {
  Random random(2);
  LearnedCurve curve;
  EXPECT_EQ(curve.doubt(1), 1);
  const auto steps = [](std::size_t size) { return size <= 8 ? 2e6 : 4e6; };
  for (int i = 0; i < 400; ++i) {
    const std::size_t size = 1 + random.below(8);
    curve.observe(size, steps(size) * (0.85 + 0.3 * random.unit()));
  }
  curve.observe(12, steps(12));
  EXPECT_GT(curve.doubt(12), 2 * curve.doubt(4));
}

TEST(LearnedCurve, TakesLargerSizesThanAnyItSawForCheap) {
  LearnedCurve curve;
  curve.observe(4, 4e6);
  EXPECT_NEAR(curve(8), 6e6, 1) << "half of proportional";
  curve.observe(8, 4.4e6);
  EXPECT_NEAR(curve(16), 4.4e6 + 8 * 0.1e6, 1) << "as the last piece";
}

TEST(LearnedCurve, NeverFallsWhereNoiseWouldMakeIt) {
  Random random(7);
  LearnedCurve curve;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t size = 1 + random.below(40);
    curve.observe(size, line(size) * (0.7 + 0.6 * random.unit()));
    for (std::size_t b = 1; b < 64; ++b) ASSERT_GE(curve(b + 1), curve(b)) << i << ' ' << b;
  }
  for (const std::size_t size : {1u, 8u, 32u})
    EXPECT_NEAR(curve(size), line(size), 0.15 * line(size));
  EXPECT_NEAR(curve.deviation(), 0.17, 0.06);
}

TEST(LearnedCurve, ScalesAsAWholeWhenTheModelBecomesSlowerOrFaster) {
  for (const double factor : {2.0, 0.5}) {
    LearnedCurve curve;
    for (int i = 0; i < 200; ++i) {
      const std::size_t size = 1 + static_cast<std::size_t>(i) % 32;
      curve.observe(size, line(size));
    }
    for (int i = 0; i < 5; ++i) curve.observe(4, factor * line(4));
    // Only size 4 was seen since.
    for (const std::size_t size : {1u, 2u, 8u, 16u, 32u}) {
      EXPECT_NEAR(curve(size), factor * line(size), 0.08 * factor * line(size)) << size;
    }
  }
}

TEST(LearnedCurve, ADriftDoesNotHideItselfInTheNoise) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    LearnedCurve curve;
    const auto draw = [&](double by) {
      const std::size_t size = 4 + random.below(4);
      curve.observe(size, by * line(size) * (1 + 0.2 * (random.unit() + random.unit() - 1)));
    };
    for (int i = 0; i < 300; ++i) draw(1);
    const double usual = curve.deviation();
    for (int i = 0; i < 12; ++i) draw(0.6);
    EXPECT_NEAR(curve(1), 0.6 * line(1), 0.2 * 0.6 * line(1)) << seed;
    EXPECT_LT(curve.deviation(), 1.6 * usual) << seed;
  }
}

TEST(LearnedCurve, ASizeFirstSeenAfterADriftIsNotScaledByIt) {
  for (const double factor : {2.0, 0.5}) {
    LearnedCurve curve;
    for (int i = 0; i < 200; ++i) {
      const std::size_t size = 1 + static_cast<std::size_t>(i) % 8;
      curve.observe(size, line(size));
    }
    // Slower batches leave longer queues.
    for (const std::size_t size : {24u, 7u, 28u, 8u, 24u, 8u, 7u}) {
      curve.observe(size, factor * line(size));
    }
    for (const std::size_t size : {1u, 4u, 8u, 24u, 28u}) {
      EXPECT_NEAR(curve(size), factor * line(size), 0.1 * factor * line(size)) << size;
    }
  }
}

TEST(LearnedCurve, ADriftIsSeenInSizesThatWereRareAndNotHiddenByNewOnes) {
  for (const double factor : {2.0, 0.5}) {
    LearnedCurve curve;
    for (const std::size_t size : {16u, 11u, 9u, 14u}) curve.observe(size, line(size));
    for (int i = 0; i < 200; ++i) {
      const std::size_t size = 20 + static_cast<std::size_t>(i) % 20;
      curve.observe(size, line(size));
    }
    for (const std::size_t size :
         {16u, 5u, 9u, 4u, 4u, 4u, 4u, 4u, 4u, 4u, 4u, 4u, 4u, 11u, 4u, 14u}) {
      curve.observe(size, factor * line(size));
    }
    for (const std::size_t size : {20u, 32u, 39u}) {
      EXPECT_NEAR(curve(size), factor * line(size), 0.1 * factor * line(size)) << size;
    }
  }
}

TEST(LearnedCurve, OneThatWasOffAndNeverCameAgainDoesNotHideADrift) {
  LearnedCurve curve;
  for (int i = 0; i < 4; ++i) curve.observe(3, line(3));
  curve.observe(3, 2 * line(3));
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = 10 + static_cast<std::size_t>(i) % 20;
    curve.observe(size, line(size));
  }
  for (const std::size_t size : {12u, 20u, 16u, 25u, 11u, 18u})
    curve.observe(size, 0.5 * line(size));
  EXPECT_NEAR(curve(28), 0.5 * line(28), 0.1 * 0.5 * line(28));
}

TEST(LearnedCurve, DriftIsFoundInsideTenBatchesOnNoisyTimes) {
  for (const double factor : {2.0, 0.5}) {
    std::vector<int> needed;
    for (std::uint64_t seed = 1; seed <= 21; ++seed) {
      Random random(seed);
      LearnedCurve curve;
      const auto draw = [&](double by) {
        const std::size_t size = 1 + random.below(12);
        curve.observe(size, by * line(size) * (1 + 0.17 * (random.unit() + random.unit() - 1)));
      };
      for (int i = 0; i < 300; ++i) draw(1);
      int count = 0;
      const auto error = [&] {
        double sum = 0;
        for (const std::size_t size : {2u, 4u, 8u}) {
          sum += std::abs(curve(size) / (factor * line(size)) - 1) / 3;
        }
        return sum;
      };
      while (error() > 0.05 && count < 1000) {
        draw(factor);
        ++count;
      }
      needed.push_back(count);
    }
    std::nth_element(needed.begin(), needed.begin() + 10, needed.end());
    EXPECT_LE(needed[10], 10) << factor;
  }
}

TEST(LearnedCurve, NoiseAloneIsNoDrift) {
  Random random(3);
  LearnedCurve curve;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t size = 1 + random.below(8);
    curve.observe(size, line(size) * (1 + 0.25 * (random.unit() + random.unit() - 1)));
    if (i < 1000) continue;
    ASSERT_NEAR(curve(4), line(4), 0.15 * line(4)) << i;
  }
}

TEST(LearnedCurve, LeavesOutWhatIsNoTime) {
  LearnedCurve curve;
  curve.observe(0, 5);
  curve.observe(3, 0);
  curve.observe(3, -1);
  EXPECT_EQ(curve.samples(), 0u);
}

}  // namespace
