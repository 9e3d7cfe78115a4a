// SPDX-License-Identifier: MIT
#include "tests/support/scheduler_policies.hpp"

#include <batchwright/detail/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace bw = batchwright;
using batchwright_test::ReleaseAll;
using batchwright_test::ReleaseBeforeDeadline;
using batchwright_test::ReleaseSome;
using batchwright_test::WaitForAge;
using batchwright_test::WaitForEither;
using batchwright_test::WaitForSize;
using bw::Duration;
using bw::Outcome;
using bw::TimePoint;
using bw::detail::Action;
using bw::detail::RequestHeader;
using bw::detail::SchedulerLimits;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

struct NamedRequest : RequestHeader {
  std::string name;
};

/// What a test says of a request. Its instants are ticks; "never" is no deadline.
struct Given {
  std::int64_t at = 0;
  int priority = 0;
  std::uint32_t weight = 1;
  TimePoint deadline = bw::kNever;
  TimePoint delay_at = bw::kNever;
  std::uint32_t length = 1;
  std::size_t bytes = 0;
};

std::string words(TimePoint time) {
  return time == bw::kNever ? "never" : std::to_string(time.time_since_epoch().count());
}

/// An action in words: "idle", "wait until 10 for 3", "expired a b", "run a b on 0: size".
std::string words(const Action& action) {
  std::string names;
  for (const RequestHeader* request = action.requests.first; request != nullptr;
       request = bw::detail::RequestChain::next(*request)) {
    names += " " + static_cast<const NamedRequest&>(*request).name;
  }
  switch (action.kind) {
    case Action::Kind::idle:
      return "idle";
    case Action::Kind::wait:
      return "wait until " + words(action.until) + " for " +
             (action.missing == bw::kNoCount ? "none" : std::to_string(action.missing));
    case Action::Kind::fail:
      return bw::to_string(action.outcome) + names;
    case Action::Kind::dispatch:
      break;
  }
  return "run" + names + " on " + std::to_string(action.executor) + ": " +
         bw::to_string(action.reason);
}

/// A scheduler with its requests. The net is off unless a test is about it.
template <class Policy>
class Rig {
 public:
  explicit Rig(Policy policy, SchedulerLimits limits = {})
      : scheduler(std::move(policy), with_net(limits)) {}

  NamedRequest& arrive(std::string name, const Given& given = {},
                       bw::detail::Flow* flow = nullptr) {
    NamedRequest& request = requests_.emplace_back();
    request.flow = flow;
    request.name = std::move(name);
    request.enqueued = at(given.at);
    request.priority = given.priority;
    request.weight = given.weight;
    request.deadline = given.deadline;
    request.delay_at = given.delay_at;
    request.length = given.length;
    request.bytes = given.bytes;
    scheduler.arrive(request);
    return request;
  }

  std::string next(std::int64_t tick) {
    last = scheduler.next(at(tick));
    if (last.kind == Action::Kind::dispatch) dispatched_[last.batch_id] = {last, at(tick)};
    return words(last);
  }

  /// A report of a batch, `service` after its dispatch.
  void report(std::uint64_t batch_id, std::int64_t service = 0, bool computed = true) {
    const auto& [action, dispatched] = dispatched_.at(batch_id);
    bw::BatchReport report;
    report.batch_id = batch_id;
    report.executor = action.executor;
    report.size = computed ? action.requests.size : 0;
    report.count = computed ? action.requests.count : 0;
    report.oldest = action.oldest;
    report.dispatched = report.started = dispatched;
    report.finished = dispatched + Duration(service);
    scheduler.report(report);
  }

  /// As a synchronous predictor ends: answered and returned together.
  void finish(std::uint64_t batch_id, std::int64_t service = 0) {
    report(batch_id, service);
    scheduler.vacate(dispatched_.at(batch_id).first.executor);
  }

  bw::detail::Scheduler<Policy> scheduler;
  Action last;

 private:
  static SchedulerLimits with_net(SchedulerLimits limits) {
    if (limits.max_wait == SchedulerLimits{}.max_wait) limits.max_wait = Duration::max();
    return limits;
  }

  std::deque<NamedRequest> requests_;
  std::map<std::uint64_t, std::pair<Action, TimePoint>> dispatched_;
};

// What there is to do.

TEST(Scheduler, AnEmptyQueueIsIdle) {
  Rig rig(ReleaseAll{});
  EXPECT_EQ(rig.next(0), "idle");
}

TEST(Scheduler, AGreedyPolicyReleasesAtOnceWhatIsThere) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
  EXPECT_EQ(rig.next(0), "idle");
}

TEST(Scheduler, ABusyExecutorLetsABatchGather) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b");
  rig.arrive("c");
  EXPECT_EQ(rig.next(1), "wait until never for none");
  rig.finish(1);
  EXPECT_EQ(rig.next(2), "run b c on 0: greedy");
}

TEST(Scheduler, WithoutAFreeExecutorOnlyTheEarliestDeadlineIsAwaited) {
  Rig rig(WaitForEither{.size = 4, .window = Duration(10)});
  for (const char* name : {"a", "b", "c", "d"}) rig.arrive(name);
  rig.next(0);
  rig.arrive("e", {.at = 1, .deadline = at(90)});
  rig.arrive("f", {.at = 1, .deadline = at(70)});
  EXPECT_EQ(rig.next(1), "wait until 70 for none");
}

TEST(Scheduler, AnArrivalAtTheInstantAnExecutorIsFreedJoinsTheBatch) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b");
  rig.next(1);
  rig.finish(1);
  rig.arrive("c", {.at = 5});
  EXPECT_EQ(rig.next(5), "run b c on 0: greedy");
}

TEST(Scheduler, SeveralActionsOfOneInstantComeOneByOne) {
  Rig rig(ReleaseSome{1}, {.executors = 2, .max_in_flight = 2});
  NamedRequest& a = rig.arrive("a");
  rig.arrive("b", {.deadline = at(0)});
  rig.arrive("c");
  rig.arrive("d");
  rig.arrive("e");
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(0), "cancelled a");
  EXPECT_EQ(rig.next(0), "expired b");
  EXPECT_EQ(rig.next(0), "run c on 0: greedy");
  EXPECT_EQ(rig.next(0), "run d on 1: greedy");
  EXPECT_EQ(rig.next(0), "wait until never for none");
}

TEST(Scheduler, BatchesAreNumberedFromOne) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  EXPECT_EQ(rig.last.batch_id, 1u);
  rig.finish(1);
  rig.arrive("b");
  rig.next(1);
  EXPECT_EQ(rig.last.batch_id, 2u);
}

TEST(Scheduler, RequestsAreNumberedInOrderOfAcceptanceFromOne) {
  Rig rig(ReleaseAll{});
  EXPECT_EQ(rig.arrive("a", {.at = 9}).sequence, 1u);
  EXPECT_EQ(rig.arrive("b", {.at = 3}).sequence, 2u);
}

TEST(Scheduler, ABatchNamesTheEnqueueTimeOfItsOldestRequest) {
  Rig rig(ReleaseSome{2});
  rig.arrive("a", {.at = 7, .priority = 1});
  rig.arrive("b", {.at = 5, .priority = 1});
  rig.arrive("c", {.at = 1, .priority = 0});
  EXPECT_EQ(rig.next(9), "run a b on 0: greedy");
  EXPECT_EQ(rig.last.oldest, at(5));
}

TEST(Scheduler, ABatchCountsItsRequestsAndTheirWeight) {
  Rig rig(ReleaseAll{});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b", {.weight = 4});
  rig.next(0);
  EXPECT_EQ(rig.last.requests.count, 2u);
  EXPECT_EQ(rig.last.requests.size, 7u);
}

TEST(Scheduler, SnapshotsFollowTheEvents) {
  Rig rig(ReleaseSome{2});
  EXPECT_EQ(rig.scheduler.oldest(), bw::kNever);
  rig.arrive("a", {.at = 4});
  NamedRequest& b = rig.arrive("b", {.at = 2});
  rig.arrive("c", {.at = 3});
  rig.arrive("d", {.at = 5});
  EXPECT_EQ(rig.scheduler.queued(), 4u);
  EXPECT_EQ(rig.scheduler.oldest(), at(2));
  rig.scheduler.cancel(b);
  EXPECT_EQ(rig.scheduler.queued(), 3u);
  EXPECT_EQ(rig.scheduler.oldest(), at(3));
  rig.next(6);
  EXPECT_EQ(rig.scheduler.running(), 0u);
  EXPECT_EQ(rig.next(6), "run a c on 0: greedy");
  EXPECT_EQ(rig.scheduler.queued(), 1u);
  EXPECT_EQ(rig.scheduler.running(), 1u);
  EXPECT_EQ(rig.scheduler.oldest(), at(5));
  rig.finish(1);
  EXPECT_EQ(rig.scheduler.running(), 0u);
}

TEST(Scheduler, ARequestIsQueuedFromItsArrivalUntilItLeaves) {
  Rig rig(ReleaseSome{1});
  NamedRequest& a = rig.arrive("a");
  NamedRequest& b = rig.arrive("b");
  NamedRequest& c = rig.arrive("c", {.deadline = at(1)});
  EXPECT_TRUE(a.queued && b.queued && c.queued);
  rig.scheduler.cancel(b);
  EXPECT_FALSE(b.queued);
  rig.next(0);
  rig.next(0);
  EXPECT_FALSE(a.queued);
  EXPECT_TRUE(c.queued);
  rig.next(1);
  EXPECT_FALSE(c.queued);
}

// Release.

TEST(Scheduler, ReleaseTakesTheLongestPrefixOfItsSizeOrLess) {
  Rig rig(ReleaseSome{7});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b", {.weight = 3});
  rig.arrive("c", {.weight = 2});
  EXPECT_EQ(rig.next(0), "run a b on 0: greedy");
}

TEST(Scheduler, ReleaseTakesAPrefixOfExactlyItsSize) {
  Rig rig(ReleaseSome{6});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b", {.weight = 3});
  rig.arrive("c", {.weight = 1});
  EXPECT_EQ(rig.next(0), "run a b on 0: greedy");
}

TEST(Scheduler, NothingIsSkippedToFillABatch) {
  Rig rig(ReleaseSome{5});
  rig.arrive("a", {.weight = 3});
  rig.arrive("large", {.weight = 3});
  rig.arrive("small", {.weight = 1});
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
}

TEST(Scheduler, ReleaseTakesItsFirstRequestHoweverHeavy) {
  Rig rig(ReleaseSome{2});
  rig.arrive("a", {.weight = 9});
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
}

TEST(Scheduler, ReleaseOfNothingTakesTheFirstRequest) {
  Rig rig(ReleaseSome{0});
  rig.arrive("a");
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
}

TEST(Scheduler, ReleaseIsCutAtTheCap) {
  Rig rig(ReleaseSome{bw::kNoCount}, {.max_batch_size = 4});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b");
  rig.arrive("c");
  EXPECT_EQ(rig.next(0), "run a b on 0: greedy");
}

TEST(Scheduler, ReleaseHasTheReasonOfThePolicy) {
  Rig rig(ReleaseSome{.size = 1, .reason = bw::ReleaseReason::time});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: time");
}

TEST(Scheduler, APolicyMayReleaseAheadOfADeadlineThatItFindsInTheQueue) {
  Rig rig(ReleaseBeforeDeadline{.slack = Duration(5)});
  rig.arrive("a");
  rig.arrive("b", {.deadline = at(20)});
  EXPECT_EQ(rig.next(0), "wait until 15 for 30");
  EXPECT_EQ(rig.next(14), "wait until 15 for 30");
  EXPECT_EQ(rig.next(15), "run a b on 0: deadline");
}

// Waiting.

TEST(Scheduler, AWaitIsForThePolicysInstantAndForWhatIsMissing) {
  Rig rig(WaitForEither{.size = 5, .window = Duration(10)});
  rig.arrive("a", {.at = 2});
  rig.arrive("b", {.at = 3});
  EXPECT_EQ(rig.next(3), "wait until 12 for 3");
}

TEST(Scheduler, WhatIsMissingIsWeight) {
  Rig rig(WaitForSize{9});
  rig.arrive("a", {.weight = 4});
  rig.arrive("b", {.weight = 2});
  EXPECT_EQ(rig.next(0), "wait until never for 3");
}

TEST(Scheduler, AWaitForNoSizeIsAWaitForTheCap) {
  Rig rig(WaitForAge{Duration(10)}, {.max_batch_size = 4});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "wait until 10 for 3");
  rig.arrive("b");
  rig.arrive("c");
  rig.arrive("d");
  EXPECT_EQ(rig.next(1), "run a b c d on 0: size");
}

TEST(Scheduler, AWaitForMoreThanTheCapIsAWaitForTheCap) {
  Rig rig(WaitForSize{100}, {.max_batch_size = 2});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "wait until never for 1");
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "run a b on 0: size");
}

TEST(Scheduler, AWaitForWhatIsQueuedAlreadyIsNoWait) {
  Rig rig(WaitForSize{0});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: size");
}

TEST(Scheduler, AWaitUntilAnInstantInThePastIsNoWait) {
  Rig rig(WaitForAge{Duration(3)});
  rig.arrive("a", {.at = 0});
  EXPECT_EQ(rig.next(50), "run a on 0: time");
}

TEST(Scheduler, AWindowOfZeroTakesAllThatIsThere) {
  Rig rig(WaitForAge{Duration(0)});
  rig.arrive("a", {.at = 0});
  EXPECT_EQ(rig.next(0), "run a on 0: time");
  rig.arrive("b", {.at = 1});
  rig.arrive("c", {.at = 2});
  rig.finish(1);
  EXPECT_EQ(rig.next(3), "run b c on 0: time");
}

TEST(Scheduler, TheAwaitedSizeReleasesAsMuchAsTheCapAllows) {
  Rig rig(WaitForSize{2}, {.max_batch_size = 3});
  for (const char* name : {"a", "b", "c", "d"}) rig.arrive(name);
  EXPECT_EQ(rig.next(0), "run a b c on 0: size");
}

TEST(Scheduler, APartialBatchLeavesExactlyAtTheEndOfItsWindow) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("a", {.at = 5});
  EXPECT_EQ(rig.next(14), "wait until 15 for 31");
  EXPECT_EQ(rig.next(15), "run a on 0: time");
}

TEST(Scheduler, AnArrivalAtTheEndOfTheWindowJoinsTheBatch) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("a", {.at = 0});
  rig.next(0);
  rig.arrive("b", {.at = 10});
  EXPECT_EQ(rig.next(10), "run a b on 0: time");
}

TEST(Scheduler, TheWindowIsThatOfTheOldestRequestNotOfTheHead) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("old", {.at = 0, .priority = 0});
  rig.arrive("head", {.at = 6, .priority = 9});
  EXPECT_EQ(rig.next(6), "wait until 10 for 30");
  EXPECT_EQ(rig.next(10), "run head old on 0: time");
}

TEST(Scheduler, WhatIsLeftBehindIsDueByItsOwnOldestRequest) {
  Rig rig(WaitForEither{.size = 2, .window = Duration(10)}, {.max_batch_size = 2});
  rig.arrive("a", {.at = 0});
  rig.arrive("b", {.at = 3});
  rig.arrive("c", {.at = 4});
  EXPECT_EQ(rig.next(6), "run a b on 0: size");
  rig.finish(1);
  EXPECT_EQ(rig.next(7), "wait until 14 for 1");
}

TEST(Scheduler, AFullBatchLeavesBeforeItsWindowEnds) {
  Rig rig(WaitForAge{Duration(1000)}, {.max_batch_size = 4});
  rig.arrive("a", {.weight = 3});
  EXPECT_EQ(rig.next(0), "wait until 1000 for 1");
  rig.arrive("b", {.weight = 2});
  EXPECT_EQ(rig.next(0), "run a on 0: size");
}

TEST(Scheduler, AWaitEndsAtTheEarliestDeadline) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("a", {.deadline = at(7)});
  EXPECT_EQ(rig.next(0), "wait until 7 for 31");
}

TEST(Scheduler, OfSeveralReasonsTheFirstInTheOrderOfPrecedenceIsNamed) {
  struct Case {
    const char* expected;
    std::size_t size;
    std::int64_t window;
    bool drain;
    bool flush;
    std::uint64_t bound;
  };
  constexpr std::int64_t kLong = 1'000'000;
  const Case cases[] = {
      {"run b on 0: size", 1, 1, true, true, 1},
      {"run b on 0: time", 9, 1, true, true, 1},
      {"run b on 0: drain", 9, kLong, true, true, 1},
      {"run b on 0: flush", 9, kLong, false, true, 1},
      {"run b on 0: overtaken", 9, kLong, false, false, 1},
      {"run b on 0: net", 9, kLong, false, false, 2},
  };
  for (const Case& c : cases) {
    Rig rig(WaitForEither{.size = c.size, .window = Duration(c.window)},
            {.max_batch_size = 9, .max_wait = Duration(50), .overtaking_bound = c.bound});
    rig.arrive("b");
    rig.arrive("a", {.priority = 1, .weight = 9});
    ASSERT_EQ(rig.next(0), "run a on 0: size");
    rig.finish(1);
    if (c.flush) rig.scheduler.flush();
    if (c.drain) rig.scheduler.drain();
    EXPECT_EQ(rig.next(50), c.expected);
  }
}

// The net.

TEST(Scheduler, TheNetReleasesWhatThePolicyWouldKeep) {
  Rig rig(WaitForSize{}, {.max_wait = Duration(20)});
  rig.arrive("a", {.at = 5});
  EXPECT_EQ(rig.next(5), "wait until 25 for 31");
  EXPECT_EQ(rig.next(24), "wait until 25 for 31");
  EXPECT_EQ(rig.next(25), "run a on 0: net");
}

TEST(Scheduler, TheNetIsUnderTheOldestRequestThoughItWasAcceptedLast) {
  Rig rig(WaitForSize{}, {.max_wait = Duration(20)});
  rig.arrive("a", {.at = 5});
  rig.arrive("b", {.at = 2});
  EXPECT_EQ(rig.next(5), "wait until 22 for 30");
  EXPECT_EQ(rig.next(22), "run a b on 0: net");
}

TEST(Scheduler, ANetOfTheLongestDurationIsOff) {
  Rig rig(WaitForSize{}, {.max_wait = Duration::max()});
  rig.arrive("a", {.at = 1});
  EXPECT_EQ(rig.next(1'000'000'000'000'000'000), "wait until never for 31");
}

TEST(Scheduler, ANetThatCannotBeRepresentedNeverComes) {
  Rig rig(WaitForSize{}, {.max_wait = Duration::max() - Duration(5)});
  rig.arrive("a", {.at = 100});
  EXPECT_EQ(rig.next(1'000'000'000'000'000'000), "wait until never for 31");
}

// Order.

TEST(Scheduler, HigherPrioritiesLeaveFirst) {
  Rig rig(ReleaseAll{});
  rig.arrive("low", {.priority = -3});
  rig.arrive("high", {.priority = 8});
  rig.arrive("middle", {.priority = 0});
  EXPECT_EQ(rig.next(0), "run high middle low on 0: greedy");
}

TEST(Scheduler, TheExtremesAreOrdinaryPriorities) {
  Rig rig(ReleaseAll{});
  rig.arrive("min", {.priority = INT_MIN});
  rig.arrive("minus", {.priority = -1});
  rig.arrive("max", {.priority = INT_MAX});
  rig.arrive("zero", {.priority = 0});
  EXPECT_EQ(rig.next(0), "run max zero minus min on 0: greedy");
}

TEST(Scheduler, WithinOnePriorityTheFirstAcceptedLeavesFirstWhateverItsStamp) {
  Rig rig(ReleaseAll{});
  rig.arrive("a", {.at = 9});
  rig.arrive("b", {.at = 1});
  rig.arrive("c", {.at = 5});
  EXPECT_EQ(rig.next(9), "run a b c on 0: greedy");
}

TEST(Scheduler, APriorityThatEmptiedMayComeBack) {
  Rig rig(ReleaseSome{1}, {.executors = 4, .max_in_flight = 4});
  rig.arrive("a", {.priority = 5});
  rig.arrive("b", {.priority = 1});
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
  rig.arrive("c", {.priority = 5});
  EXPECT_EQ(rig.next(0), "run c on 1: greedy");
  EXPECT_EQ(rig.next(0), "run b on 2: greedy");
}

// The bound on overtaking.

/// One request of low priority, and then `count` batches of one request that overtakes it.
template <class Policy>
void overtake(Rig<Policy>& rig, std::size_t count, std::uint32_t weight = 1) {
  for (std::size_t i = 1; i <= count; ++i) {
    rig.arrive("x", {.priority = 9, .weight = weight});
    ASSERT_EQ(rig.next(0).substr(0, 5), "run x");
    rig.finish(rig.last.batch_id);
  }
}

TEST(Scheduler, ARequestAtItsOvertakingBoundGoesFirst) {
  Rig rig(ReleaseSome{1}, {.overtaking_bound = 3});
  rig.arrive("low");
  overtake(rig, 3);
  rig.arrive("high", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run low on 0: greedy");
}

TEST(Scheduler, BelowItsOvertakingBoundARequestDoesNotGoFirst) {
  Rig rig(ReleaseSome{1}, {.overtaking_bound = 3});
  rig.arrive("low");
  overtake(rig, 2);
  rig.arrive("high", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run high on 0: greedy");
}

TEST(Scheduler, TheBoundIsAThousandUnlessSet) {
  Rig rig(ReleaseSome{1});
  rig.arrive("low");
  overtake(rig, 1000);
  rig.arrive("high", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run low on 0: greedy");
}

TEST(Scheduler, ARequestAtItsBoundIsDue) {
  Rig rig(WaitForSize{4}, {.max_batch_size = 4, .overtaking_bound = 2});
  rig.arrive("low");
  overtake(rig, 1, 4);
  EXPECT_EQ(rig.next(0), "wait until never for 3");
  overtake(rig, 1, 4);
  EXPECT_EQ(rig.next(0), "run low on 0: overtaken");
}

TEST(Scheduler, OneBatchOvertakesARequestOncePerMember) {
  Rig rig(WaitForSize{3}, {.max_batch_size = 3, .overtaking_bound = 3});
  rig.arrive("low");
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.priority = 1});
  EXPECT_EQ(rig.next(0), "run a b c on 0: size");
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run low on 0: overtaken");
}

TEST(Scheduler, RidingAlongIsNotOvertaking) {
  Rig rig(ReleaseSome{2}, {.overtaking_bound = 1});
  rig.arrive("low");
  rig.arrive("lower", {.priority = -1});
  rig.arrive("a", {.priority = 9});
  // "a" leaves before "low" but in its batch; it overtakes "lower" alone.
  EXPECT_EQ(rig.next(0), "run a low on 0: greedy");
  rig.finish(1);
  rig.arrive("b", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run lower b on 0: greedy");
}

TEST(Scheduler, MembersOfOneBatchDoNotReorderItByOvertakingEachOther) {
  Rig rig(ReleaseAll{}, {.overtaking_bound = 1});
  rig.arrive("low", {.priority = 0});
  rig.arrive("a", {.priority = 9});
  rig.arrive("b", {.priority = 8});
  EXPECT_EQ(rig.next(0), "run a b low on 0: greedy");
}

TEST(Scheduler, SeveralAtTheirBoundGoInOrderOfAcceptanceWhateverTheirPriority) {
  Rig rig(ReleaseSome{3}, {.max_batch_size = 3, .overtaking_bound = 3});
  rig.arrive("low", {.priority = 0});
  rig.arrive("middle", {.priority = 1});
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.priority = 9});
  rig.next(0);
  rig.finish(1);
  rig.arrive("d", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run low middle d on 0: greedy");
}

TEST(Scheduler, ARequestAtItsBoundThatDoesNotFitClosesTheBatch) {
  Rig rig(ReleaseSome{3}, {.max_batch_size = 3, .overtaking_bound = 3});
  rig.arrive("low");
  rig.arrive("heavy", {.weight = 3});
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.priority = 9});
  rig.next(0);
  rig.finish(1);
  rig.arrive("d", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run low on 0: greedy");
}

TEST(Scheduler, OnlyWhatWasAcceptedLaterOvertakes) {
  Rig rig(ReleaseSome{1}, {.overtaking_bound = 1});
  rig.arrive("first", {.priority = 9});
  rig.arrive("low");
  rig.arrive("later", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run first on 0: greedy");
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run later on 0: greedy");
  rig.finish(2);
  rig.arrive("latest", {.priority = 9});
  EXPECT_EQ(rig.next(0), "run low on 0: greedy");
}

TEST(Scheduler, WhatIsCancelledOrExpiresOvertakesNobody) {
  Rig rig(WaitForSize{}, {.overtaking_bound = 1});
  rig.arrive("low");
  NamedRequest& a = rig.arrive("a", {.priority = 9});
  rig.arrive("b", {.priority = 9, .deadline = at(5)});
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(5), "cancelled a");
  EXPECT_EQ(rig.next(5), "expired b");
  EXPECT_EQ(rig.next(5), "wait until never for 31");
}

TEST(Scheduler, WhatARequestHasSufferedIsNotInheritedByTheNext) {
  Rig rig(WaitForSize{3}, {.max_batch_size = 3, .overtaking_bound = 3});
  NamedRequest& low = rig.arrive("low");
  overtake(rig, 2, 3);
  rig.arrive("low too");
  rig.scheduler.cancel(low);
  EXPECT_EQ(rig.next(0), "cancelled low");
  overtake(rig, 2, 3);
  EXPECT_EQ(rig.next(0), "wait until never for 2");
}

TEST(Scheduler, WhatARequestHasSufferedOutlivesItsNeighbours) {
  Rig rig(WaitForSize{3}, {.max_batch_size = 3, .overtaking_bound = 3});
  rig.arrive("low");
  NamedRequest& neighbour = rig.arrive("neighbour");
  overtake(rig, 2, 3);
  rig.scheduler.cancel(neighbour);
  EXPECT_EQ(rig.next(0), "cancelled neighbour");
  overtake(rig, 1, 3);
  EXPECT_EQ(rig.next(0), "run low on 0: overtaken");
}

// Other orders within a priority.

TEST(Scheduler, TheEarliestDeadlineGoesFirstWithinAPriority) {
  Rig rig(ReleaseAll{}, {.order = bw::QueueOrder::earliest_deadline});
  rig.arrive("none");
  rig.arrive("late", {.deadline = at(90)});
  rig.arrive("soon", {.deadline = at(70)});
  rig.arrive("late too", {.deadline = at(90)});
  rig.arrive("urgent", {.priority = 1});
  EXPECT_EQ(rig.next(0), "run urgent soon late late too none on 0: greedy");
}

TEST(Scheduler, TheBoundOnOvertakingWinsOverTheEarliestDeadline) {
  Rig rig(ReleaseSome{1}, {.overtaking_bound = 2, .order = bw::QueueOrder::earliest_deadline});
  rig.arrive("none");
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.deadline = at(50)});
  for (const char* expected : {"run a", "run b", "run none", "run c"}) {
    EXPECT_EQ(rig.next(0), std::string(expected) + " on 0: greedy");
    rig.finish(rig.last.batch_id);
  }
}

TEST(Scheduler, WhatIsDelayedGoesBehindItsPriorityFromThatInstantOn) {
  Rig rig(ReleaseSome{1}, {.executors = 9, .max_in_flight = 9});
  rig.scheduler.pause();
  rig.arrive("a", {.priority = 1, .delay_at = at(5)});
  rig.arrive("b", {.priority = 1, .delay_at = at(6)});
  rig.arrive("c", {.priority = 1});
  rig.arrive("low");
  EXPECT_EQ(rig.next(4), "wait until 5 for none");
  EXPECT_EQ(rig.next(5), "wait until 6 for none");
  rig.scheduler.resume();
  EXPECT_EQ(rig.next(5), "run b on 0: greedy");  // Its own instant is still to come.
  EXPECT_EQ(rig.next(6), "run c on 1: greedy");
  EXPECT_EQ(rig.next(6), "run a on 2: greedy");
  EXPECT_EQ(rig.next(6), "run low on 3: greedy");
}

TEST(Scheduler, WhatIsDelayedKeepsItsAgeItsDeadlineAndItsBound) {
  Rig rig(WaitForEither{.size = 3, .window = Duration(10)},
          {.max_batch_size = 3, .overtaking_bound = 3});
  rig.arrive("a", {.priority = 1, .delay_at = at(2)});
  EXPECT_EQ(rig.next(0), "wait until 2 for 2");
  EXPECT_EQ(rig.next(2), "wait until 10 for 2");  // Its age drives the window.
  for (const char* name : {"x", "y", "z"}) rig.arrive(name, {.at = 2, .priority = 1});
  EXPECT_EQ(rig.next(2), "run x y z on 0: size");
  rig.finish(1);
  rig.arrive("b", {.at = 3, .priority = 9});
  EXPECT_EQ(rig.next(3), "run a b on 0: overtaken");
  rig.finish(2);
  rig.arrive("c", {.at = 3, .deadline = at(8), .delay_at = at(4)});
  EXPECT_EQ(rig.next(4), "wait until 8 for 2");
  EXPECT_EQ(rig.next(8), "expired c");
}

TEST(Scheduler, WhatIsDelayedIsCancelledLikeAnyOther) {
  Rig rig(WaitForEither{.size = 3, .window = Duration(10)});
  NamedRequest& a = rig.arrive("a", {.priority = 1, .delay_at = at(2)});
  rig.arrive("b", {.priority = 1});
  EXPECT_EQ(rig.next(2), "wait until 10 for 1");
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(3), "cancelled a");
  EXPECT_EQ(rig.next(10), "run b on 0: time");
}

// Sizes.

TEST(Scheduler, UnderThePaddedRuleASizeIsCountTimesTheLongest) {
  Rig rig(ReleaseAll{}, {.max_batch_size = 20, .size_rule = bw::SizeRule::padded});
  rig.arrive("a", {.length = 2});
  rig.arrive("b", {.length = 5});
  rig.arrive("c", {.length = 4});
  rig.arrive("long", {.length = 9});
  rig.arrive("d", {.length = 1});
  EXPECT_EQ(rig.next(0), "run a b c on 0: greedy");  // 3 x 5; the next makes it 4 x 9.
  EXPECT_EQ(rig.last.size, 15u);
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run long d on 0: greedy");
  EXPECT_EQ(rig.last.size, 18u);
}

TEST(Scheduler, UnderThePaddedRuleALaneIsFullWhenItsSizeIs) {
  Rig rig(WaitForSize{}, {.max_batch_size = 12, .size_rule = bw::SizeRule::padded});
  rig.arrive("a", {.length = 3});
  rig.arrive("b", {.length = 2});
  EXPECT_EQ(rig.next(0), "wait until never for 6");  // Of 12 there are 2 x 3.
  rig.arrive("c", {.length = 6});
  EXPECT_EQ(rig.next(0), "run a b on 0: size");  // 3 x 6 is more.
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "wait until never for 6");
  rig.arrive("d", {.length = 1});
  EXPECT_EQ(rig.next(0), "run c d on 0: size");
}

TEST(Scheduler, UnderThePaddedRuleShortestFirstFillsABatchWithSimilarLengths) {
  Rig rig(ReleaseAll{}, {.max_batch_size = 20,
                         .order = bw::QueueOrder::shortest_first,
                         .size_rule = bw::SizeRule::padded});
  for (const auto& [name, length] :
       {std::pair("nine", 9u), {"two", 2u}, {"three", 3u}, {"ten", 10u}, {"five", 5u}}) {
    rig.arrive(name, {.length = length});
  }
  EXPECT_EQ(rig.next(0), "run two three five on 0: greedy");  // 3 x 5; then 4 x 9.
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run nine ten on 0: greedy");
}

TEST(Scheduler, TheLargestAllowedSizeIsTheCapAndABatchIsPaddedToTheNext) {
  Rig rig(ReleaseAll{}, {.max_batch_size = 16, .allowed_sizes = {2, 4, 8}});
  for (int i = 0; i < 14; ++i) rig.arrive("x");
  const std::array<std::pair<std::size_t, std::size_t>, 3> expected{{{8, 8}, {6, 8}, {1, 2}}};
  for (const auto& [size, padded] : expected) {
    if (size == 1) rig.arrive("y");
    rig.next(0);
    EXPECT_EQ(rig.last.size, size);
    EXPECT_EQ(rig.last.padded_size, padded);
    rig.finish(rig.last.batch_id);
  }
}

TEST(Scheduler, WhatWouldPassTheLargestPreferredSizeLeavesBefore) {
  Rig rig(WaitForSize{}, {.max_batch_size = 16, .preferred_sizes = {4, 8}});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b", {.weight = 3});
  EXPECT_EQ(rig.next(0), "wait until never for 1");  // 3 and 6 are none of them.
  rig.arrive("c", {.weight = 3});
  EXPECT_EQ(rig.next(0), "run a b on 0: size");  // Nor is 9, and 8 cannot be had any more.
  rig.finish(1);
  rig.arrive("d", {.weight = 1});
  EXPECT_EQ(rig.next(0), "run c d on 0: size");
}

TEST(Scheduler, AfterTheWindowAPreferredSizeStillGoesFirst) {
  Rig rig(WaitForAge{Duration(10)}, {.max_batch_size = 16, .preferred_sizes = {2, 4}});
  for (const char* name : {"a", "b", "c", "d"}) rig.arrive(name, {.at = 0});
  EXPECT_EQ(rig.next(0), "run a b c d on 0: size");
  for (const char* name : {"e", "f", "g"}) rig.arrive(name, {.at = 1});
  rig.finish(1);
  EXPECT_EQ(rig.next(99), "run e f on 0: size");
  rig.finish(2);
  EXPECT_EQ(rig.next(99), "run g on 0: time");
}

TEST(Scheduler, ABatchIsTrimmedDownToAnAllowedSizeThatItsRequestsHit) {
  Rig rig(WaitForAge{Duration(10)},
          {.max_batch_size = 8, .allowed_sizes = {3, 5, 8}, .fit = bw::FitRule::trim_down});
  rig.arrive("a", {.at = 0, .weight = 3});
  rig.arrive("b", {.at = 4, .weight = 3});
  EXPECT_EQ(rig.next(10), "run a on 0: time");  // 6 is none of them.
  EXPECT_EQ(rig.last.padded_size, 3u);
  rig.finish(1);
  EXPECT_EQ(rig.next(10), "wait until 14 for 5");  // The rest is due by its own oldest.
  rig.arrive("c", {.at = 11, .weight = 1});
  EXPECT_EQ(rig.next(14), "run b on 0: time");
  rig.finish(2);
  // 2 and 4 hit none of them: it is padded up.
  rig.arrive("d", {.at = 15, .weight = 3});
  EXPECT_EQ(rig.next(21), "run c d on 0: time");
  EXPECT_EQ(rig.last.size, 4u);
  EXPECT_EQ(rig.last.padded_size, 5u);
}

// Eviction.

TEST(Scheduler, EvictedOnesEndTogetherTheNewestOfTheLowestFirst) {
  Rig rig(WaitForSize{});
  rig.arrive("a");
  rig.arrive("b", {.priority = 1});
  rig.arrive("c");
  rig.arrive("d", {.priority = 2});
  EXPECT_TRUE(rig.scheduler.evict(3, 0, 2));
  EXPECT_EQ(rig.scheduler.queued(), 1u);  // Their room is free at once.
  EXPECT_EQ(rig.next(0), "evicted c a b");
  EXPECT_EQ(rig.next(0), "wait until never for 31");
}

TEST(Scheduler, NobodyIsEvictedWhereTheLowerOnesDoNotSuffice) {
  Rig rig(ReleaseAll{});
  rig.arrive("a", {.bytes = 4});
  rig.arrive("b", {.priority = 1, .bytes = 4});
  EXPECT_FALSE(rig.scheduler.evict(1, 0, 0));
  EXPECT_FALSE(rig.scheduler.evict(2, 0, 1));
  EXPECT_FALSE(rig.scheduler.evict(1, 5, 1));
  EXPECT_EQ(rig.next(0), "run b a on 0: greedy");
}

TEST(Scheduler, AsManyAreEvictedAsHoldTheBytes) {
  Rig rig(WaitForSize{});
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.bytes = 10});
  EXPECT_TRUE(rig.scheduler.evict(1, 11, 1));
  EXPECT_EQ(rig.next(0), "evicted c b");
}

TEST(Scheduler, WhoIsAtItsBoundIsNotEvicted) {
  Rig rig(WaitForSize{3}, {.max_batch_size = 3, .overtaking_bound = 1});
  rig.arrive("low");
  overtake(rig, 1, 3);
  rig.arrive("later");
  EXPECT_FALSE(rig.scheduler.evict(2, 0, 5));
  EXPECT_TRUE(rig.scheduler.evict(1, 0, 5));
  EXPECT_EQ(rig.next(0), "evicted later");
  EXPECT_EQ(rig.next(0), "run low on 0: overtaken");
}

TEST(Scheduler, WhatIsEvictedDrivesNoWindowAndExpiresNoMore) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("a", {.at = 0, .deadline = at(5)});
  rig.arrive("b", {.at = 4, .priority = 1});
  EXPECT_TRUE(rig.scheduler.evict(1, 0, 1));
  EXPECT_EQ(rig.next(6), "evicted a");
  EXPECT_EQ(rig.next(6), "wait until 14 for 31");
}

TEST(Scheduler, EvictionLooksAtOneTenantAlone) {
  Rig rig(WaitForSize{});
  bw::detail::Tenant first, second;
  bw::detail::Lane lane;
  std::array<bw::detail::Flow, 2> flows;
  flows[0].tenant = &first;
  flows[1].tenant = &second;
  flows[0].lane = flows[1].lane = &lane;
  rig.arrive("a", {}, &flows[0]);
  rig.arrive("b", {.priority = -9}, &flows[1]);
  EXPECT_FALSE(rig.scheduler.evict(2, 0, 5, &first));
  EXPECT_FALSE(rig.scheduler.evict(1, 0, 5));  // Nobody is of no tenant.
  EXPECT_TRUE(rig.scheduler.evict(1, 0, 5, &first));
  EXPECT_EQ(rig.next(0), "evicted a");
}

// Deadlines.

TEST(Scheduler, ARequestExpiresExactlyAtItsDeadline) {
  Rig rig(WaitForSize{});
  rig.arrive("a", {.deadline = at(8)});
  EXPECT_EQ(rig.next(7), "wait until 8 for 31");
  EXPECT_EQ(rig.next(8), "expired a");
  EXPECT_EQ(rig.next(8), "idle");
}

TEST(Scheduler, AtOneInstantExpiryComesBeforeDispatch) {
  Rig rig(WaitForAge{Duration(8)});
  rig.arrive("a", {.deadline = at(8)});
  rig.arrive("b");
  EXPECT_EQ(rig.next(8), "expired a");
  EXPECT_EQ(rig.next(8), "run b on 0: time");
}

TEST(Scheduler, ADeadlineInThePastExpiresAtOnce) {
  Rig rig(ReleaseAll{});
  rig.arrive("a", {.at = 5, .deadline = at(3)});
  EXPECT_EQ(rig.next(5), "expired a");
}

TEST(Scheduler, ExpiriesAreInOrderOfDeadlineThenOfAcceptance) {
  Rig rig(WaitForSize{});
  rig.arrive("a", {.deadline = at(6)});
  rig.arrive("b", {.priority = 5, .deadline = at(5)});
  rig.arrive("c", {.deadline = at(4)});
  rig.arrive("d", {.priority = 9, .deadline = at(5)});
  rig.arrive("e", {.deadline = at(5)});
  rig.arrive("f", {.deadline = at(9)});
  EXPECT_EQ(rig.next(6), "expired c b d e a");
  EXPECT_EQ(rig.next(6), "wait until 9 for 31");
}

TEST(Scheduler, RequestsExpireWhileEveryExecutorIsBusy) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b", {.deadline = at(4)});
  EXPECT_EQ(rig.next(1), "wait until 4 for none");
  EXPECT_EQ(rig.next(4), "expired b");
}

TEST(Scheduler, ADispatchedRequestExpiresNoMore) {
  Rig rig(ReleaseAll{});
  rig.arrive("a", {.deadline = at(4)});
  rig.next(0);
  EXPECT_EQ(rig.next(9), "idle");
}

TEST(Scheduler, AnExpiredRequestDrivesTheWindowNoMore) {
  Rig rig(WaitForAge{Duration(10)});
  rig.arrive("a", {.at = 0, .deadline = at(5)});
  rig.arrive("b", {.at = 3});
  EXPECT_EQ(rig.next(5), "expired a");
  EXPECT_EQ(rig.next(5), "wait until 13 for 31");
}

// Cancellation.

TEST(Scheduler, CancelledRequestsFailTogetherInOrderOfCancellation) {
  Rig rig(ReleaseAll{});
  NamedRequest& a = rig.arrive("a");
  NamedRequest& b = rig.arrive("b", {.priority = 5});
  NamedRequest& c = rig.arrive("c");
  rig.arrive("d");
  rig.scheduler.cancel(c);
  rig.scheduler.cancel(a);
  rig.scheduler.cancel(b);
  EXPECT_EQ(rig.next(0), "cancelled c a b");
  EXPECT_EQ(rig.next(0), "run d on 0: greedy");
}

TEST(Scheduler, ACancelledRequestIsCancelledThoughItsDeadlineHasCome) {
  Rig rig(ReleaseAll{});
  NamedRequest& a = rig.arrive("a", {.deadline = at(3)});
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(3), "cancelled a");
  EXPECT_EQ(rig.next(3), "idle");
}

TEST(Scheduler, ACancelledRequestIsCancelledThoughAllElseIsStopped) {
  Rig rig(WaitForSize{});
  NamedRequest& a = rig.arrive("a");
  rig.arrive("b");
  rig.scheduler.cancel(a);
  rig.scheduler.abandon();
  EXPECT_EQ(rig.next(0), "cancelled a");
  EXPECT_EQ(rig.next(0), "stopped b");
}

TEST(Scheduler, ACancelledRequestCountsTowardsNothing) {
  Rig rig(WaitForEither{.size = 2, .window = Duration(10)});
  NamedRequest& a = rig.arrive("a", {.at = 0, .deadline = at(8)});
  rig.arrive("b", {.at = 4});
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(4), "cancelled a");
  EXPECT_EQ(rig.next(4), "wait until 14 for 1");
}

TEST(Scheduler, ARequestThatArrivesAndIsCancelledAtOneInstantFails) {
  Rig rig(ReleaseAll{});
  rig.scheduler.cancel(rig.arrive("a"));
  EXPECT_EQ(rig.next(0), "cancelled a");
  EXPECT_EQ(rig.next(0), "idle");
}

TEST(Scheduler, CancellationsAreAnsweredWhileTheBatcherIsPausedOrBusy) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  rig.scheduler.cancel(rig.arrive("b"));
  EXPECT_EQ(rig.next(0), "cancelled b");
  rig.scheduler.pause();
  rig.scheduler.cancel(rig.arrive("c"));
  EXPECT_EQ(rig.next(0), "cancelled c");
}

// Flush.

TEST(Scheduler, FlushMakesAllThatIsQueuedDue) {
  Rig rig(WaitForSize{}, {.max_batch_size = 2});
  rig.arrive("a");
  rig.scheduler.flush();
  EXPECT_EQ(rig.next(0), "run a on 0: flush");
}

TEST(Scheduler, FlushReachesBeyondOneBatch) {
  Rig rig(WaitForSize{}, {.max_batch_size = 4});
  for (const char* name : {"a", "b", "c"}) rig.arrive(name, {.weight = 2});
  rig.scheduler.flush();
  EXPECT_EQ(rig.next(0), "run a b on 0: size");
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run c on 0: flush");
}

TEST(Scheduler, FlushDoesNotReachWhatArrivesLater) {
  Rig rig(WaitForSize{});
  rig.arrive("a");
  rig.scheduler.flush();
  rig.next(0);
  rig.finish(1);
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "wait until never for 31");
}

TEST(Scheduler, FlushOfAnEmptyQueueDoesNothing) {
  Rig rig(WaitForSize{});
  rig.scheduler.flush();
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "wait until never for 31");
}

TEST(Scheduler, WhatArrivesLaterMayRideAlongWithAFlush) {
  Rig rig(WaitForSize{});
  rig.arrive("a");
  rig.scheduler.flush();
  rig.arrive("b", {.priority = 1});
  EXPECT_EQ(rig.next(0), "run b a on 0: flush");
}

TEST(Scheduler, FlushIsForgottenWithTheRequestsThatItMarked) {
  Rig rig(WaitForSize{});
  NamedRequest& a = rig.arrive("a");
  rig.scheduler.flush();
  rig.arrive("b");
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(0), "cancelled a");
  EXPECT_EQ(rig.next(0), "wait until never for 31");
}

TEST(Scheduler, FlushActsOnceAnExecutorIsFree) {
  Rig rig(WaitForSize{1}, {.max_batch_size = 8});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b");
  rig.scheduler.flush();
  EXPECT_EQ(rig.next(1), "wait until never for none");
  rig.finish(1);
  EXPECT_EQ(rig.next(2), "run b on 0: size");
}

TEST(Scheduler, FlushDoesNotEndAPause) {
  Rig rig(WaitForSize{});
  rig.arrive("a");
  rig.scheduler.pause();
  rig.scheduler.flush();
  EXPECT_EQ(rig.next(0), "wait until never for none");
  rig.scheduler.resume();
  EXPECT_EQ(rig.next(0), "run a on 0: flush");
}

// Pause, drain and abandon.

TEST(Scheduler, APauseStopsDispatchUntilItEnds) {
  Rig rig(ReleaseAll{});
  rig.scheduler.pause();
  EXPECT_TRUE(rig.scheduler.paused());
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "wait until never for none");
  rig.scheduler.resume();
  EXPECT_FALSE(rig.scheduler.paused());
  EXPECT_EQ(rig.next(1), "run a on 0: greedy");
}

TEST(Scheduler, APauseDoesNotStopDeadlines) {
  Rig rig(ReleaseAll{});
  rig.scheduler.pause();
  rig.arrive("a", {.deadline = at(5)});
  EXPECT_EQ(rig.next(0), "wait until 5 for none");
  EXPECT_EQ(rig.next(5), "expired a");
  EXPECT_EQ(rig.next(5), "idle");
}

TEST(Scheduler, APauseStopsTheNetAndWhatIsAtItsBound) {
  Rig rig(WaitForSize{1}, {.max_batch_size = 1, .max_wait = Duration(5), .overtaking_bound = 1});
  rig.arrive("low");
  overtake(rig, 1);
  rig.scheduler.pause();
  EXPECT_EQ(rig.next(100), "wait until never for none");
}

TEST(Scheduler, ADrainMakesEverythingDue) {
  Rig rig(WaitForSize{4}, {.max_batch_size = 4});
  rig.arrive("a");
  rig.scheduler.drain();
  EXPECT_EQ(rig.next(0), "run a on 0: drain");
}

TEST(Scheduler, ADrainReachesWhatArrivesLater) {
  Rig rig(WaitForSize{});
  rig.scheduler.drain();
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: drain");
}

TEST(Scheduler, ADrainEndsAPause) {
  Rig rig(WaitForSize{});
  rig.arrive("a");
  rig.scheduler.pause();
  rig.scheduler.drain();
  EXPECT_FALSE(rig.scheduler.paused());
  EXPECT_EQ(rig.next(0), "run a on 0: drain");
}

TEST(Scheduler, ADrainWaitsForAFreeExecutorAndKeepsDeadlines) {
  Rig rig(WaitForSize{1}, {.max_batch_size = 1});
  rig.arrive("a");
  rig.arrive("b", {.deadline = at(6)});
  rig.arrive("c");
  rig.scheduler.drain();
  EXPECT_EQ(rig.next(0), "run a on 0: size");
  EXPECT_EQ(rig.next(0), "wait until 6 for none");
  EXPECT_EQ(rig.next(6), "expired b");
  rig.finish(1);
  EXPECT_EQ(rig.next(7), "run c on 0: size");
  EXPECT_EQ(rig.next(7), "idle");
}

TEST(Scheduler, AbandonFailsEverythingQueuedInOrderOfAcceptance) {
  Rig rig(WaitForSize{});
  rig.arrive("a", {.priority = 1, .deadline = at(0)});
  rig.arrive("b", {.priority = 9});
  rig.arrive("c", {.priority = 5});
  rig.scheduler.abandon();
  EXPECT_EQ(rig.next(0), "stopped a b c");
  EXPECT_EQ(rig.next(0), "idle");
}

TEST(Scheduler, AbandonFailsWhatArrivesLater) {
  Rig rig(ReleaseAll{});
  rig.scheduler.abandon();
  EXPECT_EQ(rig.next(0), "idle");
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "stopped a");
}

TEST(Scheduler, AbandonActsDuringAPauseAndWhileExecutorsAreBusy) {
  Rig rig(ReleaseAll{});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b");
  rig.scheduler.pause();
  rig.scheduler.abandon();
  EXPECT_EQ(rig.next(0), "stopped b");
  EXPECT_EQ(rig.scheduler.running(), 1u);
}

TEST(Scheduler, ADrainMayBeCutShortByAbandon) {
  Rig rig(WaitForSize{1}, {.max_batch_size = 1});
  rig.arrive("a");
  rig.arrive("b");
  rig.scheduler.drain();
  EXPECT_EQ(rig.next(0), "run a on 0: size");
  rig.scheduler.abandon();
  EXPECT_EQ(rig.next(0), "stopped b");
}

// Executors.

TEST(Scheduler, OfExecutorsThatAreAlikeTheFirstIsChosen) {
  Rig rig(ReleaseAll{}, {.executors = 3, .max_in_flight = 3});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "run b on 1: greedy");
}

TEST(Scheduler, TheExecutorThatHasBeenTheFastestIsChosen) {
  Rig rig(ReleaseAll{}, {.executors = 3, .max_in_flight = 3});
  for (const char* name : {"a", "b", "c"}) {
    rig.arrive(name);
    rig.next(0);
  }
  rig.finish(1, 30);
  rig.finish(2, 20);
  rig.finish(3, 25);
  rig.arrive("d");
  EXPECT_EQ(rig.next(50), "run d on 1: greedy");
  rig.arrive("e");
  EXPECT_EQ(rig.next(50), "run e on 2: greedy");
  rig.arrive("f");
  EXPECT_EQ(rig.next(50), "run f on 0: greedy");
}

TEST(Scheduler, AnExecutorNotYetSeenIsPreferred) {
  Rig rig(ReleaseAll{}, {.executors = 2, .max_in_flight = 2});
  rig.arrive("a");
  rig.next(0);
  rig.finish(1, 1);
  rig.arrive("b");
  EXPECT_EQ(rig.next(5), "run b on 1: greedy");
}

TEST(Scheduler, AnExecutorsMeanMovesByAnEighthOfTheDifference) {
  Rig rig(ReleaseAll{}, {.executors = 2, .max_in_flight = 2});
  rig.arrive("a");
  rig.next(0);
  rig.arrive("b");
  rig.next(0);
  rig.finish(1, 100);
  rig.finish(2, 150);
  rig.arrive("c");
  EXPECT_EQ(rig.next(0), "run c on 0: greedy");
  rig.finish(3, 508);  // 100 + 408 / 8 = 151
  rig.arrive("d");
  EXPECT_EQ(rig.next(0), "run d on 1: greedy");
  rig.finish(4, 158);  // 150 + 8 / 8 = 151: a tie
  rig.arrive("e");
  EXPECT_EQ(rig.next(0), "run e on 0: greedy");
}

TEST(Scheduler, ABatchThatWasNotComputedTeachesNothingOfItsExecutor) {
  Rig rig(ReleaseAll{}, {.executors = 2, .max_in_flight = 2});
  rig.arrive("a");
  rig.next(0);
  rig.report(1, 50, false);
  rig.scheduler.vacate(0);
  EXPECT_EQ(rig.scheduler.running(), 0u);
  rig.arrive("b");
  EXPECT_EQ(rig.next(50), "run b on 0: greedy");
}

TEST(Scheduler, TheOldestDispatchIsThatOfTheUnfinishedBatches) {
  Rig rig(ReleaseAll{}, {.executors = 3, .max_in_flight = 3});
  EXPECT_EQ(rig.scheduler.oldest_dispatch(), bw::kNever);
  for (const std::int64_t tick : {4, 6, 9}) {
    rig.arrive("a", {.at = tick});
    rig.next(tick);
  }
  EXPECT_EQ(rig.scheduler.oldest_dispatch(), at(4));
  rig.finish(2, 5);
  EXPECT_EQ(rig.scheduler.oldest_dispatch(), at(4));
  rig.finish(1, 8);
  EXPECT_EQ(rig.scheduler.oldest_dispatch(), at(9));
  rig.finish(3, 8);
  EXPECT_EQ(rig.scheduler.oldest_dispatch(), bw::kNever);
}

TEST(Scheduler, AVacatedExecutorTakesABatchWhileItsLastOneIsUnfinished) {
  Rig rig(ReleaseAll{}, {.executors = 1, .max_in_flight = 2});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "run a on 0: greedy");
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "wait until never for none");
  rig.scheduler.vacate(0);
  EXPECT_EQ(rig.next(1), "run b on 0: greedy");
  EXPECT_EQ(rig.scheduler.running(), 2u);
}

TEST(Scheduler, UnfinishedBatchesAreLimited) {
  Rig rig(ReleaseAll{}, {.executors = 2, .max_in_flight = 2});
  for (const char* name : {"a", "b"}) {
    rig.arrive(name);
    rig.next(0);
  }
  rig.scheduler.vacate(0);
  rig.scheduler.vacate(1);
  rig.arrive("c");
  EXPECT_EQ(rig.next(0), "wait until never for none");
  rig.report(2, 5);
  EXPECT_EQ(rig.next(5), "run c on 1: greedy");
}

TEST(Scheduler, ABatchThatIsFinishedBeforeItsPredictorReturnsKeepsItsExecutor) {
  Rig rig(ReleaseAll{}, {.executors = 1, .max_in_flight = 2});
  rig.arrive("a");
  rig.next(0);
  rig.report(1, 3);
  EXPECT_EQ(rig.scheduler.running(), 0u);
  rig.arrive("b");
  EXPECT_EQ(rig.next(3), "wait until never for none");
  rig.scheduler.vacate(0);
  EXPECT_EQ(rig.next(4), "run b on 0: greedy");
}

TEST(Scheduler, BatchesMayFinishInAnyOrder) {
  Rig rig(ReleaseAll{}, {.executors = 3, .max_in_flight = 3});
  for (const char* name : {"a", "b", "c"}) {
    rig.arrive(name);
    rig.next(0);
  }
  rig.finish(2, 10);
  rig.arrive("d");
  EXPECT_EQ(rig.next(10), "run d on 1: greedy");
  rig.finish(1, 12);
  rig.finish(4, 2);
  rig.finish(3, 20);
  EXPECT_EQ(rig.scheduler.running(), 0u);
  EXPECT_EQ(rig.next(20), "idle");
}

// What a policy sees and hears.

struct Diary {
  bw::QueueView view;
  std::vector<bw::RunningBatch> running;
  std::vector<bw::QueuedRequest> queue;
  bw::ServiceEstimate service;
  bw::ArrivalEstimate arrivals_seen;
  std::vector<bw::ArrivalReport> arrivals;
  std::vector<bw::BatchReport> batches;
  std::size_t decisions = 0;
};

struct DiaryPolicy {
  Diary* diary = nullptr;
  bw::PolicyNeeds wanted;
  bw::Decision decision = bw::Decision::wait(bw::kNever);

  bw::PolicyNeeds needs() const noexcept { return wanted; }
  bw::Decision decide(const bw::QueueView& view) noexcept {
    ++diary->decisions;
    diary->view = view;
    diary->running.assign(view.running.begin(), view.running.end());
    diary->queue.clear();
    bw::QueueCursor cursor = view.queue;
    for (bw::QueuedRequest request; cursor.next(request);) diary->queue.push_back(request);
    if (view.service != nullptr) diary->service = *view.service;
    if (view.arrivals != nullptr) diary->arrivals_seen = *view.arrivals;
    return decision;
  }
  void on_arrivals(const bw::ArrivalReport& report) noexcept { diary->arrivals.push_back(report); }
  void on_batch(const bw::BatchReport& report) noexcept { diary->batches.push_back(report); }
};

TEST(Scheduler, APolicySeesTheQueueAndTheExecutors) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}, bw::Decision::release(4, bw::ReleaseReason::greedy)},
          {.max_batch_size = 16, .executors = 3, .max_in_flight = 2});
  rig.arrive("a", {.at = 1, .weight = 2});
  rig.next(2);
  rig.arrive("b", {.at = 7, .weight = 3});
  rig.arrive("c", {.at = 4, .weight = 1});
  rig.arrive("d", {.at = 6, .weight = 5});
  rig.next(9);
  EXPECT_EQ(diary.view.now, at(9));
  EXPECT_EQ(diary.view.count, 3u);
  EXPECT_EQ(diary.view.size, 9u);
  EXPECT_EQ(diary.view.oldest, at(4));
  EXPECT_EQ(diary.view.newest, at(7));
  EXPECT_EQ(diary.view.max_batch_size, 16u);
  EXPECT_EQ(diary.view.executors, 3u);
  EXPECT_EQ(diary.view.free_executors,
            1u);  // Two are free, but only one batch more may be in flight.
  ASSERT_EQ(diary.running.size(), 1u);
  EXPECT_EQ(diary.running[0].batch_id, 1u);
  EXPECT_EQ(diary.running[0].executor, 0u);
  EXPECT_EQ(diary.running[0].size, 2u);
  EXPECT_EQ(diary.running[0].dispatched, at(2));
}

/// A hundred lanes with one request each, whose policy waits for two of them or until 50.
class ManyLanes {
 public:
  explicit ManyLanes(bw::PolicyNeeds needs)
      : lanes(100),
        flows(100),
        rig(DiaryPolicy{&diary, needs, bw::Decision::wait(at(50), 2)}, {.keyed_lanes = true}) {
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      flows[i].tenant = &tenant;
      flows[i].lane = &lanes[i];
      rig.arrive(std::to_string(i), {}, &flows[i]);
    }
    EXPECT_EQ(rig.next(0), "wait until 50 for 1");
    EXPECT_EQ(diary.decisions, 100u);
    diary.decisions = 0;
  }

  Diary diary;
  bw::detail::Tenant tenant;
  std::vector<bw::detail::Lane> lanes;
  std::vector<bw::detail::Flow> flows;
  Rig<DiaryPolicy> rig;
};

TEST(Scheduler, APolicyThatDecidesByTheLaneAloneIsAskedAboutLanesThatHaveChanged) {
  ManyLanes many({.every_look = false});
  EXPECT_EQ(many.rig.next(1), "wait until 50 for 1");
  EXPECT_EQ(many.diary.decisions, 0u);
  many.rig.arrive("x", {}, &many.flows[7]);
  EXPECT_EQ(many.rig.next(2), "run 7 x on 0: size");
  EXPECT_EQ(many.diary.decisions, 2u);  // When it has changed, and when it goes.
  many.rig.finish(1, 3);
  EXPECT_EQ(many.rig.next(3), "wait until 50 for 1");
  EXPECT_EQ(many.diary.decisions, 2u);
  EXPECT_EQ(many.rig.next(50), "run 0 on 0: time");
}

TEST(Scheduler, APolicyThatWantsEveryLookIsAskedAboutEachLaneThatWaits) {
  ManyLanes many({});
  EXPECT_EQ(many.rig.next(1), "wait until 50 for 1");
  EXPECT_EQ(many.diary.decisions, 100u);
}

TEST(Scheduler, APolicyIsAskedAboutADueLaneWhenItsTurnComes) {
  ManyLanes many({});
  many.rig.next(50);
  many.rig.finish(1, 50);
  many.diary.decisions = 0;
  EXPECT_EQ(many.rig.next(50), "run 1 on 0: time");
  EXPECT_EQ(many.diary.decisions, 1u);
}

TEST(Scheduler, ADrainReachesLanesThatWait) {
  ManyLanes many({.every_look = false});
  many.rig.scheduler.drain();
  EXPECT_EQ(many.rig.next(1), "run 0 on 0: drain");
}

TEST(Scheduler, AFullQueueDoesNotWaitForCompany) {
  Rig rig(WaitForSize{9}, {.capacity = 3});
  rig.arrive("a");
  EXPECT_EQ(rig.next(0), "wait until never for 2");
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "wait until never for 1");
  rig.arrive("c");
  EXPECT_EQ(rig.next(0), "run a b c on 0: size");
}

TEST(Scheduler, AQueueIsFullAlsoWithWhatIsNotQueuedHere) {
  Rig rig(WaitForSize{9}, {.capacity = 4});
  rig.arrive("a");
  rig.scheduler.share_room(1);
  EXPECT_EQ(rig.next(0), "wait until never for 2");
  rig.scheduler.share_room(2);
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "run a b on 0: size");
  rig.finish(1);
  rig.scheduler.share_room(4);
  EXPECT_EQ(rig.next(0), "idle");
}

// One tenant with some lanes, and the flow to each.
template <std::size_t N>
struct LanesOfOne {
  LanesOfOne() {
    for (std::size_t i = 0; i < N; ++i) {
      flows[i].tenant = &tenant;
      flows[i].lane = &lanes[i];
    }
  }

  bw::detail::Tenant tenant;
  std::array<bw::detail::Lane, N> lanes;
  std::array<bw::detail::Flow, N> flows;
};

TEST(Scheduler, OfAFullQueueTheLaneOfTheOldestGoes) {
  Rig rig(WaitForSize{9}, {.capacity = 3, .keyed_lanes = true});
  LanesOfOne<2> of;
  rig.arrive("a", {.at = 2}, &of.flows[0]);
  rig.arrive("b", {.at = 1}, &of.flows[1]);
  EXPECT_EQ(rig.next(2), "wait until never for 1");
  rig.arrive("c", {.at = 3}, &of.flows[0]);
  EXPECT_EQ(rig.next(3), "run b on 0: size");
  rig.finish(1, 4);
  EXPECT_EQ(rig.next(4), "wait until never for 1");
}

TEST(Scheduler, AFullQueueDoesNotWaitForTheExecutorOfItsOldestWhileAnotherOneIsFree) {
  Rig rig(WaitForSize{9}, {.executors = 2, .max_in_flight = 2, .capacity = 3, .keyed_lanes = true});
  LanesOfOne<3> of;
  of.lanes[0].executor = 0;
  rig.arrive("a", {}, &of.flows[0]);
  rig.arrive("b", {}, &of.flows[0]);
  rig.arrive("c", {}, &of.flows[0]);
  EXPECT_EQ(rig.next(0), "run a b c on 0: size");
  rig.arrive("d", {.at = 1}, &of.flows[0]);
  rig.arrive("e", {.at = 3}, &of.flows[2]);
  rig.arrive("f", {.at = 2}, &of.flows[1]);
  EXPECT_EQ(rig.next(3), "run f on 1: size");
  rig.arrive("g", {.at = 4}, &of.flows[1]);
  rig.finish(2);
  EXPECT_EQ(rig.next(4), "run e on 1: size");
  rig.finish(1);
  rig.arrive("h", {.at = 5}, &of.flows[1]);
  EXPECT_EQ(rig.next(5), "run d on 0: size");
}

TEST(Scheduler, AtItsBoundALaneStillWaitsForItsOwnExecutor) {
  Rig rig(ReleaseAll{},
          {.executors = 2, .max_in_flight = 2, .overtaking_bound = 1, .keyed_lanes = true});
  LanesOfOne<2> of;
  of.lanes[0].executor = 0;
  rig.arrive("first", {}, &of.flows[0]);
  EXPECT_EQ(rig.next(0), "run first on 0: greedy");
  rig.arrive("low", {}, &of.flows[0]);
  for (int i = 0; i < 3; ++i) {
    rig.arrive("x", {.priority = 9}, &of.flows[1]);
    EXPECT_EQ(rig.next(0), "run x on 1: greedy");
    rig.finish(rig.last.batch_id);
  }
  rig.arrive("x", {.priority = 9}, &of.flows[1]);
  rig.finish(1);
  EXPECT_EQ(rig.next(0), "run low on 0: greedy");
}

TEST(Scheduler, WhoRidesAlongInALaneThatGoesBeforeOvertakesToo) {
  Rig rig(ReleaseAll{}, {.max_batch_size = 2, .overtaking_bound = 2, .keyed_lanes = true});
  LanesOfOne<3> of;
  rig.arrive("a", {}, &of.flows[0]);
  rig.arrive("b", {}, &of.flows[1]);
  rig.arrive("c", {}, &of.flows[2]);
  for (int i = 0; i < 2; ++i) rig.arrive("x", {.priority = 9}, &of.flows[2]);
  rig.arrive("y", {.priority = 9}, &of.flows[0]);
  rig.arrive("z", {.priority = 9}, &of.flows[1]);
  // All three are at their bound then, and "c" is overtaken twice more.
  for (const char* expected : {"run x x", "run a y", "run b z", "run c"}) {
    EXPECT_EQ(rig.next(0), std::string(expected) + " on 0: greedy");
    rig.finish(rig.last.batch_id);
  }
}

TEST(Scheduler, AFullQueueOfOneInstantGoesInTheOrderOfItsArrivals) {
  Rig rig(WaitForSize{9}, {.capacity = 3, .keyed_lanes = true});
  LanesOfOne<3> of;
  NamedRequest& a = rig.arrive("a", {}, &of.flows[0]);
  rig.arrive("b", {}, &of.flows[1]);
  rig.arrive("c", {}, &of.flows[0]);
  rig.scheduler.cancel(a);
  EXPECT_EQ(rig.next(0), "cancelled a");
  rig.arrive("d", {}, &of.flows[2]);
  EXPECT_EQ(rig.next(0), "run b on 0: size");
}

TEST(Scheduler, ALaneThatWaitsForItsExecutorAwaitsNoRoom) {
  Rig rig(ReleaseAll{}, {.executors = 2, .max_in_flight = 2, .capacity = 3});
  bw::detail::Tenant tenant;
  bw::detail::Lane lane;
  lane.executor = 0;
  bw::detail::Flow flow;
  flow.tenant = &tenant;
  flow.lane = &lane;
  rig.arrive("a", {}, &flow);
  rig.next(0);
  rig.arrive("b", {}, &flow);
  EXPECT_EQ(rig.next(0), "wait until never for none");
}

// The tenants take turns in each lane by what they got in all of them.
TEST(Scheduler, ABatchOfAnotherLaneMayMakeAPreferredSizeReached) {
  Rig rig(WaitForSize{}, {.max_batch_size = 16,
                          .executors = 2,
                          .max_in_flight = 2,
                          .preferred_sizes = {4, 10},
                          .keyed_lanes = true});
  bw::detail::Tenant first, second;
  bw::detail::Lane waiting, other;
  std::array<bw::detail::Flow, 3> flows;
  flows[0].tenant = flows[2].tenant = &first;
  flows[1].tenant = &second;
  flows[0].lane = flows[1].lane = &waiting;
  flows[2].lane = &other;
  rig.arrive("a", {.weight = 2}, &flows[0]);
  rig.arrive("b", {.weight = 4}, &flows[1]);
  EXPECT_EQ(rig.next(0), "wait until never for 1");  // In this order 2 and 6.
  rig.arrive("big", {.weight = 10}, &flows[2]);
  EXPECT_EQ(rig.next(1), "run big on 0: size");
  EXPECT_EQ(rig.next(1), "run b on 1: size");
}

TEST(Scheduler, WhoLeavesInOnePieceIsChargedForIt) {
  Rig rig(ReleaseAll{}, {.max_batch_size = 2});
  bw::detail::Tenant first, second;
  bw::detail::Lane lane;
  std::array<bw::detail::Flow, 2> flows;
  flows[0].tenant = &first;
  flows[1].tenant = &second;
  flows[0].lane = flows[1].lane = &lane;
  for (const char* name : {"a", "b", "c", "d"}) rig.arrive(name, {}, &flows[0]);
  EXPECT_EQ(rig.next(0), "run a b on 0: greedy");
  rig.arrive("e", {.at = 1}, &flows[1]);
  rig.finish(1);
  EXPECT_EQ(rig.next(1), "run e c on 0: greedy");  // The second one has had nothing yet.
}

TEST(Scheduler, TheOldestOfManyLanesIsKnown) {
  ManyLanes many({.every_look = false});
  many.rig.arrive("old", {.at = -4}, &many.flows[30]);
  EXPECT_EQ(many.rig.scheduler.oldest(), at(-4));
  many.rig.next(1);
  EXPECT_EQ(many.rig.last.requests.count, 2u);
  EXPECT_EQ(many.rig.scheduler.oldest(), at(0));
}

TEST(Scheduler, APolicySeesWhenARunningBatchIsExpectedToFinish) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}, bw::Decision::release(1, bw::ReleaseReason::greedy)},
          {.executors = 2, .max_in_flight = 2});
  rig.arrive("a");
  rig.next(0);
  rig.finish(1, 40);
  rig.arrive("b");
  EXPECT_EQ(rig.next(50), "run b on 1: greedy");
  rig.finish(2, 90);
  rig.arrive("c");
  EXPECT_EQ(rig.next(200), "run c on 0: greedy");
  rig.arrive("d");
  rig.next(210);
  ASSERT_EQ(diary.running.size(), 1u);
  EXPECT_EQ(diary.running[0].expected_finish, at(240));
}

TEST(Scheduler, TheCursorWalksByPriorityThenByAcceptance) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}});
  rig.arrive("a", {.at = 3, .priority = 0, .weight = 2, .deadline = at(80)});
  rig.arrive("b", {.at = 2, .priority = INT_MAX});
  rig.arrive("c", {.at = 1, .priority = 0});
  rig.arrive("d", {.at = 4, .priority = INT_MIN, .deadline = at(70)});
  rig.next(5);
  ASSERT_EQ(diary.queue.size(), 4u);
  const std::int64_t enqueued[] = {2, 3, 1, 4};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(diary.queue[i].enqueued, at(enqueued[i]));
  EXPECT_EQ(diary.queue[0].priority, INT_MAX);
  EXPECT_EQ(diary.queue[1].weight, 2u);
  EXPECT_EQ(diary.queue[1].deadline, at(80));
  EXPECT_EQ(diary.queue[2].deadline, bw::kNever);
  EXPECT_EQ(diary.queue[3].deadline, at(70));
}

TEST(Scheduler, APolicyIsAskedOnlyWhenItsAnswerCanBeCarriedOut) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}, bw::Decision::release(1, bw::ReleaseReason::greedy)});
  rig.next(0);
  EXPECT_EQ(diary.decisions, 0u);  // Nothing is queued.
  rig.scheduler.pause();
  rig.arrive("a");
  rig.next(0);
  EXPECT_EQ(diary.decisions, 0u);  // Paused.
  rig.scheduler.resume();
  rig.next(0);
  EXPECT_EQ(diary.decisions, 1u);
  rig.arrive("b");
  rig.next(0);
  EXPECT_EQ(diary.decisions, 1u);  // The executor is busy.
}

/// Gives up on as many of the first as are queued above one.
struct KeepTheLast {
  bw::Decision decide(const bw::QueueView& view) const noexcept {
    if (view.count > 1) return bw::Decision::drop(view.count - 1);
    return bw::Decision::release(view.size, bw::ReleaseReason::greedy);
  }
};

TEST(Scheduler, WhatAPolicyGivesUpOnEndsInOrderAndThenItIsAskedAgain) {
  Rig rig(KeepTheLast{});
  rig.arrive("a");
  rig.arrive("b", {.priority = 1});
  rig.arrive("c", {.deadline = at(50)});
  EXPECT_EQ(rig.next(0), "would_expire b a");
  EXPECT_EQ(rig.scheduler.queued(), 1u);
  EXPECT_EQ(rig.next(0), "run c on 0: greedy");
  EXPECT_EQ(rig.next(60), "idle") << "its deadline is not looked at any more";
}

TEST(Scheduler, APolicyThatGivesUpOnAllLeavesNothing) {
  struct DropAll {
    bw::Decision decide(const bw::QueueView&) const noexcept { return bw::Decision::drop(100); }
  };
  Rig rig(DropAll{});
  rig.arrive("a", {.deadline = at(50)});
  rig.arrive("b");
  EXPECT_EQ(rig.next(0), "would_expire a b");
  EXPECT_EQ(rig.next(0), "idle");
  EXPECT_EQ(rig.scheduler.queued(), 0u);
}

TEST(Scheduler, APolicyHearsOfEachArrivalIfItNeedsThat) {
  struct Listener {
    std::vector<bw::ArrivalReport>* heard;
    bw::Decision decide(const bw::QueueView&) const noexcept {
      return bw::Decision::wait(bw::kNever);
    }
    void on_arrivals(const bw::ArrivalReport& report) noexcept { heard->push_back(report); }
    bw::PolicyNeeds needs() const noexcept { return {.each_arrival = true}; }
  };
  std::vector<bw::ArrivalReport> heard;
  heard.reserve(4);
  Rig rig(Listener{&heard});
  rig.arrive("a", {.at = 5, .weight = 2});
  rig.arrive("b", {.at = 3});
  ASSERT_EQ(heard.size(), 2u) << "before it is asked";
  EXPECT_EQ(heard[0].count, 1u);
  EXPECT_EQ(heard[0].size, 2u);
  EXPECT_EQ(heard[1].first, at(3));
  EXPECT_EQ(heard[1].last, at(3));
  rig.next(6);
  EXPECT_EQ(heard.size(), 2u);
}

TEST(Scheduler, APolicyHearsOfArrivalsInBulkBeforeItDecides) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}});
  rig.arrive("a", {.at = 5, .weight = 2});
  rig.arrive("b", {.at = 3});
  rig.arrive("c", {.at = 4, .weight = 3});
  rig.next(6);
  ASSERT_EQ(diary.arrivals.size(), 1u);
  EXPECT_EQ(diary.arrivals[0].count, 3u);
  EXPECT_EQ(diary.arrivals[0].size, 6u);
  EXPECT_EQ(diary.arrivals[0].first, at(3));
  EXPECT_EQ(diary.arrivals[0].last, at(5));
  rig.next(7);
  EXPECT_EQ(diary.arrivals.size(), 1u);
  rig.arrive("d", {.at = 8});
  rig.next(8);
  ASSERT_EQ(diary.arrivals.size(), 2u);
  EXPECT_EQ(diary.arrivals[1].count, 1u);
  EXPECT_EQ(diary.arrivals[1].first, at(8));
}

TEST(Scheduler, APolicyHearsOfEveryFinishedBatch) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary, {}, bw::Decision::release(8, bw::ReleaseReason::greedy)});
  rig.arrive("a", {.weight = 3});
  rig.arrive("b");
  rig.next(2);
  rig.finish(1, 7);
  ASSERT_EQ(diary.batches.size(), 1u);
  EXPECT_EQ(diary.batches[0].batch_id, 1u);
  EXPECT_EQ(diary.batches[0].size, 4u);
  EXPECT_EQ(diary.batches[0].count, 2u);
  EXPECT_EQ(diary.batches[0].service_time(), Duration(7));
}

TEST(Scheduler, APolicyDoesNotHearOfABatchThatWasNotComputed) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary,
                      {.service = true, .arrivals = false},
                      bw::Decision::release(8, bw::ReleaseReason::greedy)});
  rig.arrive("a");
  rig.next(0);
  rig.report(1, 7, false);
  rig.scheduler.vacate(0);
  rig.arrive("b");
  rig.next(8);
  EXPECT_TRUE(diary.batches.empty());
  EXPECT_EQ(diary.service.samples, 0u);
}

TEST(Scheduler, EstimatesAreThereOnlyForAPolicyThatNeedsThem) {
  Diary diary;
  Rig plain(DiaryPolicy{&diary, {}});
  plain.arrive("a");
  plain.next(0);
  EXPECT_EQ(diary.view.service, nullptr);
  EXPECT_EQ(diary.view.arrivals, nullptr);

  Rig curious(DiaryPolicy{&diary,
                          {.service = true, .arrivals = true},
                          bw::Decision::release(8, bw::ReleaseReason::greedy)});
  curious.arrive("a", {.at = 0});
  curious.arrive("b", {.at = 10});
  curious.next(10);
  ASSERT_NE(diary.view.arrivals, nullptr);
  EXPECT_EQ(diary.arrivals_seen.samples, 2u);
  EXPECT_EQ(diary.arrivals_seen.last, at(10));
  ASSERT_NE(diary.view.service, nullptr);
  EXPECT_EQ(diary.service.samples, 0u);
  EXPECT_EQ(diary.service.expected(4), Duration(0));
  curious.finish(1, 60);
  curious.arrive("c", {.at = 80});
  curious.next(80);
  EXPECT_EQ(diary.service.samples, 1u);
  EXPECT_EQ(diary.service.expected(2), Duration(60));
}

TEST(Scheduler, AFailedBatchTeachesTheServiceModelNothing) {
  Diary diary;
  Rig rig(DiaryPolicy{&diary,
                      {.service = true, .arrivals = false},
                      bw::Decision::release(8, bw::ReleaseReason::greedy)});
  rig.arrive("a");
  rig.next(0);
  bw::BatchReport report;
  report.batch_id = 1;
  report.size = report.count = 1;
  report.finished = at(5);
  report.failed = true;
  rig.scheduler.report(report);
  rig.scheduler.vacate(0);
  rig.arrive("b");
  rig.next(6);
  EXPECT_EQ(diary.service.samples, 0u);
}

// Contracts that the compiler checks.

using Sample = bw::detail::Scheduler<ReleaseAll>;

static_assert(bw::BatchingPolicy<ReleaseAll>);
static_assert(bw::BatchingPolicy<DiaryPolicy>);
static_assert(noexcept(std::declval<Sample&>().arrive(std::declval<RequestHeader&>())));
static_assert(noexcept(std::declval<Sample&>().cancel(std::declval<RequestHeader&>())));
static_assert(noexcept(std::declval<Sample&>().report(std::declval<const bw::BatchReport&>())));
static_assert(noexcept(std::declval<Sample&>().next(std::declval<TimePoint>())));
static_assert(std::is_trivially_copyable_v<Action>);

TEST(Scheduler, AnInstantWithoutEndIsAnInstantLikeAnyOther) {
  bw::detail::Scheduler<ReleaseAll> empty(ReleaseAll{}, {});
  EXPECT_EQ(empty.next(bw::kNever).kind, Action::Kind::idle);
}

TEST(Scheduler, APauseMeansNothingOnceDraining) {
  bw::detail::Scheduler<ReleaseAll> scheduler(ReleaseAll{}, {});
  scheduler.drain();
  scheduler.pause();
  EXPECT_FALSE(scheduler.paused());
}

}  // namespace
