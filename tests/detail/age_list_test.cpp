// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/age_list.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::AgeList;
using batchwright::detail::RequestHeader;
using batchwright_test::Random;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

TEST(AgeList, IsEmptyUntilSomethingComesAndAfterAllHasLeft) {
  AgeList list;
  EXPECT_TRUE(list.empty());
  RequestHeader request{};
  list.insert(request);
  EXPECT_FALSE(list.empty());
  list.erase(request);
  EXPECT_TRUE(list.empty());
}

TEST(AgeList, OneRequestIsTheOldestAndTheNewest) {
  AgeList list;
  RequestHeader request{};
  request.enqueued = at(5);
  list.insert(request);
  EXPECT_EQ(list.oldest(), at(5));
  EXPECT_EQ(list.newest(), at(5));
}

TEST(AgeList, AStampMayBeOlderThanAllThatCameBefore) {
  AgeList list;
  RequestHeader a{}, b{}, c{};
  a.enqueued = at(5);
  b.enqueued = at(3);
  c.enqueued = at(4);
  EXPECT_TRUE(list.insert(a));
  EXPECT_TRUE(list.insert(b));
  EXPECT_FALSE(list.insert(c));
  EXPECT_EQ(list.oldest(), at(3));
  EXPECT_EQ(list.newest(), at(5));
  list.erase(b);
  EXPECT_EQ(list.oldest(), at(4));
  list.erase(a);
  EXPECT_EQ(list.newest(), at(4));
}

TEST(AgeList, OfOneInstantTheFirstThatCameIsTheFirst) {
  AgeList list;
  RequestHeader a, b, c;
  a.enqueued = b.enqueued = at(3);
  c.enqueued = at(5);
  for (RequestHeader* request : {&c, &a, &b}) list.insert(*request);
  EXPECT_EQ(list.first(), &a);
  list.erase(a);
  EXPECT_EQ(list.first(), &b);
}

TEST(AgeList, AgreesWithANaiveListOnRandomStamps) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const std::int64_t jitter = random.between(0, 40);
    AgeList list;
    std::vector<std::unique_ptr<RequestHeader>> live;
    for (int step = 0; step < 2000; ++step) {
      if (live.empty() || (live.size() < 40 && random.chance(52))) {
        RequestHeader& request = *live.emplace_back(std::make_unique<RequestHeader>());
        request.enqueued = at(step - random.between(0, jitter));
        list.insert(request);
      } else {
        const std::size_t leaving = random.below(live.size());
        list.erase(*live[leaving]);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(leaving));
      }
      ASSERT_EQ(list.empty(), live.empty());
      if (live.empty()) continue;
      TimePoint oldest = TimePoint::max();
      TimePoint newest = TimePoint::min();
      for (const auto& request : live) {
        oldest = std::min(oldest, request->enqueued);
        newest = std::max(newest, request->enqueued);
      }
      ASSERT_EQ(list.oldest(), oldest) << "seed " << seed << ", step " << step;
      ASSERT_EQ(list.newest(), newest) << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
