// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/pacing.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::Pacing;
using batchwright::detail::QueueValue;

LearnedCurve flat() {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, 4e6 + 0.05e6 * static_cast<double>(size));
  }
  return curve;
}

// Of four executors.
QueueValue value_at(double rate) { return QueueValue::taking_all(rate, 1, 4, 32, flat()); }

TEST(Pacing, HoldsASmallBatchWhileTheOthersAreLongBusy) {
  EXPECT_GT(Pacing::wait({.queued = 1, .rate = 4e-6, .free = 1, .next_free = 3e6, .busy = 10e6},
                         value_at(4e-6), flat()),
            0);
}

TEST(Pacing, GoesOnceEnoughIsQueued) {
  const auto wait = [](std::size_t queued) {
    return Pacing::wait({.queued = queued, .rate = 4e-6, .free = 1, .next_free = 3e6, .busy = 10e6},
                        value_at(4e-6), flat());
  };
  std::size_t queued = 1;
  while (wait(queued) > 0) ++queued;
  // In the fluid limit it holds while n < rate * next_free / free = 12.
  EXPECT_GT(queued, 5u);
  EXPECT_LE(queued, 12u);
}

TEST(Pacing, GoesIfTheNextExecutorIsNearlyFreeOrNobodyComes) {
  EXPECT_EQ(Pacing::wait({.queued = 1, .rate = 4e-6, .free = 1, .next_free = 0, .busy = 5e6},
                         value_at(4e-6), flat()),
            0);
  EXPECT_EQ(Pacing::wait({.queued = 1, .rate = 0, .free = 1, .next_free = 3e6, .busy = 10e6},
                         value_at(0), flat()),
            0);
}

TEST(Pacing, HoldsLessTheMoreExecutorsAreFree) {
  const auto wait = [](double free) {
    return Pacing::wait(
        {.queued = 2, .rate = 3e-6, .free = free, .next_free = 3e6, .busy = (4 - free) * 3e6},
        value_at(3e-6), flat());
  };
  EXPECT_GT(wait(1), wait(2));
  EXPECT_GE(wait(2), wait(3));
}

TEST(Pacing, HoldsLessWhereALaterEndDelaysManyAfterIt) {
  LearnedCurve steep;
  for (std::size_t size = 1; size <= 32; ++size) {
    steep.observe(size, 5e6 + 1e6 * static_cast<double>(size));
  }
  const auto wait = [&](double rate) {
    return Pacing::wait({.queued = 2, .rate = 1.2e-6, .free = 1, .next_free = 6e6, .busy = 90e6},
                        QueueValue::taking_all(rate, 1, 4, 32, steep), steep);
  };
  EXPECT_LT(wait(2e-6), wait(0.01e-6));
}

TEST(Pacing, DoesNotHoldIfThatMakesTheExecutorsTooSlow) {
  LearnedCurve linear;
  for (std::size_t size = 1; size <= 8; ++size) {
    linear.observe(size, 0.1e6 + 1e6 * static_cast<double>(size));
  }
  QueueValue nothing;  // What comes after costs nothing: only the speed speaks against it.
  nothing.mean = 0;
  nothing.executors = 2;
  const Pacing::Input input{.queued = 1, .rate = 1.7e-6, .free = 1, .next_free = 1e6, .busy = 1e6};
  EXPECT_EQ(Pacing::wait(input, nothing, linear), 0);
}

}  // namespace
