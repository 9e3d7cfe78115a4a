// SPDX-License-Identifier: MIT
#include <batchwright/detail/gauges.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::MetricsSnapshot;
using batchwright::TimePoint;
using batchwright::detail::age;
using batchwright::detail::read_gauges;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

// The parts of a batcher, as far as gauges ask them.
struct Parts {
  std::size_t its_queued = 3;
  std::size_t its_waiting = 2;
  std::size_t its_executing = 5;
  std::size_t its_batches = 1;
  std::size_t its_riding = 0;
  TimePoint its_oldest_queued = at(40);
  TimePoint its_oldest_running = at(70);

  std::size_t queued() const noexcept { return its_queued; }
  std::size_t waiting() const noexcept { return its_waiting; }
  std::size_t executing() const noexcept { return its_executing; }
  std::size_t executing_batches() const noexcept { return its_batches; }
  std::size_t riding() const noexcept { return its_riding; }
  TimePoint oldest_queued() const noexcept { return its_oldest_queued; }
  TimePoint oldest_running() const noexcept { return its_oldest_running; }

  MetricsSnapshot read(std::int64_t tick) const {
    MetricsSnapshot metrics;
    metrics.taken_at = at(tick);
    read_gauges(metrics, *this, *this, *this);
    return metrics;
  }
};

TEST(Gauges, TellWhatThereIsAndHowOldItIs) {
  const MetricsSnapshot metrics = Parts().read(100);
  EXPECT_EQ(metrics.queued, 3u);
  EXPECT_EQ(metrics.blocked, 2u);
  EXPECT_EQ(metrics.executing, 5u);
  EXPECT_EQ(metrics.executing_batches, 1u);
  EXPECT_EQ(metrics.oldest_queued_age, Duration(60));
  EXPECT_EQ(metrics.oldest_executing_age, Duration(30));
}

TEST(Gauges, WhoRidesAlongIsNotQueued) {
  EXPECT_EQ(Parts{.its_riding = 1}.read(100).queued, 2u);
  const MetricsSnapshot between = Parts{.its_riding = 4}.read(100);  // Not read at one instant.
  EXPECT_EQ(between.queued, 0u);
  EXPECT_EQ(between.oldest_queued_age, Duration(0));
}

TEST(Gauges, WhatIsNotThereHasNoAge) {
  // The dispatcher's own instants are those of its last round.
  const MetricsSnapshot metrics = Parts{.its_queued = 0, .its_batches = 0}.read(100);
  EXPECT_EQ(metrics.oldest_queued_age, Duration(0));
  EXPECT_EQ(metrics.oldest_executing_age, Duration(0));
}

TEST(Gauges, AnAgeIsNeverNegative) {
  EXPECT_EQ(age(at(5), at(3)), Duration(0));
  EXPECT_EQ(age(kNever, at(3)), Duration(0));
  EXPECT_EQ(age(at(3), at(5)), Duration(2));
}

}  // namespace
