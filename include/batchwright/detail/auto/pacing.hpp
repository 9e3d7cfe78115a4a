// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_PACING_HPP
#define BATCHWRIGHT_DETAIL_AUTO_PACING_HPP

#include "learned_curve.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Several executors: how long a batch is held although one is free, so that the dispatches keep apart.
/// Without it executors that end together start together, the first with a full batch and the next with
/// what came since, as buses on a line bunch. Nanoseconds; fixed work.
struct Pacing {
  struct Input {
    std::size_t queued = 0;
    double rate = 0;  ///< Arrivals.
    double executors = 1;
    double free = 1;       ///< Executors that are free now.
    double next_free = 0;  ///< Until another one is free.
  };

  /// Zero: go.
  static double wait(const Input& in, const LearnedCurve& curve) noexcept {
    const auto n = static_cast<double>(in.queued);
    const double alone = curve(in.queued);
    const double horizon = std::min(in.next_free, alone);
    // In the fluid limit it pays to hold while those queued are fewer than the share that an executor
    // gets of who comes meanwhile.
    if (!(horizon > 0) || n * in.free >= kSurely * in.rate * horizon) return 0;
    const double now = cost(in, 0, horizon, n, curve);
    double best = now * kLeastGain;
    double before = now;
    double chosen = 0;
    for (int step = 1; step < kSteps; ++step) {
      const double x = horizon * step / kSteps;
      const double value = cost(in, x, horizon, n, curve);
      if (value > before) break;  // It falls and then rises.
      before = value;
      if (value < best) {
        best = value;
        chosen = x;
      }
    }
    if (chosen == 0) return 0;
    // Holding must not make the executors too slow for what comes.
    const double size = n + in.rate * chosen;
    const double served = size / (chosen + curve.between(size));
    return served < std::min(n / alone, in.rate / in.executors) ? 0 : chosen;
  }

 private:
  static constexpr double kLeastGain = 0.999;
  static constexpr int kSteps = 8;
  static constexpr double kSurely = 1.25;  // With more than that it has never been found to pay.

  // Of those who are queued and come up to the horizon, if a batch leaves in x and what comes after it
  // shares the executors that are free then.
  static double cost(const Input& in, double x, double horizon, double n,
                     const LearnedCurve& curve) noexcept {
    const double come = in.rate * x;
    const double after = in.rate * (horizon - x);
    const double held = n * x + in.rate * x * x / 2;
    const double batch = n + come;
    const double rest = after * (horizon - x) / 2 / in.free;
    return held + batch * curve.between(batch) + rest + after * curve.between(after / in.free);
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_PACING_HPP
