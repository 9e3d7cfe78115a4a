// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_QUOTA_HPP
#define BATCHWRIGHT_DETAIL_LANE_QUOTA_HPP

#include "../policy.hpp"
#include "request_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// How much may come into a lane before anybody has to look at it: so that of many lanes, too, or where
/// a size is no sum, the dispatcher sleeps until the arrival that matters. Whoever has its role sets the
/// quota; whoever hands requests over draws on it, under the intake's lock and only while nobody has the
/// role. The lock is taken before anything else by who gets it, and last by who gives it away.
class LaneQuota {
 public:
  /// So much more has to come to what is there: `missing` as in Verdict. `longest` is the longest length
  /// among `count` requests; zero where lengths do not count.
  void set(std::size_t missing, std::size_t count, std::size_t longest) noexcept {
    missing_ = missing;
    count_ = count;
    longest_ = longest;
  }

  /// Nothing is known of the lane: any request matters.
  void shut() noexcept { set(1, 0, 0); }

  /// Arrivals do not matter.
  void lift() noexcept { set(kNoCount, 0, 0); }

  /// One more has come into the inbox of that number. True if the quota is used up.
  bool draw(const RequestHeader& request, std::uint64_t inbox) noexcept {
    if (inbox_ != inbox) {
      inbox_ = inbox;
      came_count_ = came_weight_ = came_longest_ = 0;
    }
    ++came_count_;
    came_weight_ += request.weight;
    came_longest_ = std::max<std::size_t>(came_longest_, request.length);
    if (longest_ == 0) return came_weight_ >= missing_;
    const std::size_t longest = std::max(longest_, came_longest_);
    return (count_ + came_count_) * longest - count_ * longest_ >= missing_;
  }

 private:
  std::size_t missing_ = 1;
  std::size_t count_ = 0;
  std::size_t longest_ = 0;

  // What has come into the inbox that is filled now.
  std::uint64_t inbox_ = 0;
  std::size_t came_count_ = 0;
  std::size_t came_weight_ = 0;
  std::size_t came_longest_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_QUOTA_HPP
