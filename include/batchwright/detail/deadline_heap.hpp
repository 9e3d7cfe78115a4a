// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP
#define BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP

#include "request_header.hpp"

namespace batchwright::inline v0_1::detail {

/// Requests by deadline: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan 1986) through the
/// requests themselves, so it never allocates and cannot fail. Insertion is O(1), removal of any
/// request amortized O(log n). Only requests that have a deadline are in it.
class DeadlineHeap {
 public:
  /// The request whose deadline comes first; null if there is none.
  RequestHeader* first() const noexcept { return root_; }

  TimePoint earliest() const noexcept { return root_ == nullptr ? kNever : root_->deadline; }

  /// Whether the first deadline has come.
  bool due(TimePoint now) const noexcept { return root_ != nullptr && root_->deadline <= now; }

  void insert(RequestHeader& request) noexcept {
    if (request.deadline == kNever) return;
    request.heap_child = request.heap_next = request.heap_previous = nullptr;
    root_ = root_ == nullptr ? &request : link(root_, &request);
  }

  void erase(RequestHeader& request) noexcept {
    if (request.deadline == kNever) return;
    RequestHeader* const below = combine(request.heap_child);
    if (&request == root_) {
      root_ = below;
    } else {
      unlink(request);
      if (below != nullptr) root_ = link(root_, below);
    }
    request.heap_child = request.heap_next = request.heap_previous = nullptr;
  }

 private:
  // Makes the later of two roots the first child of the earlier one. Equal deadlines keep the order of
  // acceptance, so that expiries are answered in it.
  static RequestHeader* link(RequestHeader* a, RequestHeader* b) noexcept {
    if (before(*b, *a)) {
      RequestHeader* const swap = a;
      a = b;
      b = swap;
    }
    b->heap_previous = a;
    b->heap_next = a->heap_child;
    if (a->heap_child != nullptr) a->heap_child->heap_previous = b;
    a->heap_child = b;
    return a;
  }

  static bool before(const RequestHeader& a, const RequestHeader& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }

  static void unlink(RequestHeader& request) noexcept {
    RequestHeader* const previous = request.heap_previous;
    (previous->heap_child == &request ? previous->heap_child : previous->heap_next) =
        request.heap_next;
    if (request.heap_next != nullptr) request.heap_next->heap_previous = previous;
  }

  // The two passes of a pairing heap over a list of siblings: link them pairwise from the left, then
  // all pairs from the right. Iterative: a chain of a million deadlines must not use the stack.
  static RequestHeader* combine(RequestHeader* sibling) noexcept {
    RequestHeader* pairs = nullptr;
    while (sibling != nullptr) {
      RequestHeader* const first = sibling;
      RequestHeader* const second = first->heap_next;
      sibling = second == nullptr ? nullptr : second->heap_next;
      first->heap_next = first->heap_previous = nullptr;
      RequestHeader* pair = first;
      if (second != nullptr) {
        second->heap_next = second->heap_previous = nullptr;
        pair = link(first, second);
      }
      pair->heap_next = pairs;
      pairs = pair;
    }
    RequestHeader* root = nullptr;
    while (pairs != nullptr) {
      RequestHeader* const next = pairs->heap_next;
      pairs->heap_next = nullptr;
      root = root == nullptr ? pairs : link(root, pairs);
      pairs = next;
    }
    return root;
  }

  RequestHeader* root_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DEADLINE_HEAP_HPP
