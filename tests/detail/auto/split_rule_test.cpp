// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/split_rule.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::SplitRule;

LearnedCurve curve_of(double fixed, double per_item) {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, fixed + per_item * static_cast<double>(size));
  }
  return curve;
}

TEST(SplitRule, TakesAllWhereABatchHasALargeFixedPart) {
  const LearnedCurve curve = curve_of(2e6, 0.15e6);
  for (std::size_t queued = 1; queued <= 32; ++queued) {
    EXPECT_EQ(SplitRule::batch_of(queued, queued, 3e-6, 1, 1, curve), queued);
  }
}

TEST(SplitRule, TakesSingleOnesOfANearlyLinearCurve) {
  const LearnedCurve curve = curve_of(0.01e6, 1e6);
  EXPECT_EQ(SplitRule::batch_of(8, 8, 0.2e-6, 1, 1, curve), 1u);
}

TEST(SplitRule, WithNobodyComingIsTheSquareRootThatCalculusGives) {
  // sqrt(t0 n / a) = sqrt(4 * 16) = 8.
  const LearnedCurve curve = curve_of(4e6, 1e6);
  EXPECT_EQ(SplitRule::batch_of(16, 16, 0, 1, 1, curve), 8u);
}

TEST(SplitRule, UnderLoadTakesWhatKeepsUp) {
  const LearnedCurve curve = curve_of(1e6, 1e6);
  const std::size_t idle = SplitRule::batch_of(32, 32, 0, 1, 1, curve);
  const std::size_t busy = SplitRule::batch_of(32, 32, 0.9e-6, 1, 1, curve);
  EXPECT_GT(busy, idle);
  EXPECT_EQ(SplitRule::batch_of(32, 32, 2e-6, 1, 1, curve), 32u) << "nothing keeps up";
}

TEST(SplitRule, WhereNothingKeepsUpTakesTheSizeThatAnswersMost) {
  EXPECT_EQ(SplitRule::fastest(32, curve_of(2e6, 1e6)), 32u);
  LearnedCurve convex;
  for (std::size_t size = 1; size <= 32; ++size) {
    const auto b = static_cast<double>(size);
    convex.observe(size, 1e6 + 0.02e6 * b * b);
  }
  // The most a time is at sqrt(1 / 0.02) = 7.1.
  EXPECT_EQ(SplitRule::fastest(32, convex), 8u);
  EXPECT_EQ(SplitRule::batch_of(32, 32, 1, 1, 1, convex), 8u);
}

TEST(SplitRule, SharesAQueueAmongFreeExecutors) {
  const LearnedCurve curve = curve_of(2e6, 1e6);
  EXPECT_EQ(SplitRule::batch_of(8, 8, 0, 4, 4, curve), 2u);
}

TEST(SplitRule, KnowsThatALongQueueTakesManyBatches) {
  // Of eight at most: a short queue is split, a long one not.
  const LearnedCurve curve = curve_of(2e6, 1e6);
  EXPECT_LT(SplitRule::batch_of(8, 8, 0, 1, 1, curve), 8u);
  EXPECT_EQ(SplitRule::batch_of(200, 8, 0, 1, 1, curve), 8u);
}

}  // namespace
