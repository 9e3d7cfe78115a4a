// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ERRAND_DESK_HPP
#define BATCHWRIGHT_DETAIL_ERRAND_DESK_HPP

#include "leases.hpp"

#include <cstddef>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Errands that wait until their executors have finished what they were given. The dispatcher's.
template <class Batch>
class ErrandDesk {
 public:
  bool empty() const noexcept { return first_ == nullptr; }

  /// Takes a list of errands over. Their executors get no batch any more.
  template <class Scheduler>
  void enter(Batch* errands, Scheduler& scheduler, Leases& leases) noexcept {
    while (errands != nullptr) {
      Batch& errand = *std::exchange(errands, errands->next);
      scheduler.executors().reserve(errand.info.executor);
      leases.bar(errand.info.executor, true);
      errand.next = std::exchange(first_, &errand);
    }
  }

  /// Has those performed whose executors are ready. True, and it stops, if `execute(errand)` is.
  template <class Scheduler, class Execute>
  bool serve(Scheduler& scheduler, Execute execute) noexcept {
    for (Batch** place = &first_; *place != nullptr;) {
      Batch& errand = **place;
      if (scheduler.begin_errand(errand.info.executor, errand.errand->new_predictor)) {
        *place = errand.next;
        if (execute(errand)) return true;
      } else {
        place = &errand.next;
      }
    }
    return false;
  }

 private:
  Batch* first_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ERRAND_DESK_HPP
