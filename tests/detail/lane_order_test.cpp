// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/lane_order.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::detail::Lane;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;

TEST(LaneOrder, OfOneTenantIsByPriorityAndThenAsTheyCame) {
  BacklogRig rig;
  rig.enter("a");
  rig.enter("b", 2);
  rig.enter("c");
  rig.enter("d", 2);
  EXPECT_EQ(rig.walk(*rig.backlog.first_lane()), "bdac");
}

TEST(LaneOrder, TenantsTakeTurnsByTheirShares) {
  BacklogRig rig;
  Lane lane;
  Tenant one, two;
  two.share = 2;
  auto& a = rig.flow(one, lane);
  auto& b = rig.flow(two, lane);
  for (int i = 0; i < 3; ++i) rig.enter("a", 0, 1, &a);
  for (int i = 0; i < 6; ++i) rig.enter("b", 0, 1, &b);
  EXPECT_EQ(rig.walk(lane), "abbabbabb");
}

TEST(LaneOrder, AWalkChangesNothingAndMayBeginAnew) {
  BacklogRig rig;
  rig.enter("a");
  rig.enter("b");
  EXPECT_EQ(rig.walk(*rig.backlog.first_lane()), "ab");
  static_cast<void>(rig.order.begin(*rig.backlog.first_lane()));
  EXPECT_EQ(rig.walk(*rig.backlog.first_lane()), "ab");
}

TEST(LaneOrder, LinksTheFirstOnesOrAllIfThereAreFewer) {
  BacklogRig rig;
  auto& a = rig.enter("a");
  auto& b = rig.enter("b", 2);
  const auto& lane = *rig.backlog.first_lane();
  EXPECT_EQ(rig.order.first_of(lane, 1), &b);
  EXPECT_EQ(b.next_picked, nullptr);
  EXPECT_EQ(rig.order.first_of(lane, 5), &b);
  EXPECT_EQ(b.next_picked, &a);
  EXPECT_EQ(a.next_picked, nullptr);
}

TEST(LaneOrder, BetweenLanesTheTenantCountsBeforeThePriority) {
  BacklogRig rig;
  Lane left, right;
  Tenant spent, fresh;
  auto& a = rig.enter("a", 9, 1, &rig.flow(spent, left));
  auto& b = rig.enter("b", 0, 1, &rig.flow(fresh, right));
  EXPECT_TRUE(rig.order.before(a, b));  // Equals: who came first.
  spent.tag = 1;
  EXPECT_TRUE(rig.order.before(b, a));
}

TEST(LaneOrder, BetweenLanesOfOneTenantItIsItsOwnOrder) {
  BacklogRig rig;
  Lane left, right, third;
  Tenant tenant;
  auto& a = rig.enter("a", 0, 1, &rig.flow(tenant, left));
  auto& b = rig.enter("b", 1, 1, &rig.flow(tenant, right));
  auto& c = rig.enter("c", 0, 1, &rig.flow(tenant, third));
  EXPECT_TRUE(rig.order.before(b, a));
  EXPECT_TRUE(rig.order.before(a, c));
  rig.backlog.delay(a);
  EXPECT_TRUE(rig.order.before(c, a));
  c.at_bound = true;
  EXPECT_TRUE(rig.order.before(c, b));
  c.at_bound = false;
}

}  // namespace
