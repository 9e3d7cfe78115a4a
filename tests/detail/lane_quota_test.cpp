// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"
#include "tests/support/scheduler_policies.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/detail/lane_quota.hpp>
#include <batchwright/detail/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Duration;
using batchwright::SizeRule;
using batchwright::TimePoint;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::detail::Action;
using batchwright::detail::Lane;
using batchwright::detail::LaneQuota;
using batchwright::detail::RequestHeader;

using Values = std::vector<int>;
using Sizes = std::vector<std::size_t>;

RequestHeader request(std::uint32_t weight, std::uint32_t length = 1) {
  RequestHeader request;
  request.weight = weight;
  request.length = length;
  return request;
}

// A scheduler of random limits, and requests that come to it while it waits.
class QuotaSchedule {
 public:
  explicit QuotaSchedule(Random& random)
      : scheduler_(WaitForEither{.size = 2 + random.below(40), .window = Duration(30)},
                   limits(random)) {
    for (auto& flow : flows_) {
      flow.tenant = &random.pick(tenants_);
      flow.lane = &random.pick(lanes_);
    }
    // One flow for each pair.
    for (auto& flow : flows_) {
      for (auto& other : flows_) {
        if (&other == &flow) break;
        if (other.tenant == flow.tenant && other.lane == flow.lane) flow.tenant = nullptr;
      }
    }
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (i % 2 == 0) lanes_[i].executor = i / 2 % scheduler_.limits().executors;
    }
  }

  // False if a request that used up no quota made a batch due.
  bool step(Random& random) {
    if (random.chance(70) && !running_.empty()) finish();
    if (random.chance(5)) now_ += Duration(random.between(1, 20));
    if (random.chance(1)) scheduler_.flush();
    settle();
    if (last_.kind != Action::Kind::wait || !last_.by_lane) {
      const bool fits = scheduler_.queued() < scheduler_.limits().capacity;
      if (fits && (scheduler_.queued() == 0 || random.chance(30))) scheduler_.arrive(make(random));
      return true;
    }
    // Asleep, with this wish.
    ++inbox_;
    batchwright::detail::RequestChain arrivals;
    bool wakes = false;
    do {
      RequestHeader& request = make(random);
      Lane& lane = request.flow == nullptr ? scheduler_.own_lane() : *request.flow->lane;
      arrivals.append(request);
      wakes = lane.quota.draw(request, inbox_) || arrivals.count >= scheduler_.room();
    } while (!wakes && random.chance(70));
    arrivals.each<RequestHeader>([&](RequestHeader& request) { scheduler_.arrive(request); });
    if (wakes) {
      ++used_up;
      return true;
    }
    ++quiet;
    last_ = scheduler_.next(now_);
    const bool kept = last_.kind == Action::Kind::wait;
    settle();
    return kept;
  }

  std::size_t quiet = 0;
  std::size_t used_up = 0;

 private:
  static batchwright::detail::SchedulerLimits limits(Random& random) {
    batchwright::detail::SchedulerLimits limits;
    limits.max_batch_size = 8 + random.below(40);
    limits.executors = limits.max_in_flight = 1 + random.below(3);
    limits.max_wait = Duration(10'000);
    limits.overtaking_bound = random.below(20);
    limits.keyed_lanes = random.chance(70);
    if (random.chance(40)) limits.capacity = 3 + random.below(20);
    if (random.chance(40) || !limits.keyed_lanes) limits.size_rule = SizeRule::padded;
    if (random.chance(40)) limits.preferred_sizes = {3, 7};
    if (random.chance(30)) limits.allowed_sizes = {2, 5, 8};
    return limits;
  }

  RequestHeader& make(Random& random) {
    RequestHeader& request = requests_.emplace_back();
    request.enqueued = now_;
    request.weight = static_cast<std::uint32_t>(random.between(1, 4));
    request.length = static_cast<std::uint32_t>(random.between(1, 6));
    request.priority = static_cast<int>(random.below(3));
    if (scheduler_.limits().keyed_lanes) {
      do {
        request.flow = &random.pick(flows_);
      } while (request.flow->tenant == nullptr);
    }
    return request;
  }

  void finish() {
    batchwright::BatchReport report;
    report.batch_id = running_.front().batch_id;
    report.executor = running_.front().executor;
    scheduler_.report(report);
    scheduler_.vacate(report.executor);
    running_.pop_front();
  }

  void settle() {
    while ((last_ = scheduler_.next(now_)).kind == Action::Kind::dispatch)
      running_.push_back(last_);
  }

  batchwright::detail::Scheduler<WaitForEither> scheduler_;
  std::array<batchwright::detail::Tenant, 2> tenants_;
  std::array<Lane, 5> lanes_;
  std::array<batchwright::detail::Flow, 8> flows_;
  std::deque<RequestHeader> requests_;
  std::deque<Action> running_;
  TimePoint now_{};
  std::uint64_t inbox_ = 0;
  Action last_;
};

TEST(LaneQuota, OfALaneNobodyKnowsAnyRequestMatters) {
  LaneQuota quota;
  EXPECT_TRUE(quota.draw(request(1), 1));
  quota.set(5, 3, 0);
  EXPECT_FALSE(quota.draw(request(1), 2));
  quota.shut();
  EXPECT_TRUE(quota.draw(request(1), 3));
}

TEST(LaneQuota, AddsUpTheWeightsOfOneInbox) {
  LaneQuota quota;
  quota.set(5, 3, 0);
  EXPECT_FALSE(quota.draw(request(2), 1));
  EXPECT_FALSE(quota.draw(request(2), 1));
  EXPECT_TRUE(quota.draw(request(1), 1));
  EXPECT_FALSE(quota.draw(request(4), 2));  // What came before is in the lane by now.
}

TEST(LaneQuota, WhereLengthsCountTheLongestCountsForAll) {
  LaneQuota quota;
  quota.set(10, 2, 5);                          // Twenty are due, ten are there.
  EXPECT_FALSE(quota.draw(request(1, 3), 1));   // 3 x 5
  EXPECT_FALSE(quota.draw(request(1, 4), 2));   // 3 x 5
  EXPECT_TRUE(quota.draw(request(1, 5), 2));    // 4 x 5
  EXPECT_FALSE(quota.draw(request(1, 6), 3));   // 3 x 6
  EXPECT_TRUE(quota.draw(request(1, 7), 4));    // 3 x 7
  EXPECT_FALSE(quota.draw(request(99, 1), 5));  // Weights do not count.
}

TEST(LaneQuota, LiftedItHoldsNobodyUp) {
  LaneQuota quota;
  quota.lift();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(quota.draw(request(1000), 1));
}

// Whatever is set, requests that use up no quota leave a wait what it was: asleep through them nobody
// misses a batch.
TEST(LaneQuota, NothingIsMissedBelowItOnRandomSchedules) {
  std::size_t quiet = 0, used_up = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    Random random(seed);
    QuotaSchedule schedule(random);
    for (int step = 0; step < 250; ++step) {
      ASSERT_TRUE(schedule.step(random)) << "seed " << seed << ", step " << step;
    }
    quiet += schedule.quiet;
    used_up += schedule.used_up;
  }
  EXPECT_GT(quiet, 10'000u);
  EXPECT_GT(used_up, 1'000u);
}

// Who wakes the dispatcher, where one sum does not say it.
class LaneWakes : public ::testing::Test {
 protected:
  // Wakes since the last call, after everything has come to rest.
  std::uint64_t wakes() {
    runtime_.settle();
    return runtime_.unparks() - std::exchange(unparks_, runtime_.unparks());
  }

  template <class Batcher>
  std::uint64_t wakes_of(Batcher& batcher, int input, batchwright::SubmitOptions options = {}) {
    wakes();
    static_cast<void>(batcher.submit(input, use_ticket, options));
    return wakes();
  }

  static int tens(const int& input) { return input / 10; }
  static std::size_t ones(const int& input) { return static_cast<std::size_t>(input % 10); }

  // Nobody is interrupted, so that a wake is never saved by chance.
  TestRuntime runtime_{TestOptions{.switch_probability = 0}};
  Calls calls_;

 private:
  std::uint64_t unparks_ = 0;
};

// Without executors, so that nobody stands in for the dispatcher.
TEST_F(LaneWakes, OfALaneItsFirstRequestAndTheOneThatFillsItsBatchWakeTheDispatcherAlone) {
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime_, calls_),
      {.max_batch_size = 4, .policy = {.max_wait = 10ms}, .executors = 0, .lane = tens});
  EXPECT_EQ(wakes_of(batcher, 10), 1u);
  EXPECT_EQ(wakes_of(batcher, 11), 0u);
  EXPECT_EQ(wakes_of(batcher, 20), 1u);  // Another lane's.
  EXPECT_EQ(wakes_of(batcher, 12), 0u);
  EXPECT_EQ(wakes_of(batcher, 21), 0u);
  EXPECT_EQ(wakes_of(batcher, 22), 0u);
  EXPECT_EQ(wakes_of(batcher, 13), 1u);
  EXPECT_EQ(calls_.sizes(), Sizes{4});
  EXPECT_EQ(wakes_of(batcher, 14), 1u);  // The lane is a new one again.
  EXPECT_EQ(wakes_of(batcher, 23), 1u);
  EXPECT_EQ(calls_.sizes(), (Sizes{4, 4}));
}

TEST_F(LaneWakes, WhatCameWhileTheDispatcherSleptIsNotCountedTwice) {
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime_, calls_),
      {.max_batch_size = 8, .policy = {.max_wait = 10ms}, .executors = 0, .lane = tens});
  for (int i = 0; i < 4; ++i) static_cast<void>(batcher.submit(10 + i, use_ticket));
  wakes();
  for (int i = 4; i < 6; ++i) EXPECT_EQ(wakes_of(batcher, 10 + i), 0u);
  EXPECT_EQ(wakes_of(batcher, 20), 1u);  // With it the six are looked at: two are missing.
  EXPECT_EQ(wakes_of(batcher, 16), 0u);
  EXPECT_EQ(wakes_of(batcher, 17), 1u);
  EXPECT_EQ(calls_.sizes(), Sizes{8});
}

TEST_F(LaneWakes, ALaneWhoseRequestsAreAllBeingComputedIsNewAgain) {
  TestBatcher<int, int, TimePolicy> batcher(
      batchwright::shared_predictor(doubler(runtime_, calls_, 50ms)),
      {.max_batch_size = 4, .policy = {.max_wait = 10ms}, .executors = 2, .lane = tens});
  static_cast<void>(batcher.submit_many(Values{10, 11, 12, 13}, use_ticket));
  wakes();
  EXPECT_EQ(calls_.sizes(), Sizes{4});
  static_cast<void>(batcher.submit(20, use_ticket));  // Something waits.
  for (int i = 4; i < 8; ++i) static_cast<void>(batcher.submit(10 + i, use_ticket));
  wakes();
  EXPECT_EQ(calls_.sizes(), (Sizes{4, 4}));
  runtime_.advance(200ms);
}

TEST_F(LaneWakes, OneCallMayFillSeveralLanes) {
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime_, calls_),
      {.max_batch_size = 3, .policy = {.max_wait = 10ms}, .executors = 0, .lane = tens});
  static_cast<void>(batcher.submit(10, use_ticket));
  static_cast<void>(batcher.submit(20, use_ticket));
  wakes();
  static_cast<void>(batcher.submit_many(Values{11, 21}, use_ticket));
  EXPECT_EQ(wakes(), 0u);
  static_cast<void>(batcher.submit_many(Values{22, 12}, use_ticket));
  wakes();
  EXPECT_EQ(calls_.sizes(), (Sizes{3, 3}));
}

TEST_F(LaneWakes, WeightsCountAsTheyDoForTheCap) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 12,
                                             .policy = {.max_wait = 10ms},
                                             .executors = 0,
                                             .weight = ones,
                                             .lane = tens});
  EXPECT_EQ(wakes_of(batcher, 15), 1u);
  EXPECT_EQ(wakes_of(batcher, 14), 0u);
  EXPECT_EQ(wakes_of(batcher, 12), 0u);
  EXPECT_EQ(wakes_of(batcher, 11), 1u);
}

TEST_F(LaneWakes, PaddedSizesCountTheLongest) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 20,
                                             .policy = {.max_wait = 10ms},
                                             .executors = 0,
                                             .length = ones,
                                             .size_rule = SizeRule::padded});
  EXPECT_EQ(wakes_of(batcher, 4), 1u);
  EXPECT_EQ(wakes_of(batcher, 2), 0u);  // 2 x 4
  EXPECT_EQ(wakes_of(batcher, 4), 0u);  // 3 x 4
  EXPECT_EQ(wakes_of(batcher, 3), 0u);  // 4 x 4
  EXPECT_EQ(wakes_of(batcher, 1), 1u);  // 5 x 4
  EXPECT_EQ(calls_.sizes(), Sizes{5});
  EXPECT_EQ(wakes_of(batcher, 3), 1u);
  EXPECT_EQ(wakes_of(batcher, 3), 0u);  // 2 x 3
  EXPECT_EQ(wakes_of(batcher, 7), 1u);  // 3 x 7: two of them are the batch.
}

TEST_F(LaneWakes, ASizeThatIsPreferredIsReachedAtOnce) {
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime_, calls_),
      {.max_batch_size = 8, .preferred_sizes = {3}, .policy = {.max_wait = 10ms}, .lane = tens});
  EXPECT_EQ(wakes_of(batcher, 10), 1u);
  EXPECT_EQ(wakes_of(batcher, 11), 0u);
  EXPECT_EQ(wakes_of(batcher, 12), 1u);
  EXPECT_EQ(calls_.sizes(), Sizes{3});
}

TEST_F(LaneWakes, AQueueThatBecomesFullIsDue) {
  TestBatcher<int, int, TimePolicy> batcher(doubler(runtime_, calls_),
                                            {.max_batch_size = 8,
                                             .policy = {.max_wait = 10ms},
                                             .executors = 0,
                                             .capacity = 5,
                                             .lane = tens});
  EXPECT_EQ(wakes_of(batcher, 10), 1u);
  EXPECT_EQ(wakes_of(batcher, 20), 1u);
  EXPECT_EQ(wakes_of(batcher, 11), 0u);
  EXPECT_EQ(wakes_of(batcher, 21), 0u);
  EXPECT_EQ(wakes_of(batcher, 22), 1u);  // Nobody can come: the oldest lane leaves.
  EXPECT_EQ(calls_.sizes(), Sizes{2});
}

TEST_F(LaneWakes, ADeadlineBeforeTheEndOfTheWindowIsAwaited) {
  TestBatcher<int, int, TimePolicy> batcher(
      doubler(runtime_, calls_),
      {.max_batch_size = 8, .policy = {.max_wait = 10ms}, .executors = 0, .lane = tens});
  const auto start = runtime_.now();
  EXPECT_EQ(wakes_of(batcher, 10), 1u);
  EXPECT_EQ(wakes_of(batcher, 11, {.deadline = start + 20ms}), 0u);
  EXPECT_EQ(wakes_of(batcher, 12, {.deadline = start + 5ms}), 1u);
  EXPECT_EQ(runtime_.next_due(), start + 5ms);
}

TEST_F(LaneWakes, WhatComesForABusyExecutorWakesNobody) {
  TestBatcher<int, int, TimePolicy> batcher(
      batchwright::shared_predictor(doubler(runtime_, calls_, 50ms)),
      {.max_batch_size = 2,
       .policy = {.max_wait = 10ms},
       .executors = 2,
       .lane = tens,
       .sticky_lanes = batchwright::StickyLanes::yes});
  // The first lane that is bound to the executor of lane 1, which is busy with that one.
  int lane = 1;
  do {
    ++lane;
    ASSERT_LT(lane, 60);
    runtime_.advance(100ms);
    calls_.all.clear();
    static_cast<void>(batcher.submit_many(Values{10, 11}, use_ticket));
    wakes();
    static_cast<void>(batcher.submit_many(Values{10 * lane, 10 * lane + 1}, use_ticket));
    wakes();
  } while (calls_.count() == 2);
  for (int i = 2; i < 10; ++i) EXPECT_EQ(wakes_of(batcher, 10 * lane + i), 0u);
  runtime_.advance(400ms);
  EXPECT_EQ(calls_.sizes(), (Sizes{2, 2, 2, 2, 2, 2}));
}

// Whatever the order of arrivals, and however the threads are interleaved, a batch leaves at the instant
// at which it is due: a request that should have woken the dispatcher would be late.
TEST(LaneWakesUnderContention, NoBatchIsLate) {
  for_each_seed(60, [](TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int, TimePolicy> batcher(doubler(runtime, calls),
                                              {.max_batch_size = 3,
                                               .policy = {.max_wait = 10ms},
                                               .lane = [](const int& x) { return x % 4; }},
                                              runtime);
    std::vector<TestRuntime::Thread> clients;
    for (int thread = 0; thread < 3; ++thread) {
      clients.push_back(runtime.start([&, thread] {
        for (int i = 0; i < 8; ++i) static_cast<void>(batcher.submit(i + thread, use_ticket));
      }));
    }
    for (auto& client : clients) client.join();
    runtime.settle();
    // 24 requests, six of each lane: two full batches of each, at once.
    EXPECT_EQ(calls.sizes(), Sizes(8, 3));
  });
}

}  // namespace
