// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_WARM_UP_HPP
#define BATCHWRIGHT_DETAIL_WARM_UP_HPP

#include "../errors.hpp"
#include "../runtime.hpp"
#include "batch_state.hpp"
#include "predictor_forms.hpp"
#include "request.hpp"
#include "scheduler_limits.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Takes the answers of a batch that nobody asked for.
template <class TIn, class TOut, Runtime R>
class WarmUpSink final : public BatchSink<TIn, TOut> {
 public:
  explicit WarmUpSink(const R& runtime) noexcept : runtime_(runtime) {}

  void answer_all(BatchState<TIn, TOut>& state, ItemAnswers<TOut>& answers) noexcept override {
    answer_range(state, 0, state.items.size(), answers);
  }
  void answer_range(BatchState<TIn, TOut>& state, std::size_t begin, std::size_t end,
                    ItemAnswers<TOut>& answers) noexcept override {
    for (std::size_t index = begin; index < end; ++index) {
      guarded([&] { answer_item(state, index, answers(index)); },
              [&](std::exception_ptr error) {
                answer_item(state, index, Result<TOut>::failure(Outcome::failed, std::move(error)));
              });
    }
  }
  void answer_item(BatchState<TIn, TOut>& state, std::size_t index,
                   Result<TOut>&& result) noexcept override {
    if (!result && !failed_.exchange(true, std::memory_order_acq_rel)) error_ = result.error();
    Request<TIn, TOut>& item = *std::exchange(state.items[index], nullptr);
    item.drop_input();
    item.release();
  }
  void finish(BatchState<TIn, TOut>&) noexcept override {
    word_.store(1, std::memory_order_release);
    runtime_.unpark(word_, 1);
  }

  /// Blocks until a batch that was not finished by its call is.
  void wait() noexcept {
    while (word_.load(std::memory_order_acquire) == 0) runtime_.park(word_, 0, kNever);
  }

  /// Once the batch is finished: throws what one of the items failed with.
  void raise_failure() const {
    if (failed_.load(std::memory_order_acquire)) raise_outcome(Outcome::failed, error_);
  }

 private:
  [[no_unique_address]] R runtime_;
  std::atomic<std::uint32_t> word_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // Written by whoever set `failed_`.
};

/// Runs a predictor before its first request, at each size that it will see, so that what it does once
/// (allocate, compile, choose a kernel) is done by then.
template <class TIn, class TOut, Runtime R>
class WarmUp {
 public:
  using Item = Request<TIn, TOut>;
  using Runner = PredictorRunner<TIn, TOut>;

  /// The limits outlive it.
  WarmUp(const R& runtime, std::vector<std::function<TIn()>> inputs, const SchedulerLimits& limits)
      : runtime_(runtime), inputs_(std::move(inputs)), limits_(limits) {
    sizes_ = limits.allowed_sizes;
    if (sizes_.empty()) {
      sizes_ = limits.preferred_sizes;
      if (sizes_.empty() || sizes_.back() < limits.max_batch_size) {
        sizes_.push_back(limits.max_batch_size);
      }
    }
  }

  /// On the executor's thread. `read(request, input)` notes what the user's functions say of the input. Throws
  /// what the user's functions and the predictor throw.
  template <class Read>
  void operator()(Runner& runner, std::size_t executor, Read&& read) const {
    for (const auto& input : inputs_) {
      for (const std::size_t size : sizes_) run(runner, executor, size, input, read);
    }
  }

 private:
  template <class Read>
  void run(Runner& runner, std::size_t executor, std::size_t size,
           const std::function<TIn()>& input, Read& read) const {
    const auto sink = std::make_shared<WarmUpSink<TIn, TOut, R>>(runtime_);
    BatchState<TIn, TOut> state;
    state.limits = &limits_;
    state.info.executor = executor;
    state.info.stop = state.stop.get_token();
    with_undo([&] { fill(state, size, input, read); },
              [&] {
                for (Item* item : state.items) item->release();
              });
    state.info.lane_key = {};
    if (const HeldFlow* const flow = state.items.front()->held_flow; flow != nullptr) {
      state.info.lane_key = flow->owner->key_of(*flow);
    }
    if (!runner.run(*sink, state)) sink->wait();
    sink->raise_failure();
  }

  // As many as make up the size: at least one, and none that would pass it.
  template <class Read>
  void fill(BatchState<TIn, TOut>& state, std::size_t size, const std::function<TIn()>& input,
            Read& read) const {
    do {
      state.items.reserve(state.items.size() + 1);
      Item* const item = pool_new<Item>(input());
      state.items.push_back(item);
      read(*item, item->input());
      state.measure(0, state.items.size());
      if (state.info.size > size && state.items.size() > 1) {
        state.items.pop_back();
        item->release();
        break;
      }
    } while (state.info.size < size);
    state.measure(0, state.items.size());
    state.size = state.info.size;
  }

  [[no_unique_address]] R runtime_;
  const std::vector<std::function<TIn()>> inputs_;
  const SchedulerLimits& limits_;
  std::vector<std::size_t> sizes_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_WARM_UP_HPP
