// SPDX-License-Identifier: MIT
#include <batchwright/simulation/collector.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright::detail::Collector;

TimePoint at(Duration since) { return TimePoint{} + 1h + since; }

TEST(Collector, LeavesTheWarmUpOut) {
  Collector collector({{}}, 1, 3, 1, Duration::max());
  for (std::uint64_t number = 0; number < 3; ++number) {
    const TimePoint now = at(number * 1s);
    collector.arrive(number, now);
    collector.enter(now);
  }
  collector.close(at(2s));
  collector.answer(0, 0, at(0s), at(10s));
  collector.answer(1, 0, at(1s), at(3s));
  collector.answer(2, 0, at(2s), at(3s));
  const SimulationResult result = collector.result();
  EXPECT_EQ(result.latency.count, 2u);
  EXPECT_EQ(result.latency.max, 2s);
  EXPECT_EQ(result.outcomes[Outcome::ok], 2u);
  EXPECT_EQ(result.window, 1s);
}

TEST(Collector, MeasuresRatesBetweenTheFirstAndTheLastArrival) {
  Collector collector({{}}, 2, 4, 0, 1s);
  collector.arrive(0, at(0s));
  collector.enter(at(0s));
  collector.dispatch(1, 1, ReleaseReason::greedy, at(0s));
  collector.arrive(1, at(1s));
  collector.enter(at(1s));
  collector.answer(0, 0, at(0s), at(2s));
  collector.computed(0, at(0s), at(2s));
  collector.arrive(2, at(2s));
  collector.enter(at(2s));
  collector.dispatch(2, 5, ReleaseReason::size, at(2s));
  collector.answer(1, 0, at(1s), at(2s));
  collector.arrive(3, at(4s));
  collector.close(at(4s));
  collector.refuse(3, 0, Outcome::queue_full);
  collector.answer(2, 0, at(2s), at(6s));
  collector.computed(1, at(2s), at(6s));
  const SimulationResult result = collector.result();
  EXPECT_EQ(result.window, 4s);
  EXPECT_DOUBLE_EQ(result.offered_hz, 0.75);
  EXPECT_DOUBLE_EQ(result.throughput_hz, 0.5);
  EXPECT_DOUBLE_EQ(result.goodput_hz, 0.25);
  EXPECT_EQ(result.utilisation, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(result.batches, 2u);
  EXPECT_DOUBLE_EQ(result.mean_batch_size(), 3);
  EXPECT_EQ(result.releases[static_cast<std::size_t>(ReleaseReason::size)], 1u);
  // In the system: one for a second, two for one, one for two.
  EXPECT_DOUBLE_EQ(result.mean_in_system, 5.0 / 4);
  EXPECT_DOUBLE_EQ(result.mean_queued, 1.0 / 4);
  EXPECT_EQ(result.outcomes[Outcome::queue_full], 1u);
}

TEST(Collector, IsCompleteWhenAllThatIsMeasuredHasEnded) {
  Collector collector({{}}, 1, 3, 1, Duration::max());
  for (std::uint64_t number = 0; number < 4; ++number) {
    collector.arrive(number, at(0s));
    collector.enter(at(0s));
  }
  collector.answer(1, 0, at(0s), at(1s));
  collector.answer(3, 0, at(0s), at(1s));  // One that came after them.
  collector.answer(0, 0, at(0s), at(1s));  // One of the warm-up.
  EXPECT_FALSE(collector.complete());
  collector.drop(2, 0, Outcome::expired, 1, at(2s));
  EXPECT_TRUE(collector.complete());
  EXPECT_EQ(collector.result().outcomes.total(), 2u);
}

TEST(Collector, KeepsClassesApart) {
  Collector collector({{.name = "a"}, {.name = "b"}}, 1, 3, 0, Duration::max());
  for (std::uint64_t number = 0; number < 3; ++number) {
    collector.arrive(number, at(0s));
    collector.enter(at(0s));
  }
  collector.answer(0, 0, at(0s), at(1s));
  collector.answer(1, 1, at(0s), at(3s));
  collector.drop(2, 1, Outcome::expired, 1, at(3s));
  const SimulationResult result = collector.result();
  EXPECT_EQ(result.classes[0].name, "a");
  EXPECT_EQ(result.classes[0].latency.max, 1s);
  EXPECT_EQ(result.classes[1].latency.max, 3s);
  EXPECT_EQ(result.classes[1].outcomes[Outcome::expired], 1u);
  EXPECT_EQ(result.latency.count, 2u);
  EXPECT_EQ(result.latency.p50, 1s);
  EXPECT_EQ(result.outcomes.dropped(), 1u);
}

}  // namespace
