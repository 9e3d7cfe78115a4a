// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/turn.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace {

using batchwright::testing::TestThread;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

using Turn = batchwright::detail::Turn<TestRuntime>;

TEST(Turn, IsOfOneAtATimeInEveryInterleaving) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    std::atomic<std::uint32_t> word{0};
    int inside = 0;
    int turns = 0;
    std::vector<TestThread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.push_back(runtime.start([&] {
        for (int i = 0; i < 2; ++i) {
          const Turn turn(runtime, word);
          EXPECT_EQ(++inside, 1);
          runtime.interleave("inside");
          --inside;
          ++turns;
        }
      }));
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(turns, 6);
    EXPECT_EQ(word.load(), 0u);
  });
}

TEST(Turn, WhoComesSecondSleepsUntilTheFirstHasLeft) {
  const TestRuntime runtime;
  std::atomic<std::uint32_t> word{0};
  bool second_entered = false;
  std::optional<Turn> first(std::in_place, runtime, word);
  TestThread second = runtime.start([&] {
    const Turn turn(runtime, word);
    second_entered = true;
  });
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 1u);
  EXPECT_FALSE(second_entered);
  first.reset();
  second.join();
  EXPECT_TRUE(second_entered);
}

}  // namespace
