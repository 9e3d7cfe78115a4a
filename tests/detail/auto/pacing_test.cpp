// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/pacing.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::Pacing;

LearnedCurve flat() {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, 4e6 + 0.05e6 * static_cast<double>(size));
  }
  return curve;
}

TEST(Pacing, HoldsASmallBatchWhileTheOthersAreLongBusy) {
  const LearnedCurve curve = flat();
  EXPECT_GT(
      Pacing::wait({.queued = 1, .rate = 4e-6, .executors = 4, .free = 1, .next_free = 3e6}, curve),
      0);
}

TEST(Pacing, GoesOnceEnoughIsQueued) {
  const LearnedCurve curve = flat();
  const auto wait = [&](std::size_t queued) {
    return Pacing::wait(
        {.queued = queued, .rate = 4e-6, .executors = 4, .free = 1, .next_free = 3e6}, curve);
  };
  std::size_t queued = 1;
  while (wait(queued) > 0) ++queued;
  // In the fluid limit it holds while n < rate * next_free / free = 12.
  EXPECT_GT(queued, 5u);
  EXPECT_LE(queued, 12u);
}

TEST(Pacing, GoesIfTheNextExecutorIsNearlyFreeOrNobodyComes) {
  const LearnedCurve curve = flat();
  EXPECT_EQ(
      Pacing::wait({.queued = 1, .rate = 4e-6, .executors = 4, .free = 1, .next_free = 0}, curve),
      0);
  EXPECT_EQ(
      Pacing::wait({.queued = 1, .rate = 0, .executors = 4, .free = 1, .next_free = 3e6}, curve),
      0);
}

TEST(Pacing, HoldsLessTheMoreExecutorsAreFree) {
  const LearnedCurve curve = flat();
  const auto wait = [&](double free) {
    return Pacing::wait({.queued = 2, .rate = 3e-6, .executors = 4, .free = free, .next_free = 3e6},
                        curve);
  };
  EXPECT_GE(wait(1), wait(2));
  EXPECT_GE(wait(2), wait(3));
}

}  // namespace
