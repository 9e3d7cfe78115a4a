// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP
#define BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP

#include "request_header.hpp"

namespace batchwright::inline v0_1::detail {

/// A doubly linked list threaded through one hook of its requests. Every operation is O(1).
template <ListHook RequestHeader::*Hook>
class IntrusiveList {
 public:
  bool empty() const noexcept { return front_ == nullptr; }
  RequestHeader* front() const noexcept { return front_; }
  RequestHeader* back() const noexcept { return back_; }

  static RequestHeader* next(const RequestHeader& request) noexcept { return (request.*Hook).next; }
  static RequestHeader* previous(const RequestHeader& request) noexcept {
    return (request.*Hook).previous;
  }

  void push_back(RequestHeader& request) noexcept { insert_after(back_, request); }

  /// Puts `request` behind `position`, or to the front if that is null.
  void insert_after(RequestHeader* position, RequestHeader& request) noexcept {
    RequestHeader* const successor = position == nullptr ? front_ : (position->*Hook).next;
    (request.*Hook) = {position, successor};
    (position == nullptr ? front_ : (position->*Hook).next) = &request;
    (successor == nullptr ? back_ : (successor->*Hook).previous) = &request;
  }

  void erase(RequestHeader& request) noexcept {
    const ListHook hook = request.*Hook;
    (hook.previous == nullptr ? front_ : (hook.previous->*Hook).next) = hook.next;
    (hook.next == nullptr ? back_ : (hook.next->*Hook).previous) = hook.previous;
    (request.*Hook) = {};
  }

 private:
  RequestHeader* front_ = nullptr;
  RequestHeader* back_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP
