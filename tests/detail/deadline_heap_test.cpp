// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/deadline_heap.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::TimePoint;
using batchwright::detail::DeadlineHeap;
using batchwright::detail::RequestHeader;
using batchwright_test::Random;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

TEST(DeadlineHeap, AnEmptyHeapNeverComesDue) {
  DeadlineHeap heap;
  EXPECT_EQ(heap.first(), nullptr);
  EXPECT_EQ(heap.earliest(), kNever);
}

TEST(DeadlineHeap, ARequestWithoutADeadlineIsNotInIt) {
  DeadlineHeap heap;
  RequestHeader request{};
  heap.insert(request);
  EXPECT_EQ(heap.first(), nullptr);
  heap.erase(request);
  EXPECT_EQ(heap.first(), nullptr);
}

TEST(DeadlineHeap, TheEarliestIsFirst) {
  DeadlineHeap heap;
  RequestHeader a{}, b{}, c{};
  a.deadline = at(5);
  b.deadline = at(3);
  c.deadline = at(4);
  for (RequestHeader* request : {&a, &b, &c}) heap.insert(*request);
  EXPECT_EQ(heap.first(), &b);
  EXPECT_EQ(heap.earliest(), at(3));
  heap.erase(b);
  EXPECT_EQ(heap.first(), &c);
}

TEST(DeadlineHeap, EqualDeadlinesAreInOrderOfAcceptance) {
  DeadlineHeap heap;
  RequestHeader requests[6]{};
  for (std::size_t i = 0; i < 6; ++i) {
    requests[i].deadline = at(7);
    requests[i].sequence = i + 1;
  }
  for (const std::size_t i : {3u, 0u, 5u, 1u, 4u, 2u}) heap.insert(requests[i]);
  for (RequestHeader& expected : requests) {
    ASSERT_EQ(heap.first(), &expected);
    heap.erase(expected);
  }
  EXPECT_EQ(heap.first(), nullptr);
}

TEST(DeadlineHeap, InstantsAtTheEndsOfTimeAreOrdinaryOnes) {
  DeadlineHeap heap;
  RequestHeader first{}, last{};
  first.deadline = TimePoint::min();
  last.deadline = kNever - Duration(1);
  heap.insert(last);
  EXPECT_EQ(heap.earliest(), kNever - Duration(1));
  heap.insert(first);
  EXPECT_EQ(heap.earliest(), TimePoint::min());
}

TEST(DeadlineHeap, AgreesWithANaiveHeapOnRandomInsertionsAndRemovals) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const std::int64_t range = random.chance(50) ? 8 : 1'000'000;
    DeadlineHeap heap;
    std::vector<std::unique_ptr<RequestHeader>> live;
    for (std::uint64_t step = 1; step <= 3000; ++step) {
      if (live.empty() || (live.size() < 60 && random.chance(52))) {
        RequestHeader& request = *live.emplace_back(std::make_unique<RequestHeader>());
        request.sequence = step;
        request.deadline = random.chance(10) ? kNever : at(random.between(-range, range));
        heap.insert(request);
      } else {
        std::size_t leaving = random.below(live.size());
        for (std::size_t i = 0; random.chance(50) && i < live.size(); ++i) {
          if (live[i].get() == heap.first()) leaving = i;
        }
        heap.erase(*live[leaving]);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(leaving));
      }
      const RequestHeader* first = nullptr;
      for (const auto& request : live) {
        if (request->deadline == kNever) continue;
        if (first == nullptr || request->deadline < first->deadline ||
            (request->deadline == first->deadline && request->sequence < first->sequence)) {
          first = request.get();
        }
      }
      ASSERT_EQ(heap.first(), first) << "seed " << seed << ", step " << step;
      ASSERT_EQ(heap.earliest(), first == nullptr ? kNever : first->deadline);
    }
  }
}

TEST(DeadlineHeap, ALongChainOfDeadlinesNeedsNoStack) {
  constexpr std::size_t kCount = 300'000;
  std::vector<RequestHeader> requests(kCount);
  for (const bool ascending : {true, false}) {
    DeadlineHeap heap;
    for (std::size_t i = 0; i < kCount; ++i) {
      requests[i].sequence = i + 1;
      requests[i].deadline = at(static_cast<std::int64_t>(ascending ? i : kCount - i));
      heap.insert(requests[i]);
    }
    TimePoint previous = TimePoint::min();
    std::size_t taken = 0;
    for (; heap.first() != nullptr; ++taken) {
      ASSERT_LT(previous, heap.earliest());
      previous = heap.earliest();
      heap.erase(*heap.first());
    }
    ASSERT_EQ(taken, kCount);
  }
}

}  // namespace
