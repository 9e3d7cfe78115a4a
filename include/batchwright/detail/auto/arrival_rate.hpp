// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP

#include <algorithm>
#include <cmath>

namespace batchwright::inline v0_1::detail {

/// The rate at which requests come, now and in the time to come. It counts them in windows; the counts'
/// mean, variance and covariance with the count before say how much of a high or low count lasts: of
/// independent callers nothing, in a burst most of it. Nanoseconds. O(1).
class ArrivalRate {
 public:
  /// How long a window is from now on. What was learned is kept as a rate.
  void set_window(double length) noexcept {
    if (!(length > 0) || std::abs(length - window_) < 0.1 * window_) return;
    if (window_ > 0) {
      const double factor = length / window_;
      mean_ *= factor;
      last_ *= factor;
      // Poisson counts vary as their mean, correlated ones as its square: take what is between.
      variance_ *= factor;
      covariance_ *= factor;
    }
    window_ = length;
  }

  /// So many came at that instant, which never falls by more than a window.
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
    if (now - start_ > 256 * window_) start_ = now - 256 * window_;
    while (now - start_ >= window_) {
      close();
      start_ += window_;
    }
  }

  double mean() const noexcept {
    if (window_ > 0 && windows_ >= 1) return mean_ / window_;
    return early_ > 0 ? partial_ / early_ : 0;
  }

  /// The mean rate over a time that begins now.
  double forecast(double now, double horizon) const noexcept {
    if (!(window_ > 0) || windows_ < kLeast) return mean();
    const double beta = persistence();
    const double usual = mean_ / window_;
    if (beta <= 0.02) return usual;
    const double part = std::clamp(now - start_, 0.0, window_);
    const double recent = (last_ + partial_) / (window_ + part);
    // The excess decays by beta a window: its mean over the horizon.
    const double decay = -std::log(std::min(beta, 0.98)) * horizon / window_;
    const double left = decay < 1e-3 ? 1 : (1 - std::exp(-decay)) / decay;
    return std::max(0.0, usual + beta * left * (recent - usual));
  }

  /// How much of one window's excess the next one has.
  double persistence() const noexcept {
    return variance_ > 0 ? std::clamp(covariance_ / variance_, 0.0, 0.98) : 0;
  }

 private:
  static constexpr double kGain = 1.0 / 128;
  static constexpr double kLeast = 16;

  void close() noexcept {
    windows_ += 1;
    const double gain = std::max(kGain, 1 / windows_);
    const double before = mean_;
    mean_ += gain * (partial_ - mean_);
    if (windows_ > 1) {
      const double excess = partial_ - before;
      variance_ += gain * (excess * (partial_ - mean_) - variance_);
      covariance_ += gain * ((last_ - before) * excess - covariance_);
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
  double mean_ = 0;
  double variance_ = 0;
  double covariance_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_ARRIVAL_RATE_HPP
