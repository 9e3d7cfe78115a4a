// SPDX-License-Identifier: MIT
#include <batchwright/histogram.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using batchwright::Histogram;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHour = 3'600'000'000'000;
constexpr std::uint64_t kPrecise = std::uint64_t{1} << 42;
constexpr std::array<double, 13> kShares{0.0001, 0.001, 0.01, 0.1,   0.25,   0.5,    0.75,
                                         0.9,    0.95,  0.99, 0.999, 0.9999, 0.99999};

using Values = std::vector<std::uint64_t>;

Histogram histogram_of(const Values& values) {
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  return histogram;
}

/// The definition, by sorting: the smallest value that at least the share q does not exceed.
std::uint64_t exact_quantile(Values values, double q) {
  std::sort(values.begin(), values.end());
  const double wanted = q * static_cast<double>(values.size());
  std::size_t index = 0;
  while (index + 1 < values.size() && static_cast<double>(index + 1) < wanted) ++index;
  return values[index];
}

std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a < b ? b - a : a - b; }

void expect_quantiles_within_bound(const Histogram& histogram, const Values& values) {
  for (const double q : kShares) {
    const std::uint64_t exact = exact_quantile(values, q);
    const std::uint64_t shown = histogram.quantile(q);
    EXPECT_LE(distance(shown, exact), exact / 64) << "q " << q << ", exact " << exact;
  }
}

Values uniform_values(std::uint64_t seed, std::size_t n, std::uint64_t low, std::uint64_t high) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::uint64_t> draw(low, high);
  Values values(n);
  for (auto& value : values) value = draw(random);
  return values;
}

/// Each octave up to 2^bits equally likely.
Values log_uniform_values(std::uint64_t seed, std::size_t n, int bits) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> draw(1, bits);
  Values values(n);
  for (auto& value : values) value = random() >> (64 - draw(random));
  return values;
}

Values exponential_values(std::uint64_t seed, std::size_t n, double mean) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> draw(1 / mean);
  Values values(n);
  for (auto& value : values) value = static_cast<std::uint64_t>(draw(random));
  return values;
}

Values joined(Values values, const Values& more) {
  values.insert(values.end(), more.begin(), more.end());
  return values;
}

bool same_buckets(const Histogram& a, const Histogram& b) {
  for (std::size_t i = 0; i < Histogram::kBucketCount; ++i) {
    if (a.bucket_count(i) != b.bucket_count(i)) return false;
  }
  return true;
}

TEST(HistogramBuckets, CoverAllValuesWithoutGapOrOverlap) {
  EXPECT_EQ(Histogram::bucket_lower(0), 0u);
  for (std::size_t i = 0; i + 1 < Histogram::kBucketCount; ++i) {
    ASSERT_LE(Histogram::bucket_lower(i), Histogram::bucket_upper(i)) << i;
    ASSERT_EQ(Histogram::bucket_upper(i) + 1, Histogram::bucket_lower(i + 1)) << i;
  }
  EXPECT_EQ(Histogram::bucket_upper(Histogram::kBucketCount - 1), kMax);
}

TEST(HistogramBuckets, TakeTheirOwnBoundsAndNotTheirNeighbours) {
  for (std::size_t i = 0; i < Histogram::kBucketCount; ++i) {
    ASSERT_EQ(Histogram::bucket_of(Histogram::bucket_lower(i)), i);
    ASSERT_EQ(Histogram::bucket_of(Histogram::bucket_upper(i)), i);
  }
}

TEST(HistogramBuckets, HoldOneValueEachBelow64) {
  for (std::uint64_t value = 0; value < 64; ++value) {
    const std::size_t index = Histogram::bucket_of(value);
    EXPECT_EQ(Histogram::bucket_lower(index), value);
    EXPECT_EQ(Histogram::bucket_upper(index), value);
  }
}

TEST(HistogramBuckets, AreAtMostOneThirtySecondWideFrom64Up) {
  for (std::size_t i = 64; i + 1 < Histogram::kBucketCount; ++i) {
    const std::uint64_t lower = Histogram::bucket_lower(i);
    const std::uint64_t width = Histogram::bucket_upper(i) - lower + 1;
    ASSERT_LE(width * 32, lower) << i;
  }
}

TEST(HistogramBuckets, AscendWithEveryValueOfTheFirstOctaves) {
  for (std::uint64_t value = 0; value < 20'000; ++value) {
    const std::size_t index = Histogram::bucket_of(value);
    ASSERT_LE(Histogram::bucket_lower(index), value);
    ASSERT_GE(Histogram::bucket_upper(index), value);
    ASSERT_LE(index, Histogram::bucket_of(value + 1));
  }
}

TEST(HistogramBuckets, AreFullOnBothSidesOfEachPowerOfTwo) {
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value : {power - 1, power, power + 1}) {
      const std::size_t index = Histogram::bucket_of(value);
      ASSERT_LT(index, Histogram::kBucketCount) << value;
      ASSERT_LE(Histogram::bucket_lower(index), value);
      ASSERT_GE(Histogram::bucket_upper(index), value);
    }
  }
}

TEST(HistogramBuckets, AreFineUpToMoreThanAnHourOfNanoseconds) {
  EXPECT_LT(Histogram::bucket_of(kHour), Histogram::kBucketCount - 1);
  EXPECT_EQ(Histogram::bucket_of(kPrecise - 1), Histogram::kBucketCount - 2);
  EXPECT_EQ(Histogram::bucket_of(kPrecise), Histogram::kBucketCount - 1);
  EXPECT_EQ(Histogram::bucket_of(kMax), Histogram::kBucketCount - 1);
}

TEST(HistogramBuckets, CanBeComputedAtCompileTime) {
  static_assert(Histogram::bucket_of(63) == 63);
  static_assert(Histogram::bucket_of(64) == 64);
  static_assert(Histogram::bucket_of(65) == 64);
  static_assert(Histogram::bucket_of(66) == 65);
  static_assert(Histogram::bucket_lower(64) == 64);
  static_assert(Histogram::bucket_upper(64) == 65);
}

TEST(HistogramBuckets, AddUpToTheCount) {
  const Histogram histogram = histogram_of(log_uniform_values(11, 5'000, 64));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < Histogram::kBucketCount; ++i) sum += histogram.bucket_count(i);
  EXPECT_EQ(sum, 5'000u);
}

TEST(Histogram, IsAPlainValueOfAboutTenKilobytes) {
  static_assert(std::is_trivially_copyable_v<Histogram>);
  static_assert(std::is_nothrow_default_constructible_v<Histogram>);
  static_assert(sizeof(Histogram) <= 10 * 1024);
  static_assert(noexcept(Histogram{}.record(1)));
}

TEST(Histogram, ShowsZeroEverywhereWhenEmpty) {
  const Histogram empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.min(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.sum(), 0.0);
  EXPECT_EQ(empty.mean(), 0.0);
  for (const double q : {-1.0, 0.0, 0.5, 1.0, 2.0}) EXPECT_EQ(empty.quantile(q), 0u);
}

TEST(Histogram, ShowsASingleValueExactlyHoweverLarge) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{63}, std::uint64_t{64}, std::uint64_t{65},
        std::uint64_t{1'000'003}, kHour, kPrecise - 1, kPrecise, kPrecise + 1, kMax - 1, kMax}) {
    Histogram histogram;
    histogram.record(value);
    EXPECT_FALSE(histogram.empty());
    EXPECT_EQ(histogram.count(), 1u);
    EXPECT_EQ(histogram.min(), value);
    EXPECT_EQ(histogram.max(), value);
    EXPECT_EQ(histogram.mean(), static_cast<double>(value));
    for (const double q : {0.0, 0.001, 0.5, 0.999, 1.0}) EXPECT_EQ(histogram.quantile(q), value);
  }
}

TEST(Histogram, IsExactForValuesBelow64) {
  Values values;
  for (std::uint64_t value = 0; value < 64; ++value) values.push_back(value);
  const Histogram histogram = histogram_of(values);
  for (const double q : kShares) EXPECT_EQ(histogram.quantile(q), exact_quantile(values, q)) << q;
}

TEST(Histogram, CountsAQuantileFromTheFirstValueThatReachesTheShare) {
  const Histogram histogram = histogram_of({10, 20, 30, 40});
  EXPECT_EQ(histogram.quantile(0.25), 10u);
  EXPECT_EQ(histogram.quantile(0.26), 20u);
  EXPECT_EQ(histogram.quantile(0.5), 20u);
  EXPECT_EQ(histogram.quantile(0.75), 30u);
  EXPECT_EQ(histogram.quantile(0.76), 40u);
}

TEST(Histogram, GivesTheExtremesForSharesOfZeroAndOneAndBeyond) {
  const Histogram histogram = histogram_of({1'001, 500'009, 7'000'001});
  EXPECT_EQ(histogram.quantile(0), 1'001u);
  EXPECT_EQ(histogram.quantile(-0.5), 1'001u);
  EXPECT_EQ(histogram.quantile(1), 7'000'001u);
  EXPECT_EQ(histogram.quantile(17), 7'000'001u);
  EXPECT_EQ(histogram.quantile(std::nan("")), 1'001u);
}

TEST(Histogram, NeverShowsAQuantileOutsideTheObservedRange) {
  const Histogram histogram = histogram_of({1'000'000, 1'000'001, 1'000'002});
  for (const double q : kShares) {
    EXPECT_GE(histogram.quantile(q), 1'000'000u);
    EXPECT_LE(histogram.quantile(q), 1'000'002u);
  }
}

TEST(Histogram, ShowsTheMaximumForQuantilesAboveThePreciseRange) {
  const Histogram histogram = histogram_of({5, kPrecise, kPrecise * 2, kMax});
  EXPECT_EQ(histogram.quantile(0.25), 5u);
  EXPECT_EQ(histogram.quantile(0.5), kMax);
  EXPECT_EQ(histogram.max(), kMax);
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthForUniformValues) {
  for (const std::uint64_t high :
       {std::uint64_t{100}, std::uint64_t{10'000}, std::uint64_t{1'000'000'000}, kPrecise - 1}) {
    const Values values = uniform_values(high, 20'000, 0, high);
    expect_quantiles_within_bound(histogram_of(values), values);
  }
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthForValuesOfEveryOctave) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Values values = log_uniform_values(seed, 5'000, 42);
    expect_quantiles_within_bound(histogram_of(values), values);
  }
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthForExponentialLatencies) {
  for (const double mean : {50.0, 20'000.0, 2e6, 5e9}) {
    const Values values = exponential_values(7, 20'000, mean);
    expect_quantiles_within_bound(histogram_of(values), values);
  }
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthAtEveryBucketBound) {
  for (std::size_t i = 0; i + 1 < Histogram::kBucketCount; ++i) {
    // Neighbours of the value under test keep the clamp to min and max from helping.
    const std::uint64_t lower = Histogram::bucket_lower(i);
    const std::uint64_t upper = Histogram::bucket_upper(i);
    for (const std::uint64_t value : {lower, upper}) {
      const Histogram histogram = histogram_of({0, value, value, value, kMax});
      ASSERT_LE(distance(histogram.quantile(0.5), value), value / 64) << value;
    }
  }
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthForFewValuesFarApart) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    const Values values = log_uniform_values(random(), 1 + random() % 8, 42);
    expect_quantiles_within_bound(histogram_of(values), values);
  }
}

TEST(HistogramQuantile, IsWithinOneSixtyFourthForOneOutlierAmongEqualValues) {
  Values values(9'999, 123'456);
  values.push_back(kHour);
  const Histogram histogram = histogram_of(values);
  expect_quantiles_within_bound(histogram, values);
  EXPECT_LE(distance(histogram.quantile(0.9999), 123'456), 123'456u / 64);
  EXPECT_LE(distance(histogram.quantile(0.99995), kHour), kHour / 64);
}

TEST(HistogramQuantile, NeverFallsWhenTheShareRises) {
  const Histogram histogram = histogram_of(log_uniform_values(5, 3'000, 50));
  std::uint64_t previous = 0;
  for (int i = 0; i <= 1'000; ++i) {
    const std::uint64_t value = histogram.quantile(i / 1'000.0);
    ASSERT_GE(value, previous) << i;
    previous = value;
  }
}

TEST(HistogramQuantile, DoesNotDependOnTheOrderOfRecording) {
  Values values = log_uniform_values(8, 2'000, 60);
  const Histogram forward = histogram_of(values);
  std::reverse(values.begin(), values.end());
  EXPECT_EQ(forward, histogram_of(values));
}

TEST(HistogramSum, IsExactForSmallValues) {
  const Histogram histogram = histogram_of({1, 2, 3, 94});
  EXPECT_EQ(histogram.sum(), 100.0);
  EXPECT_EQ(histogram.mean(), 25.0);
}

TEST(HistogramSum, DoesNotSufferFromBuckets) {
  const Values values = uniform_values(21, 10'000, 0, 1'000'000'000);
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  EXPECT_EQ(histogram_of(values).sum(), static_cast<double>(sum));
}

TEST(HistogramSum, GoesPast64BitsWithoutOverflow) {
  const Histogram histogram = histogram_of({kMax, kMax, kMax, kMax});
  EXPECT_EQ(histogram.sum(), std::ldexp(1.0, 66));
  EXPECT_EQ(histogram.mean(), std::ldexp(1.0, 64));
}

TEST(HistogramSum, KeepsSmallValuesAddedToAHugeSum) {
  Histogram histogram;
  histogram.record_n(kMax, 1'000);
  const Histogram before = histogram;
  for (int i = 0; i < 1'000; ++i) histogram.record(7);
  EXPECT_EQ((histogram - before).sum(), 7'000.0);
}

TEST(HistogramSum, HoldsTheLargestValueTheLargestNumberOfTimes) {
  Histogram histogram;
  histogram.record_n(kMax, kMax);
  EXPECT_EQ(histogram.count(), kMax);
  EXPECT_EQ(histogram.sum(), std::ldexp(1.0, 128));
  EXPECT_EQ(histogram.mean(), std::ldexp(1.0, 64));
  EXPECT_EQ(histogram.quantile(0.5), kMax);
}

TEST(HistogramRecording, EqualsRecordingOneByOne) {
  Values values = uniform_values(3, 1000, 0, kHour);
  values.insert(values.end(), {0, kMax, kMax, kMax, 1});
  Histogram histogram = histogram_of({5, kHour});
  Histogram expected = histogram;
  for (const std::uint64_t value : values) expected.record(value);
  {
    Histogram::Recording recording(histogram);
    for (const std::uint64_t value : values) recording.record(value);
  }
  EXPECT_EQ(histogram, expected);
}

TEST(HistogramRecording, OfNothingChangesNothing) {
  Histogram histogram = histogram_of({5});
  const Histogram before = histogram;
  { const Histogram::Recording recording(histogram); }
  EXPECT_EQ(histogram, before);
}

TEST(HistogramRecordN, EqualsRecordingNTimes) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{64},
                                    std::uint64_t{0x1'0000'0001}, kMax}) {
    for (const std::uint64_t n : {1u, 2u, 3u, 100u}) {
      Histogram one_by_one;
      for (std::uint64_t i = 0; i < n; ++i) one_by_one.record(value);
      Histogram at_once;
      at_once.record_n(value, n);
      EXPECT_EQ(at_once, one_by_one) << value << " x " << n;
    }
  }
}

TEST(HistogramRecordN, OfNothingChangesNothing) {
  Histogram histogram;
  histogram.record_n(0, 0);
  histogram.record_n(kMax, 0);
  EXPECT_EQ(histogram, Histogram{});
  histogram.record(1'000);
  histogram.record_n(5, 0);
  EXPECT_EQ(histogram, histogram_of({1'000}));
}

TEST(HistogramRecordN, EqualsRepeatedDoublingForHugeNumbers) {
  std::mt19937_64 random(17);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t value = random() >> (random() % 64);
    const std::uint64_t n = random() >> (random() % 64);
    Histogram doubled = histogram_of({value});
    Histogram by_doubling;
    for (int bit = 0; bit < 64; ++bit) {
      if ((n >> bit & 1) != 0) by_doubling += doubled;
      doubled += Histogram(doubled);
    }
    Histogram at_once;
    at_once.record_n(value, n);
    ASSERT_EQ(at_once, by_doubling) << value << " x " << n;
  }
}

TEST(HistogramMerge, EqualsRecordingEverythingInOne) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Values first = log_uniform_values(seed, 300, 64);
    const Values second = exponential_values(seed + 100, 200, 1e6);
    Histogram merged = histogram_of(first);
    merged += histogram_of(second);
    ASSERT_EQ(merged, histogram_of(joined(first, second)));
  }
}

TEST(HistogramMerge, CommutesAndAssociates) {
  const Histogram a = histogram_of(log_uniform_values(1, 100, 64));
  const Histogram b = histogram_of(uniform_values(2, 100, 50, 80));
  const Histogram c = histogram_of({kMax});
  Histogram left = a;
  left += b;
  left += c;
  Histogram right = c;
  right += b;
  right += a;
  Histogram nested = b;
  nested += c;
  Histogram outer = a;
  outer += nested;
  EXPECT_EQ(left, right);
  EXPECT_EQ(left, outer);
}

TEST(HistogramMerge, WithAnEmptyOneChangesNothing) {
  const Histogram some = histogram_of({3, 4'000, kMax});
  Histogram merged = some;
  merged += Histogram{};
  EXPECT_EQ(merged, some);
  Histogram from_empty;
  from_empty += some;
  EXPECT_EQ(from_empty, some);
}

TEST(HistogramMerge, WithItselfDoublesEveryCount) {
  Histogram histogram = histogram_of({0, 63, 64, 5'000'000, kMax});
  Histogram& same = histogram;
  histogram += same;
  EXPECT_EQ(histogram, histogram_of({0, 0, 63, 63, 64, 64, 5'000'000, 5'000'000, kMax, kMax}));
}

TEST(HistogramInterval, HoldsWhatCameAfterTheEarlierState) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Values first = log_uniform_values(seed, 400, 42);
    const Values second = exponential_values(seed + 50, 300, 3e6);
    const Histogram between = histogram_of(joined(first, second)) - histogram_of(first);
    const Histogram expected = histogram_of(second);
    ASSERT_TRUE(same_buckets(between, expected));
    ASSERT_EQ(between.count(), expected.count());
    ASSERT_EQ(between.sum(), expected.sum());
    ASSERT_EQ(between.mean(), expected.mean());
    expect_quantiles_within_bound(between, second);
  }
}

TEST(HistogramInterval, ShowsBucketBoundsAsItsExtremes) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Values first = log_uniform_values(seed, 50, 42);
    const Values second = uniform_values(seed + 9, 5, 1'000, 1'000'000);
    const Histogram between = histogram_of(joined(first, second)) - histogram_of(first);
    const std::uint64_t low = *std::min_element(second.begin(), second.end());
    const std::uint64_t high = *std::max_element(second.begin(), second.end());
    ASSERT_LE(between.min(), low);
    ASSERT_GE(between.max(), high);
    ASSERT_LE(low - between.min(), low / 32);
    ASSERT_LE(between.max() - high, high / 32);
  }
}

TEST(HistogramInterval, ShowsNoExtremeBeyondThatOfTheWhole) {
  const Histogram between = histogram_of({10, 1'000'001}) - histogram_of({10});
  EXPECT_EQ(between.max(), 1'000'001u);
  const Histogram other = histogram_of({1'000'001, 9'000'000}) - histogram_of({9'000'000});
  EXPECT_EQ(other.min(), 1'000'001u);
}

TEST(HistogramInterval, IsEmptyBetweenEqualStates) {
  const Histogram histogram = histogram_of({0, 7, 64, 100'000, kMax});
  EXPECT_EQ(histogram - histogram, Histogram{});
}

TEST(HistogramInterval, SinceAnEmptyStateIsTheWhole) {
  const Histogram histogram = histogram_of({0, 7, 64, 100'000, kMax});
  EXPECT_EQ(histogram - Histogram{}, histogram);
  EXPECT_EQ(Histogram{} - Histogram{}, Histogram{});
}

TEST(HistogramInterval, PlusTheEarlierStateIsTheWhole) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Values first = log_uniform_values(seed, 100, 64);
    const Values all = joined(first, log_uniform_values(seed + 30, 100, 64));
    Histogram again = histogram_of(all) - histogram_of(first);
    again += histogram_of(first);
    ASSERT_TRUE(same_buckets(again, histogram_of(all)));
    ASSERT_EQ(again.count(), 200u);
    ASSERT_EQ(again.sum(), histogram_of(all).sum());
  }
}

TEST(HistogramInterval, BorrowsAcrossTheWordsOfTheSum) {
  const Histogram earlier = histogram_of({kMax, kMax - 1});
  Histogram later = earlier;
  later.record(5);
  EXPECT_EQ((later - earlier).sum(), 5.0);
  EXPECT_EQ((later - histogram_of({5})).sum(), std::ldexp(1.0, 65));
}

TEST(HistogramInterval, StaysAtZeroForWhatWasNeverThere) {
  EXPECT_EQ(histogram_of({5, 5}) - histogram_of({5, 5, 5}), Histogram{});
  const Histogram rest = histogram_of({5, 9}) - histogram_of({5, 5, kMax});
  EXPECT_EQ(rest.count(), 1u);
  EXPECT_EQ(rest.quantile(0.5), 9u);
  EXPECT_EQ(rest.sum(), 0.0);
  EXPECT_EQ(Histogram{} - histogram_of({1, 2}), Histogram{});
}

TEST(HistogramInterval, OfIntervalsChains) {
  const Values a = log_uniform_values(1, 100, 40);
  const Values b = log_uniform_values(2, 100, 40);
  const Values c = log_uniform_values(3, 100, 40);
  const Histogram first = histogram_of(a);
  const Histogram second = histogram_of(joined(a, b));
  const Histogram third = histogram_of(joined(joined(a, b), c));
  Histogram sum = second - first;
  sum += third - second;
  EXPECT_TRUE(same_buckets(sum, third - first));
  EXPECT_EQ(sum.count(), (third - first).count());
  EXPECT_EQ(sum.sum(), (third - first).sum());
}

TEST(HistogramRandomWalk, AgreesWithTheListOfItsValuesAtEveryStep) {
  std::mt19937_64 random(2024);
  for (int round = 0; round < 30; ++round) {
    Histogram histogram;
    Values values;
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t value = random() >> (22 + random() % 42);
      switch (random() % 3) {
        case 0:
          histogram.record(value);
          values.push_back(value);
          break;
        case 1: {
          const std::uint64_t n = random() % 5;
          histogram.record_n(value, n);
          values.insert(values.end(), n, value);
          break;
        }
        default: {
          const Values more = log_uniform_values(random(), random() % 6, 42);
          histogram += histogram_of(more);
          values = joined(values, more);
        }
      }
      ASSERT_EQ(histogram, histogram_of(values));
      if (!values.empty()) expect_quantiles_within_bound(histogram, values);
    }
  }
}

}  // namespace
