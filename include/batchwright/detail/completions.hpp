// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_COMPLETIONS_HPP
#define BATCHWRIGHT_DETAIL_COMPLETIONS_HPP

#include "../completion_task.hpp"
#include "../errors.hpp"
#include "../result.hpp"
#include "deferred_wakes.hpp"
#include "pooled.hpp"

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1::detail {

// How an answer reaches a future, and a callback that is posted. All memory is had at the submission,
// which can fail, so that the answer cannot.

#if BATCHWRIGHT_HAS_EXCEPTIONS
/// A promise whose state lies in a pool. Throws std::bad_alloc.
template <class TOut>
std::promise<TOut> make_promise() {
  return std::promise<TOut>(std::allocator_arg, PoolAllocator<std::byte>());
}

/// Answers a future. Given up unanswered, by a submission that failed, it uses an exception that exists
/// already: the one that a broken std::promise makes for itself needs memory, inside a destructor.
template <class TOut>
class FutureAnswer {
 public:
  explicit FutureAnswer(std::promise<TOut>&& promise) noexcept : promise_(std::move(promise)) {}
  FutureAnswer(FutureAnswer&& other) noexcept
      : promise_(std::move(other.promise_)), open_(std::exchange(other.open_, false)) {}
  ~FutureAnswer() {
    if (open_) promise_.set_exception(prepared_exception(Outcome::stopped));
  }

  void operator()(Result<TOut>&& result) {
    open_ = false;
    if (!result) {
      promise_.set_exception(result.error() ? result.error()
                                            : prepared_exception(result.outcome()));
    } else if constexpr (std::is_void_v<TOut>) {
      promise_.set_value();
    } else {
      guarded([&] { promise_.set_value(std::move(*result)); },
              [&](std::exception_ptr error) { promise_.set_exception(error); });
    }
  }

 private:
  std::promise<TOut> promise_;
  bool open_ = true;
};
#endif

/// Posts a callback together with its answer.
template <class TOut, class Callback>
class PostedAnswer {
 public:
  template <class C>
  PostedAnswer(const std::function<void(CompletionTask)>& post, C&& callback)
      : post_(&post), work_(pool_new<Work>(std::forward<C>(callback))) {}
  PostedAnswer(PostedAnswer&& other) noexcept
      : post_(other.post_), work_(std::exchange(other.work_, nullptr)) {}
  ~PostedAnswer() {
    if (work_ != nullptr) pool_delete(work_);
  }

  void operator()(Result<TOut>&& result) noexcept {
    const PromptWakes prompt;
    deliver(work_->result, std::move(result));
    (*post_)(CompletionTask(std::exchange(work_, nullptr)));
  }

 private:
  struct Work final : CompletionWork {
    template <class C>
    explicit Work(C&& c) : callback(std::forward<C>(c)) {}
    void run_and_delete() noexcept override {
      callback(std::move(*result));
      pool_delete(this);
    }
    Callback callback;
    std::optional<Result<TOut>> result;
  };

  const std::function<void(CompletionTask)>* post_;
  Work* work_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_COMPLETIONS_HPP
