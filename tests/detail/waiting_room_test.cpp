// SPDX-License-Identifier: MIT
#include <batchwright/detail/waiting_room.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::kNever;
using batchwright::TimePoint;
using batchwright::detail::Flow;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::RequestChain;
using batchwright::detail::Tenant;
using batchwright::detail::TenantDemands;
using batchwright::detail::TenantRoom;
using batchwright::detail::WaitingGroup;
using batchwright::detail::WaitingRoom;
using Item = Request<int, int>;

constexpr TimePoint kStart = TimePoint{} + 1h;

// All who wait, in order.
std::vector<const WaitingGroup*> order_of(const WaitingRoom& room) {
  std::vector<const WaitingGroup*> order;
  for (const WaitingGroup* group = room.first(); group != nullptr; group = group->next) {
    order.push_back(group);
  }
  return order;
}

TEST(WaitingRoom, KeepsTheOrderOfEntry) {
  WaitingGroup a, b, c;
  WaitingRoom room;
  EXPECT_TRUE(room.empty());
  for (WaitingGroup* group : {&a, &b, &c}) room.enter(*group);
  EXPECT_EQ(order_of(room), (std::vector<const WaitingGroup*>{&a, &b, &c}));
  room.leave(a);
  EXPECT_EQ(room.first(), &b);
}

TEST(WaitingRoom, AnybodyMayLeave) {
  WaitingGroup a, b, c, d;
  WaitingRoom room;
  for (WaitingGroup* group : {&a, &b, &c}) room.enter(*group);
  room.leave(b);
  EXPECT_EQ(order_of(room), (std::vector<const WaitingGroup*>{&a, &c}));
  room.leave(c);
  room.enter(d);
  EXPECT_EQ(order_of(room), (std::vector<const WaitingGroup*>{&a, &d}));
  room.leave(d);
  room.leave(a);
  EXPECT_TRUE(room.empty());
  room.enter(b);
  EXPECT_EQ(order_of(room), (std::vector<const WaitingGroup*>{&b}));
}

TEST(WaitingGroup, GivesUpAtItsDeadlineOrLimit) {
  WaitingGroup group;
  EXPECT_EQ(group.until(), kNever);
  group.limit = kStart + 2ms;
  EXPECT_EQ(group.until(), kStart + 2ms);
  group.deadline = kStart + 1ms;
  EXPECT_EQ(group.until(), kStart + 1ms);
}

TEST(WaitingRoom, KnowsWhoseTimeIsUpAndWhenTheNextIs) {
  WaitingGroup a, b, c;
  a.limit = kStart + 3ms;
  b.deadline = kStart + 1ms;
  WaitingRoom room;
  EXPECT_EQ(room.earliest(), kNever);
  for (WaitingGroup* group : {&a, &b, &c}) room.enter(*group);
  EXPECT_EQ(room.earliest(), kStart + 1ms);
  EXPECT_EQ(room.first_due(kStart + 1ms - 1ns), nullptr);
  EXPECT_EQ(room.first_due(kStart + 1ms), &b);
  room.leave(b);
  EXPECT_EQ(room.first_due(kStart + 1ms), nullptr);
  EXPECT_EQ(room.earliest(), kStart + 3ms);
  EXPECT_EQ(room.first_due(kStart + 5ms), &a);
  room.leave(a);
  EXPECT_EQ(room.first_due(kStart + 5ms), nullptr);
  EXPECT_EQ(room.earliest(), kNever);
}

TEST(WaitingRoom, OneInstantMayBeEverybodys) {
  WaitingGroup a, b;
  a.limit = b.limit = kStart;
  WaitingRoom room;
  room.enter(a);
  room.enter(b);
  EXPECT_EQ(room.first_due(kStart), &a);
  room.leave(a);
  EXPECT_EQ(room.first_due(kStart), &b);
  room.leave(b);
  EXPECT_EQ(room.earliest(), kNever);
}

TEST(WaitingGroup, OneOfItsRequestsMayLeaveIt) {
  std::vector<Item*> items;
  WaitingGroup group;
  for (int i = 0; i < 3; ++i) {
    items.push_back(pool_new<Item>(i));
    items.back()->bytes = static_cast<std::size_t>(10 + i);
    group.requests.append(*items.back());
    group.demand.bytes += items.back()->bytes;
  }
  WaitingRoom::withdraw(group, *items[1]);
  EXPECT_EQ(group.demand.bytes, 22u);
  EXPECT_EQ(group.requests.count, 2u);
  EXPECT_EQ(group.requests.first, items[0]);
  EXPECT_EQ(RequestChain::next(*items[0]), items[2]);
  WaitingRoom::withdraw(group, *items[0]);
  WaitingRoom::withdraw(group, *items[2]);
  EXPECT_TRUE(group.requests.empty());
  EXPECT_EQ(group.demand.bytes, 0u);
  for (Item* item : items) item->release();
}

TEST(WaitingGroup, WhoLeavesItLeavesTheDemandOfItsTenant) {
  TenantRoom rooms[2], all;
  Tenant tenants[3];
  Flow flows[3];
  std::vector<Item*> items;
  WaitingGroup group;
  TenantDemands by_tenant;
  for (std::size_t i = 0; i < 3; ++i) {
    if (i < 2) tenants[i].room = &rooms[i];
    flows[i].tenant = &tenants[i];
    items.push_back(pool_new<Item>(static_cast<int>(i)));
    items.back()->bytes = 10 + i;
    items.back()->flow = &flows[i];
    group.requests.append(*items.back());
    by_tenant.add(i < 2 ? rooms[i] : all, 1, 10 + i);
  }
  group.ask_for({.count = 3, .bytes = 33, .level = 0}, std::move(by_tenant));
  WaitingRoom::withdraw(group, *items[0]);
  ASSERT_NE(group.demand.tenants, nullptr);
  EXPECT_EQ(group.demand.count, 2u);
  EXPECT_EQ(group.demand.tenants->room, &rooms[1]);
  EXPECT_EQ(group.demand.tenants->bytes, 11u);
  WaitingRoom::withdraw(group, *items[1]);
  EXPECT_EQ(group.demand.tenants->room, &all);
  WaitingRoom::withdraw(group, *items[2]);
  EXPECT_EQ(group.demand.tenants, nullptr);
  for (Item* item : items) item->release();
}

}  // namespace
