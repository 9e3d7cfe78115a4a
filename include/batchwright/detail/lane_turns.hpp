// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_TURNS_HPP
#define BATCHWRIGHT_DETAIL_LANE_TURNS_HPP

#include "fair_share.hpp"
#include "flow.hpp"

#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The flows of a lane by whose turn it is: the tenant with the smallest tag goes first, of equal ones that
/// whose first request was accepted first. While a flow has something queued its turn only ever moves
/// back, because a tag grows, virtual time too, and a tenant's first request is followed by later ones. So
/// a place that is out of date is too early, and is mended when it comes to the front: a change of a turn
/// costs nothing when it happens. Every operation is O(log tenants in the lane), amortized.
class LaneTurns {
 public:
  explicit LaneTurns(const FairShare& shares) noexcept : shares_(shares) {}

  static bool before(const Tenant& s, std::uint64_t s_tag, const Tenant& t,
                     std::uint64_t t_tag) noexcept {
    if (s_tag != t_tag) return tag_before(s_tag, t_tag);
    return first_sequence(s) < first_sequence(t);
  }

  /// A flow gets its first request, which its tenant has accepted.
  void enter(Flow& flow) const noexcept { insert(flow); }

  /// Its last one has left; the tenant may have nothing any more.
  void leave(Flow& flow) const noexcept {
    Lane& lane = *flow.lane;
    if (std::exchange(flow.walked, false)) {
      lane.walked.erase(flow);
    } else {
      lane.turns.erase(flow);
    }
  }

  /// Puts those back that an earlier walk has taken.
  void begin(const Lane& lane) const noexcept {
    while (Flow* const flow = lane.walked.front()) {
      lane.walked.erase(*flow);
      flow->walked = false;
      insert(*flow);
    }
  }

  /// Whose turn it is of those that were not taken, with `turn_tag` up to date; null at the end.
  Flow* first(const Lane& lane) const noexcept {
    for (;;) {
      Flow* const flow = lane.turns.first();
      if (flow == nullptr || is_current(*flow)) return flow;
      lane.turns.erase(*flow);
      insert(*flow);
    }
  }

  /// Takes it out for the rest of the walk.
  void take(Flow& flow) const noexcept {
    flow.lane->turns.erase(flow);
    flow.lane->walked.push_back(flow);
    flow.walked = true;
  }

 private:
  static std::uint64_t first_sequence(const Tenant& tenant) noexcept {
    return tenant.ledger.first()->sequence;
  }

  bool is_current(const Flow& flow) const noexcept {
    return flow.turn_tag == shares_.effective(*flow.tenant) &&
           flow.turn_sequence == first_sequence(*flow.tenant);
  }

  void insert(Flow& flow) const noexcept {
    flow.turn_tag = shares_.effective(*flow.tenant);
    flow.turn_sequence = first_sequence(*flow.tenant);
    flow.lane->turns.insert(flow);
  }

  const FairShare& shares_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_TURNS_HPP
