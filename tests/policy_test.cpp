// SPDX-License-Identifier: MIT
#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>

namespace {

using namespace std::chrono_literals;
using batchwright::ArrivalReport;
using batchwright::BatchingPolicy;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::kReleaseReasonCount;
using batchwright::PolicyLimits;
using batchwright::PolicyNeeds;
using batchwright::QueueCursor;
using batchwright::QueuedRequest;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::ServiceEstimate;
using batchwright::TimePoint;
using batchwright::detail::needs_of;
using batchwright::detail::saturating_add;
using batchwright::detail::validate_policy;

// The least that is a policy, one that does everything, and each of these with one thing wrong.
struct Least {
  Decision decide(const QueueView&) noexcept { return Decision::wait(kNever); }
};
struct Everything : Least {
  void on_arrivals(const ArrivalReport&) noexcept {}
  void on_batch(const BatchReport&) noexcept {}
  PolicyNeeds needs() const noexcept { return {.service = true, .arrivals = true}; }
  std::string validate(const PolicyLimits& limits) const {
    return limits.max_batch_size < 8 ? "too small" : "";
  }
};
struct MayThrow {
  Decision decide(const QueueView&) { return Decision::wait(kNever); }
};
struct NoDecision {
  void decide(const QueueView&) noexcept {}
};
struct ChangesTheView {
  Decision decide(QueueView&) noexcept { return Decision::wait(kNever); }
};
struct Nameless {
  Decision choose(const QueueView&) noexcept { return Decision::wait(kNever); }
};
struct NotCopyable : Least {
  std::unique_ptr<int> state;
};
struct NotAssignable : Least {
  const int size = 4;
};
struct BatchMayThrow : Least {
  void on_batch(const BatchReport&) {}
};
struct ArrivalsMayThrow : Least {
  void on_arrivals(const ArrivalReport&) {}
};
struct NeedsMayThrow : Least {
  PolicyNeeds needs() const { return {}; }
};
struct NeedsNotConst : Least {
  PolicyNeeds needs() noexcept { return {}; }
};
struct NeedsSomethingElse : Least {
  bool needs() const noexcept { return true; }
};
struct ValidatesToBool : Least {
  bool validate(const PolicyLimits&) const { return true; }
};

static_assert(BatchingPolicy<Least>);
static_assert(BatchingPolicy<Everything>);
static_assert(!BatchingPolicy<MayThrow>);
static_assert(!BatchingPolicy<NoDecision>);
static_assert(!BatchingPolicy<ChangesTheView>);
static_assert(!BatchingPolicy<Nameless>);
static_assert(!BatchingPolicy<NotCopyable>);
static_assert(!BatchingPolicy<NotAssignable>);
static_assert(!BatchingPolicy<int>);
// What is optional has to be right where it is there, or it would be passed over in silence.
static_assert(!BatchingPolicy<BatchMayThrow>);
static_assert(!BatchingPolicy<ArrivalsMayThrow>);
static_assert(!BatchingPolicy<NeedsMayThrow>);
static_assert(!BatchingPolicy<NeedsNotConst>);
static_assert(!BatchingPolicy<NeedsSomethingElse>);
static_assert(!BatchingPolicy<ValidatesToBool>);

TEST(Policy, WithoutOptionalPartsNeedsNothingAndIsValid) {
  EXPECT_FALSE(needs_of(Least()).service);
  EXPECT_FALSE(needs_of(Least()).arrivals);
  EXPECT_EQ(validate_policy(Least(), PolicyLimits()), "");
}

TEST(Policy, IsAskedForItsOptionalParts) {
  EXPECT_TRUE(needs_of(Everything()).service);
  EXPECT_TRUE(needs_of(Everything()).arrivals);
  EXPECT_EQ(validate_policy(Everything(), PolicyLimits{.max_batch_size = 4}), "too small");
  EXPECT_EQ(validate_policy(Everything(), PolicyLimits{.max_batch_size = 8}), "");
}

TEST(Decision, ToReleaseCarriesSizeAndReason) {
  constexpr Decision kRelease = Decision::release(5, ReleaseReason::deadline);
  EXPECT_TRUE(kRelease.is_release());
  EXPECT_EQ(kRelease.size(), 5u);
  EXPECT_EQ(kRelease.reason(), ReleaseReason::deadline);
}

TEST(Decision, ToWaitCarriesInstantAndSize) {
  constexpr TimePoint kInstant = TimePoint{} + 7ms;
  EXPECT_EQ(Decision::wait(kInstant).dropped(), 0u);
  static_assert(!Decision::drop(3).is_release() && Decision::drop(3).dropped() == 3);

  constexpr Decision kWait = Decision::wait(kInstant, 3);
  EXPECT_FALSE(kWait.is_release());
  EXPECT_EQ(kWait.until(), kInstant);
  EXPECT_EQ(kWait.size(), 3u);
  EXPECT_EQ(Decision::wait(kInstant).size(), kNoCount);
}

TEST(Decision, ToHoldCarriesAnInstantAndNoSize) {
  constexpr Decision kHold = Decision::hold(TimePoint{} + 7ms);
  EXPECT_TRUE(kHold.is_hold());
  EXPECT_FALSE(kHold.is_release());
  EXPECT_EQ(kHold.until(), TimePoint{} + 7ms);
  static_assert(!Decision::wait(TimePoint{}).is_hold());
}

TEST(ReleaseReason, HasANameForEachEnumerator) {
  EXPECT_EQ(static_cast<std::size_t>(ReleaseReason::paced) + 1, kReleaseReasonCount);
  std::set<std::string> names;
  for (std::size_t i = 0; i < kReleaseReasonCount; ++i) {
    names.insert(to_string(static_cast<ReleaseReason>(i)));
  }
  EXPECT_EQ(names, (std::set<std::string>{"size", "time", "greedy", "deadline", "flush", "drain",
                                          "net", "overtaken", "split", "returns", "paced"}));
  EXPECT_STREQ(to_string(ReleaseReason::net), "net");
}

TEST(BatchReport, ServiceTimeRunsFromTheDispatch) {
  const BatchReport report{
      .dispatched = TimePoint{} + 2ms, .started = TimePoint{} + 3ms, .finished = TimePoint{} + 9ms};
  EXPECT_EQ(report.service_time(), 7ms);
}

TEST(QueueView, KnowsTheAgeOfItsOldest) {
  QueueView view;
  view.now = TimePoint{} + 9ms;
  view.oldest = TimePoint{} + 4ms;
  EXPECT_EQ(view.oldest_age(), 5ms);
}

TEST(ServiceEstimate, IsALine) {
  ServiceEstimate estimate;
  estimate.intercept_ns = 1000;
  estimate.slope_ns = 50;
  EXPECT_EQ(estimate.expected(0), 1000ns);
  EXPECT_EQ(estimate.expected(4), 1200ns);
  EXPECT_EQ(ServiceEstimate().expected(4), 0ns);
}

TEST(QueueCursor, WalksToTheEndAndStaysThere) {
  static constexpr int kWeights[] = {3, 5};
  QueueCursor cursor(
      kWeights,
      [](const void* queue, const void* position, QueuedRequest& out) noexcept -> const void* {
        const int* const first = static_cast<const int*>(queue);
        const int* const next = position == nullptr ? first : static_cast<const int*>(position) + 1;
        if (next == first + 2) return nullptr;
        out.weight = static_cast<std::size_t>(*next);
        return next;
      });
  QueuedRequest request;
  EXPECT_TRUE(cursor.next(request));
  EXPECT_EQ(request.weight, 3u);
  EXPECT_TRUE(cursor.next(request));
  EXPECT_EQ(request.weight, 5u);
  EXPECT_FALSE(cursor.next(request));
  EXPECT_FALSE(cursor.next(request));
  EXPECT_FALSE(QueueCursor().next(request));
}

TEST(SaturatingAdd, EndsAtNever) {
  const TimePoint start = TimePoint{} + 5s;
  EXPECT_EQ(saturating_add(start, 2s), TimePoint{} + 7s);
  EXPECT_EQ(saturating_add(start, 0s), start);
  EXPECT_EQ(saturating_add(start, Duration::max()), kNever);
  EXPECT_EQ(saturating_add(start, kNever - start), kNever);
  EXPECT_EQ(saturating_add(start, kNever - start - 1ns), kNever - 1ns);
  EXPECT_EQ(saturating_add(kNever, 1ns), kNever);
  EXPECT_EQ(saturating_add(TimePoint{} - 5s, 2s), TimePoint{} - 3s);
  EXPECT_EQ(saturating_add(TimePoint{} - 5s, Duration::max()), kNever);
}

}  // namespace
