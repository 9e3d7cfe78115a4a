// SPDX-License-Identifier: MIT
#include <batchwright/detail/admission.hpp>
#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::detail::Admission;

TEST(Admission, ReservesUpToItsCapacity) {
  Admission admission(3, kNoCount);
  EXPECT_TRUE(admission.reserve({.count = 2, .bytes = 0}));
  EXPECT_FALSE(admission.reserve({.count = 2, .bytes = 0}));
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 0}));
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 0}));
  EXPECT_EQ(admission.queued(), 3u);
  admission.give_back(1, 0);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 0}));
}

TEST(Admission, WhatLacksBytesGivesItsPlaceBack) {
  Admission admission(3, 100);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 60}));
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 41}));
  EXPECT_EQ(admission.queued(), 1u);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 40}));
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 0}));
  admission.give_back(2, 60);
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 61}));
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 60}));
}

TEST(Admission, KnowsWhatCouldNeverFit) {
  const Admission admission(3, 100);
  EXPECT_TRUE(admission.possible({.count = 3, .bytes = 100}));
  EXPECT_FALSE(admission.possible({.count = 4, .bytes = 0}));
  EXPECT_FALSE(admission.possible({.count = 1, .bytes = 101}));
}

TEST(Admission, DoesNotOverflow) {
  Admission admission(kNoCount, kNoCount);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = kNoCount - 1}));
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 2}));
  EXPECT_FALSE(admission.reserve({.count = kNoCount, .bytes = 0}));
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 1}));
  EXPECT_EQ(admission.queued(), 2u);
}

TEST(Admission, NobodyPassesThoseWhoWait) {
  Admission admission(3, kNoCount);
  admission.begin_waiting(kNoCount);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 0}));
  EXPECT_TRUE(admission.reserve_first({.count = 1, .bytes = 0}));
  admission.end_waiting(kNoCount);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 0}));
}

TEST(Admission, ThoseOfOtherLevelsPassWhoWaitsForALevelAlone) {
  Admission admission(3, kNoCount, {{.priority = 1, .capacity = 1}, {.priority = 2}});
  EXPECT_TRUE(admission.reserve({.count = 1, .level = 0}));
  EXPECT_TRUE(admission.lacks_level_alone({.count = 1, .level = 0}));
  EXPECT_FALSE(admission.lacks_level_alone({.count = 3, .level = 0}));
  EXPECT_FALSE(admission.lacks_level_alone({.count = 1, .level = 1}));
  admission.begin_waiting(0);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_TRUE(admission.reserve({.count = 1}));
  EXPECT_TRUE(admission.reserve({.count = 1, .level = 1}));
  admission.leave_level(0);
  admission.give_back(1, 0);
  EXPECT_FALSE(admission.reserve({.count = 1, .level = 0}));  // That place is another's.
  admission.wait_for_level(0, false);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_FALSE(admission.reserve({.count = 1}));
  admission.wait_for_level(0, true);
  EXPECT_TRUE(admission.reserve({.count = 1}));
  admission.give_back(1, 0);
  admission.end_waiting(0);
  EXPECT_EQ(admission.waiting(), 0u);
  EXPECT_TRUE(admission.reserve({.count = 1, .level = 0}));
}

TEST(Admission, ClosedReservesNothingAndKeepsItsCount) {
  Admission admission(kNoCount, kNoCount);
  EXPECT_TRUE(admission.reserve({.count = 2, .bytes = 5}));
  EXPECT_FALSE(admission.closed());
  admission.close();
  admission.close();
  EXPECT_TRUE(admission.closed());
  EXPECT_EQ(admission.queued(), 2u);
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 0}));
  EXPECT_FALSE(admission.reserve_first({.count = 1, .bytes = 0}));
  admission.give_back(2, 5);
  EXPECT_EQ(admission.queued(), 0u);
  EXPECT_TRUE(admission.closed());
}

TEST(Admission, NeverHoldsMoreThanItsCapacityUnderRaces) {
  Admission admission(5, 50);
  std::atomic<std::size_t> held{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if (!admission.reserve({.count = 1 + t % 2, .bytes = 10})) continue;
        if ((held += 1 + t % 2) > 5) exceeded = true;
        held -= 1 + t % 2;
        admission.give_back(1 + t % 2, 10);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(admission.queued(), 0u);
  EXPECT_TRUE(admission.reserve({.count = 5, .bytes = 50}));
}

}  // namespace
