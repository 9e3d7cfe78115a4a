// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP

#include "learned_curve.hpp"
#include "queue_value.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// How many of a queue leave when an executor is free. On a curve with a large fixed part all of them;
/// on a nearly linear one a part, because the first ones are then answered sooner, and the others no
/// later. Nanoseconds.
struct SplitRule {
  struct Input {
    std::size_t queued = 0;
    std::size_t most = 0;  ///< May leave.
    double free = 1;       ///< Executors that are free, this one included.
    double busy = 0;       ///< Until the others are free: the sum of their times.
  };

  static std::size_t batch_of(const Input& in, const QueueValue& value,
                              const LearnedCurve& curve) noexcept {
    if (in.most <= 1) return in.most;
    const double whole = cost(in.most, in, value, curve);
    std::size_t best = in.most;
    double least = whole - kLeastGain * static_cast<double>(in.most) * curve(in.most);
    for (std::size_t size = 1; size < in.most; size += std::max<std::size_t>(1, size / 8)) {
      const double one = cost(size, in, value, curve);
      if (one < least) {
        least = one;
        best = size;
      }
    }
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
  static constexpr double kClearlyFaster = 1.03;
  static constexpr double kLeastGain = 0.01;  // Of what the whole queue costs in one batch.

  // Of batches of `size` on all free executors, and what they leave behind.
  static double cost(std::size_t size, const Input& in, const QueueValue& value,
                     const LearnedCurve& curve) noexcept {
    const double e = value.executors;
    const double service = curve(size);
    const auto n = static_cast<double>(in.queued);
    const auto b = static_cast<double>(size);
    const double batches = std::min(in.free, n / b);
    const double leave = batches * b;
    // The next executor is free when the mean time that they are busy has come down to what it usually is.
    const double time = (in.busy + batches * service - (e - 1) / 2 * value.service) / e;
    return leave * service + value.after(n - leave, std::max(time, 0.0));
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_SPLIT_RULE_HPP
