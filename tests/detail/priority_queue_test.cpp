// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/flow.hpp>
#include <batchwright/detail/level_table.hpp>
#include <batchwright/detail/priority_queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using batchwright::detail::Flow;
using batchwright::detail::LevelTable;
using batchwright::detail::PriorityQueue;
using batchwright::detail::RequestHeader;
using batchwright_test::Random;

using Order = std::vector<const RequestHeader*>;

Order walk(const PriorityQueue& queue) {
  Order order;
  for (const RequestHeader* request = queue.front(); request != nullptr;
       request = queue.next(*request)) {
    order.push_back(request);
  }
  return order;
}

Order walk_back(const PriorityQueue& queue) {
  Order order;
  for (const RequestHeader* request = queue.back(); request != nullptr;
       request = queue.previous(*request)) {
    order.push_back(request);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

/// Level by level, as `below` leads.
Order walk_levels(const PriorityQueue& queue) {
  Order order;
  for (const RequestHeader* head = queue.front(); head != nullptr;
       head = PriorityQueue::below(*head)) {
    for (const RequestHeader* request = head; request != nullptr; request = request->by_rank.next) {
      order.push_back(request);
    }
  }
  return order;
}

/// The same queue as one vector in order of arrival.
struct NaiveQueue {
  std::vector<RequestHeader*> requests;

  Order walk() const {
    Order order(requests.begin(), requests.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const RequestHeader* a, const RequestHeader* b) {
                       if (a->priority != b->priority) return a->priority > b->priority;
                       if (a->delayed != b->delayed) return b->delayed;
                       return a->order_key < b->order_key;
                     });
    return order;
  }
};

TEST(PriorityQueue, AnEmptyQueueHasNoFront) {
  PriorityQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.front(), nullptr);
}

TEST(PriorityQueue, OneRequestIsFrontAndEnd) {
  PriorityQueue queue;
  RequestHeader request{};
  queue.push(request);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.front(), &request);
  EXPECT_EQ(queue.next(request), nullptr);
  queue.erase(request);
  EXPECT_TRUE(queue.empty());
}

TEST(PriorityQueue, ExtremePrioritiesAreOrdinaryOnes) {
  PriorityQueue queue;
  constexpr int kPriorities[] = {0, INT_MIN, INT_MAX, -1, INT_MIN + 1, 1, INT_MAX - 1};
  RequestHeader requests[std::size(kPriorities)]{};
  for (std::size_t i = 0; i < std::size(kPriorities); ++i) {
    requests[i].priority = kPriorities[i];
    queue.push(requests[i]);
  }
  std::vector<int> order;
  for (const RequestHeader* request : walk(queue)) order.push_back(request->priority);
  EXPECT_EQ(order, (std::vector<int>{INT_MAX, INT_MAX - 1, 1, 0, -1, INT_MIN + 1, INT_MIN}));
}

TEST(PriorityQueue, TellsWhoOpensALevel) {
  PriorityQueue queue;
  LevelTable levels;
  queue.remember_in(levels);
  RequestHeader a{}, b{}, c{};
  c.priority = 1;
  EXPECT_TRUE(queue.push(a));
  EXPECT_FALSE(queue.push(b));
  EXPECT_TRUE(queue.push(c));
  queue.erase(c);
  EXPECT_TRUE(queue.push(c));
}

TEST(PriorityQueue, ALevelOutlivesItsFirstRequest) {
  PriorityQueue queue;
  RequestHeader low{}, a{}, b{}, c{}, high{};
  low.priority = -1;
  high.priority = 1;
  for (RequestHeader* request : {&low, &a, &b, &c, &high}) queue.push(*request);
  queue.erase(a);
  EXPECT_EQ(walk(queue), (Order{&high, &b, &c, &low}));
  queue.push(a);
  EXPECT_EQ(walk(queue), (Order{&high, &b, &c, &a, &low}));
}

TEST(PriorityQueue, TheFirstOfALevelMayLeaveAtOnce) {
  PriorityQueue queue;
  RequestHeader low{}, a{}, b{}, c{}, high{};
  low.priority = -1;
  high.priority = 1;
  for (RequestHeader* request : {&low, &a, &b, &c, &high}) queue.push(*request);
  queue.erase_front(high, 1);
  EXPECT_EQ(walk(queue), (Order{&a, &b, &c, &low}));
  queue.erase_front(b, 2);
  EXPECT_EQ(walk(queue), (Order{&c, &low}));
  EXPECT_EQ(walk_back(queue), (Order{&c, &low}));
  RequestHeader lowest{};
  lowest.priority = -2;
  EXPECT_EQ(queue.weight_before(lowest, 100), 2u);
  EXPECT_EQ(a.by_rank.previous, nullptr);
  EXPECT_EQ(a.by_rank.next, &b);
  EXPECT_EQ(b.by_rank.next, nullptr);
  queue.push(a);
  EXPECT_EQ(walk(queue), (Order{&c, &a, &low}));
  queue.erase_front(a, 2);
  queue.erase_front(low, 1);
  EXPECT_TRUE(queue.empty());
}

TEST(PriorityQueue, TheTableHoldsTheFirstOfALevelAndNobodyWhoHasLeft) {
  LevelTable table;
  PriorityQueue queue;
  queue.remember_in(table);
  RequestHeader a{}, b{}, other{}, c{}, d{};
  other.priority = 5;
  for (RequestHeader* request : {&b, &c, &d}) request->priority = 1;
  queue.push(a);
  EXPECT_EQ(table.slot(a), nullptr);
  for (RequestHeader* request : {&b, &other, &c}) queue.push(*request);
  // Whichever of the levels is the root needs no slot; the others are met by who comes next.
  RequestHeader e{}, f{};
  f.priority = 5;
  queue.push(e);
  queue.push(f);
  const auto met = [&table](const RequestHeader& request) { return table.slot(request); };
  int in_table = 0;
  for (const RequestHeader* head : {&a, &b, &other}) in_table += met(*head) == head;
  EXPECT_EQ(in_table, 2);
  queue.push(d);
  for (const RequestHeader* head : {&a, &b, &other}) queue.erase(const_cast<RequestHeader&>(*head));
  for (const RequestHeader* head : {&e, &c, &f}) {
    EXPECT_TRUE(met(*head) == head || met(*head) == nullptr);
  }
  queue.erase_front(f, 1);
  queue.erase_front(d, 2);
  EXPECT_EQ(met(f), nullptr);
  EXPECT_EQ(met(c), nullptr);
  queue.erase(e);
  EXPECT_EQ(met(e), nullptr);
  EXPECT_TRUE(queue.empty());
}

// More flows than slots, so some meet in one, with levels of the same priority.
TEST(PriorityQueue, QueuesOfManyFlowsShareATable) {
  LevelTable table;
  std::vector<Flow> flows(200);
  std::vector<std::unique_ptr<RequestHeader>> requests;
  for (Flow& flow : flows) flow.queue.remember_in(table);
  for (int round = 0; round < 3; ++round) {
    for (int priority = 0; priority < 4; ++priority) {
      for (Flow& flow : flows) {
        RequestHeader& request = *requests.emplace_back(std::make_unique<RequestHeader>());
        request.flow = &flow;
        request.priority = priority;
        flow.queue.push(request);
      }
    }
  }
  for (const Flow& flow : flows) {
    const Order order = walk(flow.queue);
    ASSERT_EQ(order.size(), 12u);
    for (std::size_t i = 0; i < order.size(); ++i) {
      ASSERT_EQ(order[i]->flow, &flow);
      ASSERT_EQ(order[i]->priority, 3 - static_cast<int>(i / 3));
    }
  }
}

TEST(PriorityQueue, TheLastOfALevelMayLeaveFirst) {
  PriorityQueue queue;
  RequestHeader a{}, b{}, c{};
  for (RequestHeader* request : {&a, &b, &c}) queue.push(*request);
  queue.erase(c);
  queue.push(c);
  queue.erase(b);
  EXPECT_EQ(walk(queue), (Order{&a, &c}));
}

void compare_with_naive(std::uint64_t seed, std::int64_t lowest, std::int64_t highest,
                        std::size_t most, std::int64_t keys = 1, bool reranks = false) {
  Random random(seed);
  LevelTable table;
  PriorityQueue queue;
  if (seed % 2 == 0) queue.remember_in(table);
  NaiveQueue naive;
  std::vector<std::unique_ptr<RequestHeader>> live;
  for (int step = 0; step < 3000; ++step) {
    if (live.empty() || (live.size() < most && random.chance(52))) {
      RequestHeader& request = *live.emplace_back(std::make_unique<RequestHeader>());
      request.priority = static_cast<int>(random.between(lowest, highest));
      request.order_key = random.between(0, keys - 1);
      request.delayed = keys > 1 && random.chance(30);
      request.sequence = request.delay_turn = static_cast<std::uint64_t>(step) + 1;
      queue.push(request);
      naive.requests.push_back(&request);
    } else if (reranks && random.chance(50)) {
      RequestHeader& request = *random.pick(naive.requests);
      queue.erase(request, true);
      request.priority = static_cast<int>(random.between(lowest, highest));
      request.order_key = random.between(0, keys - 1);
      request.delayed = keys > 1 && random.chance(30);
      queue.insert(request);
    } else {
      RequestHeader* const leaving =
          random.chance(50) ? queue.front() : random.pick(naive.requests);
      queue.erase(*leaving, true);
      std::erase(naive.requests, leaving);
      std::erase_if(live, [leaving](const auto& request) { return request.get() == leaving; });
    }
    ASSERT_EQ(queue.empty(), naive.requests.empty());
    ASSERT_EQ(walk(queue), naive.walk()) << "seed " << seed << ", step " << step;
    ASSERT_EQ(walk_back(queue), naive.walk()) << "seed " << seed << ", step " << step;
    ASSERT_EQ(walk_levels(queue), naive.walk()) << "seed " << seed << ", step " << step;
  }
}

TEST(PriorityQueue, KeepsTheOrderOfANaiveQueueWithFewLevels) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_naive(seed, -1, 2, 30);
}

TEST(PriorityQueue, KeepsTheOrderOfANaiveQueueWithManyLevels) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_naive(seed, INT_MIN, INT_MAX, 30);
}

TEST(PriorityQueue, KeepsTheOrderOfANaiveQueueWithAboutTwoRequestsALevel) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_naive(seed, 0, 20, 40);
}

TEST(PriorityQueue, WithinAPriorityTheKeyDecidesAndDelayedOnesComeLast) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_naive(seed, -1, 1, 40, 5);
}

TEST(PriorityQueue, WhatIsInsertedWithAnotherRankKeepsItsAge) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    compare_with_naive(seed, 0, 0, 20, 1, true);
    compare_with_naive(seed, -1, 1, 40, 2, true);
    compare_with_naive(seed, INT_MIN, INT_MAX, 30, 1, true);
  }
}

TEST(PriorityQueue, WhatIsInsertedIsWeighedWithItsLevel) {
  PriorityQueue queue;
  RequestHeader requests[4]{};
  for (std::size_t i = 0; i < 4; ++i) {
    requests[i].weight = 1U << i;
    requests[i].sequence = i + 1;
    requests[i].priority = i == 3 ? 1 : 0;
    queue.push(requests[i]);
  }
  for (const std::size_t moved : {0u, 1u, 2u}) {
    queue.erase(requests[moved], true);
    requests[moved].priority = 1;
    queue.insert(requests[moved]);
  }
  RequestHeader newcomer{};
  newcomer.priority = 1;
  EXPECT_EQ(queue.weight_before(newcomer, 100), 15u);
  queue.erase(requests[0], true);
  requests[0].priority = 0;
  queue.insert(requests[0]);
  EXPECT_EQ(queue.weight_before(newcomer, 100), 14u);
  EXPECT_EQ(walk(queue), (Order{&requests[1], &requests[2], &requests[3], &requests[0]}));
}

// With a tree that degenerates this would take minutes.
TEST(PriorityQueue, AHundredThousandLevelsStayFastHoweverTheyCome) {
  constexpr std::size_t kLevels = 100'000;
  enum class Coming { ascending, descending, shuffled };
  for (const Coming coming : {Coming::ascending, Coming::descending, Coming::shuffled}) {
    std::vector<RequestHeader> requests(kLevels);
    for (std::size_t i = 0; i < kLevels; ++i) {
      const auto rank = static_cast<int>(i);
      requests[i].priority = coming == Coming::descending ? -rank : rank;
    }
    if (coming == Coming::shuffled) {
      Random random(7);
      for (std::size_t i = kLevels - 1; i > 0; --i) {
        std::swap(requests[i].priority, requests[random.below(i + 1)].priority);
      }
    }
    PriorityQueue queue;
    for (RequestHeader& request : requests) queue.push(request);

    std::size_t walked = 0;
    const RequestHeader* previous = nullptr;
    for (const RequestHeader* request = queue.front(); request != nullptr;
         request = queue.next(*request)) {
      ASSERT_TRUE(previous == nullptr || previous->priority > request->priority);
      previous = request;
      ++walked;
    }
    ASSERT_EQ(walked, kLevels);

    // Half of them leave from anywhere, the others from the front.
    for (std::size_t i = 0; i < kLevels; i += 2) queue.erase(requests[i]);
    std::size_t left = kLevels / 2;
    int above = INT_MAX;
    for (; !queue.empty(); --left) {
      RequestHeader& request = *queue.front();
      ASSERT_LT(request.priority, above);
      above = request.priority;
      queue.erase(request);
    }
    ASSERT_EQ(left, 0u);
  }
}

}  // namespace
