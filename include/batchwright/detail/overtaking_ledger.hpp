// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP
#define BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP

#include "intrusive_list.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Counts, exactly and in O(1) per request, how often a queued request has been overtaken: once for
/// each request that was accepted later, dispatched earlier, and was not in its own batch.
///
/// The list holds what is queued in order of acceptance. `dispatched_behind` of a request counts the
/// dispatched ones that were accepted after it and before its successor in the list, so a request has
/// been overtaken as often as the sum of these counts from it to the end says. That sum falls along
/// the list: the first request always has the largest, and it alone needs to be watched.
class OvertakingLedger {
 public:
  /// The request that was accepted first; null if there is none.
  RequestHeader* first() const noexcept { return list_.front(); }

  /// How often `first()` has been overtaken.
  std::uint64_t overtakings_of_first() const noexcept { return total_; }

  void accept(RequestHeader& request) noexcept {
    request.dispatched_behind = 0;
    list_.push_back(request);
  }

  /// Takes a request out that is dispatched: those accepted before it have been overtaken once more.
  /// Members of one batch leave one by one; in whatever order, none of them is counted for another
  /// that leaves, and each is counted for all that stay.
  void dispatch(RequestHeader& request) noexcept { remove(request, 1); }

  /// Takes a request out that is not dispatched: nobody has been overtaken.
  void withdraw(RequestHeader& request) noexcept { remove(request, 0); }

 private:
  using List = IntrusiveList<&RequestHeader::by_acceptance>;

  void remove(RequestHeader& request, std::uint64_t dispatched) noexcept {
    RequestHeader* const predecessor = List::previous(request);
    if (predecessor == nullptr) {
      total_ -= request.dispatched_behind;
    } else {
      predecessor->dispatched_behind += request.dispatched_behind + dispatched;
      total_ += dispatched;
    }
    list_.erase(request);
  }

  List list_;
  std::uint64_t total_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP
