// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ISOLATING_RUNNER_HPP
#define BATCHWRIGHT_DETAIL_ISOLATING_RUNNER_HPP

#include "../errors.hpp"
#include "../isolating.hpp"
#include "batch_state.hpp"
#include "bisector.hpp"
#include "contiguous_buffer.hpp"
#include "predictor_forms.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The forms over const spans, where a batch that fails is run again in parts. Each part is answered
/// as soon as it is settled; its inputs are gone then, those behind it stay where they are.
template <class TIn, class TOut, class F>
class IsolatingRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit IsolatingRunner(IsolatingPredictor<F>& isolating)
      : call_(isolating.predictor), max_extra_(isolating.options.max_extra_executions) {}

  bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept override {
    std::exception_ptr error;
    if (guarded([&] { gather(state, inputs_); },
                [&](std::exception_ptr thrown) { error = std::move(thrown); })) {
      run_parts(sink, state);
    } else {  // Inputs that could not be moved are none to run.
      fail_gathered(sink, state, inputs_, error);
    }
    return true;
  }

 private:
  void run_parts(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept {
    std::exception_ptr error;
    for (Bisector bisector(state.items.size(), max_extra_); !bisector.part().empty();) {
      const ItemRange part = bisector.part();
      if (bisector.executions() > 0) {
        if (bisector.exhausted() || state.info.stop.stop_requested()) {
          fail(sink, state, bisector.rest(), error);
          break;
        }
        state.info.attempt = bisector.executions() + 1;
        state.measure(part.begin, part.end);
      }
      if (run_part(sink, state, part, error)) {
        bisector.succeeded();
      } else if (bisector.failed()) {
        fail(sink, state, part, error);
      }
    }
    call_.clear();
  }

  // False, with the error, if the part failed. Otherwise it has been answered.
  bool run_part(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, ItemRange part,
                std::exception_ptr& error) noexcept {
    bool good = false;
    guarded(
        [&] {
          good = call_(state.info, inputs_.rows().first(part.size()), error,
                       [&](auto make) { answer(sink, state, part, std::move(make)); });
        },
        [&](std::exception_ptr thrown) { error = std::move(thrown); });
    return good;
  }

  void fail(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, ItemRange range,
            const std::exception_ptr& error) noexcept {
    state.failed.store(true, std::memory_order_relaxed);
    answer(sink, state, range,
           [&](std::size_t) { return Result<TOut>::failure(Outcome::failed, error); });
  }

  // `make` counts from the beginning of the range.
  template <class Make>
  void answer(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, ItemRange range,
              Make make) noexcept {
    inputs_.drop_front(range.size());
    if (range.size() == state.items.size()) {
      answer_with(sink, state, std::move(make));
      return;
    }
    const auto shifted = [&](std::size_t index) { return make(index - range.begin); };
    AnswersFrom<TOut, decltype(shifted)> answers(shifted);
    if (range.end == state.items.size()) {
      sink.answer_range(state, range.begin, range.end, answers);
      return;
    }
    // The rest is to be given up when nobody waits for that, so it has to be known who is answered.
    RequestBase* told = nullptr;
    for (std::size_t i = range.begin; i < range.end; ++i) {
      RequestBase& item = *state.items[i];
      if (item.begin_answered()) item.next_cancelled = std::exchange(told, &item);
    }
    sink.answer_range(state, range.begin, range.end, answers);
    while (told != nullptr) std::exchange(told, told->next_cancelled)->post_answered();
  }

  SpanCall<TIn, TOut, F> call_;
  const std::size_t max_extra_;
  ContiguousBuffer<TIn> inputs_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ISOLATING_RUNNER_HPP
