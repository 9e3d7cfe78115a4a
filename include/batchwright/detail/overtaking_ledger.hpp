// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP
#define BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP

#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Counts, exactly and in O(1) per request, how often the queued requests of one tenant have been
/// overtaken: once for each request that was accepted later, dispatched earlier, and was not in its own
/// batch.
///
/// The list holds what is queued in order of acceptance. `dispatched_behind` of a request counts the
/// dispatched ones that were accepted after it and before its successor in the list, so a request has
/// been overtaken as often as the sum of these counts from it to the end says. That sum falls along the
/// list: those at the bound are the beginning of it, and the first that is not there yet is the only
/// one that needs to be watched.
class OvertakingLedger {
 public:
  bool empty() const noexcept { return list_.empty(); }

  /// The request that was accepted first; null if there is none.
  RequestHeader* first() const noexcept { return list_.front(); }
  static RequestHeader* next(const RequestHeader& request) noexcept { return List::next(request); }

  /// The first one that is not at the bound, and how often it has been overtaken.
  const RequestHeader* watched() const noexcept { return watched_; }
  std::uint64_t overtakings() const noexcept { return overtakings_; }

  /// Needs the request's sequence, larger than those before.
  void accept(RequestHeader& request) noexcept {
    request.dispatched_behind = 0;
    list_.push_back(request);
    if (watched_ == nullptr) watched_ = &request;
  }

  /// Takes a request out that is dispatched: those accepted before it have been overtaken once more.
  /// Members of one batch leave one by one; in whatever order, none of them is counted for another
  /// that leaves, and each is counted for all that stay.
  void dispatch(RequestHeader& request) noexcept { remove(request, 1); }

  /// As `dispatch` of all from the first up to `last`: nobody has been overtaken.
  void dispatch_front(const RequestHeader& last) noexcept {
    if (watched_ != nullptr && watched_->sequence <= last.sequence) {
      for (const RequestHeader* one = watched_; overtakings_ > 0; one = List::next(*one)) {
        overtakings_ -= one->dispatched_behind;
        if (one == &last) break;
      }
      watched_ = List::next(last);
    }
    list_.erase_front(last);
  }

  /// Takes a request out that is not dispatched: nobody has been overtaken.
  void withdraw(RequestHeader& request) noexcept { remove(request, 0); }

  /// To be called when a batch has left: gives `reached` each request that has been overtaken `bound`
  /// times and was not given before, in order of acceptance.
  template <class Reached>
  void settle(std::uint64_t bound, Reached&& reached) noexcept {
    while (watched_ != nullptr && overtakings_ >= bound) {
      RequestHeader& request = *watched_;
      overtakings_ -= request.dispatched_behind;
      watched_ = List::next(request);
      reached(request);
    }
  }

 private:
  using List = IntrusiveList<&RequestHeader::by_acceptance>;

  void remove(RequestHeader& request, std::uint64_t dispatched) noexcept {
    const bool watched = &request == watched_;
    if (watched) {
      overtakings_ -= request.dispatched_behind;
      watched_ = List::next(request);
    } else if (watched_ != nullptr && request.sequence > watched_->sequence) {
      overtakings_ += dispatched;
    }
    if (RequestHeader* const predecessor = List::previous(request); predecessor != nullptr) {
      predecessor->dispatched_behind += request.dispatched_behind + dispatched;
    }
    list_.erase(request);
  }

  List list_;
  RequestHeader* watched_ = nullptr;  // The first that is not at the bound,
  std::uint64_t overtakings_ = 0;     // and how often it has been overtaken.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_OVERTAKING_LEDGER_HPP
