// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AGE_LIST_HPP
#define BATCHWRIGHT_DETAIL_AGE_LIST_HPP

#include "intrusive_list.hpp"
#include "request_header.hpp"

namespace batchwright::inline v0_1::detail {

/// Requests by enqueue time. Callers stamp that time before they are admitted, so requests come
/// nearly, not exactly, in its order: an insertion walks back over those with later stamps, which is
/// about as many as there are threads in `submit` at one time.
class AgeList {
 public:
  bool empty() const noexcept { return list_.empty(); }
  TimePoint oldest() const noexcept { return list_.front()->enqueued; }
  TimePoint newest() const noexcept { return list_.back()->enqueued; }

  /// True if it is the first now.
  bool insert(RequestHeader& request) noexcept {
    RequestHeader* position = list_.back();
    while (position != nullptr && position->enqueued > request.enqueued) {
      position = List::previous(*position);
    }
    list_.insert_after(position, request);
    return position == nullptr;
  }

  void erase(RequestHeader& request) noexcept { list_.erase(request); }
  void erase_front(const RequestHeader& last) noexcept { list_.erase_front(last); }

  /// Of several that came at one instant the first accepted.
  const RequestHeader* first() const noexcept { return list_.front(); }
  static const RequestHeader* next(const RequestHeader& request) noexcept {
    return List::next(request);
  }

 private:
  using List = IntrusiveList<&RequestHeader::by_age>;
  List list_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AGE_LIST_HPP
