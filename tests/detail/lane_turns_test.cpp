// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/lane_turns.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace {

using batchwright::detail::FairShare;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::LaneTurns;
using batchwright::detail::RequestHeader;
using batchwright::detail::tag_before;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;

struct Two {
  BacklogRig rig;
  Lane lane;
  Tenant one, two;
  Flow& a = rig.flow(one, lane);
  Flow& b = rig.flow(two, lane);
  LaneTurns turns{rig.backlog.shares()};
};

TEST(LaneTurns, OfEqualsWhoWasAcceptedFirstGoesFirst) {
  Two of;
  of.rig.enter("b", 0, 1, &of.b);
  of.rig.enter("a", 0, 1, &of.a);
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
}

TEST(LaneTurns, ATurnThatHasMovedBackIsFoundOutWhenItComesToTheFront) {
  Two of;
  auto& first = of.rig.enter("a", 0, 1, &of.a);
  of.rig.enter("b", 0, 1, &of.b);
  of.rig.enter("a", 0, 1, &of.a);
  of.rig.backlog.dispatch(first, true);  // Costs the tenant its turn.
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
}

TEST(LaneTurns, AlsoWhereOnlyTheFirstRequestIsAnotherOne) {
  Two of;
  auto& first = of.rig.enter("a", 0, 1, &of.a);
  of.rig.enter("b", 0, 1, &of.b);
  of.rig.enter("a", 0, 1, &of.a);
  of.rig.backlog.withdraw(first);
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
}

TEST(LaneTurns, WhoWasTakenIsOutUntilTheNextBegin) {
  Two of;
  of.rig.enter("a", 0, 1, &of.a);
  of.rig.enter("b", 0, 1, &of.b);
  of.turns.take(*of.turns.first(of.lane));
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
  of.turns.take(of.b);
  EXPECT_EQ(of.turns.first(of.lane), nullptr);
  of.turns.begin(of.lane);
  EXPECT_EQ(of.turns.first(of.lane), &of.a);
}

TEST(LaneTurns, WhoLeavesWhileTakenDoesNotComeBack) {
  Two of;
  auto& only = of.rig.enter("a", 0, 1, &of.a);
  of.rig.enter("b", 0, 1, &of.b);
  of.turns.take(of.a);
  of.rig.backlog.dispatch(only, true);
  of.turns.begin(of.lane);
  EXPECT_EQ(of.turns.first(of.lane), &of.b);
  of.rig.enter("a", 0, 1, &of.a);  // It may come anew.
  of.turns.take(of.b);
  EXPECT_EQ(of.turns.first(of.lane), &of.a);
}

// The order of a lane by asking every tenant at each step.
std::string asked_one_by_one(const FairShare& shares, const Lane& lane) {
  using Flows = batchwright::detail::IntrusiveList<&Flow::in_lane>;
  struct Walk {
    const Flow* flow;
    const RequestHeader* at;
    std::uint64_t tag;
  };
  std::vector<Walk> walks;
  for (const Flow* flow = lane.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
    walks.push_back({flow, flow->front(), shares.effective(*flow->tenant)});
  }
  std::string names;
  for (;;) {
    Walk* first = nullptr;
    for (Walk& one : walks) {
      if (one.at == nullptr) continue;
      const auto accepted = [](const Walk& walk) {
        return walk.flow->tenant->ledger.first()->sequence;
      };
      if (first == nullptr || tag_before(one.tag, first->tag) ||
          (one.tag == first->tag && accepted(one) < accepted(*first))) {
        first = &one;
      }
    }
    if (first == nullptr) return names;
    names += static_cast<const batchwright_test::NamedHeader&>(*first->at).name;
    first->tag += FairShare::cost(*first->flow->tenant, first->at->weight);
    first->at = first->flow->next(*first->at);
  }
}

// Forty tenants in two lanes; requests come, leave in batches, or are withdrawn, and walks break off.
TEST(LaneTurns, WalksAreAsIfEachTenantWereAskedAtEachStep) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  };
  BacklogRig rig;
  std::deque<Lane> lanes(2);
  std::deque<Tenant> tenants(40);
  std::vector<Flow*> flows;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    tenants[i].share = static_cast<std::uint32_t>(1 + i % 3);
    for (Lane& lane : lanes) flows.push_back(&rig.flow(tenants[i], lane));
  }
  std::size_t longest = 0;
  for (int step = 0; step < 2'000; ++step) {
    for (std::size_t come = below(14); come > 0; --come) {
      rig.enter(std::string(1, static_cast<char>('a' + below(26))), static_cast<int>(below(3)),
                static_cast<std::uint32_t>(1 + below(4)),
                flows[below(step % 100 < 50 ? flows.size() : 6)]);
    }
    Lane& lane = lanes[below(lanes.size())];
    if (lane.flows.empty()) continue;
    const std::string expected = asked_one_by_one(rig.backlog.shares(), lane);
    ASSERT_EQ(rig.walk(lane), expected) << step;
    longest = std::max(longest, expected.size());

    const std::size_t count = 1 + below(expected.size() < 60 ? 16 : 60);
    RequestHeader* one = rig.order.first_of(lane, count);
    const bool withdraws = below(8) == 0;
    for (bool leads = true; one != nullptr; leads = false) {
      RequestHeader* const next = one->next_picked;
      withdraws ? rig.backlog.withdraw(*one) : rig.backlog.dispatch(*one, leads);
      one = next;
    }
  }
  EXPECT_GT(longest, 40u);
}

}  // namespace
