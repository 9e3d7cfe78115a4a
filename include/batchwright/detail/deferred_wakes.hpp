// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DEFERRED_WAKES_HPP
#define BATCHWRIGHT_DETAIL_DEFERRED_WAKES_HPP

#include <cstddef>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// A waiting caller whose answer is there and who has not been woken yet.
class DeferredWake {
 public:
  virtual void wake() noexcept = 0;

 protected:
  ~DeferredWake() = default;

 private:
  friend class WakeList;
  DeferredWake* next_ = nullptr;
};

/// Callers to be woken, in the order in which they were answered.
class WakeList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

  void append(DeferredWake& wake) noexcept {
    wake.next_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_) = &wake;
    last_ = &wake;
    ++size_;
  }

  /// What is on the list, which is empty then.
  WakeList take() noexcept { return std::exchange(*this, WakeList()); }

  void wake_all() noexcept {
    while (first_ != nullptr) std::exchange(first_, first_->next_)->wake();
    last_ = nullptr;
    size_ = 0;
  }

 private:
  DeferredWake* first_ = nullptr;
  DeferredWake* last_ = nullptr;
  std::size_t size_ = 0;
};

/// While it lives, callers whose answers this thread gives are not woken: their answers are there, and
/// who looks finds them, but the wakes come at the end. A wake costs more than an answer, and who is
/// woken by the first answer of a batch takes that one and sleeps again for the next.
/// No user code may run on this thread before the wakes that precede it, unless another thread is to
/// give them: it may depend on those who wait. (Destructors of values that were moved from may.)
class DeferredWakes {
 public:
  /// Begins with what an earlier one has left.
  explicit DeferredWakes(WakeList wakes = {}) noexcept
      : wakes_(wakes), outer_(std::exchange(current_, this)) {}
  DeferredWakes(const DeferredWakes&) = delete;
  DeferredWakes& operator=(const DeferredWakes&) = delete;
  ~DeferredWakes() {
    wakes_.wake_all();
    current_ = outer_;
  }

  /// Those who still have to be woken. Who takes them off the list sees to it.
  WakeList& list() noexcept { return wakes_; }

  /// True if the wake will come later.
  static bool take(DeferredWake& wake) noexcept {
    if (current_ == nullptr) return false;
    current_->wakes_.append(wake);
    return true;
  }

 private:
  friend class PromptWakes;

  static inline thread_local DeferredWakes* current_ = nullptr;

  WakeList wakes_;
  DeferredWakes* outer_;
};

/// While it lives, user code runs: what this thread has deferred is woken before, and what that code answers is
/// woken at once, because it may wait for those whom it has answered.
class PromptWakes {
 public:
  PromptWakes() noexcept : outer_(std::exchange(DeferredWakes::current_, nullptr)) {
    for (DeferredWakes* wakes = outer_; wakes != nullptr; wakes = wakes->outer_)
      wakes->wakes_.wake_all();
  }
  PromptWakes(const PromptWakes&) = delete;
  PromptWakes& operator=(const PromptWakes&) = delete;
  ~PromptWakes() { DeferredWakes::current_ = outer_; }

 private:
  DeferredWakes* outer_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DEFERRED_WAKES_HPP
