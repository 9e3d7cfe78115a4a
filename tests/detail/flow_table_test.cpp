// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/flow_table.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <stdexcept>
#include <vector>

namespace {

namespace bw = batchwright;
using batchwright_test::TestRuntime;
using bw::detail::HeldFlow;
using Table = bw::detail::FlowTable<int, TestRuntime>;

bw::KeyFunction<int> tens() {
  return [](const int& x) { return x / 10; };
}
bw::KeyFunction<int> ones() {
  return [](const int& x) { return x < 0 ? throw std::runtime_error("no tenant") : x % 10; };
}

TEST(FlowTable, IsNotInUseWithoutKeys) {
  const TestRuntime runtime;
  EXPECT_FALSE(Table(runtime, {}, {}, 0).in_use());
  EXPECT_TRUE(Table(runtime, tens(), {}, 0).in_use());
  EXPECT_TRUE(Table(runtime, {}, ones(), 0).in_use());
}

TEST(FlowTable, HasOneFlowForEachPairOfLaneAndTenant) {
  const TestRuntime runtime;
  Table table(runtime, tens(), ones(), 0);
  HeldFlow* const a = table.acquire(12, 3);
  HeldFlow* const b = table.acquire(13, 1);
  HeldFlow* const c = table.acquire(22, 7);
  EXPECT_EQ(table.acquire(12, 9), a);
  EXPECT_EQ(a->lane, b->lane);
  EXPECT_NE(a->tenant, b->tenant);
  EXPECT_EQ(a->tenant, c->tenant);
  EXPECT_NE(a->lane, c->lane);
  EXPECT_EQ(c->tenant->share, 3u);  // As it came up.
  ASSERT_NE(table.key_of(*c).value, nullptr);
  EXPECT_EQ(*static_cast<const int*>(table.key_of(*c).value), 2);
  for (HeldFlow* flow : {a, a, b, c}) bw::detail::release_flow(flow);
  HeldFlow* const again = table.acquire(12, 5);
  EXPECT_EQ(again->tenant->share, 5u);  // All was forgotten.
  bw::detail::release_flow(again);
}

TEST(FlowTable, WithOneKeyTheOtherHalfIsCommon) {
  const TestRuntime runtime;
  Table lanes(runtime, tens(), {}, 0);
  HeldFlow* const a = lanes.acquire(12, 1);
  HeldFlow* const b = lanes.acquire(33, 1);
  EXPECT_EQ(a->tenant, b->tenant);
  EXPECT_NE(a->lane, b->lane);
  lanes.release(*a);
  lanes.release(*b);
  Table tenants(runtime, {}, ones(), 0);
  HeldFlow* const c = tenants.acquire(12, 1);
  EXPECT_EQ(tenants.key_of(*c).value, nullptr);
  tenants.release(*c);
}

TEST(FlowTable, ATenantHasRoomOfItsOwnWhereThatHasALimit) {
  const TestRuntime runtime;
  const bw::detail::Admission none(10, bw::kNoCount);
  Table unlimited(runtime, {}, ones(), 0, nullptr, &none);
  HeldFlow* const free = unlimited.acquire(12, 1);
  EXPECT_EQ(bw::detail::room_of(free), nullptr);
  bw::detail::release_flow(free);

  const bw::detail::Admission admission(10, bw::kNoCount, {{.priority = 1}}, 2);
  Table table(runtime, tens(), ones(), 0, nullptr, &admission);
  HeldFlow* const a = table.acquire(12, 3);
  HeldFlow* const b = table.acquire(22, 1);
  HeldFlow* const c = table.acquire(11, 1);
  bw::detail::TenantRoom* const room = bw::detail::room_of(a);
  ASSERT_NE(room, nullptr);
  EXPECT_EQ(bw::detail::room_of(b), room);
  EXPECT_NE(bw::detail::room_of(c), room);
  EXPECT_TRUE(room->may_take(5, 1, 2));  // 6 times.
  EXPECT_FALSE(room->may_take(12, 1, 2));
  EXPECT_EQ(room->level(0).queued, 0u);
  for (HeldFlow* flow : {a, b, c}) bw::detail::release_flow(flow);

  Table lanes(runtime, tens(), {}, 0, nullptr, &admission);
  HeldFlow* const lane = lanes.acquire(12, 1);
  EXPECT_EQ(bw::detail::room_of(lane), nullptr);
  bw::detail::release_flow(lane);
}

TEST(FlowTable, AStickyLaneHasTheSameExecutorEachTimeItComesUp) {
  const TestRuntime runtime;
  Table table(runtime, tens(), {}, 4);
  std::set<std::size_t> used;
  for (int x = 0; x < 200; x += 10) {
    HeldFlow* flow = table.acquire(x, 1);
    const std::size_t executor = flow->lane->executor;
    EXPECT_LT(executor, 4u);
    used.insert(executor);
    table.release(*flow);
    flow = table.acquire(x + 5, 1);
    EXPECT_EQ(flow->lane->executor, executor);
    table.release(*flow);
  }
  EXPECT_EQ(used.size(), 4u);  // And different lanes have different ones.
}

TEST(FlowTable, AFlowHasTheClassesOfItsKeys) {
  const TestRuntime runtime;
  bw::detail::ClassRegister<TestRuntime> classes(
      runtime, {.per_lane = true, .per_tenant = true, .max_classes = 5});
  Table table(runtime, tens(), ones(), 0, &classes);
  HeldFlow* const a = table.acquire(12, 1);
  HeldFlow* const b = table.acquire(13, 1);
  HeldFlow* const c = table.acquire(22, 1);
  EXPECT_EQ(a->lane_class, classes.find(bw::detail::ClassKind::lane, "1"));
  EXPECT_EQ(b->lane_class.load(), a->lane_class.load());
  EXPECT_EQ(a->tenant_class, classes.find(bw::detail::ClassKind::tenant, "2"));
  EXPECT_EQ(c->tenant_class.load(), a->tenant_class.load());
  EXPECT_NE(c->lane_class.load(), a->lane_class.load());
  EXPECT_NE(b->tenant_class.load(), a->tenant_class.load());
  for (HeldFlow* flow : {a, b, c}) bw::detail::release_flow(flow);
}

TEST(FlowTable, WhatALabelThrowsLetsGoOfTheFlow) {
  const TestRuntime runtime;
  bw::detail::ClassRegister<TestRuntime> classes(runtime, {.per_tenant = true});
  bool bad = true;
  const bw::KeyFunction<int> tenant = {[](const int& x) { return x; },
                                       {},
                                       [&](const int& key) {
                                         if (bad) throw std::runtime_error("no label");
                                         return key;
                                       }};
  Table table(runtime, {}, tenant, 0, &classes);
  EXPECT_THROW(table.acquire(5, 3), std::runtime_error);
  bad = false;
  HeldFlow* const flow = table.acquire(5, 7);
  EXPECT_EQ(flow->holders, 1u);
  EXPECT_EQ(flow->tenant->share, 7u);  // It had been forgotten.
  EXPECT_EQ(flow->lane_class, bw::detail::kNoClass);
  table.release(*flow);
}

TEST(FlowTable, WhatTheSecondKeyThrowsLetsGoOfTheFirst) {
  const TestRuntime runtime;
  std::size_t copies = 0;
  struct Counted {
    int value;
    std::size_t* copies;
    Counted(int its_value, std::size_t* counter) : value(its_value), copies(counter) {}
    Counted(const Counted& other) : value(other.value), copies(other.copies) { ++*copies; }
    ~Counted() = default;
    bool operator==(const Counted& other) const { return value == other.value; }
  };
  struct Hash {
    std::size_t operator()(const Counted& key) const { return static_cast<std::size_t>(key.value); }
  };
  const bw::KeyFunction<int> lane([&copies](const int& x) { return Counted(x, &copies); }, Hash{});
  Table table(runtime, lane, ones(), 0);
  EXPECT_THROW(table.acquire(-1, 1), std::runtime_error);
  EXPECT_THROW(table.acquire(-1, 1), std::runtime_error);
  EXPECT_EQ(copies, 2u);  // It had been forgotten, else the second would have found it.
}

}  // namespace
