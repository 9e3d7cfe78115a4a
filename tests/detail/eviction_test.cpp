// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/eviction.hpp>

#include <gtest/gtest.h>

#include <string>

namespace {

using batchwright::detail::choose_victims;
using batchwright::detail::Lane;
using batchwright::detail::RequestHeader;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;
using batchwright_test::NamedHeader;

std::string names(const RequestHeader* victim) {
  std::string text;
  for (; victim != nullptr; victim = victim->next_picked) {
    text += static_cast<const NamedHeader&>(*victim).name;
  }
  return text;
}

class EvictionTest : public ::testing::Test {
 protected:
  std::string victims(std::size_t count, std::size_t bytes, int priority) {
    return names(choose_victims(rig_.backlog.own_tenant(), count, bytes, priority));
  }
  BacklogRig rig_;
};

TEST_F(EvictionTest, TheNewestOfTheLowestPriorityGoesFirst) {
  rig_.enter("a", 1);
  rig_.enter("b", 0);
  rig_.enter("c", 1);
  rig_.enter("d", 0);
  EXPECT_EQ(victims(1, 0, 5), "d");
  EXPECT_EQ(victims(3, 0, 5), "dbc");
  EXPECT_EQ(rig_.backlog.count(), 4u);  // The choice alone changes nothing.
}

TEST_F(EvictionTest, OnlyStrictlyLowerPrioritiesAndNobodyIfTheyDoNotSuffice) {
  rig_.enter("a", 1);
  rig_.enter("b", 0);
  EXPECT_EQ(victims(1, 0, 0), "");
  EXPECT_EQ(victims(2, 0, 1), "");
  EXPECT_EQ(victims(1, 0, 1), "b");
}

TEST_F(EvictionTest, AsManyAsFreeTheBytes) {
  for (const char* name : {"a", "b", "c"}) rig_.enter(name).bytes = 10;
  EXPECT_EQ(victims(1, 11, 1), "cb");
  EXPECT_EQ(victims(0, 10, 1), "c");
  EXPECT_EQ(victims(0, 31, 1), "");
}

TEST_F(EvictionTest, DelayedOnesGoBeforeTheOthersOfTheirPriority) {
  auto& a = rig_.enter("a");
  rig_.enter("b");
  rig_.backlog.delay(a);
  EXPECT_EQ(victims(2, 0, 1), "ab");
}

TEST(Eviction, LooksAtAllLanesOfTheTenantAndAtNoOther) {
  BacklogRig rig;
  Lane left, right;
  Tenant tenant, other;
  auto& a = rig.flow(tenant, left);
  auto& b = rig.flow(tenant, right);
  rig.enter("a", 0, 1, &a);
  rig.enter("b", 0, 1, &b);
  rig.enter("c", 0, 1, &a);
  rig.enter("x", -5, 1, &rig.flow(other, left));
  EXPECT_EQ(names(choose_victims(tenant, 3, 0, 1)), "cba");
  EXPECT_EQ(choose_victims(tenant, 4, 0, 1), nullptr);
}

}  // namespace
