// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_PACING_HPP
#define BATCHWRIGHT_DETAIL_AUTO_PACING_HPP

#include "learned_curve.hpp"
#include "queue_value.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Several executors: how long a batch is held although one is free, so that the dispatches keep apart.
/// Without it executors that end together start together, the first with a full batch and the next with
/// what came since, as buses on a line bunch.
///
/// A hold of x costs, in the fluid limit, those queued and those who come until another executor is free
/// their time until they are answered; and what a later end of this batch costs those after them is the
/// value of an empty queue by then (`QueueValue::taking_all`). Nanoseconds; fixed work.
struct Pacing {
  struct Input {
    std::size_t queued = 0;
    double rate = 0;       ///< Arrivals.
    double free = 1;       ///< Executors that are free now.
    double next_free = 0;  ///< Until another one is free.
    double busy = 0;       ///< Until all others are: the sum of their times.
  };

  /// Zero: go.
  static double wait(const Input& in, const QueueValue& value, const LearnedCurve& curve) noexcept {
    const auto n = static_cast<double>(in.queued);
    const double alone = curve(in.queued);
    const double horizon = std::min(in.next_free, alone);
    // In the fluid limit it pays to hold while those queued are fewer than the share that an executor
    // gets of who comes meanwhile.
    if (!(horizon > 0) || n * in.free >= kSurely * in.rate * horizon) return 0;
    double best = cost(in, 0, horizon, value, curve);
    double chosen = 0;
    for (int step = 1; step < kSteps; ++step) {
      const double x = horizon * step / kSteps;
      const double held = cost(in, x, horizon, value, curve);
      if (held >= best) break;  // It falls and then rises.
      best = held;
      chosen = x;
    }
    if (chosen == 0) return 0;
    // Holding must not make the executors too slow for what comes.
    const double size = n + in.rate * chosen;
    const double served = size / (chosen + curve.between(size));
    return served < std::min(n / alone, in.rate / value.executors) ? 0 : chosen;
  }

 private:
  static constexpr int kSteps = 8;
  static constexpr double kSurely = 1.25;  // With more than that it has never been found to pay.

  // If a batch leaves in x, and who comes from then to the horizon shares the executors that are free then.
  static double cost(const Input& in, double x, double horizon, const QueueValue& value,
                     const LearnedCurve& curve) noexcept {
    const auto n = static_cast<double>(in.queued);
    const double come = in.rate * x;
    const double service = curve.between(n + come);
    const double batch = n * x + come * x / 2 + (n + come) * service;
    const double after = in.rate * (horizon - x);
    const double next = curve.between(std::max(after / in.free, 1.0));
    const double rest = after * ((horizon - x) / 2 / in.free + next);
    // The mean time for which executors are busy at the horizon, above what it usually is.
    const double e = value.executors;
    const double busy = in.busy - (e - in.free) * horizon + service - (horizon - x);
    const double more = (busy - (e - 1) / 2 * value.service) / e;
    return batch + rest + value.after(0, std::max(more, 0.0));
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_PACING_HPP
