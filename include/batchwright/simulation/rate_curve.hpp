// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_RATE_CURVE_HPP
#define BATCHWRIGHT_SIMULATION_RATE_CURVE_HPP

#include "../policy.hpp"
#include "arrival_process.hpp"
#include "checks.hpp"
#include "random.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace batchwright::inline v0_1::simulation {

/// The rate at one instant of a rate curve.
struct RatePoint {
  Duration at{};  ///< Since the start.
  double rate_hz = 0;
};

/// A Poisson process whose rate follows a given curve: straight between the points; two points at one
/// instant are a step. Before the first point the rate is the first one's, after the last the last one's.
struct RateCurveArrivals {
  std::vector<RatePoint> points;
  /// The curve begins anew after this time, if set: no point may lie behind it. What is between the last
  /// point and the end of the period has the last point's rate.
  Duration period = Duration::max();

  class Stream {
   public:
    Stream(const RateCurveArrivals& curve, Random random) noexcept
        : curve_(&curve), random_(random) {}

    // By thinning (Lewis and Shedler 1979), with a bound of its own for each piece of the curve: a peak
    // costs nothing where it is not.
    Duration next() noexcept {
      for (;;) {
        const Piece piece = this->piece();
        const double highest = std::max(piece.from.rate_hz, piece.to.rate_hz);
        if (highest == 0 && piece.to.at == Duration::max()) return kNoArrival;
        const Duration gap = highest == 0
                                 ? Duration::max()
                                 : detail::to_duration(1e9 / highest * random_.exponential());
        if (gap >= piece.to.at - at_) {
          go_on(piece.to.at);
          continue;
        }
        at_ += gap;
        if (random_.unit() * highest < piece.rate_at(at_)) return start_ + at_;
      }
    }

   private:
    struct Piece {
      RatePoint from;
      RatePoint to;

      double rate_at(Duration at) const noexcept {
        if (from.rate_hz == to.rate_hz) return from.rate_hz;
        const double part = static_cast<double>((at - from.at).count()) /
                            static_cast<double>((to.at - from.at).count());
        // Spelled out, so that it rounds the same where a compiler would not fuse it.
        return std::fma(to.rate_hz - from.rate_hz, part, from.rate_hz);
      }
    };

    Piece piece() const noexcept {
      const std::vector<RatePoint>& given = curve_->points;
      if (index_ == 0) return {{Duration::zero(), given[0].rate_hz}, given[0]};
      const RatePoint& from = given[index_ - 1];
      if (index_ == given.size()) return {from, {curve_->period, from.rate_hz}};
      return {from, given[index_]};
    }

    void go_on(Duration end) noexcept {
      at_ = end;
      if (index_++ < curve_->points.size()) return;
      index_ = 0;
      at_ = Duration::zero();
      start_ += curve_->period;
    }

    const RateCurveArrivals* curve_;
    Random random_;
    std::size_t index_ = 0;  // The point that ends the piece.
    Duration at_{};          // Since the start of the period,
    Duration start_{};       // which was then.
  };

  Stream start(Random random) const noexcept { return {*this, random}; }

  std::string validate() const {
    using detail::must_be;
    if (points.empty()) return must_be("RateCurveArrivals::points", "at least one", "none");
    Duration last{};
    double highest = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::string name = "RateCurveArrivals::points[" + std::to_string(i) + "]";
      std::string problem = detail::check_between(name + ".rate_hz", points[i].rate_hz, 0, 1e9);
      if (!problem.empty()) return problem;
      if (points[i].at < last) {
        return must_be(name + ".at", "at least " + detail::to_text(last) + " (ascending)",
                       detail::to_text(points[i].at));
      }
      last = points[i].at;
      highest = std::max(highest, points[i].rate_hz);
    }
    if (highest == 0) {
      return must_be("RateCurveArrivals::points", "above 0 at some instant", "0 at each");
    }
    // A peak of no length would never let anything come.
    if (period != Duration::max() && (period < last || period <= Duration::zero())) {
      return must_be("RateCurveArrivals::period",
                     "above 0 ns and not before the last point (" + detail::to_text(last) + ")",
                     detail::to_text(period));
    }
    return {};
  }
};

/// A day, or what stands for one: the rate swings by the share `swing` of its mean, as a cosine with its
/// lowest value at the start, in 24 straight pieces.
inline RateCurveArrivals daily_curve(double mean_rate_hz, double swing = 0.6,
                                     Duration day = std::chrono::hours(24)) {
  // cos of 0, 15, ... 90 degrees.
  constexpr double kCosine[] = {
      1, 0.9659258262890683, 0.8660254037844387, 0.7071067811865476, 0.5, 0.2588190451025208, 0};
  RateCurveArrivals curve{.points = {}, .period = day};
  for (int hour = 0; hour <= 24; ++hour) {
    const int folded = hour <= 12 ? hour : 24 - hour;
    const double cosine = folded <= 6 ? kCosine[folded] : -kCosine[12 - folded];
    curve.points.push_back({day / 24 * hour, mean_rate_hz * std::fma(-swing, cosine, 1.0)});
  }
  return curve;
}

/// One rate until `at`, another one from then on.
inline RateCurveArrivals step(double before_hz, double after_hz, Duration at) {
  return {.points = {{at, before_hz}, {at, after_hz}}};
}

/// A rate, and from `at` for `length` a peak.
inline RateCurveArrivals spike(double base_hz, double peak_hz, Duration at, Duration length) {
  return {.points = {{at, base_hz}, {at, peak_hz}, {at + length, peak_hz}, {at + length, base_hz}}};
}

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_RATE_CURVE_HPP
