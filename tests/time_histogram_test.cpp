// SPDX-License-Identifier: MIT
#include <batchwright/histogram.hpp>
#include <batchwright/time_histogram.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>

namespace {

using batchwright::Histogram;
using batchwright::TimeHistogram;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

TEST(TimeHistogram, IsASmallPlainValue) {
  static_assert(std::is_trivially_copyable_v<TimeHistogram>);
  static_assert(sizeof(TimeHistogram) <= 216);
}

TEST(TimeHistogram, IsEmptyAtFirst) {
  const TimeHistogram empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.sum(), 0);
  EXPECT_EQ(empty.mean(), 0);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.quantile(0.5), 0u);
}

TEST(TimeHistogram, PutsEachValueIntoTheFirstBucketThatReachesIt) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::uint64_t value = random() >> (random() % 64);
    if (i % 2 == 0) {  // About a bound.
      value = TimeHistogram::bucket_upper(random() % (TimeHistogram::kBucketCount - 1)) - 1 +
              random() % 3;
    }
    TimeHistogram histogram;
    histogram.record(value);
    std::size_t bucket = 0;
    while (TimeHistogram::bucket_upper(bucket) < value) ++bucket;
    ASSERT_EQ(histogram.bucket_count(bucket), 1u) << value;
    ASSERT_EQ(histogram.count(), 1u);
  }
}

TEST(TimeHistogram, HasBoundsOfAboutOneTwoAndFiveUpToTenSecondsAndNoneBeyond) {
  std::uint64_t round = 1'000;
  for (std::size_t i = 0; i + 1 < TimeHistogram::kBucketCount; ++i) {
    EXPECT_GE(TimeHistogram::bucket_upper(i), round);
    EXPECT_LE(TimeHistogram::bucket_upper(i), round + round / 32);
    round = i % 3 == 1 ? round / 2 * 5 : round * 2;
  }
  EXPECT_EQ(round, 20'000'000'000u);
  EXPECT_EQ(TimeHistogram::bucket_upper(TimeHistogram::kBucketCount - 1), kMost);
}

TEST(TimeHistogram, ShowsBelowEachBoundWhatAHistogramShows) {
  std::mt19937_64 random(2);
  TimeHistogram coarse;
  Histogram fine;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random() >> (random() % 64);
    coarse.record(value);
    fine.record(value);
  }
  std::uint64_t coarse_below = 0;
  std::uint64_t fine_below = 0;
  std::size_t index = 0;
  for (std::size_t i = 0; i + 1 < TimeHistogram::kBucketCount; ++i) {
    coarse_below += coarse.bucket_count(i);
    const std::size_t last = Histogram::bucket_of(TimeHistogram::bucket_upper(i));
    while (index <= last) fine_below += fine.bucket_count(index++);
    EXPECT_EQ(coarse_below, fine_below) << i;
  }
  EXPECT_EQ(coarse.count(), fine.count());
  EXPECT_EQ(coarse.sum(), fine.sum());
  EXPECT_EQ(coarse.mean(), fine.mean());
  EXPECT_EQ(coarse.max(), fine.max());
}

TEST(TimeHistogram, AQuantileIsNeverBelowTheTrueOneNorAboveTheMaximum) {
  TimeHistogram histogram;
  for (std::uint64_t ms = 1; ms <= 100; ++ms) histogram.record(ms * 1'000'000);
  for (const double q : {0.01, 0.5, 0.9, 0.99}) {
    const double exact = q * 100e6;
    EXPECT_GE(static_cast<double>(histogram.quantile(q)), exact) << q;
    EXPECT_LE(static_cast<double>(histogram.quantile(q)), 2.6 * exact) << q;
  }
  EXPECT_EQ(histogram.quantile(1), 100'000'000u);
  EXPECT_EQ(histogram.quantile(0), TimeHistogram::bucket_upper(9));  // Its first bucket in use.
}

TEST(TimeHistogram, KeepsTheSumOfTheLongestTimes) {
  TimeHistogram histogram;
  for (int i = 0; i < 4; ++i) histogram.record(kMost);
  EXPECT_EQ(histogram.sum(), 4 * 18446744073709551615.0);
}

TEST(TimeHistogram, TheIntervalBetweenTwoStatesIsWhatCameBetween) {
  std::mt19937_64 random(3);
  TimeHistogram before;
  for (int i = 0; i < 100; ++i) before.record(random() >> (random() % 30));
  TimeHistogram later = before;
  TimeHistogram between;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = random() % 1'000'000;
    later.record(value);
    between.record(value);
  }
  TimeHistogram difference = later;
  difference -= before;
  for (std::size_t i = 0; i < TimeHistogram::kBucketCount; ++i) {
    EXPECT_EQ(difference.bucket_count(i), between.bucket_count(i));
  }
  EXPECT_EQ(difference.sum(), between.sum());
  EXPECT_GE(difference.max(), between.max());
  EXPECT_LE(difference.max(), 1'015'807u);
  difference += before;
  EXPECT_EQ(difference.count(), later.count());
  EXPECT_EQ(difference.sum(), later.sum());
}

TEST(TimeHistogram, WhatWasNeverThereCannotBeTaken) {
  TimeHistogram one;
  one.record(5);
  TimeHistogram many;
  for (int i = 0; i < 3; ++i) many.record(7);
  one -= many;
  EXPECT_EQ(one, TimeHistogram());
}

}  // namespace
