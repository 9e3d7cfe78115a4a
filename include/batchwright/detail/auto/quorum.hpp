// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP
#define BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP

#include "hazard.hpp"
#include "learned_curve.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// A closed loop: for how many of the callers a batch waits. With a fixed number of callers the mean
/// latency is least where the throughput is greatest, and a cycle of batches of Q answers Q requests in
/// l(Q) and the time until Q have come back. Nanoseconds.
struct Quorum {
  std::size_t size = 1;
  double time = 0;  ///< Until so many have come back, after a batch of that size.

  /// Of `callers` that share an executor. O(callers + bins).
  static Quorum choose(std::size_t callers, std::size_t cap, const LearnedCurve& curve,
                       const Hazard& returns) noexcept {
    Quorum best;
    double most = 0;
    std::size_t bin = 0;  // The time grows with the size: no need to look at shorter ones again.
    const std::size_t largest = std::min(callers, cap);
    for (std::size_t size = 1; size <= largest; ++size) {
      const double service = curve(size);
      while (bin < Hazard::kBins && back(size, callers, bin, service, returns) <
                                        static_cast<double>(size) - kShort) {
        ++bin;
      }
      if (bin == Hazard::kBins) break;
      const double time = Hazard::edge(bin);
      const double rate = static_cast<double>(size) / (service + time);
      if (rate > most) {
        most = rate;
        best = {size, time};
      }
    }
    return best;
  }

 private:
  static constexpr double kShort = 0.25;

  // How many are queued at that time after a batch: of those who were in it, and of the others, who have
  // had the batch's time and the wait before it.
  static double back(std::size_t size, std::size_t callers, std::size_t bin, double service,
                     const Hazard& returns) noexcept {
    const double time = Hazard::edge(bin);
    const auto others = static_cast<double>(callers - size);
    return static_cast<double>(size) * returns.ends_within(0, time) +
           others * returns.ends_within(time, service + 2 * time);
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_QUORUM_HPP
