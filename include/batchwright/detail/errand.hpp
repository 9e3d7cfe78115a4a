// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ERRAND_HPP
#define BATCHWRIGHT_DETAIL_ERRAND_HPP

#include "../runtime.hpp"
#include "batch_state.hpp"
#include "owned.hpp"

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace batchwright::inline v0_1::detail {

/// Something that an executor does between two batches, on its thread, with its predictor's runner at
/// hand. Lies on the stack of who sends it and waits for it. It travels as a batch does: by the
/// dispatcher, who keeps the executor free of batches for it, through the executor's mailbox.
template <class TIn, class TOut, Runtime R>
class Errand final : public ErrandBase<TIn, TOut> {
 public:
  using Runner = Owned<PredictorRunner<TIn, TOut>>;

  /// A function that is somebody else's, who keeps it until it has been called.
  class Work {
   public:
    template <class F>
      requires(!std::same_as<std::remove_const_t<F>, Work>)
    Work(F& function) noexcept  // NOLINT(google-explicit-constructor)
        : function_(&function), call_([](const void* work, std::size_t executor, Runner& runner) {
            (*static_cast<F*>(const_cast<void*>(work)))(executor, runner);
          }) {}

    void operator()(std::size_t executor, Runner& runner) const {
      call_(function_, executor, runner);
    }

   private:
    const void* function_;
    void (*call_)(const void*, std::size_t, Runner&);
  };

  /// `work` gets the executor and its runner. It must not throw.
  Errand(const R& runtime, std::size_t executor, Work work) : runtime_(runtime), work_(work) {
    state_.info.executor = executor;
    state_.errand = this;
  }
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  /// It gives the executor another predictor.
  Errand& replaces() noexcept {
    this->new_predictor = true;
    return *this;
  }

  BatchState<TIn, TOut>& state() noexcept { return state_; }

  /// Blocks until `work` has been called.
  void wait() noexcept {
    while (done_.load(std::memory_order_acquire) == 0) runtime_.park(done_, 0, kNever);
  }

  void run(Runner& runner) noexcept override {
    work_(state_.info.executor, runner);
    const R runtime = runtime_;
    std::atomic<std::uint32_t>& done = done_;
    done.store(1, std::memory_order_release);  // The errand may be gone from here on.
    runtime.unpark(done, 1);
  }

 private:
  [[no_unique_address]] R runtime_;
  const Work work_;
  BatchState<TIn, TOut> state_;
  std::atomic<std::uint32_t> done_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ERRAND_HPP
