// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP
#define BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP

#include "pairing_heap.hpp"
#include "request_header.hpp"

#include <algorithm>

namespace batchwright::inline v0_1::detail {

/// Requests by the instant at which something becomes of them: they expire, or are delayed. Only those
/// are in it that have such an instant. Insertion is O(1), removal amortized O(log n).
class DeadlineHeap {
 public:
  /// The request whose instant comes first; null if there is none.
  RequestHeader* first() const noexcept { return heap_.first(); }

  TimePoint earliest() const noexcept { return heap_.empty() ? kNever : heap_.first()->due; }

  /// Whether the first instant has come.
  bool due(TimePoint now) const noexcept { return !heap_.empty() && heap_.first()->due <= now; }

  /// Finds out the request's instant. False if nothing becomes of it but to leave in a batch.
  static bool find_due(RequestHeader& request) noexcept {
    request.due = std::min(request.expires(), request.delayed ? kNever : request.delay_at);
    return request.due != kNever;
  }

  void insert(RequestHeader& request) noexcept {
    if (find_due(request)) heap_.insert(request);
  }

  void erase(RequestHeader& request) noexcept {
    if (request.due != kNever) heap_.erase(request);
  }

 private:
  // What is due at one instant is in the order of acceptance, so that expiries are answered in it.
  struct Before {
    bool operator()(const RequestHeader& a, const RequestHeader& b) const noexcept {
      return a.due != b.due ? a.due < b.due : a.sequence < b.sequence;
    }
  };

  PairingHeap<RequestHeader, &RequestHeader::by_due, Before> heap_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP
