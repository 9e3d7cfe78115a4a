// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/startup.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace {

using batchwright::detail::start_and_wait;
using batchwright::testing::TestThread;
using batchwright_test::for_each_seed;
using batchwright_test::Gate;
using batchwright_test::TestRuntime;

TEST(Startup, ReturnsWhenTheThreadHasStartedAndNotBefore) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    std::vector<TestThread> threads;
    Gate gate(runtime);
    bool started = false;
    bool ended = false;
    start_and_wait(runtime, threads, [&](auto&& start) {
      runtime.interleave("before the start");
      EXPECT_TRUE(start([&] { started = true; }));
      gate.pass();
      ended = true;
    });
    EXPECT_TRUE(started);
    EXPECT_FALSE(ended);
    ASSERT_EQ(threads.size(), 1u);
    gate.open();
    threads.front().join();
    EXPECT_TRUE(ended);
  });
}

TEST(Startup, ThrowsWhatTheStartThrowsAndTellsTheThread) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    std::vector<TestThread> threads;
    bool good = true;
    EXPECT_THROW(start_and_wait(runtime, threads,
                                [&](auto&& start) {
                                  good = start([] { throw std::runtime_error("no device"); });
                                }),
                 std::runtime_error);
    ASSERT_EQ(threads.size(), 1u);  // It is there, and ends by itself.
    threads.front().join();
    EXPECT_FALSE(good);
  });
}

}  // namespace
