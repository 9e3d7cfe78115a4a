// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_ORDER_HPP
#define BATCHWRIGHT_DETAIL_LANE_ORDER_HPP

#include "fair_share.hpp"
#include "flow.hpp"
#include "rank.hpp"
#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Walks a lane in the order in which a batch takes it, and changes nothing: the tenants by their
/// shares, each charged for what was passed, and within a tenant its own order. One walk at a time:
/// where it stands is kept in the flows. A step is O(tenants in the lane), and what PriorityQueue::next
/// costs.
class LaneOrder {
 public:
  explicit LaneOrder(const FairShare& shares) noexcept : shares_(shares) {}

  /// Begins a walk. Returns the first request: a lane that is looked at is not empty.
  RequestHeader& begin(const Lane& lane) noexcept {
    lane_ = &lane;
    only_ = Flows::next(*lane.flows.front()) == nullptr ? lane.flows.front() : nullptr;
    for (Flow* flow = lane.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
      flow->candidate = flow->head != nullptr ? flow->head : flow->front();
      flow->candidate_tag = shares_.effective(*flow->tenant);
    }
    return *next();
  }

  /// The next request; null at the end.
  RequestHeader* next() noexcept {
    Flow* const flow = only_ != nullptr ? only_ : first_flow();
    if (flow == nullptr || flow->candidate == nullptr) return last_ = nullptr;
    RequestHeader* const request = flow->candidate;
    flow->candidate = flow->next(*request);
    if (only_ == nullptr) flow->candidate_tag += FairShare::cost(*flow->tenant, request->weight);
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
    if (&s != &t) return tenant_before(s, shares_.effective(s), t, shares_.effective(t));
    return Rank::of(a) < Rank::of(b);
  }

 private:
  using Flows = IntrusiveList<&Flow::in_lane>;

  static bool tenant_before(const Tenant& s, std::uint64_t s_tag, const Tenant& t,
                            std::uint64_t t_tag) noexcept {
    if (s_tag != t_tag) return FairShare::before(s_tag, t_tag);
    return s.ledger.first()->sequence < t.ledger.first()->sequence;
  }

  Flow* first_flow() const noexcept {
    Flow* first = nullptr;
    for (Flow* flow = lane_->flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
      if (flow->candidate == nullptr) continue;
      if (first == nullptr ||
          tenant_before(*flow->tenant, flow->candidate_tag, *first->tenant, first->candidate_tag)) {
        first = flow;
      }
    }
    return first;
  }

  const FairShare& shares_;
  const Lane* lane_ = nullptr;
  Flow* only_ = nullptr;  // Where the lane has one flow.
  RequestHeader* last_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_ORDER_HPP
