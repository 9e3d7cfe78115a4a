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

  /// Of a queue of n that is worked off while others come at `rate`. In batches of b, which answer
  /// s = E b / l(b) in a time, that takes n / (s - rate). Until then n / 2 are queued in the mean, and
  /// the n s / (s - rate) who are answered are so l(b) (1 - 1 / (2 E)) later than one by one at that
  /// speed. So b is the one with the least (n + (2 E - 1) b) / (s - rate). In coarse steps: sizes next to
  /// each other differ by chance alone, and what overlaps is learned best from batches of one size.
  /// O(log most).
  static std::size_t of_backlog(const Input& in, double rate, double executors,
                                const LearnedCurve& curve) noexcept {
    if (!(curve(in.most) > 0)) return in.most;  // Nothing is known yet.
    double speed = 0;
    QueueValue::each_size(in.most, [&](std::size_t size) {
      speed = std::max(speed, static_cast<double>(size) / curve(size));
    });
    rate = std::min(rate, kMostLoad * executors * speed);  // Where nothing keeps up: the fastest.
    const auto n = static_cast<double>(in.queued);
    std::size_t best = in.most;
    double least = 1e300;
    QueueValue::each_size(in.most, [&](std::size_t some) {
      const auto size = static_cast<double>(some);
      const double faster = executors * size / curve(some) - rate;
      const double cost = (n + (2 * executors - 1) * size) / faster;
      if (faster <= 0 || cost >= least) return;
      least = cost;
      best = some;
    });
    return best;
  }

 private:
  static constexpr double kLeastGain = 0.01;  // Of what the whole queue costs in one batch.
  static constexpr double kMostLoad = 0.94;   // Of what can be carried: more never ends.

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
