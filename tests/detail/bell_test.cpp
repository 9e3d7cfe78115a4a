// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/bell.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::detail::Bell;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;

TEST(Bell, NeedsNoWakeWhileNobodySleeps) {
  const TestRuntime runtime({.seed = 1});
  Bell<TestRuntime> bell(runtime, 0ns);
  const std::uint32_t heard = bell.rings();
  EXPECT_FALSE(bell.ring());
  bell.wait(heard, kNever);  // Returns: it has been rung.
  EXPECT_NE(bell.rings(), heard);
}

TEST(Bell, AWaitEndsAtItsInstant) {
  const TestRuntime runtime({.seed = 1, .time = batchwright::testing::TimeMode::automatic});
  Bell<TestRuntime> bell(runtime, 0ns);
  const auto begin = runtime.now();
  while (runtime.now() < begin + 5us) bell.wait(bell.rings(), begin + 5us);
  EXPECT_EQ(runtime.now(), begin + 5us);
}

// No ring is lost, whether it finds the thread awake, looking out, falling asleep or asleep. A lost one
// is a deadlock, which the runtime reports.
TEST(Bell, EveryRingIsHeard) {
  for (const Duration spin : {0us, 50us}) {
    for_each_seed(200, [&](const TestRuntime& runtime) {
      Bell<TestRuntime> bell(runtime, spin);
      int rung = 0;
      auto ringer = runtime.start([&] {
        for (int i = 0; i < 5; ++i) {
          runtime.interleave("before a ring");
          ++rung;
          if (bell.ring()) runtime.unpark(bell.word(), 1);
        }
      });
      for (int seen = 0; seen < 5;) {
        const std::uint32_t heard = bell.rings();
        runtime.interleave("has read the count");
        if (rung > seen) {
          seen = rung;
        } else {
          bell.wait(heard, kNever);
        }
      }
      ringer.join();
    });
  }
}

}  // namespace
