// SPDX-License-Identifier: MIT
#include <batchwright/simulation/request_mix.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::BatcherOptions;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::TimeoutAction;
using batchwright::TimePoint;
using batchwright::detail::RequestArena;
using batchwright::detail::RequestMix;
using batchwright::detail::SimulatedRequest;

using Options = BatcherOptions<RequestClass, GreedyPolicy>;

TEST(RequestArena, GivesEachRequestToOneAndPutBackOnesAgain) {
  RequestArena arena;
  std::set<SimulatedRequest*> lent;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(lent.insert(&arena.take()).second);
  SimulatedRequest& back = **lent.begin();
  arena.put_back(back);
  EXPECT_EQ(&arena.take(), &back);
  EXPECT_TRUE(lent.insert(&arena.take()).second);
}

TEST(RequestMix, DrawsClassesInTheirProportions) {
  RequestMix mix({{.proportion = 1}, {.proportion = 6}, {.proportion = 3}}, Options{}, Random(1));
  std::vector<int> drawn(3);
  for (int i = 0; i < 100'000; ++i) ++drawn[mix.draw().index];
  EXPECT_NEAR(drawn[0], 10'000, 300);
  EXPECT_NEAR(drawn[1], 60'000, 500);
  EXPECT_NEAR(drawn[2], 30'000, 500);
}

TEST(RequestMix, FillsARequestAsItsClassSays) {
  RequestMix mix({{.priority = 4, .deadline = 10ms, .timeout = 3ms, .weight = 2, .length = 5}},
                 Options{}, Random(1));
  SimulatedRequest request;
  const TimePoint now = TimePoint{} + 1s;
  RequestMix::fill(request, mix.draw(), now);
  EXPECT_EQ(request.enqueued, now);
  EXPECT_EQ(request.deadline, now + 10ms);
  EXPECT_EQ(request.expiry, now + 3ms);
  EXPECT_EQ(request.delay_at, kNever);
  EXPECT_EQ(request.priority, 4);
  EXPECT_EQ(request.weight, 2u);
  EXPECT_EQ(request.length, 5u);
  EXPECT_EQ(request.flow, nullptr);
  EXPECT_EQ(request.level, kNoCount);
}

TEST(RequestMix, TimeoutsAreTheLevelsUnlessTheClassHasItsOwn) {
  Options options;
  options.queue = {.timeout = 50ms};
  options.levels = {{.priority = 1, .timeout = 7ms, .on_timeout = TimeoutAction::delay}};
  RequestMix plain({{}}, options, Random(1));
  EXPECT_EQ(plain.draw().expires_after, 50ms);
  RequestMix level({{.priority = 1}}, options, Random(1));
  EXPECT_EQ(level.draw().level, 0u);
  EXPECT_EQ(level.draw().delayed_after, 7ms);
  EXPECT_EQ(level.draw().expires_after, Duration::max());
  RequestMix own({{.priority = 1, .timeout = 9ms}}, options, Random(1));
  EXPECT_EQ(own.draw().delayed_after, 9ms);
}

TEST(RequestMix, KnowsWhatIsLargerThanTheCap) {
  Options options;
  options.max_batch_size = 8;
  EXPECT_FALSE(RequestMix({{.weight = 8}}, options, Random(1)).draw().too_large);
  EXPECT_TRUE(RequestMix({{.weight = 9}}, options, Random(1)).draw().too_large);
  options.oversized = batchwright::Oversized::run_alone;
  EXPECT_FALSE(RequestMix({{.weight = 9}}, options, Random(1)).draw().too_large);
}

TEST(RequestMix, ClassesOfOneLaneAndTenantShareAFlow) {
  Options options;
  options.executors = 2;
  options.lane = [](const RequestClass& one) { return one.lane; };
  options.sticky_lanes = batchwright::StickyLanes::yes;
  const std::vector<RequestClass> classes{{.lane = 0, .tenant = 0, .tenant_share = 5},
                                          {.lane = 3, .tenant = 0, .tenant_share = 7},
                                          {.lane = 0, .tenant = 1},
                                          {.priority = 2, .lane = 3, .tenant = 0}};
  RequestMix mix(classes, options, Random(1));
  std::vector<const RequestMix::Kind*> kinds(4);
  for (int i = 0; i < 200; ++i) {
    const RequestMix::Kind& kind = mix.draw();
    kinds[kind.index] = &kind;
  }
  EXPECT_EQ(kinds[1]->flow, kinds[3]->flow);
  EXPECT_NE(kinds[0]->flow, kinds[1]->flow);
  EXPECT_EQ(kinds[0]->flow->tenant, kinds[1]->flow->tenant);
  EXPECT_NE(kinds[0]->flow->tenant, kinds[2]->flow->tenant);
  EXPECT_EQ(kinds[0]->flow->lane, kinds[2]->flow->lane);
  EXPECT_EQ(kinds[0]->flow->tenant->share, 5u) << "the first class of a tenant says its share";
  EXPECT_EQ(kinds[1]->flow->lane->executor, 1u);
}

}  // namespace
