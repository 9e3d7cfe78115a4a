// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_AGES_HPP
#define BATCHWRIGHT_DETAIL_LANE_AGES_HPP

#include "../policy.hpp"
#include "flow.hpp"
#include "pairing_heap.hpp"

namespace batchwright::inline v0_1::detail {

/// The lanes with something queued, by their oldest requests. As requests leave a lane's oldest gets
/// younger, which is only looked at when that lane is the first: entries are at or before the truth.
/// All is O(log lanes) amortized, O(1) for a request that is not the oldest of its lane.
class LaneAges {
 public:
  /// A request has entered the lane.
  void entered(Lane& lane) noexcept {
    const TimePoint oldest = lane.ages.oldest();
    if (lane.count > 1) {
      if (lane.known_oldest <= oldest) return;
      heap_.erase(lane);
    }
    lane.known_oldest = oldest;
    heap_.insert(lane);
  }

  /// The last request has left the lane.
  void emptied(Lane& lane) noexcept { heap_.erase(lane); }

  /// kNever if there is none.
  TimePoint oldest() noexcept {
    const Lane* const lane = first();
    return lane == nullptr ? kNever : lane->known_oldest;
  }

  /// The lane of the oldest request; null if there is none.
  Lane* first() noexcept {
    for (Lane* lane = heap_.first(); lane != nullptr; lane = heap_.first()) {
      if (lane->known_oldest == lane->ages.oldest()) return lane;
      heap_.erase(*lane);
      lane->known_oldest = lane->ages.oldest();
      heap_.insert(*lane);
    }
    return nullptr;
  }

 private:
  struct Older {
    bool operator()(const Lane& a, const Lane& b) const noexcept {
      return a.known_oldest < b.known_oldest;
    }
  };

  PairingHeap<Lane, &Lane::by_age, Older> heap_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_AGES_HPP
