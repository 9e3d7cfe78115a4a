// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ROLE_BORROWER_HPP
#define BATCHWRIGHT_DETAIL_ROLE_BORROWER_HPP

#include "deferred_wakes.hpp"
#include "handed.hpp"
#include "loan.hpp"

#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// The dispatcher's part on threads that were lent its role, see Intake. Batches for executors are put
/// where those look when the role has been given back: whom that wakes may take this thread's core.
template <class Dispatcher, class Intake>
class RoleBorrower {
 public:
  using Batch = typename Dispatcher::Batch;

  RoleBorrower(Dispatcher& dispatcher, Intake& intake) noexcept
      : dispatcher_(dispatcher), intake_(intake) {}

  /// From an executor: its call has returned, and `finished` is its batch, or null if that is not
  /// finished yet. If the dispatcher sleeps the executor takes its part. Returns the executor's own next
  /// batch, if there is one at once; `put` hands batches to other executors. Of `wakes` it leaves what the
  /// caller has to see to: nothing, if the dispatcher does while the next batch runs.
  template <class Put>
  Batch* report(Batch* finished, std::size_t executor, WakeList& wakes, Put&& put) noexcept {
    if (wakes.size() == 1) wakes.wake_all();  // Leaving it to another would cost as much.
    if (!intake_.push_finished_and_borrow(finished, executor)) return nullptr;
    return act_for(executor, wakes, put);
  }

  /// With the role, on the thread of an executor that is free. As `report`.
  template <class Put>
  Batch* act_for(std::size_t executor, WakeList& wakes, Put&& put) noexcept {
    return act(
        Lent::role, [=](const Batch& one) { return one.info.executor == executor && !one.errand; },
        &wakes, put);
  }

  /// As `act_for`: what `takes` says of a batch is whether it is returned; of one at most.
  template <class Takes, class Put>
  Batch* act(Lent lent, Takes&& takes, WakeList* wakes, Put&& put) noexcept {
    Batch* next = nullptr;
    Handed<Batch> others;
    const auto execute = [&](Batch& batch) {
      if (takes(batch)) {
        next = &batch;
      } else {
        others.append(batch);
      }
      return false;
    };
    for (;;) {
      const auto wish =
          lent == Lent::look ? dispatcher_.short_round(true, execute) : dispatcher_.round(execute);
      lent = Lent::role;
      const bool hand_over = next != nullptr || dispatcher_.closes();
      if (dispatcher_.give_back(wish, hand_over, next != nullptr ? wakes : nullptr)) break;
    }
    others.each(put);
    return next;
  }

  /// With `Lent::look`, from a thread that submits, where nobody may be answered.
  template <class Put>
  void dispatch_arrivals(Put&& put) noexcept {
    Handed<Batch> batches;
    const auto wish = dispatcher_.short_round(false, [&](Batch& batch) {
      batches.append(batch);
      return false;
    });
    dispatcher_.give_back(wish, true, nullptr);
    batches.each(put);
  }

 private:
  Dispatcher& dispatcher_;
  Intake& intake_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ROLE_BORROWER_HPP
