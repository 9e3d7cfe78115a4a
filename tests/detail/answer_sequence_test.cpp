// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/answer_sequence.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <span>
#include <vector>

// In which order the requests of one batch are answered, as their callers can see it.

namespace {

using namespace std::chrono_literals;
using batchwright::Result;
using batchwright_test::for_each_seed;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;

std::vector<int> echo(std::span<const int> inputs) { return {inputs.begin(), inputs.end()}; }

TEST(AnswerSequence, CallbacksAreCalledInOrderAlsoBetweenFutures) {
  for (const std::size_t executors : {0U, 1U}) {
    const TestRuntime runtime({.seed = 1});
    TestBatcher<int, int> batcher(echo, {.max_batch_size = 8, .executors = executors}, runtime);
    batcher.pause();
    std::vector<int> called;
    std::vector<std::future<int>> futures;
    for (int i = 0; i < 8; ++i) {
      if (i % 3 == 1) {
        futures.push_back(batcher.submit(i));
      } else {
        ASSERT_TRUE(batcher.submit(i, [&](Result<int> result) { called.push_back(*result); }));
      }
    }
    batcher.resume();
    EXPECT_TRUE(batcher.wait_idle());
    EXPECT_EQ(called, (std::vector<int>{0, 2, 3, 5, 6}));
    for (std::size_t i = 0; i < futures.size(); ++i) {
      EXPECT_EQ(futures[i].get(), 3 * static_cast<int>(i) + 1);
    }
  }
}

TEST(AnswerSequence, WhenTheOldestFutureOfABatchIsReadyAllAre) {
  for_each_seed(50, [](const TestRuntime& runtime) {
    TestBatcher<int, int> batcher(echo, {.max_batch_size = 8, .executors = 0}, runtime);
    batcher.pause();
    std::vector<std::future<int>> futures = batcher.submit_many(std::vector<int>{0, 1, 2, 3, 4});
    batcher.resume();
    const auto ready = [](const std::future<int>& future) {
      return future.wait_for(0s) == std::future_status::ready;
    };
    runtime.run_until([&] { return ready(futures.front()); });
    for (const auto& future : futures) EXPECT_TRUE(ready(future));
  });
}

}  // namespace
