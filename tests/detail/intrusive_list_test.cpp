// SPDX-License-Identifier: MIT
#include <batchwright/detail/intrusive_list.hpp>
#include <batchwright/detail/request_header.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace {

using batchwright::detail::RequestHeader;
using List = batchwright::detail::IntrusiveList<&RequestHeader::by_rank>;
using Order = std::vector<const RequestHeader*>;

// What the list holds; checks the links backwards too.
Order order_of(const List& list) {
  Order order;
  for (const RequestHeader* item = list.front(); item != nullptr; item = List::next(*item)) {
    order.push_back(item);
  }
  Order backwards;
  for (const RequestHeader* item = list.back(); item != nullptr; item = List::previous(*item)) {
    backwards.insert(backwards.begin(), item);
  }
  EXPECT_EQ(order, backwards);
  EXPECT_EQ(list.empty(), order.empty());
  return order;
}

TEST(IntrusiveList, KeepsTheOrderOfArrival) {
  RequestHeader a{}, b{}, c{};
  List list;
  EXPECT_TRUE(order_of(list).empty());
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  EXPECT_EQ(order_of(list), (Order{&a, &b, &c}));
}

TEST(IntrusiveList, InsertsBehindAPositionOrAtTheFront) {
  RequestHeader a{}, b{}, c{}, d{};
  List list;
  list.insert_after(nullptr, a);
  list.insert_after(&a, b);
  list.insert_after(nullptr, c);
  list.insert_after(&a, d);
  EXPECT_EQ(order_of(list), (Order{&c, &a, &d, &b}));
}

TEST(IntrusiveList, ErasesAnywhereAndClearsTheHook) {
  RequestHeader a{}, b{}, c{};
  List list;
  for (RequestHeader* item : {&a, &b, &c}) list.push_back(*item);
  list.erase(b);
  EXPECT_EQ(order_of(list), (Order{&a, &c}));
  EXPECT_EQ(b.by_rank.next, nullptr);
  EXPECT_EQ(b.by_rank.previous, nullptr);
  list.erase(a);
  list.erase(c);
  EXPECT_TRUE(order_of(list).empty());
  list.push_back(b);
  EXPECT_EQ(order_of(list), (Order{&b}));
}

TEST(IntrusiveList, ErasesAllUpToOneAtOnce) {
  RequestHeader a{}, b{}, c{}, d{};
  List list;
  for (RequestHeader* item : {&a, &b, &c, &d}) list.push_back(*item);
  list.erase_front(b);
  EXPECT_EQ(order_of(list), (Order{&c, &d}));
  list.erase_front(d);
  EXPECT_TRUE(order_of(list).empty());
  list.push_back(a);
  EXPECT_EQ(order_of(list), (Order{&a}));
}

TEST(IntrusiveList, UsesItsOwnHookOnly) {
  RequestHeader a{}, b{};
  List by_rank;
  batchwright::detail::IntrusiveList<&RequestHeader::by_age> by_age;
  by_rank.push_back(a);
  by_rank.push_back(b);
  by_age.push_back(b);
  by_age.push_back(a);
  by_age.erase(b);
  EXPECT_EQ(order_of(by_rank), (Order{&a, &b}));
  EXPECT_EQ(by_age.front(), &a);
}

}  // namespace
