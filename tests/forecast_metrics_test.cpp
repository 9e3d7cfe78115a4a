// SPDX-License-Identifier: MIT
#include <batchwright/forecast_metrics.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::ForecastMetrics;

TEST(ForecastMetrics, AreZeroWithoutBatches) {
  const ForecastMetrics none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.mean_error(), Duration::zero());
  EXPECT_EQ(none.mean_absolute_error(), Duration::zero());
  EXPECT_EQ(none.relative_error(), 0);
}

TEST(ForecastMetrics, ErrorsOfBothSignsCancelInTheBiasAndAddInTheError) {
  ForecastMetrics metrics;
  metrics.record(10ms, 13ms);
  metrics.record(10ms, 9ms);
  EXPECT_EQ(metrics.count(), 2u);
  EXPECT_EQ(metrics.late.sum(), 3e6);
  EXPECT_EQ(metrics.early.sum(), 1e6);
  EXPECT_EQ(metrics.mean_error(), 1ms);
  EXPECT_EQ(metrics.mean_absolute_error(), 2ms);
  EXPECT_DOUBLE_EQ(metrics.relative_error(), 4.0 / 22);
  metrics.record(10ms, 1ms);
  EXPECT_EQ(metrics.mean_error(), Duration(-2'333'333));
}

TEST(ForecastMetrics, ARightForecastIsLateByNothing) {
  ForecastMetrics metrics;
  metrics.record(2ms, 2ms);
  EXPECT_EQ(metrics.late.count(), 1u);
  EXPECT_EQ(metrics.early.count(), 0u);
  EXPECT_EQ(metrics.mean_absolute_error(), Duration::zero());
}

TEST(ForecastMetrics, TakeATimeBelowZeroForZero) {
  ForecastMetrics metrics;
  metrics.record(-5ms, -1ms);
  EXPECT_EQ(metrics.expected_ns, 0u);
  EXPECT_EQ(metrics.taken_ns, 0u);
  EXPECT_EQ(metrics.relative_error(), 0);
}

TEST(ForecastMetrics, AddAndSubtract) {
  ForecastMetrics earlier;
  earlier.record(10ms, 13ms);
  ForecastMetrics between;
  between.record(10ms, 9ms);
  ForecastMetrics later = earlier;
  later += between;
  EXPECT_EQ(later.count(), 2u);
  EXPECT_EQ(later.taken_ns, 22'000'000u);
  later -= earlier;
  EXPECT_EQ(later, between);
}

}  // namespace
