// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_WAITING_DESK_HPP
#define BATCHWRIGHT_DETAIL_WAITING_DESK_HPP

#include "../observer.hpp"
#include "admission.hpp"
#include "answering.hpp"
#include "waiting_room.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Serves those who wait for capacity: lets them in, in order, as room comes free, and turns away whose
/// time is up. Belongs to whoever has the dispatcher's role.
template <class TIn, class TOut, Runtime R>
class WaitingDesk {
 public:
  using Item = Request<TIn, TOut>;

  /// `lost` counts requests whose cancellation is still on its way to the dispatcher.
  WaitingDesk(const R& runtime, Admission& admission, Answering<TIn, TOut, R>& answering,
              std::atomic<std::int64_t>& lost) noexcept
      : runtime_(runtime), admission_(admission), answering_(answering), lost_(lost) {}

  bool empty() const noexcept { return room_.empty(); }

  /// When somebody's time is up; see WaitingRoom.
  TimePoint earliest() const noexcept { return room_.earliest(); }

  /// Takes groups in that come newest first.
  void enter(WaitingGroup* newest) noexcept {
    WaitingGroup* oldest_first = nullptr;
    while (newest != nullptr) {
      WaitingGroup* const group = std::exchange(newest, newest->next);
      group->next = std::exchange(oldest_first, group);
    }
    while (oldest_first != nullptr) {
      WaitingGroup& group = *std::exchange(oldest_first, oldest_first->next);
      for (RequestHeader* header = group.requests.first; header != nullptr;
           header = RequestChain::next(*header)) {
        static_cast<Item&>(*header).place = Place::waiting_room;
      }
      room_.enter(group);
    }
  }

  /// Turns away whose time is up, and lets in who fits, in order: `arrive(requests)` takes them. Others
  /// pass who lacks room of its tenant or level alone. For one who may evict others `evict(shortage, first
  /// request)` says whether they have left. True if somebody was let in.
  template <class Arrive, class Evict>
  bool serve(TimePoint now, Arrive&& arrive, Evict&& evict) noexcept {
    while (WaitingGroup* const due = room_.first_due(now)) {
      turn_away(*due, due->deadline <= now ? Outcome::expired : Outcome::queue_full);
    }
    bool admitted = false;
    ++look_;
    for (WaitingGroup* next = room_.first(); next != nullptr;) {
      WaitingGroup& group = *std::exchange(next, WaitingRoom::next(*next));
      if (const Lack lack = passed_before(group.demand); lack != Lack::queue) {
        pass(group, lack);
        continue;
      }
      if (!admission_.reserve_first(group.demand) && !make_room(group, evict)) {
        if (group.evicts) {
          turn_away(group, admission_.closed() ? Outcome::stopped : Outcome::queue_full);
          continue;
        }
        pass(group, admission_.lack(group.demand));
        if (group.lack == Lack::queue) break;
        continue;
      }
      note_admitted(group, now);
      arrive(group.requests);
      dismiss(group);
      admitted = true;
    }
    return admitted;
  }

  /// Turns everybody away: the batcher is shutting down.
  void close() noexcept {
    while (!room_.empty()) turn_away(*room_.first(), Outcome::stopped);
  }

  /// A request in the room has been cancelled.
  void cancel(Item& request) noexcept {
    WaitingGroup& group = *request.group;
    change_lack(group, Lack::queue);  // Its tenant may not be of the group any more.
    WaitingRoom::withdraw(group, request);
    request.place = Place::gone;
    if (group.requests.empty()) dismiss(group);
    request.release();  // The cancellation's reference.
    refuse(request, Outcome::cancelled);
  }

  /// Answers a request that was never accepted, though it has waited for room.
  void refuse(Item& request, Outcome outcome) noexcept {
    answering_.note_refused(request.trace_id, outcome, 1, request.submitted);
    answering_.answer_refused(request, outcome);
  }

 private:
  // For one who may evict others: true if he has room now.
  template <class Evict>
  bool make_room(WaitingGroup& group, Evict& evict) noexcept {
    if (!group.evicts || admission_.closed()) return false;
    const Shortage shortage = admission_.take_by_force(group.demand);
    const auto& first = static_cast<const Item&>(*group.requests.first);
    if (shortage.nothing() || (!shortage.other && evict(shortage, first))) return true;
    admission_.give_back(group.demand);
    return false;
  }

  void note_admitted(const WaitingGroup& group, TimePoint now) noexcept {
    answering_.recorder().dispatcher().accepted(group.requests.count);
    for (RequestHeader* header = group.requests.first; header != nullptr;
         header = RequestChain::next(*header)) {
      header->enqueued = now;
      answering_.admitted(static_cast<const Item&>(*header));
    }
  }

  // The group goes first: an answer may resume the coroutine whose frame it lies in.
  void turn_away(WaitingGroup& group, Outcome outcome) noexcept {
    RequestHeader* header = group.requests.first;
    dismiss(group);
    while (header != nullptr) {
      auto& request = static_cast<Item&>(*header);
      header = RequestChain::next(*header);
      request.place = Place::turned_away;
      if (request.claim()) {
        refuse(request, outcome);
      } else {  // A cancellation has won and is on its way.
        lost_.fetch_add(1, std::memory_order_relaxed);
        request.release();
      }
    }
  }

  void change_lack(WaitingGroup& group, Lack lack) noexcept {
    admission_.change_lack(group.demand, std::exchange(group.lack, lack), lack);
  }

  // Who lacks room of its tenant or level alone, or is behind one who does, is passed by others.
  void pass(WaitingGroup& group, Lack lack) noexcept {
    change_lack(group, lack);
    if (lack == Lack::queue) return;
    for (TenantDemand* its = group.demand.tenants; its != nullptr; its = its->next) {
      (lack == Lack::tenant ? its->room->passed : its->room->level(group.demand.level).passed) =
          look_;
    }
  }

  // Whether somebody has been passed in this look whom these may not pass.
  Lack passed_before(const Demand& demand) const noexcept {
    Lack lack = Lack::queue;
    for (TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      if (its->room->passed == look_) return Lack::tenant;
      if (demand.level != kNoCount && its->room->level(demand.level).passed == look_) {
        lack = Lack::level;
      }
    }
    return lack;
  }

  // The group's memory is its waiter's from here on.
  void dismiss(WaitingGroup& group) noexcept {
    room_.leave(group);
    admission_.end_waiting(group.demand, group.lack);
    if (group.pooled) {
      pool_delete(&group);
      return;
    }
    std::atomic<std::uint32_t>& decided = group.decided;
    decided.store(1, std::memory_order_release);
    runtime_.unpark(decided, 1);
  }

  [[no_unique_address]] R runtime_;
  Admission& admission_;
  Answering<TIn, TOut, R>& answering_;
  std::atomic<std::int64_t>& lost_;
  WaitingRoom room_;
  std::uint64_t look_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_WAITING_DESK_HPP
