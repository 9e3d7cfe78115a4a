// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_COMPLETION_TASK_HPP
#define BATCHWRIGHT_COMPLETION_TASK_HPP

#include "detail/pooled.hpp"

#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {
namespace detail {

/// What a CompletionTask runs, made before it is needed: an answer must not fail for want of memory.
struct CompletionWork {
  /// Called once. The object may be gone when it returns.
  virtual void run_and_delete() noexcept = 0;

 protected:
  ~CompletionWork() = default;
};

}  // namespace detail

/// A callback or a coroutine that is to continue with its answer. Movable, called once; destroyed
/// without having been called it runs then, because every accepted request is answered.
class CompletionTask {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, CompletionTask> &&
             !std::is_convertible_v<F, detail::CompletionWork*>)
  explicit CompletionTask(F&& function)
      : work_(detail::pool_new<Work<std::decay_t<F>>>(std::forward<F>(function))) {}

  /// Of work that exists already: for the batcher.
  explicit CompletionTask(detail::CompletionWork* work) noexcept : work_(work) {}

  CompletionTask(CompletionTask&& other) noexcept : work_(std::exchange(other.work_, nullptr)) {}
  CompletionTask& operator=(CompletionTask&& other) noexcept {
    CompletionTask(std::move(other)).swap(*this);
    return *this;
  }
  ~CompletionTask() { run(); }

  void operator()() noexcept { run(); }

 private:
  template <class F>
  struct Work final : detail::CompletionWork {
    template <class G>
    explicit Work(G&& g) : function(std::forward<G>(g)) {}
    void run_and_delete() noexcept override {
      function();
      detail::pool_delete(this);
    }
    F function;
  };

  void swap(CompletionTask& other) noexcept { std::swap(work_, other.work_); }

  void run() noexcept {
    if (work_ != nullptr) std::exchange(work_, nullptr)->run_and_delete();
  }

  detail::CompletionWork* work_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_COMPLETION_TASK_HPP
