// SPDX-License-Identifier: MIT
#include <batchwright/detail/request_queue.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::TimePoint;
using batchwright::detail::Action;
using batchwright::detail::BatchCut;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;
using batchwright::detail::RequestQueue;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

struct Named : RequestHeader {
  char name = ' ';
};

/// What a test says of a request.
struct Given {
  int priority = 0;
  TimePoint deadline = kNever;
  TimePoint delay_at = kNever;
};

class RequestQueueTest : public ::testing::Test {
 protected:
  Named& make(char name, const Given& given) {
    Named& request = requests_.emplace_back();
    request.name = name;
    request.priority = given.priority;
    request.deadline = given.deadline;
    request.delay_at = given.delay_at;
    request.enqueued = at(static_cast<std::int64_t>(requests_.size()));
    return request;
  }

  Named& enter(char name, const Given& given = {}) {
    Named& request = make(name, given);
    queue_.enter(request);
    return request;
  }

  static std::string names(const RequestChain& chain) {
    std::string all;
    for (RequestHeader* one = chain.first; one != nullptr; one = RequestChain::next(*one)) {
      all += static_cast<const Named&>(*one).name;
    }
    return all;
  }

  /// All that has left without a batch, each in its own words.
  std::string leavers() {
    std::string all;
    while (!queue_.leavers().empty()) {
      const Action action = queue_.leavers().next();
      all += std::string(to_string(action.outcome)) + ":" + names(action.requests) + " ";
    }
    return all;
  }

  RequestQueue queue_{{}};

 private:
  std::deque<Named> requests_;
};

TEST_F(RequestQueueTest, WhatIsCancelledExpiresNoMore) {
  Named& a = enter('a', {.deadline = at(5)});
  EXPECT_EQ(queue_.deadlines().earliest(), at(5));
  queue_.cancel(a);
  EXPECT_EQ(queue_.deadlines().earliest(), kNever);
  EXPECT_TRUE(queue_.backlog().empty());
  EXPECT_EQ(leavers(), "cancelled:a ");
}

TEST_F(RequestQueueTest, WhatIsWithdrawnIsHandedOutByNobody) {
  queue_.withdraw(enter('a', {.deadline = at(5)}));
  EXPECT_TRUE(queue_.backlog().empty());
  EXPECT_TRUE(queue_.deadlines().earliest() == kNever && leavers().empty());
}

TEST_F(RequestQueueTest, WhatWasTurnedAwayIsHandedOutOnceThoughItIsCancelled) {
  Named& a = make('a', {});
  Named& b = make('b', {});
  for (Named* one : {&a, &b}) {
    queue_.backlog().place(*one);
    queue_.turn_away(*one);
  }
  EXPECT_TRUE(queue_.backlog().empty());
  queue_.cancel(a);
  EXPECT_EQ(leavers(), "cancelled:a would_expire:b ");
}

TEST_F(RequestQueueTest, EvictsTheNewestOfTheLowestPriorityIfTheyMakeTheRoom) {
  enter('a', {.priority = 1, .deadline = at(9)});
  enter('b', {.priority = 0, .deadline = at(8)});
  enter('c', {.priority = 0, .deadline = at(7)});
  EXPECT_FALSE(queue_.evict(queue_.backlog().own_tenant(), 3, 0, 1));
  EXPECT_EQ(queue_.backlog().count(), 3u);
  EXPECT_TRUE(queue_.evict(queue_.backlog().own_tenant(), 2, 0, 1));
  EXPECT_EQ(leavers(), "evicted:cb ");
  EXPECT_EQ(queue_.deadlines().earliest(), at(9));
}

TEST_F(RequestQueueTest, WhatIsDueExpiresOrIsDelayedAndMayExpireLater) {
  enter('a', {.deadline = at(9), .delay_at = at(4)});
  enter('b', {.deadline = at(4)});
  enter('c');
  EXPECT_EQ(names(queue_.take_due(at(3))), "");
  EXPECT_EQ(names(queue_.take_due(at(4))), "b");
  EXPECT_EQ(queue_.deadlines().earliest(), at(9));
  EXPECT_EQ(queue_.backlog().count(), 2u);
  EXPECT_EQ(names(queue_.take_due(at(9))), "a");
  EXPECT_EQ(queue_.deadlines().earliest(), kNever);
}

TEST_F(RequestQueueTest, WhatHasAnotherRankExpiresNoMore) {
  Named& a = enter('a', {.deadline = at(5)});
  queue_.rerank(a, {.priority = 3, .deadline = at(2)});
  EXPECT_EQ(a.priority, 3);
  EXPECT_EQ(queue_.deadlines().earliest(), kNever);
}

TEST_F(RequestQueueTest, TakesAllInTheOrderOfTheirAcceptance) {
  enter('a');
  enter('b', {.priority = 7, .deadline = at(9)});
  enter('c', {.priority = 3});
  EXPECT_EQ(names(queue_.take_all()), "abc");
  EXPECT_TRUE(queue_.backlog().empty());
  EXPECT_EQ(queue_.deadlines().earliest(), kNever);
}

TEST_F(RequestQueueTest, ABatchTellsItsOldestAndExpiresNoMore) {
  enter('a', {.deadline = at(9)});
  Named& b = enter('b', {.priority = 1, .deadline = at(8)});
  b.next_picked = nullptr;
  Action action;
  action.oldest = kNever;
  queue_.dispatch(BatchCut::Cut{.first = &b, .count = 1, .size = 1}, action);
  EXPECT_EQ(names(action.requests), "b");
  EXPECT_EQ(action.oldest, b.enqueued);
  EXPECT_EQ(queue_.backlog().count(), 1u);
  EXPECT_EQ(queue_.deadlines().earliest(), at(9));
}

}  // namespace
