// SPDX-License-Identifier: MIT
#include <batchwright/detail/bisector.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cstddef>
#include <limits>
#include <set>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::detail::Bisector;
using batchwright::detail::ItemRange;

// What came of a batch whose bad items fail every part that they are in.
struct Course {
  std::vector<ItemRange> parts;
  std::set<std::size_t> found;
  ItemRange rest;
};

Course run(Bisector bisector, const std::set<std::size_t>& bad) {
  Course course;
  while (!bisector.part().empty() && !bisector.exhausted()) {
    const ItemRange part = bisector.part();
    course.parts.push_back(part);
    const auto first = bad.lower_bound(part.begin);
    if (first == bad.end() || *first >= part.end) {
      bisector.succeeded();
    } else if (bisector.failed()) {
      course.found.insert(part.begin);
    }
  }
  EXPECT_EQ(bisector.executions(), course.parts.size());
  course.rest = bisector.rest();
  return course;
}

// Executions besides the first that are allowed.
std::size_t bound_of(std::size_t count) {
  Bisector bisector(count);
  std::size_t executions = 0;
  while (!bisector.part().empty() && !bisector.exhausted()) {
    bisector.failed();
    ++executions;
  }
  return executions - 1;
}

TEST(Bisector, RunsTheWholeFirstAndThatIsAllIfItIsGood) {
  const Course course = run(Bisector(5), {});
  EXPECT_EQ(course.parts, (std::vector<ItemRange>{{0, 5}}));
  EXPECT_TRUE(course.found.empty());
  EXPECT_TRUE(course.rest.empty());
}

TEST(Bisector, OfASingleItemThereIsNoSecondRun) {
  Bisector bisector(1);
  EXPECT_FALSE(bisector.exhausted());
  EXPECT_TRUE(bisector.failed());
  EXPECT_TRUE(bisector.part().empty());
  EXPECT_TRUE(bisector.rest().empty());
  EXPECT_EQ(bisector.executions(), 1u);
}

TEST(Bisector, HalvesWhatFailsAndTakesTheLeftHalfFirst) {
  const Course course = run(Bisector(5), {3});
  EXPECT_EQ(course.parts,
            (std::vector<ItemRange>{{0, 5}, {0, 2}, {2, 5}, {2, 3}, {3, 5}, {3, 4}, {4, 5}}));
  EXPECT_EQ(course.found, (std::set<std::size_t>{3}));
  EXPECT_TRUE(course.rest.empty());
}

TEST(Bisector, SettlesItemsInTheirOrder) {
  Bisector bisector(4);
  EXPECT_EQ(bisector.rest(), (ItemRange{0, 4}));
  EXPECT_FALSE(bisector.failed());
  EXPECT_EQ(bisector.rest(), (ItemRange{0, 4}));
  EXPECT_EQ(bisector.part(), (ItemRange{0, 2}));
  bisector.succeeded();
  EXPECT_EQ(bisector.rest(), (ItemRange{2, 4}));
  EXPECT_FALSE(bisector.failed());
  EXPECT_TRUE(bisector.failed());
  EXPECT_EQ(bisector.rest(), (ItemRange{3, 4}));
  EXPECT_EQ(bisector.part(), (ItemRange{3, 4}));
  bisector.succeeded();
  EXPECT_TRUE(bisector.rest().empty());
}

TEST(Bisector, OneBadItemAmongAPowerOfTwoTakesTwoRunsForEachHalving) {
  for (const std::size_t count : {1u, 2u, 8u, 16u, 32u, 1024u}) {
    for (std::size_t bad = 0; bad < count; ++bad) {
      const Course course = run(Bisector(count), {bad});
      EXPECT_EQ(course.found, std::set<std::size_t>{bad});
      EXPECT_EQ(course.parts.size(), 1 + 2 * static_cast<std::size_t>(std::bit_width(count) - 1));
    }
  }
}

TEST(Bisector, UnlessToldItAllowsFourTimesTheLogarithmRoundedUp) {
  // All fail, so a small batch is settled before: 2 x (count - 1) suffice for anything.
  EXPECT_EQ(bound_of(1), 0u);
  EXPECT_EQ(bound_of(2), 2u);
  EXPECT_EQ(bound_of(3), 4u);
  EXPECT_EQ(bound_of(7), 12u);
  EXPECT_EQ(bound_of(8), 12u);
  EXPECT_EQ(bound_of(9), 16u);
  EXPECT_EQ(bound_of(16), 16u);
  EXPECT_EQ(bound_of(17), 20u);
  EXPECT_EQ(bound_of(32), 20u);
  EXPECT_EQ(bound_of(1000), 40u);
}

TEST(Bisector, AnyTwoBadItemsAreFoundWithinWhatIsAllowed) {
  for (std::size_t count = 1; count <= 40; ++count) {
    for (std::size_t one = 0; one < count; ++one) {
      for (std::size_t two = one; two < count; ++two) {
        const Course course = run(Bisector(count), {one, two});
        ASSERT_EQ(course.found, (std::set<std::size_t>{one, two})) << "of " << count;
        ASSERT_TRUE(course.rest.empty());
      }
    }
  }
}

TEST(Bisector, TwiceTheItemsButOneFindAllThatIsBad) {
  for (std::size_t count = 1; count <= 40; ++count) {
    std::set<std::size_t> all;
    for (std::size_t i = 0; i < count; ++i) all.insert(i);
    const Course enough = run(Bisector(count, 2 * (count - 1)), all);
    EXPECT_EQ(enough.found, all);
    EXPECT_TRUE(enough.rest.empty());
    if (count == 1) continue;
    const Course short_of_one = run(Bisector(count, 2 * (count - 1) - 1), all);
    EXPECT_EQ(short_of_one.rest, (ItemRange{count - 1, count}));
  }
}

TEST(Bisector, AllowsExactlyWhatItWasToldBesidesTheFirst) {
  EXPECT_EQ(run(Bisector(8, 0), {5}).parts, (std::vector<ItemRange>{{0, 8}}));
  EXPECT_EQ(run(Bisector(8, 0), {5}).rest, (ItemRange{0, 8}));
  EXPECT_EQ(run(Bisector(8, 1), {5}).rest, (ItemRange{4, 8}));
  EXPECT_EQ(run(Bisector(8, 1), {2}).rest, (ItemRange{0, 8}));
  EXPECT_EQ(run(Bisector(8, 3), {5}).parts,
            (std::vector<ItemRange>{{0, 8}, {0, 4}, {4, 8}, {4, 6}}));
  EXPECT_EQ(run(Bisector(8, 3), {5}).rest, (ItemRange{4, 8}));
  // The first run is always one: a batch that needs no other is not exhausted before it.
  EXPECT_TRUE(run(Bisector(8, 0), {}).rest.empty());
}

TEST(Bisector, CopesWithAnyCount) {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  for (const std::size_t count : {kMost, kMost - 1, kMost / 2 + 1, kMost / 2 + 2}) {
    Bisector first(count, kNoCount - 1);
    std::size_t runs = 1;
    while (!first.failed()) ++runs;
    EXPECT_LE(runs, static_cast<std::size_t>(std::numeric_limits<std::size_t>::digits) + 1);
    EXPECT_EQ(first.rest(), (ItemRange{1, count}));

    // The larger halves all the way down.
    Bisector last(count, kNoCount - 1);
    while (last.rest().size() > 1) {
      if (last.part().end == count) {
        last.failed();
      } else {
        last.succeeded();
      }
    }
    EXPECT_EQ(last.part(), (ItemRange{count - 1, count}));
  }
}

}  // namespace
