// SPDX-License-Identifier: MIT
#include <batchwright/testing/schedule_record.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using batchwright::detail::ScheduleRecord;
using batchwright::detail::SeededChoice;
using batchwright::testing::TestStep;

// The first numbers of splitmix64 from seed 0 are 0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4 and
// 0x06c45d188009454f: shares of 0.883, 0.431 and 0.026.
TEST(SeededChoice, IsTheSameOnEveryPlatform) {
  SeededChoice choice(0);
  EXPECT_EQ(choice.below(100), 88u);
  EXPECT_EQ(choice.below(100), 43u);
  EXPECT_EQ(choice.below(100), 2u);
}

TEST(SeededChoice, ACoinFallsByItsProbability) {
  SeededChoice choice(0);
  EXPECT_FALSE(choice.coin(0.88));
  EXPECT_TRUE(choice.coin(0.44));
  EXPECT_TRUE(choice.coin(0.03));
  EXPECT_FALSE(choice.coin(0));
  EXPECT_TRUE(choice.coin(1));
}

TEST(SeededChoice, BelowReachesEveryIndexAndNoOther) {
  SeededChoice choice(7);
  std::vector<int> seen(5);
  for (int i = 0; i < 5000; ++i) ++seen.at(choice.below(seen.size()));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
}

TEST(SeededChoice, OneIndexCostsNoDraw) {
  SeededChoice with(3), without(3);
  EXPECT_EQ(with.below(1), 0u);
  EXPECT_EQ(with.below(1000), without.below(1000));
}

TEST(ScheduleRecord, EqualRunsHaveEqualHashesWhereverTheirLiteralsLie) {
  const std::string one = "park", copy = one;
  ScheduleRecord a, b;
  a.note(1, one.c_str());
  b.note(1, copy.c_str());
  a.note_choice(2);
  b.note_choice(2);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a.steps(), 1u);  // A choice is no step.
}

TEST(ScheduleRecord, AnotherThreadPointChoiceOrOrderIsAnotherHash) {
  const auto hash = [](std::size_t first, const char* point, std::size_t choice) {
    ScheduleRecord record;
    record.note(first, point);
    record.note_choice(choice);
    return record.hash();
  };
  EXPECT_NE(hash(1, "park", 2), hash(3, "park", 2));
  EXPECT_NE(hash(1, "park", 2), hash(1, "lock", 2));
  EXPECT_NE(hash(1, "park", 2), hash(1, "park", 1));
  EXPECT_NE(hash(1, "park", 2), hash(2, "park", 1));
}

TEST(ScheduleRecord, TheTraceIsTheLast64Steps) {
  ScheduleRecord record;
  EXPECT_TRUE(record.trace().empty());
  record.note(9, "first");
  ASSERT_EQ(record.trace().size(), 1u);
  EXPECT_STREQ(record.trace().front().point, "first");
  for (std::size_t thread = 0; thread < 70; ++thread) record.note(thread, "point");
  const std::vector<TestStep> trace = record.trace();
  ASSERT_EQ(trace.size(), 64u);
  EXPECT_EQ(trace.front().thread, 6u);
  EXPECT_EQ(trace.back().thread, 69u);
  EXPECT_EQ(record.steps(), 71u);
}

}  // namespace
