// SPDX-License-Identifier: MIT
#include <batchwright/detail/size_times.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>

namespace {

using batchwright::Duration;
using batchwright::detail::SizeTimes;

TEST(SizeTimes, NothingIsKnownOfASizeThatWasNotMeasured) {
  SizeTimes times({4, 8});
  EXPECT_EQ(times.mean_ns(4), std::nullopt);
  times.observe(8, Duration(800));
  EXPECT_EQ(times.mean_ns(4), std::nullopt);
  EXPECT_EQ(times.mean_ns(8), 800);
}

TEST(SizeTimes, NeighboursAreToldApartHoweverLarge) {
  SizeTimes times({1000, 1001});
  times.observe(1000, Duration(10));
  times.observe(1001, Duration(20));
  EXPECT_EQ(times.mean_ns(1000), 10);
  EXPECT_EQ(times.mean_ns(1001), 20);
}

TEST(SizeTimes, OtherSizesTeachNothing) {
  SizeTimes times({4, 8});
  for (const int size : {0, 3, 5, 9}) times.observe(static_cast<std::size_t>(size), Duration(7));
  EXPECT_EQ(times.mean_ns(4), std::nullopt);
  EXPECT_EQ(times.mean_ns(5), std::nullopt);
  EXPECT_EQ(times.mean_ns(8), std::nullopt);
}

TEST(SizeTimes, TheMeanIsOfAllAtFirstAndOfAboutSixteenLater) {
  SizeTimes times({4});
  times.observe(4, Duration(100));
  times.observe(4, Duration(200));
  EXPECT_EQ(times.mean_ns(4), 150);
  for (int i = 0; i < 14; ++i) times.observe(4, Duration(150));
  times.observe(4, Duration(310));
  EXPECT_NEAR(*times.mean_ns(4), 160, 1e-9);
}

TEST(SizeTimes, AClockThatWentBackIsNoTime) {
  SizeTimes times({4});
  times.observe(4, Duration(-5));
  EXPECT_EQ(times.mean_ns(4), 0);
}

TEST(SizeTimes, CanForget) {
  SizeTimes times({4});
  times.observe(4, Duration(100));
  times.reset();
  EXPECT_EQ(times.mean_ns(4), std::nullopt);
  times.observe(4, Duration(300));
  EXPECT_EQ(times.mean_ns(4), 300);
}

}  // namespace
