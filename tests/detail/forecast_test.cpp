// SPDX-License-Identifier: MIT
#include "tests/support/scheduler_policies.hpp"

#include <batchwright/detail/forecast.hpp>
#include <batchwright/detail/scheduler.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace {

namespace bw = batchwright;
using batchwright_test::ReleaseAll;
using bw::Duration;
using bw::Forecast;
using bw::Outcome;
using bw::QueueOrder;
using bw::TimePoint;
using bw::detail::Action;
using bw::detail::Flow;
using bw::detail::Lane;
using bw::detail::RequestHeader;
using bw::detail::SchedulerLimits;
using bw::detail::Tenant;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

// A scheduler for batches of 4, that has learned that each takes 10 ticks, whatever its size.
class Rig {
 public:
  explicit Rig(SchedulerLimits limits = {}, int learned = 8)
      : limits_([&] {
          limits.max_batch_size = 4;
          limits.forecast = Forecast::refuse;
          limits.max_in_flight = limits.executors;
          return limits;
        }()),
        scheduler(ReleaseAll{}, limits_) {
    for (int i = 0; i < learned; ++i) {
      // All sizes, and each executor.
      for (std::size_t size = 1; size <= 4; ++size) run_batches(size);
    }
  }

  // A request that comes at `tick` and has to be answered by `deadline`. True if it is taken.
  bool arrives(std::int64_t tick, std::int64_t deadline, int priority = 0, Flow* flow = nullptr) {
    RequestHeader& request = make(tick, priority, flow);
    request.deadline = at(deadline);
    return arrives(request, tick);
  }

  bool arrives(RequestHeader& request, std::int64_t tick) {
    const std::size_t before = scheduler.queued();
    scheduler.arrive(request);
    if (scheduler.queued() > before) return true;
    const Action action = scheduler.next(at(tick));
    EXPECT_EQ(action.kind, Action::Kind::fail);
    EXPECT_EQ(action.outcome, Outcome::would_expire);
    EXPECT_EQ(action.requests.first, &request);
    EXPECT_EQ(action.requests.count, 1u);
    return false;
  }

  void queue(std::int64_t tick, int count, int priority = 0, Flow* flow = nullptr) {
    for (int i = 0; i < count; ++i) scheduler.arrive(make(tick, priority, flow));
  }

  RequestHeader& make(std::int64_t tick, int priority = 0, Flow* flow = nullptr) {
    RequestHeader& request = requests_.emplace_back();
    request.enqueued = at(tick);
    request.priority = priority;
    request.flow = flow;
    return request;
  }

  // Dispatches what is there, at `tick`; each is to be finished after 10 ticks.
  Action start(std::int64_t tick) {
    const Action action = scheduler.next(at(tick));
    EXPECT_EQ(action.kind, Action::Kind::dispatch);
    return action;
  }

  void finish(const Action& action, std::int64_t dispatched) {
    scheduler.report({.batch_id = action.batch_id,
                      .executor = action.executor,
                      .size = action.size,
                      .count = action.requests.count,
                      .dispatched = at(dispatched),
                      .finished = at(dispatched + 10)});
    scheduler.vacate(action.executor);
  }

 private:
  void run_batches(std::size_t size) {
    std::deque<Action> running;
    for (std::size_t i = 0; i < limits_.executors; ++i) {
      for (std::size_t k = 0; k < size; ++k) scheduler.arrive(make(0));
      running.push_back(start(0));
    }
    for (const Action& action : running) finish(action, 0);
  }

  const SchedulerLimits limits_;
  std::deque<RequestHeader> requests_;

 public:
  bw::detail::Scheduler<ReleaseAll> scheduler;
};

TEST(Forecast, RefusesWhatWouldBeAnsweredAfterItsDeadline) {
  Rig rig;
  rig.queue(100, 8);  // Two batches before it: answered at 110, 120; its own at 130.
  EXPECT_FALSE(rig.arrives(100, 129));
  EXPECT_TRUE(rig.arrives(100, 130));
}

TEST(Forecast, TheOwnBatchTakesWhatIsQueuedWithIt) {
  Rig rig;
  rig.queue(100, 7);
  EXPECT_FALSE(rig.arrives(100, 119));
  EXPECT_TRUE(rig.arrives(100, 120));   // The eighth,
  EXPECT_FALSE(rig.arrives(100, 120));  // and the ninth.
}

TEST(Forecast, CountsWhatIsRunning) {
  Rig rig;
  rig.queue(100, 4);
  const Action running = rig.start(100);
  EXPECT_FALSE(rig.arrives(103, 119));
  EXPECT_TRUE(rig.arrives(103, 120));
  rig.finish(running, 100);
}

TEST(Forecast, ABatchThatIsLateMayEndAtAnyMoment) {
  Rig rig;
  rig.queue(100, 4);
  rig.start(100);
  EXPECT_FALSE(rig.arrives(150, 159));
  EXPECT_TRUE(rig.arrives(150, 160));
}

TEST(Forecast, SpreadsTheWorkOverTheExecutors) {
  Rig rig({.executors = 2});
  rig.queue(100, 4);
  rig.start(100);
  // One is vacant now, the other at 110.
  EXPECT_FALSE(rig.arrives(104, 113));
  EXPECT_TRUE(rig.arrives(104, 114));
  rig.queue(104, 3);
  EXPECT_FALSE(rig.arrives(104, 119));
  EXPECT_TRUE(rig.arrives(104, 120));
  rig.queue(104, 3);  // Eight are queued: the next is the second of the first executor.
  EXPECT_FALSE(rig.arrives(104, 123));
  EXPECT_TRUE(rig.arrives(104, 124));
}

TEST(Forecast, WhatIsOfLowerPriorityIsNotBeforeIt) {
  Rig rig;
  rig.queue(100, 8);
  rig.queue(100, 4, 2);
  EXPECT_FALSE(rig.arrives(100, 119, 1));
  EXPECT_TRUE(rig.arrives(100, 120, 1));
  EXPECT_TRUE(rig.arrives(100, 120, 3));
  EXPECT_FALSE(rig.arrives(100, 139));
}

TEST(Forecast, WhatHasALaterDeadlineIsNotBeforeItWhenTheEarliestGoesFirst) {
  Rig rig({.order = QueueOrder::earliest_deadline});
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(rig.arrives(100, 1000 + i));
  EXPECT_TRUE(rig.arrives(100, 110));
  EXPECT_FALSE(rig.arrives(100, 109));
}

TEST(Forecast, WhatIsAtItsBoundIsBeforeIt) {
  Rig rig({.overtaking_bound = 4});
  rig.queue(100, 1);
  rig.queue(100, 4, 5);
  rig.finish(rig.start(100), 100);  // The five pass, and no more may.
  rig.queue(110, 3, 5);
  EXPECT_FALSE(rig.arrives(110, 129, 5));
  EXPECT_TRUE(rig.arrives(110, 130, 5));
}

TEST(Forecast, OthersPassByTheirShares) {
  Rig rig;
  Tenant small;
  Tenant large;
  large.share = 2;
  Lane lane;
  Flow of_small;
  Flow of_large;
  of_small.tenant = &small;
  of_large.tenant = &large;
  of_small.lane = of_large.lane = &lane;
  rig.queue(100, 100, 0, &of_large);
  // While four of the small one leave, eight of the large one do.
  rig.queue(100, 4, 0, &of_small);
  EXPECT_FALSE(rig.arrives(100, 139, 0, &of_small));
  EXPECT_TRUE(rig.arrives(100, 140, 0, &of_small));
}

TEST(Forecast, LooksAtTheStartForATimeout) {
  Rig rig;
  rig.queue(100, 8);
  RequestHeader& too_late = rig.make(100);
  too_late.expiry = at(119);
  EXPECT_FALSE(rig.arrives(too_late, 100));
  RequestHeader& in_time = rig.make(100);
  in_time.expiry = at(120);
  EXPECT_TRUE(rig.arrives(in_time, 100));
}

TEST(Forecast, RefusesNobodyWithoutADeadline) {
  Rig rig;
  rig.queue(100, 10'000);
  EXPECT_EQ(rig.scheduler.queued(), 10'000u);
}

TEST(Forecast, RefusesNobodyWhoFindsItIdle) {
  Rig rig;
  EXPECT_TRUE(rig.arrives(100, 101));
}

TEST(Forecast, RefusesNobodyUntilEightBatchesAreKnown) {
  Rig rig({}, 1);
  rig.queue(100, 8);
  EXPECT_TRUE(rig.arrives(100, 101));
  for (int i = 0; i < 5; ++i) {  // Four of the rig's, and these.
    if (rig.scheduler.queued() == 0) rig.queue(100, 1);
    rig.finish(rig.start(100), 100);
  }
  rig.queue(100, 8);
  EXPECT_FALSE(rig.arrives(100, 101));
}

TEST(Forecast, WhoIsRefusedAndCancelledIsCancelledOnly) {
  Rig rig;
  rig.queue(100, 8);
  RequestHeader& request = rig.make(100);
  request.deadline = at(101);
  RequestHeader& other = rig.make(100);
  other.deadline = at(101);
  rig.scheduler.arrive(request);
  rig.scheduler.arrive(other);
  rig.scheduler.cancel(request);
  Action action = rig.scheduler.next(at(100));
  EXPECT_EQ(action.outcome, Outcome::cancelled);
  EXPECT_EQ(action.requests.first, &request);
  action = rig.scheduler.next(at(100));
  EXPECT_EQ(action.outcome, Outcome::would_expire);
  EXPECT_EQ(action.requests.first, &other);
  EXPECT_EQ(action.requests.count, 1u);
}

TEST(Forecast, KeepsCountOfTheWeightOfALevelThroughEveryWayOut) {
  Rig rig({.overtaking_bound = 1000});
  rig.queue(100, 6, 1);
  RequestHeader& head = rig.make(100, 2);
  RequestHeader& middle = rig.make(100, 2);
  RequestHeader& delayed = rig.make(100, 2);
  head.weight = middle.weight = delayed.weight = 2;
  delayed.delay_at = at(101);
  for (auto* request : {&head, &middle, &delayed}) rig.scheduler.arrive(*request);
  rig.scheduler.pause();
  rig.scheduler.cancel(head);
  rig.scheduler.next(at(100));
  rig.scheduler.next(at(101));  // Delayed: behind the other of its priority.
  // Of priority 2 there are two and two, of 1 there are six, so ten before it: two batches and its own.
  EXPECT_FALSE(rig.arrives(101, 130, 1));
  EXPECT_TRUE(rig.arrives(101, 131, 1));
  rig.scheduler.cancel(middle);
  rig.scheduler.cancel(delayed);
  rig.scheduler.next(at(101));
  EXPECT_FALSE(rig.arrives(101, 110, 2));
  EXPECT_TRUE(rig.arrives(101, 111, 2));
}

}  // namespace
