// SPDX-License-Identifier: MIT
#include "../support/fragile.hpp"

#include <batchwright/detail/row_join.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using batchwright::Outcome;
using batchwright::RequestTiming;
using batchwright::Result;
using batchwright::SystemRuntime;
using batchwright::detail::CancelSink;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::RequestBase;
using batchwright::detail::RowJoin;
using batchwright_test::Broken;
using batchwright_test::Fragile;

using Outcomes = std::vector<Outcome>;

// Notes what is posted, and keeps the reference that comes with it until the end.
class Sink final : public CancelSink {
 public:
  ~Sink() {
    for (RequestBase* request : posted) request->release();
  }
  void post_cancelled(RequestBase& request) noexcept override { posted.push_back(&request); }

  std::vector<RequestBase*> posted;
};

// A call of some rows, whose answers the test gives. The input of row i is i.
template <class TOut>
class Call {
 public:
  using Join = RowJoin<TOut, SystemRuntime>;
  using Row = Request<std::shared_ptr<int>, TOut>;
  using Answer = typename Join::Answer;

  explicit Call(std::size_t count) : join(pool_new<Join>(SystemRuntime(), count)) {
    join->completion.emplace([this](Result<Answer>&& result) {
      ++answers;
      answer.emplace(std::move(result));
    });
    for (std::size_t i = 0; i < count; ++i) {
      rows.push_back(pool_new<Row>(input));
      rows.back()->sink = &sink;
      join->add(*rows.back());
    }
  }

  void succeed(std::size_t row, batchwright::detail::Stored<TOut> value) {
    ASSERT_TRUE(rows[row]->claim());
    rows[row]->drop_input();
    rows[row]->answer(Result<TOut>::success(std::move(value)));
  }
  void fail(std::size_t row, Outcome outcome, std::exception_ptr error = nullptr) {
    ASSERT_TRUE(rows[row]->claim());
    rows[row]->drop_input();
    rows[row]->answer(Result<TOut>::failure(outcome, std::move(error)));
  }

  // As the dispatcher does with what reached it.
  void answer_cancelled() {
    for (RequestBase* request : std::exchange(sink.posted, {})) {
      request->release();
      auto& row = static_cast<Row&>(*request);
      row.drop_input();
      row.answer(Result<TOut>::failure(Outcome::cancelled));
    }
  }

  const std::shared_ptr<int> input = std::make_shared<int>(0);
  Sink sink;
  Join* join;
  std::vector<Row*> rows;
  int answers = 0;
  std::optional<Result<Answer>> answer;
};

TEST(RowJoin, IsAnsweredByTheLastRowWithTheResultsInTheRowsOrder) {
  Call<int> call(3);
  call.succeed(2, 30);
  call.succeed(0, 10);
  EXPECT_EQ(call.answers, 0);
  call.succeed(1, 20);
  EXPECT_EQ(call.answers, 1);
  EXPECT_EQ(call.answer->value(), (std::vector<int>{10, 20, 30}));
}

TEST(RowJoin, ItsTimingIsThatOfTheRowAnsweredLast) {
  Call<int> call(2);
  for (const std::size_t row : {1u, 0u}) {
    auto result = Result<int>::success(1);
    result.set_timing({.batch_id = 7 + row});
    ASSERT_TRUE(call.rows[row]->claim());
    call.rows[row]->answer(std::move(result));
  }
  EXPECT_EQ(call.answer->timing().batch_id, 7u);
}

TEST(RowJoin, TheFirstFailureIsTheCalls) {
  Call<int> call(4);
  ASSERT_TRUE(call.rows[3]->claim());
  call.succeed(0, 1);
  call.fail(1, Outcome::failed, std::make_exception_ptr(std::domain_error("first")));
  EXPECT_EQ(call.answers, 0);
  call.answer_cancelled();
  call.rows[3]->answer(
      Result<int>::failure(Outcome::failed, std::make_exception_ptr(std::logic_error("second"))));
  EXPECT_EQ(call.answers, 1);
  EXPECT_EQ(call.answer->outcome(), Outcome::failed);
  EXPECT_THROW(call.answer->value(), std::domain_error);
}

TEST(RowJoin, WhatFailsAloneWithdrawsTheOthersThatAreQueued) {
  for (const Outcome outcome : {Outcome::failed, Outcome::evicted, Outcome::would_expire}) {
    Call<int> call(4);
    ASSERT_TRUE(call.rows[1]->claim());  // In a predictor's hands.
    call.fail(2, outcome);
    EXPECT_EQ(call.sink.posted, (std::vector<RequestBase*>{call.rows[0], call.rows[3]}));
    call.answer_cancelled();
    EXPECT_EQ(call.answers, 0);
    call.rows[1]->answer(Result<int>::success(1));
    EXPECT_EQ(call.answers, 1);
    EXPECT_EQ(call.answer->outcome(), outcome);
  }
}

TEST(RowJoin, WhatEndsTheWholeCallWithdrawsNothing) {
  for (const Outcome outcome :
       {Outcome::expired, Outcome::cancelled, Outcome::queue_full, Outcome::stopped}) {
    Call<int> call(2);
    call.fail(0, outcome);
    EXPECT_TRUE(call.sink.posted.empty());
    call.fail(1, outcome);
    EXPECT_EQ(call.answer->outcome(), outcome);
  }
}

TEST(RowJoin, CancelWithdrawsWhatIsQueuedAndTheCallEndsAsCancelled) {
  Call<int> call(3);
  call.join->retain();
  ASSERT_TRUE(call.rows[1]->claim());
  EXPECT_TRUE(call.join->cancel());
  EXPECT_FALSE(call.join->cancel());
  EXPECT_EQ(call.sink.posted, (std::vector<RequestBase*>{call.rows[0], call.rows[2]}));
  call.answer_cancelled();
  call.rows[1]->answer(Result<int>::failure(Outcome::failed));
  EXPECT_EQ(call.answer->outcome(), Outcome::cancelled);
  call.join->release();
}

TEST(RowJoin, CancelIsFalseWhereEveryRowIsEntered) {
  Call<int> call(2);
  call.join->retain();
  call.succeed(0, 1);
  ASSERT_TRUE(call.rows[1]->claim());
  EXPECT_FALSE(call.join->cancel());
  call.rows[1]->answer(Result<int>::success(2));
  EXPECT_EQ(call.answer->value(), (std::vector<int>{1, 2}));
  EXPECT_FALSE(call.join->cancel());
  call.join->release();
}

TEST(RowJoin, CancelIsFalseWhereARowHasFailedBefore) {
  Call<int> call(2);
  call.join->retain();
  call.fail(0, Outcome::expired);
  EXPECT_FALSE(call.join->cancel());
  EXPECT_EQ(call.sink.posted.size(), 1u);  // It is withdrawn all the same.
  call.answer_cancelled();
  EXPECT_EQ(call.answer->outcome(), Outcome::expired);
  call.join->release();
}

TEST(RowJoin, CancelIsTrueWhereACancelledRowWasAnsweredInBetween) {
  Call<int> call(2);
  call.join->retain();
  ASSERT_TRUE(call.rows[0]->cancel());  // By a stop, say.
  call.answer_cancelled();
  EXPECT_TRUE(call.join->cancel());
  call.answer_cancelled();
  EXPECT_EQ(call.answer->outcome(), Outcome::cancelled);
  call.join->release();
}

TEST(RowJoin, WithoutRowsItIsAnsweredAtOnce) {
  Call<int> call(0);
  call.join->answer_empty();
  EXPECT_EQ(call.answers, 1);
  EXPECT_TRUE(call.answer->value().empty());
  EXPECT_GT(call.answer->timing().answered, std::chrono::steady_clock::time_point());
}

TEST(RowJoin, OfVoidThereIsNothingButSuccess) {
  Call<void> call(2);
  call.succeed(1, {});
  EXPECT_EQ(call.answers, 0);
  call.succeed(0, {});
  EXPECT_TRUE(call.answer->has_value());
}

TEST(RowJoin, JoinsValuesThatOnlyMoveAndHaveNoDefault) {
  struct Value {
    explicit Value(int value) : owned(std::make_unique<int>(value)) {}
    std::unique_ptr<int> owned;
    std::array<std::byte, 100> payload{};  // Too large to lie in the request.
  };
  Call<Value> call(2);
  call.succeed(1, Value(2));
  call.succeed(0, Value(1));
  ASSERT_EQ(call.answer->value().size(), 2u);
  EXPECT_EQ(*call.answer->value()[0].owned, 1);
  EXPECT_EQ(*call.answer->value()[1].owned, 2);
}

TEST(RowJoin, TruthValuesAreJoinedByOneThreadAlone) {
  // As bits of one word they cannot be stored from several threads at once.
  Call<bool> call(3);
  call.succeed(1, true);
  call.succeed(2, false);
  call.succeed(0, true);
  EXPECT_EQ(call.answer->value(), (std::vector<bool>{true, true, false}));
}

TEST(RowJoin, AfterAFailureItKeepsNoResults) {
  const auto value = std::make_shared<int>(1);
  Call<std::shared_ptr<int>> call(3);
  call.join->retain();
  ASSERT_TRUE(call.rows[2]->claim());
  call.succeed(0, value);
  call.fail(1, Outcome::failed);
  call.rows[2]->answer(Result<std::shared_ptr<int>>::success(value));
  EXPECT_EQ(call.answers, 1);
  EXPECT_EQ(value.use_count(), 1);
  call.join->release();
}

TEST(RowJoin, AValueWhoseMoveThrowsFailsTheCall) {
  for (int step = 1;; ++step) {
    ASSERT_LT(step, 20);
    {
      Call<Fragile> call(2);
      ASSERT_TRUE(call.rows[0]->claim());
      ASSERT_TRUE(call.rows[1]->claim());
      auto first = Result<Fragile>::success(Fragile(1));
      auto second = Result<Fragile>::success(Fragile(2));
      Fragile::break_at(step);
      call.rows[0]->answer(std::move(first));
      call.rows[1]->answer(std::move(second));
      const bool unbroken = Fragile::unbroken();
      EXPECT_EQ(call.answers, 1);
      if (unbroken) {
        EXPECT_EQ(call.answer->value()[1].value(), 2);
        EXPECT_GT(step, 4);  // Two into the rows, two into the vector.
        break;
      }
      EXPECT_THROW(call.answer->value(), Broken);
    }
    EXPECT_EQ(Fragile::alive(), 0);
  }
}

TEST(RowJoin, LetsGoOfItsRowsWithTheLastReference) {
  Call<int> call(2);
  EXPECT_EQ(call.input.use_count(), 3);
  call.join->retain();
  // A submission that failed: nobody will answer them.
  for (auto* row : call.rows) row->release();
  call.join->release();
  EXPECT_EQ(call.input.use_count(), 3);
  call.join->release();
  EXPECT_EQ(call.input.use_count(), 1);
  EXPECT_EQ(call.answers, 0);
}

// Real threads, for the thread sanitizer: rows are answered, one of them badly, while another thread cancels.
TEST(RowJoin, RowsThatEndOnSeveralThreadsAtOnceAnswerTheCallOnce) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kRows = 8;
  struct Owner final : CancelSink {
    void post_cancelled(RequestBase& request) noexcept override {
      auto& row = static_cast<Request<int, std::string>&>(request);
      row.release();
      row.answer(Result<std::string>::failure(Outcome::cancelled));
    }
  } sink;
  std::array<int, batchwright::kOutcomeCount> ends{};
  for (int round = 0; round < 400; ++round) {
    auto* const join = pool_new<RowJoin<std::string, SystemRuntime>>(SystemRuntime(), kRows);
    int answers = 0;
    std::optional<Result<std::vector<std::string>>> answer;
    join->completion.emplace([&](Result<std::vector<std::string>>&& result) {
      ++answers;
      answer.emplace(std::move(result));
    });
    join->retain();
    std::vector<Request<int, std::string>*> rows;
    for (std::size_t i = 0; i < kRows; ++i) {
      rows.push_back(pool_new<Request<int, std::string>>(1));
      rows.back()->sink = &sink;
      rows.back()->retain();
      join->add(*rows.back());
    }
    bool cancelled = false;
    {
      std::vector<std::jthread> threads;
      for (std::size_t thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
          for (std::size_t i = thread; i < kRows; i += kThreads) {
            if (!rows[i]->claim()) {
              rows[i]->release();
              continue;
            }
            if (round % 2 == 1 && i == 5) {
              rows[i]->answer(Result<std::string>::failure(Outcome::failed));
            } else {
              rows[i]->answer(
                  Result<std::string>::success(std::string(40, static_cast<char>('a' + i))));
            }
            rows[i]->release();
          }
        });
      }
      if (round % 4 >= 2) threads.emplace_back([&] { cancelled = join->cancel(); });
    }
    ASSERT_EQ(answers, 1);
    ++ends[static_cast<std::size_t>(answer->outcome())];
    EXPECT_EQ(cancelled, answer->outcome() == Outcome::cancelled);
    if (answer->has_value()) {
      for (std::size_t i = 0; i < kRows; ++i)
        EXPECT_EQ(answer->value()[i][39], static_cast<char>('a' + i));
    }
    join->release();
    if (HasFailure()) return;
  }
  EXPECT_GT(ends[static_cast<std::size_t>(Outcome::ok)], 0);
  EXPECT_GT(ends[static_cast<std::size_t>(Outcome::failed)], 0);
}

}  // namespace
