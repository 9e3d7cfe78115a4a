// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/release_rule.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace {

using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::SizeRule;
using batchwright::TimePoint;
using batchwright::detail::BatchCut;
using batchwright::detail::Choice;
using batchwright::detail::Counsel;
using batchwright::detail::ExecutorTable;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::ReleaseRule;
using batchwright::detail::SchedulerLimits;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

/// Decides as the test says.
struct Said {
  const Decision* decision = nullptr;
  Decision decide(const QueueView&) const noexcept { return *decision; }
};

/// A rule over a backlog of requests that all came at 0, with a cap of 4 and a net of 50 unless said otherwise.
class Rule {
 public:
  explicit Rule(SchedulerLimits limits = {.max_batch_size = 4, .max_wait = Duration(50)})
      : rig_(std::move(limits)),
        cut_(rig_.limits),
        counsel_(Said{&says}, rig_.limits, false),
        executors(rig_.limits.executors, rig_.limits.executors),
        rule(rig_.limits, rig_.backlog, rig_.order, cut_, counsel_, executors) {}

  void enter(int count, Flow* flow = nullptr) {
    for (int i = 0; i < count; ++i) rig_.enter("x", 0, 1, flow);
  }

  Flow& flow(Lane& lane) { return rig_.flow(tenant_, lane); }

  /// What is chosen, in short: the reason and the most that leaves, else what is waited for.
  std::string choose(std::int64_t tick) {
    const Choice choice = rule.choose(at(tick));
    const auto& verdict = choice.verdict;
    if (choice.lane != nullptr) {
      if (verdict.dropped > 0) return "drop " + std::to_string(verdict.dropped);
      return std::string(to_string(verdict.reason)) + " " + std::to_string(verdict.size);
    }
    const auto number = [](std::size_t n) { return n == kNoCount ? "any" : std::to_string(n); };
    return "wait " +
           (verdict.until == kNever ? "ever"
                                    : std::to_string(verdict.until.time_since_epoch().count())) +
           " " + number(verdict.size);
  }

  batchwright::detail::Backlog& backlog() { return rig_.backlog; }

 private:
  BacklogRig rig_;
  BatchCut cut_;
  Counsel<Said> counsel_;
  Tenant tenant_;

 public:
  Decision says = Decision::wait(kNever, kNoCount);
  ExecutorTable executors;
  ReleaseRule<Said> rule;
};

TEST(ReleaseRule, ReleasesAndGivesUpAsThePolicySays) {
  Rule rule;
  rule.enter(3);
  rule.says = Decision::release(2, ReleaseReason::greedy);
  EXPECT_EQ(rule.choose(0), "greedy 2");
  rule.says = Decision::release(9, ReleaseReason::greedy);
  EXPECT_EQ(rule.choose(0), "greedy 4");
  rule.says = Decision::drop(2);
  EXPECT_EQ(rule.choose(0), "drop 2");
}

TEST(ReleaseRule, APolicyThatWaitsIsHeldToTheInstantAndTheSizeThatItSaid) {
  Rule rule;
  rule.enter(1);
  rule.says = Decision::wait(at(7), 3);
  EXPECT_EQ(rule.choose(6), "wait 7 2");
  EXPECT_EQ(rule.choose(7), "time 4");
  rule.enter(2);
  EXPECT_EQ(rule.choose(6), "size 4");
}

TEST(ReleaseRule, TheCapReleasesWhateverThePolicySays) {
  Rule rule;
  rule.enter(3);
  EXPECT_EQ(rule.choose(0), "wait 50 1");
  rule.enter(1);
  EXPECT_EQ(rule.choose(0), "size 4");
}

TEST(ReleaseRule, AFullBatchIsHeldIfThePolicySaysSo) {
  Rule rule;
  rule.says = Decision::hold(at(7));
  rule.enter(9);
  EXPECT_EQ(rule.choose(6), "wait 7 any");
  EXPECT_EQ(rule.choose(7), "time 4");
  rule.says = Decision::hold(kNever);
  EXPECT_EQ(rule.choose(49), "wait 50 any");
  EXPECT_EQ(rule.choose(50), "net 4");
  rule.rule.drain();
  EXPECT_EQ(rule.choose(8), "drain 4");
}

TEST(ReleaseRule, APreferredSizeIsHeldToo) {
  Rule rule({.max_batch_size = 4, .max_wait = Duration(50), .preferred_sizes = {2}});
  rule.enter(2);
  EXPECT_EQ(rule.choose(0), "size 4");
  rule.says = Decision::hold(at(7));
  EXPECT_EQ(rule.choose(0), "wait 7 any");
}

TEST(ReleaseRule, TheNetTheFlushAndTheDrainRelease) {
  Rule rule;
  rule.enter(1);
  EXPECT_EQ(rule.choose(49), "wait 50 3");
  EXPECT_EQ(rule.choose(50), "net 4");
  rule.backlog().flush();
  EXPECT_EQ(rule.choose(0), "flush 4");
  EXPECT_FALSE(rule.rule.draining());
  rule.rule.drain();
  EXPECT_TRUE(rule.rule.draining());
  EXPECT_EQ(rule.choose(0), "drain 4");
}

TEST(ReleaseRule, AFullQueueDoesNotWaitForCompany) {
  Rule rule({.max_batch_size = 4, .max_wait = Duration(50), .capacity = 3});
  rule.enter(2);
  EXPECT_EQ(rule.choose(0), "wait 50 1") << "then it is full";
  rule.enter(1);
  EXPECT_EQ(rule.choose(0), "size 4");
}

TEST(ReleaseRule, APreferredSizeReleases) {
  Rule rule({.max_batch_size = 4, .max_wait = Duration(50), .preferred_sizes = {2}});
  rule.enter(1);
  EXPECT_EQ(rule.choose(0), "wait 50 1");
  rule.enter(1);
  EXPECT_EQ(rule.choose(0), "size 4");
}

TEST(ReleaseRule, ALaneOfAnOccupiedExecutorLetsTheOthersGoFirst) {
  Rule rule({.max_batch_size = 4, .executors = 2, .keyed_lanes = true});
  Lane early, late;
  early.executor = 0;
  late.executor = 1;
  rule.enter(1, &rule.flow(early));
  rule.enter(1, &rule.flow(late));
  rule.says = Decision::release(kNoCount, ReleaseReason::greedy);
  EXPECT_EQ(rule.rule.choose(at(0)).lane, &early);
  rule.executors.start(1, 0, 1, at(0));
  EXPECT_EQ(rule.rule.choose(at(0)).lane, &late);
  rule.executors.start(2, 1, 1, at(0));
  EXPECT_EQ(rule.choose(0), "wait ever 1");
  rule.executors.vacate(0);
  EXPECT_EQ(rule.rule.choose(at(0)).lane, &early);
}

TEST(ReleaseRule, WhatBelongsToOneLaneIsSaidByItsQuota) {
  Rule rule({.max_batch_size = 4, .size_rule = SizeRule::padded});
  rule.enter(1);
  EXPECT_TRUE(rule.rule.choose(at(0)).by_lane);
  Rule plain;
  plain.enter(1);
  EXPECT_FALSE(plain.rule.choose(at(0)).by_lane);
}

}  // namespace
