// SPDX-License-Identifier: MIT
#include <batchwright/policies/reachable_size.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

namespace {

using batchwright::kNoCount;
using batchwright::detail::ReachableSize;

constexpr std::size_t kStep = 4;

TEST(ReachableSize, IsUnknownUntilAWindowRanOut) {
  ReachableSize reachable;
  reachable.observe(7, false, kStep);
  EXPECT_EQ(reachable.size(), kNoCount);
  reachable.observe(7, true, kStep);
  EXPECT_EQ(reachable.size(), 7u);
}

TEST(ReachableSize, RisesAtOnceWhenMoreComes) {
  ReachableSize reachable;
  reachable.observe(7, true, kStep);
  reachable.observe(30, false, kStep);
  EXPECT_EQ(reachable.size(), 34u);
}

TEST(ReachableSize, ASmallerBatchThatDidNotWaitSaysNothing) {
  ReachableSize reachable;
  reachable.observe(7, true, kStep);
  reachable.observe(3, false, kStep);
  EXPECT_EQ(reachable.size(), 7u);
}

// So many batches of 1,000 waited for a window, if never more than 64 come.
TEST(ReachableSize, TriesForMoreEverMoreSeldom) {
  ReachableSize reachable;
  int waited = 0;
  for (int batch = 0; batch < 1000; ++batch) {
    const bool ran_out = reachable.size() > 64;
    waited += ran_out ? 1 : 0;
    reachable.observe(64, ran_out, kStep);
  }
  EXPECT_EQ(waited, 10);
}

TEST(ReachableSize, ATrialThatSucceedsIsFollowedByTheNextOne) {
  ReachableSize reachable;
  reachable.observe(8, true, kStep);
  std::size_t batches = 0;
  // 64 come from now on, but never more than are waited for.
  while (reachable.size() < 64) {
    reachable.observe(std::min<std::size_t>(reachable.size(), 64), false, kStep);
    ASSERT_LT(++batches, 20u);
  }
  EXPECT_EQ(batches, 14u);
}

TEST(ReachableSize, IsNeverZero) {
  ReachableSize reachable;
  reachable.observe(0, true, kStep);
  EXPECT_EQ(reachable.size(), 1u);
}

}  // namespace
