// SPDX-License-Identifier: MIT
#include <batchwright/detail/lane_ages.hpp>

#include <gtest/gtest.h>

#include <cstdint>

namespace {

using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::Lane;
using batchwright::detail::LaneAges;
using batchwright::detail::RequestHeader;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

std::uint64_t last_sequence = 0;

void enter(LaneAges& ages, Lane& lane, RequestHeader& request, std::int64_t tick) {
  request.enqueued = at(tick);
  request.sequence = ++last_sequence;
  lane.ages.insert(request);
  ++lane.count;
  ages.entered(lane, request);
}

void leave(LaneAges& ages, Lane& lane, RequestHeader& request) {
  lane.ages.erase(request);
  if (--lane.count == 0) ages.emptied(lane);
}

TEST(LaneAges, WithoutALaneThereIsNoOldest) {
  LaneAges ages;
  EXPECT_EQ(ages.first(), nullptr);
}

TEST(LaneAges, TheOldestOfAllLanesIsFound) {
  LaneAges ages;
  Lane left, right;
  RequestHeader a{}, b{}, c{};
  enter(ages, left, a, 5);
  enter(ages, right, b, 3);
  EXPECT_EQ(ages.first(), &right);
  enter(ages, left, c, 1);  // Stamped before the one that came before it.
  EXPECT_EQ(ages.first(), &left);
}

TEST(LaneAges, ALaneGetsYoungerAsItsRequestsLeave) {
  LaneAges ages;
  Lane left, right;
  RequestHeader a{}, b{}, c{};
  enter(ages, left, a, 1);
  enter(ages, right, b, 2);
  enter(ages, left, c, 3);
  leave(ages, left, a);
  EXPECT_EQ(ages.first(), &right);
  leave(ages, right, b);
  EXPECT_EQ(ages.first(), &left);
  leave(ages, left, c);
  EXPECT_EQ(ages.first(), nullptr);
  enter(ages, right, b, 4);
  EXPECT_EQ(ages.first(), &right);
}

TEST(LaneAges, OfLanesOfOneInstantTheOneWhoseOldestWasAcceptedFirstIsFirst) {
  LaneAges ages;
  Lane left, right;
  RequestHeader a, b, c;
  enter(ages, left, a, 1);
  enter(ages, right, b, 1);
  enter(ages, left, c, 1);
  EXPECT_EQ(ages.first(), &left);
  EXPECT_TRUE(LaneAges::older(left, right));
  leave(ages, left, a);
  EXPECT_EQ(ages.first(), &right);
  EXPECT_FALSE(LaneAges::older(left, right));
  leave(ages, right, b);
  EXPECT_EQ(ages.first(), &left);
}

}  // namespace
