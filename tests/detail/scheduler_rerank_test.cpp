// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/flow.hpp>
#include <batchwright/detail/scheduler.hpp>
#include <batchwright/policies/size.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Forecast;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::QueueOrder;
using batchwright::SizePolicy;
using batchwright::TimePoint;
using batchwright::detail::Action;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;
using batchwright::detail::Scheduler;
using batchwright::detail::SchedulerLimits;
using batchwright::detail::Tenant;
using batchwright::detail::Urgency;
using batchwright_test::Random;

constexpr TimePoint kStart = TimePoint{} + 1s;

struct Numbered : RequestHeader {
  std::size_t number = 0;
};

/// A scheduler with requests of its own, of some tenants and lanes.
class Plant {
 public:
  explicit Plant(const SchedulerLimits& limits) : scheduler_(SizePolicy{.size = 3}, limits) {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      flows_[i].tenant = &tenants_[i % 2];
      flows_[i].lane = &lanes_[i / 2];
    }
  }

  Numbered& add(std::size_t number, const Urgency& urgency, std::size_t flow,
                std::uint32_t weight) {
    Numbered& request = requests_[number];
    request.number = number;
    request.enqueued = kStart;
    request.priority = urgency.priority;
    request.deadline = urgency.deadline;
    request.delay_at = urgency.delay_at;
    request.weight = weight;
    request.flow = &flows_[flow];
    scheduler_.arrive(request);
    return request;
  }

  // What becomes of everything: the batches in order, one executor at a time.
  std::string run() {
    std::string history;
    scheduler_.flush();
    scheduler_.resume();
    for (;;) {
      const Action action = scheduler_.next(now);
      if (action.kind == Action::Kind::idle) return history;
      if (action.kind == Action::Kind::wait) {
        now = action.until;
        if (now == kNever) return history + "stuck";
        continue;
      }
      history += action.kind == Action::Kind::fail ? to_string(action.outcome) : "batch";
      action.requests.each<Numbered>(
          [&](Numbered& request) { history += " " + std::to_string(request.number); });
      history += ";";
      if (action.kind == Action::Kind::fail) continue;
      scheduler_.report({.batch_id = action.batch_id,
                         .executor = action.executor,
                         .size = action.size,
                         .count = action.requests.count,
                         .dispatched = now,
                         .started = now,
                         .finished = now});
      scheduler_.vacate(action.executor);
    }
  }

  Scheduler<SizePolicy>& scheduler() { return scheduler_; }
  Numbered& request(std::size_t number) { return requests_[number]; }

  TimePoint now = kStart;

 private:
  std::array<Tenant, 2> tenants_;
  std::array<Lane, 2> lanes_;
  std::array<Flow, 4> flows_;
  std::array<Numbered, 64> requests_;
  Scheduler<SizePolicy> scheduler_;
};

Urgency draw_urgency(Random& random) {
  return {.priority = static_cast<int>(random.below(3)),
          .deadline = random.chance(50) ? kNever : kStart + std::chrono::hours(1 + random.below(4)),
          .delay_at = random.chance(50) ? kNever : kStart + std::chrono::seconds(random.below(4))};
}

TEST(SchedulerRerank, ARequestGoesAsIfItHadComeWithItsLastRankAndWhatIsWithdrawnHasNotCome) {
  std::size_t reranked = 0;
  std::size_t withdrawn = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const SchedulerLimits limits{
        .max_batch_size = 1 + random.below(4),
        .overtaking_bound = random.chance(50) ? 2u : 1000u,
        .order = random.chance(50) ? QueueOrder::earliest_deadline : QueueOrder::fifo,
        .forecast = random.chance(30) ? Forecast::refuse : Forecast::off,
        .keyed_lanes = true};
    Plant moved(limits);
    Plant settled(limits);
    moved.scheduler().pause();
    settled.scheduler().pause();

    const std::size_t count = 2 + random.below(20);
    std::vector<Urgency> last(count);
    std::vector<std::size_t> flows(count);
    std::vector<std::uint32_t> weights(count);
    std::vector<bool> there(count, true);
    const auto rerank_some = [&](std::size_t known) {
      while (random.chance(60)) {
        const std::size_t number = random.below(known);
        if (!there[number]) continue;
        Numbered& request = moved.request(number);
        if (random.chance(20)) {
          moved.scheduler().withdraw(request);
          there[number] = false;
          ++withdrawn;
        } else {
          moved.scheduler().rerank(request, last[number] = draw_urgency(random));
          ++reranked;
        }
      }
    };
    for (std::size_t number = 0; number < count; ++number) {
      last[number] = draw_urgency(random);
      flows[number] = random.below(4);
      weights[number] = static_cast<std::uint32_t>(1 + random.below(2));
      Urgency first = last[number];
      moved.add(number, first, flows[number], weights[number]);
      // What is reranked expires no more; so that both plants have the same, nothing does.
      moved.scheduler().rerank(moved.request(number), first);
      rerank_some(number + 1);
    }
    for (std::size_t number = 0; number < count; ++number) {
      if (!there[number]) continue;
      settled.add(number, last[number], flows[number], weights[number]);
      settled.scheduler().rerank(settled.request(number), last[number]);
    }
    ASSERT_EQ(moved.run(), settled.run());
  }
  EXPECT_GT(reranked, 10'000u);
  EXPECT_GT(withdrawn, 2'000u);
}

TEST(SchedulerRerank, WhatIsRerankedExpiresNoMore) {
  Plant plant({.max_batch_size = 4});
  plant.scheduler().pause();
  Numbered& request = plant.add(1, {.deadline = kStart + 1s}, 0, 1);
  EXPECT_EQ(plant.scheduler().next(kStart).until, kStart + 1s);
  plant.scheduler().rerank(request, {.deadline = kStart + 1s});
  EXPECT_EQ(plant.scheduler().next(kStart).until, kNever);
  plant.now = kStart + 2s;
  EXPECT_EQ(plant.run(), "batch 1;");
}

TEST(SchedulerRerank, WhatWasDelayedIsLiveAgainWithALaterInstant) {
  Plant plant({.max_batch_size = 1});
  plant.scheduler().pause();
  plant.add(1, {.delay_at = kStart + 1s}, 0, 1);
  plant.add(2, {}, 0, 1);
  plant.add(3, {.delay_at = kStart + 1s}, 0, 1);
  plant.now = kStart + 2s;
  EXPECT_EQ(plant.scheduler().next(plant.now).until, kNever);
  EXPECT_TRUE(plant.request(1).delayed);
  plant.scheduler().rerank(plant.request(3), {.priority = 0, .delay_at = kStart + 1s});
  EXPECT_TRUE(plant.request(3).delayed);
  plant.scheduler().rerank(plant.request(1), {.delay_at = kStart + 5s});
  EXPECT_EQ(plant.scheduler().next(plant.now).until, kStart + 5s);
  EXPECT_EQ(plant.run(), "batch 1;batch 2;batch 3;");
}

}  // namespace
