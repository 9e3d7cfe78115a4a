// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP
#define BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace batchwright::inline v0_1::detail {

/// The distribution of a time, learned from the last 128 that ended, and how likely one that has lasted so
/// long is to end now (its hazard). As fine as what it has seen: callers that think for exactly 5 ms are
/// known to the microsecond, others by sixteenths. Nanoseconds. Fixed memory; recording moves half of
/// the sample at most, a look-up is O(1).
class Hazard {
 public:
  /// One ended at that age.
  void end(double age) noexcept {
    const auto value = static_cast<float>(std::max(age, 0.0));
    std::size_t hole = kept_;  // The place in order that becomes free.
    if (kept_ == kSample) {
      hole = below(recent_[next_]);
      sum_ -= static_cast<double>(recent_[next_]);
    } else {
      ++kept_;
    }
    sum_ += static_cast<double>(value);
    recent_[next_] = value;
    next_ = (next_ + 1) % kSample;
    const std::size_t place = below(value);
    const auto from = sorted_.begin() + static_cast<std::ptrdiff_t>(hole);
    const auto to = sorted_.begin() + static_cast<std::ptrdiff_t>(place);
    if (place > hole) {
      std::move(from + 1, to, from);
      *(to - 1) = value;
    } else {
      std::move_backward(to, from, from + 1);
      *to = value;
    }
    never_ -= kGain * never_;
    if (++news_ >= kEvery || kept_ < kEvery) draw();
  }

  /// So many had not ended after long, and are not looked at any more.
  void give_up(double count) noexcept { never_ += (1 - never_) * std::min(1.0, kGain * count); }

  std::size_t samples() const noexcept { return kept_; }
  double mean() const noexcept {
    return kept_ > 0 ? std::max(sum_, 0.0) / static_cast<double>(kept_) : 0;
  }

  /// That one lasts longer than that.
  double outlasts(double age) const noexcept {
    const std::size_t bin = bin_of(age);
    if (bin == kBins) return left_ * std::exp(-(age - edge_[kBins]) * tail_rate_);
    const double part = std::max(age - edge_[bin], 0.0) * per_width_[bin];
    return 1 - (static_cast<double>(bin) + part) * mass_;
  }

  /// That one which has lasted `from` ends before `to`.
  double ends_within(double from, double to) const noexcept {
    return 1 - outlasts(to) / outlasts(from);
  }

  /// How likely one that has lasted so long is to end now, a nanosecond.
  double rate(double age) const noexcept {
    const std::size_t bin = bin_of(age);
    if (bin == kBins) return tail_rate_;
    if (age < edge_[0]) return 0;
    const double part = (age - edge_[bin]) * per_width_[bin];
    return mass_ * per_width_[bin] / (1 - (static_cast<double>(bin) + part) * mass_);
  }

  static constexpr std::size_t kBins = 16;

  /// The age by which `bin` sixteenths of those that end have ended.
  double edge(std::size_t bin) const noexcept { return edge_[bin]; }

 private:
  static constexpr std::size_t kSample = 128;
  static constexpr int kEvery = 8;
  static constexpr double kGain = 1.0 / 128;
  static constexpr double kFinest = 512;  // Nothing is known finer than half a microsecond.
  static constexpr double kLeastWidth = kFinest / kBins;

  // How many are shorter. Without branches, because no one can foretell them.
  std::size_t below(float value) const noexcept {
    std::size_t count = 0;
    for (std::size_t step = kSample / 2; step > 0; step /= 2) {
      count += sorted_[count + step - 1] < value ? step : 0;
    }
    return count + (sorted_[count] < value ? 1 : 0);
  }

  static constexpr std::array<float, kSample> none() noexcept {
    std::array<float, kSample> all{};
    all.fill(std::numeric_limits<float>::infinity());
    return all;
  }

  std::size_t bin_of(double age) const noexcept {
    std::size_t bin = 0;
    for (std::size_t i = 1; i <= kBins; ++i) bin += age >= edge_[i] ? 1 : 0;
    return bin;
  }

  void draw() noexcept {
    news_ = 0;
    const auto count = static_cast<double>(kept_);
    // One more may still outlast them all.
    left_ = std::max(never_, 1 / (count + 1));
    mass_ = (1 - left_) / static_cast<double>(kBins);
    edge_[0] = std::max(0.0, static_cast<double>(sorted_[0]) - kFinest);
    for (std::size_t i = 1; i <= kBins; ++i) {
      const std::size_t rank = std::max<std::size_t>(i * kept_ / kBins, 1) - 1;
      // Widths of nothing are drawn apart.
      edge_[i] = std::max(static_cast<double>(sorted_[rank]), edge_[i - 1] + kLeastWidth);
      per_width_[i - 1] = 1 / (edge_[i] - edge_[i - 1]);
    }
    // Those that last longer than any seen end as often as the mean one, or are gone.
    tail_rate_ = (1 - std::min(never_ / left_, 1.0) * 0.99) / std::max(mean(), kFinest);
  }

  std::array<float, kSample> sorted_ = none();
  std::array<float, kSample> recent_{};
  std::array<double, kBins + 1> edge_{};
  std::array<double, kBins> per_width_{};
  double mass_ = 0;
  double left_ = 1;
  double tail_rate_ = 0;
  double sum_ = 0;
  double never_ = 0;
  std::size_t kept_ = 0;
  std::size_t next_ = 0;
  int news_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP
