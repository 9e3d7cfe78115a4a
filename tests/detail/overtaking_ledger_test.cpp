// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/overtaking_ledger.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::OvertakingLedger;
using batchwright::detail::RequestHeader;
using batchwright_test::Random;

/// Requests with sequence numbers, as the ledger needs them.
struct Numbered : RequestHeader {
  explicit Numbered(std::uint64_t number) { sequence = number; }
};

TEST(OvertakingLedger, AnEmptyLedgerHasNoFirst) {
  OvertakingLedger ledger;
  EXPECT_EQ(ledger.first(), nullptr);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, TheFirstIsTheOneThatWasAcceptedFirst) {
  OvertakingLedger ledger;
  Numbered a(1), b(2);
  ledger.accept(a);
  ledger.accept(b);
  EXPECT_EQ(ledger.first(), &a);
  ledger.dispatch(a);
  EXPECT_EQ(ledger.first(), &b);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, ADispatchOvertakesWhatWasAcceptedBefore) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3);
  for (RequestHeader* request : {&a, &b, &c}) ledger.accept(*request);
  ledger.dispatch(c);
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.dispatch(b);
  EXPECT_EQ(ledger.overtakings(), 2u);
  ledger.dispatch(a);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, WhoLeavesTogetherFromTheFrontOvertakesNobodyAndTakesItsCountsAlong) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3), d(4), e(5), f(6);
  for (RequestHeader* request : {&a, &b, &c, &d, &e, &f}) ledger.accept(*request);
  ledger.dispatch(c);  // Counted behind b,
  ledger.dispatch(f);  // and behind e.
  EXPECT_EQ(ledger.overtakings(), 2u);
  ledger.dispatch_front(b);
  EXPECT_EQ(ledger.first(), &d);
  EXPECT_EQ(ledger.watched(), &d);
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.dispatch_front(e);
  EXPECT_TRUE(ledger.empty());
  EXPECT_EQ(ledger.watched(), nullptr);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, ThoseAtTheBoundLeaveTogetherAndNothingIsUncounted) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3), d(4), e(5), f(6), g(7);
  for (RequestHeader* request : {&a, &b, &c, &d, &e, &f, &g}) ledger.accept(*request);
  ledger.dispatch(e);  // Counted behind d,
  ledger.dispatch(g);  // and behind f.
  ledger.settle(2, [](RequestHeader&) {});
  EXPECT_EQ(ledger.watched(), &f);  // The others have been overtaken twice.
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.dispatch_front(b);
  EXPECT_EQ(ledger.first(), &c);
  EXPECT_EQ(ledger.watched(), &f);
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.dispatch_front(f);  // Two at the bound, and one that is watched.
  EXPECT_TRUE(ledger.empty());
  EXPECT_EQ(ledger.watched(), nullptr);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, WhereAllAreAtTheBoundTheyMayLeaveTogether) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3);
  for (RequestHeader* request : {&a, &b, &c}) ledger.accept(*request);
  ledger.dispatch(c);
  ledger.settle(1, [](RequestHeader&) {});
  EXPECT_EQ(ledger.watched(), nullptr);
  Numbered d(4);
  ledger.accept(d);
  EXPECT_EQ(ledger.watched(), &d);
  ledger.dispatch_front(a);
  EXPECT_EQ(ledger.first(), &b);
  EXPECT_EQ(ledger.watched(), &d);
  ledger.dispatch_front(d);
  EXPECT_TRUE(ledger.empty());
}

TEST(OvertakingLedger, AWithdrawalOvertakesNobodyAndLosesNoCount) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3);
  for (RequestHeader* request : {&a, &b, &c}) ledger.accept(*request);
  ledger.dispatch(c);  // Counted behind b, for a and for b.
  ledger.withdraw(b);
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.withdraw(a);
  EXPECT_EQ(ledger.first(), nullptr);
  EXPECT_EQ(ledger.overtakings(), 0u);
}

TEST(OvertakingLedger, TheFirstTakesItsCountAlongAndTheNextKeepsItsOwn) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3), d(4);
  for (RequestHeader* request : {&a, &b, &c, &d}) ledger.accept(*request);
  ledger.dispatch(b);
  ledger.dispatch(d);
  EXPECT_EQ(ledger.overtakings(), 2u);
  ledger.withdraw(a);
  EXPECT_EQ(ledger.first(), &c);
  EXPECT_EQ(ledger.overtakings(), 1u);
}

TEST(OvertakingLedger, TellsEachThatReachesTheBoundOnceAndInOrder) {
  OvertakingLedger ledger;
  Numbered a(1), b(2), c(3), d(4), e(5);
  for (RequestHeader* request : {&a, &b, &c, &d, &e}) ledger.accept(*request);
  std::vector<const RequestHeader*> reached;
  const auto note = [&reached](RequestHeader& request) { reached.push_back(&request); };
  ledger.dispatch(c);
  ledger.settle(2, note);
  EXPECT_TRUE(reached.empty());
  ledger.dispatch(e);
  ledger.settle(2, note);
  EXPECT_EQ(reached, (std::vector<const RequestHeader*>{&a, &b}));
  EXPECT_EQ(ledger.watched(), &d);
  EXPECT_EQ(ledger.overtakings(), 1u);
  ledger.dispatch(a);  // Overtakes nobody, and changes nothing for those behind.
  ledger.settle(2, note);
  EXPECT_EQ(reached.size(), 2u);
  EXPECT_EQ(ledger.overtakings(), 1u);
}

TEST(OvertakingLedger, AgreesWithCountsKeptForEachRequest) {
  struct Entry {
    std::unique_ptr<RequestHeader> request;
    std::uint64_t overtaken = 0;
    bool at_bound = false;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    OvertakingLedger ledger;
    std::vector<Entry> queue;  // In order of acceptance.
    std::uint64_t accepted = 0;
    const std::uint64_t bound = 1 + random.below(40);
    for (int step = 0; step < 2000; ++step) {
      const std::size_t kind = random.below(4);
      if (queue.empty() || (kind < 2 && queue.size() < 40)) {
        queue.push_back({std::make_unique<Numbered>(++accepted)});
        ledger.accept(*queue.back().request);
      } else if (kind == 2) {
        const std::size_t leaving = random.below(queue.size());
        ledger.withdraw(*queue[leaving].request);
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(leaving));
      } else {
        // A batch leaves member by member, in any order.
        std::vector<bool> leaves(queue.size());
        for (std::size_t n = 1 + random.below(5); n > 0; --n)
          leaves[random.below(queue.size())] = true;
        std::vector<std::size_t> members;
        for (std::size_t i = 0; i < queue.size(); ++i) {
          if (leaves[i]) members.push_back(i);
        }
        while (!members.empty()) {
          const std::size_t pick = random.below(members.size());
          ledger.dispatch(*queue[members[pick]].request);
          members.erase(members.begin() + static_cast<std::ptrdiff_t>(pick));
        }
        std::vector<Entry> rest;
        for (std::size_t i = 0; i < queue.size(); ++i) {
          if (leaves[i]) continue;
          for (std::size_t later = i + 1; later < queue.size(); ++later) {
            if (leaves[later]) ++queue[i].overtaken;
          }
          rest.push_back(std::move(queue[i]));
        }
        queue = std::move(rest);
        std::vector<const RequestHeader*> reached, expected;
        ledger.settle(bound, [&reached](RequestHeader& request) { reached.push_back(&request); });
        for (Entry& entry : queue) {
          if (entry.at_bound || entry.overtaken < bound) continue;
          entry.at_bound = true;
          expected.push_back(entry.request.get());
        }
        ASSERT_EQ(reached, expected) << "seed " << seed << ", step " << step;
      }
      ASSERT_EQ(ledger.first(), queue.empty() ? nullptr : queue.front().request.get());
      const auto watched = std::find_if(queue.begin(), queue.end(),
                                        [](const Entry& entry) { return !entry.at_bound; });
      ASSERT_EQ(ledger.watched(), watched == queue.end() ? nullptr : watched->request.get());
      ASSERT_EQ(ledger.overtakings(), watched == queue.end() ? 0 : watched->overtaken)
          << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
