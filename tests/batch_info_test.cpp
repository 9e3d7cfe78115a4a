// SPDX-License-Identifier: MIT
#include "support/shell.hpp"

#include <batchwright/batch_info.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <type_traits>
#include <vector>

namespace {

using batchwright::Batch;
using batchwright::BatchInfo;
using batchwright::ShutdownMode;
using batchwright_test::Gate;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;

static_assert(std::is_aggregate_v<BatchInfo>);
static_assert(std::is_copy_constructible_v<BatchInfo>);

TEST(BatchInfo, IsThatOfAFirstAttemptByDefault) {
  const BatchInfo info;
  EXPECT_EQ(info.batch_id, 0u);
  EXPECT_EQ(info.size, 0u);
  EXPECT_EQ(info.padded_size, 0u);
  EXPECT_EQ(info.executor, 0u);
  EXPECT_EQ(info.attempt, 1u);
  EXPECT_FALSE(info.stop.stop_requested());
}

TEST(BatchInfo, TellsThePredictorOfItsBatch) {
  TestRuntime runtime({.seed = 3});
  std::vector<BatchInfo> seen;
  TestBatcher<int, int> batcher(
      [&](std::span<const int> inputs, const BatchInfo& info) {
        seen.push_back(info);
        return std::vector<int>(inputs.begin(), inputs.end());
      },
      {.max_batch_size = 4}, runtime);
  batcher.pause();
  auto futures = batcher.submit_many(std::vector<int>{1, 2, 3, 4, 5, 6});
  batcher.resume();
  for (auto& future : futures) runtime.get(future);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].batch_id, 1u);
  EXPECT_EQ(seen[0].size, 4u);
  EXPECT_EQ(seen[0].padded_size, 4u);
  EXPECT_EQ(seen[0].executor, 0u);
  EXPECT_EQ(seen[0].attempt, 1u);
  EXPECT_EQ(seen[1].batch_id, 2u);
  EXPECT_EQ(seen[1].size, 2u);
}

TEST(BatchInfo, StopFiresWhenTheBatcherIsAbandoned) {
  TestRuntime runtime({.seed = 5});
  Gate gate(runtime);
  bool before = true;
  bool after = false;
  TestBatcher<int, int> batcher(
      [&](Batch<int, int>& batch) {
        before = batch.info().stop.stop_requested();
        gate.pass();
        after = batch.info().stop.stop_requested();
        batch.answer(0, 0);
      },
      {}, runtime);
  auto future = batcher.submit(1);
  runtime.run_until([&] { return gate.waiting() == 1; });
  batcher.shutdown({.mode = ShutdownMode::abandon, .until = runtime.now()});
  gate.open();
  runtime.get(future);
  EXPECT_FALSE(before);
  EXPECT_TRUE(after);
}

}  // namespace
