// SPDX-License-Identifier: MIT
#include <batchwright/batch.hpp>
#include <batchwright/detail/predictor_forms.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using batchwright::Batch;
using batchwright::BatchInfo;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::ResultCountError;
using batchwright::UnansweredError;
using batchwright::detail::BatchRunner;
using batchwright::detail::BatchSink;
using batchwright::detail::ItemAnswers;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::SpanRunner;

// Counts who still holds it, so that a test sees when an input is gone.
using Input = std::shared_ptr<int>;
using State = batchwright::detail::BatchState<Input, int>;

std::string words(const Result<int>& result) {
  if (result.has_value()) return std::to_string(*result);
  try {
    std::rethrow_exception(result.error());
  } catch (const ResultCountError&) {
    return "count";
  } catch (const UnansweredError&) {
    return "unanswered";
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// Takes the answers of one batch, and looks whether the inputs are gone by then.
class Sink final : public BatchSink<Input, int> {
 public:
  explicit Sink(const std::vector<Input>& inputs) : inputs_(inputs), answers(inputs.size()) {}

  void answer_all(State& state, ItemAnswers<int>& make) noexcept override {
    answer_range(state, 0, state.items.size(), make);
    ++finished;
  }
  void answer_range(State& state, std::size_t begin, std::size_t end,
                    ItemAnswers<int>& make) noexcept override {
    for (std::size_t i = begin; i < end; ++i) answer_item(state, i, make(i));
  }
  void answer_item(State& state, std::size_t index, Result<int>&& result) noexcept override {
    state.items[index]->drop_input();
    if (inputs_[index].use_count() != 1) ++held;
    answers[index] += words(result);
    // The last reference is the request's own answerer's.
    std::exchange(state.items[index], nullptr)->release();
  }
  void finish(State& state) noexcept override {
    ++finished;
    batchwright::detail::PredictorCall::finishes(this, state.info.batch_id);
  }

 private:
  const std::vector<Input>& inputs_;

 public:
  std::vector<std::string> answers;
  int finished = 0;
  int held = 0;  // Answers that came while the input was still there.
};

/// A batch of 1, 2, 3.
class PredictorFormsTest : public ::testing::Test {
 protected:
  PredictorFormsTest() {
    for (int i = 1; i <= 3; ++i) {
      inputs_.push_back(std::make_shared<int>(i));
      state_.items.push_back(pool_new<Request<Input, int>>(inputs_.back()));
    }
    state_.info.batch_id = 7;
    sink_ = std::make_shared<Sink>(inputs_);
  }

  template <template <class, class, class> class Runner, class F>
  bool run(F predictor) {
    Runner<Input, int, F> runner(predictor);
    return runner.run(*sink_, state_);
  }

  std::vector<std::string> answers(const std::string& a, const std::string& b,
                                   const std::string& c) {
    return {a, b, c};
  }

  std::vector<Input> inputs_;
  State state_;
  std::shared_ptr<Sink> sink_;
};

TEST_F(PredictorFormsTest, EachRowsResultIsItsItemsAnswerAndTheInputsAreGoneBefore) {
  EXPECT_TRUE(run<SpanRunner>([](std::span<const Input> inputs) {
    std::vector<int> results;
    for (const Input& input : inputs) results.push_back(10 * *input);
    return results;
  }));
  EXPECT_EQ(sink_->answers, answers("10", "20", "30"));
  EXPECT_EQ(sink_->held, 0);
  EXPECT_EQ(sink_->finished, 1);
  EXPECT_FALSE(state_.failed.load());
}

TEST_F(PredictorFormsTest, ResultsMayBeWrittenInPlace) {
  EXPECT_TRUE(run<SpanRunner>([](std::span<const Input> inputs, std::span<int> results) {
    EXPECT_EQ(results[0], 0);  // Value-initialized.
    for (std::size_t i = 0; i < inputs.size(); ++i) results[i] = -*inputs[i];
  }));
  EXPECT_EQ(sink_->answers, answers("-1", "-2", "-3"));
  EXPECT_EQ(sink_->held, 0);
}

TEST_F(PredictorFormsTest, InPlaceNothingIsLeftOfTheBatchBefore) {
  auto predictor = [](std::span<const Input> inputs, std::span<int> results) {
    for (std::size_t i = 0; i < inputs.size(); ++i) results[i] += *inputs[i];
  };
  SpanRunner<Input, int, decltype(predictor)> runner(predictor);
  runner.run(*sink_, state_);
  std::vector<Input> inputs{std::make_shared<int>(5)};
  State state;
  state.items.push_back(pool_new<Request<Input, int>>(inputs.back()));
  const auto sink = std::make_shared<Sink>(inputs);
  runner.run(*sink, state);
  EXPECT_EQ(sink->answers, std::vector<std::string>{"5"});
}

TEST_F(PredictorFormsTest, TooFewResultsFailEachItem) {
  EXPECT_TRUE(run<SpanRunner>([](std::span<const Input>) { return std::vector<int>(2); }));
  EXPECT_EQ(sink_->answers, answers("count", "count", "count"));
  EXPECT_EQ(sink_->held, 0);
  EXPECT_TRUE(state_.failed.load());
}

TEST_F(PredictorFormsTest, TooManyResultsFailEachItem) {
  EXPECT_TRUE(run<SpanRunner>([](std::span<const Input>) { return std::vector<int>(4); }));
  EXPECT_EQ(sink_->answers, answers("count", "count", "count"));
}

TEST_F(PredictorFormsTest, WhatThePredictorThrowsFailsEachItem) {
  EXPECT_TRUE(run<SpanRunner>(
      [](std::span<const Input>) -> std::vector<int> { throw std::runtime_error("no device"); }));
  EXPECT_EQ(sink_->answers, answers("no device", "no device", "no device"));
  EXPECT_EQ(sink_->held, 0);
  EXPECT_TRUE(state_.failed.load());
}

TEST_F(PredictorFormsTest, ThePredictorIsToldOfTheBatch) {
  run<SpanRunner>([](std::span<const Input> inputs, const BatchInfo& info) {
    EXPECT_EQ(info.batch_id, 7u);
    return std::vector<int>(inputs.size());
  });
  EXPECT_EQ(sink_->finished, 1);
}

TEST_F(PredictorFormsTest, ABatchByReferenceIsFinishedWhenTheCallReturns) {
  EXPECT_TRUE(run<BatchRunner>([](Batch<Input, int>& batch) {
    batch.fail(1, std::make_exception_ptr(std::runtime_error("bad")));
    batch.answer(0, *batch.input(0));
    // The third is left.
  }));
  EXPECT_EQ(sink_->answers, answers("1", "bad", "unanswered"));
  EXPECT_EQ(sink_->finished, 1);
}

TEST_F(PredictorFormsTest, ABatchByValueMayBeFinishedAfterTheCall) {
  std::optional<Batch<Input, int>> kept;
  EXPECT_FALSE(run<BatchRunner>([&](Batch<Input, int> batch) {
    batch.answer(2, 30);
    kept.emplace(std::move(batch));
  }));
  EXPECT_EQ(sink_->answers, answers("", "", "30"));
  EXPECT_EQ(sink_->finished, 0);
  kept->answer(0, 10);
  kept->answer(1, 20);
  EXPECT_EQ(sink_->answers, answers("10", "20", "30"));
  EXPECT_EQ(sink_->finished, 1);
}

TEST_F(PredictorFormsTest, ABatchByValueThatIsFinishedInItsCallIsFinishedWhenItReturns) {
  EXPECT_TRUE(run<BatchRunner>([](Batch<Input, int> batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, 0);
  }));
  EXPECT_EQ(sink_->finished, 1);
}

TEST_F(PredictorFormsTest, AnExceptionFailsWhatABatchHasNotAnswered) {
  EXPECT_TRUE(run<BatchRunner>([](Batch<Input, int> batch) {
    batch.answer(1, 20);
    throw std::runtime_error("no device");
  }));
  EXPECT_EQ(sink_->answers, answers("no device", "20", "no device"));
  EXPECT_EQ(sink_->finished, 1);
}

}  // namespace
