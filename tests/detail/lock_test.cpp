// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/lock.hpp>
#include <batchwright/runtime.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using batchwright::SystemRuntime;
using batchwright::detail::Lock;
using batchwright::detail::LockGuard;
using batchwright::testing::TestThread;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

static_assert(!std::is_copy_constructible_v<Lock<SystemRuntime>>);
static_assert(sizeof(Lock<SystemRuntime>) == sizeof(std::uint32_t));

TEST(Lock, LetsOneInAtATimeInEveryInterleaving) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Lock<TestRuntime> lock(runtime);
    int inside = 0;
    int entries = 0;
    std::vector<TestThread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.push_back(runtime.start([&] {
        for (int i = 0; i < 3; ++i) {
          const LockGuard guard(lock);
          EXPECT_EQ(++inside, 1);
          runtime.interleave("inside");
          EXPECT_EQ(inside, 1);
          --inside;
          ++entries;
        }
      }));
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(entries, 9);
  });
}

TEST(Lock, ParksBehindAHolderThatTakesLongAndIsWoken) {
  TestRuntime runtime({.seed = 1});
  Lock<TestRuntime> lock(runtime);
  bool entered = false;
  lock.lock();
  TestThread waiter = runtime.start([&] {
    const LockGuard guard(lock);
    entered = true;
  });
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 1u);
  EXPECT_FALSE(entered);
  lock.unlock();
  waiter.join();
  EXPECT_TRUE(entered);
}

TEST(Lock, WithoutContentionNeitherParksNorWakes) {
  TestRuntime runtime({.seed = 1});
  Lock<TestRuntime> lock(runtime);
  for (int i = 0; i < 10; ++i) const LockGuard guard(lock);
  EXPECT_EQ(runtime.counts().parks, 0u);
  EXPECT_EQ(runtime.counts().unparks + runtime.counts().idle_unparks, 0u);
}

TEST(Lock, OrdersMemoryOnTheMachine) {
  Lock<SystemRuntime> lock{SystemRuntime()};
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const LockGuard guard(lock);
        ++count;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 8000);
}

}  // namespace
