// SPDX-License-Identifier: MIT
#include <batchwright/detail/flow.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace {

using batchwright::SizeRule;
using batchwright::detail::Flow;
using batchwright::detail::FlowWalk;
using batchwright::detail::Lane;
using batchwright::detail::RequestHeader;

TEST(Flow, WhatIsAtItsBoundGoesBeforeTheQueue) {
  std::array<RequestHeader, 4> requests;
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].sequence = i + 1;
  requests[3].priority = 9;
  Flow flow;
  EXPECT_TRUE(flow.empty());
  EXPECT_EQ(flow.front(), nullptr);
  for (RequestHeader* request : {&requests[2], &requests[3]}) flow.queue.push(*request);
  EXPECT_EQ(flow.front(), &requests[3]);
  for (RequestHeader* request : {&requests[0], &requests[1]}) {
    request->at_bound = true;
    flow.at_bound.push_back(*request);
  }
  EXPECT_EQ(flow.front(), &requests[0]);
  EXPECT_EQ(flow.next(requests[0]), &requests[1]);
  EXPECT_EQ(flow.next(requests[1]), &requests[3]);
  EXPECT_EQ(flow.next(requests[3]), &requests[2]);
  EXPECT_EQ(flow.next(requests[2]), nullptr);
}

TEST(Flow, IsWalkedFromThoseAtTheirBoundThroughAllLevels) {
  std::array<RequestHeader, 7> requests{};
  constexpr std::array<int, 7> kPriorities = {0, 0, 2, 2, 1, -5, 2};
  Flow flow;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].priority = kPriorities[i];
    requests[i].at_bound = i < 2;
    if (requests[i].at_bound) {
      flow.at_bound.push_back(requests[i]);
    } else {
      flow.queue.push(requests[i]);
    }
  }
  FlowWalk walk(flow);
  EXPECT_EQ(walk.at(), &requests[0]);
  for (const std::size_t next : {1u, 2u, 3u, 6u, 4u, 5u}) {
    EXPECT_EQ(walk.next(), &requests[next]);
    EXPECT_EQ(walk.at(), &requests[next]);
  }
  EXPECT_EQ(walk.next(), nullptr);
}

TEST(Flow, LosesItsFrontPieceByPiece) {
  std::array<RequestHeader, 5> requests{};
  Flow flow;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].at_bound = i < 3;
    if (requests[i].at_bound) {
      flow.at_bound.push_back(requests[i]);
    } else {
      flow.queue.push(requests[i]);
    }
  }
  flow.erase_front(requests[1], 2);
  EXPECT_EQ(flow.front(), &requests[2]);
  EXPECT_EQ(requests[1].by_rank.next, nullptr);
  EXPECT_EQ(requests[2].by_rank.previous, nullptr);
  flow.erase_front(requests[2], 1);
  EXPECT_EQ(flow.front(), &requests[3]);
  flow.erase_front(requests[4], 2);
  EXPECT_TRUE(flow.empty());
}

TEST(Flow, IsNotEmptyWhileSomethingIsAtItsBound) {
  RequestHeader request{};
  request.at_bound = true;
  Flow flow;
  flow.at_bound.push_back(request);
  EXPECT_FALSE(flow.empty());
  EXPECT_EQ(flow.next(request), nullptr);
}

TEST(Lane, ItsSizeIsItsWeightOrItsNumberTimesItsLongest) {
  Lane lane;
  EXPECT_EQ(lane.size(SizeRule::padded), 0u);
  std::array<RequestHeader, 3> requests;
  constexpr std::array<std::uint32_t, 3> kLengths = {2, 7, 3};
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].length = kLengths[i];
    lane.lengths.insert(requests[i]);
  }
  lane.count = 3;
  lane.weight = 5;
  EXPECT_EQ(lane.size(SizeRule::sum), 5u);
  EXPECT_EQ(lane.size(SizeRule::padded), 21u);
}

}  // namespace
