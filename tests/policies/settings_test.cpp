// SPDX-License-Identifier: MIT
#include <batchwright/policies/settings.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNoCount;
using batchwright::PolicyLimits;
using batchwright::detail::check_size;
using batchwright::detail::check_window;
using batchwright::detail::to_text;

constexpr PolicyLimits kLimits{.max_batch_size = 16, .max_wait = 1ms};

TEST(Settings, DurationsAreWrittenInNanoseconds) {
  EXPECT_EQ(to_text(0ms), "0 ns");
  EXPECT_EQ(to_text(2ms), "2000000 ns");
  EXPECT_EQ(to_text(-1ns), "-1 ns");
}

TEST(Settings, ASizeIsFromOneToTheCap) {
  EXPECT_EQ(check_size("P::size", 1, kLimits), "");
  EXPECT_EQ(check_size("P::size", 16, kLimits), "");
  EXPECT_EQ(check_size("P::size", kNoCount, kLimits), "");
  EXPECT_EQ(check_size("P::size", 0, kLimits),
            "P::size must be from 1 to max_batch_size (16), got 0");
  EXPECT_EQ(check_size("P::size", 17, kLimits),
            "P::size must be from 1 to max_batch_size (16), got 17");
}

TEST(Settings, AWindowIsFromZeroToTheNet) {
  EXPECT_EQ(check_window("P::window", 0ns, kLimits), "");
  EXPECT_EQ(check_window("P::window", 1ms, kLimits), "");
  EXPECT_EQ(check_window("P::window", 1ms + 1ns, kLimits),
            "P::window must be from 0 to the batcher's max_wait (1000000 ns), got 1000001 ns");
  EXPECT_EQ(check_window("P::window", -1ns, kLimits),
            "P::window must be from 0 to the batcher's max_wait (1000000 ns), got -1 ns");
}

TEST(Settings, WithoutANetAWindowMayBeOfAnyLength) {
  const PolicyLimits limits{.max_batch_size = 16, .max_wait = Duration::max()};
  EXPECT_EQ(check_window("P::window", Duration::max(), limits), "");
  EXPECT_EQ(check_window("P::window", -1ns, limits),
            "P::window must be from 0 to the batcher's max_wait (off), got -1 ns");
}

}  // namespace
