// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"
#include "tests/support/random.hpp"

#include <batchwright/detail/due_flows.hpp>
#include <batchwright/detail/lane_order.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using batchwright::detail::DueFlows;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;
using batchwright_test::Random;

TEST(DueFlows, WithoutAFlowThereIsNoFirst) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  EXPECT_EQ(due.first(), nullptr);
}

TEST(DueFlows, OfOneTenantTheFlowWithTheFirstHeadGoesFirst) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant tenant;
  Lane lanes[3];
  Flow& a = rig.flow(tenant, lanes[0]);
  Flow& b = rig.flow(tenant, lanes[1]);
  Flow& c = rig.flow(tenant, lanes[2]);
  rig.enter("a", 0, 1, &a);
  rig.enter("b", 7, 1, &b);
  rig.enter("c", 0, 1, &c);
  for (Flow* flow : {&c, &a, &b}) due.insert(*flow);
  EXPECT_EQ(due.first(), &b);
  due.erase(b);
  EXPECT_EQ(due.first(), &a);
}

TEST(DueFlows, AFlowWhoseHeadHasLeftGoesByTheNextOne) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant tenant;
  Lane lanes[2];
  Flow& a = rig.flow(tenant, lanes[0]);
  Flow& b = rig.flow(tenant, lanes[1]);
  auto& head = rig.enter("a", 9, 1, &a);
  rig.enter("a", 0, 1, &a);
  rig.enter("b", 5, 1, &b);
  due.insert(a);
  due.insert(b);
  EXPECT_EQ(due.first(), &a);
  rig.backlog.withdraw(head);
  due.advance(a);
  EXPECT_EQ(due.first(), &b);
  due.erase(b);
  EXPECT_EQ(due.first(), &a);
}

TEST(DueFlows, TheTenantCountsBeforeItsHeads) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant spent, fresh;
  spent.tag = 1;
  Lane lane;
  Flow& a = rig.flow(spent, lane);
  Flow& b = rig.flow(fresh, lane);
  rig.enter("a", 9, 1, &a);
  rig.enter("b", 0, 1, &b);
  due.insert(a);
  due.insert(b);
  EXPECT_EQ(due.first(), &b);
}

TEST(DueFlows, ATenantThatHasMovedBackMeanwhileIsFoundInItsPlace) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant one, two, three;
  Lane lane;
  Flow& a = rig.flow(one, lane);
  Flow& b = rig.flow(two, lane);
  Flow& c = rig.flow(three, lane);
  rig.enter("a", 0, 1, &a);
  rig.enter("b", 0, 1, &b);
  rig.enter("c", 0, 1, &c);
  for (Flow* flow : {&a, &b, &c}) due.insert(*flow);
  one.tag = 7;
  two.tag = 9;
  EXPECT_EQ(due.first(), &c);
  due.erase(c);
  EXPECT_EQ(due.first(), &a);
  due.erase(a);
  EXPECT_EQ(due.first(), &b);
}

TEST(DueFlows, AmongEqualTenantsWhoseFirstRequestCameFirst) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant one, two;
  Lane lane, other;
  Flow& a = rig.flow(one, lane);
  Flow& b = rig.flow(two, lane);
  auto& early = rig.enter("a", 0, 1, &rig.flow(one, other));  // In a lane that is not due.
  rig.enter("b", 0, 1, &b);
  rig.enter("a", 0, 1, &a);
  due.insert(a);
  due.insert(b);
  EXPECT_EQ(due.first(), &a);
  rig.backlog.withdraw(early);
  EXPECT_EQ(due.first(), &b);
}

TEST(DueFlows, ATurnOutlivesTheFlowThatLendsIt) {
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  Tenant tenant;
  Lane lanes[4];
  std::vector<Flow*> flows;
  for (Lane& lane : lanes) {
    flows.push_back(&rig.flow(tenant, lane));
    rig.enter("x", 0, 1, flows.back());
    due.insert(*flows.back());
  }
  for (Flow* flow : flows) {  // The first has lent it, and whoever got it leaves in turn.
    EXPECT_EQ(due.first(), flow);
    due.erase(*flow);
    flow->turn = {};
  }
  EXPECT_EQ(due.first(), nullptr);
  EXPECT_TRUE(tenant.turns.empty());
}

TEST(DueFlows, ATenantHasATurnForEachExecutorThatItsLanesAreBoundTo) {
  BacklogRig rig;
  DueFlows free(rig.backlog.shares());
  DueFlows bound(rig.backlog.shares());
  Tenant tenant;
  Lane anywhere, zero;
  zero.executor = 0;
  Flow& a = rig.flow(tenant, anywhere);
  Flow& b = rig.flow(tenant, zero);
  rig.enter("a", 0, 1, &a);
  rig.enter("b", 0, 1, &b);
  free.insert(a);
  bound.insert(b);
  EXPECT_EQ(free.first(), &a);
  EXPECT_EQ(bound.first(), &b);
  free.erase(a);
  EXPECT_EQ(free.first(), nullptr);
  EXPECT_EQ(bound.first(), &b);
}

// Requests come and go, tags grow and lanes become due and cease to be; the first is always the one
// that a search over all of them finds.
TEST(DueFlows, TheFirstIsTheOneThatASearchFinds) {
  Random random(5);
  BacklogRig rig;
  DueFlows due(rig.backlog.shares());
  std::vector<Tenant> tenants(5);
  std::vector<Lane> lanes(12);
  std::vector<Flow*> flows;
  std::vector<std::vector<batchwright_test::NamedHeader*>> queued;
  for (Tenant& tenant : tenants) {
    for (Lane& lane : lanes) flows.push_back(&rig.flow(tenant, lane));
  }
  queued.resize(flows.size());
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t i = random.below(flows.size());
    Flow& flow = *flows[i];
    const bool was_due = flow.head != nullptr;
    if (was_due && queued[i].size() > 1 && random.chance(25)) {
      const auto head = std::find(queued[i].begin(), queued[i].end(), flow.head);
      rig.backlog.withdraw(**head);
      queued[i].erase(head);
      due.advance(flow);
    } else {
      if (was_due) due.erase(flow);
      if (queued[i].empty() || random.chance(45)) {
        queued[i].push_back(&rig.enter("x", static_cast<int>(random.below(3)), 1, &flow));
      } else {
        rig.backlog.withdraw(*queued[i].back());
        queued[i].pop_back();
      }
      if (!flow.empty() && (was_due ? random.chance(90) : random.chance(30))) due.insert(flow);
    }
    if (random.chance(20)) random.pick(tenants).tag += random.below(4);

    Flow* expected = nullptr;
    for (Flow* other : flows) {
      if (other->head == nullptr) continue;
      if (expected == nullptr || rig.order.before(*other->head, *expected->head)) expected = other;
    }
    ASSERT_EQ(due.first(), expected) << "step " << step;
  }
}

}  // namespace
