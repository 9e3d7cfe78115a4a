// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP
#define BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP

#include "hazard.hpp"
#include "learned_curve.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// A closed loop: for how many of the callers a batch waits. With a fixed number of callers the mean
/// latency is least where the throughput is greatest. Of a cycle in which each batch has Q requests and
/// its executor then waits for T, it is Q in l(Q) + T; T is how long it takes until Q are queued again:
/// of the callers all but Q a cycle and those who think, which are those of the last batches who have
/// not come back yet. Nanoseconds.
struct Quorum {
  std::size_t size = 1;
  double time = 0;  ///< The wait T.

  /// `callers` share `executors`. O(sizes x log) with sizes in steps of an eighth.
  static Quorum choose(std::size_t callers, std::size_t executors, std::size_t cap,
                       const LearnedCurve& curve, const Hazard& returns) noexcept {
    const double share = static_cast<double>(callers) / static_cast<double>(executors);
    const auto most = static_cast<std::size_t>(std::max(share + 0.999, 1.0));
    const std::size_t largest = std::min(most, cap);
    // Who thinks as long as all others comes back with those of his batch, to whichever executor is free.
    // Then executors need no callers of their own: it is enough that what they answer in a cycle is not
    // more than all callers ask for, one in each thought and batch (Little's law).
    const double thought = returns.mean();
    const bool in_step = executors > 1 && returns.outlasts(kEarly * thought) >= kNearlyAll;
    Quorum best;
    double highest = 0;
    for (std::size_t size = 1; size <= largest;) {
      const double service = curve(size) * (1 - curve.doubt(size));
      const auto q = static_cast<double>(size);
      // The longest wait with which it would still be better than the best so far.
      const double longest = highest > 0 ? q / highest - service : returns.edge(Hazard::kBins);
      if (longest > 0) {
        double wait = wait_for(q, std::max(share, q), service, longest, returns);
        if (in_step) {
          const double cycle = std::max(q / share * (thought + service), service) * kInStep;
          wait = std::min(wait, cycle - service);
        }
        if (wait < longest) {
          highest = q / (service + wait);
          best = {size, wait};
        }
      }
      const std::size_t step = std::max<std::size_t>(1, size / 8);
      size = size < largest ? std::min(size + step, largest) : size + 1;
    }
    return best;
  }

 private:
  static constexpr double kShort = 0.5;
  static constexpr double kEarly = 0.8;
  static constexpr double kNearlyAll = 0.9;
  static constexpr double kInStep = 1.01;  // It is at least that.
  static constexpr int kCycles = 12;

  // Callers of a cycle who think at that time after its batch: of each earlier batch those who have not
  // come back since.
  static double thinking(double q, double wait, double service, const Hazard& returns) noexcept {
    double sum = 0;
    double age = wait;
    for (int cycle = 0; cycle < kCycles; ++cycle) {
      const double part = returns.outlasts(age);
      sum += part;
      if (part < 0.01) break;
      age += service + wait;
    }
    return q * sum;
  }

  // The least wait up to `longest` after which enough are back; `longest` if there is none.
  static double wait_for(double q, double share, double service, double longest,
                         const Hazard& returns) noexcept {
    const auto enough = [&](double wait) {
      return share - thinking(q, wait, service, returns) >= q - kShort;
    };
    if (enough(0)) return 0;
    double low = 0;
    double high = longest;
    if (!enough(high)) return longest;
    for (int i = 0; i < 11; ++i) {
      const double middle = (low + high) / 2;
      (enough(middle) ? high : low) = middle;
    }
    return high;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP
