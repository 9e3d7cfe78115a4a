// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_RETURNS_HPP
#define BATCHWRIGHT_DETAIL_AUTO_RETURNS_HPP

#include "hazard.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Callers that come back: each answer may bring a further request after a time. It keeps the last
/// batches and how many of their callers have not come back, gives each arrival to the batch that it
/// most likely comes from, and so learns the distribution of the time between. No caller needs a name.
/// Nanoseconds. O(batches kept).
class Returns {
 public:
  /// So many were answered at that instant.
  void answer(double at, double count) noexcept {
    Answered& slot = kept_[next_];
    next_ = (next_ + 1) % kKept;
    if (slot.out > 0) times_.give_up(slot.out);
    out_ += count - slot.out;
    slot = {at, count};
  }

  /// So many came at that instant. True if they have a batch that they may come from.
  bool arrive(double at, double count) noexcept {
    Answered* best = nullptr;
    double most = 0;
    for (Answered& batch : kept_) {
      if (batch.out <= 0 || batch.at > at) continue;
      const double chance = batch.out * times_.rate(at - batch.at);
      if (best == nullptr || chance > most) {
        best = &batch;
        most = chance;
      }
    }
    if (best == nullptr) return false;
    const double taken = std::min(count, best->out);
    times_.end(at - best->at);
    best->out -= taken;
    out_ -= taken;
    return true;
  }

  /// Callers that were answered and have not come back.
  double out() const noexcept { return std::max(out_, 0.0); }

  /// Arrivals a nanosecond that are to be expected at that instant.
  double intensity(double at) const noexcept {
    double sum = 0;
    for (const Answered& batch : kept_) {
      if (batch.out > 0 && batch.at <= at) sum += batch.out * times_.rate(at - batch.at);
    }
    return sum;
  }

  /// Arrivals that were to be expected between two instants.
  double expected(double from, double to) const noexcept {
    double sum = 0;
    for (const Answered& batch : kept_) {
      if (batch.out <= 0 || batch.at > to) continue;
      sum += batch.out * std::log(times_.outlasts(std::max(from - batch.at, 0.0)) /
                                  times_.outlasts(to - batch.at));
    }
    return sum;
  }

  const Hazard& times() const noexcept { return times_; }

 private:
  static constexpr std::size_t kKept = 12;

  struct Answered {
    double at = 0;
    double out = 0;
  };

  std::array<Answered, kKept> kept_{};
  std::size_t next_ = 0;
  double out_ = 0;
  Hazard times_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_RETURNS_HPP
