// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP
#define BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP

namespace batchwright::inline v0_1::detail {

/// An element's place in one intrusive list. Null at both ends, and once it was erased; what it holds
/// before it was ever in the list is nobody's concern.
template <class T>
struct ListHook {
  T* previous;
  T* next;
};

template <class Hook>
struct HookOwner;
template <class T>
struct HookOwner<ListHook<T> T::*> {
  using type = T;
};

/// A doubly linked list threaded through one hook of its elements, given as a pointer to member. Every
/// operation is O(1).
template <auto Hook>
class IntrusiveList {
 public:
  using Element = typename HookOwner<decltype(Hook)>::type;

  bool empty() const noexcept { return front_ == nullptr; }
  Element* front() const noexcept { return front_; }
  Element* back() const noexcept { return back_; }

  static Element* next(const Element& element) noexcept { return (element.*Hook).next; }
  static Element* previous(const Element& element) noexcept { return (element.*Hook).previous; }

  void push_back(Element& element) noexcept { insert_after(back_, element); }

  /// Puts `element` behind `position`, or to the front if that is null.
  void insert_after(Element* position, Element& element) noexcept {
    Element* const successor = position == nullptr ? front_ : (position->*Hook).next;
    (element.*Hook) = {position, successor};
    (position == nullptr ? front_ : (position->*Hook).next) = &element;
    (successor == nullptr ? back_ : (successor->*Hook).previous) = &element;
  }

  void erase(Element& element) noexcept {
    const auto hook = element.*Hook;
    (hook.previous == nullptr ? front_ : (hook.previous->*Hook).next) = hook.next;
    (hook.next == nullptr ? back_ : (hook.next->*Hook).previous) = hook.previous;
    (element.*Hook) = {};
  }

  /// Takes out all from the first up to `last`, at the price of one. They keep what they hold.
  void erase_front(const Element& last) noexcept {
    front_ = (last.*Hook).next;
    (front_ == nullptr ? back_ : (front_->*Hook).previous) = nullptr;
  }

 private:
  Element* front_ = nullptr;
  Element* back_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INTRUSIVE_LIST_HPP
