// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_QUEUE_VIEW_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_QUEUE_VIEW_HPP

#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace batchwright_test {

/// When the oldest request of `view_of` came.
inline constexpr batchwright::TimePoint kOldest =
    batchwright::TimePoint{} + std::chrono::seconds(100);

/// A queue of `size` requests, the oldest of which is `age` old, under a cap.
inline batchwright::QueueView view_of(std::size_t size, batchwright::Duration age = {},
                                      std::size_t cap = 32) {
  batchwright::QueueView view;
  view.now = kOldest + age;
  view.count = size;
  view.size = size;
  view.oldest = kOldest;
  view.newest = kOldest + age;
  view.max_batch_size = cap;
  view.free_executors = 1;
  return view;
}

/// Requests that a policy can look at, in the order in which they would leave.
struct ListedQueue {
  std::vector<batchwright::QueuedRequest> requests;

  /// Of this queue, while it stays as and where it is.
  batchwright::QueueCursor cursor() const noexcept { return batchwright::QueueCursor(this, step); }

  static const void* step(const void* queue, const void* position,
                          batchwright::QueuedRequest& out) noexcept {
    const auto& all = static_cast<const ListedQueue*>(queue)->requests;
    const auto* next = position == nullptr
                           ? all.data()
                           : static_cast<const batchwright::QueuedRequest*>(position) + 1;
    if (next == all.data() + all.size()) return nullptr;
    out = *next;
    return next;
  }
};

inline void expect_release(const batchwright::Decision& decision, std::size_t size,
                           batchwright::ReleaseReason reason) {
  EXPECT_TRUE(decision.is_release());
  EXPECT_EQ(decision.size(), size);
  EXPECT_EQ(decision.reason(), reason);
}

inline void expect_wait(const batchwright::Decision& decision, batchwright::TimePoint until,
                        std::size_t size = batchwright::kNoCount) {
  EXPECT_FALSE(decision.is_release());
  EXPECT_EQ(decision.until(), until);
  EXPECT_EQ(decision.size(), size);
}

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_QUEUE_VIEW_HPP
