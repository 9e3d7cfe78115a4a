// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ERRAND_HPP
#define BATCHWRIGHT_DETAIL_ERRAND_HPP

#include "../runtime.hpp"
#include "batch_state.hpp"
#include "owned.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Something that an executor does between two batches, on its thread, with its predictor's runner at
/// hand. Lies on the stack of who sends it and waits for it. It travels as a batch does: by the
/// dispatcher, who keeps the executor free of batches for it, through the executor's mailbox.
template <class TIn, class TOut, Runtime R>
class Errand final : public ErrandBase<TIn, TOut> {
 public:
  using Runner = Owned<PredictorRunner<TIn, TOut>>;

  /// `work` gets the executor's runner. It must not throw.
  Errand(const R& runtime, std::size_t executor, std::function<void(Runner&)> work)
      : runtime_(runtime), work_(std::move(work)) {
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
    work_(runner);
    const R runtime = runtime_;
    std::atomic<std::uint32_t>& done = done_;
    done.store(1, std::memory_order_release);  // The errand may be gone from here on.
    runtime.unpark(done, 1);
  }

 private:
  [[no_unique_address]] R runtime_;
  const std::function<void(Runner&)> work_;
  BatchState<TIn, TOut> state_;
  std::atomic<std::uint32_t> done_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ERRAND_HPP
