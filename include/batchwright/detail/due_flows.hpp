// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DUE_FLOWS_HPP
#define BATCHWRIGHT_DETAIL_DUE_FLOWS_HPP

#include "fair_share.hpp"
#include "flow.hpp"
#include "intrusive_list.hpp"
#include "pairing_heap.hpp"
#include "rank.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Which of the due lanes goes first, among those that are bound to the same executor or to none: the
/// lane of the first request by LaneOrder::before. A due lane is in here with all its flows. Their
/// tenants take turns by their tags, and a tenant's flows by their heads; that tenant leads each lane
/// that it is in, so the first flow of the first tenant is of the lane that goes first.
///
/// A tenant's place, by tag and first accepted request, only ever moves back. So the heap of tenants
/// may hold older places: each is at or before the true one, and only the first has to be true. What
/// else has moved is found when it comes to the front, so that a dispatch costs nothing for the lanes
/// that its tenants have elsewhere.
///
/// Insertion and removal are O(log due flows) amortized, plus O(executors for which the tenant has due
/// lanes); so is `first` for each tenant that has moved.
class DueFlows {
 public:
  explicit DueFlows(const FairShare& shares) noexcept : shares_(&shares) {}

  /// Puts in a flow that is not empty and not in here.
  void insert(Flow& flow) noexcept {
    note_head(flow);
    Turn* turn = turn_of(flow);
    if (turn == nullptr) {
      turn = &flow.turn;
      turn->tenant = flow.tenant;
      turn->executor = flow.lane->executor;
      note_place(*turn);
      enter(*turn);
    }
    turn->flows.insert(flow);
  }

  /// Takes out a flow, whose head may have left already.
  void erase(Flow& flow) noexcept {
    Turn& turn = *turn_of(flow);
    turn.flows.erase(flow);
    flow.head = nullptr;
    if (turn.flows.empty()) {
      leave(turn);
    } else if (&turn == &flow.turn) {
      leave(turn);
      // Not the first one, if there is another: it would be the next to leave.
      Flow& first = *turn.flows.first();
      Turn& heir = first.by_head.child == nullptr ? first.turn : first.by_head.child->turn;
      heir = turn;
      enter(heir);
      turn.flows = {};
    }
  }

  /// The head of a flow has left, and others are behind it.
  void advance(Flow& flow) noexcept {
    turn_of(flow)->flows.move(flow, [&] { note_head(flow); });
  }

  /// The flow that goes first; null if there is none.
  Flow* first() noexcept {
    for (Turn* turn = turns_.first(); turn != nullptr; turn = turns_.first()) {
      if (turn->tag == shares_->effective(*turn->tenant) &&
          turn->sequence == first_accepted(*turn->tenant)) {
        return turn->flows.first();
      }
      turns_.move(*turn, [&] { note_place(*turn); });
    }
    return nullptr;
  }

 private:
  using Turn = Flow::Turn;
  using TurnsOfTenant = IntrusiveList<&Turn::in_tenant>;

  struct ByTag {
    bool operator()(const Turn& a, const Turn& b) const noexcept {
      return a.tag != b.tag ? tag_before(a.tag, b.tag) : a.sequence < b.sequence;
    }
  };

  static std::uint64_t first_accepted(const Tenant& tenant) noexcept {
    return tenant.ledger.first()->sequence;
  }

  static Turn* turn_of(const Flow& flow) noexcept {
    Turn* turn = flow.tenant->turns.front();
    while (turn != nullptr && turn->executor != flow.lane->executor) {
      turn = TurnsOfTenant::next(*turn);
    }
    return turn;
  }

  static void note_head(Flow& flow) noexcept {
    flow.head = flow.front();
    flow.head_rank = Rank::of(*flow.head);
  }

  void note_place(Turn& turn) const noexcept {
    turn.tag = shares_->effective(*turn.tenant);
    turn.sequence = first_accepted(*turn.tenant);
  }

  void enter(Turn& turn) noexcept {
    turns_.insert(turn);
    turn.tenant->turns.push_back(turn);
  }

  void leave(Turn& turn) noexcept {
    turns_.erase(turn);
    turn.tenant->turns.erase(turn);
  }

  const FairShare* shares_;
  PairingHeap<Turn, &Turn::by_tag, ByTag> turns_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DUE_FLOWS_HPP
