// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// The rate at which requests come, now and in the time to come. It counts them in windows and keeps
/// means of the counts over the last 2 to 512 of these; which of the means has foretold the next count
/// best is taken for the rate of now. So bursts are followed and the noise of independent callers is
/// not. Nanoseconds; O(1), but that windows in which none came are closed one by one.
class ArrivalRate {
 public:
  /// How long a window is at least, from now on. It is longer where few come, up to 64 times.
  void set_window(double length) noexcept {
    if (windows_ >= kLeast) {
      const double longest = kLongest * length;
      length = slow() > 0 ? std::clamp(2 * window_ / slow(), length, longest) : longest;
    }
    if (!(length > 0) || std::abs(length - window_) < 0.2 * window_) return;
    if (window_ > 0) {
      const double factor = length / window_;
      for (double& level : level_) level *= factor;
      for (double& error : error_) error *= factor;
      variance_ *= factor;
      covariance_ *= factor;
      last_ *= factor;
      partial_ = 0;
      start_ = -1;
    }
    window_ = length;
  }

  /// So many came at that instant.
  void arrive(double now, double count) noexcept {
    roll(now);
    partial_ += count;
  }

  /// Windows that have ended by now are counted.
  void roll(double now) noexcept {
    if (start_ < 0) start_ = now;
    if (!(window_ > 0)) {
      early_ = now - start_;
      return;
    }
    // After a long silence the rest of it would say nothing new.
    if (now - start_ > 64 * window_) start_ = now - 64 * window_;
    while (now - start_ >= window_) {
      close();
      start_ += window_;
    }
  }

  /// The usual rate: over a long time.
  double mean() const noexcept {
    if (window_ > 0 && windows_ >= 1) return slow() / window_;
    return early_ > 0 ? partial_ / early_ : 0;
  }

  /// The rate of now.
  double now(double now) const noexcept {
    if (!(window_ > 0) || windows_ < kLeast) return mean();
    const double part = std::clamp((now - start_) / window_, 0.0, 1.0);
    const double level = level_[best_] + kGain[best_] * (partial_ - level_[best_] * part);
    return std::max(level, 0.0) / window_;
  }

  /// The mean rate over a time that begins now: what is unusual about it does not last.
  double forecast(double at, double horizon) const noexcept {
    const double current = now(at);
    if (best_ == kLevels - 1 || windows_ < kLeast || horizon <= 0) return current;
    const double usual = mean();
    const double decay = -std::log(persistence()) * horizon / window_;
    const double left = decay < 1e-3 ? 1 : (1 - std::exp(-decay)) / decay;
    return usual + left * (current - usual);
  }

  /// For how long the rate of now lasts about.
  double lasts() const noexcept {
    if (best_ == kLevels - 1 || windows_ < kLeast) return 1e18;
    return -window_ / std::log(persistence());
  }

  /// How much of what is unusual about one window the next one has.
  double persistence() const noexcept {
    const double unusual = variance_ - slow();  // Chance alone varies a count by its mean.
    return unusual > 0 ? std::clamp(covariance_ / unusual, 0.05, 0.99) : 0.05;
  }

  /// Variance of a count about what was foretold, over its mean: 1 for independent callers, more for groups.
  double dispersion() const noexcept {
    if (windows_ < kLeast || !(slow() > 0)) return 1;
    return dispersion_;
  }

  std::size_t best() const noexcept { return best_; }

 private:
  static constexpr std::size_t kLevels = 6;
  static constexpr std::array<double, kLevels> kGain = {0.5, 0.2, 0.08, 0.03, 0.01, 0.002};
  static constexpr double kMemory = 128;
  static constexpr double kLeast = 16;
  static constexpr double kLongest = 64;

  double slow() const noexcept { return level_[kLevels - 1]; }

  void close() noexcept {
    windows_ += 1;
    const double gain = std::max(1 / kMemory, 1 / windows_);
    const double excess = partial_ - slow();
    if (windows_ > 1) {
      variance_ += gain * (excess * excess - variance_);
      covariance_ += gain * ((last_ - slow()) * excess - covariance_);
    }
    if (windows_ > 2 && level_[best_] > 0) {
      const double error = partial_ - level_[best_];
      // A rate that jumps is not what is meant.
      const double least = 4 * std::max(dispersion_, 0.5);
      dispersion_ += gain * (std::min(error * error / level_[best_], least) - dispersion_);
    }
    for (std::size_t i = 0; i < kLevels; ++i) {
      const double error = partial_ - level_[i];
      if (windows_ > 2) error_[i] += gain * (error * error - error_[i]);
      level_[i] += std::max(kGain[i], 1 / windows_) * error;
    }
    // The longer memory, unless a shorter one is clearly better.
    best_ = kLevels - 1;
    for (std::size_t i = kLevels - 1; i-- > 0;) {
      if (error_[i] < 0.97 * error_[best_]) best_ = i;
    }
    last_ = partial_;
    partial_ = 0;
  }

  double window_ = 0;
  double start_ = -1;
  double early_ = 0;
  double partial_ = 0;
  double last_ = 0;
  double windows_ = 0;
  std::array<double, kLevels> level_{};
  std::array<double, kLevels> error_{};
  std::size_t best_ = kLevels - 1;
  double variance_ = 0;
  double covariance_ = 0;
  double dispersion_ = 1;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP
