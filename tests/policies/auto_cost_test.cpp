// SPDX-License-Identifier: MIT
#include "../support/allocations.hpp"
#include "../support/random.hpp"

#include <batchwright/policies/auto.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace {

using namespace std::chrono_literals;
using batchwright::AutoPolicy;
using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::QueueView;
using batchwright::TimePoint;
using batchwright_test::AllocationCount;
using batchwright_test::Random;

TEST(AutoPolicyCost, LearnsAndDecidesWithoutAllocating) {
  for (const Duration objective : {Duration::max(), Duration(20ms)}) {
    AutoPolicy policy{.objective = objective};
    Random random(1);
    TimePoint now = TimePoint{} + 100s;
    const AllocationCount allocations;
    for (int i = 0; i < 5000; ++i) {
      now += Duration(random.between(1000, 2'000'000));
      policy.on_arrivals({.count = 1, .size = 1, .first = now, .last = now});
      QueueView view;
      view.now = now;
      view.count = view.size = 1 + random.below(60);
      view.oldest = now - 1ms;
      view.newest = now;
      view.max_batch_size = 32;
      view.executors = 1 + random.below(4);
      view.free_executors = 1;
      policy.decide(view);
      const std::size_t size = 1 + random.below(32);
      policy.on_batch({.size = size, .count = size, .dispatched = now - 2ms, .finished = now});
    }
    EXPECT_EQ(allocations(), 0u);
  }
}

TEST(AutoPolicyCost, AllThatItLearnsIsAFewKilobytes) { EXPECT_LE(sizeof(AutoPolicy), 9216u); }

}  // namespace
