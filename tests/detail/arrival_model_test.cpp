// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/arrival_model.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace {

using batchwright::ArrivalEstimate;
using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::ArrivalModel;
using batchwright_test::Random;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

TEST(ArrivalModel, KnowsNoRateBeforeTheSecondArrival) {
  ArrivalModel model;
  EXPECT_EQ(model.estimate().samples, 0u);
  EXPECT_EQ(model.estimate().rate_per_second, 0);
  model.observe(at(500));
  EXPECT_EQ(model.estimate().samples, 1u);
  EXPECT_EQ(model.estimate().rate_per_second, 0);
  EXPECT_EQ(model.estimate().burstiness, 0);
  EXPECT_EQ(model.estimate().last, at(500));
}

TEST(ArrivalModel, OneGapIsTheMean) {
  ArrivalModel model;
  model.observe(at(0));
  model.observe(at(1'000'000));
  EXPECT_NEAR(model.estimate().rate_per_second, 1000, 1e-6);
}

TEST(ArrivalModel, RegularArrivalsHaveTheirRateAndNoBurstiness) {
  ArrivalModel model;
  for (std::int64_t i = 0; i < 5000; ++i) model.observe(at(i * 250'000));
  const ArrivalEstimate estimate = model.estimate();
  EXPECT_EQ(estimate.samples, 5000u);
  EXPECT_NEAR(estimate.rate_per_second, 4000, 1e-3);
  EXPECT_NEAR(estimate.burstiness, 0, 1e-9);
  EXPECT_EQ(estimate.last, at(4999 * 250'000));
}

TEST(ArrivalModel, PoissonArrivalsHaveTheirRateAndABurstinessOfOne) {
  // The means weigh about 255 gaps, so one reading of the burstiness has a standard deviation of
  // about 2 / sqrt(255) = 0.13, and one of the rate 6 %: 200 readings, far apart, are averaged.
  Random random(17);
  ArrivalModel model;
  std::int64_t now = 0;
  double rate = 0;
  double burstiness = 0;
  constexpr int kReadings = 200;
  for (int reading = 0; reading < kReadings; ++reading) {
    for (int i = 0; i < 1000; ++i) {
      now += std::llround(random.exponential() * 100'000);
      model.observe(at(now));
    }
    const ArrivalEstimate estimate = model.estimate();
    EXPECT_NEAR(estimate.rate_per_second, 10'000, 3'500);
    EXPECT_NEAR(estimate.burstiness, 1, 0.8);
    rate += estimate.rate_per_second / kReadings;
    burstiness += estimate.burstiness / kReadings;
  }
  EXPECT_NEAR(rate, 10'000, 200);
  EXPECT_NEAR(burstiness, 1, 0.05);
}

TEST(ArrivalModel, ArrivalsInGroupsAreBursty) {
  // Groups of four: three gaps of nothing and one of 4 means have a squared coefficient of
  // variation of 3. A reading depends on the place within the group by some 1/128; a whole group
  // averages it.
  ArrivalModel model;
  double burstiness = 0;
  for (std::int64_t group = 0; group < 1000; ++group) {
    burstiness = 0;
    for (int member = 0; member < 4; ++member) {
      model.observe(at(group * 1'000'000));
      burstiness += model.estimate().burstiness / 4;
    }
  }
  EXPECT_NEAR(burstiness, 3, 0.05);
}

TEST(ArrivalModel, AStampEarlierThanTheOneBeforeCountsAsNoGap) {
  ArrivalModel model;
  model.observe(at(1000));
  model.observe(at(400));
  EXPECT_EQ(model.estimate().rate_per_second, 0);
  EXPECT_EQ(model.estimate().last, at(1000));
  model.observe(at(3000));  // Gaps of 0 and 2,000.
  EXPECT_NEAR(model.estimate().rate_per_second, 1e9 / 1000, 1e-3);
}

TEST(ArrivalModel, FollowsAChangeOfTheRate) {
  ArrivalModel model;
  std::int64_t now = 0;
  for (int i = 0; i < 2000; ++i) model.observe(at(now += 1'000'000));
  for (int i = 0; i < 2000; ++i) model.observe(at(now += 10'000));
  EXPECT_NEAR(model.estimate().rate_per_second, 100'000, 100);
}

TEST(ArrivalModel, ManyArrivalsAtOneInstantAreFinite) {
  ArrivalModel model;
  for (int i = 0; i < 1000; ++i) model.observe(at(7));
  EXPECT_TRUE(std::isfinite(model.estimate().rate_per_second));
  EXPECT_TRUE(std::isfinite(model.estimate().burstiness));
}

}  // namespace
