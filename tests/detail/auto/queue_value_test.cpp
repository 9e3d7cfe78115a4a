// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/queue_value.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::QueueValue;

constexpr double kMs = 1e6;

LearnedCurve curve_of(double fixed, double per_item, std::size_t cap = 16) {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= cap; ++size) {
    curve.observe(size, fixed + per_item * static_cast<double>(size));
  }
  return curve;
}

TEST(QueueValue, OfSingleRequestsIsTheQueueMD1) {
  // A batch of two takes twice as long and more, so B is one: L = r + r^2 / (2 (1 - r)).
  const LearnedCurve curve = curve_of(0, kMs);
  for (const double load : {0.2, 0.5, 0.8}) {
    const QueueValue value = QueueValue::of(load / kMs, 1, 1, 16, curve);
    EXPECT_NEAR(value.service, kMs, 1);
    EXPECT_NEAR(value.mean, load + load * load / (2 * (1 - load)), 1e-9) << load;
    // The fluid limit: each request is worked off at 1 - r a batch.
    EXPECT_NEAR(value.weight, kMs / (1 - load), 1e-3) << load;
  }
}

TEST(QueueValue, IsTheOneThatItsBatchesLeave) {
  // V(n) = cost of a batch of B - g t + V(n - B + what comes), for each n.
  for (const double executors : {1.0, 4.0}) {
    const LearnedCurve curve = curve_of(0.1 * kMs, kMs);
    const QueueValue value = QueueValue::of(0.8 * executors / kMs, 1, executors, 16, curve);
    const auto own = [&](double n) { return value.weight / 2 * n * n + value.slope * n; };
    std::size_t size = 1;
    while (curve(size) < value.service - 1) ++size;
    const auto b = static_cast<double>(size);
    for (const double n : {20.0, 50.0}) {
      const double batch = b * value.service + value.after(n - b, value.service / executors);
      EXPECT_NEAR(batch, own(n), 1e-9 * own(n)) << executors << ' ' << n;
    }
  }
}

TEST(QueueValue, OfTakingAllIsTheOneThatItLeaves) {
  // V(n) = n l(n) + (until the next one is free) + V(what comes), for each n.
  for (const double executors : {1.0, 4.0}) {
    for (const double groups : {1.0, 3.0}) {
      const LearnedCurve curve = curve_of(2 * kMs, 0.1 * kMs, 64);
      const QueueValue value =
          QueueValue::taking_all(4 * executors / kMs, groups, executors, 64, curve);
      const auto own = [&](double n) { return value.weight / 2 * n * n + value.slope * n; };
      for (const std::size_t n : {2u, 10u, 40u}) {
        const auto size = static_cast<double>(n);
        const double all = size * curve(n) + value.after(0, curve(n) / executors);
        EXPECT_NEAR(all, own(size), 1e-3 * own(size)) << executors << ' ' << groups << ' ' << n;
      }
    }
  }
}

TEST(QueueValue, OfTakingAllIsFiniteForOneSizeAndWhereNothingKeepsUp) {
  for (const std::size_t cap : {1u, 16u}) {
    for (const double rate : {0.0, 100 / kMs}) {
      const QueueValue value =
          QueueValue::taking_all(rate, 1, 2, cap, curve_of(0.1 * kMs, kMs, cap));
      EXPECT_GT(value.after(10, kMs), 0) << rate;
      EXPECT_LT(value.after(10, kMs), 1e12) << rate;
    }
  }
}

TEST(QueueValue, TakesLargerBatchesUnderLoad) {
  const LearnedCurve curve = curve_of(0.1 * kMs, kMs);
  EXPECT_NEAR(QueueValue::of(0.3 / kMs, 1, 1, 16, curve).service, curve(1), 1);
  EXPECT_GT(QueueValue::of(0.93 / kMs, 1, 1, 16, curve).service, curve(3));
}

TEST(QueueValue, GroupsCostMoreThanSingleCallers) {
  const LearnedCurve curve = curve_of(0.1 * kMs, kMs);
  const double single = QueueValue::of(0.5 / kMs, 1, 1, 16, curve).mean;
  EXPECT_GT(QueueValue::of(0.5 / kMs, 7, 1, 16, curve).mean, 1.5 * single);
}

TEST(QueueValue, StaysFiniteWhereNobodyComesAndWhereNothingKeepsUp) {
  const LearnedCurve curve = curve_of(0.1 * kMs, kMs);
  for (const double rate : {0.0, 100 / kMs}) {
    const QueueValue value = QueueValue::of(rate, 1, 2, 16, curve);
    EXPECT_GT(value.weight, 0);
    EXPECT_LT(value.after(10, kMs), 1e12) << rate;
    EXPECT_GT(value.after(10, kMs), 0) << rate;
  }
}

TEST(QueueValue, KnowsThatTheLargestBatchNeedNotCarryTheMost) {
  // Eight at a time answer 4 a millisecond, 16 at a time 2.
  LearnedCurve convex;
  for (std::size_t size = 1; size <= 16; ++size) {
    convex.observe(size, (size <= 8 ? 2 : 8) * kMs);
  }
  EXPECT_NEAR(QueueValue::of(3 / kMs, 1, 1, 16, convex).rate, 3 / kMs, 1e-12);
}

}  // namespace
