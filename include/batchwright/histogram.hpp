// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_HISTOGRAM_HPP
#define BATCHWRIGHT_HISTOGRAM_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace batchwright::inline v0_1 {

/// Distribution of unsigned values (nanoseconds or sizes) in fixed memory. Values below 64 are kept
/// exactly; above, each octave has 32 buckets, so a quantile is off by at most 1/64 (1.6 %) of the
/// value it stands for. Values of 2^42 (73 minutes in nanoseconds) and more share the last bucket:
/// they are counted, their sum and the maximum stay exact, and a quantile among them is the
/// maximum.
///
/// A plain value of about 10 KB, copyable and comparable, without thread safety of its own. Nothing
/// allocates. Counts have 64 bits because one bucket can take 10^6 values a second for as long as a
/// service lives: 32 bits would wrap within 72 minutes. Memory is saved on the range instead: the
/// 22 octaves above an hour would cost 60 % more and tell nobody anything.
class Histogram {
 public:
  static constexpr std::size_t kBucketCount = 1217;

  /// Adds one value: a handful of instructions, no branch.
  void record(std::uint64_t value) noexcept {
    ++buckets_[bucket_of(value)];
    ++count_;
    add_to_sum(0, value);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  /// Adds values one by one; what can be done for all of them at once is done at its end.
  class Recording {
   public:
    explicit Recording(Histogram& histogram) noexcept : histogram_(histogram) {}
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() {
      histogram_.count_ += count_;
      histogram_.add_to_sum(sum_high_, sum_low_);
      histogram_.min_ = std::min(histogram_.min_, min_);
      histogram_.max_ = std::max(histogram_.max_, max_);
    }

    void record(std::uint64_t value) noexcept {
      ++histogram_.buckets_[bucket_of(value)];
      ++count_;
      sum_low_ += value;
      sum_high_ += sum_low_ < value ? 1 : 0;
      min_ = std::min(min_, value);
      max_ = std::max(max_, value);
    }

   private:
    Histogram& histogram_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_low_ = 0;
    std::uint64_t sum_high_ = 0;
    std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max_ = 0;
  };

  /// Adds `value` n times, at the price of once.
  void record_n(std::uint64_t value, std::uint64_t n) noexcept;

  std::uint64_t count() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  /// Extremes of what was recorded, exactly; zero when empty. In an interval (see `-=`) they are
  /// the bounds of the outermost buckets in use, at most 1/32 too wide.
  std::uint64_t min() const noexcept { return empty() ? 0 : min_; }
  std::uint64_t max() const noexcept { return max_; }

  /// Sum of the values. It is kept exactly, in 128 bits, and rounded here only.
  double sum() const noexcept {
    constexpr double kTwoTo64 = 18446744073709551616.0;
    return static_cast<double>(sum_high_) * kTwoTo64 + static_cast<double>(sum_low_);
  }

  /// Zero when empty.
  double mean() const noexcept { return empty() ? 0 : sum() / static_cast<double>(count_); }

  /// The smallest recorded value which at least the share `q` of all values does not exceed, to
  /// within 1/64 of it. `min()` for q <= 0, `max()` for q >= 1, zero when empty.
  std::uint64_t quantile(double q) const noexcept;

  /// Adds all that the other histogram holds, as if it had been recorded here.
  Histogram& operator+=(const Histogram& other) noexcept;

  /// Takes away an earlier state of this same histogram: what remains is the interval between the
  /// two. What was never here cannot be taken: such a count stays at zero.
  Histogram& operator-=(const Histogram& earlier) noexcept;

  friend Histogram operator-(Histogram later, const Histogram& earlier) noexcept {
    return later -= earlier;
  }

  friend bool operator==(const Histogram&, const Histogram&) = default;

  /// The buckets, for exporters: index of the one that takes `value`, its bounds (both inclusive)
  /// and its count. Indices ascend with the values and are below kBucketCount.
  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    // Octaves 0 to 5 all have buckets of width 1, so index and value agree below 64.
    const auto shift = static_cast<unsigned>(std::bit_width(value | kPerOctave)) - 6;
    const std::uint64_t index = shift * kPerOctave + (value >> shift);
    return static_cast<std::size_t>(std::min<std::uint64_t>(index, kBucketCount - 1));
  }
  static constexpr std::uint64_t bucket_lower(std::size_t index) noexcept {
    const std::size_t shift = shift_of(index);
    return static_cast<std::uint64_t>(index - shift * kPerOctave) << shift;
  }
  static constexpr std::uint64_t bucket_upper(std::size_t index) noexcept {
    if (index == kBucketCount - 1) return std::numeric_limits<std::uint64_t>::max();
    return bucket_lower(index) + (std::uint64_t{1} << shift_of(index)) - 1;
  }
  std::uint64_t bucket_count(std::size_t index) const noexcept { return buckets_[index]; }

 private:
  static constexpr std::size_t kPerOctave = 32;

  static constexpr std::size_t shift_of(std::size_t index) noexcept {
    return index < 2 * kPerOctave ? 0 : index / kPerOctave - 1;
  }

  void add_to_sum(std::uint64_t high, std::uint64_t low) noexcept {
    sum_low_ += low;
    sum_high_ += high + (sum_low_ < low ? 1 : 0);
  }

  // Invariant: no bucket outside [bucket_of(min_), bucket_of(max_)] is in use. Loops visit that
  // range alone, which for real latencies is a small part of the array.
  std::array<std::uint64_t, kBucketCount> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_low_ = 0;
  std::uint64_t sum_high_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
};

inline void Histogram::record_n(std::uint64_t value, std::uint64_t n) noexcept {
  if (n == 0) return;
  buckets_[bucket_of(value)] += n;
  count_ += n;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  // The 128-bit product of two 64-bit factors, from four 32-bit ones.
  constexpr std::uint64_t kLow = 0xffffffffU;
  const std::uint64_t low = (value & kLow) * (n & kLow);
  const std::uint64_t middle = (value >> 32) * (n & kLow) + (low >> 32);
  const std::uint64_t other = (value & kLow) * (n >> 32) + (middle & kLow);
  add_to_sum((value >> 32) * (n >> 32) + (middle >> 32) + (other >> 32),
             (other << 32) | (low & kLow));
}

inline std::uint64_t Histogram::quantile(double q) const noexcept {
  if (!(q > 0) || empty()) return min();
  if (q >= 1) return max_;
  const double wanted = q * static_cast<double>(count_);
  std::size_t index = bucket_of(min_);
  const std::size_t last = bucket_of(max_);
  for (std::uint64_t seen = buckets_[index]; index < last && static_cast<double>(seen) < wanted;) {
    seen += buckets_[++index];
  }
  if (index == kBucketCount - 1) return max_;
  const std::uint64_t lower = bucket_lower(index);
  return std::clamp(lower + (bucket_upper(index) - lower) / 2, min_, max_);
}

inline Histogram& Histogram::operator+=(const Histogram& other) noexcept {
  if (other.empty()) return *this;
  const std::size_t last = bucket_of(other.max_);
  for (std::size_t i = bucket_of(other.min_); i <= last; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  add_to_sum(other.sum_high_, other.sum_low_);
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  return *this;
}

inline Histogram& Histogram::operator-=(const Histogram& earlier) noexcept {
  if (empty() || earlier.empty()) return *this;
  const std::uint64_t borrow = sum_low_ < earlier.sum_low_ ? 1 : 0;
  Histogram rest;
  std::size_t highest = 0;
  for (std::size_t i = bucket_of(min_); i <= bucket_of(max_); ++i) {
    rest.buckets_[i] = buckets_[i] - std::min(buckets_[i], earlier.buckets_[i]);
    if (rest.buckets_[i] == 0) continue;
    if (rest.count_ == 0) rest.min_ = std::max(min_, bucket_lower(i));
    rest.count_ += rest.buckets_[i];
    highest = i;
  }
  if (rest.count_ != 0) {
    rest.max_ = std::min(max_, bucket_upper(highest));
    if (sum_high_ >= earlier.sum_high_ + borrow) {
      rest.sum_low_ = sum_low_ - earlier.sum_low_;
      rest.sum_high_ = sum_high_ - earlier.sum_high_ - borrow;
    }
  }
  return *this = rest;
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_HISTOGRAM_HPP
