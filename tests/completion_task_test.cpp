// SPDX-License-Identifier: MIT
#include <batchwright/completion_task.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using batchwright::CompletionTask;

static_assert(!std::is_copy_constructible_v<CompletionTask>);
static_assert(std::is_nothrow_move_constructible_v<CompletionTask>);
static_assert(std::is_nothrow_move_assignable_v<CompletionTask>);

TEST(CompletionTask, ItRunsOnceHoweverOftenItIsCalled) {
  int runs = 0;
  CompletionTask task([&] { ++runs; });
  EXPECT_EQ(runs, 0);
  task();
  task();
  EXPECT_EQ(runs, 1);
}

TEST(CompletionTask, DestroyedWithoutACallItRunsThen) {
  int runs = 0;
  {
    const CompletionTask task([&] { ++runs; });
  }
  EXPECT_EQ(runs, 1);
}

TEST(CompletionTask, DestroyedAfterItsCallItDoesNotRunAgain) {
  int runs = 0;
  {
    CompletionTask task([&] { ++runs; });
    task();
  }
  EXPECT_EQ(runs, 1);
}

TEST(CompletionTask, AMoveTakesTheWorkAlong) {
  int runs = 0;
  {
    CompletionTask task([&] { ++runs; });
    CompletionTask other(std::move(task));
    task();  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(runs, 0);
    other();
    EXPECT_EQ(runs, 1);
  }
  EXPECT_EQ(runs, 1);
}

TEST(CompletionTask, AssignedToItRunsWhatItHeld) {
  std::vector<int> runs;
  CompletionTask task([&] { runs.push_back(1); });
  task = CompletionTask([&] { runs.push_back(2); });
  EXPECT_EQ(runs, std::vector<int>{1});
  task();
  EXPECT_EQ(runs, (std::vector<int>{1, 2}));
}

TEST(CompletionTask, AssignedToItselfItKeepsItsWork) {
  int runs = 0;
  CompletionTask task([&] { ++runs; });
  CompletionTask& same = task;
  task = std::move(same);
  EXPECT_EQ(runs, 0);
  task();
  EXPECT_EQ(runs, 1);
}

TEST(CompletionTask, TheWorkIsDestroyedOnceItHasRun) {
  const auto shared = std::make_shared<int>(0);
  CompletionTask task([shared] { ++*shared; });
  EXPECT_EQ(shared.use_count(), 2);
  task();
  EXPECT_EQ(*shared, 1);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(CompletionTask, TheWorkMayBeMoveOnlyLargeOrOverAligned) {
  struct alignas(128) Aligned {
    int value = 1;
  };
  int sum = 0;
  CompletionTask unique([&sum, owned = std::make_unique<int>(1)] { sum += *owned; });
  std::array<int, 2000> many{};
  many[1999] = 1;
  CompletionTask large([&sum, many] { sum += many[1999]; });
  CompletionTask aligned([&sum, held = Aligned()] {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&held) % 128, 0u);
    sum += held.value;
  });
  unique();
  large();
  aligned();
  EXPECT_EQ(sum, 3);
}

TEST(CompletionTask, ATaskMayDestroyItsOwner) {
  auto tasks = std::make_unique<std::vector<CompletionTask>>();
  bool ran = false;
  tasks->emplace_back([&] { ran = true; });
  CompletionTask(std::move(tasks->front()))();
  tasks.reset();
  EXPECT_TRUE(ran);
}

}  // namespace
