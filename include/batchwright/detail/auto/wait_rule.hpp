// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_WAIT_RULE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_WAIT_RULE_HPP

#include "learned_curve.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Whether a batch on a free executor should wait for company, and how long at most: until what is
/// expected to be saved by one more falls below what the wait costs those who are there.
/// Nanoseconds; fixed work.
///
/// Going now, the next `k` would be served when the batch is done: together all of them would take
/// n l(n) + k (F + l(k)) with F = l(n); going with them it is (n + k) l(n + k). The difference is what
/// waiting for them saves, and n times the wait what it costs.
struct WaitRule {
  struct Choice {
    double wait = 0;  ///< At most so long; 0: go.
    double gain = 0;  ///< Request nanoseconds that are expected to be saved.
  };

  /// What is saved if `more` join `queued`.
  static double saving(std::size_t queued, std::size_t more, const LearnedCurve& curve) noexcept {
    const auto n = static_cast<double>(queued);
    const auto k = static_cast<double>(more);
    const double alone = curve(queued);
    return n * alone + k * (alone + curve(more)) - (n + k) * curve(queued + more);
  }

  /// Arrivals at a rate, independent of all before: as long as none has come nothing has changed, so the
  /// wait is for the next one or not at all.
  static Choice choose(std::size_t queued, double longest, const LearnedCurve& curve,
                       double rate) noexcept {
    const double one = saving(queued, 1, curve);
    if (!(rate > 0) || longest <= 0) return {};
    return {longest, one - static_cast<double>(queued + 1) / rate};
  }

  /// `none(x)`: how likely it is that none comes from now to now + x. Waits that are looked at
  /// are in geometric steps up to l(n).
  template <class Survival>
  static Choice choose(std::size_t queued, double longest, const LearnedCurve& curve,
                       Survival&& none) noexcept {
    const auto n = static_cast<double>(queued);
    const double alone = curve(queued);
    longest = std::min(longest, alone);
    // One more saves this when it comes now; later as much less as it would have waited less itself.
    const double one = saving(queued, 1, curve);
    if (one <= 0 || longest <= 0) return {};
    Choice best;
    double before = 0;
    double outlasted = 1;  // Probability that none has come by `before`.
    double cost = 0;
    for (int step = 0; step < kSteps; ++step) {
      const double x = longest * kPart[step];
      const double left = none(x);
      const double comes = outlasted - left;
      const double middle = (x + before) / 2;
      // Those who wait, wait for min(t, x); whoever comes at t saves as above.
      cost += n * (x - before) * (outlasted + left) / 2 + comes * (middle - one);
      if (-cost > best.gain) best = {x, -cost};
      before = x;
      outlasted = left;
    }
    return best;
  }

 private:
  static constexpr int kSteps = 10;
  static constexpr double kPart[kSteps] = {0.002, 0.01, 0.03, 0.07, 0.13, 0.22, 0.35, 0.5, 0.7, 1};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_WAIT_RULE_HPP
