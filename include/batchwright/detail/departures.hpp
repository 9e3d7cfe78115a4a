// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DEPARTURES_HPP
#define BATCHWRIGHT_DETAIL_DEPARTURES_HPP

#include "action.hpp"
#include "admission.hpp"
#include "answering.hpp"
#include "coalescer.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// How requests leave the queue, whether dispatched or not: their room comes free, and whoever is not
/// dispatched is counted and answered. Belongs to whoever has the dispatcher's role.
template <class TIn, class TOut, Runtime R>
class Departures {
 public:
  using Item = Request<TIn, TOut>;

  /// `lost` counts requests whose cancellation is still on its way to the dispatcher.
  Departures(Admission& admission, Answering<TIn, TOut, R>& answering,
             Coalescer<TIn, TOut, R>* coalescer, std::atomic<std::int64_t>& lost) noexcept
      : admission_(admission), answering_(answering), coalescer_(coalescer), lost_(lost) {}

  /// The scheduler has handed a batch out to be run: `start(count)` is called with the number of its
  /// requests, before their room is given back.
  template <class Start>
  void dispatch(const Action& action, Start&& start) noexcept {
    std::size_t count = action.requests.count;
    std::size_t bytes = 0;
    const auto leave = [&](Item& request) {
      bytes += request.bytes;
      admission_.leave(room_of(request.held_flow), request.level, request.bytes);
      answering_.left_queue(request);
    };
    action.requests.each<RequestHeader>([&](RequestHeader& header) {
      if (header.shared) {
        count += coalescer_->board(static_cast<SharedWork&>(header), action.batch_id, leave) - 1;
        return;
      }
      auto& request = static_cast<Item&>(header);
      request.place = Place::gone;
      leave(request);
    });
    start(count);
    admission_.give_back(count, bytes);
  }

  /// Answers those who have been taken out of the queue, or of what they rode on.
  void fail(const RequestChain& requests, Outcome outcome) noexcept {
    requests.each<Item>([&](Item& request) {
      leave(request);
      if (outcome == Outcome::cancelled) {
        request.release();            // The cancellation's reference.
      } else if (!request.claim()) {  // A cancellation has won and is on its way here.
        lost_.fetch_add(1, std::memory_order_relaxed);
        request.release();
        return;
      }
      answer(request, outcome);
    });
  }

  /// The scheduler's action that fails requests.
  void perform(const Action& failing) noexcept {
    fail(coalescer_ == nullptr ? failing.requests : coalescer_->unfold(failing.requests),
         failing.outcome);
  }

  /// Has the scheduler evict others for a newcomer, and answers them: before the newcomer arrives, who might
  /// share the work of one of them, and before the inbox is looked at again, which may hold a cancellation.
  template <class Scheduler>
  bool evict(const Shortage& shortage, const Item& newcomer, Scheduler& scheduler,
             TimePoint now) noexcept {
    Tenant* const tenant = newcomer.flow == nullptr ? nullptr : newcomer.flow->tenant;
    if (!scheduler.evict(shortage.count, shortage.bytes, newcomer.priority, tenant)) return false;
    while (scheduler.leaving()) perform(scheduler.next(now));
    return true;
  }

  /// A request that shares a work has been cancelled. False if it was let go of before.
  template <class Scheduler, class States>
  bool cancel_shared(Item& request, Scheduler& scheduler, States& states) noexcept {
    const Seat left = coalescer_->leave(request, scheduler, states);
    if (left == Seat::none) return false;
    left == Seat::boarded ? answering_.taken_out() : leave(request);
    request.release();  // The cancellation's reference.
    answer(request, Outcome::cancelled);
    return true;
  }

  /// A cancellation has won, and whoever lost the claim has let go of the request.
  void answer_lost(Item& request) noexcept {
    lost_.fetch_sub(1, std::memory_order_relaxed);
    answer(request, Outcome::cancelled);
  }

 private:
  void leave(Item& request) noexcept {
    const bool rode = request.place == Place::riding;
    request.place = Place::gone;
    admission_.leave(room_of(request.held_flow), request.level, request.bytes);
    admission_.give_back(1, request.bytes);
    rode ? coalescer_->rode() : answering_.left_queue(request);
  }

  void answer(Item& request, Outcome outcome) noexcept {
    answering_.recorder().dispatcher().ended(outcome, request.classes());
    answering_.answer_unrun(request, outcome);
  }

  Admission& admission_;
  Answering<TIn, TOut, R>& answering_;
  Coalescer<TIn, TOut, R>* const coalescer_;
  std::atomic<std::int64_t>& lost_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DEPARTURES_HPP
