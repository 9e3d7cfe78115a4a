// SPDX-License-Identifier: MIT
#include <batchwright/detail/inbox.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace {

using batchwright::detail::Arrivals;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;

struct Item : RequestHeader {
  void prefetch() const noexcept { ++fetched; }
  mutable int fetched = 0;
};

class ArrivalsTest : public ::testing::Test {
 protected:
  ArrivalsTest() : items_(1000) {}

  // One call with so many of the items that nobody has handed over yet.
  void call(Arrivals& arrivals, std::size_t count) {
    RequestChain chain;
    for (; count > 0; --count) chain.append(items_[handed_over_++]);
    arrivals.splice(chain);
  }

  // Takes out what is to be the next `count` items.
  void expect_takes(Arrivals& arrivals, std::size_t count) {
    arrivals.take_all<Item>([&](Item& item) {
      EXPECT_EQ(&item, &items_[taken_]);
      ++taken_;
      --count;
    });
    EXPECT_EQ(count, 0u);
    EXPECT_TRUE(arrivals.chain.empty());
  }

  std::vector<Item> items_;
  std::size_t handed_over_ = 0;
  std::size_t taken_ = 0;
};

TEST_F(ArrivalsTest, AreTakenInTheirOrderEachFetchedBeforeItsTurn) {
  Arrivals box;
  Arrivals inbox;
  for (int i = 0; i < 300; ++i) call(box, 1);
  EXPECT_EQ(box.chain.count, 300u);
  box.give_to(inbox);
  EXPECT_TRUE(box.chain.empty());
  int unfetched = 0;
  inbox.take_all<Item>([&](Item& item) {
    EXPECT_EQ(&item, &items_[taken_++]);
    unfetched += item.fetched == 0 ? 1 : 0;
  });
  EXPECT_EQ(taken_, 300u);
  // What is not listed is fetched by the one before; between the two kinds some are missed.
  EXPECT_LE(unfetched, 4);
}

TEST_F(ArrivalsTest, OfCallsWithSeveralAreTakenInTheirOrder) {
  Arrivals box;
  Arrivals inbox;
  for (const std::size_t count : {3u, 1u, 7u, 2u}) call(box, count);
  box.give_to(inbox);
  expect_takes(inbox, 13);
}

TEST_F(ArrivalsTest, AreListedAnewEachTime) {
  Arrivals box;
  Arrivals inbox;
  for (int round = 0; round < 50; ++round) {
    call(box, 1);
    box.give_to(inbox);
    if (round % 3 == 0) call(box, 2);  // Meanwhile.
    expect_takes(inbox, round % 3 == 1 ? 3 : 1);
  }
}

TEST_F(ArrivalsTest, WhatWasNotTakenGivesWay) {
  Arrivals box;
  Arrivals inbox;
  call(box, 1);
  box.give_to(inbox);
  box.give_to(inbox);
  expect_takes(inbox, 0);
  EXPECT_TRUE(box.chain.empty());
}

}  // namespace
