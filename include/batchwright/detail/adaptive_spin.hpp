// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ADAPTIVE_SPIN_HPP
#define BATCHWRIGHT_DETAIL_ADAPTIVE_SPIN_HPP

#include "../policy.hpp"
#include "../runtime.hpp"

#include <algorithm>

namespace batchwright::inline v0_1::detail {

/// Looks out for a while before its thread goes to sleep: to be woken takes as long as dozens of
/// requests do. It does so while at least one look-out in four is of use; otherwise one sleep in 32 is
/// tried, so an idle thread sleeps. For one thread.
template <Runtime R>
class AdaptiveSpin {
 public:
  /// `longest`: of one look-out; zero for none.
  AdaptiveSpin(const R& runtime, Duration longest) noexcept
      : runtime_(runtime), longest_(longest) {}

  /// True if `come()` was true before `until` and before the longest time was up.
  template <class Come>
  bool wait_for(TimePoint until, Come&& come) noexcept {
    if (longest_ <= Duration::zero()) return false;
    if (gain_ < kWorthIt && ++asleep_ < kTrial) return false;
    asleep_ = 0;
    const TimePoint end = std::min(until, saturating_add(runtime_.now(), longest_));
    bool came = come();
    for (int look = 0; !came && look < kMostLooks; ++look) {
      for (int pause = 0; pause < kPauses; ++pause) runtime_.relax();
      came = come();
      if (runtime_.now() >= end) break;
    }
    gain_ += ((came ? 1.0F : 0.0F) - gain_) / 8;
    return came;
  }

 private:
  static constexpr float kWorthIt = 0.25F;
  static constexpr int kTrial = 32;
  static constexpr int kPauses = 4;
  // For a clock that stands still.
  static constexpr int kMostLooks = [] {
    if constexpr (requires { R::kMostLooks; }) return R::kMostLooks;
    return 4096;
  }();

  [[no_unique_address]] R runtime_;
  const Duration longest_;
  float gain_ = 1;  // The part of the look-outs that were of use.
  int asleep_ = 0;  // Sleeps since the last one.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ADAPTIVE_SPIN_HPP
