// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/overtaking_ledger.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::OvertakingLedger;
using batchwright::detail::RequestHeader;
using batchwright_test::Random;

TEST(OvertakingLedger, AnEmptyLedgerHasNoFirst) {
  OvertakingLedger ledger;
  EXPECT_EQ(ledger.first(), nullptr);
  EXPECT_EQ(ledger.overtakings_of_first(), 0u);
}

TEST(OvertakingLedger, TheFirstIsTheOneThatWasAcceptedFirst) {
  OvertakingLedger ledger;
  RequestHeader a, b;
  ledger.accept(a);
  ledger.accept(b);
  EXPECT_EQ(ledger.first(), &a);
  ledger.dispatch(a);
  EXPECT_EQ(ledger.first(), &b);
  EXPECT_EQ(ledger.overtakings_of_first(), 0u);
}

TEST(OvertakingLedger, ADispatchOvertakesWhatWasAcceptedBefore) {
  OvertakingLedger ledger;
  RequestHeader a, b, c;
  for (RequestHeader* request : {&a, &b, &c}) ledger.accept(*request);
  ledger.dispatch(c);
  EXPECT_EQ(ledger.overtakings_of_first(), 1u);
  ledger.dispatch(b);
  EXPECT_EQ(ledger.overtakings_of_first(), 2u);
  ledger.dispatch(a);
  EXPECT_EQ(ledger.overtakings_of_first(), 0u);
}

TEST(OvertakingLedger, AWithdrawalOvertakesNobodyAndLosesNoCount) {
  OvertakingLedger ledger;
  RequestHeader a, b, c;
  for (RequestHeader* request : {&a, &b, &c}) ledger.accept(*request);
  ledger.dispatch(c);  // Counted behind b, for a and for b.
  ledger.withdraw(b);
  EXPECT_EQ(ledger.overtakings_of_first(), 1u);
  ledger.withdraw(a);
  EXPECT_EQ(ledger.first(), nullptr);
  EXPECT_EQ(ledger.overtakings_of_first(), 0u);
}

TEST(OvertakingLedger, TheFirstTakesItsCountAlongAndTheNextKeepsItsOwn) {
  OvertakingLedger ledger;
  RequestHeader a, b, c, d;
  for (RequestHeader* request : {&a, &b, &c, &d}) ledger.accept(*request);
  ledger.dispatch(b);
  ledger.dispatch(d);
  EXPECT_EQ(ledger.overtakings_of_first(), 2u);
  ledger.withdraw(a);
  EXPECT_EQ(ledger.first(), &c);
  EXPECT_EQ(ledger.overtakings_of_first(), 1u);
}

TEST(OvertakingLedger, AgreesWithCountsKeptForEachRequest) {
  struct Entry {
    std::unique_ptr<RequestHeader> request;
    std::uint64_t overtaken = 0;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    OvertakingLedger ledger;
    std::vector<Entry> queue;  // In order of acceptance.
    for (int step = 0; step < 2000; ++step) {
      const std::size_t kind = random.below(4);
      if (queue.empty() || (kind < 2 && queue.size() < 40)) {
        ledger.accept(*queue.emplace_back(Entry{std::make_unique<RequestHeader>(), 0}).request);
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
      }
      ASSERT_EQ(ledger.first(), queue.empty() ? nullptr : queue.front().request.get());
      ASSERT_EQ(ledger.overtakings_of_first(), queue.empty() ? 0 : queue.front().overtaken)
          << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
