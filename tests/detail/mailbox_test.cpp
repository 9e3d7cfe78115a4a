// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/mailbox.hpp>
#include <batchwright/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using batchwright::SystemRuntime;
using batchwright::detail::Mailbox;
using batchwright::testing::TestThread;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

TEST(Mailbox, HandsOverEveryBatchInEveryInterleaving) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Mailbox<int, TestRuntime> mailbox(runtime);
    int batches[5] = {0, 1, 2, 3, 4};
    std::vector<int> taken;
    TestThread executor = runtime.start([&] {
      while (const int* batch = mailbox.take()) taken.push_back(*batch);
    });
    for (int i = 0; i < 5; ++i) {
      mailbox.put(batches[i]);
      runtime.run_until([&] { return taken.size() == static_cast<std::size_t>(i) + 1; });
    }
    mailbox.close();
    executor.join();
    EXPECT_EQ(taken, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

TEST(Mailbox, SleepsUntilSomethingComes) {
  TestRuntime runtime({.seed = 1});
  Mailbox<int, TestRuntime> mailbox(runtime);
  int batch = 7;
  const int* taken = nullptr;
  TestThread executor = runtime.start([&] { taken = mailbox.take(); });
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 1u);
  mailbox.put(batch);
  executor.join();
  EXPECT_EQ(taken, &batch);
}

TEST(Mailbox, StaysClosed) {
  TestRuntime runtime({.seed = 1});
  Mailbox<int, TestRuntime> mailbox(runtime);
  mailbox.close();
  EXPECT_EQ(mailbox.take(), nullptr);
  EXPECT_EQ(mailbox.take(), nullptr);
}

TEST(Mailbox, OrdersMemoryOnTheMachine) {
  Mailbox<int, SystemRuntime> mailbox{SystemRuntime()};
  int batch = 0;
  std::atomic<int> done{0};
  std::thread executor([&] {
    while (int* const taken = mailbox.take()) {
      *taken *= 2;
      ++done;
      done.notify_one();
    }
  });
  for (int i = 1; i <= 200; ++i) {
    batch = i;
    mailbox.put(batch);
    for (int seen = done; seen < i; seen = done) done.wait(seen);
    EXPECT_EQ(batch, 2 * i);
  }
  mailbox.close();
  executor.join();
}

}  // namespace
