// SPDX-License-Identifier: MIT
#include "../support/fragile.hpp"

#include <batchwright/detail/inline_function.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace {

using batchwright_test::Broken;
using batchwright_test::Fragile;
using Function = batchwright::detail::InlineFunction<void(int&&)>;

static_assert(!std::is_copy_constructible_v<Function>);
static_assert(!std::is_move_constructible_v<Function>);

TEST(InlineFunction, CallsWhatFitsInPlace) {
  int sum = 0;
  Function function;
  function.emplace([&](int&& value) { sum += value; });
  function(5);
  EXPECT_EQ(sum, 5);
}

TEST(InlineFunction, CallsWhatDoesNotFit) {
  int sum = 0;
  const std::byte large[200] = {};
  Function function;
  function.emplace([&sum, large](int&& value) { sum += value + static_cast<int>(large[7]); });
  function(5);
  EXPECT_EQ(sum, 5);
}

TEST(InlineFunction, TakesCallablesThatOnlyMove) {
  int sum = 0;
  Function function;
  function.emplace([&sum, extra = std::make_unique<int>(3)](int&& value) { sum = value + *extra; });
  function(5);
  EXPECT_EQ(sum, 8);
}

template <std::size_t Size>
struct Counter {
  std::byte padding[Size] = {};
  int calls = 0;
  void operator()(int&& value) { calls += value; }
};

template <std::size_t Size>
void expect_its_target_is_the_callable() {
  Function function;
  function.emplace(Counter<Size>{.calls = 1});
  function(5);
  EXPECT_EQ(function.target<Counter<Size>>().calls, 6);
}

TEST(InlineFunction, ItsTargetIsTheCallableWhereverThatLies) {
  expect_its_target_is_the_callable<4>();
  expect_its_target_is_the_callable<200>();
}

TEST(InlineFunction, DestroysItsCallableCalledOrNot) {
  const auto small = std::make_shared<int>(1);
  const auto large = std::make_shared<int>(1);
  {
    const std::byte padding[200] = {};
    Function first;
    first.emplace([small](int&&) {});
    Function second;
    second.emplace([large, padding](int&&) { static_cast<void>(padding); });
    second(1);
    EXPECT_EQ(small.use_count(), 2);
    EXPECT_EQ(large.use_count(), 2);
    Function empty;
    static_cast<void>(empty);
  }
  EXPECT_EQ(small.use_count(), 1);
  EXPECT_EQ(large.use_count(), 1);
}

template <std::size_t Padding>
void expect_empty_after_throw() {
  struct Callable {
    Fragile fragile;
    std::byte padding[Padding];
    void operator()(int&&) {}
  };
  {
    const Callable callable{Fragile(1), {}};
    Function function;
    Fragile::break_at(1);
    EXPECT_THROW(function.emplace(callable), Broken);
    function.emplace([](int&&) {});
    function(1);
  }
  EXPECT_EQ(Fragile::alive(), 0);
}

TEST(InlineFunction, IsEmptyAfterACopyThatThrew) {
  expect_empty_after_throw<1>();
  expect_empty_after_throw<200>();
}

TEST(InlineFunctionDeathTest, ACallThatThrowsTerminates) {
  Function function;
  function.emplace([](int&&) { throw Broken(); });
  EXPECT_DEATH(function(1), "");
}

}  // namespace
