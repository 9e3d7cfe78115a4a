// SPDX-License-Identifier: MIT
#include <batchwright/detail/lone_request.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::QueueCursor;
using batchwright::QueuedRequest;
using batchwright::TimePoint;
using batchwright::detail::LoneRequest;
using batchwright::detail::RequestHeader;

TEST(LoneRequest, IsAQueueOfOneWithAllThatAPolicyMaySee) {
  RequestHeader request{};
  request.enqueued = TimePoint(batchwright::Duration(3));
  request.deadline = TimePoint(batchwright::Duration(9));
  request.weight = 7;
  request.priority = -2;
  QueueCursor cursor = LoneRequest::cursor(request);
  QueuedRequest seen;
  ASSERT_TRUE(cursor.next(seen));
  EXPECT_EQ(seen.enqueued, request.enqueued);
  EXPECT_EQ(seen.deadline, request.deadline);
  EXPECT_EQ(seen.weight, 7u);
  EXPECT_EQ(seen.priority, -2);
  EXPECT_FALSE(cursor.next(seen));
  EXPECT_FALSE(cursor.next(seen));
}

}  // namespace
