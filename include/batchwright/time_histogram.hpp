// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TIME_HISTOGRAM_HPP
#define BATCHWRIGHT_TIME_HISTOGRAM_HPP

#include "histogram.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace batchwright::inline v0_1 {

/// Distribution of times in 216 bytes, for where there are many of them: 22 bounds, about 1, 2, 5, 10 us
/// and so on up to 10 s, and one bucket for what is longer. The bounds are bounds of Histogram's own
/// buckets, so two histograms of these kinds that were told the same show the same counts below each.
///
/// A plain value without thread safety of its own. Nothing allocates.
class TimeHistogram {
 public:
  static constexpr std::size_t kBucketCount = 23;

  /// Adds one time in nanoseconds: a handful of instructions.
  void record(std::uint64_t ns) noexcept {
    ++buckets_[kPlace[Histogram::bucket_of(ns)]];
    add_to_sum(0, ns);
    max_ = std::max(max_, ns);
  }

  std::uint64_t count() const noexcept {
    std::uint64_t count = 0;
    for (const std::uint64_t bucket : buckets_) count += bucket;
    return count;
  }
  bool empty() const noexcept { return count() == 0; }

  /// The longest that was recorded, exactly; in an interval (see `-=`) at most that.
  std::uint64_t max() const noexcept { return max_; }

  /// Kept exactly, in 128 bits, and rounded here only.
  double sum() const noexcept {
    constexpr double kTwoTo64 = 18446744073709551616.0;
    return static_cast<double>(sum_high_) * kTwoTo64 + static_cast<double>(sum_low_);
  }

  /// Zero when empty.
  double mean() const noexcept { return empty() ? 0 : sum() / static_cast<double>(count()); }

  /// A time that at least the share `q` of all times does not exceed: the upper bound of the bucket where
  /// that share is reached, so it may be 2.6 times too much, never too little. Zero when empty.
  std::uint64_t quantile(double q) const noexcept {
    const double wanted = q * static_cast<double>(count());
    double seen = 0;
    for (std::size_t i = 0; i < kBucketCount; ++i) {
      seen += static_cast<double>(buckets_[i]);
      if (buckets_[i] > 0 && seen >= wanted) return std::min(bucket_upper(i), max_);
    }
    return max_;
  }

  TimeHistogram& operator+=(const TimeHistogram& other) noexcept {
    for (std::size_t i = 0; i < kBucketCount; ++i) buckets_[i] += other.buckets_[i];
    add_to_sum(other.sum_high_, other.sum_low_);
    max_ = std::max(max_, other.max_);
    return *this;
  }

  /// Takes away an earlier state of this same histogram. What was never here cannot be taken.
  TimeHistogram& operator-=(const TimeHistogram& earlier) noexcept {
    std::uint64_t longest = 0;
    for (std::size_t i = 0; i < kBucketCount; ++i) {
      buckets_[i] -= std::min(buckets_[i], earlier.buckets_[i]);
      if (buckets_[i] > 0) longest = std::min(bucket_upper(i), max_);
    }
    max_ = longest;
    const std::uint64_t borrow = sum_low_ < earlier.sum_low_ ? 1 : 0;
    const bool less = sum_high_ < earlier.sum_high_ + borrow;
    sum_high_ = less || empty() ? 0 : sum_high_ - earlier.sum_high_ - borrow;
    sum_low_ = less || empty() ? 0 : sum_low_ - earlier.sum_low_;
    return *this;
  }

  friend bool operator==(const TimeHistogram&, const TimeHistogram&) = default;

  /// The buckets, for exporters: the upper bound of one, inclusive, and its count.
  static constexpr std::uint64_t bucket_upper(std::size_t index) noexcept {
    return index < kBucketCount - 1 ? Histogram::bucket_upper(Histogram::bucket_of(kRound[index]))
                                    : std::numeric_limits<std::uint64_t>::max();
  }
  std::uint64_t bucket_count(std::size_t index) const noexcept { return buckets_[index]; }

 private:
  static constexpr std::uint64_t kRound[kBucketCount - 1] = {
      1'000,         2'000,         5'000,         10'000,        20'000,      50'000,
      100'000,       200'000,       500'000,       1'000'000,     2'000'000,   5'000'000,
      10'000'000,    20'000'000,    50'000'000,    100'000'000,   200'000'000, 500'000'000,
      1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};

  // Which bucket takes one of Histogram's.
  static constexpr auto kPlace = [] {
    std::array<std::uint8_t, Histogram::kBucketCount> place{};
    std::uint8_t index = 0;
    for (std::size_t i = 0; i < place.size(); ++i) {
      while (index < kBucketCount - 1 && Histogram::bucket_of(kRound[index]) < i) ++index;
      place[i] = index;
    }
    return place;
  }();

  void add_to_sum(std::uint64_t high, std::uint64_t low) noexcept {
    sum_low_ += low;
    sum_high_ += high + (sum_low_ < low ? 1 : 0);
  }

  std::array<std::uint64_t, kBucketCount> buckets_{};
  std::uint64_t sum_low_ = 0;
  std::uint64_t sum_high_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_TIME_HISTOGRAM_HPP
