// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP

#include "learned_curve.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// How many of a queue leave when an executor is free. On a curve with a large fixed part all of them;
/// on a nearly linear one a part, because the first ones are then answered sooner, and the others no
/// later. Nanoseconds.
struct SplitRule {
  /// `queued` are there, of which `most` may leave; requests come at `rate`; `executors` share the work, of which
  /// `free` (not whole: one that is nearly free counts nearly) can take a part at once. O(log most).
  static std::size_t batch_of(std::size_t queued, std::size_t most, double rate, double executors,
                              double free, const LearnedCurve& curve) noexcept {
    if (most <= 1) return most;
    const double whole = cost(most, queued, rate, executors, free, curve);
    std::size_t best = most;
    double least = std::min(whole * kLeastGain, 1e300);
    for (std::size_t step = 2; step / 2 < most; step *= 2) {
      for (const std::size_t size : {step / 2, step / 2 + step / 4}) {
        if (size >= most || size == 0) continue;
        const double value = cost(size, queued, rate, executors, free, curve);
        if (value < least) {
          least = value;
          best = size;
        }
      }
    }
    if (least >= kNever) return fastest(most, curve);
    return best;
  }

  /// The size up to `most` in which most requests are answered in a time: where nothing keeps up.
  static std::size_t fastest(std::size_t most, const LearnedCurve& curve) noexcept {
    std::size_t best = most;
    double speed = static_cast<double>(most) / curve(most) * kClearlyFaster;
    for (std::size_t step = 2; step / 2 < most; step *= 2) {
      for (const std::size_t size : {step / 2, step / 2 + step / 4}) {
        if (size >= most || static_cast<double>(size) <= speed * curve(size)) continue;
        speed = static_cast<double>(size) / curve(size);
        best = size;
      }
    }
    return best;
  }

 private:
  static constexpr double kNever = 1e299;
  static constexpr double kClearlyFaster = 1.03;
  static constexpr double kMostLoad = 0.98;
  static constexpr double kLeastGain = 0.97;  // A part has to be better by this factor.

  // The mean time in which the queue is worked off in batches of `size`, and those that come meanwhile.
  static double cost(std::size_t size, std::size_t queued, double rate, double executors,
                     double free, const LearnedCurve& curve) noexcept {
    const auto b = static_cast<double>(size);
    const double time = curve(size);
    const double load = rate * time / (executors * b);
    if (load >= kMostLoad) return 1e300;
    const double rounds = std::max(1.0, static_cast<double>(queued) / (b * free));
    // Under load those who come meanwhile wait for the batch too.
    return time * (1 + load + rounds / (1 - load));
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP
