// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/awaited_answer.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <utility>

namespace {

using batchwright::Result;
using batchwright::detail::AwaitedAnswer;
using batchwright::detail::DeferredWakes;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

TEST(AwaitedAnswer, ThatIsThereCostsNoWake) {
  const TestRuntime runtime({.seed = 1});
  AwaitedAnswer<int, TestRuntime> answer(runtime);
  answer.complete(Result<int>::success(7));
  EXPECT_EQ(*answer.wait(), 7);
  EXPECT_EQ(runtime.parks(), 0u);
  EXPECT_EQ(runtime.unparks(), 0u);
}

TEST(AwaitedAnswer, EndsTheWaitHoweverTheyMeet) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    std::optional<AwaitedAnswer<int, TestRuntime>> answer(std::in_place, runtime);
    auto answerer = runtime.start([&] {
      runtime.interleave("answers");
      answer->complete(Result<int>::success(7));
    });
    EXPECT_EQ(*answer->wait(), 7);
    answer.reset();
    answerer.join();
  });
}

// Who sleeps on until his wake, though he may return from a park for no reason, keeps the list whole.
TEST(AwaitedAnswer, StaysUntilItsDeferredWake) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    std::optional<AwaitedAnswer<int, TestRuntime>> answer(std::in_place, runtime);
    bool woken = false;
    auto answerer = runtime.start([&] {
      DeferredWakes deferred;
      answer->complete(Result<int>::success(7));
      const bool slept = !deferred.list().empty();
      runtime.interleave("answered");
      EXPECT_TRUE(!slept || !woken);
    });
    EXPECT_EQ(*answer->wait(), 7);
    woken = true;
    answer.reset();
    answerer.join();
  });
}

}  // namespace
