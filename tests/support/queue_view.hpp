// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_QUEUE_VIEW_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_QUEUE_VIEW_HPP

#include <batchwright/policy.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

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
