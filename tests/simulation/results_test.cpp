// SPDX-License-Identifier: MIT
#include <batchwright/simulation/results.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright::Outcome;
using batchwright::detail::summarize;

TEST(LatencySummary, QuantilesAreTheSmallestThatSuchAShareDoesNotExceed) {
  std::vector<Duration> samples;
  for (std::int64_t i = 0; i < 2000; ++i) samples.push_back(Duration((i * 1009) % 2000 + 1));
  const LatencySummary summary = summarize(samples);
  EXPECT_EQ(summary.count, 2000u);
  EXPECT_DOUBLE_EQ(summary.mean_ns, 1000.5);
  EXPECT_EQ(summary.p50, 1000ns);
  EXPECT_EQ(summary.p90, 1800ns);
  EXPECT_EQ(summary.p95, 1900ns);
  EXPECT_EQ(summary.p99, 1980ns);
  EXPECT_EQ(summary.p999, 1998ns);
  EXPECT_EQ(summary.max, 2000ns);
}

TEST(LatencySummary, OfOneLatencyIsThatLatency) {
  std::vector<Duration> samples{5ms};
  const LatencySummary summary = summarize(samples);
  EXPECT_EQ(summary.p50, 5ms);
  EXPECT_EQ(summary.p999, 5ms);
  EXPECT_EQ(summary.max, 5ms);
}

TEST(LatencySummary, OfNothingIsZero) {
  std::vector<Duration> samples;
  EXPECT_EQ(summarize(samples), LatencySummary{});
}

TEST(OutcomeCounts, WhatIsNotOkWasDropped) {
  OutcomeCounts counts;
  counts[Outcome::ok] = 7;
  counts[Outcome::expired] = 2;
  counts[Outcome::queue_full] = 1;
  EXPECT_EQ(counts.total(), 10u);
  EXPECT_EQ(counts.dropped(), 3u);
}

}  // namespace
