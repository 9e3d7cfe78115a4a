// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PAIRING_HEAP_HPP
#define BATCHWRIGHT_DETAIL_PAIRING_HEAP_HPP

#include <utility>

namespace batchwright::inline v0_1::detail {

/// An element's links in one pairing heap. `previous` is the parent for a first child.
template <class T>
struct HeapHook {
  T* child;
  T* next;
  T* previous;
};

/// A pairing heap (Fredman, Sedgewick, Sleator and Tarjan 1986) threaded through one hook of its
/// elements, so it never allocates and cannot fail. `Before{}(a, b)` is the order; it must not change
/// for elements inside. Insertion is O(1), removal of any element amortized O(log n).
template <class T, HeapHook<T> T::*Hook, class Before>
class PairingHeap {
 public:
  bool empty() const noexcept { return root_ == nullptr; }

  /// The one before all others; null if there is none.
  T* first() const noexcept { return root_; }

  void insert(T& element) noexcept {
    (element.*Hook) = {};
    root_ = root_ == nullptr ? &element : link(root_, &element);
  }

  void erase(T& element) noexcept {
    T* const below = combine((element.*Hook).child);
    if (&element == root_) {
      root_ = below;
    } else {
      unlink(element);
      if (below != nullptr) root_ = link(root_, below);
    }
    (element.*Hook) = {};
  }

  /// `change` gives an element another place in the order.
  template <class Change>
  void move(T& element, Change&& change) noexcept {
    if (&element == root_ && (element.*Hook).child == nullptr) return change();  // It is alone.
    erase(element);
    change();
    insert(element);
  }

 private:
  // Makes the later of two roots the first child of the earlier one.
  static T* link(T* a, T* b) noexcept {
    if (Before{}(*b, *a)) std::swap(a, b);
    (b->*Hook).previous = a;
    (b->*Hook).next = (a->*Hook).child;
    if ((a->*Hook).child != nullptr) ((a->*Hook).child->*Hook).previous = b;
    (a->*Hook).child = b;
    return a;
  }

  static void unlink(T& element) noexcept {
    const HeapHook<T> hook = element.*Hook;
    HeapHook<T>& previous = hook.previous->*Hook;
    (previous.child == &element ? previous.child : previous.next) = hook.next;
    if (hook.next != nullptr) (hook.next->*Hook).previous = hook.previous;
  }

  // The two passes of a pairing heap over a list of siblings: link them pairwise from the left, then
  // all pairs from the right. Iterative: a chain of a million must not use the stack.
  static T* combine(T* sibling) noexcept {
    T* pairs = nullptr;
    while (sibling != nullptr) {
      T* const first = sibling;
      T* const second = (first->*Hook).next;
      sibling = second == nullptr ? nullptr : (second->*Hook).next;
      (first->*Hook).next = (first->*Hook).previous = nullptr;
      T* pair = first;
      if (second != nullptr) {
        (second->*Hook).next = (second->*Hook).previous = nullptr;
        pair = link(first, second);
      }
      (pair->*Hook).next = pairs;
      pairs = pair;
    }
    T* root = nullptr;
    while (pairs != nullptr) {
      T* const next = (pairs->*Hook).next;
      (pairs->*Hook).next = nullptr;
      root = root == nullptr ? pairs : link(root, pairs);
      pairs = next;
    }
    return root;
  }

  T* root_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PAIRING_HEAP_HPP
