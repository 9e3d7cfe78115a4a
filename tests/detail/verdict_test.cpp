// SPDX-License-Identifier: MIT
#include <batchwright/detail/verdict.hpp>

#include <gtest/gtest.h>

namespace {

TEST(Verdict, UnlessSaidOtherwiseNothingIsDueAndNothingIsDropped) {
  const batchwright::detail::Choice choice;
  EXPECT_EQ(choice.lane, nullptr);
  EXPECT_FALSE(choice.verdict.due);
  EXPECT_EQ(choice.verdict.dropped, 0u);
  EXPECT_EQ(choice.verdict.until, batchwright::kNever);
}

}  // namespace
