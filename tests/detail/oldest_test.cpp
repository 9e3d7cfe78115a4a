// SPDX-License-Identifier: MIT
#include <batchwright/detail/oldest.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::TimePoint;

TEST(Oldest, IsNeverUntilSaidAndThenWhatWasSaidLast) {
  batchwright::detail::Oldest oldest;
  EXPECT_EQ(oldest.queued(), kNever);
  EXPECT_EQ(oldest.running(), kNever);
  oldest.publish(TimePoint(Duration(5)), TimePoint(Duration(2)));
  EXPECT_EQ(oldest.queued(), TimePoint(Duration(5)));
  EXPECT_EQ(oldest.running(), TimePoint(Duration(2)));
  oldest.publish(kNever, TimePoint(Duration(4)));
  EXPECT_EQ(oldest.queued(), kNever);
  EXPECT_EQ(oldest.running(), TimePoint(Duration(4)));
}

}  // namespace
