// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/service_model.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>

namespace {

using batchwright::Duration;
using batchwright::ServiceEstimate;
using batchwright::SizeMean;
using batchwright::detail::ServiceModel;
using batchwright_test::Random;

Duration line(double intercept, double slope, std::size_t size) {
  return Duration(std::llround(intercept + slope * static_cast<double>(size)));
}

TEST(ServiceModel, KnowsNothingBeforeTheFirstBatch) {
  const ServiceModel model(32);
  const ServiceEstimate estimate = model.estimate();
  EXPECT_EQ(estimate.samples, 0u);
  EXPECT_EQ(estimate.expected(8), Duration(0));
  EXPECT_EQ(estimate.deviation_ns, 0);
  EXPECT_TRUE(estimate.means.empty());
}

TEST(ServiceModel, ExpectsTheMeanOfASizeAndTheLineWhereThereIsNone) {
  ServiceModel model(64);
  EXPECT_FALSE(model.expected(1).has_value());
  model.observe(1, Duration(1'000));
  model.observe(1, Duration(3'000));
  EXPECT_EQ(model.expected(1), Duration(2'000));
  model.observe(9, Duration(10'000));
  EXPECT_EQ(model.expected(9), Duration(10'000));
  EXPECT_EQ(model.expected(5), model.estimate().expected(5));
}

TEST(ServiceModel, OneSizeMakesAFlatLineThroughItsMean) {
  ServiceModel model(32);
  for (int i = 0; i < 10; ++i) model.observe(8, Duration(5000));
  EXPECT_NEAR(model.estimate().intercept_ns, 5000, 1e-6);
  EXPECT_NEAR(model.estimate().slope_ns, 0, 1e-6);
}

TEST(ServiceModel, RecoversALineFromTwoSizes) {
  ServiceModel model(64);
  model.observe(1, line(100'000, 20'000, 1));
  model.observe(33, line(100'000, 20'000, 33));
  const ServiceEstimate estimate = model.estimate();
  EXPECT_NEAR(estimate.intercept_ns, 100'000, 1);
  EXPECT_NEAR(estimate.slope_ns, 20'000, 1);
}

TEST(ServiceModel, RecoversALineFromAllSizesAndThenHasNoDeviation) {
  Random random(3);
  ServiceModel model(64);
  for (int i = 0; i < 2000; ++i) {
    const std::size_t size = 1 + random.below(64);
    model.observe(size, line(250'000, 7'000, size));
  }
  const ServiceEstimate estimate = model.estimate();
  EXPECT_EQ(estimate.samples, 2000u);
  EXPECT_NEAR(estimate.intercept_ns, 250'000, 1);
  EXPECT_NEAR(estimate.slope_ns, 7'000, 1);
  EXPECT_LT(estimate.deviation_ns, 1);
  EXPECT_NEAR(static_cast<double>(estimate.expected(20).count()), 390'000, 1);
}

TEST(ServiceModel, FindsALineAndItsDeviationUnderNoise) {
  // The line remembers about 64 batches, so one estimate is rough: 40 of them are averaged. With
  // uniform noise of +-30,000 the residuals have a deviation of 17,321.
  Random random(11);
  ServiceModel model(32);
  double intercept = 0;
  double slope = 0;
  double variance = 0;
  constexpr int kReadings = 40;
  for (int reading = 0; reading < kReadings; ++reading) {
    for (int i = 0; i < 500; ++i) {
      const std::size_t size = 1 + random.below(32);
      model.observe(size, line(200'000, 10'000, size) + Duration(random.between(-30'000, 30'000)));
    }
    const ServiceEstimate estimate = model.estimate();
    intercept += estimate.intercept_ns / kReadings;
    slope += estimate.slope_ns / kReadings;
    variance += estimate.deviation_ns * estimate.deviation_ns / kReadings;
  }
  EXPECT_NEAR(intercept, 200'000, 4'000);
  EXPECT_NEAR(slope, 10'000, 300);
  EXPECT_NEAR(std::sqrt(variance), 17'321, 1'500);
}

TEST(ServiceModel, ForgetsAnOldLine) {
  Random random(5);
  ServiceModel model(32);
  for (int i = 0; i < 1000; ++i) {
    const std::size_t size = 1 + random.below(32);
    model.observe(size, line(900'000, 50'000, size));
  }
  for (int i = 0; i < 1500; ++i) {
    const std::size_t size = 1 + random.below(32);
    model.observe(size, line(100'000, 5'000, size));
  }
  EXPECT_NEAR(model.estimate().intercept_ns, 100'000, 1'000);
  EXPECT_NEAR(model.estimate().slope_ns, 5'000, 50);
  EXPECT_LT(model.estimate().deviation_ns, 1'000);
}

TEST(ServiceModel, TheLineNeverStartsBelowZeroAndNeverFalls) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    ServiceModel model(32);
    for (int i = 0; i < 300; ++i) {
      const std::size_t size = 1 + random.below(32);
      // Convex, falling or plain noise: no straight line through the origin's right fits any of it.
      const auto x = static_cast<std::int64_t>(size);
      const std::int64_t times[] = {x * x * x, 40'000 - 1'000 * x, random.between(0, 100'000)};
      model.observe(size, Duration(times[seed % 3]));
      const ServiceEstimate estimate = model.estimate();
      ASSERT_GE(estimate.intercept_ns, 0) << "seed " << seed << ", batch " << i;
      ASSERT_GE(estimate.slope_ns, 0) << "seed " << seed << ", batch " << i;
      ASSERT_TRUE(std::isfinite(estimate.intercept_ns + estimate.slope_ns + estimate.deviation_ns));
      ASSERT_GE(estimate.expected(1), Duration(0));
    }
  }
}

TEST(ServiceModel, AServiceTimeBelowZeroCountsAsNone) {
  ServiceModel model(8);
  model.observe(4, Duration(-500));
  EXPECT_EQ(model.estimate().expected(4), Duration(0));
  EXPECT_EQ(model.estimate().means[0].mean_ns, 0);
}

TEST(ServiceModel, KeepsTheMeanOfEachSizeUpToSixteen) {
  ServiceModel model(16);
  for (int round = 0; round < 5; ++round) {
    for (const std::size_t size : {5u, 1u, 16u, 6u}) {
      model.observe(size, Duration(static_cast<std::int64_t>(1000 * size) + round));
    }
  }
  const ServiceEstimate estimate = model.estimate();
  const std::size_t sizes[] = {1, 5, 6, 16};
  ASSERT_EQ(estimate.means.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(estimate.means[i].size, sizes[i]);
    EXPECT_EQ(estimate.means[i].samples, 5u);
    EXPECT_NEAR(estimate.means[i].mean_ns, 1000.0 * static_cast<double>(sizes[i]) + 2, 1e-6);
  }
}

TEST(ServiceModel, AMeanFollowsAChange) {
  ServiceModel model(8);
  for (int i = 0; i < 100; ++i) model.observe(3, Duration(1000));
  for (int i = 0; i < 200; ++i) model.observe(3, Duration(9000));
  EXPECT_NEAR(model.estimate().means[0].mean_ns, 9000, 1);
}

TEST(ServiceModel, MeansAreBySizeAndCountEverySample) {
  for (const std::size_t cap : {1u, 2u, 16u, 17u, 18u, 32u, 33u, 100u, 1000u, 4096u}) {
    Random random(cap);
    ServiceModel model(cap);
    constexpr std::uint64_t kBatches = 2000;
    for (std::uint64_t i = 0; i < kBatches; ++i) {
      const std::size_t size = i == 0 ? cap : 1 + random.below(cap);
      model.observe(size, line(10'000, 100, size));
    }
    const ServiceEstimate estimate = model.estimate();
    std::uint64_t samples = 0;
    double previous = 0;
    for (const SizeMean& mean : estimate.means) {
      ASSERT_GT(mean.size, previous) << "cap " << cap;
      ASSERT_LE(mean.size, static_cast<double>(cap));
      previous = mean.size;
      samples += mean.samples;
      // A class spans at most an eighth of an octave, and so does the spread of its times.
      const double at_its_size = 10'000 + 100 * mean.size;
      EXPECT_NEAR(mean.mean_ns, at_its_size, 0.125 * 100 * mean.size + 1)
          << "cap " << cap << ", size " << mean.size;
    }
    EXPECT_EQ(samples, kBatches) << "cap " << cap;
  }
}

TEST(ServiceModel, SizesAboveSixteenThatAreCloseShareAMean) {
  ServiceModel model(1024);
  model.observe(1000, Duration(100));
  model.observe(1001, Duration(300));
  const ServiceEstimate estimate = model.estimate();
  ASSERT_EQ(estimate.means.size(), 1u);
  EXPECT_EQ(estimate.means[0].samples, 2u);
  EXPECT_NEAR(estimate.means[0].mean_ns, 200, 1e-6);
}

TEST(ServiceModel, ABatchAboveTheCapTeachesTheLineAlone) {
  ServiceModel model(8);
  model.observe(8, Duration(100));
  model.observe(50, Duration(900));
  EXPECT_EQ(model.estimate().samples, 2u);
  ASSERT_EQ(model.estimate().means.size(), 1u);
  EXPECT_NEAR(model.estimate().means[0].mean_ns, 100, 1e-6);
}

TEST(ServiceModel, TellsTheMeanOfASizeThatWasSeen) {
  ServiceModel model(40);
  model.observe(3, Duration(100));
  model.observe(33, Duration(500));
  ASSERT_NE(model.mean_of(3), nullptr);
  EXPECT_NEAR(model.mean_of(3)->mean_ns, 100, 1e-6);
  EXPECT_EQ(model.mean_of(4), nullptr);
  EXPECT_NE(model.mean_of(33), nullptr);
  EXPECT_EQ(model.mean_of(5000), nullptr);
}

}  // namespace
