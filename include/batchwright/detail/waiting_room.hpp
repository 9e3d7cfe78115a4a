// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_WAITING_ROOM_HPP
#define BATCHWRIGHT_DETAIL_WAITING_ROOM_HPP

#include "admission.hpp"
#include "request.hpp"
#include "request_header.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Requests of one call that wait together for capacity. It lies on the stack of the blocked thread,
/// or in the frame of the suspended coroutine; once `decided` is set the dispatcher does not touch it
/// again.
struct WaitingGroup {
  RequestChain requests;
  Demand demand;
  TenantDemands tenants;        ///< Those of the demand.
  TimePoint deadline = kNever;  ///< Of the requests: they expire.
  TimePoint limit = kNever;     ///< Of the wait: the queue counts as full.
  WaitingGroup* next = nullptr;
  Lack lack = Lack::queue;  ///< As of the last look.
  bool evicts = false;      ///< Does not wait: room is made by evicting others, or it is refused.
  bool pooled = false;      ///< Nobody waits for the decision: the dispatcher deletes it then.
  std::atomic<std::uint32_t> decided{0};

  TimePoint until() const noexcept { return std::min(deadline, limit); }

  void ask_for(const Demand& all, TenantDemands&& by_tenant) noexcept {
    tenants = std::move(by_tenant);
    demand = all;
    demand.tenants = tenants.first();
  }
};

/// Who waits for capacity, first come, first served. Touched by the dispatcher alone.
class WaitingRoom {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  WaitingGroup* first() const noexcept { return first_; }
  static WaitingGroup* next(const WaitingGroup& group) noexcept { return group.next; }

  /// When the first of them gives up, or earlier: the instant of one who has left may remain until it
  /// has passed.
  TimePoint earliest() const noexcept { return earliest_; }

  void enter(WaitingGroup& group) noexcept {
    group.next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = &group;
    last_ = &group;
    earliest_ = std::min(earliest_, group.until());
  }

  void leave(WaitingGroup& group) noexcept {
    WaitingGroup* before = nullptr;
    WaitingGroup** place = &first_;
    while (*place != &group) {
      before = *place;
      place = &before->next;
    }
    *place = group.next;
    if (last_ == &group) last_ = before;
    if (first_ == nullptr) earliest_ = kNever;
  }

  /// The first group whose time is up at `now`; null if there is none.
  WaitingGroup* first_due(TimePoint now) noexcept {
    if (earliest_ > now) return nullptr;
    earliest_ = kNever;
    for (WaitingGroup* group = first_; group != nullptr; group = group->next) {
      earliest_ = std::min(earliest_, group->until());
      if (group->until() <= now) return group;
    }
    return nullptr;
  }

  /// Takes one request out of its group, which waits for the queue.
  static void withdraw(WaitingGroup& group, RequestBase& request) noexcept {
    RequestChain rest;
    RequestHeader* item = group.requests.first;
    while (item != nullptr) {
      RequestHeader* const next = RequestChain::next(*item);
      if (item != &request) rest.append(*item);
      item = next;
    }
    group.requests = rest;
    group.demand.bytes -= request.bytes;
    --group.demand.count;
    if (group.demand.tenants == nullptr) return;
    TenantRoom* const room = room_of(request.held_flow);
    group.tenants.remove_one(room == nullptr ? *group.demand.tenants->room : *room, request.bytes);
    group.demand.tenants = group.tenants.first();
  }

 private:
  WaitingGroup* first_ = nullptr;
  WaitingGroup* last_ = nullptr;
  TimePoint earliest_ = kNever;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_WAITING_ROOM_HPP
