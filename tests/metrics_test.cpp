// SPDX-License-Identifier: MIT
#include <batchwright/metrics.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::Histogram;
using batchwright::kOutcomeCount;
using batchwright::kReleaseReasonCount;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright::to_string;

/// Each field has its own multiple of `base`, so that a mix-up of two fields shows.
MetricsSnapshot numbered(std::uint64_t base) {
  MetricsSnapshot metrics;
  metrics.taken_at = TimePoint(Duration(1'000 * base));
  metrics.interval = Duration(900 * base);
  std::uint64_t next = 0;
  const auto value = [&] { return base * ++next; };
  metrics.submitted = value();
  metrics.accepted = value();
  metrics.completed = value();
  metrics.completed_late = value();
  metrics.failed = value();
  metrics.expired = value();
  metrics.cancelled = value();
  metrics.stopped = value();
  metrics.would_expire = value();
  metrics.evicted = value();
  for (auto& count : metrics.rejected.values) count = value();
  for (auto& count : metrics.batches.values) count = value();
  metrics.batches_failed = value();
  metrics.executions = value();
  metrics.items = value();
  metrics.room = value();
  metrics.queued = value();
  metrics.executing = value();
  metrics.executing_batches = value();
  metrics.blocked = value();
  metrics.max_batch_size = value();
  metrics.oldest_queued_age = Duration(value());
  metrics.oldest_executing_age = Duration(value());
  metrics.batch_size.record_n(1, value());
  metrics.service_time.record_n(2, value());
  metrics.queue_wait.record_n(3, value());
  metrics.latency.record_n(4, value());
  metrics.computed = value();
  metrics.padding = value();
  metrics.shared = value();
  if (base == 0) return metrics;
  metrics.forecast.emplace();
  for (const auto classes : batchwright::detail::kMetricsClasses) {
    (metrics.*classes).emplace_back().label = "7";
    (metrics.*classes).back().accepted = value();
    (metrics.*classes).back().queued = value();
  }
  for (std::uint64_t i = 0; i < base; ++i) {
    metrics.forecast->record(Duration(5), Duration(3));
    metrics.tenants.back().queue_wait.record(8);
  }
  return metrics;
}

/// The lines of the table.
std::vector<std::string> lines_of(const MetricsSnapshot& metrics) {
  std::istringstream text(to_string(metrics));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::string line_starting(const MetricsSnapshot& metrics, const std::string& start) {
  for (const std::string& line : lines_of(metrics)) {
    if (line.compare(0, start.size(), start) == 0) return line;
  }
  return "no line starts with " + start;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(CountsBy, AreZeroAtFirstAndIndexedByTheEnumerator) {
  MetricsSnapshot metrics;
  for (const std::uint64_t count : metrics.rejected.values) EXPECT_EQ(count, 0u);
  metrics.rejected[Outcome::queue_full] = 7;
  const MetricsSnapshot& constant = metrics;
  EXPECT_EQ(constant.rejected[Outcome::queue_full], 7u);
  EXPECT_EQ(constant.rejected[Outcome::stopped], 0u);
  EXPECT_EQ(metrics.rejected.values[static_cast<std::size_t>(Outcome::queue_full)], 7u);
}

TEST(CountsBy, HaveRoomForEveryEnumerator) {
  MetricsSnapshot metrics;
  EXPECT_EQ(metrics.rejected.values.size(), kOutcomeCount);
  EXPECT_EQ(metrics.batches.values.size(), kReleaseReasonCount);
  metrics.rejected[Outcome::would_deadlock] = 1;
  metrics.batches[ReleaseReason::paced] = 1;
  EXPECT_EQ(metrics.rejected.values.back(), 1u);
  EXPECT_EQ(metrics.batches.values.back(), 1u);
}

TEST(CountsBy, AddUpAndMerge) {
  MetricsSnapshot metrics;
  EXPECT_EQ(metrics.batches.total(), 0u);
  metrics.batches[ReleaseReason::size] = 3;
  metrics.batches[ReleaseReason::net] = 4;
  EXPECT_EQ(metrics.batches.total(), 7u);
  metrics.batches += metrics.batches;
  EXPECT_EQ(metrics.batches[ReleaseReason::size], 6u);
  EXPECT_EQ(metrics.batches[ReleaseReason::net], 8u);
  EXPECT_EQ(metrics.batches.total(), 14u);
}

TEST(MetricsSnapshot, IsAPlainValueOfAboutFortyKilobytes) {
  static_assert(std::is_nothrow_move_constructible_v<MetricsSnapshot>);
  static_assert(std::is_aggregate_v<MetricsSnapshot>);
  static_assert(sizeof(MetricsSnapshot) <= 41 * 1024);
}

TEST(MetricsSnapshot, IsAllZeroAtFirst) {
  const MetricsSnapshot empty;
  EXPECT_EQ(empty, numbered(0));
  EXPECT_EQ(empty.answered(), 0u);
  EXPECT_EQ(empty.unaccounted(), 0);
  EXPECT_EQ(empty.throughput(), 0.0);
  EXPECT_EQ(empty.mean_batch_size(), 0.0);
  EXPECT_EQ(empty.utilisation(), 0.0);
}

TEST(MetricsSnapshot, DiffersFromAnotherInAnyField) {
  const MetricsSnapshot metrics = numbered(1);
  EXPECT_EQ(metrics, numbered(1));
  MetricsSnapshot other = metrics;
  ++other.evicted;
  EXPECT_NE(other, metrics);
  other = metrics;
  ++other.batches[ReleaseReason::drain];
  EXPECT_NE(other, metrics);
  other = metrics;
  other.latency.record(1);
  EXPECT_NE(other, metrics);
}

// --- The conservation law
TEST(Conservation, CountsEveryWayInWhichAnAcceptedRequestEnds) {
  MetricsSnapshot metrics;
  metrics.completed = 1;
  metrics.failed = 20;
  metrics.expired = 300;
  metrics.cancelled = 4'000;
  metrics.stopped = 50'000;
  metrics.evicted = 600'000;
  EXPECT_EQ(metrics.answered(), 654'321u);
}

TEST(Conservation, DoesNotCountLateRequestsTwiceNorRefusedOnesAtAll) {
  MetricsSnapshot metrics;
  metrics.submitted = 15;
  metrics.accepted = 10;
  metrics.completed = 10;
  metrics.completed_late = 4;
  metrics.rejected[Outcome::queue_full] = 5;
  EXPECT_EQ(metrics.answered(), 10u);
  EXPECT_EQ(metrics.unaccounted(), 0);
}

TEST(Conservation, HoldsWhileRequestsAreQueuedAndExecuting) {
  MetricsSnapshot metrics;
  metrics.accepted = 100;
  metrics.completed = 60;
  metrics.expired = 5;
  metrics.queued = 27;
  metrics.executing = 8;
  EXPECT_EQ(metrics.unaccounted(), 0);
}

TEST(Conservation, ShowsALostRequestAsPositiveAndADoubleAnswerAsNegative) {
  MetricsSnapshot metrics;
  metrics.accepted = 10;
  metrics.completed = 9;
  EXPECT_EQ(metrics.unaccounted(), 1);
  metrics.failed = 3;
  EXPECT_EQ(metrics.unaccounted(), -2);
}

TEST(Conservation, OfAnIntervalLacksWhatWasInsideAtItsStart) {
  MetricsSnapshot earlier;
  earlier.accepted = 50;
  earlier.completed = 30;
  earlier.queued = 15;
  earlier.executing = 5;
  MetricsSnapshot later;
  later.accepted = 80;
  later.completed = 80;
  EXPECT_EQ(earlier.unaccounted(), 0);
  EXPECT_EQ(later.unaccounted(), 0);
  EXPECT_EQ((later - earlier).unaccounted(), -20);
}

TEST(Conservation, OfAMergeIsTheSumOfTheParts) {
  MetricsSnapshot first;
  first.accepted = 10;
  first.completed = 7;
  MetricsSnapshot second;
  second.accepted = 20;
  second.queued = 19;
  first += second;
  EXPECT_EQ(first.unaccounted(), 4);
}

// --- Derived figures
TEST(Throughput, IsCompletedRequestsPerSecondOfTheInterval) {
  MetricsSnapshot metrics;
  metrics.completed = 500;
  metrics.failed = 1'000;
  metrics.interval = 250ms;
  EXPECT_DOUBLE_EQ(metrics.throughput(), 2'000.0);
}

TEST(Throughput, IsZeroForAnEmptyInterval) {
  MetricsSnapshot metrics;
  metrics.completed = 500;
  EXPECT_EQ(metrics.throughput(), 0.0);
  metrics.interval = -1s;
  EXPECT_EQ(metrics.throughput(), 0.0);
}

TEST(Utilisation, IsTheMeanBatchOverTheCap) {
  MetricsSnapshot metrics;
  for (const std::uint64_t size : {32u, 16u, 8u, 8u}) {
    metrics.batch_size.record(size);
    metrics.room += 32;
  }
  EXPECT_DOUBLE_EQ(metrics.mean_batch_size(), 16.0);
  EXPECT_DOUBLE_EQ(metrics.utilisation(), 0.5);
}

TEST(Utilisation, OfAMergeWeighsEachBatcherByItsBatchesUnderItsOwnCap) {
  MetricsSnapshot small;
  small.batch_size.record_n(8, 10);
  small.room = 80;
  MetricsSnapshot large;
  large.batch_size.record_n(8, 10);
  large.room = 320;
  EXPECT_DOUBLE_EQ(small.utilisation(), 1.0);
  EXPECT_DOUBLE_EQ(large.utilisation(), 0.25);
  small += large;
  EXPECT_DOUBLE_EQ(small.utilisation(), 160.0 / 400.0);
}

TEST(Utilisation, OfAnIntervalIsThatOfItsOwnBatches) {
  MetricsSnapshot earlier;
  earlier.batch_size.record_n(1, 100);
  earlier.room = 3'200;
  MetricsSnapshot later = earlier;
  later.batch_size.record_n(32, 10);
  later.room += 320;
  EXPECT_LT(later.utilisation(), 0.2);
  EXPECT_DOUBLE_EQ((later - earlier).utilisation(), 1.0);
  EXPECT_DOUBLE_EQ((later - earlier).mean_batch_size(), 32.0);
}

// --- Merging
/// A field that is added without a rule for it, and without a line in these tests, does not
/// compile.
TEST(Merge, AddsCountersAndGaugesAndTakesTheLargerOfAgesAndInstants) {
  MetricsSnapshot merged = numbered(10);
  merged += numbered(7);
  const MetricsSnapshot sum = numbered(17);
  const auto& [taken_at, interval, submitted, accepted, completed, completed_late, failed, shared,
               expired, cancelled, stopped, would_expire, evicted, rejected, batches,
               batches_failed, executions, items, room, computed, padding, queued, executing,
               executing_batches, blocked, max_batch_size, oldest_queued_age, oldest_executing_age,
               batch_size, service_time, queue_wait, latency, forecast, name, priorities, lanes,
               tenants] = merged;
  EXPECT_EQ(taken_at, numbered(10).taken_at);
  EXPECT_EQ(interval, numbered(10).interval);
  EXPECT_EQ(submitted, sum.submitted);
  EXPECT_EQ(accepted, sum.accepted);
  EXPECT_EQ(completed, sum.completed);
  EXPECT_EQ(completed_late, sum.completed_late);
  EXPECT_EQ(failed, sum.failed);
  EXPECT_EQ(shared, sum.shared);
  EXPECT_EQ(expired, sum.expired);
  EXPECT_EQ(cancelled, sum.cancelled);
  EXPECT_EQ(stopped, sum.stopped);
  EXPECT_EQ(would_expire, sum.would_expire);
  EXPECT_EQ(evicted, sum.evicted);
  EXPECT_EQ(rejected, sum.rejected);
  EXPECT_EQ(batches, sum.batches);
  EXPECT_EQ(batches_failed, sum.batches_failed);
  EXPECT_EQ(executions, sum.executions);
  EXPECT_EQ(items, sum.items);
  EXPECT_EQ(room, sum.room);
  EXPECT_EQ(computed, sum.computed);
  EXPECT_EQ(padding, sum.padding);
  EXPECT_EQ(queued, sum.queued);
  EXPECT_EQ(executing, sum.executing);
  EXPECT_EQ(executing_batches, sum.executing_batches);
  EXPECT_EQ(blocked, sum.blocked);
  EXPECT_EQ(max_batch_size, numbered(10).max_batch_size);
  EXPECT_EQ(oldest_queued_age, numbered(10).oldest_queued_age);
  EXPECT_EQ(oldest_executing_age, numbered(10).oldest_executing_age);
  EXPECT_EQ(batch_size, sum.batch_size);
  EXPECT_EQ(service_time, sum.service_time);
  EXPECT_EQ(queue_wait, sum.queue_wait);
  EXPECT_EQ(latency, sum.latency);
  EXPECT_EQ(forecast, sum.forecast);
  EXPECT_EQ(name, "");
  EXPECT_EQ(priorities, sum.priorities);
  EXPECT_EQ(lanes, sum.lanes);
  EXPECT_EQ(tenants, sum.tenants);
}

TEST(Merge, KeepsTheFirstName) {
  MetricsSnapshot merged;
  merged.name = "rank";
  MetricsSnapshot other;
  other.name = "embed";
  merged += other;
  EXPECT_EQ(merged.name, "rank");
  EXPECT_EQ((other - merged).name, "embed");
}

TEST(Merge, Commutes) {
  MetricsSnapshot left = numbered(3);
  left += numbered(11);
  MetricsSnapshot right = numbered(11);
  right += numbered(3);
  EXPECT_EQ(left, right);
}

TEST(Merge, Associates) {
  MetricsSnapshot left = numbered(3);
  left += numbered(11);
  left += numbered(5);
  MetricsSnapshot tail = numbered(11);
  tail += numbered(5);
  MetricsSnapshot right = numbered(3);
  right += tail;
  EXPECT_EQ(left, right);
}

TEST(Merge, WithAnEmptySnapshotChangesNothing) {
  MetricsSnapshot metrics = numbered(9);
  metrics += MetricsSnapshot{};
  EXPECT_EQ(metrics, numbered(9));
  MetricsSnapshot empty;
  empty += numbered(9);
  EXPECT_EQ(empty, numbered(9));
}

// --- Intervals
TEST(Interval, SubtractsCountersAndHistogramsAndKeepsTheLaterGauges) {
  const MetricsSnapshot later = numbered(10);
  const MetricsSnapshot earlier = numbered(4);
  const MetricsSnapshot between = later - earlier;
  const MetricsSnapshot difference = numbered(6);
  EXPECT_EQ(between.taken_at, later.taken_at);
  EXPECT_EQ(between.interval, Duration(6'000));
  EXPECT_EQ(between.submitted, difference.submitted);
  EXPECT_EQ(between.accepted, difference.accepted);
  EXPECT_EQ(between.completed, difference.completed);
  EXPECT_EQ(between.completed_late, difference.completed_late);
  EXPECT_EQ(between.shared, difference.shared);
  EXPECT_EQ(between.failed, difference.failed);
  EXPECT_EQ(between.expired, difference.expired);
  EXPECT_EQ(between.cancelled, difference.cancelled);
  EXPECT_EQ(between.stopped, difference.stopped);
  EXPECT_EQ(between.would_expire, difference.would_expire);
  EXPECT_EQ(between.evicted, difference.evicted);
  EXPECT_EQ(between.rejected, difference.rejected);
  EXPECT_EQ(between.batches, difference.batches);
  EXPECT_EQ(between.batches_failed, difference.batches_failed);
  EXPECT_EQ(between.executions, difference.executions);
  EXPECT_EQ(between.items, difference.items);
  EXPECT_EQ(between.room, difference.room);
  EXPECT_EQ(between.computed, difference.computed);
  EXPECT_EQ(between.padding, difference.padding);
  EXPECT_EQ(between.forecast, difference.forecast);
  for (const auto classes : batchwright::detail::kMetricsClasses) {
    EXPECT_EQ((between.*classes)[0].accepted, (difference.*classes)[0].accepted);
    EXPECT_EQ((between.*classes)[0].queued, (later.*classes)[0].queued);
    EXPECT_EQ((between.*classes)[0].queue_wait, (difference.*classes)[0].queue_wait);
  }
  EXPECT_EQ(between.queued, later.queued);
  EXPECT_EQ(between.executing, later.executing);
  EXPECT_EQ(between.executing_batches, later.executing_batches);
  EXPECT_EQ(between.blocked, later.blocked);
  EXPECT_EQ(between.max_batch_size, later.max_batch_size);
  EXPECT_EQ(between.oldest_queued_age, later.oldest_queued_age);
  EXPECT_EQ(between.oldest_executing_age, later.oldest_executing_age);
  EXPECT_EQ(between.batch_size, difference.batch_size);
  EXPECT_EQ(between.service_time, difference.service_time);
  EXPECT_EQ(between.queue_wait, difference.queue_wait);
  EXPECT_EQ(between.latency, difference.latency);
}

TEST(Interval, BetweenEqualSnapshotsHoldsTheGaugesAlone) {
  const MetricsSnapshot metrics = numbered(10);
  MetricsSnapshot expected;
  expected.taken_at = metrics.taken_at;
  expected.queued = metrics.queued;
  expected.executing = metrics.executing;
  expected.executing_batches = metrics.executing_batches;
  expected.blocked = metrics.blocked;
  expected.max_batch_size = metrics.max_batch_size;
  expected.oldest_queued_age = metrics.oldest_queued_age;
  expected.oldest_executing_age = metrics.oldest_executing_age;
  expected.forecast.emplace();
  for (const auto classes : batchwright::detail::kMetricsClasses) {
    (expected.*classes).emplace_back().label = "7";
    (expected.*classes).back().queued = (metrics.*classes).back().queued;
  }
  EXPECT_EQ(metrics - metrics, expected);
}

TEST(Interval, LeavesItsOperandsAlone) {
  const MetricsSnapshot later = numbered(10);
  const MetricsSnapshot earlier = numbered(4);
  static_cast<void>(later - earlier);
  EXPECT_EQ(later, numbered(10));
  EXPECT_EQ(earlier, numbered(4));
}

TEST(Interval, StaysAtZeroWhereTheEarlierSnapshotHasMore) {
  const MetricsSnapshot between = numbered(4) - numbered(10);
  EXPECT_EQ(between.accepted, 0u);
  EXPECT_EQ(between.rejected.total(), 0u);
  EXPECT_EQ(between.batches.total(), 0u);
  EXPECT_TRUE(between.latency.empty());
  EXPECT_EQ(between.throughput(), 0.0);
}

TEST(Interval, KeepsTheLawOfSubmissions) {
  std::mt19937_64 random(6);
  MetricsSnapshot earlier;
  for (int step = 0; step < 100; ++step) {
    MetricsSnapshot later = earlier;
    later.accepted += random() % 100;
    later.rejected[Outcome::queue_full] += random() % 10;
    later.rejected[Outcome::too_large] += random() % 10;
    later.submitted = later.accepted + later.rejected.total();
    const MetricsSnapshot between = later - earlier;
    ASSERT_EQ(between.submitted, between.accepted + between.rejected.total());
    earlier = later;
  }
}

TEST(Interval, GivesTheRateSinceTheEarlierSnapshot) {
  MetricsSnapshot earlier;
  earlier.taken_at = TimePoint(10s);
  earlier.interval = 10s;
  earlier.completed = 1'000'000;
  MetricsSnapshot later = earlier;
  later.taken_at = TimePoint(10s + 500ms);
  later.interval = 10s + 500ms;
  later.completed += 100;
  EXPECT_DOUBLE_EQ((later - earlier).throughput(), 200.0);
}

// --- The table
TEST(MetricsTable, HasOneLineForEachTopicAndOneForEachDistribution) {
  const std::vector<std::string> lines = lines_of(MetricsSnapshot{});
  ASSERT_EQ(lines.size(), 12u);
  const char* const starts[] = {"interval",   "requests",     "answered",   "rejected",
                                "now",        "batches",      "released",   "  ",
                                "batch size", "service time", "queue wait", "latency"};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].rfind(starts[i], 0), 0u) << lines[i];
    EXPECT_NE(lines[i].back(), ' ') << lines[i];
  }
}

TEST(MetricsTable, AlignsItsColumnsWithTheirHeadings) {
  MetricsSnapshot metrics;
  for (std::uint64_t value = 1; value < 100; ++value) {
    metrics.batch_size.record(value);
    metrics.service_time.record(value * 1'000'000);
    metrics.queue_wait.record(value * value * value);
    metrics.latency.record(value * 1'234'567'890);
  }
  const std::vector<std::string> lines = lines_of(metrics);
  for (std::size_t i = 8; i < 12; ++i) EXPECT_EQ(lines[i].size(), lines[7].size()) << lines[i];
}

TEST(MetricsTable, NamesEveryCount) {
  const MetricsSnapshot metrics = numbered(1);
  EXPECT_EQ(line_starting(metrics, "requests"), "requests    submitted 1  accepted 2  rejected " +
                                                    std::to_string(metrics.rejected.total()));
  EXPECT_EQ(line_starting(metrics, "answered"),
            "answered    completed 3  late 4  failed 5  expired 6  cancelled 7  stopped 8  "
            "would expire 9  evicted 10  shared 50");
  EXPECT_EQ(line_starting(metrics, "now"),
            "now         queued 37 (oldest 42 ns)  executing 38  in batches 39 (oldest 43 ns)  "
            "blocked 40");
}

TEST(MetricsTable, NamesTheBatcherAndTellsOfPaddingAndForecastsWhereThereAreSuch) {
  MetricsSnapshot metrics;
  metrics.name = "rank";
  metrics.computed = 40;
  metrics.padding = 10;
  metrics.forecast.emplace();
  metrics.forecast->record(1ms, 3ms);
  metrics.forecast->record(1ms, 0ms);
  EXPECT_EQ(lines_of(metrics).front(), "batcher     rank");
  EXPECT_EQ(line_starting(metrics, "batches"),
            "batches     computed 0  failed 0  executions 0  utilisation 0.00  padding 0.25");
  EXPECT_EQ(line_starting(metrics, "forecast"),
            "forecast    batches 2  mean error 500.00 us  without sign 1.50 ms");
}

TEST(MetricsTable, HasALineForEachClassThatHadARequest) {
  MetricsSnapshot metrics;
  metrics.tenants.resize(2);
  metrics.tenants[0].label = "acme";
  metrics.tenants[0].accepted = 3;
  metrics.tenants[0].queued = 1;
  metrics.tenants[0].completed = 2;
  metrics.tenants[0].queue_wait.record(2'000);
  metrics.tenants[0].queue_wait.record(4'000);
  metrics.tenants[1].label = "other";
  EXPECT_EQ(lines_of(metrics).back(),
            "tenant acme  accepted 3  queued 1  completed 2  mean wait 3.00 us (most 4.00 us)");
}

TEST(MetricsTable, ListsOnlyTheReasonsThatOccurred) {
  MetricsSnapshot metrics;
  EXPECT_EQ(line_starting(metrics, "rejected"), "rejected    none");
  EXPECT_EQ(line_starting(metrics, "released"), "released    none");
  metrics.rejected[Outcome::queue_full] = 3;
  metrics.rejected[Outcome::stopped] = 1;
  metrics.batches[ReleaseReason::size] = 20;
  metrics.batches[ReleaseReason::time] = 2;
  EXPECT_EQ(line_starting(metrics, "rejected"), "rejected    queue_full 3  stopped 1");
  EXPECT_EQ(line_starting(metrics, "released"), "released    size 20  time 2");
}

TEST(MetricsTable, ShowsEachTimeInTheUnitThatFits) {
  MetricsSnapshot metrics;
  metrics.interval = 1'500ms;
  EXPECT_EQ(line_starting(metrics, "interval"), "interval    1.50 s  throughput 0.00/s");
  metrics.interval = 999ns;
  EXPECT_TRUE(contains(line_starting(metrics, "interval"), " 999 ns "));
  metrics.interval = 1us;
  EXPECT_TRUE(contains(line_starting(metrics, "interval"), " 1.00 us "));
  metrics.interval = 12'345us;
  EXPECT_TRUE(contains(line_starting(metrics, "interval"), " 12.35 ms ") ||
              contains(line_starting(metrics, "interval"), " 12.34 ms "));
  metrics.interval = 7'200s;
  EXPECT_TRUE(contains(line_starting(metrics, "interval"), " 7200.00 s "));
}

TEST(MetricsTable, ShowsCountMeanQuantilesAndMaximumOfADistribution) {
  MetricsSnapshot metrics;
  metrics.latency.record_n(10'000, 999);
  metrics.latency.record(50'000'000);
  EXPECT_EQ(line_starting(metrics, "latency"),
            "latency            1000   59.99 us   10.11 us   10.11 us   10.11 us   10.11 us"
            "   50.00 ms");
  metrics.batch_size.record_n(32, 3);
  EXPECT_EQ(line_starting(metrics, "batch size"),
            "batch size            3      32.00      32.00      32.00      32.00      32.00"
            "      32.00");
}

TEST(MetricsTable, SurvivesTheLargestNumbers) {
  MetricsSnapshot metrics = numbered(1);
  metrics.interval = 1ns;
  metrics.completed = UINT64_MAX;
  metrics.latency.record_n(UINT64_MAX, UINT64_MAX / 2);
  metrics.batch_size.record_n(UINT64_MAX, 1);
  const std::vector<std::string> lines = lines_of(metrics);
  EXPECT_EQ(lines.size(), 16u);  // With the forecast and a class of each kind.
  EXPECT_TRUE(contains(lines[2], "completed 18446744073709551615"));
}

}  // namespace
