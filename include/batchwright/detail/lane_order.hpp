// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_ORDER_HPP
#define BATCHWRIGHT_DETAIL_LANE_ORDER_HPP

#include "fair_share.hpp"
#include "flow.hpp"
#include "lane_turns.hpp"
#include "pairing_heap.hpp"
#include "rank.hpp"
#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Walks a lane in the order in which a batch takes it, and changes nothing: the tenants by their
/// shares, each charged for what was passed, and within a tenant its own order. One walk at a time:
/// where it stands is kept in the flows. A step is O(log tenants in the lane), amortized, and what
/// PriorityQueue::next costs.
class LaneOrder {
 public:
  explicit LaneOrder(const FairShare& shares) noexcept : shares_(shares), turns_(shares) {}

  /// Begins a walk. Returns the first request: a lane that is looked at is not empty.
  RequestHeader& begin(const Lane& lane) noexcept {
    lane_ = &lane;
    only_ = lane.flows.front();
    if (only_ != lane.flows.back()) {
      only_ = nullptr;
      seen_ = {};
      turns_.begin(lane);
    } else {
      start(*only_);
    }
    return *next();
  }

  /// The next request; null at the end.
  RequestHeader* next() noexcept {
    Flow* const flow = only_ != nullptr ? only_ : whose_turn();
    if (flow == nullptr || flow->candidate == nullptr) return last_ = nullptr;
    RequestHeader* const request = flow->candidate;
    flow->candidate = flow->next(*request);
    if (only_ == nullptr) {
      flow->candidate_tag += FairShare::cost(*flow->tenant, request->weight);
      if (flow->candidate != nullptr) seen_.insert(*flow);
    }
    return last_ = request;
  }

  /// The first `count` requests, all if there are fewer, linked by `next_picked`. A walk of its own.
  RequestHeader* first_of(const Lane& lane, std::size_t count) noexcept {
    RequestHeader* first = nullptr;
    RequestHeader** link = &first;
    for (RequestHeader* one = &begin(lane); one != nullptr && count > 0; one = next(), --count) {
      *link = one;
      link = &one->next_picked;
    }
    *link = nullptr;
    return first;
  }

  /// Which the walk has given last.
  const RequestHeader* last() const noexcept { return last_; }

  /// Whether `a`, the first of its lane, goes before `b`, the first of another one.
  bool before(const RequestHeader& a, const RequestHeader& b) const noexcept {
    const Tenant& s = *a.flow->tenant;
    const Tenant& t = *b.flow->tenant;
    if (&s != &t) return LaneTurns::before(s, shares_.effective(s), t, shares_.effective(t));
    return Rank::of(a) < Rank::of(b);
  }

 private:
  struct ByCandidate {
    bool operator()(const Flow& a, const Flow& b) const noexcept {
      return LaneTurns::before(*a.tenant, a.candidate_tag, *b.tenant, b.candidate_tag);
    }
  };

  static void start(Flow& flow) noexcept {
    flow.candidate = flow.head != nullptr ? flow.head : flow.front();
  }

  // Takes the flow whose turn it is: one that has been seen on this walk, or a new one.
  Flow* whose_turn() noexcept {
    Flow* const seen = seen_.first();
    Flow* const fresh = turns_.first(*lane_);
    if (fresh == nullptr ||
        (seen != nullptr &&
         LaneTurns::before(*seen->tenant, seen->candidate_tag, *fresh->tenant, fresh->turn_tag))) {
      if (seen != nullptr) seen_.erase(*seen);
      return seen;
    }
    turns_.take(*fresh);
    start(*fresh);
    fresh->candidate_tag = fresh->turn_tag;
    return fresh;
  }

  const FairShare& shares_;
  LaneTurns turns_;
  const Lane* lane_ = nullptr;
  Flow* only_ = nullptr;                                      // Where the lane has one flow, else
  PairingHeap<Flow, &Flow::by_candidate, ByCandidate> seen_;  // those begun, with more to give.
  RequestHeader* last_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_ORDER_HPP
