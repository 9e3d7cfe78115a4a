// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_AGES_HPP
#define BATCHWRIGHT_DETAIL_LANE_AGES_HPP

#include "../policy.hpp"
#include "flow.hpp"
#include "pairing_heap.hpp"

namespace batchwright::inline v0_1::detail {

/// The lanes with something queued, by their oldest requests. As requests leave a lane's oldest gets
/// younger, which is only looked at when that lane is the first: entries are at or before the truth.
/// Of requests that came at one instant the first accepted is the oldest.
/// All is O(log lanes) amortized, O(1) for a request that is not the oldest of its lane.
class LaneAges {
 public:
  /// The request has entered the lane.
  void entered(Lane& lane, const RequestHeader& request) noexcept {
    if (lane.count > 1) {
      if (lane.known_oldest <= request.enqueued) return;
      heap_.erase(lane);
    }
    insert(lane);
  }

  /// The last request has left the lane.
  void emptied(Lane& lane) noexcept { heap_.erase(lane); }

  /// The lane of the oldest request; null if there is none.
  Lane* first() noexcept {
    for (Lane* lane = heap_.first(); lane != nullptr; lane = heap_.first()) {
      if (lane->known_first == lane->ages.first()->sequence) return lane;
      heap_.erase(*lane);
      insert(*lane);
    }
    return nullptr;
  }

  /// Whether the oldest request of `a` is older than that of `b`; neither is empty.
  static bool older(const Lane& a, const Lane& b) noexcept {
    const RequestHeader& s = *a.ages.first();
    const RequestHeader& t = *b.ages.first();
    return s.enqueued != t.enqueued ? s.enqueued < t.enqueued : s.sequence < t.sequence;
  }

 private:
  struct Older {
    bool operator()(const Lane& a, const Lane& b) const noexcept {
      return a.known_oldest != b.known_oldest ? a.known_oldest < b.known_oldest
                                              : a.known_first < b.known_first;
    }
  };

  void insert(Lane& lane) noexcept {
    lane.known_oldest = lane.ages.oldest();
    lane.known_first = lane.ages.first()->sequence;
    heap_.insert(lane);
  }

  PairingHeap<Lane, &Lane::by_age, Older> heap_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_AGES_HPP
