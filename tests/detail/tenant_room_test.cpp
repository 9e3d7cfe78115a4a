// SPDX-License-Identifier: MIT
#include <batchwright/detail/tenant_room.hpp>
#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::detail::TenantDemand;
using batchwright::detail::TenantDemands;
using batchwright::detail::TenantRoom;

TEST(TenantRoom, TakesNoMoreThanSoManyTimesWhatIsLeft) {
  TenantRoom room;
  room.open(0, 4);
  EXPECT_TRUE(room.may_take(79, 1, 20));
  EXPECT_FALSE(room.may_take(80, 1, 20));
  EXPECT_TRUE(room.may_take(70, 10, 20));
  EXPECT_FALSE(room.may_take(70, 11, 20));
  EXPECT_FALSE(room.may_take(1, 1, 0));
  EXPECT_TRUE(room.may_take(kNoCount / 2, 1, kNoCount / 4));  // No overflow.
}

TEST(TenantRoom, WhoHoldsNothingOrAsksForNothingMay) {
  TenantRoom room;
  room.open(0, 1);
  EXPECT_TRUE(room.may_take(0, 1000, 0));
  EXPECT_TRUE(room.may_take(1000, 0, 0));
}

TEST(TenantRoom, WithoutALimitTakesAll) {
  TenantRoom room;
  room.open(0, kNoCount);
  EXPECT_TRUE(room.may_take(1000, 1, 0));
}

TEST(TenantRoom, HasAsManyLevelsAsItWasOpenedWith) {
  TenantRoom room;
  room.open(17, 1);
  for (std::size_t i = 0; i < 17; ++i) room.level(i).queued = i;
  for (std::size_t i = 0; i < 17; ++i) EXPECT_EQ(room.level(i).queued, i);
}

struct Part {
  TenantRoom* room;
  std::size_t count;
  std::size_t bytes;
  friend bool operator==(const Part&, const Part&) = default;
};

std::vector<Part> parts(TenantDemands& demands) {
  std::vector<Part> parts;
  for (const TenantDemand* its = demands.first(); its != nullptr; its = its->next) {
    parts.push_back({its->room, its->count, its->bytes});
  }
  return parts;
}

TEST(TenantDemands, AreAddedUpByTenantInTheOrderInWhichTheyComeUp) {
  TenantRoom a, b, c;
  TenantDemands demands;
  EXPECT_EQ(demands.first(), nullptr);
  demands.add(b, 1, 10);
  demands.add(a, 1, 0);
  demands.add(b, 2, 5);
  demands.add(c, 1, 1);
  demands.add(a, 1, 7);
  EXPECT_EQ(parts(demands), (std::vector<Part>{{&b, 3, 15}, {&a, 2, 7}, {&c, 1, 1}}));
  TenantDemands moved = std::move(demands);
  EXPECT_EQ(parts(moved).size(), 3u);
  EXPECT_EQ(demands.first(), nullptr);
}

TEST(TenantDemands, ATenantOfWhichNothingIsLeftIsForgotten) {
  TenantRoom a, b, c;
  TenantDemands demands;
  for (TenantRoom* room : {&a, &b, &c}) demands.add(*room, 1, 4);
  demands.add(b, 1, 3);
  demands.remove_one(b, 4);
  EXPECT_EQ(parts(demands), (std::vector<Part>{{&a, 1, 4}, {&b, 1, 3}, {&c, 1, 4}}));
  demands.remove_one(a, 4);
  EXPECT_EQ(parts(demands), (std::vector<Part>{{&b, 1, 3}, {&c, 1, 4}}));
  demands.remove_one(c, 4);
  EXPECT_EQ(parts(demands), (std::vector<Part>{{&b, 1, 3}}));
  demands.remove_one(b, 3);
  EXPECT_EQ(demands.first(), nullptr);
}

}  // namespace
