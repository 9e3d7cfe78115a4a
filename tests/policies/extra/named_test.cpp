// SPDX-License-Identifier: MIT
#include "../../support/allocations.hpp"
#include "../../support/queued_requests.hpp"
#include "../../support/shell.hpp"

#include <batchwright/policies/extra/named.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::AnyPolicy;
using batchwright::kNever;
using batchwright::parse_policy;
using batchwright::policy_names;
using batchwright::PolicyLimits;
using batchwright::ReleaseReason;
using batchwright_test::AllocationCount;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::QueuedRequests;
using batchwright_test::view_of;

const PolicyLimits kLimits{.max_batch_size = 32, .max_wait = 1s};

std::string error_of(std::string_view text) {
  try {
    parse_policy(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

// Each with all its settings, none of them the default.
const char* const kAll[] = {"greedy",
                            "time:max_wait_ms=5",
                            "size:size=8",
                            "hybrid:size=8,max_wait_ms=5",
                            "adaptive:target_ms=10,step=2,window_ms=1",
                            "auto:objective_ms=50",
                            ("latency_fraction:fraction=0.2,smoothing=0.3,least_ms=0.5,most_ms=8,"
                             "from_idle_ms=0.25"),
                            "aimd:target_ms=10,increase=2,decrease=0.8,window_ms=1",
                            "regression:max_latency_ms=100,tick_ms=0,refresh_ms=1000",
                            "deadline:deviations=2",
                            "deferred:deviations=2",
                            "early_drop:size=8,deviations=2",
                            "quorum:clients=4,max_wait_ms=5",
                            "control_limit:limits=3/5"};

TEST(NamedPolicies, EachNameIsAPolicyWithSettings) {
  ASSERT_EQ(std::size(kAll), policy_names().size());
  for (std::size_t i = 0; i < std::size(kAll); ++i) {
    const std::string_view text = kAll[i];
    EXPECT_EQ(text.substr(0, text.find(':')), policy_names()[i]);
    EXPECT_EQ(parse_policy(text).validate(kLimits), "") << text;
  }
}

TEST(NamedPolicies, SettingsArriveWhereTheyBelong) {
  AnyPolicy policy = parse_policy("hybrid:size=8,max_wait_ms=5");
  expect_wait(policy.decide(view_of(7)), kOldest + 5ms, 8);
  policy = parse_policy("hybrid:max_wait_ms=0.5");
  expect_wait(policy.decide(view_of(7)), kOldest + 500us, 32);
  policy = parse_policy("time:max_wait_ms=7");
  expect_wait(policy.decide(view_of(7)), kOldest + 7ms);
  policy = parse_policy("size:size=3");
  expect_release(policy.decide(view_of(7)), 3, ReleaseReason::size);
  policy = parse_policy("adaptive:step=2,window_ms=3");
  expect_wait(policy.decide(view_of(1)), kOldest + 3ms, 2);
  policy = parse_policy("quorum:clients=4,max_wait_ms=6");
  expect_wait(policy.decide(view_of(3)), kOldest + 6ms, 4);
  policy = parse_policy("control_limit:limits=3/5");
  expect_wait(policy.decide(view_of(2)), kNever, 3);
  policy = parse_policy("latency_fraction:from_idle_ms=0.25");
  expect_wait(policy.decide(view_of(2)), kOldest + 250us);
  QueuedRequests queue =
      QueuedRequests::with_deadlines(std::vector<batchwright::TimePoint>(20, kOldest + 20ms));
  queue.line(5ms, 1ms, 2ms);
  expect_release(parse_policy("deadline:deviations=2").decide(queue.view()), 11,
                 ReleaseReason::deadline);
  expect_release(parse_policy("deferred:deviations=3").decide(queue.view()), 9,
                 ReleaseReason::deadline);
  expect_release(parse_policy("early_drop:size=7").decide(queue.view()), 7,
                 ReleaseReason::deadline);
  EXPECT_EQ(parse_policy("early_drop:size=7,deviations=5").decide(queue.view()).dropped(), 15u);
}

TEST(NamedPolicies, AnUnknownNameListsTheNames) {
  const std::string error = error_of("gredy");
  EXPECT_TRUE(error.starts_with(
      "policy: there is no 'gredy'; there are greedy, time, size, hybrid, adaptive, "))
      << error;
  for (const std::string_view name : policy_names()) {
    EXPECT_NE(error.find(" " + std::string(name)), std::string::npos) << name;
  }
  EXPECT_NE(error_of(""), "none");
  EXPECT_NE(error_of(":size=3"), "none");
}

TEST(NamedPolicies, AnUnknownSettingListsThoseOfThePolicy) {
  EXPECT_EQ(error_of("hybrid:max_wait=2"),
            "policy 'hybrid': has no setting 'max_wait'; it has 'size', 'max_wait_ms'");
  EXPECT_EQ(error_of("greedy:size=2"), "policy 'greedy': has no setting 'size'; it has none");
}

TEST(NamedPolicies, ABadValueSaysWhatIsAllowed) {
  EXPECT_EQ(error_of("time:max_wait_ms=two"),
            "policy 'time': max_wait_ms must be milliseconds from 0 to 3600000, got 'two'");
  EXPECT_EQ(error_of("aimd:decrease=1.5"),
            "policy 'aimd': decrease must be a number from 0 to 1, got '1.5'");
}

TEST(NamedPolicies, WhatTheBatcherForbidsIsSaidByThePolicy) {
  EXPECT_EQ(parse_policy("hybrid:size=33").validate(kLimits),
            "HybridPolicy::size must be from 1 to max_batch_size (32), got 33");
  EXPECT_EQ(parse_policy("quorum").validate(kLimits),
            "QuorumPolicy::clients must be at least 1, got 0");
}

TEST(NamedPolicies, CopiesAreIndependent) {
  AnyPolicy policy = parse_policy("aimd:target_ms=10,increase=2");
  static_cast<void>(policy.decide(view_of(9)));
  const AnyPolicy before = policy;
  policy.on_batch({.size = 1, .dispatched = kOldest, .finished = kOldest + 1ms});
  AnyPolicy copy = before;
  expect_release(copy.decide(view_of(9)), 1, ReleaseReason::size);
  expect_release(policy.decide(view_of(9)), 3, ReleaseReason::size);
}

TEST(NamedPolicies, NoneAllocatesToDecideOrToLearn) {
  QueuedRequests queue =
      QueuedRequests::with_deadlines(std::vector<batchwright::TimePoint>(20, kOldest + 20ms));
  queue.line(5ms, 1ms).means({{.size = 2, .mean_ns = 7e6, .samples = 3}});
  const batchwright::QueueView view = queue.view(1ms);
  for (const char* const text : kAll) {
    AnyPolicy policy = parse_policy(text);
    const AllocationCount allocations;
    for (int i = 0; i < 200; ++i) {
      static_cast<void>(policy.decide(view));
      policy.on_arrivals({.count = 1, .size = 1});
      policy.on_batch({.size = 1 + static_cast<std::size_t>(i) % 8,
                       .dispatched = kOldest,
                       .finished = kOldest + 1ms * i});
    }
    EXPECT_EQ(allocations(), 0u) << text;
  }
}

TEST(NamedPolicies, EachRunsInTheSimulator) {
  using namespace batchwright::simulation;
  for (const char* const text : kAll) {
    const SimulationResult result =
        simulate(Simulation{.arrivals = PoissonArrivals{.rate_hz = 1000},
                            .classes = {{.deadline = 50ms}},
                            .service = {.curve = AffineCurve{.per_item = 100us, .fixed = 2ms}},
                            .batcher = {.policy = parse_policy(text), .executors = 2},
                            .requests = 5'000});
    EXPECT_GT(result.outcomes[batchwright::Outcome::ok], 4'400u) << text;
  }
}

TEST(NamedPolicies, EachRunsInTheBatcher) {
  for (const char* const text : kAll) {
    batchwright_test::TestRuntime runtime(
        {.seed = 5, .time = batchwright::testing::TimeMode::automatic});
    batchwright_test::Calls calls;
    batchwright_test::TestBatcher<int, int, AnyPolicy> batcher(
        batchwright_test::doubler(runtime, calls), {.policy = parse_policy(text)}, runtime);
    auto answers = batcher.submit_many(std::vector<int>{1, 2, 3, 4, 5});
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(runtime.get(answers[static_cast<std::size_t>(i)]), 2 * (i + 1)) << text;
    }
  }
}

}  // namespace
