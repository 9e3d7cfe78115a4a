// SPDX-License-Identifier: MIT
#include <batchwright/detail/queue_levels.hpp>
#include <batchwright/submit_options.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNoCount;
using batchwright::TimeoutOverride;
using batchwright::detail::QueueLevels;

QueueLevels some_levels() {
  return QueueLevels({.timeout = 9ms},
                     {{.priority = 3, .timeout = 5ms},
                      {.priority = -1, .timeout_override = TimeoutOverride::refused}});
}

TEST(QueueLevels, APriorityIsFoundWhereItIsListed) {
  const QueueLevels levels = some_levels();
  EXPECT_EQ(levels.find(3), 0u);
  EXPECT_EQ(levels.find(-1), 1u);
  EXPECT_EQ(levels.find(0), kNoCount);
  EXPECT_EQ(levels.policy(0).timeout, 5ms);
  EXPECT_EQ(levels.policy(kNoCount).timeout, 9ms);
}

TEST(QueueLevels, ARequestsOwnTimeoutGoesBeforeThatOfItsLevel) {
  const QueueLevels levels = some_levels();
  EXPECT_EQ(levels.timeout(0, QueueLevels::kNoTimeout), 5ms);
  EXPECT_EQ(levels.timeout(0, 7ms), 7ms);
  EXPECT_EQ(levels.timeout(kNoCount, QueueLevels::kNoTimeout), 9ms);
  EXPECT_EQ(levels.timeout(1, QueueLevels::kNoTimeout), Duration::max());
}

TEST(QueueLevels, WhatARequestMayNotBringIsTold) {
  const QueueLevels levels = some_levels();
  const auto problem = [&](int priority, Duration own) -> std::string {
    try {
      levels.check(priority, own);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(problem(3, 1ns), "none");
  EXPECT_EQ(problem(0, batchwright::SubmitOptions{}.timeout), "none");
  EXPECT_EQ(problem(-1, QueueLevels::kNoTimeout), "none");
  EXPECT_EQ(problem(3, 0ns),
            "DynamicBatcher: timeout of a request must be unset or above 0 ns, got 0 ns");
  EXPECT_EQ(problem(-1, 1ns),
            "DynamicBatcher: timeout of a request must be unset for priority -1, got 1 ns");
}

}  // namespace
