// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_FLOW_HPP
#define BATCHWRIGHT_DETAIL_FLOW_HPP

#include "age_list.hpp"
#include "batch_size.hpp"
#include "intrusive_list.hpp"
#include "lane_quota.hpp"
#include "overtaking_ledger.hpp"
#include "pairing_heap.hpp"
#include "priority_queue.hpp"
#include "rank.hpp"
#include "request_header.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

// Tenants, lanes and flows are made by whoever makes the requests, so that the scheduler allocates
// nothing for them. They stay where they are while one of their requests is queued; but for what is
// said to be constant they belong to the scheduler then.

struct Tenant;
struct Lane;
class TenantRoom;

/// Of two of FairShare's tags, which wrap around.
constexpr bool tag_before(std::uint64_t a, std::uint64_t b) noexcept {
  return static_cast<std::int64_t>(a - b) < 0;
}

/// The queued requests of one tenant in one lane. What a walk over a lane's flows reads comes first.
struct Flow {
  Tenant* tenant = nullptr;  ///< Constant.
  Lane* lane = nullptr;      ///< Constant.
  ListHook<Flow> in_lane{};
  RequestHeader* head = nullptr;  // DueFlows: the first request, while the lane is due.

  // LaneOrder: where its walk stands.
  RequestHeader* candidate = nullptr;
  std::uint64_t candidate_tag = 0;
  HeapHook<Flow> by_candidate{};

  // LaneTurns: its place, as of the last look, and whether a walk has taken it.
  std::uint64_t turn_tag = 0;
  std::uint64_t turn_sequence = 0;
  HeapHook<Flow> by_turn{};
  struct ByTurn {
    bool operator()(const Flow& a, const Flow& b) const noexcept {
      return a.turn_tag == b.turn_tag ? a.turn_sequence < b.turn_sequence
                                      : tag_before(a.turn_tag, b.turn_tag);
    }
  };
  ListHook<Flow> in_walk{};
  bool walked = false;

  PriorityQueue queue;                              ///< All but those
  IntrusiveList<&RequestHeader::by_rank> at_bound;  ///< that go first, in order of acceptance.
  std::uint64_t weight = 0;                         // Of all of it.
  ListHook<Flow> in_tenant{};

  HeapHook<Flow> by_head{};
  Rank head_rank;
  struct ByHead {
    bool operator()(const Flow& a, const Flow& b) const noexcept {
      return a.head_rank < b.head_rank;
    }
  };

  /// The due flows of one tenant whose lanes are bound alike. One of them lends it.
  struct Turn {
    Tenant* tenant = nullptr;
    std::size_t executor = kNoCount;
    PairingHeap<Flow, &Flow::by_head, ByHead> flows;
    std::uint64_t tag = 0;       // The tenant's, as of the last look,
    std::uint64_t sequence = 0;  // and that of its first accepted request.
    HeapHook<Turn> by_tag{};
    ListHook<Turn> in_tenant{};
  } turn;

  bool empty() const noexcept { return at_bound.empty() && queue.empty(); }

  RequestHeader* front() const noexcept {
    return at_bound.empty() ? queue.front() : at_bound.front();
  }

  /// Takes out the first piece up to `last`, all of them at the bound or of one level. They weigh so much.
  void erase_front(RequestHeader& last, std::uint64_t of_weight) noexcept {
    if (!last.at_bound) return queue.erase_front(last, of_weight);
    at_bound.erase_front(last);
    last.by_rank.next = nullptr;
  }

  RequestHeader* next(const RequestHeader& request) const noexcept {
    if (!request.at_bound) return queue.next(request);
    RequestHeader* const next = decltype(at_bound)::next(request);
    return next == nullptr ? queue.front() : next;
  }
};

/// Walks a flow in order. It must not change meanwhile. A step is O(1) amortized.
class FlowWalk {
 public:
  explicit FlowWalk(const Flow& flow) noexcept
      : level_(flow.queue.front()), at_(flow.at_bound.empty() ? level_ : flow.at_bound.front()) {}

  /// Where it stands; null at the end.
  RequestHeader* at() const noexcept { return at_; }

  /// Makes a step.
  RequestHeader* next() noexcept {
    RequestHeader* next = at_->by_rank.next;
    if (next == nullptr) [[unlikely]] {
      if (!at_->at_bound) level_ = PriorityQueue::below(*level_);
      next = level_;
    }
    return at_ = next;
  }

 private:
  RequestHeader* level_;  // The head of the level that it walks, or will after those at the bound.
  RequestHeader* at_;
};

/// Who shares the executors with others.
struct Tenant {
  std::uint32_t share = 1;     ///< Its part, relative to the others'. Constant.
  TenantRoom* room = nullptr;  ///< What it holds of the queue, if that is limited. Constant.

  std::uint64_t tag = 0;  // FairShare
  OvertakingLedger ledger;
  IntrusiveList<&Flow::in_tenant> flows;
  IntrusiveList<&Flow::Turn::in_tenant> turns;  // DueFlows
  ListHook<Tenant> in_backlog{};
};

/// The room of a request's tenant, if that has one.
inline TenantRoom* room_of(const Flow* flow) noexcept {
  return flow == nullptr ? nullptr : flow->tenant->room;
}

/// Requests that may share a batch.
struct Lane {
  std::size_t executor = kNoCount;  ///< The only one that may compute it, if set. Constant.

  std::size_t count = 0;
  std::size_t weight = 0;
  std::size_t bounded = 0;       // How many of its requests are at their overtaking bound,
  std::size_t flushed = 0;       // and were queued at the last flush,
  std::uint64_t flush_mark = 0;  // which came after this sequence number.
  bool alert = false;  // Backlog: who comes next is indexed, even if it only goes behind others.
  AgeList ages;
  struct Longer {
    bool operator()(const RequestHeader& a, const RequestHeader& b) const noexcept {
      return a.length > b.length;
    }
  };
  PairingHeap<RequestHeader, &RequestHeader::by_length, Longer> lengths;  // Where lengths count.
  IntrusiveList<&Flow::in_lane> flows;
  ListHook<Lane> in_backlog{};

  // LaneTurns. A walk does not change the lane, but where it keeps its flows.
  mutable PairingHeap<Flow, &Flow::by_turn, Flow::ByTurn> turns;
  mutable IntrusiveList<&Flow::in_walk> walked;

  // LaneAgenda
  bool due = false;
  bool changed = false;
  ListHook<Lane> in_changed{};
  TimePoint until = kNever;
  HeapHook<Lane> by_until{};

  LaneQuota quota;  ///< Of arrivals, for those who would wake the dispatcher.

  TimePoint known_oldest{};       // LaneAges: when its oldest request came,
  std::uint64_t known_first = 0;  // and as which.
  HeapHook<Lane> by_age{};

  /// The size of all that is queued in it.
  std::size_t size(SizeRule rule) const noexcept {
    return BatchSize::of(rule, count, weight, longest());
  }

  /// Its longest length; zero where lengths do not count.
  std::size_t longest() const noexcept { return lengths.empty() ? 0 : lengths.first()->length; }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_FLOW_HPP
