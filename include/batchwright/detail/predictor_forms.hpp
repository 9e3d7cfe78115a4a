// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP
#define BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP

#include "../errors.hpp"
#include "../predictor.hpp"
#include "contiguous_buffer.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
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
  virtual bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept = 0;
};

template <class TOut, class Make>
class AnswersFrom final : public ItemAnswers<TOut> {
 public:
  explicit AnswersFrom(Make make) : make_(std::move(make)) {}
  Result<TOut> operator()(std::size_t index) override { return make_(index); }

 private:
  Make make_;
};

/// Answers every item with what `make(index)` makes.
template <class TIn, class TOut, class Make>
void answer_with(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state, Make make) noexcept {
  AnswersFrom<TOut, Make> answers(std::move(make));
  sink.answer_all(state, answers);
}

template <class TIn, class TOut>
void fail_all(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state,
              const std::exception_ptr& error) noexcept {
  state.failed.store(true, std::memory_order_relaxed);
  answer_with(sink, state,
              [&](std::size_t) { return Result<TOut>::failure(Outcome::failed, error); });
}

/// Moves the inputs of a batch together. Throws what that throws.
template <class TIn, class TOut>
void gather(BatchState<TIn, TOut>& state, ContiguousBuffer<TIn>& inputs) {
  inputs.reserve(state.items.size());
  for (auto* item : state.items) {
    inputs.emplace_back(std::move(item->input()));
    item->drop_input();
  }
}

/// Fails a batch, some inputs of which may have been gathered.
template <class TIn, class TOut>
void fail_gathered(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state,
                   ContiguousBuffer<TIn>& inputs, const std::exception_ptr& error) noexcept {
  inputs.clear();
  for (auto* item : state.items) item->drop_input();
  fail_all(sink, state, error);
}

/// A call of a predictor in one of the two forms over spans.
template <class TIn, class TOut, class F>
class SpanCall {
 public:
  explicit SpanCall(F& predictor) : predictor_(predictor) {}

  /// `answer(make)`, which must not throw, gets what makes the result of each row: all of them, once.
  /// False, with the error, if the results cannot be matched to the inputs. Throws what the predictor
  /// throws.
  template <class Answer>
  bool operator()(const BatchInfo& info, std::span<TIn> inputs,
                  [[maybe_unused]] std::exception_ptr& error, Answer answer) {
    if constexpr (kWrites) {
      outputs_.clear();
      outputs_.reserve(inputs.size());
      for (std::size_t row = 0; row < inputs.size(); ++row) outputs_.emplace_back();
      call_predictor(predictor_, info, InputSpan<F, TIn, std::span<TOut>>(inputs), outputs_.rows());
      answer(taking(outputs_.rows()));
    } else if constexpr (std::is_void_v<TOut>) {
      call_predictor(predictor_, info, InputSpan<F, TIn>(inputs));
      answer([](std::size_t) { return Result<void>::success({}); });
    } else {
      std::vector<TOut> results = call_predictor(predictor_, info, InputSpan<F, TIn>(inputs));
      if (results.size() != inputs.size()) {
        error = make_error(ResultCountError(inputs.size(), results.size()));
        return false;
      }
      answer(taking(results));
    }
    return true;
  }

  /// Lets go of the results.
  void clear() noexcept { outputs_.clear(); }

 private:
  static constexpr bool kWrites = writes_results<F, TIn, TOut>();

  template <class Results>
  static auto taking(Results&& results) {
    return [&results](std::size_t row) {
      return Result<TOut>::success(static_cast<TOut>(std::move(results[row])));
    };
  }

  struct Nothing {
    void clear() noexcept {}
  };

  F& predictor_;
  std::conditional_t<kWrites, ContiguousBuffer<Stored<TOut>>, Nothing> outputs_;
};

/// The two forms over spans: the inputs are moved together, and gone before anybody is answered.
template <class TIn, class TOut, class F>
class SpanRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit SpanRunner(F& predictor) : call_(predictor) {}

  bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept override {
    std::exception_ptr error;
    bool good = false;
    guarded(
        [&] {
          gather(state, inputs_);
          good = call_(state.info, inputs_.rows(), error, [&](auto make) {
            inputs_.clear();
            answer_with(sink, state, std::move(make));
          });
        },
        [&](std::exception_ptr thrown) { error = std::move(thrown); });
    if (!good) fail_gathered(sink, state, inputs_, error);
    call_.clear();
    return true;
  }

 private:
  SpanCall<TIn, TOut, F> call_;
  ContiguousBuffer<TIn> inputs_;
};

/// The two forms over Batch: by reference, and by value.
template <class TIn, class TOut, class F>
class BatchRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit BatchRunner(F& predictor) : predictor_(predictor) {}

  bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept override {
    const PredictorCall call(&sink, state.info.batch_id);
    const std::shared_ptr<BatchSink<TIn, TOut>> share = sink.shared_from_this();
    // A copy, because the batch may be finished, and its state in use again, before the call returns.
    const BatchInfo info = state.info;
    Batch<TIn, TOut> batch(share, state);
    const bool good = guarded(
        [&] {
          if constexpr (kCalls<F, Batch<TIn, TOut>&>) {
            call_predictor(predictor_, info, batch);
          } else {
            call_predictor(predictor_, info, std::move(batch));
          }
        },
        [&](const std::exception_ptr& error) {
          if (call.has_taken_back()) batch = Batch<TIn, TOut>(share, state);
          batch.fail_all(error);
        });
    // Destroyed by an exception that never came out.
    if (good && call.has_taken_back()) batch = Batch<TIn, TOut>(share, state);
    // Left unanswered by a predictor that has the batch no more than we do: failed here and now.
    { const Batch<TIn, TOut> leftover = std::move(batch); }
    return call.has_finished();
  }

 private:
  F& predictor_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PREDICTOR_FORMS_HPP
