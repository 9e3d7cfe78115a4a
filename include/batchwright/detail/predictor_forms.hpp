// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP
#define BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP

#include "../errors.hpp"
#include "../predictor.hpp"
#include "contiguous_buffer.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Runs batches on one executor, whatever form the user's predictor has. All answers of a batch go to
/// the sink; nothing is thrown.
template <class TIn, class TOut>
class PredictorRunner {
 public:
  virtual ~PredictorRunner() = default;
  /// True if the batch is finished when this returns; otherwise the state may be in use elsewhere.
  virtual bool run(const std::shared_ptr<BatchSink<TIn, TOut>>& sink,
                   BatchState<TIn, TOut>& state) noexcept = 0;
};

template <class TOut, class Make>
class AnswersFrom final : public ItemAnswers<TOut> {
 public:
  explicit AnswersFrom(Make make) : make_(std::move(make)) {}
  Result<TOut> operator()(std::size_t index) override { return make_(index); }

 private:
  Make make_;
};

template <class TIn, class TOut>
void fail_all(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state,
              const std::exception_ptr& error) noexcept {
  state.failed.store(true, std::memory_order_relaxed);
  const auto make = [&](std::size_t) { return Result<TOut>::failure(Outcome::failed, error); };
  AnswersFrom<TOut, decltype(make)> answers(make);
  sink.answer_all(state, answers);
}

/// The two forms over spans: the inputs are moved together, and gone before anybody is answered.
template <class TIn, class TOut, class F>
class SpanRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit SpanRunner(F& predictor) : predictor_(predictor) {}

  bool run(const std::shared_ptr<BatchSink<TIn, TOut>>& sink,
           BatchState<TIn, TOut>& state) noexcept override {
    std::exception_ptr error;
    bool good = false;
    guarded(
        [&] {
          gather(state);
          good = predict(*sink, state, error);
        },
        [&](std::exception_ptr thrown) { error = std::move(thrown); });
    inputs_.clear();
    if (!good) {
      for (auto* item : state.items) item->drop_input();
      fail_all(*sink, state, error);
    }
    outputs_.clear();
    return true;
  }

 private:
  static constexpr bool kWrites = writes_results<F, TIn, TOut>();

  void gather(BatchState<TIn, TOut>& state) {
    inputs_.reserve(state.items.size());
    for (auto* item : state.items) {
      inputs_.emplace_back(std::move(item->input()));
      item->drop_input();
    }
  }

  // False, with the error, if the results cannot be matched to the inputs.
  bool predict(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state,
               [[maybe_unused]] std::exception_ptr& error) {
    if constexpr (kWrites) {
      const std::size_t count = state.items.size();
      outputs_.reserve(count);
      for (std::size_t row = 0; row < count; ++row) outputs_.emplace_back();
      call_predictor(predictor_, state.info, InputSpan<F, TIn, std::span<TOut>>(inputs_.rows()),
                     outputs_.rows());
      answer(sink, state, outputs_.rows());
    } else if constexpr (std::is_void_v<TOut>) {
      call_predictor(predictor_, state.info, InputSpan<F, TIn>(inputs_.rows()));
      inputs_.clear();
      answer_with(sink, state, [](std::size_t) { return Result<void>::success({}); });
    } else {
      std::vector<TOut> results =
          call_predictor(predictor_, state.info, InputSpan<F, TIn>(inputs_.rows()));
      if (results.size() != state.items.size()) {
        error = make_error(ResultCountError(state.items.size(), results.size()));
        return false;
      }
      answer(sink, state, results);
    }
    return true;
  }

  template <class Results>
  void answer(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, Results&& results) {
    inputs_.clear();
    answer_with(sink, state, [&](std::size_t index) {
      return Result<TOut>::success(static_cast<TOut>(std::move(results[index])));
    });
  }

  template <class Make>
  void answer_with(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, Make make) {
    AnswersFrom<TOut, Make> answers(std::move(make));
    sink.answer_all(state, answers);
  }

  struct Nothing {
    void clear() noexcept {}
  };

  F& predictor_;
  ContiguousBuffer<TIn> inputs_;
  std::conditional_t<kWrites, ContiguousBuffer<Stored<TOut>>, Nothing> outputs_;
};

/// The two forms over Batch: by reference, and by value.
template <class TIn, class TOut, class F>
class BatchRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit BatchRunner(F& predictor) : predictor_(predictor) {}

  bool run(const std::shared_ptr<BatchSink<TIn, TOut>>& sink,
           BatchState<TIn, TOut>& state) noexcept override {
    const PredictorCall call(sink.get(), state.info.batch_id);
    // A copy, because the batch may be finished, and its state in use again, before the call returns.
    const BatchInfo info = state.info;
    Batch<TIn, TOut> batch(sink, state);
    const bool good = guarded(
        [&] {
          if constexpr (kCalls<F, Batch<TIn, TOut>&>) {
            call_predictor(predictor_, info, batch);
          } else {
            call_predictor(predictor_, info, std::move(batch));
          }
        },
        [&](const std::exception_ptr& error) {
          if (call.has_taken_back()) batch = Batch<TIn, TOut>(sink, state);
          batch.fail_all(error);
        });
    // Destroyed by an exception that never came out.
    if (good && call.has_taken_back()) batch = Batch<TIn, TOut>(sink, state);
    // Left unanswered by a predictor that has the batch no more than we do: failed here and now.
    { const Batch<TIn, TOut> leftover = std::move(batch); }
    return call.has_finished();
  }

 private:
  F& predictor_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP
