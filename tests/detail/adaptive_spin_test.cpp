// SPDX-License-Identifier: MIT
#include <batchwright/detail/adaptive_spin.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::TimePoint;

// Time passes by spinning alone: 100 ns a step.
TimePoint time_now = TimePoint{} + 1s;

struct SpinRuntime : batchwright::SystemRuntime {
  TimePoint now() const noexcept { return time_now; }
  void relax() const noexcept { time_now += 100ns; }
};
struct FrozenRuntime : SpinRuntime {
  static constexpr int kMostLooks = 2;
  void relax() const noexcept {}
};

using Spin = batchwright::detail::AdaptiveSpin<SpinRuntime>;

// How long it looked out for something that comes after that time.
Duration look_out(Spin& spin, Duration comes, TimePoint until = kNever) {
  const TimePoint begin = time_now;
  static_cast<void>(spin.wait_for(until, [&] { return time_now - begin >= comes; }));
  return time_now - begin;
}

TEST(AdaptiveSpin, LooksOutUntilItComes) {
  Spin spin({}, 50us);
  EXPECT_GE(look_out(spin, 10us), 10us);
  EXPECT_LE(look_out(spin, 10us), 11us);
}

TEST(AdaptiveSpin, GivesUpAfterTheLongestTime) {
  Spin spin({}, 50us);
  const Duration looked = look_out(spin, 1s);
  EXPECT_GE(looked, 50us);
  EXPECT_LE(looked, 51us);
}

TEST(AdaptiveSpin, GivesUpAtTheInstant) {
  Spin spin({}, 50us);
  EXPECT_LE(look_out(spin, 1s, time_now + 5us), 6us);
}

TEST(AdaptiveSpin, WithoutTimeItDoesNotLook) {
  Spin spin({}, 0us);
  EXPECT_FALSE(spin.wait_for(kNever, [] { return true; }));
}

TEST(AdaptiveSpin, SoonSleepsWhereNothingComesInTime) {
  Spin spin({}, 50us);
  Duration spent{};
  for (int i = 0; i < 320; ++i) spent += look_out(spin, 1s);
  // The first eleven, and then one in 32.
  EXPECT_GE(spent, 15 * 50us);
  EXPECT_LE(spent, 25 * 51us);
}

TEST(AdaptiveSpin, TakesItUpAgainWhenItPays) {
  Spin spin({}, 50us);
  for (int i = 0; i < 320; ++i) look_out(spin, 1s);
  int looked = 0;
  for (int i = 0; i < 320; ++i) looked += look_out(spin, 10us) > 0us ? 1 : 0;
  EXPECT_GT(looked, 320 - 4 * 32);
}

TEST(AdaptiveSpin, StaysAtItWhileOneInThreeComes) {
  Spin spin({}, 50us);
  int looked = 0;
  for (int i = 0; i < 300; ++i) looked += look_out(spin, i % 3 == 0 ? 10us : 1s) > 0us ? 1 : 0;
  EXPECT_EQ(looked, 300);
}

TEST(AdaptiveSpin, EndsThoughTheClockStandsStill) {
  batchwright::detail::AdaptiveSpin<FrozenRuntime> spin({}, 50us);
  int looks = 0;
  EXPECT_FALSE(spin.wait_for(kNever, [&] { return ++looks > 100; }));
  EXPECT_EQ(looks, 3);
}

}  // namespace
