// SPDX-License-Identifier: MIT
#include <batchwright/detail/left_wakes.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace {

using batchwright::detail::DeferredWake;
using batchwright::detail::LeftWakes;
using batchwright::detail::WakeList;

class Caller final : public DeferredWake {
 public:
  void wake() noexcept override { ++woken; }
  int woken = 0;
};

class LeftWakesTest : public ::testing::Test {
 protected:
  WakeList list(std::size_t count) {
    WakeList list;
    for (std::size_t i = 0; i < count; ++i) list.append(callers_[i]);
    return list;
  }

  std::array<Caller, 40> callers_;
  LeftWakes left_;
};

TEST_F(LeftWakesTest, TakesSeveralButNeitherOneNorTooMany) {
  EXPECT_FALSE(left_.takes(list(0)));
  EXPECT_FALSE(left_.takes(list(1)));
  EXPECT_TRUE(left_.takes(list(2)));
  EXPECT_TRUE(left_.takes(list(32)));
  EXPECT_FALSE(left_.takes(list(33)));
}

TEST_F(LeftWakesTest, EachIsWokenOnceAndNoMoreAreTakenBeforeThat) {
  WakeList two = list(2);
  left_.leave(two);
  EXPECT_TRUE(two.empty());
  EXPECT_EQ(callers_[0].woken, 0);
  EXPECT_FALSE(left_.takes(list(3)));
  left_.see_to();
  left_.see_to();
  EXPECT_EQ(callers_[0].woken, 1);
  EXPECT_EQ(callers_[1].woken, 1);
  EXPECT_TRUE(left_.takes(list(3)));
}

}  // namespace
