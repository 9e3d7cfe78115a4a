// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ARRIVAL_MODEL_HPP
#define BATCHWRIGHT_DETAIL_ARRIVAL_MODEL_HPP

#include "../policy.hpp"

#include <algorithm>

namespace batchwright::inline v0_1::detail {

/// The rate and the burstiness of the arrivals, by exponentially weighted means of the gaps between
/// them and of their squares. O(1) per arrival.
class ArrivalModel {
 public:
  /// `enqueued` may be earlier than the one before: such a gap counts as zero.
  void observe(TimePoint enqueued) noexcept {
    if (seen_++ > 0) {
      const double gap =
          static_cast<double>(std::max(Duration(enqueued - last_), Duration::zero()).count());
      const double gain = std::max(kGain, 1.0 / static_cast<double>(seen_ - 1));
      mean_gap_ += gain * (gap - mean_gap_);
      mean_square_ += gain * (gap * gap - mean_square_);
      last_ = std::max(last_, enqueued);
    } else {
      last_ = enqueued;
    }
  }

  ArrivalEstimate estimate() const noexcept {
    ArrivalEstimate estimate{.samples = seen_, .last = last_};
    if (mean_gap_ > 0) {
      estimate.rate_per_second = 1e9 / mean_gap_;
      estimate.burstiness = std::max(0.0, mean_square_ / (mean_gap_ * mean_gap_) - 1);
    }
    return estimate;
  }

 private:
  static constexpr double kGain = 1.0 / 128;

  std::uint64_t seen_ = 0;
  TimePoint last_{};
  double mean_gap_ = 0;
  double mean_square_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ARRIVAL_MODEL_HPP
