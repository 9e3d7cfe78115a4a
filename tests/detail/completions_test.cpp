// SPDX-License-Identifier: MIT
#include "../support/failing_new.hpp"

#include <batchwright/detail/completions.hpp>

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

using batchwright::BatcherStoppedError;
using batchwright::CompletionTask;
using batchwright::DeadlineExceededError;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::detail::FutureAnswer;
using batchwright::detail::PostedAnswer;
using batchwright::detail::prepared_exception;
using batchwright_test::FailingNew;

template <class T>
std::pair<FutureAnswer<T>, std::future<T>> future_answer() {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  return {FutureAnswer<T>(std::move(promise)), std::move(future)};
}

TEST(FutureAnswer, HandsOnTheValue) {
  auto [answer, future] = future_answer<int>();
  answer(Result<int>::success(3));
  EXPECT_EQ(future.get(), 3);
  auto [void_answer, void_future] = future_answer<void>();
  void_answer(Result<void>::success({}));
  EXPECT_NO_THROW(void_future.get());
}

TEST(FutureAnswer, HandsOnAnExceptionOrTheOneOfTheOutcome) {
  auto [first, failed] = future_answer<int>();
  first(Result<int>::failure(Outcome::failed, std::make_exception_ptr(std::domain_error("bad"))));
  EXPECT_THROW(failed.get(), std::domain_error);
  auto [second, expired] = future_answer<int>();
  second(Result<int>::failure(Outcome::expired));
  EXPECT_THROW(expired.get(), DeadlineExceededError);
}

TEST(FutureAnswer, GivenUpAnswersWithoutMemory) {
  static_cast<void>(prepared_exception(Outcome::stopped));
  std::promise<int> promise;
  std::future<int> future = promise.get_future();
  std::optional<FutureAnswer<int>> answer(std::move(promise));
  std::optional<FutureAnswer<int>> moved(std::move(*answer));
  answer.reset();
  EXPECT_NE(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  {
    const FailingNew none(1, true);
    moved.reset();
  }
  EXPECT_THROW(future.get(), BatcherStoppedError);
}

using Post = std::function<void(CompletionTask)>;
using Callback = std::function<void(Result<int>)>;

TEST(PostedAnswer, PostsTheCallbackWithItsAnswer) {
  std::vector<CompletionTask> posted;
  const Post post = [&](CompletionTask task) { posted.push_back(std::move(task)); };
  int value = 0;
  PostedAnswer<int, Callback> answer(post, [&](Result<int> result) { value = *result; });
  answer(Result<int>::success(3));
  EXPECT_EQ(value, 0);
  ASSERT_EQ(posted.size(), 1u);
  posted.front()();
  EXPECT_EQ(value, 3);
  posted.clear();
}

TEST(PostedAnswer, NeedsNoMemoryToPost) {
  int value = 0;
  const Post post = [](CompletionTask task) { task(); };
  PostedAnswer<int, Callback> answer(post, [&](Result<int> result) { value = *result; });
  {
    const FailingNew none(1, true);
    answer(Result<int>::success(3));
  }
  EXPECT_EQ(value, 3);
}

TEST(PostedAnswer, GivenUpDestroysTheCallbackAndCallsNothing) {
  const auto owned = std::make_shared<int>(1);
  const Post post = [](CompletionTask) { ADD_FAILURE(); };
  {
    PostedAnswer<int, Callback> answer(post, [owned](Result<int>) { ADD_FAILURE(); });
    const PostedAnswer<int, Callback> moved(std::move(answer));
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(PostedAnswer, DestroysTheCallbackAfterItsCall) {
  const auto owned = std::make_shared<int>(1);
  const Post post = [](CompletionTask task) { task(); };
  PostedAnswer<int, Callback> answer(post, [owned](Result<int>) {});
  answer(Result<int>::success(3));
  EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
