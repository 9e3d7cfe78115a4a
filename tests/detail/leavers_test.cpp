// SPDX-License-Identifier: MIT
#include <batchwright/detail/leavers.hpp>

#include <gtest/gtest.h>

namespace {

using batchwright::Outcome;
using batchwright::detail::Action;
using batchwright::detail::Leavers;
using batchwright::detail::RequestHeader;

TEST(Leavers, AreHandedOutByReasonAndOnce) {
  RequestHeader a{}, b{}, c{}, d{};
  Leavers leavers;
  EXPECT_TRUE(leavers.empty());
  leavers.evicted.append(a);
  leavers.hopeless.append(b);
  leavers.cancelled.append(c);
  leavers.cancelled.append(d);
  const auto expect_next = [&](Outcome outcome, const RequestHeader& first, std::size_t count) {
    ASSERT_FALSE(leavers.empty());
    const Action action = leavers.next();
    EXPECT_EQ(action.kind, Action::Kind::fail);
    EXPECT_EQ(action.outcome, outcome);
    EXPECT_EQ(action.requests.first, &first);
    EXPECT_EQ(action.requests.count, count);
  };
  expect_next(Outcome::cancelled, c, 2);
  expect_next(Outcome::would_expire, b, 1);
  expect_next(Outcome::evicted, a, 1);
  EXPECT_TRUE(leavers.empty());
}

}  // namespace
