// SPDX-License-Identifier: MIT
#include <batchwright/detail/settle.hpp>
#include <batchwright/options.hpp>
#include <batchwright/policies/adaptive.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/policies/size.hpp>
#include <batchwright/policies/time.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using batchwright::AdaptivePolicy;
using batchwright::AnyPolicy;
using batchwright::BatcherOptions;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::HybridPolicy;
using batchwright::kNoCount;
using batchwright::OverflowAction;
using batchwright::PolicyLimits;
using batchwright::QueueView;
using batchwright::SizePolicy;
using batchwright::TimePolicy;
using Options = BatcherOptions<std::string>;

// The text of the error that these settings are, for a bare predictor; empty if they are fine.
template <class Policy>
std::string error_of(BatcherOptions<std::string, Policy> options, bool parallel = false) {
  try {
    batchwright::detail::settle(options, parallel, false);
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}
std::string problem_of(Options options, bool parallel = false) {
  return error_of(std::move(options), parallel);
}

Options settled(Options options, bool parallel = false, bool asynchronous = false) {
  batchwright::detail::settle(options, parallel, asynchronous);
  return options;
}

TEST(Options, DefaultsAreFine) {
  EXPECT_EQ(problem_of({}), "");
  const Options options;
  EXPECT_EQ(options.max_batch_size, 32u);
  EXPECT_EQ(options.executors, batchwright::kNoCount);
  EXPECT_EQ(options.overflow, OverflowAction::reject);
  EXPECT_EQ(options.max_block, Duration::max());
  EXPECT_EQ(options.max_wait, 1s);
  EXPECT_EQ(options.overtaking_bound, 1000u);
  EXPECT_EQ(options.name, "batchwright");
  EXPECT_EQ(options.observer, nullptr);
}

TEST(Options, ThereIsOneExecutorUnlessTold) {
  EXPECT_EQ(settled({}).executors, 1u);
  EXPECT_EQ(settled({}, true).executors, 1u);
}

TEST(Options, CapacityFollowsTheCapAndTheExecutors) {
  EXPECT_EQ(settled({}).capacity, 1024u);
  EXPECT_EQ(settled({.max_batch_size = 128}).capacity, 1024u);
  EXPECT_EQ(settled({.max_batch_size = 129}).capacity, 1032u);
  EXPECT_EQ(settled({.max_batch_size = 100, .executors = 4}, true).capacity, 3200u);
  EXPECT_EQ(settled({.max_batch_size = 200, .executors = 0}).capacity, 1600u);
  EXPECT_EQ(settled({.capacity = 5}).capacity, 5u);
}

TEST(Options, OneBatchIsInFlightPerExecutorAndTwoOfAnAsynchronousPredictor) {
  EXPECT_EQ(settled({}).max_in_flight, 1u);
  EXPECT_EQ(settled({.executors = 0}).max_in_flight, 1u);
  EXPECT_EQ(settled({.executors = 3}, true).max_in_flight, 3u);
  EXPECT_EQ(settled({}, false, true).max_in_flight, 2u);
  EXPECT_EQ(settled({.executors = 3}, true, true).max_in_flight, 6u);
  EXPECT_EQ(settled({.max_in_flight = 7}, false, true).max_in_flight, 7u);
}

TEST(BadOptions, NoExecutorIsWithoutABatchOfItsOwn) {
  Options options{.executors = 3, .max_in_flight = 2};
  try {
    batchwright::detail::settle(options, true, false);
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "DynamicBatcher: max_in_flight must be at least executors (3), got 2");
  }
  EXPECT_EQ(settled({.executors = 3, .max_in_flight = 3}, true).max_in_flight, 3u);
}

TEST(BadOptions, NothingIsDelayedThatCannotTimeOut) {
  const batchwright::QueuePolicy policy{.on_timeout = batchwright::TimeoutAction::delay,
                                        .timeout_override = batchwright::TimeoutOverride::refused};
  EXPECT_EQ(
      problem_of({.queue = policy}),
      "DynamicBatcher: queue.on_timeout must be reject where nothing has a timeout, got delay");
  EXPECT_EQ(problem_of({.levels = {policy}}),
            "DynamicBatcher: levels[0].on_timeout must be reject where nothing has a timeout, got "
            "delay");
}

TEST(Options, BytesHaveNoLimitUnlessSet) { EXPECT_EQ(settled({}).max_queued_bytes, kNoCount); }

TEST(BadOptions, NoCapIsZero) {
  EXPECT_EQ(problem_of({.max_batch_size = 0}),
            "DynamicBatcher: max_batch_size must be at least 1, got 0");
  EXPECT_EQ(problem_of({.max_in_flight = 0}),
            "DynamicBatcher: max_in_flight must be at least 1, got 0");
  EXPECT_EQ(problem_of({.capacity = 0}), "DynamicBatcher: capacity must be at least 1, got 0");
  EXPECT_EQ(problem_of({.max_queued_bytes = 0}),
            "DynamicBatcher: max_queued_bytes must be at least 1, got 0");
  EXPECT_EQ(problem_of({.overtaking_bound = 0}),
            "DynamicBatcher: overtaking_bound must be at least 1, got 0");
  EXPECT_EQ(problem_of({.spin = -1ns}),
            "DynamicBatcher: spin must be from 0 to 1000000000 ns, got -1 ns");
  EXPECT_EQ(problem_of({.spin = 2s}),
            "DynamicBatcher: spin must be from 0 to 1000000000 ns, got 2000000000 ns");
  EXPECT_EQ(problem_of({.max_batch_size = 1,
                        .max_in_flight = 1,
                        .capacity = 1,
                        .max_queued_bytes = 1,
                        .bytes = [](const std::string& text) { return text.size(); },
                        .overtaking_bound = 1}),
            "");
}

struct Mute {
  bool operator==(const Mute&) const = default;
};
struct MuteHash {
  std::size_t operator()(const Mute&) const { return 0; }
};

TEST(BadOptions, MetricsAreKeptOnlyByKeysThatThereAreAndThatCanBeShown) {
  const batchwright::KeyFunction<std::string> shown = [](const std::string& text) { return text; };
  const batchwright::KeyFunction<std::string> mute = {[](const std::string&) { return Mute(); },
                                                      MuteHash{}};
  EXPECT_EQ(problem_of({.lane = shown,
                        .tenant = shown,
                        .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true}}),
            "");
  EXPECT_EQ(problem_of({.lane = mute, .tenant = mute}), "");
  EXPECT_EQ(problem_of({.tenant = shown, .metrics = {.per_lane = true}}),
            "DynamicBatcher: metrics.per_lane must be false without lane, got true");
  EXPECT_EQ(problem_of({.lane = shown, .metrics = {.per_tenant = true}}),
            "DynamicBatcher: metrics.per_tenant must be false without tenant, got true");
  EXPECT_EQ(problem_of({.lane = mute, .metrics = {.per_lane = true}}),
            "DynamicBatcher: metrics.per_lane must be false where the keys of lane have no label "
            "(give KeyFunction one as its third argument), got true");
  EXPECT_EQ(
      problem_of({.tenant = mute, .metrics = {.per_tenant = true}}),
      "DynamicBatcher: metrics.per_tenant must be false where the keys of tenant have no label "
      "(give KeyFunction one as its third argument), got true");
}

TEST(BadOptions, MetricsKeepSomeClassesAndNotTooMany) {
  EXPECT_EQ(problem_of({.metrics = {.max_classes = 0}}),
            "DynamicBatcher: metrics.max_classes must be from 1 to 10000, got 0");
  EXPECT_EQ(problem_of({.metrics = {.max_classes = 10'001}}),
            "DynamicBatcher: metrics.max_classes must be from 1 to 10000, got 10001");
  EXPECT_EQ(problem_of({.metrics = {.per_priority = true, .max_classes = 10'000}}), "");
}

TEST(BadOptions, ClassesAreLimitedOnlyWhereThereAreSome) {
  EXPECT_EQ(problem_of({.metrics = {.max_classes = 5}}),
            "DynamicBatcher: metrics.max_classes must be 100 without per_priority, per_lane or "
            "per_tenant, got 5");
  const batchwright::KeyFunction<std::string> key = [](const std::string& text) { return text; };
  EXPECT_EQ(problem_of({.metrics = {.per_priority = true, .max_classes = 5}}), "");
  EXPECT_EQ(problem_of({.lane = key, .metrics = {.per_lane = true, .max_classes = 5}}), "");
  EXPECT_EQ(problem_of({.tenant = key, .metrics = {.per_tenant = true, .max_classes = 5}}), "");
}

TEST(BadOptions, NothingIsBeyondWhatTheLibraryCanHold) {
  EXPECT_EQ(problem_of({.max_batch_size = 0x1'0000'0000}),
            "DynamicBatcher: max_batch_size must be at most 4294967295, got 4294967296");
  EXPECT_EQ(problem_of({.executors = 1025}, true),
            "DynamicBatcher: executors must be at most 1024, got 1025");
  EXPECT_EQ(problem_of({.executors = 1024}, true), "");
  EXPECT_EQ(problem_of({.max_in_flight = 65537}),
            "DynamicBatcher: max_in_flight must be at most 65536, got 65537");
  EXPECT_EQ(problem_of({.max_in_flight = 65536}), "");
}

TEST(BadOptions, NoWaitIsNegative) {
  EXPECT_EQ(problem_of({.overflow = OverflowAction::block, .max_block = -1ns}),
            "DynamicBatcher: max_block must be at least 0 ns, got -1 ns");
  EXPECT_EQ(problem_of({.overflow = OverflowAction::block, .max_block = 0ns}), "");
  EXPECT_EQ(problem_of({.max_wait = -5ms}),
            "DynamicBatcher: max_wait must be above 0 ns, got -5000000 ns");
  EXPECT_EQ(problem_of({.max_wait = 0ns}), "DynamicBatcher: max_wait must be above 0 ns, got 0 ns");
  EXPECT_EQ(problem_of({.max_wait = 1ns}), "");
  EXPECT_EQ(problem_of({.policy = TimePolicy{.max_wait = -1ns}}),
            "DynamicBatcher: TimePolicy::max_wait must be from 0 to the batcher's max_wait "
            "(1000000000 ns), got -1 ns");
}

TEST(BadOptions, NobodyBlocksForAWhileWhereNobodyBlocks) {
  for (const OverflowAction overflow : {OverflowAction::reject, OverflowAction::evict}) {
    EXPECT_EQ(problem_of({.overflow = overflow, .max_block = 5ms}),
              "DynamicBatcher: max_block must be unset without overflow block, got 5000000 ns");
  }
}

TEST(BadOptions, ANumberThatWasCastToAnEnumerationIsOneOfItsNames) {
  const auto problem = [](const char* setting, int count, int value) {
    return "DynamicBatcher: " + std::string(setting) + " must be one of the " +
           std::to_string(count) + " enumerators, got " + std::to_string(value);
  };
  EXPECT_EQ(problem_of({.fit = batchwright::FitRule{9}}), problem("fit", 3, 9));
  EXPECT_EQ(problem_of({.preserve_order = batchwright::PreserveOrder{2}}),
            problem("preserve_order", 2, 2));
  EXPECT_EQ(problem_of({.queue = {.timeout_override = batchwright::TimeoutOverride{2}}}),
            problem("queue.timeout_override", 2, 2));
  EXPECT_EQ(
      problem_of(
          {.levels = {{}, {.priority = 1, .timeout_override = batchwright::TimeoutOverride{7}}}}),
      problem("levels[1].timeout_override", 2, 7));
  EXPECT_EQ(problem_of({.queue = {.on_timeout = batchwright::TimeoutAction{2}}}),
            problem("queue.on_timeout", 2, 2));
  EXPECT_EQ(
      problem_of({.levels = {{}, {.priority = 1, .on_timeout = batchwright::TimeoutAction{7}}}}),
      problem("levels[1].on_timeout", 2, 7));
  EXPECT_EQ(problem_of({.order = batchwright::QueueOrder{3}}), problem("order", 3, 3));
  EXPECT_EQ(problem_of({.size_rule = batchwright::SizeRule{2}}), problem("size_rule", 2, 2));
  EXPECT_EQ(problem_of({.oversized = batchwright::Oversized{2}}), problem("oversized", 2, 2));
  EXPECT_EQ(problem_of({.sticky_lanes = batchwright::StickyLanes{2}}),
            problem("sticky_lanes", 2, 2));
  EXPECT_EQ(problem_of({.forecast = batchwright::Forecast{2}}), problem("forecast", 2, 2));
  EXPECT_EQ(problem_of({.overflow = OverflowAction{3}}), problem("overflow", 3, 3));
  EXPECT_EQ(problem_of({.caller_runs = batchwright::CallerRunsWhen{2}}),
            problem("caller_runs", 2, 2));
}

TEST(BadOptions, ABarePredictorServesOneExecutor) {
  EXPECT_EQ(problem_of({.executors = 2}),
            "DynamicBatcher: executors must be 0 or 1 for a bare predictor (give "
            "shared_predictor(p) or predictor_per_executor(f) for more), got 2");
  EXPECT_EQ(problem_of({.executors = 2}, true), "");
  EXPECT_EQ(problem_of({.executors = 0}), "");
}

TEST(BadOptions, ALimitInBytesNeedsAWayToCountThem) {
  EXPECT_EQ(problem_of({.max_queued_bytes = 1000}),
            "DynamicBatcher: bytes must be set where max_queued_bytes is, got none");
}

TEST(BadOptions, NothingIsCountedThatHasNoLimit) {
  EXPECT_EQ(problem_of({.bytes = [](const std::string&) { return std::size_t{1}; }}),
            "DynamicBatcher: bytes must be unset without max_queued_bytes, got a function");
  EXPECT_EQ(problem_of({.bytes = std::function<std::size_t(const std::string&)>()}), "");
}

TEST(BadOptions, APoliciesWindowIsNotLongerThanTheNet) {
  EXPECT_EQ(problem_of({.policy = TimePolicy{.max_wait = 2s}}),
            "DynamicBatcher: TimePolicy::max_wait must be from 0 to the batcher's max_wait "
            "(1000000000 ns), got 2000000000 ns");
  EXPECT_EQ(problem_of({.policy = HybridPolicy{.max_wait = 6ms}, .max_wait = 5ms}),
            "DynamicBatcher: HybridPolicy::max_wait must be from 0 to the batcher's max_wait "
            "(5000000 ns), got 6000000 ns");
  EXPECT_EQ(problem_of({.policy = AdaptivePolicy{.window = 2s}}),
            "DynamicBatcher: AdaptivePolicy::window must be from 0 to the batcher's max_wait "
            "(1000000000 ns), got 2000000000 ns");
  EXPECT_EQ(problem_of({.policy = TimePolicy{.max_wait = 2s}, .max_wait = 2s}), "");
  EXPECT_EQ(problem_of({.policy = TimePolicy{.max_wait = 48h}, .max_wait = Duration::max()}), "");
}

TEST(BadOptions, APoliciesSizeIsWithinTheCap) {
  EXPECT_EQ(problem_of({.max_batch_size = 8, .policy = SizePolicy{.size = 9}}),
            "DynamicBatcher: SizePolicy::size must be from 1 to max_batch_size (8), got 9");
  EXPECT_EQ(problem_of({.policy = HybridPolicy{.size = 0}}),
            "DynamicBatcher: HybridPolicy::size must be from 1 to max_batch_size (32), got 0");
  EXPECT_EQ(problem_of({.max_batch_size = 3, .policy = AdaptivePolicy{}}),
            "DynamicBatcher: AdaptivePolicy::step must be from 1 to max_batch_size (3), got 4");
  EXPECT_EQ(problem_of({.max_batch_size = 8, .policy = SizePolicy{.size = 8}}), "");
}

TEST(BadOptions, AnyPolicyIsValidatedAsWhatItHolds) {
  EXPECT_EQ((error_of<SizePolicy>({.policy = {.size = 99}})),
            problem_of({.policy = SizePolicy{.size = 99}}));
}

struct Odd {
  int weight = 1;
  Decision decide(const QueueView&) const noexcept { return Decision::wait(batchwright::kNever); }
  std::string validate(const PolicyLimits&) const {
    return weight % 2 == 1 ? "" : "Odd::weight must be odd, got " + std::to_string(weight);
  }
};

TEST(BadOptions, AUsersPolicySaysItselfWhatIsWrong) {
  EXPECT_EQ((error_of<Odd>({.policy = {.weight = 4}})),
            "DynamicBatcher: Odd::weight must be odd, got 4");
  EXPECT_EQ((error_of<Odd>({.policy = {.weight = 5}})), "");
}

}  // namespace
