// SPDX-License-Identifier: MIT
#include <batchwright/detail/scheduler_limits.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::detail::SchedulerLimits;

TEST(SchedulerLimits, TheCapIsTheLargestBatch) {
  EXPECT_EQ((SchedulerLimits{.max_batch_size = 12}.cap()), 12u);
}

TEST(SchedulerLimits, TheCapIsTheLargestAllowedSizeWhereThereAreSuch) {
  EXPECT_EQ((SchedulerLimits{.max_batch_size = 12, .allowed_sizes = {2, 8}}.cap()), 8u);
}

}  // namespace
