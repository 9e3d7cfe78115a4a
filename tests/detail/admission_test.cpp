// SPDX-License-Identifier: MIT
#include <batchwright/detail/admission.hpp>
#include <batchwright/detail/tenant_room.hpp>
#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::detail::Admission;
using batchwright::detail::Demand;
using batchwright::detail::Lack;
using batchwright::detail::Shortage;
using batchwright::detail::TenantDemand;
using batchwright::detail::TenantRoom;

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
  admission.begin_waiting({.count = 1}, Lack::queue);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_FALSE(admission.reserve({.count = 1, .bytes = 0}));
  EXPECT_TRUE(admission.reserve_first({.count = 1, .bytes = 0}));
  admission.end_waiting({.count = 1}, Lack::queue);
  EXPECT_TRUE(admission.reserve({.count = 1, .bytes = 0}));
}

// A demand of one tenant, or of requests without one, with what it points to.
struct One {
  One(TenantRoom& room, std::size_t count, std::size_t bytes = 0, std::size_t level = kNoCount)
      : its{.room = &room, .count = count, .bytes = bytes},
        demand{.count = count, .bytes = bytes, .level = level, .tenants = &its} {}
  One(const One&) = delete;
  One& operator=(const One&) = delete;

  TenantDemand its;
  Demand demand;
};

TEST(Admission, ThoseOfOtherLevelsPassWhoWaitsForALevelAlone) {
  Admission admission(3, kNoCount, {{.priority = 1, .capacity = 1}, {.priority = 2}});
  TenantRoom& all = admission.own_room();
  const One of_full(all, 1, 0, 0);
  const One of_other(all, 1, 0, 1);
  EXPECT_TRUE(admission.reserve(of_full.demand));
  EXPECT_EQ(admission.lack(of_full.demand), Lack::level);
  EXPECT_EQ(admission.lack(One(all, 3, 0, 0).demand), Lack::queue);
  EXPECT_FALSE(admission.possible(One(all, 2, 0, 0).demand));
  admission.begin_waiting(of_full.demand, Lack::level);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_TRUE(admission.reserve({.count = 1}));
  EXPECT_TRUE(admission.reserve(of_other.demand));
  admission.leave(nullptr, 0, 0);
  admission.give_back(1, 0);
  EXPECT_FALSE(admission.reserve(of_full.demand));  // That place is another's.
  admission.change_lack(of_full.demand, Lack::level, Lack::queue);
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_FALSE(admission.reserve({.count = 1}));
  admission.change_lack(of_full.demand, Lack::queue, Lack::level);
  EXPECT_TRUE(admission.reserve({.count = 1}));
  admission.give_back(1, 0);
  admission.end_waiting(of_full.demand, Lack::level);
  EXPECT_EQ(admission.waiting(), 0u);
  EXPECT_TRUE(admission.reserve(of_full.demand));
}

// So many are let in, one at a time.
std::size_t flood(Admission& admission, TenantRoom& room, std::size_t bytes = 0) {
  std::size_t held = 0;
  while (admission.reserve(One(room, 1, bytes).demand)) ++held;
  return held;
}

TEST(Admission, OfATenantThatFloodsSomethingIsLeftToTheOthers) {
  Admission admission(100, kNoCount, {}, 4);
  TenantRoom flooding, quiet, third;
  for (TenantRoom* room : {&flooding, &quiet, &third}) admission.open(*room, 1);
  EXPECT_EQ(flood(admission, flooding), 80u);  // 80 <= 4 x 20.
  EXPECT_EQ(flood(admission, quiet), 16u);
  EXPECT_EQ(flood(admission, third), 3u);
  EXPECT_EQ(admission.queued(), 99u);
}

TEST(Admission, TenantsThatAllFloodEndWithEqualParts) {
  Admission admission(1000, kNoCount, {}, 4);
  TenantRoom rooms[3];
  for (TenantRoom& room : rooms) admission.open(room, 1);
  flood(admission, rooms[0]);
  // One is served at a time, and all offer more than they are let in with.
  for (int i = 0; i < 5000; ++i) {
    TenantRoom& served = rooms[i % 3];
    if (served.count > 0) {
      admission.leave(&served, kNoCount, 0);
      admission.give_back(1, 0);
    }
    for (TenantRoom& room : rooms) flood(admission, room);
  }
  for (const TenantRoom& room : rooms) EXPECT_NEAR(static_cast<double>(room.count), 4000.0 / 13, 4);
}

TEST(Admission, ATenantsPartGrowsWithItsShare) {
  Admission admission(1000, kNoCount, {}, 1);
  TenantRoom small, large;
  admission.open(small, 1);
  admission.open(large, 9);
  EXPECT_EQ(flood(admission, large), 900u);
  EXPECT_EQ(flood(admission, small), 50u);

  Admission unlimited(1000, kNoCount, {{.priority = 1}}, kNoCount / 2);
  TenantRoom room;
  unlimited.open(room, 3);  // No overflow.
  EXPECT_EQ(flood(unlimited, room), 1000u);
}

TEST(Admission, ATenantThatHoldsNothingTakesWhatRoomThereIs) {
  Admission admission(10, 100, {}, 1);
  TenantRoom room;
  admission.open(room, 1);
  const One whole(room, 10, 100);
  EXPECT_TRUE(admission.possible(whole.demand));
  EXPECT_TRUE(admission.reserve(whole.demand));
  admission.give_back(whole.demand);
  EXPECT_EQ(admission.queued(), 0u);
  EXPECT_TRUE(admission.reserve(One(room, 1).demand));
  EXPECT_FALSE(admission.reserve(One(room, 5).demand));  // 6 > 4.
  EXPECT_TRUE(admission.reserve(One(room, 4).demand));
  EXPECT_EQ(room.count, 5u);
}

TEST(Admission, BytesAreLeftToOtherTenantsToo) {
  Admission admission(kNoCount, 100, {}, 1);
  TenantRoom flooding, quiet;
  admission.open(flooding, 1);
  admission.open(quiet, 1);
  EXPECT_EQ(flood(admission, flooding, 10), 5u);
  EXPECT_EQ(admission.lack(One(flooding, 1, 10).demand), Lack::tenant);
  EXPECT_TRUE(admission.reserve(One(flooding, 1, 0).demand));
  EXPECT_EQ(flood(admission, quiet, 10), 2u);
  admission.leave(&flooding, kNoCount, 10);
  admission.give_back(1, 10);
  EXPECT_EQ(flooding.bytes, 40u);
}

TEST(Admission, ALevelIsOfEachTenantByItself) {
  Admission admission(100, kNoCount, {{.priority = 7}, {.priority = 1, .capacity = 2}});
  TenantRoom one, other;
  admission.open(one, 1);
  admission.open(other, 1);
  EXPECT_TRUE(admission.reserve(One(one, 2, 0, 1).demand));
  EXPECT_FALSE(admission.reserve(One(one, 1, 0, 1).demand));
  EXPECT_EQ(one.count, 2u);  // Nothing is left of the attempt.
  EXPECT_TRUE(admission.reserve(One(one, 1, 0, 0).demand));
  EXPECT_TRUE(admission.reserve(One(other, 2, 0, 1).demand));
}

TEST(Admission, ADemandOfSeveralTenantsIsMetWholeOrNotAtAll) {
  Admission admission(20, 200, {{.priority = 1, .capacity = 3}}, 1);
  TenantRoom one, other;
  admission.open(one, 1);
  admission.open(other, 1);
  EXPECT_TRUE(admission.reserve(One(other, 3, 30, 0).demand));
  TenantDemand second{.room = &other, .count = 1, .bytes = 10};
  TenantDemand first{.room = &one, .count = 2, .bytes = 20, .next = &second};
  const Demand both{.count = 3, .bytes = 30, .level = 0, .tenants = &first};
  EXPECT_TRUE(admission.possible(both));
  EXPECT_FALSE(admission.reserve(both));
  EXPECT_EQ(admission.lack(both), Lack::level);
  EXPECT_EQ(one.count, 0u);
  EXPECT_EQ(one.bytes, 0u);
  EXPECT_EQ(admission.queued(), 3u);
  admission.leave(&other, 0, 10);
  admission.give_back(1, 10);
  EXPECT_TRUE(admission.reserve(both));
  EXPECT_EQ(one.count, 2u);
  EXPECT_EQ(other.count, 3u);
  second.count = 4;  // More than its level will ever have.
  EXPECT_FALSE(admission.possible({.count = 6, .bytes = 30, .level = 0, .tenants = &first}));
}

TEST(Admission, OthersPassATenantThatWaitsForItsOwnRoom) {
  Admission admission(10, kNoCount, {}, 1);
  TenantRoom flooding, quiet;
  admission.open(flooding, 1);
  admission.open(quiet, 1);
  EXPECT_EQ(flood(admission, flooding), 5u);
  const One more(flooding, 1);
  EXPECT_EQ(admission.lack(more.demand), Lack::tenant);
  admission.begin_waiting(more.demand, Lack::tenant);
  EXPECT_TRUE(admission.reserve(One(quiet, 1).demand));
  admission.leave(&flooding, kNoCount, 0);
  admission.leave(&flooding, kNoCount, 0);
  admission.give_back(2, 0);
  EXPECT_FALSE(admission.reserve(more.demand));  // Somebody of it waits for that.
  EXPECT_TRUE(admission.reserve_first(more.demand));
  admission.end_waiting(more.demand, Lack::tenant);
  EXPECT_EQ(flooding.waiting, 0u);
}

// Of a demand that is given up again.
Shortage shortage_of(Admission& admission, const batchwright::detail::Demand& demand) {
  const Shortage shortage = admission.take_by_force(demand);
  admission.give_back(demand);
  return shortage;
}

TEST(Admission, KnowsHowMuchOfATenantHasToLeaveForMore) {
  Admission admission(100, 1000, {{.priority = 1, .capacity = 10}}, 1);
  TenantRoom one, other;
  admission.open(one, 1);
  admission.open(other, 1);
  EXPECT_TRUE(admission.reserve(One(other, 40, 100).demand));
  EXPECT_TRUE(admission.reserve(One(one, 30, 450).demand));
  const Shortage none = shortage_of(admission, One(other, 1).demand);
  EXPECT_EQ(none.count, 6u);  // 40 - 6 + 1 <= 100 - 64 - 1.
  EXPECT_FALSE(none.other);
  const Shortage bytes = shortage_of(admission, One(one, 1, 50).demand);
  EXPECT_EQ(bytes.count, 1u);   // 30 - 1 + 1 <= 100 - 69 - 1.
  EXPECT_EQ(bytes.bytes, 50u);  // 450 - 50 + 50 <= 1000 - 500 - 50.
  EXPECT_EQ(shortage_of(admission, One(one, 31).demand).count,
            30u);  // All it has: then it takes the rest.
  EXPECT_EQ(shortage_of(admission, One(one, 61).demand).count, 31u);  // More than it has.
  EXPECT_TRUE(admission.reserve(One(one, 0, 0, 0).demand));
  EXPECT_TRUE(shortage_of(admission, One(one, 11, 0, 0).demand).other);
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
