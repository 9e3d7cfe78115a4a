// SPDX-License-Identifier: MIT
#include <batchwright/simulation/rate_curve.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

/// Arrivals in each slot of that length, of so many.
std::vector<double> counts_of(const RateCurveArrivals& curve, Duration slot, std::size_t slots) {
  auto stream = curve.start(Random(1));
  std::vector<double> counts(slots);
  for (;;) {
    const Duration at = stream.next();
    const auto index = static_cast<std::size_t>(at / slot);
    if (at == kNoArrival || index >= slots) return counts;
    ++counts[index];
  }
}

TEST(RateCurveArrivals, AStepChangesTheRateAtItsInstant) {
  const std::vector<double> counts = counts_of(step(10'000, 40'000, 2s), 1s, 4);
  EXPECT_NEAR(counts[0], 10'000, 400);
  EXPECT_NEAR(counts[1], 10'000, 400);
  EXPECT_NEAR(counts[2], 40'000, 800);
  EXPECT_NEAR(counts[3], 40'000, 800);
}

TEST(RateCurveArrivals, ASpikeLastsAsLongAsItIsSaidTo) {
  const std::vector<double> counts = counts_of(spike(1000, 50'000, 1s, 500ms), 500ms, 6);
  EXPECT_NEAR(counts[1], 500, 90);
  EXPECT_NEAR(counts[2], 25'000, 640);
  EXPECT_NEAR(counts[3], 500, 90);
  EXPECT_NEAR(counts[5], 500, 90);
}

TEST(RateCurveArrivals, TheRateIsStraightBetweenPoints) {
  const RateCurveArrivals ramp{.points = {{0s, 0}, {4s, 40'000}}};
  const std::vector<double> counts = counts_of(ramp, 1s, 5);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(counts[i], 10'000 * (static_cast<double>(i) + 0.5), 800);
  }
  EXPECT_NEAR(counts[4], 40'000, 800);
}

TEST(RateCurveArrivals, APeriodBeginsAnew) {
  const RateCurveArrivals curve{.points = {{0s, 20'000}, {1s, 20'000}, {1s, 0}}, .period = 3s};
  const std::vector<double> counts = counts_of(curve, 1s, 6);
  EXPECT_NEAR(counts[0], 20'000, 600);
  EXPECT_EQ(counts[1], 0);
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[3], 20'000, 600);
  EXPECT_EQ(counts[4], 0);
}

TEST(RateCurveArrivals, EndWhereTheRateStaysAtZero) {
  const RateCurveArrivals curve{.points = {{1s, 100}, {1s, 0}}};
  auto stream = curve.start(Random(1));
  Duration last{};
  for (Duration at = stream.next(); at != kNoArrival; at = stream.next()) last = at;
  EXPECT_GT(last, 500ms);
  EXPECT_LT(last, 1s);
  EXPECT_EQ(stream.next(), kNoArrival);
}

TEST(RateCurveArrivals, ADayIsLowestAtItsStartAndHighestAtNoon) {
  const std::vector<double> counts = counts_of(daily_curve(24'000, 0.5, 24s), 1s, 48);
  double sum = 0;
  for (const double count : counts) sum += count;
  EXPECT_NEAR(sum / 48, 24'000, 240);
  EXPECT_NEAR(counts[0], 12'000, 500);
  EXPECT_NEAR(counts[12], 36'000, 800);
  EXPECT_NEAR(counts[6], 25'600, 800);  // On the way up.
  EXPECT_NEAR(counts[36], 36'000, 800);
}

TEST(RateCurveArrivals, NameTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  EXPECT_EQ(RateCurveArrivals{}.validate(),
            "RateCurveArrivals::points must be at least one, got none");
  EXPECT_EQ((RateCurveArrivals{.points = {{2s, 1}, {1s, 1}}}).validate(),
            "RateCurveArrivals::points[1].at must be at least 2000000000 ns (ascending), got "
            "1000000000 ns");
  EXPECT_EQ((RateCurveArrivals{.points = {{0s, -1}}}).validate(),
            "RateCurveArrivals::points[0].rate_hz must be from 0 to 1e+09, got -1");
  EXPECT_EQ((RateCurveArrivals{.points = {{0s, 0}}}).validate(),
            "RateCurveArrivals::points must be above 0 at some instant, got 0 at each");
  EXPECT_EQ((RateCurveArrivals{.points = {{2s, 1}}, .period = 1s}).validate(),
            "RateCurveArrivals::period must be above 0 ns and not before the last point "
            "(2000000000 ns), got 1000000000 ns");
  EXPECT_EQ(daily_curve(100).validate(), "");
  EXPECT_EQ(step(1, 2, 1s).validate(), "");
  EXPECT_EQ(spike(1, 2, 1s, 1s).validate(), "");
}

}  // namespace
