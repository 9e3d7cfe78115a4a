// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/wait_rule.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace {

using batchwright::detail::LearnedCurve;
using batchwright::detail::WaitRule;

LearnedCurve v100() {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, 1.8874e6 + 0.1438e6 * static_cast<double>(size));
  }
  return curve;
}

/// The queue from which on it goes, for independent arrivals at such a load of a cap of 32.
std::size_t control_limit(double load) {
  const LearnedCurve curve = v100();
  const double rate = load * 32 / curve(32);
  std::size_t queued = 1;
  while (WaitRule::choose(queued, curve(queued), curve, rate).gain > 0) ++queued;
  return queued;
}

TEST(WaitRule, HasTheControlLimitsOfTheDecisionProcess) {
  EXPECT_EQ(control_limit(0.1), 1u);
  EXPECT_EQ(control_limit(0.3), 2u);
  EXPECT_EQ(control_limit(0.5), 3u);
  EXPECT_EQ(control_limit(0.7), 4u);
  EXPECT_EQ(control_limit(0.9), 5u);
}

TEST(WaitRule, OnALineOneMoreSavesItsFixedPartLessWhatItDelays) {
  const LearnedCurve curve = v100();
  for (std::size_t n = 1; n < 12; ++n) {
    EXPECT_NEAR(WaitRule::saving(n, 1, curve), 1.8874e6 - 0.1438e6 * static_cast<double>(n), 10);
  }
}

TEST(WaitRule, WaitsForTheTickOfAClockIfItIsNear) {
  const LearnedCurve curve = v100();
  const auto tick_in = [](double when) {
    return [when](double x) { return x >= when ? 1e-9 : 1.0; };
  };
  const WaitRule::Choice near = WaitRule::choose(2, curve(2), curve, tick_in(0.2e6));
  EXPECT_GT(near.gain, 0);
  EXPECT_GE(near.wait, 0.2e6);
  EXPECT_LT(near.wait, 0.4e6);
  EXPECT_EQ(WaitRule::choose(2, curve(2), curve, tick_in(1.5e6)).gain, 0);
}

TEST(WaitRule, NeverWaitsWhereACompanionSavesNothing) {
  LearnedCurve linear;
  for (std::size_t size = 1; size <= 8; ++size)
    linear.observe(size, 1e6 * static_cast<double>(size));
  EXPECT_EQ(WaitRule::choose(3, linear(3), linear, [](double) { return 0.0; }).gain, 0);
  EXPECT_LE(WaitRule::choose(3, linear(3), linear, 1.0).gain, 0);
}

TEST(WaitRule, NeverWaitsWhereNobodyComes) {
  const LearnedCurve curve = v100();
  EXPECT_LE(WaitRule::choose(1, curve(1), curve, 0.0).gain, 0);
  EXPECT_EQ(WaitRule::choose(1, curve(1), curve, [](double) { return 1.0; }).gain, 0);
  EXPECT_EQ(WaitRule::choose(1, 0, curve, 1.0).gain, 0) << "it has waited long enough";
}

}  // namespace
