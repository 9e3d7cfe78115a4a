// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/changes.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::testing::TestThread;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

// Stands for a policy; the copy of one may throw.
struct Named {
  int name = 0;
  bool throws = false;

  explicit Named(int its_name, bool its_throws = false) : name(its_name), throws(its_throws) {}
  Named(const Named& other) : name(other.name), throws(other.throws) {
    if (throws) throw std::runtime_error("copied");
  }
  Named(Named&&) = default;
  Named& operator=(const Named&) = delete;
  Named& operator=(Named&&) = default;
};

using Changes = batchwright::detail::Changes<Named, TestRuntime>;

/// What the dispatcher finds.
struct Taken {
  explicit Taken(Changes& changes) { any = changes.take(cap, policy); }

  bool any;
  std::size_t cap = kNoCount;
  std::optional<Named> policy;
};

TEST(Changes, AreNoneAtFirst) {
  const TestRuntime runtime;
  Changes changes(runtime);
  EXPECT_FALSE(Taken(changes).any);
  EXPECT_FALSE(changes.watches());
}

TEST(Changes, AreTakenOnce) {
  const TestRuntime runtime;
  Changes changes(runtime);
  const Named policy(7);
  changes.post(3, &policy);
  const Taken taken(changes);
  EXPECT_TRUE(taken.any);
  EXPECT_EQ(taken.cap, 3u);
  EXPECT_EQ(taken.policy.value().name, 7);
  EXPECT_FALSE(Taken(changes).any);
}

TEST(Changes, OfTwoThatWereNotTakenTheLaterCountsOfEachKind) {
  const TestRuntime runtime;
  Changes changes(runtime);
  const Named first(1), second(2);
  changes.post(5, &first);
  changes.post(6, nullptr);
  changes.post(kNoCount, &second);
  const Taken taken(changes);
  EXPECT_EQ(taken.cap, 6u);
  EXPECT_EQ(taken.policy.value().name, 2);
}

TEST(Changes, OneWhosePolicyCannotBeCopiedIsNotMade) {
  const TestRuntime runtime;
  Changes changes(runtime);
  const Named bad(1, true);
  EXPECT_THROW(changes.post(5, &bad), std::runtime_error);
  EXPECT_FALSE(Taken(changes).any);
}

TEST(Changes, ThatSomebodyWatchesStays) {
  const TestRuntime runtime;
  Changes changes(runtime);
  changes.post_watch();
  EXPECT_FALSE(Taken(changes).any);
  EXPECT_TRUE(changes.watches());
}

TEST(Changes, AreNotLostInAnyInterleaving) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Changes changes(runtime);
    std::vector<TestThread> threads;
    for (int t = 1; t <= 2; ++t) {
      threads.push_back(runtime.start([&changes, t] {
        const Named policy(t);
        changes.post(kNoCount, &policy);
        changes.post(static_cast<std::size_t>(t), nullptr);
      }));
    }
    std::size_t cap = 0;
    int policy = 0;
    const auto take = [&] {
      const Taken taken(changes);
      if (taken.cap != kNoCount) cap = taken.cap;
      if (taken.policy.has_value()) policy = taken.policy->name;
    };
    for (int i = 0; i < 3; ++i) {
      take();
      runtime.interleave("between two looks");
    }
    for (auto& thread : threads) thread.join();
    take();
    EXPECT_NE(cap, 0u);
    EXPECT_NE(policy, 0);
    EXPECT_FALSE(Taken(changes).any);
  });
}

}  // namespace
