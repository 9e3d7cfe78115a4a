// SPDX-License-Identifier: MIT
#include "../support/queue_view.hpp"

#include <batchwright/policies/greedy.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::GreedyPolicy;
using batchwright::ReleaseReason;
using batchwright_test::expect_release;
using batchwright_test::view_of;

TEST(GreedyPolicy, ReleasesWhatIsQueued) {
  const GreedyPolicy policy;
  expect_release(policy.decide(view_of(1)), 1, ReleaseReason::greedy);
  expect_release(policy.decide(view_of(31)), 31, ReleaseReason::greedy);
}

TEST(GreedyPolicy, CallsAFullBatchFull) {
  const GreedyPolicy policy;
  expect_release(policy.decide(view_of(32)), 32, ReleaseReason::size);
  EXPECT_EQ(policy.decide(view_of(100)).reason(), ReleaseReason::size);
}

}  // namespace
