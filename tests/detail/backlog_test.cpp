// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/backlog.hpp>
#include <batchwright/detail/batch_cut.hpp>
#include <batchwright/detail/size_times.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::QueueOrder;
using batchwright::SizeRule;
using batchwright::TimePoint;
using batchwright::detail::Backlog;
using batchwright::detail::BatchCut;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;
using batchwright::detail::SchedulerLimits;
using batchwright::detail::SizeTimes;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;
using batchwright_test::NamedHeader;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

/// What a test says of a request, but for its flow.
struct Given {
  int priority = 0;
  std::int64_t at = 0;
  std::uint32_t weight = 1;
  std::uint32_t length = 1;
  TimePoint deadline = kNever;
  TimePoint delay_at = kNever;
};

class Rig : public BacklogRig {
 public:
  explicit Rig(SchedulerLimits its_limits = {}) : BacklogRig(std::move(its_limits)) {}

  NamedHeader& make(const std::string& name, const Given& given = {}, Flow* flow = nullptr) {
    NamedHeader& request = requests_.emplace_back();
    request.name = name;
    request.priority = given.priority;
    request.enqueued = at(given.at);
    request.weight = given.weight;
    request.length = given.length;
    request.deadline = given.deadline;
    request.delay_at = given.delay_at;
    request.flow = flow;
    return request;
  }

  NamedHeader& enter(const std::string& name, const Given& given = {}, Flow* flow = nullptr) {
    NamedHeader& request = make(name, given, flow);
    backlog.enter(request);
    return request;
  }

  /// The names in a batch of at most `limit` that is dispatched.
  std::string dispatch(const Lane& lane, std::size_t limit) {
    const BatchCut cut(limits);
    const SizeTimes times(limits.allowed_sizes);
    std::string names;
    const RequestChain batch = backlog.dispatch(cut.cut(order, lane, limit, times));
    batch.each<NamedHeader>([&](const NamedHeader& request) {
      EXPECT_FALSE(request.queued);
      names += request.name;
    });
    EXPECT_EQ(batch.count, names.size());
    return names;
  }
  std::string dispatch(std::size_t limit) { return dispatch(*backlog.first_lane(), limit); }

  /// All of the first lane, in order.
  std::string all() { return backlog.empty() ? "" : BacklogRig::walk(*backlog.first_lane()); }

 private:
  std::deque<NamedHeader> requests_;
};

/// Some lanes of one tenant, and of each the flow.
struct Lanes {
  explicit Lanes(BacklogRig& rig) {
    for (std::size_t i = 0; i < lanes.size(); ++i) flows[i] = &rig.flow(tenant, lanes[i]);
  }

  Tenant tenant;
  std::array<Lane, 3> lanes;
  std::array<Flow*, 3> flows{};
};

// Entering.

TEST(Backlog, APlaceIsTheOwnFlowAndAKeyByTheOrder) {
  for (const auto& [order, key] :
       {std::pair(QueueOrder::fifo, 0), std::pair(QueueOrder::earliest_deadline, 70),
        std::pair(QueueOrder::shortest_first, 5)}) {
    Rig rig({.order = order});
    NamedHeader& request = rig.make("a", {.length = 5, .deadline = at(70)});
    request.delayed = request.at_bound = true;
    rig.backlog.place(request);
    EXPECT_EQ(request.order_key, key);
    EXPECT_EQ(request.flow->lane, &rig.backlog.own_lane());
    EXPECT_EQ(request.flow->tenant, &rig.backlog.own_tenant());
    EXPECT_FALSE(request.delayed);
    EXPECT_FALSE(request.at_bound);
    EXPECT_TRUE(rig.backlog.empty());
  }
}

TEST(Backlog, WhoEntersIsNumberedAndCountedUntilItLeaves) {
  Rig rig;
  EXPECT_TRUE(rig.backlog.empty());
  EXPECT_EQ(rig.backlog.first_lane(), nullptr);
  EXPECT_EQ(rig.backlog.first_tenant(), nullptr);
  NamedHeader& a = rig.enter("a", {.weight = 3});
  NamedHeader& b = rig.enter("b", {.weight = 4});
  EXPECT_EQ(a.sequence, 1u);
  EXPECT_EQ(b.sequence, 2u);
  EXPECT_TRUE(a.queued && b.queued);
  EXPECT_EQ(rig.backlog.count(), 2u);
  EXPECT_EQ(rig.backlog.first_lane(), &rig.backlog.own_lane());
  EXPECT_EQ(rig.backlog.first_tenant(), &rig.backlog.own_tenant());
  EXPECT_EQ(rig.backlog.own_lane().count, 2u);
  EXPECT_EQ(rig.backlog.own_lane().weight, 7u);
  rig.backlog.withdraw(a);
  EXPECT_FALSE(a.queued);
  EXPECT_EQ(rig.backlog.own_lane().count, 1u);
  EXPECT_EQ(rig.backlog.own_lane().weight, 4u);
  rig.backlog.withdraw(b);
  EXPECT_TRUE(rig.backlog.empty());
  EXPECT_EQ(rig.backlog.own_lane().weight, 0u);
  EXPECT_EQ(rig.backlog.first_lane(), nullptr);
  EXPECT_EQ(rig.backlog.first_tenant(), nullptr);
  EXPECT_EQ(rig.enter("c").sequence, 3u);
}

TEST(Backlog, WhoPassesIsNumberedAndNeverQueued) {
  Rig rig;
  NamedHeader& passing = rig.make("a");
  rig.backlog.pass(passing);
  EXPECT_EQ(passing.sequence, 1u);
  EXPECT_FALSE(passing.queued);
  EXPECT_TRUE(rig.backlog.empty());
  EXPECT_EQ(rig.enter("b").sequence, 2u);
}

TEST(Backlog, LanesAndTenantsAreInTheOrderOfTheirFirstRequests) {
  Rig rig({.keyed_lanes = true});
  Lanes of(rig);
  rig.enter("a", {}, of.flows[1]);
  NamedHeader& b = rig.enter("b", {}, of.flows[0]);
  rig.enter("c", {}, of.flows[1]);
  EXPECT_EQ(rig.backlog.first_lane(), &of.lanes[1]);
  EXPECT_EQ(Backlog::next_lane(of.lanes[1]), &of.lanes[0]);
  EXPECT_EQ(Backlog::next_lane(of.lanes[0]), nullptr);
  EXPECT_EQ(of.lanes[1].count, 2u);
  EXPECT_EQ(rig.backlog.first_tenant(), &of.tenant);
  rig.backlog.withdraw(b);
  EXPECT_EQ(Backlog::next_lane(of.lanes[1]), nullptr);
  EXPECT_EQ(rig.backlog.count(), 2u);
}

// Who goes first is LaneOrder's question; what it looks at is here.

TEST(Backlog, ALaneIsInOrderOfPriorityThenOfItsKeyThenAsTheyCame) {
  Rig fifo;
  Rig deadlines({.order = QueueOrder::earliest_deadline});
  Rig lengths({.order = QueueOrder::shortest_first});
  for (Rig* rig : {&fifo, &deadlines, &lengths}) {
    rig->enter("a", {.length = 3});
    rig->enter("b", {.length = 9, .deadline = at(50)});
    rig->enter("c", {.length = 2, .deadline = at(60)});
    rig->enter("d", {.length = 3, .deadline = at(50)});
    rig->enter("e", {.priority = 1, .length = 10});
  }
  EXPECT_EQ(fifo.all(), "eabcd");
  EXPECT_EQ(deadlines.all(), "ebdca");
  EXPECT_EQ(lengths.all(), "ecadb");
}

// Leaving.

TEST(Backlog, ABatchLeavesInOrderAndTheRestStays) {
  for (const bool keyed : {false, true}) {
    Rig rig({.max_batch_size = 3, .keyed_lanes = keyed});
    rig.enter("a", {.at = 1});
    rig.enter("b", {.priority = 2, .at = 2, .weight = 2});
    rig.enter("c", {.at = 3});
    rig.enter("d", {.priority = 1, .at = 4});
    EXPECT_EQ(rig.dispatch(3), "bd");
    EXPECT_EQ(rig.all(), "ac");
    EXPECT_EQ(rig.backlog.count(), 2u);
    EXPECT_EQ(rig.backlog.own_lane().count, 2u);
    EXPECT_EQ(rig.backlog.own_lane().weight, 2u);
    EXPECT_EQ(rig.dispatch(9), "ac");
    EXPECT_TRUE(rig.backlog.empty());
    EXPECT_EQ(rig.backlog.first_lane(), nullptr);
  }
}

TEST(Backlog, ABatchOfSeveralTenantsLeavesByTheirTurns) {
  for (const bool keyed : {false, true}) {
    Rig rig({.keyed_lanes = keyed});
    Lane lane;
    Tenant one, two;
    Flow& first = rig.flow(one, lane);
    Flow& second = rig.flow(two, lane);
    for (const char* name : {"a", "b", "c", "d"}) rig.enter(name, {}, &first);
    for (const char* name : {"w", "x"}) rig.enter(name, {}, &second);
    EXPECT_EQ(rig.dispatch(lane, 3), "awb");
    EXPECT_EQ(rig.all(), "xcd");  // The first has had two.
    EXPECT_EQ(rig.dispatch(lane, 2), "xc");
    EXPECT_EQ(rig.backlog.first_tenant(), &one);
    EXPECT_EQ(rig.dispatch(lane, 2), "d");
    EXPECT_TRUE(rig.backlog.empty());
  }
}

TEST(Backlog, WhoHadNothingQueuedHasSavedUpNothing) {
  for (const std::uint32_t share : {1u, 2u}) {  // Of 2, no batch leaves in one piece.
    Rig rig;
    Lane lane;
    Tenant one, two;
    one.share = share;
    Flow& first = rig.flow(one, lane);
    Flow& second = rig.flow(two, lane);
    for (const char* name : {"a", "b", "c", "d"}) rig.enter(name, {}, &first);
    for (const char* expected : {"a", "b", "c"}) EXPECT_EQ(rig.dispatch(lane, 1), expected);
    for (const char* name : {"x", "y", "z"}) rig.enter(name, {}, &second);
    EXPECT_EQ(rig.all(), "xdyz");  // One before "d", for the last that went, not three.
  }
}

TEST(Backlog, WhenNothingIsQueuedTenantsBeginAnew) {
  Rig rig;
  Lane lane;
  Tenant one, two;
  Flow& first = rig.flow(one, lane);
  Flow& second = rig.flow(two, lane);
  for (const char* name : {"a", "b", "c"}) rig.enter(name, {}, &first);
  EXPECT_EQ(rig.dispatch(lane, 3), "abc");
  for (const char* name : {"d", "e"}) rig.enter(name, {}, &first);
  for (const char* name : {"x", "y"}) rig.enter(name, {}, &second);
  EXPECT_EQ(rig.all(), "dxey");
}

TEST(Backlog, OfOneLaneTheOthersStayWhereTheyAre) {
  Rig rig({.keyed_lanes = true});
  Lanes of(rig);
  rig.enter("a", {}, of.flows[0]);
  rig.enter("x", {.priority = 1}, of.flows[1]);
  rig.enter("b", {}, of.flows[0]);
  EXPECT_EQ(rig.dispatch(of.lanes[1], 5), "x");
  EXPECT_EQ(rig.backlog.first_lane(), &of.lanes[0]);
  EXPECT_EQ(Backlog::next_lane(of.lanes[0]), nullptr);
  EXPECT_EQ(rig.walk(of.lanes[0]), "ab");
}

// Overtaking.

TEST(Backlog, WhoWasOvertakenAsOftenAsIsAllowedGoesFirst) {
  for (const bool keyed : {false, true}) {
    Rig rig({.overtaking_bound = 3, .keyed_lanes = keyed});
    Lane& lane = rig.backlog.own_lane();
    NamedHeader& low = rig.enter("l");
    for (const char* name : {"a", "b", "c", "d"}) rig.enter(name, {.priority = 5});
    EXPECT_EQ(rig.dispatch(2), "ab");
    EXPECT_FALSE(low.at_bound);
    EXPECT_EQ(rig.all(), "cdl");
    EXPECT_EQ(rig.dispatch(1), "c");
    EXPECT_TRUE(low.at_bound);
    EXPECT_EQ(lane.bounded, 1u);
    EXPECT_EQ(rig.all(), "ld");
    EXPECT_EQ(rig.dispatch(1), "l");
    EXPECT_EQ(lane.bounded, 0u);
    EXPECT_EQ(rig.all(), "d");
  }
}

TEST(Backlog, WhoIsWithdrawnHasOvertakenNobody) {
  Rig rig({.overtaking_bound = 2});
  NamedHeader& low = rig.enter("l");
  NamedHeader& high = rig.enter("h", {.priority = 5});
  for (const char* name : {"i", "j"}) rig.enter(name, {.priority = 5});
  rig.backlog.withdraw(high);
  EXPECT_EQ(rig.dispatch(1), "i");
  EXPECT_FALSE(low.at_bound);
  EXPECT_EQ(rig.dispatch(1), "j");
  EXPECT_TRUE(low.at_bound);
  rig.backlog.withdraw(low);
  EXPECT_EQ(rig.backlog.own_lane().bounded, 0u);
  EXPECT_TRUE(rig.backlog.empty());
}

TEST(Backlog, TheBoundCountsWithinATenant) {
  Rig rig({.overtaking_bound = 1});
  Lane lane;
  Tenant one, two;
  Flow& mine = rig.flow(one, lane);
  Flow& other = rig.flow(two, lane);
  rig.enter("m", {}, &mine);
  NamedHeader& low = rig.enter("l", {}, &other);
  EXPECT_EQ(rig.dispatch(lane, 1), "m");
  NamedHeader& again = rig.enter("n", {}, &mine);
  rig.enter("h", {.priority = 5}, &other);
  EXPECT_EQ(rig.dispatch(lane, 1), "h");
  EXPECT_TRUE(low.at_bound);
  EXPECT_FALSE(again.at_bound);  // It came before "h" too, but is not of its tenant.
}

// Another place.

TEST(Backlog, WhoIsDelayedGoesBehindThoseOfItsPriorityAndBeforeLowerOnes) {
  for (const bool keyed : {false, true}) {
    Rig rig({.keyed_lanes = keyed});
    NamedHeader& a = rig.enter("a", {.priority = 1});
    NamedHeader& b = rig.enter("b", {.priority = 1});
    rig.enter("c", {.priority = 1});
    rig.enter("l");
    rig.backlog.delay(b);
    rig.backlog.delay(a);
    EXPECT_TRUE(a.delayed && b.delayed);
    EXPECT_EQ(rig.all(), "cbal");  // As they were delayed, not as they came.
    rig.backlog.rerank(b, {.priority = 1});
    EXPECT_EQ(rig.all(), "cbal");
    rig.enter("d", {.priority = 1});
    EXPECT_EQ(rig.all(), "cdbal");
    EXPECT_EQ(rig.backlog.count(), 5u);
  }
}

TEST(Backlog, WhoIsAtItsBoundStaysFirstWhateverBecomesOfIt) {
  for (const bool keyed : {false, true}) {
    Rig rig({.overtaking_bound = 1, .keyed_lanes = keyed});
    NamedHeader& low = rig.enter("l");
    for (const char* name : {"a", "b"}) rig.enter(name, {.priority = 5});
    EXPECT_EQ(rig.dispatch(1), "a");
    rig.backlog.delay(low);
    EXPECT_EQ(rig.all(), "lb");
    rig.backlog.rerank(low, {.priority = -7});
    EXPECT_EQ(rig.all(), "lb");
    EXPECT_EQ(rig.dispatch(1), "l");
  }
}

TEST(Backlog, WhoIsRerankedGoesByItsNewRankAndKeepsItsAge) {
  for (const bool keyed : {false, true}) {
    Rig rig({.order = QueueOrder::earliest_deadline, .keyed_lanes = keyed});
    NamedHeader& a = rig.enter("a", {.at = 1, .deadline = at(50)});
    rig.enter("b", {.at = 2, .deadline = at(40)});
    NamedHeader& c = rig.enter("c", {.at = 3, .deadline = at(60)});
    rig.backlog.rerank(c, {.priority = 0, .deadline = at(45)});
    EXPECT_EQ(rig.all(), "bca");
    rig.backlog.rerank(c, {.priority = 1, .deadline = at(90)});
    EXPECT_EQ(rig.all(), "cba");
    EXPECT_EQ(c.sequence, 3u);
    rig.backlog.rerank(a, {.priority = -1, .deadline = at(1)});
    EXPECT_EQ(rig.all(), "cba");
    EXPECT_EQ(rig.backlog.oldest(), at(1));
  }
}

TEST(Backlog, WhoIsRerankedIsLiveAgainUnlessTheInstantOfItsDelayStays) {
  Rig rig;
  NamedHeader& a = rig.enter("a", {.delay_at = at(5)});
  rig.enter("b");
  rig.backlog.delay(a);
  rig.backlog.rerank(a, {.priority = 0, .delay_at = at(5)});
  EXPECT_TRUE(a.delayed);
  EXPECT_EQ(rig.all(), "ba");
  rig.backlog.rerank(a, {.priority = 0, .delay_at = at(9)});
  EXPECT_FALSE(a.delayed);
  EXPECT_EQ(a.delay_at, at(9));
  EXPECT_EQ(rig.all(), "ab");
}

// Flushing.

TEST(Backlog, AFlushMarksWhatIsQueuedAndNothingThatComesLater) {
  for (const bool keyed : {false, true}) {
    Rig rig({.keyed_lanes = keyed});
    Lane& lane = rig.backlog.own_lane();
    rig.enter("a");
    NamedHeader& b = rig.enter("b");
    rig.enter("c");
    EXPECT_EQ(lane.flushed, 0u);
    rig.backlog.flush();
    EXPECT_EQ(lane.flushed, 3u);
    NamedHeader& d = rig.enter("d", {.priority = 1});
    EXPECT_EQ(lane.flushed, 3u);
    rig.backlog.withdraw(b);
    EXPECT_EQ(lane.flushed, 2u);
    rig.backlog.withdraw(d);
    EXPECT_EQ(lane.flushed, 2u);
    rig.enter("e", {.priority = 1});
    EXPECT_EQ(rig.dispatch(2), "ea");
    EXPECT_EQ(lane.flushed, 1u);
    EXPECT_EQ(rig.dispatch(1), "c");
    EXPECT_EQ(lane.flushed, 0u);
  }
}

TEST(Backlog, AFlushReachesAllLanesAndEachIsJudgedAnew) {
  Rig rig({.keyed_lanes = true});
  Lanes of(rig);
  for (Flow* flow : of.flows) rig.enter("x", {}, flow);
  const auto judged = [&] {
    std::size_t count = 0;
    rig.backlog.agenda().look(
        at(0), [](std::size_t) { return true; },
        [&](Lane& lane) {
          rig.backlog.agenda().put_waiting(lane, kNever, 1, false);
          ++count;
        });
    return count;
  };
  EXPECT_EQ(judged(), 3u);
  EXPECT_EQ(judged(), 0u);
  rig.backlog.flush();
  for (const Lane& lane : of.lanes) EXPECT_EQ(lane.flushed, 1u);
  EXPECT_EQ(judged(), 3u);
  rig.backlog.reconsider();
  EXPECT_EQ(judged(), 3u);
}

// What is known of all of it.

TEST(Backlog, TheOldestIsByTheInstantAtWhichARequestWasMade) {
  for (const bool keyed : {false, true}) {
    Rig rig({.keyed_lanes = keyed});
    EXPECT_EQ(rig.backlog.oldest(), kNever);
    rig.enter("a", {.at = 5});
    NamedHeader& b = rig.enter("b", {.at = 2});
    rig.enter("c", {.priority = 1, .at = 3});
    EXPECT_EQ(rig.backlog.oldest(), at(2));
    rig.backlog.withdraw(b);
    EXPECT_EQ(rig.backlog.oldest(), at(3));
    EXPECT_EQ(rig.dispatch(1), "c");
    EXPECT_EQ(rig.backlog.oldest(), at(5));
    EXPECT_EQ(rig.dispatch(1), "a");
    EXPECT_EQ(rig.backlog.oldest(), kNever);
  }
}

TEST(Backlog, TheOldestIsFoundAmongAllLanes) {
  Rig rig({.keyed_lanes = true});
  Lanes of(rig);
  rig.enter("a", {.at = 5}, of.flows[0]);
  rig.enter("b", {.at = 4}, of.flows[1]);
  rig.enter("c", {.at = 9}, of.flows[1]);
  rig.enter("d", {.at = 7}, of.flows[2]);
  EXPECT_EQ(rig.backlog.oldest(), at(4));
  EXPECT_EQ(rig.dispatch(of.lanes[1], 1), "b");
  EXPECT_EQ(rig.backlog.oldest(), at(5));
  EXPECT_EQ(rig.dispatch(of.lanes[0], 1), "a");
  EXPECT_EQ(rig.backlog.oldest(), at(7));
}

TEST(Backlog, ItIsFullWithWhatIsQueuedAndWhatOthersHold) {
  Rig rig({.capacity = 3});
  Backlog& backlog = rig.backlog;
  EXPECT_EQ(backlog.room(), 3u);
  rig.enter("a");
  EXPECT_EQ(backlog.room(), 2u);
  EXPECT_FALSE(backlog.full());
  backlog.share_room(2);
  EXPECT_TRUE(backlog.full());
  EXPECT_TRUE(backlog.waits_in_vain());
  EXPECT_EQ(backlog.room(), 1u);  // Who sleeps is woken by the next one at the latest.
  backlog.share_room(1);
  EXPECT_FALSE(backlog.full());
  EXPECT_EQ(backlog.room(), 1u);
  rig.enter("b");
  EXPECT_TRUE(backlog.full());
  EXPECT_EQ(rig.dispatch(1), "a");
  EXPECT_FALSE(backlog.full());
  backlog.share_room(0);
  EXPECT_EQ(backlog.room(), 2u);
}

TEST(Backlog, WithoutACapacityItIsNeverFull) {
  Rig rig;
  for (const char* name : {"a", "b"}) rig.enter(name);
  rig.backlog.share_room(1000);
  EXPECT_FALSE(rig.backlog.full());
  EXPECT_EQ(rig.backlog.room(), kNoCount);
}

TEST(Backlog, OfSeveralLanesNoneIsSaidToWaitInVain) {
  Rig rig({.capacity = 1, .keyed_lanes = true});
  rig.enter("a");
  EXPECT_TRUE(rig.backlog.full());
  EXPECT_FALSE(rig.backlog.waits_in_vain());  // Which of them goes is the scheduler's question.
}

TEST(Backlog, WhereLengthsCountALaneKnowsItsLongest) {
  for (const bool keyed : {false, true}) {
    Rig rig({.size_rule = SizeRule::padded, .keyed_lanes = keyed});
    Lane& lane = rig.backlog.own_lane();
    EXPECT_EQ(lane.longest(), 0u);
    rig.enter("a", {.length = 4});
    NamedHeader& b = rig.enter("b", {.length = 9});
    rig.enter("c", {.length = 6});
    EXPECT_EQ(lane.longest(), 9u);
    EXPECT_EQ(lane.size(SizeRule::padded), 27u);
    rig.backlog.withdraw(b);
    EXPECT_EQ(lane.size(SizeRule::padded), 12u);
    EXPECT_EQ(rig.dispatch(4), "a");
    EXPECT_EQ(lane.size(SizeRule::padded), 6u);
  }
}

}  // namespace
