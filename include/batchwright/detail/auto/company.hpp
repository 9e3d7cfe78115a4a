// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_COMPANY_HPP
#define BATCHWRIGHT_DETAIL_AUTO_COMPANY_HPP

#include "learned_curve.hpp"

#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Several executors and a latency objective: for how many a batch waits that is too small to carry its
/// share of the load. An executor that waits until b are there and then takes l(b) for them answers
/// b / ((b - n)/lambda + l(b)); it waits for the b that makes this greatest, up to the first size that
/// carries the load. Where the time of a batch is nearly in proportion to its size, that is none.
struct Company {
  struct Input {
    std::size_t queued = 0;
    std::size_t cap = 0;
    double rate = 0;  ///< Arrivals.
    double executors = 1;
    double left = 0;    ///< Until the first one must be answered.
    double margin = 1;  ///< Times are taken for so much longer than the curve says.
  };

  /// `queued` if it pays to go now. O(cap).
  static std::size_t size(const Input& in, const LearnedCurve& curve) noexcept {
    const auto n = static_cast<double>(in.queued);
    const double load = kSpare * in.rate / in.executors;
    double most = n / curve(in.queued);
    std::size_t best = in.queued;
    if (most >= load) return best;
    for (std::size_t size = in.queued + 1; size <= in.cap; ++size) {
      const auto b = static_cast<double>(size);
      const double service = curve(size);
      const double wait = (b - n) / in.rate;
      if (wait + service * in.margin > in.left) break;
      if (b > most * (wait + service)) {
        most = b / (wait + service);
        best = size;
      }
      if (b >= load * service) break;
    }
    return best;
  }

 private:
  static constexpr double kSpare = 1.1;  // Of the load is carried, since it varies.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_COMPANY_HPP
