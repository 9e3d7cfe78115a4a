// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ANSWER_ORDER_HPP
#define BATCHWRIGHT_DETAIL_ANSWER_ORDER_HPP

#include "../result.hpp"
#include "../runtime.hpp"
#include "batch_state.hpp"
#include "lock.hpp"
#include "request.hpp"

#include <cstddef>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Hears that the last of a batch's results has been given.
template <class TIn, class TOut>
class BatchEnd {
 public:
  virtual void given(BatchState<TIn, TOut>& state) noexcept = 0;

 protected:
  ~BatchEnd() = default;
};

/// Holds results back until all that was dispatched before them has been answered. What is answered
/// otherwise, because it expired, was cancelled or failed, holds no place.
///
/// The batches stand in a queue from their dispatch until their last result is given, and each keeps the
/// results that came too early. Whoever brings one gives all whose turn has come, his own and those of
/// others; while he gives them, outside of the lock, nobody else does, so their order is kept.
template <class TIn, class TOut, Runtime R>
class AnswerOrder {
 public:
  using Batch = BatchState<TIn, TOut>;
  using Item = Request<TIn, TOut>;

  explicit AnswerOrder(const R& runtime) : lock_(runtime) {}

  /// A batch is dispatched.
  void begin(Batch& batch) noexcept {
    const LockGuard guard(lock_);
    batch.next_in_order = nullptr;
    batch.entered = false;
    (last_ == nullptr ? first_ : last_->next_in_order) = &batch;
    last_ = &batch;
  }

  /// Its items are known now; without any it leaves. Afterwards call `give`.
  void enter(Batch& batch) noexcept {
    const LockGuard guard(lock_);
    if (batch.items.empty()) return leave(batch);
    batch.held.resize(batch.items.size());  // Reserved.
    batch.next_to_give = 0;
    batch.entered = true;
  }

  /// An item has its result. Afterwards call `give`.
  void hold(Batch& batch, std::size_t index, Item& item, Result<TOut>&& result) noexcept {
    const LockGuard guard(lock_);
    auto& held = batch.held[index];
    held.item = &item;
    held.done = true;
    deliver(held.result, std::move(result));
  }

  /// An item has been answered. Afterwards call `give`.
  void skip(Batch& batch, std::size_t index) noexcept {
    const LockGuard guard(lock_);
    batch.held[index].done = true;
  }

  /// `answer(batch, item, result)` is called for what is to be answered now, in order, and `end(batch)`
  /// after the last of a batch, which the order knows no more then.
  template <class Answer, class End>
  void give(Answer answer, End end) noexcept {
    lock_.lock();
    if (giving_) return lock_.unlock();  // That one looks again before it stops.
    giving_ = true;
    while (first_ != nullptr && first_->entered) {
      Batch& batch = *first_;
      if (batch.next_to_give == batch.held.size()) {
        leave(batch);
        batch.held.clear();
        lock_.unlock();
        end(batch);
        lock_.lock();
        continue;
      }
      auto& held = batch.held[batch.next_to_give];
      if (!held.done) break;
      ++batch.next_to_give;
      if (held.item == nullptr) continue;
      lock_.unlock();
      answer(batch, *held.item, std::move(*held.result));
      lock_.lock();
    }
    giving_ = false;
    lock_.unlock();
  }

 private:
  // O(batches in flight), O(1) for the first.
  void leave(Batch& batch) noexcept {
    Batch* previous = nullptr;
    for (Batch* one = first_; one != &batch; one = one->next_in_order) previous = one;
    (previous == nullptr ? first_ : previous->next_in_order) = batch.next_in_order;
    if (last_ == &batch) last_ = previous;
  }

  Lock<R> lock_;
  // Guarded by lock_.
  Batch* first_ = nullptr;
  Batch* last_ = nullptr;
  bool giving_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ANSWER_ORDER_HPP
