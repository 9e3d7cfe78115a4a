// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SHARED_SEATS_HPP
#define BATCHWRIGHT_DETAIL_SHARED_SEATS_HPP

#include "../policy.hpp"
#include "admission.hpp"
#include "intrusive_list.hpp"
#include "pairing_heap.hpp"
#include "request.hpp"
#include "request_header.hpp"
#include "shared_work.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Who shares which work, and until when: the coalescer's books, under its lock.
class SharedSeats {
 public:
  explicit SharedSeats(Admission& admission) noexcept : admission_(admission) {}

  void seat(SharedWork& work, RequestBase& request) noexcept {
    request.work = &work;
    request.sequence = ++last_sequence_;
    request.place = work.dispatched ? Place::riding : Place::shared;
    request.seat = work.dispatched ? Seat::riding : Seat::queued;
    if (!work.dispatched && !work.members.empty()) ++companions_;
    work.members.push_back(request);
    ++work.wanted;
    if (work.dispatched) {
      riding_.fetch_add(1, std::memory_order_relaxed);
    } else {
      work.by_urgency.insert(request);
      work.bytes += request.bytes;
    }
    request.due = request.expires();
    if (request.due != kNever) due_.insert(request);
  }

  /// The work is closed when the last has left.
  void unseat(RequestBase& request) noexcept {
    SharedWork& work = *request.work;
    const bool queued = request.seat == Seat::queued;
    if (queued) {
      work.by_urgency.erase(request);
      work.bytes -= request.bytes;
    }
    forget_due(request);
    if (request.seat != Seat::unwanted) --work.wanted;
    work.members.erase(request);
    if (queued && !work.members.empty()) --companions_;
    request.work = nullptr;
    request.seat = Seat::none;
    request.sequence = 0;
    if (work.members.empty()) {
      close(work);
      work.key = nullptr;
    }
  }

  /// Nobody joins it any more.
  void close(SharedWork& work) noexcept {
    if (work.key == nullptr || work.key->open != &work) return;
    work.key->open = nullptr;
    if (work.dispatched) --joinable_;
  }

  /// All members of a work that is dispatched board.
  void board(SharedWork& work, std::uint64_t batch_id) noexcept {
    companions_ -= work.wanted - 1;
    work.by_urgency = {};
    work.batch_id = batch_id;
    work.dispatched = true;
    work.deadline = work.latest_deadline();
    dispatched_.push_back(work);
    if (work.key->open == &work) ++joinable_;
    for (RequestHeader* one = work.members.front(); one != nullptr;
         one = SharedWork::Members::next(*one)) {
      forget_due(*one);
      SharedWork::member(*one).seat = Seat::boarded;
    }
  }

  /// A rider gives its room back and boards.
  void board(RequestBase& rider) noexcept {
    forget_due(rider);
    rider.seat = Seat::boarded;
    riding_.fetch_sub(1, std::memory_order_relaxed);
    admission_.leave(room_of(rider.held_flow), rider.level, rider.bytes);
    admission_.give_back(1, rider.bytes);
  }

  /// A rider has left by itself.
  void rode() noexcept { riding_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t riding() const noexcept { return riding_.load(std::memory_order_relaxed); }

  /// How many hold room besides the works that are queued. The dispatcher's.
  std::size_t besides() const noexcept { return companions_ + riding(); }

  /// The queued or riding member whose time is up first; null if there is none.
  RequestBase* first_due() const noexcept {
    return due_.empty() ? nullptr : &SharedWork::member(*due_.first());
  }

  /// Open works that have been dispatched.
  std::size_t joinable() const noexcept { return joinable_; }

  /// Calls `visit(work)` for all that have been dispatched and are not over.
  template <class Visit>
  void each_dispatched(Visit visit) noexcept {
    for (SharedWork* one = dispatched_.front(); one != nullptr; one = Dispatched::next(*one)) {
      visit(*one);
    }
  }
  void over(SharedWork& work) noexcept { dispatched_.erase(work); }

 private:
  using Dispatched = IntrusiveList<&SharedWork::in_dispatched>;

  struct Sooner {
    bool operator()(const RequestHeader& a, const RequestHeader& b) const noexcept {
      return a.due != b.due ? a.due < b.due : a.sequence < b.sequence;
    }
  };

  void forget_due(RequestHeader& request) noexcept {
    if (request.due != kNever) due_.erase(request);
    request.due = kNever;
  }

  Admission& admission_;
  PairingHeap<RequestHeader, &RequestHeader::by_due, Sooner> due_;
  Dispatched dispatched_;
  std::size_t joinable_ = 0;
  std::size_t companions_ = 0;  // Members of queued works, but for the first of each.
  std::uint64_t last_sequence_ = 0;
  std::atomic<std::size_t> riding_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SHARED_SEATS_HPP
