// SPDX-License-Identifier: MIT
#include <batchwright/detail/priority_queue.hpp>
#include <batchwright/detail/rank.hpp>

#include <gtest/gtest.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using batchwright::detail::PriorityQueue;
using batchwright::detail::Rank;
using batchwright::detail::RequestHeader;

TEST(Rank, ComparesAsThePriorityQueueDoes) {
  std::vector<RequestHeader> requests;
  std::uint64_t turn = 100;
  for (const int priority : {INT_MIN, -1, 0, 1, INT_MAX}) {
    for (const bool delayed : {true, false}) {
      for (const std::int64_t key : {INT64_MAX, std::int64_t{0}, INT64_MIN}) {
        for (int twin = 0; twin < 2; ++twin) {
          RequestHeader& request = requests.emplace_back();
          request.priority = priority;
          request.delayed = delayed;
          request.order_key = key;
          request.sequence = requests.size();
          request.delay_turn = --turn;  // The other way round than the sequence.
        }
      }
    }
  }
  for (const RequestHeader& a : requests) {
    for (const RequestHeader& b : requests) {
      EXPECT_EQ(Rank::of(a) < Rank::of(b), &a != &b && PriorityQueue::before(a, b));
    }
  }
}

TEST(Rank, AtTheBoundIsBeforeAllOthersAndByAcceptance) {
  RequestHeader urgent{}, early{}, late{};
  urgent.priority = INT_MAX;
  urgent.sequence = 1;
  early.sequence = 2;
  late.sequence = 3;
  late.priority = 5;
  early.at_bound = late.at_bound = true;
  early.delayed = true;
  early.delay_turn = 9;
  EXPECT_TRUE(Rank::of(late) < Rank::of(urgent));
  EXPECT_TRUE(Rank::of(early) < Rank::of(late));
  EXPECT_FALSE(Rank::of(late) < Rank::of(early));
}

}  // namespace
