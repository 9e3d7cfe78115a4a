// SPDX-License-Identifier: MIT
#include "../../support/queued_requests.hpp"

#include <batchwright/policies/extra/deadline_batch.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::ServiceEstimate;
using batchwright::detail::check_deviations;
using batchwright::detail::expected_time;
using batchwright::detail::largest_within;
using batchwright_test::QueuedRequests;

QueuedRequests nobody() { return QueuedRequests({}); }

TEST(DeadlineBatch, WithoutMeansTheLineSaysTheTime) {
  QueuedRequests queue = nobody();
  const ServiceEstimate& line = queue.line(5ms, 1ms, 2ms).service();
  EXPECT_EQ(expected_time(line, 1, 0), 6ms);
  EXPECT_EQ(expected_time(line, 8, 0), 13ms);
  EXPECT_EQ(expected_time(line, 8, 1), 15ms);
  EXPECT_EQ(expected_time(line, 8, 2.5), 18ms);
}

TEST(DeadlineBatch, MeasuredMeansComeBeforeTheLineAndAreJoinedStraight) {
  QueuedRequests queue = nobody();
  const ServiceEstimate& service = queue.line(5ms, 1ms)
                                       .means({{.size = 2, .mean_ns = 10e6, .samples = 3},
                                               {.size = 6, .mean_ns = 30e6, .samples = 3}})
                                       .service();
  EXPECT_EQ(expected_time(service, 2, 0), 10ms);
  EXPECT_EQ(expected_time(service, 3, 0), 15ms);
  EXPECT_EQ(expected_time(service, 6, 0), 30ms);
  EXPECT_EQ(expected_time(service, 1, 0), 9ms) << "outside of them on with the slope";
  EXPECT_EQ(expected_time(service, 10, 0), 34ms);
}

TEST(DeadlineBatch, NoTimeIsBelowZero) {
  QueuedRequests queue = nobody();
  const ServiceEstimate& service =
      queue.line(0ms, 5ms).means({{.size = 9, .mean_ns = 1e6, .samples = 3}}).service();
  EXPECT_EQ(expected_time(service, 1, 0), 0ns);
}

TEST(DeadlineBatch, TheLargestSizeWithinABudgetIsExact) {
  QueuedRequests queue = nobody();
  const ServiceEstimate& line = queue.line(5ms, 1ms).service();
  EXPECT_EQ(largest_within(line, 32, 6ms - 1ns, 0), 0u);
  EXPECT_EQ(largest_within(line, 32, 6ms, 0), 1u);
  EXPECT_EQ(largest_within(line, 32, 13ms, 0), 8u);
  EXPECT_EQ(largest_within(line, 32, 14ms - 1ns, 0), 8u);
  EXPECT_EQ(largest_within(line, 32, 1s, 0), 32u);
  EXPECT_EQ(largest_within(line, 32, -1s, 0), 0u);
}

TEST(DeadlineBatch, DeviationsAreFromZeroToAHundred) {
  EXPECT_EQ(check_deviations("P::deviations", 0), "");
  EXPECT_EQ(check_deviations("P::deviations", 100), "");
  EXPECT_EQ(check_deviations("P::deviations", -1),
            "P::deviations must be from 0 to 100, got -1.000000");
  EXPECT_NE(check_deviations("P::deviations", std::numeric_limits<double>::quiet_NaN()), "");
}

}  // namespace
