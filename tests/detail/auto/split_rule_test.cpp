// SPDX-License-Identifier: MIT
#include "tests/support/optimal_rule.hpp"

#include <batchwright/detail/auto/split_rule.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::QueueValue;
using batchwright::detail::SplitRule;
using batchwright_test::DispatchProblem;
using batchwright_test::DispatchRule;

LearnedCurve curve_of(double fixed, double per_item) {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, fixed + per_item * static_cast<double>(size));
  }
  return curve;
}

/// One executor.
std::size_t part_of(std::size_t queued, double rate, const LearnedCurve& curve,
                    std::size_t cap = 32) {
  return SplitRule::batch_of({.queued = queued, .most = std::min(queued, cap)},
                             QueueValue::of(rate, 1, 1, cap, curve), curve);
}

TEST(SplitRule, TakesAllWhereABatchHasALargeFixedPart) {
  const LearnedCurve curve = curve_of(2e6, 0.15e6);
  for (std::size_t queued = 1; queued <= 32; ++queued) {
    EXPECT_EQ(part_of(queued, 3e-6, curve), queued);
  }
}

TEST(SplitRule, TakesSingleOnesOfANearlyLinearCurve) {
  EXPECT_EQ(part_of(8, 0.2e-6, curve_of(0.01e6, 1e6)), 1u);
}

TEST(SplitRule, IsTheOptimumToOnePercent) {
  struct Case {
    double fixed, per_item;
    std::size_t cap;
  };
  for (const Case& one : {Case{0.1, 1, 8}, {0.1, 1, 32}, {0.02, 1, 16}, {0.5, 1, 16}, {3, 1, 32}}) {
    const LearnedCurve curve = curve_of(one.fixed, one.per_item);
    for (const double load : {0.3, 0.5, 0.7, 0.85}) {
      const auto time = [&](std::size_t size) {
        return one.fixed + one.per_item * static_cast<double>(size);
      };
      const double rate = load * static_cast<double>(one.cap) / time(one.cap);
      const DispatchProblem problem({.rate = rate, .time = time, .cap = one.cap, .states = 150});
      DispatchRule rule(151, 0);
      for (std::size_t n = 1; n < rule.size(); ++n) rule[n] = part_of(n, rate, curve, one.cap);
      EXPECT_LT(problem.evaluate(rule).mean_latency, 1.01 * problem.solve().mean_latency)
          << one.fixed << ' ' << one.cap << ' ' << load;
    }
  }
}

TEST(SplitRule, UnderLoadTakesWhatKeepsUp) {
  const LearnedCurve curve = curve_of(0.1e6, 1e6);
  EXPECT_GT(part_of(16, 0.9e-6, curve), part_of(16, 0.1e-6, curve));
}

TEST(SplitRule, OfACurveWithAStepTakesWhatIsBelowIt) {
  LearnedCurve steps;
  for (std::size_t size = 1; size <= 32; ++size) {
    steps.observe(size, size <= 8 ? 2e6 : size <= 16 ? 3.6e6 : 6.4e6);
  }
  EXPECT_EQ(part_of(10, 1e-6, steps), 8u);
}

TEST(SplitRule, WhereNothingKeepsUpTakesTheSizeThatAnswersMost) {
  const auto fastest = [](const LearnedCurve& curve) {
    return SplitRule::of_backlog({.queued = 1000, .most = 32}, 1, 1, curve);
  };
  EXPECT_EQ(fastest(curve_of(2e6, 1e6)), 32u);
  LearnedCurve convex;
  for (std::size_t size = 1; size <= 32; ++size) {
    const auto b = static_cast<double>(size);
    convex.observe(size, 1e6 + 0.02e6 * b * b);
  }
  // The most a time is at sqrt(1 / 0.02) = 7.1.
  EXPECT_NEAR(static_cast<double>(fastest(convex)), 7, 1);
  EXPECT_NEAR(static_cast<double>(part_of(32, 1, convex)), 8, 1);
}

TEST(SplitRule, OfALongQueueTakesWhatAnswersAllOfItSoonest) {
  const std::size_t queued = 400;
  for (const LearnedCurve& curve :
       {curve_of(0.1e6, 1e6), curve_of(0.5e6, 1e6), curve_of(2e6, 0.15e6)}) {
    for (const std::size_t executors : {1u, 4u}) {
      // Batches of that size, as many at a time as there are executors, which end one after the other.
      const auto total = [&](std::size_t size) {
        double sum = 0;
        for (std::size_t first = 0; first < queued; first += size) {
          const double batches =
              1 + static_cast<double>(first / size) / static_cast<double>(executors);
          sum += batches * curve(size) * static_cast<double>(std::min(size, queued - first));
        }
        return sum;
      };
      double least = 1e300;
      for (std::size_t size = 1; size <= 32; ++size) least = std::min(least, total(size));
      const std::size_t chosen = SplitRule::of_backlog({.queued = queued, .most = 32}, 0,
                                                       static_cast<double>(executors), curve);
      EXPECT_LT(total(chosen), 1.01 * least) << executors << ": " << chosen;
    }
  }
}

TEST(SplitRule, OfALongQueueTakesAllThatMayLeaveWhereNothingIsKnown) {
  EXPECT_EQ(SplitRule::of_backlog({.queued = 200, .most = 32}, 1e-6, 1, LearnedCurve{}), 32u);
}

TEST(SplitRule, OfALongQueueTakesMoreWhereManyCome) {
  const LearnedCurve curve = curve_of(0.2e6, 1e6);
  const auto with = [&](double rate) {
    return SplitRule::of_backlog({.queued = 200, .most = 32}, rate, 1, curve);
  };
  EXPECT_LT(with(0), with(0.85e-6));
}

TEST(SplitRule, SharesAQueueAmongFreeExecutors) {
  const LearnedCurve curve = curve_of(2e6, 1e6);
  const QueueValue value = QueueValue::of(1.5e-6, 1, 4, 32, curve);
  EXPECT_EQ(SplitRule::batch_of({.queued = 16, .most = 16, .free = 4}, value, curve), 4u);
}

TEST(SplitRule, LeavesMoreToOthersThatAreSoonFree) {
  const LearnedCurve curve = curve_of(0.5e6, 1e6);
  const QueueValue value = QueueValue::of(1e-6, 1, 4, 32, curve);
  const auto with = [&](double busy) {
    return SplitRule::batch_of({.queued = 12, .most = 12, .free = 1, .busy = busy}, value, curve);
  };
  EXPECT_LT(with(1e6), with(20e6));
}

}  // namespace
