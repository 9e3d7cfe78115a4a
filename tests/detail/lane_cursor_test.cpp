// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/lane_cursor.hpp>

#include <gtest/gtest.h>

#include <string>

namespace {

using batchwright::Duration;
using batchwright::QueueCursor;
using batchwright::QueuedRequest;
using batchwright::TimePoint;
using batchwright::detail::Lane;
using batchwright::detail::LaneCursor;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;

// The priority of the next one; "end" if there is none.
std::string next(QueueCursor& cursor) {
  QueuedRequest request;
  return cursor.next(request) ? std::to_string(request.priority) : "end";
}

TEST(LaneCursor, WalksTheLaneInTheOrderInWhichABatchTakesIt) {
  BacklogRig rig;
  LaneCursor lane_cursor(rig.order);
  for (const int priority : {1, 3, 2}) rig.enter("x", priority);
  QueueCursor cursor = lane_cursor.at(*rig.backlog.first_lane());
  EXPECT_EQ(next(cursor), "3");
  EXPECT_EQ(next(cursor), "2");
  EXPECT_EQ(next(cursor), "1");
  EXPECT_EQ(next(cursor), "end");
  EXPECT_EQ(next(cursor), "end");
}

TEST(LaneCursor, TwoInTurnDoNotDisturbEachOther) {
  BacklogRig rig;
  LaneCursor lane_cursor(rig.order);
  for (const int priority : {1, 3, 2}) rig.enter("x", priority);
  QueueCursor one = lane_cursor.at(*rig.backlog.first_lane());
  QueueCursor other = one;
  EXPECT_EQ(next(one), "3");
  EXPECT_EQ(next(one), "2");
  EXPECT_EQ(next(other), "3");
  EXPECT_EQ(next(one), "1");
  EXPECT_EQ(next(other), "2");
  EXPECT_EQ(next(one), "end");
  EXPECT_EQ(next(other), "1");
}

TEST(LaneCursor, KeepsToItsLane) {
  BacklogRig rig;
  LaneCursor lane_cursor(rig.order);
  Tenant tenant;
  Lane left, right;
  rig.enter("l", 1, 1, &rig.flow(tenant, left));
  rig.enter("r", 2, 1, &rig.flow(tenant, right));
  QueueCursor cursor = lane_cursor.at(left);
  EXPECT_EQ(next(cursor), "1");
  EXPECT_EQ(next(cursor), "end");
  cursor = lane_cursor.at(right);
  EXPECT_EQ(next(cursor), "2");
  EXPECT_EQ(next(cursor), "end");
}

TEST(LaneCursor, ShowsWhatAPolicyMayKnow) {
  BacklogRig rig;
  LaneCursor lane_cursor(rig.order);
  auto& request = rig.enter("x", 4, 3);
  request.enqueued = TimePoint(Duration(10));
  request.deadline = TimePoint(Duration(20));
  QueueCursor cursor = lane_cursor.at(*rig.backlog.first_lane());
  QueuedRequest seen;
  ASSERT_TRUE(cursor.next(seen));
  EXPECT_EQ(seen.enqueued, request.enqueued);
  EXPECT_EQ(seen.deadline, request.deadline);
  EXPECT_EQ(seen.weight, 3u);
  EXPECT_EQ(seen.priority, 4);
}

}  // namespace
