// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_WAITING_PAYS_HPP
#define BATCHWRIGHT_POLICIES_WAITING_PAYS_HPP

#include "../policy.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Whether it pays to wait for all clients that are out, where they are too few to fill a batch. If each
/// batch costs much, fewer and larger ones serve them faster; if not, the clients and the predictor only
/// wait for each other in turns. Which it is depends on what a policy does not see (how clients come back,
/// what a wake takes), so it is measured: how fast requests are served with the wait and without it. The
/// other way is tried after one stretch of batches, then, each time that it was no better, after twice as
/// many; one that is much worse is not tried to the end.
///
/// Waiting is the rule, because it was asked for: it is given up only for a tenth more. Where requests come
/// at their own pace both serve them as they come, and so it stays.
class WaitingPays {
 public:
  bool pays() const noexcept { return waits_; }

  /// A batch has been computed. `longest`: the wait that it is about. If nothing came for so long, the load
  /// has changed, and the stretch begins anew.
  void observe(const BatchReport& report, Duration longest) noexcept {
    if (report.dispatched < switched_) return;
    if (report.failed || report.oldest - last_ > longest) return begin(report.finished);
    last_ = std::max(last_, report.finished);
    items_ += report.size;
    const double rate = static_cast<double>(items_) /
                        static_cast<double>(std::max(last_ - begin_, Duration(1)).count());
    const bool hopeless = trying_ && items_ >= kStretch / 8 && 1.5 * rate < rates_[waits_ ? 0 : 1];
    if (items_ < kStretch && !hopeless) return;
    rates_[waits_ ? 1 : 0] = rate;
    close();
    begin(last_);
    switched_ = last_;
  }

 private:
  static constexpr std::size_t kStretch = 2048;  // Requests.
  static constexpr int kLongestInterval = 64;    // Stretches.
  static constexpr double kGain = 1.1;

  void begin(TimePoint now) noexcept {
    begin_ = last_ = std::max(last_, now);
    items_ = 0;
  }

  // A stretch is over.
  void close() noexcept {
    if (trying_) {
      trying_ = false;
      const bool waits = rates_[0] < kGain * rates_[1];
      interval_ = waits == waits_ ? 1 : std::min(interval_ * 2, kLongestInterval);
      until_trial_ = interval_;
      waits_ = waits;
    } else if (--until_trial_ == 0) {
      trying_ = true;
      waits_ = !waits_;
    }
  }

  bool waits_ = true;
  bool trying_ = false;
  int interval_ = 1;               // Stretches between two trials.
  int until_trial_ = 1;            // Stretches.
  std::array<double, 2> rates_{};  // Requests a nanosecond, without and with the wait.
  std::size_t items_ = 0;          // Of this stretch.
  TimePoint begin_{};
  TimePoint last_{};      // The end of the last batch.
  TimePoint switched_{};  // Batches from before belong to the last stretch.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_POLICIES_WAITING_PAYS_HPP
