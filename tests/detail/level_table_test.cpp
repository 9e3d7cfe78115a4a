// SPDX-License-Identifier: MIT
#include <batchwright/detail/flow.hpp>
#include <batchwright/detail/level_table.hpp>

#include <gtest/gtest.h>

#include <climits>
#include <set>

namespace {

using batchwright::detail::Flow;
using batchwright::detail::LevelTable;
using batchwright::detail::RequestHeader;

RequestHeader with(Flow& flow, int priority) {
  RequestHeader request{};
  request.flow = &flow;
  request.priority = priority;
  return request;
}

TEST(LevelTable, KeepsTheHeadOfALevelUntilTheLevelIsNoMore) {
  Flow flow;
  LevelTable table;
  RequestHeader first = with(flow, 3);
  RequestHeader second = with(flow, 3);
  EXPECT_EQ(table.slot(first), nullptr);
  LevelTable::put(table.slot(first), first);
  EXPECT_EQ(table.slot(second), &first);
  LevelTable::replace(first, second);
  EXPECT_EQ(table.slot(first), &second);
  LevelTable::forget(second);
  EXPECT_EQ(table.slot(first), nullptr);
}

TEST(LevelTable, WhoGivesUpItsSlotToAnotherLeavesItAlone) {
  Flow flow;
  LevelTable table;
  RequestHeader first = with(flow, 3);
  RequestHeader next = with(flow, 3);
  RequestHeader other = with(flow, 3);
  LevelTable::put(table.slot(first), first);
  LevelTable::put(table.slot(first), other);
  LevelTable::replace(first, next);
  EXPECT_EQ(table.slot(first), &other);
  LevelTable::forget(next);
  EXPECT_EQ(table.slot(first), &other);
}

TEST(LevelTable, SixtyFourPrioritiesInARowHaveSlotsOfTheirOwn) {
  Flow flow;
  LevelTable table;
  for (const int lowest : {INT_MIN, -1000, -3, 0, 1, 77, INT_MAX - 63}) {
    std::set<const void*> slots;
    for (int i = 0; i < 64; ++i) slots.insert(&table.slot(with(flow, lowest + i)));
    EXPECT_EQ(slots.size(), 64u) << lowest;
  }
}

TEST(LevelTable, FlowsOfOnePriorityDoNotShareOneSlot) {
  Flow flows[64];
  LevelTable table;
  std::set<const void*> slots;
  for (Flow& flow : flows) slots.insert(&table.slot(with(flow, 0)));
  EXPECT_GT(slots.size(), 32u);
}

}  // namespace
