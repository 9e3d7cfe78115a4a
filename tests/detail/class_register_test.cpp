// SPDX-License-Identifier: MIT
#include <batchwright/detail/class_register.hpp>
#include <batchwright/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using batchwright::ClassCounts;
using batchwright::ClassesMetrics;
using batchwright::SystemRuntime;
using batchwright::detail::ClassId;
using batchwright::detail::ClassIds;
using batchwright::detail::ClassKind;
using batchwright::detail::kNoClass;
using Register = batchwright::detail::ClassRegister<SystemRuntime>;

TEST(ClassRegister, CountsNothingUnlessAsked) {
  Register none(SystemRuntime{}, {});
  EXPECT_FALSE(none.in_use());
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(none.find(3), kNoClass);
  EXPECT_EQ(none.find(ClassKind::lane, "a"), kNoClass);
  none.accepted({kNoClass, kNoClass, kNoClass});
  none.left({kNoClass, kNoClass, kNoClass});
  EXPECT_TRUE(none.metrics(ClassKind::priority, {}).empty());
}

TEST(ClassRegister, HasRoomForTheClassesOfEachKindAndAllOthers) {
  Register classes(SystemRuntime{}, {.per_priority = true, .per_tenant = true, .max_classes = 2});
  EXPECT_TRUE(classes.counts(ClassKind::priority));
  EXPECT_FALSE(classes.counts(ClassKind::lane));
  EXPECT_TRUE(classes.counts(ClassKind::tenant));
  EXPECT_EQ(classes.size(), 6u);
  std::vector<ClassId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(classes.find(i));
  for (const char* label : {"0", "1", "2"}) ids.push_back(classes.find(ClassKind::tenant, label));
  EXPECT_EQ(ids, (std::vector<ClassId>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(classes.find(9), 2u);
}

TEST(ClassRegister, ShowsWhatIsQueuedOfEachClassAndWhatWasCounted) {
  Register classes(SystemRuntime{}, {.per_priority = true, .per_lane = true, .max_classes = 3});
  const ClassIds first = {classes.find(5), classes.find(ClassKind::lane, "a"), kNoClass};
  const ClassIds second = {classes.find(-5), classes.find(ClassKind::lane, "a"), kNoClass};
  for (int i = 0; i < 3; ++i) classes.accepted(first);
  classes.accepted(second);
  classes.left(first);
  std::vector<ClassCounts> counts(classes.size());
  counts[first[0]].completed = 1;
  const ClassesMetrics priorities = classes.metrics(ClassKind::priority, counts);
  ASSERT_EQ(priorities.size(), 3u);
  EXPECT_EQ(priorities[0].label, "5");
  EXPECT_EQ(priorities[0].accepted, 3u);
  EXPECT_EQ(priorities[0].queued, 2u);
  EXPECT_EQ(priorities[0].completed, 1u);
  EXPECT_EQ(priorities[1].label, "-5");
  EXPECT_EQ(priorities[1].queued, 1u);
  EXPECT_EQ(priorities[2].label, "other");
  EXPECT_EQ(priorities[2].accepted, 0u);
  const ClassesMetrics lanes = classes.metrics(ClassKind::lane, counts);
  ASSERT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes[0].accepted, 4u);
  EXPECT_EQ(lanes[0].queued, 3u);
}

TEST(ClassRegister, ADepthIsNeverBelowZeroWhileRequestsComeAndGo) {
  constexpr std::uint64_t kRequests = 50'000;
  Register classes(SystemRuntime{}, {.per_priority = true});
  const ClassIds ids = {classes.find(1), kNoClass, kNoClass};
  std::atomic<std::uint64_t> handed{0};
  std::thread submitter([&] {
    for (std::uint64_t i = 0; i < kRequests; ++i) {
      classes.accepted(ids);
      handed.fetch_add(1, std::memory_order_release);
    }
  });
  std::thread dispatcher([&] {
    for (std::uint64_t i = 0; i < kRequests; ++i) {
      while (handed.load(std::memory_order_acquire) <= i) std::this_thread::yield();
      classes.left(ids);
    }
  });
  const std::vector<ClassCounts> counts(classes.size());
  std::uint64_t accepted = 0;
  while (accepted < kRequests) {
    const auto now = classes.metrics(ClassKind::priority, counts)[0];
    EXPECT_LE(now.queued, now.accepted);
    EXPECT_GE(now.accepted, accepted);
    accepted = now.accepted;
  }
  submitter.join();
  dispatcher.join();
  EXPECT_EQ(classes.metrics(ClassKind::priority, counts)[0].queued, 0u);
}

}  // namespace
