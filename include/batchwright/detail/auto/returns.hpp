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
/// Nanoseconds. O(batches kept) a call.
class Returns {
 public:
  /// So many were answered at that instant.
  void answer(double at, double count) noexcept {
    if (used_ == kKept) {
      times_.give_up(kept_[0].out);
      out_ -= kept_[0].out;
      remove(0);
    }
    kept_[used_++] = {at, count};
    out_ += count;
  }

  /// So many came at that instant. True if they have a batch that they may come from.
  bool arrive(double at, double count) noexcept {
    std::size_t best = kKept;
    double most = -1;
    // The oldest ones: where it matters which one it is they are most likely.
    const std::size_t last = std::min(used_, kCandidates);
    for (std::size_t i = 0; i < last; ++i) {
      const Answered& batch = kept_[i];
      if (batch.at > at) break;
      const double chance = batch.out * times_.rate(at - batch.at);
      if (chance > most) {
        best = i;
        most = chance;
      }
    }
    if (best == kKept) return false;
    Answered& batch = kept_[best];
    const double taken = std::min(count, batch.out);
    times_.end(at - batch.at);
    batch.out -= taken;
    out_ -= taken;
    if (batch.out <= 0) remove(best);
    return true;
  }

  /// Forgets who was answered, not how long it takes until one comes back.
  void clear() noexcept {
    used_ = 0;
    out_ = 0;
  }

  /// Callers that were answered and have not come back.
  double out() const noexcept { return std::max(out_, 0.0); }

  /// Callers of whom it is to be expected that they come back within that time.
  double within(double at, double time) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < used_ && kept_[i].at <= at; ++i) {
      sum += kept_[i].out * times_.ends_within(at - kept_[i].at, at - kept_[i].at + time);
    }
    return sum;
  }

  /// Arrivals a nanosecond that are to be expected at that instant.
  double intensity(double at) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < used_ && kept_[i].at <= at; ++i) {
      sum += kept_[i].out * times_.rate(at - kept_[i].at);
    }
    return sum;
  }

  /// Arrivals that were to be expected between two instants.
  double expected(double from, double to) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < used_ && kept_[i].at <= to; ++i) {
      const Answered& batch = kept_[i];
      const double before = times_.outlasts(std::max(from - batch.at, 0.0));
      const double after = times_.outlasts(to - batch.at);
      if (after < before) sum += batch.out * std::log(before / after);
    }
    return sum;
  }

  const Hazard& times() const noexcept { return times_; }

 private:
  static constexpr std::size_t kKept = 32;
  static constexpr std::size_t kCandidates = 12;

  struct Answered {
    double at = 0;
    double out = 0;
  };

  void remove(std::size_t place) noexcept {
    std::move(kept_.begin() + static_cast<std::ptrdiff_t>(place) + 1,
              kept_.begin() + static_cast<std::ptrdiff_t>(used_),
              kept_.begin() + static_cast<std::ptrdiff_t>(place));
    --used_;
  }

  std::array<Answered, kKept> kept_{};  // Those with callers out, oldest first.
  std::size_t used_ = 0;
  double out_ = 0;
  Hazard times_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_RETURNS_HPP
