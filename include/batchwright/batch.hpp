// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BATCH_HPP
#define BATCHWRIGHT_BATCH_HPP

#include "batch_info.hpp"
#include "detail/batch_state.hpp"
#include "errors.hpp"
#include "result.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

/// A batch that a predictor answers item by item, seeing the inputs where they lie; nothing is moved
/// or copied. A predictor that takes `Batch&` answers before it returns; one that takes `Batch` by
/// value owns it and may answer later, from any thread. What has not been answered when a batch is
/// destroyed fails with UnansweredError, so nobody hangs.
///
/// Thread safety: different items may be answered from different threads at the same time; each item
/// once. Answering runs the caller's completion: callbacks on this thread, unless `complete_on` is set.
/// Moving and destroying need the batch to oneself.
template <class TIn, class TOut>
class Batch {
 public:
  /// Made by the batcher alone.
  Batch(std::shared_ptr<detail::BatchSink<TIn, TOut>> sink,
        detail::BatchState<TIn, TOut>& state) noexcept
      : sink_(std::move(sink)), state_(&state), size_(state.items.size()), left_(0) {
    for (const auto* item : state.items) left_ += item != nullptr;
  }

  Batch(Batch&& other) noexcept
      : sink_(std::move(other.sink_)),
        state_(std::exchange(other.state_, nullptr)),
        size_(other.size_),
        left_(other.left_.exchange(0, std::memory_order_relaxed)) {}

  Batch& operator=(Batch&& other) noexcept {
    if (this != &other) {
      drop();
      sink_ = std::move(other.sink_);
      state_ = std::exchange(other.state_, nullptr);
      size_ = other.size_;
      left_.store(other.left_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
    }
    return *this;
  }

  ~Batch() { drop(); }

  /// Items in the batch, answered or not.
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Facts of the batch. Requires that not every item has been answered.
  const BatchInfo& info() const noexcept { return state_->info; }

  /// Whether the item still waits for its answer.
  bool pending(std::size_t index) const noexcept {
    return left_.load(std::memory_order_acquire) > 0 && index < size_ &&
           state_->items[index] != nullptr;
  }

  /// The input of an item that is pending. It is destroyed when the item is answered.
  TIn& input(std::size_t index) { return pending_item(index).input(); }

  /// Answers an item with a value. Throws std::out_of_range or std::logic_error if there is no such
  /// item or it has been answered, and what TOut's move constructor throws; the item is then pending
  /// as before.
  template <class Value = detail::Stored<TOut>>
    requires(!std::is_void_v<TOut>)
  void answer(std::size_t index, Value&& value) {
    pending_item(index);
    finish(index, Result<TOut>::success(std::forward<Value>(value)));
  }
  void answer(std::size_t index)
    requires std::is_void_v<TOut>
  {
    pending_item(index);
    finish(index, Result<TOut>::success({}));
  }

  /// Fails an item alone; its neighbours are not touched.
  void fail(std::size_t index, std::exception_ptr error) {
    pending_item(index);
    state_->failed.store(true, std::memory_order_relaxed);
    finish(index, Result<TOut>::failure(Outcome::failed, std::move(error)));
  }

  /// Fails every item that is pending.
  void fail_all(const std::exception_ptr& error) noexcept {
    if (left_.load(std::memory_order_acquire) == 0) return;
    state_->failed.store(true, std::memory_order_relaxed);
    for (std::size_t index = 0; index < size_ && left_.load(std::memory_order_acquire) > 0;
         ++index) {
      if (state_->items[index] == nullptr) continue;
      finish(index, Result<TOut>::failure(Outcome::failed, error));
    }
  }

 private:
  detail::Request<TIn, TOut>& pending_item(std::size_t index) {
    if (index >= size_) {
      detail::raise(std::out_of_range("Batch: index must be below size() " + std::to_string(size_) +
                                      ", got " + std::to_string(index)));
    }
    if (!pending(index)) {
      detail::raise(
          std::logic_error("Batch: item " + std::to_string(index) + " has been answered already"));
    }
    return *state_->items[index];
  }

  void finish(std::size_t index, Result<TOut>&& result) noexcept {
    sink_->answer_item(*state_, index, std::move(result));
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      // Nothing of the batch is touched after this: its memory serves the next one.
      const auto sink = std::exchange(sink_, nullptr);
      sink->finish(*std::exchange(state_, nullptr));
    }
  }

  void drop() noexcept {
    if (left_.load(std::memory_order_acquire) == 0) return;
    if (detail::PredictorCall::takes_back(sink_.get(), state_->info.batch_id)) {
      left_.store(0, std::memory_order_relaxed);
      return;
    }
    fail_all(detail::prepared_exception(Outcome::failed));
  }

  std::shared_ptr<detail::BatchSink<TIn, TOut>> sink_;
  detail::BatchState<TIn, TOut>* state_;
  std::size_t size_;
  std::atomic<std::size_t> left_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_BATCH_HPP
