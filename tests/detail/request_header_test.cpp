// SPDX-License-Identifier: MIT
#include <batchwright/detail/request_header.hpp>

#include <gtest/gtest.h>

#include <type_traits>

namespace {

using batchwright::kNever;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;

static_assert(std::is_trivially_copyable_v<RequestChain>);

TEST(RequestHeader, AsksForNothingByDefault) {
  const RequestHeader request{};
  EXPECT_EQ(request.deadline, kNever);
  EXPECT_EQ(request.priority, 0);
  EXPECT_EQ(request.weight, 1u);
  EXPECT_FALSE(request.queued);
}

TEST(RequestChain, LinksInOrderAndSumsUp) {
  RequestHeader a{}, b{}, c{};
  b.weight = 5;
  RequestChain chain;
  EXPECT_TRUE(chain.empty());
  for (RequestHeader* item : {&a, &b, &c}) chain.append(*item);
  EXPECT_FALSE(chain.empty());
  EXPECT_EQ(chain.first, &a);
  EXPECT_EQ(RequestChain::next(a), &b);
  EXPECT_EQ(RequestChain::next(b), &c);
  EXPECT_EQ(RequestChain::next(c), nullptr);
  EXPECT_EQ(chain.last, &c);
  EXPECT_EQ(chain.count, 3u);
  EXPECT_EQ(chain.size, 7u);
}

TEST(RequestChain, ForgetsWhatARequestWasLinkedToBefore) {
  RequestHeader a{}, b{};
  RequestChain before;
  before.append(a);
  before.append(b);
  RequestChain chain;
  chain.append(a);
  EXPECT_EQ(RequestChain::next(a), nullptr);
  EXPECT_EQ(chain.last, &a);
}

}  // namespace
