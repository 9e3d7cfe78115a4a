// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SHARED_WORK_HPP
#define BATCHWRIGHT_DETAIL_SHARED_WORK_HPP

#include "intrusive_list.hpp"
#include "pairing_heap.hpp"
#include "request.hpp"
#include "request_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// One computation and the requests that share it. In the scheduler it stands for all of them, with the
/// age of the first and the rank of the most urgent.
struct SharedWork : RequestHeader {
  using Members = IntrusiveList<&RequestHeader::by_rank>;

  SharedKey* key = nullptr;  // Null without members: they hold it.
  Members members;           // In the order in which they came.
  std::size_t wanted = 0;    // Members, but for those who entered and were cancelled too late.
  Urgency urgency;           // What its rank is to be made of.

  // Once dispatched. `deadline` is then the latest of those who want it.
  bool dispatched = false;
  std::uint64_t batch_id = 0;
  ListHook<SharedWork> in_dispatched{};

  struct MoreUrgent {
    bool operator()(const RequestHeader& a, const RequestHeader& b) const noexcept {
      return a.priority != b.priority ? a.priority > b.priority : a.deadline < b.deadline;
    }
  };
  PairingHeap<RequestHeader, &RequestHeader::by_length, MoreUrgent>
      by_urgency;  // Until the dispatch.

  static RequestBase& member(RequestHeader& header) noexcept {
    return static_cast<RequestBase&>(header);
  }

  /// Looks at its members again. True if their urgency has changed.
  bool lifted() noexcept {
    const RequestHeader& most = *by_urgency.first();
    if (most.priority == urgency.priority && most.deadline == urgency.deadline &&
        urgency.delay_at == delay_at) {
      return false;
    }
    urgency.priority = most.priority;
    urgency.deadline = most.deadline;
    return true;
  }

  TimePoint latest_deadline() const noexcept {
    TimePoint last = TimePoint::min();
    for (RequestHeader* one = members.front(); one != nullptr && last != kNever;
         one = Members::next(*one)) {
      if (member(*one).seat != Seat::unwanted) last = std::max(last, one->deadline);
    }
    return last;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SHARED_WORK_HPP
