// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_QUEUE_VALUE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_QUEUE_VALUE_HPP

#include "learned_curve.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// What a queue costs when an executor becomes free: request nanoseconds until all of it is answered,
/// those included who come meanwhile, above what the same time costs on average. That is the value
/// function of the decision process for batches of one size B, in closed form: with t = l(B) / E between
/// two dispatches, d = B - lambda t requests fewer after each and g requests there on average,
/// V(n) = w n^2 / 2 + u n with w = t / d and
/// u d = (w d^2 + w I lambda t + lambda t^2) / 2 + B (l(B) - t) - g t, I the dispersion of the arrivals. B
/// is the one with the least g, which w I / 2 + u = g / lambda gives (for B = 1 and I = 1 that is the queue
/// M/D/1, exactly).
///
/// Whoever compares what it can do now by what it leaves does one step of policy improvement.
struct QueueValue {
  double weight = 0;    ///< w
  double slope = 0;     ///< u
  double mean = 1e300;  ///< g
  double service = 0;   ///< l(B)
  double rate = 0;
  double executors = 1;
  double dispersion = 1;
  std::size_t cap = 0;

  /// O(log cap).
  static QueueValue of(double rate, double dispersion, double executors, std::size_t cap,
                       const LearnedCurve& curve) noexcept {
    QueueValue best = at(rate, dispersion, executors, cap, curve);
    rate = best.rate;
    const auto consider = [&](std::size_t size) {
      const auto b = static_cast<double>(size);
      const double whole = curve(size);
      const double time = whole / executors;
      const double fewer = b - rate * time;
      if (fewer <= 0) return;
      const double w = time / fewer;
      const double chance = rate * time * (w * dispersion + time) / 2;
      const double self = b * (whole - time);
      // w I / 2 + u = g / lambda
      const double cost =
          (w * dispersion / 2 + (w * fewer * fewer / 2 + chance + self) / fewer) / (1 / rate + w);
      if (cost >= best.mean) return;
      best.mean = cost;
      best.weight = w;
      best.slope = cost / rate - w * dispersion / 2;
      best.service = whole;
    };
    each_size(cap, consider);
    return best;
  }

  /// The same if all that is queued leaves every l(n) / E, exactly where l(b) = c + a b and nobody is
  /// cut off by the cap: with r = lambda a / E, w = a (2 + r / E) / (1 - r^2),
  /// u = c (1 + r / (2 E) + w r lambda / (2 E)) and g = lambda (c / (2 E) + w (I + lambda c / E) / 2 + u),
  /// I the dispersion. A curve is taken for a line about the size that batches have in the long run.
  static QueueValue taking_all(double rate, double dispersion, double executors, std::size_t cap,
                               const LearnedCurve& curve) noexcept {
    QueueValue value = at(rate, dispersion, executors, cap, curve);
    const auto most = static_cast<double>(cap);
    double size = 1;
    for (int step = 0; step < kSteps; ++step) {
      size = std::clamp(value.rate * curve.between(size) / executors, 1.0, most);
    }
    const double low = std::max(1.0, size / kAbout);
    const double high = std::min(most, low * kAbout * kAbout);
    value.service = curve.between(size);
    const double rise = curve.between(high) - curve.between(low);
    const double item = high > low ? std::max(0.0, rise / (high - low)) : 0;
    const double fixed = std::max(0.0, value.service - item * size);
    const double r = std::min(kMostLoad, value.rate * item / executors);
    const double gap = value.rate * fixed / executors;  // So many come in the fixed part.
    value.weight = item * (2 + r / executors) / (1 - r * r);
    value.slope = fixed * (1 + r / (2 * executors)) + value.weight * r * gap / 2;
    value.mean = gap / 2 + value.rate * (value.weight / 2 * (dispersion + gap) + value.slope);
    return value;
  }

  /// If so many are left now and nothing leaves for a time: what that time and they cost.
  double after(double left, double time) const noexcept {
    const double then = left + rate * time;
    const double during = (left + rate * time / 2 - mean) * time;
    return during + weight / 2 * (then * then + dispersion * rate * time) + slope * then;
  }

  /// 1, 2, 3, 4, 6, 8, 12, .. and the cap.
  template <class Visit>
  static void each_size(std::size_t cap, Visit&& visit) noexcept {
    for (std::size_t size = 1; size < cap; size *= 2) {
      visit(size);
      if (size > 1 && size + size / 2 < cap) visit(size + size / 2);
    }
    visit(cap);
  }

 private:
  static constexpr double kMostLoad = 0.94;
  static constexpr double kLeastLoad = 1e-4;

  static constexpr double kAbout = 1.5;
  static constexpr int kSteps = 12;

  // Its load, within what can be carried.
  static QueueValue at(double rate, double dispersion, double executors, std::size_t cap,
                       const LearnedCurve& curve) noexcept {
    double most = 0;
    each_size(cap, [&](std::size_t size) {
      most = std::max(most, static_cast<double>(size) / curve(size));
    });
    most *= kMostLoad * executors;
    QueueValue value;
    value.executors = executors;
    value.dispersion = dispersion;
    value.cap = cap;
    value.rate = std::clamp(rate, kLeastLoad * most, most);
    return value;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_QUEUE_VALUE_HPP
