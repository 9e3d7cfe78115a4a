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
/// u d = (w d^2 + w lambda t + lambda t^2) / 2 + B (l(B) - t) - g t. B is the one with the least g, which
/// V(1) = g / lambda gives (for B = 1 that is the queue M/D/1, exactly).
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

  /// O(log cap).
  static QueueValue of(double rate, double dispersion, double executors, std::size_t cap,
                       const LearnedCurve& curve) noexcept {
    QueueValue best;
    best.executors = executors;
    best.dispersion = dispersion;
    double most = 0;
    each_size(cap, [&](std::size_t size) {
      most = std::max(most, static_cast<double>(size) / curve(size));
    });
    most *= kMostLoad * executors;
    rate = std::clamp(rate, kLeastLoad * most, most);
    best.rate = rate;
    const auto consider = [&](std::size_t size) {
      const auto b = static_cast<double>(size);
      const double whole = curve(size);
      const double time = whole / executors;
      const double fewer = b - rate * time;
      if (fewer <= 0) return;
      const double w = time / fewer;
      const double chance = rate * time * (w * dispersion + time) / 2;
      const double self = b * (whole - time);
      // w/2 + u = g / lambda
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

  /// If so many are left now and nothing leaves for a time: what that time and they cost.
  double after(double left, double time) const noexcept {
    const double then = left + rate * time;
    const double during = (left + rate * time / 2 - mean) * time;
    return during + weight / 2 * (then * then + dispersion * rate * time) + slope * then;
  }

 private:
  static constexpr double kMostLoad = 0.94;
  static constexpr double kLeastLoad = 1e-4;

  // 1, 2, 3, 4, 6, 8, 12, .. and the cap.
  template <class Visit>
  static void each_size(std::size_t cap, Visit&& visit) noexcept {
    for (std::size_t size = 1; size < cap; size *= 2) {
      visit(size);
      if (size > 1 && size + size / 2 < cap) visit(size + size / 2);
    }
    visit(cap);
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_QUEUE_VALUE_HPP
