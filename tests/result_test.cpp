// SPDX-License-Identifier: MIT
#include <batchwright/result.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using batchwright::Outcome;
using batchwright::RequestTiming;
using batchwright::Result;

// Neither default-constructible nor copyable.
struct Token {
  explicit Token(int v) : value(v) {}
  Token(Token&&) noexcept = default;
  int value;
};

static_assert(std::is_nothrow_move_constructible_v<Result<int>>);
static_assert(std::is_move_constructible_v<Result<Token>>);
static_assert(!std::is_copy_constructible_v<Result<Token>>);
static_assert(std::is_same_v<Result<int>::value_type, int>);
static_assert(std::is_same_v<decltype(std::declval<Result<int>&>().value()), int&>);
static_assert(std::is_same_v<decltype(std::declval<Result<int>>().value()), int>);
static_assert(std::is_void_v<decltype(std::declval<Result<void>&>().value())>);
static_assert(!std::is_convertible_v<Result<int>, bool>);

TEST(Result, HoldsAValue) {
  Result<std::string> result = Result<std::string>::success("seven");
  EXPECT_TRUE(result.has_value());
  EXPECT_TRUE(result);
  EXPECT_EQ(result.outcome(), Outcome::ok);
  EXPECT_EQ(result.error(), nullptr);
  EXPECT_EQ(*result, "seven");
  result.value() += "teen";
  EXPECT_EQ(std::move(result).value(), "seventeen");
}

TEST(Result, HoldsAnOutcomeAndMakesItsErrorOnRequest) {
  Result<int> result = Result<int>::failure(Outcome::expired);
  EXPECT_FALSE(result);
  EXPECT_EQ(result.outcome(), Outcome::expired);
  EXPECT_EQ(result.error(), nullptr);
  EXPECT_THROW(result.value(), batchwright::DeadlineExceededError);
  EXPECT_THROW(std::move(result).value(), batchwright::DeadlineExceededError);
}

TEST(Result, HoldsThePredictorsException) {
  Result<int> result =
      Result<int>::failure(Outcome::failed, std::make_exception_ptr(std::domain_error("negative")));
  EXPECT_EQ(result.outcome(), Outcome::failed);
  EXPECT_NE(result.error(), nullptr);
  EXPECT_THROW(result.value(), std::domain_error);
}

TEST(Result, TakesValuesThatOnlyMove) {
  EXPECT_EQ(Result<Token>::success(Token(4)).value().value, 4);
  auto result = Result<std::unique_ptr<int>>::success(std::make_unique<int>(5));
  EXPECT_EQ(*std::move(result).value(), 5);
}

TEST(Result, OfVoidIsSuccessOrFailure) {
  EXPECT_NO_THROW(Result<void>::success({}).value());
  EXPECT_TRUE(Result<void>::success({}));
  Result<void> failed = Result<void>::failure(Outcome::cancelled);
  EXPECT_FALSE(failed);
  EXPECT_THROW(failed.value(), batchwright::CancelledError);
}

TEST(Result, CarriesItsTiming) {
  using std::chrono::milliseconds;
  Result<int> result = Result<int>::success(1);
  EXPECT_EQ(result.timing().batch_size, 0u);
  EXPECT_EQ(result.timing().batch_id, 0u);
  RequestTiming timing;
  timing.enqueued += milliseconds(1);
  timing.started += milliseconds(2);
  timing.answered += milliseconds(3);
  timing.batch_size = 4;
  timing.batch_id = 5;
  result.set_timing(timing);
  const Result<int> moved = std::move(result);
  EXPECT_EQ(moved.timing().answered - moved.timing().enqueued, milliseconds(2));
  EXPECT_EQ(moved.timing().batch_size, 4u);
  EXPECT_EQ(moved.timing().batch_id, 5u);
}

}  // namespace
