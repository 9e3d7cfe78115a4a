// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/batch_cut.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace {

using batchwright::Duration;
using batchwright::FitRule;
using batchwright::kNoCount;
using batchwright::detail::BatchCut;
using batchwright::detail::SchedulerLimits;
using batchwright::detail::SizeTimes;
using batchwright_test::BacklogRig;

/// A lane of requests with these weights, and how it is cut: "count/size/padded".
class Lane {
 public:
  Lane(SchedulerLimits limits, std::initializer_list<std::uint32_t> weights)
      : rig_(std::move(limits)), cut_(rig_.limits), times(rig_.limits.allowed_sizes) {
    for (const std::uint32_t weight : weights) rig_.enter("x", 0, weight);
  }

  std::string cut(std::size_t limit) {
    const BatchCut::Cut cut = cut_.cut(rig_.order, *rig_.backlog.first_lane(), limit, times);
    return std::to_string(cut.count) + "/" + std::to_string(cut.size) + "/" +
           std::to_string(cut.padded_size);
  }
  bool preferred_reached() {
    return cut_.preferred_reached(rig_.order, *rig_.backlog.first_lane());
  }
  void set_cap(std::size_t cap) { cut_.set_cap(cap); }
  std::size_t missing(std::size_t queued) const { return cut_.missing_to_preferred(queued); }

 private:
  BacklogRig rig_;
  BatchCut cut_;

 public:
  SizeTimes times;
};

TEST(BatchCut, TakesTheLongestPrefixWithinTheLimitAndAtLeastOne) {
  Lane lane({.max_batch_size = 10}, {3, 4, 5, 1});
  EXPECT_EQ(lane.cut(10), "2/7/7");
  EXPECT_EQ(lane.cut(12), "3/12/12");
  EXPECT_EQ(lane.cut(1), "1/3/3");
  EXPECT_EQ(lane.cut(kNoCount), "4/13/13");
}

// Whether the requests of a rig leave from the front of one flow, and which other orders begin with them.
std::string front_of(BacklogRig& rig, std::size_t limit) {
  const BatchCut cut(rig.limits);
  const SizeTimes times(rig.limits.allowed_sizes);
  const BatchCut::Cut front = cut.cut(rig.order, *rig.backlog.first_lane(), limit, times);
  const std::string count = std::to_string(front.count);
  if (front.last == nullptr) return count + " one by one";
  if (front.accepted_first && front.oldest) return count + " at once";
  return count + " of the front" + (front.accepted_first ? ", as accepted" : "") +
         (front.oldest ? ", by age" : "");
}

TEST(BatchCut, TheFrontOfAFlowLeavesInOnePieceUnlessSomethingElseCounts) {
  BacklogRig plain;
  for (const char* name : {"a", "b", "c"}) plain.enter(name);
  EXPECT_EQ(front_of(plain, 2), "2 at once");
  EXPECT_EQ(front_of(plain, 8), "3 at once");
  plain.enter("later, but first", 1);
  EXPECT_EQ(front_of(plain, 8), "4 of the front");

  BacklogRig urgent;
  urgent.enter("a", 1);
  urgent.enter("b");
  EXPECT_EQ(front_of(urgent, 1), "1 at once");
  EXPECT_EQ(front_of(urgent, 2), "2 at once");  // Of two levels.

  BacklogRig aged;
  aged.enter("a", 1);
  aged.enter("b", 1).enqueued += Duration(1);  // Once it is in; so it is as if it had come before,
  aged.enter("c", 0);                          // and this one as well.
  EXPECT_EQ(front_of(aged, 8), "3 of the front, as accepted");

  BacklogRig flushed;
  flushed.enter("a");
  flushed.backlog.flush();
  EXPECT_EQ(front_of(flushed, 8), "1 one by one");

  BacklogRig sized({.max_batch_size = 8, .preferred_sizes = {2, 4}});
  for (const char* name : {"a", "b", "c"}) sized.enter(name);
  EXPECT_EQ(front_of(sized, 8), "2 at once");
  BacklogRig trimmed({.max_batch_size = 8, .allowed_sizes = {2, 4}, .fit = FitRule::trim_down});
  for (const char* name : {"a", "b", "c"}) trimmed.enter(name);
  EXPECT_EQ(front_of(trimmed, 8), "2 at once");
  BacklogRig padded({.max_batch_size = 8, .size_rule = batchwright::SizeRule::padded});
  padded.enter("a");
  EXPECT_EQ(front_of(padded, 8), "1 one by one");

  batchwright::detail::Tenant one, other;
  other.share = 2;
  batchwright::detail::Lane lane;
  BacklogRig tenants;
  tenants.enter("a", 0, 1, &tenants.flow(one, lane));
  EXPECT_EQ(front_of(tenants, 8), "1 at once");
  tenants.enter("b", 0, 1, &tenants.flow(other, lane));
  EXPECT_EQ(front_of(tenants, 8), "2 one by one");

  batchwright::detail::Lane shared_lane;
  BacklogRig shared;
  shared.enter("a", 0, 1, &shared.flow(other, shared_lane));
  EXPECT_EQ(front_of(shared, 8), "1 one by one");
}

TEST(BatchCut, PadsUpToTheNextAllowedSize) {
  Lane lane({.max_batch_size = 16, .allowed_sizes = {4, 8}}, {1, 1, 1, 1, 1});
  EXPECT_EQ(lane.cut(8), "5/5/8");
  EXPECT_EQ(lane.cut(2), "2/2/4");
}

TEST(BatchCut, TrimsDownOnlyWhereSomeOfThemAreJustASize) {
  const SchedulerLimits limits{
      .max_batch_size = 16, .allowed_sizes = {4, 8}, .fit = FitRule::trim_down};
  EXPECT_EQ(Lane(limits, {1, 1, 1, 1, 1}).cut(8), "4/4/4");
  EXPECT_EQ(Lane(limits, {3, 2, 1}).cut(8), "3/6/8");
  EXPECT_EQ(Lane(limits, {1, 1}).cut(8), "2/2/4");
  EXPECT_EQ(Lane(limits, {4, 4, 4}).cut(8), "2/8/8");
  EXPECT_EQ(Lane(limits, {50}).cut(8), "1/50/50");
}

TEST(BatchCut, TheCheapestIsByMeasuredTimePerRequest) {
  const SchedulerLimits limits{
      .max_batch_size = 8, .allowed_sizes = {4, 8}, .fit = FitRule::cheapest};
  Lane lane(limits, {1, 1, 1, 1, 1});
  EXPECT_EQ(lane.cut(8), "5/5/8");  // Nothing is known.
  lane.times.observe(4, Duration(400));
  EXPECT_EQ(lane.cut(8), "5/5/8");
  lane.times.observe(8, Duration(501));
  EXPECT_EQ(lane.cut(8), "4/4/4");  // 100 each against 501 / 5.
  Lane cheap(limits, {1, 1, 1, 1, 1});
  cheap.times.observe(4, Duration(400));
  cheap.times.observe(8, Duration(499));
  EXPECT_EQ(cheap.cut(8), "5/5/8");
}

TEST(BatchCut, TheLargestPreferredSizeThatIsHitLeaves) {
  const SchedulerLimits limits{.max_batch_size = 16, .preferred_sizes = {4, 8}};
  Lane six(limits, {1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(six.preferred_reached());
  EXPECT_EQ(six.cut(16), "4/4/4");
  EXPECT_EQ(six.cut(3), "3/3/3");
  Lane odd(limits, {3, 3});
  EXPECT_FALSE(odd.preferred_reached());
  EXPECT_EQ(odd.cut(16), "2/6/6");
  Lane passed(limits, {3, 3, 3});  // Passes the largest without a hit.
  EXPECT_TRUE(passed.preferred_reached());
  EXPECT_EQ(passed.cut(16), "2/6/6");
}

TEST(BatchCut, WhetherAPreferredSizeIsHitDependsOnTheTurnsOfSeveralTenantsWithUnequalWeights) {
  BacklogRig rig({.max_batch_size = 16, .preferred_sizes = {4}});
  const BatchCut cut(rig.limits);
  const BatchCut indifferent({.max_batch_size = 16});
  batchwright::detail::Tenant one, two;
  batchwright::detail::Lane lane;
  auto& a = rig.flow(one, lane);
  rig.enter("a", 0, 1, &a);
  rig.enter("a", 0, 2, &a);
  EXPECT_FALSE(cut.depends_on_turns(lane));  // One tenant.
  auto& b = rig.enter("b", 0, 1, &rig.flow(two, lane));
  EXPECT_TRUE(cut.depends_on_turns(lane));
  EXPECT_FALSE(indifferent.depends_on_turns(lane));
  rig.backlog.withdraw(b);

  batchwright::detail::Lane even;
  rig.enter("a", 0, 1, &rig.flow(one, even));
  rig.enter("b", 0, 1, &rig.flow(two, even));
  EXPECT_FALSE(cut.depends_on_turns(even));  // Every prefix has all sizes up to its own.
}

TEST(BatchCut, SaysWhatIsMissingToAPreferredSize) {
  const Lane lane({.max_batch_size = 16, .preferred_sizes = {4, 8}}, {1});
  EXPECT_EQ(lane.missing(1), 3u);
  EXPECT_EQ(lane.missing(4), 1u);
  EXPECT_EQ(lane.missing(6), 1u);
  EXPECT_EQ(Lane({}, {1}).missing(1), kNoCount);
}

TEST(BatchCut, UnderALoweredCapOnlyTheSizesUpToItArePreferred) {
  const SchedulerLimits limits{.max_batch_size = 16, .preferred_sizes = {2, 8}};
  Lane three(limits, {3});
  EXPECT_FALSE(three.preferred_reached());
  three.set_cap(7);
  EXPECT_TRUE(three.preferred_reached());  // Past the largest that is left.
  three.set_cap(16);
  EXPECT_FALSE(three.preferred_reached());
  three.set_cap(1);
  EXPECT_FALSE(three.preferred_reached());
  EXPECT_EQ(three.missing(1), kNoCount);
}

}  // namespace
