// SPDX-License-Identifier: MIT
#include <batchwright/class_metrics.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using batchwright::ClassCounts;
using batchwright::ClassesMetrics;
using batchwright::ClassMetrics;
using batchwright::Outcome;
using batchwright::detail::count_of;
using batchwright::detail::merge_classes;
using batchwright::detail::subtract_classes;

/// Each field has its own multiple of `base`.
ClassMetrics numbered(std::string label, std::uint64_t base) {
  ClassMetrics metrics;
  metrics.label = std::move(label);
  std::uint64_t next = 0;
  for (const auto counter : batchwright::detail::kClassCounters) metrics.*counter = base * ++next;
  metrics.queued = base * ++next;
  for (std::uint64_t i = 0; i < base; ++i) metrics.queue_wait.record(1'000);
  return metrics;
}

std::vector<std::string> labels(const ClassesMetrics& classes) {
  std::vector<std::string> labels;
  for (const ClassMetrics& one : classes) labels.push_back(one.label);
  return labels;
}

TEST(ClassCounts, AnsweredIsTheSumOfAllOutcomes) {
  ClassCounts counts;
  std::uint64_t expected = 0;
  for (const Outcome outcome : {Outcome::ok, Outcome::failed, Outcome::expired, Outcome::cancelled,
                                Outcome::stopped, Outcome::evicted}) {
    count_of(counts, outcome) += expected + 1;
    expected += expected + 1;
    EXPECT_EQ(counts.answered(), expected);
  }
  counts.accepted = counts.queued = counts.completed_late = 100;
  EXPECT_EQ(counts.answered(), expected);
}

TEST(ClassesMetrics, MergeByLabelAndKeepOtherLast) {
  ClassesMetrics merged = {numbered("a", 1), numbered("b", 2), numbered("other", 3)};
  merge_classes(merged, {numbered("c", 4), numbered("b", 5), numbered("other", 6)});
  EXPECT_EQ(merged, (ClassesMetrics{numbered("a", 1), numbered("b", 7), numbered("c", 4),
                                    numbered("other", 9)}));
}

TEST(ClassesMetrics, MergeIntoNoneIsACopy) {
  ClassesMetrics merged;
  const ClassesMetrics classes = {numbered("b", 5), numbered("a", 4), numbered("other", 6)};
  merge_classes(merged, classes);
  EXPECT_EQ(merged, classes);
  merge_classes(merged, {});
  EXPECT_EQ(merged, classes);
}

TEST(ClassesMetrics, AnIntervalHasTheLaterClassesAndTheLaterDepth) {
  ClassesMetrics between = {numbered("a", 5), numbered("b", 7), numbered("other", 9)};
  subtract_classes(between, {numbered("a", 2), numbered("other", 9)});
  EXPECT_EQ(labels(between), (std::vector<std::string>{"a", "b", "other"}));
  ClassMetrics a = numbered("a", 3);
  a.queued = numbered("a", 5).queued;
  EXPECT_EQ(between[0], a);
  EXPECT_EQ(between[1], numbered("b", 7));
  EXPECT_EQ(between[2].answered(), 0u);
  EXPECT_EQ(between[2].queued, numbered("", 9).queued);
}

}  // namespace
