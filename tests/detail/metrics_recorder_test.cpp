// SPDX-License-Identifier: MIT
#include <batchwright/detail/metrics_recorder.hpp>
#include <batchwright/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::Histogram;
using batchwright::kOutcomeCount;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::SystemRuntime;
using batchwright::TimePoint;
using batchwright::detail::BatchRecord;
using batchwright::detail::MetricsRecorder;
using batchwright::detail::RequestRecord;

/// Time stands still until it is moved; nothing ever parks, because one thread alone uses it.
struct ManualRuntime : SystemRuntime {
  TimePoint* clock = nullptr;
  TimePoint now() const noexcept { return clock == nullptr ? TimePoint{} : *clock; }
};
static_assert(batchwright::Runtime<ManualRuntime>);

/// Counts how often a lock is taken.
struct CountingRuntime : SystemRuntime {
  std::atomic<int>* locks = nullptr;
  void interleave(const char*) const noexcept {
    if (locks != nullptr) ++*locks;
  }
};
static_assert(batchwright::Runtime<CountingRuntime>);

/// Runs a function once, just before a lock is taken for the n-th time.
struct InterruptingRuntime : SystemRuntime {
  struct Interruption {
    int locks_left = 0;
    std::function<void()> run;
  };
  Interruption* interruption = nullptr;
  void interleave(const char*) const noexcept {
    if (interruption != nullptr && --interruption->locks_left == 0) interruption->run();
  }
};
static_assert(batchwright::Runtime<InterruptingRuntime>);

using Recorder = MetricsRecorder<SystemRuntime>;

TEST(MetricsRecorder, StartsAtZero) {
  const Recorder recorder(SystemRuntime{}, 3);
  MetricsSnapshot expected;
  const MetricsSnapshot snapshot = recorder.snapshot();
  expected.taken_at = snapshot.taken_at;
  expected.interval = snapshot.interval;
  EXPECT_EQ(snapshot, expected);
}

TEST(MetricsRecorder, StampsSnapshotsWithTheRuntimesTime) {
  TimePoint clock(100s);
  ManualRuntime runtime;
  runtime.clock = &clock;
  const MetricsRecorder<ManualRuntime> recorder(runtime, 1);
  EXPECT_EQ(recorder.snapshot().taken_at, TimePoint(100s));
  EXPECT_EQ(recorder.snapshot().interval, Duration(0));
  clock += 250ms;
  const MetricsSnapshot earlier = recorder.snapshot();
  EXPECT_EQ(earlier.taken_at, TimePoint(100s + 250ms));
  EXPECT_EQ(earlier.interval, 250ms);
  clock += 1s;
  EXPECT_EQ((recorder.snapshot() - earlier).interval, 1s);
}

TEST(MetricsRecorder, CountsWhatTheDispatcherAccepts) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.dispatcher().accepted(5);
  recorder.dispatcher().accepted(0);
  recorder.dispatcher().accepted(2);
  EXPECT_EQ(recorder.snapshot().accepted, 7u);
  EXPECT_EQ(recorder.snapshot().submitted, 7u);
}

TEST(MetricsRecorder, CountsARefusalAsSubmittedAndNotAccepted) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.dispatcher().accepted(10);
  recorder.refused(Outcome::queue_full);
  recorder.refused(Outcome::queue_full, 3);
  recorder.refused(Outcome::too_large);
  recorder.refused(Outcome::would_deadlock, 0);
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.submitted, 15u);
  EXPECT_EQ(snapshot.accepted, 10u);
  EXPECT_EQ(snapshot.rejected[Outcome::queue_full], 4u);
  EXPECT_EQ(snapshot.rejected[Outcome::too_large], 1u);
  EXPECT_EQ(snapshot.rejected.total(), 5u);
}

TEST(MetricsRecorder, KeepsRefusalsOfEachOutcomeApart) {
  Recorder recorder(SystemRuntime{}, 1);
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    recorder.refused(static_cast<Outcome>(i), std::uint64_t{1} << i);
  }
  const MetricsSnapshot snapshot = recorder.snapshot();
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    EXPECT_EQ(snapshot.rejected.values[i], std::uint64_t{1} << i);
  }
}

TEST(MetricsRecorder, CountsEachEndUnderItsOwnName) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.dispatcher().ended(Outcome::expired, 2);
  recorder.dispatcher().ended(Outcome::cancelled, 3);
  recorder.dispatcher().ended(Outcome::stopped, 5);
  recorder.dispatcher().ended(Outcome::expired);
  recorder.executor(0).ended(Outcome::cancelled);
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.expired, 3u);
  EXPECT_EQ(snapshot.cancelled, 4u);
  EXPECT_EQ(snapshot.stopped, 5u);
  EXPECT_EQ(snapshot.completed, 0u);
  EXPECT_EQ(snapshot.evicted, 0u);
  EXPECT_EQ(snapshot.answered(), 12u);
}

TEST(MetricsRecorder, LosesNoAnswerWhateverItsOutcome) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.dispatcher().accepted(2 * kOutcomeCount);
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    recorder.dispatcher().ended(static_cast<Outcome>(i));
    recorder.executor(0).answered({.outcome = static_cast<Outcome>(i)});
  }
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.answered(), 2 * kOutcomeCount);
  EXPECT_EQ(snapshot.unaccounted(), 0);
  // What no accepted request ends with counts as an eviction.
  EXPECT_EQ(snapshot.evicted, 2 * (kOutcomeCount - 6));
  EXPECT_EQ(snapshot.rejected.total(), 0u);
}

TEST(MetricsRecorder, RecordsABatch) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).batch(
      {.reason = ReleaseReason::time, .count = 3, .size = 12, .cap = 32, .service_time = 5us});
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.batches[ReleaseReason::time], 1u);
  EXPECT_EQ(snapshot.batches.total(), 1u);
  EXPECT_EQ(snapshot.batches_failed, 0u);
  EXPECT_EQ(snapshot.executions, 1u);
  EXPECT_EQ(snapshot.items, 3u);
  EXPECT_EQ(snapshot.room, 32u);
  EXPECT_EQ(snapshot.batch_size.count(), 1u);
  EXPECT_EQ(snapshot.batch_size.max(), 12u);
  EXPECT_EQ(snapshot.service_time.max(), 5'000u);
  EXPECT_DOUBLE_EQ(snapshot.utilisation(), 12.0 / 32.0);
}

TEST(MetricsRecorder, AddsUpWhatWasComputedAndWhatOfItWasPadding) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).batch({.count = 3, .size = 3, .computed = 4, .padding = 1});
  recorder.executor(0).batch({.count = 5, .size = 5, .computed = 8, .padding = 3});
  EXPECT_EQ(recorder.snapshot().computed, 12u);
  EXPECT_EQ(recorder.snapshot().padding, 4u);
  EXPECT_DOUBLE_EQ(recorder.snapshot().padding_rate(), 4.0 / 12);
}

TEST(MetricsRecorder, ComparesAForecastWithWhatTheBatchTookUnlessThatSaysNothing) {
  Recorder recorder(SystemRuntime{}, 2);
  recorder.executor(0).batch({.count = 1, .size = 1, .service_time = 5us, .forecast = 4us});
  recorder.executor(1).batch({.count = 1, .size = 1, .service_time = 1us, .forecast = 4us});
  recorder.executor(0).batch({.count = 1, .size = 1, .service_time = 9us});
  recorder.executor(0).batch(
      {.count = 1, .size = 1, .service_time = 9us, .forecast = 4us, .failed = true});
  recorder.executor(0).batch(
      {.count = 1, .size = 1, .service_time = 9us, .forecast = 4us, .executions = 2});
  const batchwright::ForecastMetrics forecasts = recorder.forecasts();
  EXPECT_EQ(forecasts.count(), 2u);
  EXPECT_EQ(forecasts.late.sum(), 1'000);
  EXPECT_EQ(forecasts.early.sum(), 3'000);
  EXPECT_FALSE(recorder.snapshot().forecast.has_value());  // Whether there is one the batcher says.
}

struct Classified {
  batchwright::detail::ClassIds ids;
  batchwright::detail::ClassIds classes() const { return ids; }
};

TEST(MetricsRecorder, CountsAnAnswerForEachClassOfItsRequest) {
  using batchwright::detail::kNoClass;
  Recorder recorder(SystemRuntime{}, 2, 4);
  recorder.executor(0).answered({.queue_wait = 20ns, .late = true}, Classified{{0, kNoClass, 3}});
  recorder.executor(1).answered({.outcome = Outcome::failed, .queue_wait = 30ns, .late = true},
                                Classified{{1, kNoClass, 3}});
  recorder.dispatcher().ended(Outcome::expired, {0, kNoClass, kNoClass});
  const auto classes = recorder.classes();
  ASSERT_EQ(classes.size(), 4u);
  EXPECT_EQ(classes[0].completed, 1u);
  EXPECT_EQ(classes[0].completed_late, 1u);
  EXPECT_EQ(classes[0].expired, 1u);
  EXPECT_EQ(classes[0].queue_wait.sum(), 20);
  EXPECT_EQ(classes[1].failed, 1u);
  EXPECT_EQ(classes[1].completed_late, 0u);
  EXPECT_EQ(classes[2], batchwright::ClassCounts());
  EXPECT_EQ(classes[3].answered(), 2u);
  EXPECT_EQ(classes[3].queue_wait.sum(), 50);
  EXPECT_EQ(recorder.snapshot().completed, 1u);
  EXPECT_EQ(recorder.snapshot().expired, 1u);
  EXPECT_EQ(recorder.snapshot().latency.count(), 2u);
}

TEST(MetricsRecorder, CountsTheAnswersOfABatchAsEachByItself) {
  struct Answered : Classified {
    TimePoint enqueued{};
    TimePoint deadline{};
  };
  const auto at = [](int ns) { return TimePoint(Duration(ns)); };
  const std::vector<Answered> requests{{{{0, 1, 2}}, at(100), at(400)},
                                       {{{0, 1, 3}}, at(150), at(299)},
                                       {{{0, 2, 3}}, at(350), at(300)}};  // After its own start.
  for (const Outcome outcome : {Outcome::ok, Outcome::failed}) {
    Recorder together(SystemRuntime{}, 1, 4);
    Recorder each(SystemRuntime{}, 1, 4);
    {
      auto writer = together.executor(0);
      Recorder::Writer::Answers all(writer, outcome);
      for (const Answered& request : requests) all.add(at(200), at(300), request);
    }
    for (const Answered& request : requests) {
      each.executor(0).answered({.outcome = outcome,
                                 .queue_wait = at(200) - request.enqueued,
                                 .latency = at(300) - request.enqueued,
                                 .late = at(300) > request.deadline},
                                request);
    }
    EXPECT_EQ(together.classes(), each.classes());
    MetricsSnapshot counted = together.snapshot();
    const MetricsSnapshot expected = each.snapshot();
    EXPECT_EQ(counted.completed_late, outcome == Outcome::ok ? 1u : 0u);
    counted.taken_at = expected.taken_at;
    counted.interval = expected.interval;
    EXPECT_EQ(counted, expected);
  }
}

TEST(MetricsRecorder, AsksForNoClassesWhereNoneAreCounted) {
  struct Unasked {
    batchwright::detail::ClassIds classes() const {
      ADD_FAILURE();
      return batchwright::detail::kNoClasses;
    }
  };
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).answered({}, Unasked());
  EXPECT_TRUE(recorder.classes().empty());
  EXPECT_EQ(recorder.snapshot().completed, 1u);
}

TEST(MetricsRecorder, CountsBatchesByTheReasonOfTheirRelease) {
  Recorder recorder(SystemRuntime{}, 1);
  for (std::size_t i = 0; i < batchwright::kReleaseReasonCount; ++i) {
    for (std::size_t n = 0; n <= i; ++n) {
      recorder.executor(0).batch({.reason = static_cast<ReleaseReason>(i), .count = 1, .size = 1});
    }
  }
  const MetricsSnapshot snapshot = recorder.snapshot();
  for (std::size_t i = 0; i < batchwright::kReleaseReasonCount; ++i) {
    EXPECT_EQ(snapshot.batches.values[i], i + 1);
  }
  EXPECT_EQ(snapshot.batch_size.count(), snapshot.batches.total());
}

TEST(MetricsRecorder, CountsFailedBatchesAndEveryCallOfThePredictor) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).batch({.count = 8, .size = 8, .executions = 4, .failed = true});
  recorder.executor(0).batch({.count = 8, .size = 8});
  recorder.executor(0).batch({.count = 8, .size = 8, .executions = 0});
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.batches.total(), 3u);
  EXPECT_EQ(snapshot.batches_failed, 1u);
  EXPECT_EQ(snapshot.executions, 5u);
}

TEST(MetricsRecorder, NeverShowsMoreThanFullUtilisation) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).batch({.count = 1, .size = 100, .cap = 32});
  EXPECT_DOUBLE_EQ(recorder.snapshot().utilisation(), 1.0);
  recorder.executor(0).batch({.count = 1, .size = 16, .cap = 100});
  EXPECT_DOUBLE_EQ(recorder.snapshot().utilisation(), 0.58);
}

TEST(MetricsRecorder, RecordsAnAnsweredRequest) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).answered({.queue_wait = 20ns, .latency = 50ns});
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.completed, 1u);
  EXPECT_EQ(snapshot.completed_late, 0u);
  EXPECT_EQ(snapshot.queue_wait.count(), 1u);
  EXPECT_EQ(snapshot.queue_wait.max(), 20u);
  EXPECT_EQ(snapshot.latency.count(), 1u);
  EXPECT_EQ(snapshot.latency.max(), 50u);
}

TEST(MetricsRecorder, CountsALateAnswerAsCompletedToo) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).answered({.late = true});
  recorder.executor(0).answered({.late = false});
  EXPECT_EQ(recorder.snapshot().completed, 2u);
  EXPECT_EQ(recorder.snapshot().completed_late, 1u);
}

TEST(MetricsRecorder, DoesNotCountALateFailureAsLateCompletion) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).answered({.outcome = Outcome::failed, .late = true});
  EXPECT_EQ(recorder.snapshot().failed, 1u);
  EXPECT_EQ(recorder.snapshot().completed_late, 0u);
  EXPECT_EQ(recorder.snapshot().latency.count(), 1u);
}

TEST(MetricsRecorder, TakesATimeBelowZeroForZero) {
  Recorder recorder(SystemRuntime{}, 1);
  {
    auto writer = recorder.executor(0);
    writer.batch({.count = 1, .size = 1, .service_time = -1ns});
    writer.answered({.queue_wait = -5s, .latency = Duration::min()});
  }
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.service_time.max(), 0u);
  EXPECT_EQ(snapshot.queue_wait.max(), 0u);
  EXPECT_EQ(snapshot.latency.max(), 0u);
  EXPECT_EQ(snapshot.latency.count(), 1u);
}

TEST(MetricsRecorder, KeepsTheLongestTimeThereIs) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).answered({.latency = Duration::max()});
  EXPECT_EQ(recorder.snapshot().latency.max(), static_cast<std::uint64_t>(Duration::max().count()));
}

TEST(MetricsRecorder, MergesTheShardsOfAllExecutorsAndTheDispatcher) {
  Recorder recorder(SystemRuntime{}, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    auto writer = recorder.executor(i);
    writer.batch({.count = i + 1, .size = i + 1, .cap = 4, .service_time = Duration(100 * i)});
    for (std::size_t n = 0; n <= i; ++n) writer.answered({.queue_wait = 1ns, .latency = 2ns});
  }
  recorder.dispatcher().accepted(10);
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.completed, 10u);
  EXPECT_EQ(snapshot.items, 10u);
  EXPECT_EQ(snapshot.unaccounted(), 0);
  EXPECT_DOUBLE_EQ(snapshot.mean_batch_size(), 2.5);
  EXPECT_EQ(snapshot.batch_size.min(), 1u);
  EXPECT_EQ(snapshot.batch_size.max(), 4u);
  EXPECT_EQ(snapshot.queue_wait.count(), 10u);
}

TEST(MetricsRecorder, LetsADispatcherWithoutExecutorsRecordItsOwnBatches) {
  Recorder recorder(SystemRuntime{}, 0);
  {
    auto writer = recorder.dispatcher();
    writer.accepted(2);
    writer.batch({.reason = ReleaseReason::greedy, .count = 2, .size = 2, .cap = 2});
    writer.answered({});
    writer.answered({});
  }
  EXPECT_EQ(recorder.snapshot().completed, 2u);
  EXPECT_EQ(recorder.snapshot().unaccounted(), 0);
  EXPECT_DOUBLE_EQ(recorder.snapshot().utilisation(), 1.0);
}

TEST(MetricsRecorder, LeavesTheGaugesToTheBatcher) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.dispatcher().accepted(3);
  const MetricsSnapshot snapshot = recorder.snapshot();
  EXPECT_EQ(snapshot.queued, 0u);
  EXPECT_EQ(snapshot.executing, 0u);
  EXPECT_EQ(snapshot.executing_batches, 0u);
  EXPECT_EQ(snapshot.blocked, 0u);
  EXPECT_EQ(snapshot.max_batch_size, 0u);
  EXPECT_EQ(snapshot.unaccounted(), 3);
}

TEST(MetricsRecorder, TakesOneLockForABatchAndAllItsRequests) {
  std::atomic<int> locks{0};
  CountingRuntime runtime;
  runtime.locks = &locks;
  MetricsRecorder<CountingRuntime> recorder(runtime, 1);
  {
    auto writer = recorder.executor(0);
    writer.batch({.count = 32, .size = 32});
    for (int i = 0; i < 32; ++i) writer.answered({});
  }
  EXPECT_EQ(locks, 1);
}

TEST(MetricsRecorder, TakesNoLockForARefusal) {
  std::atomic<int> locks{0};
  CountingRuntime runtime;
  runtime.locks = &locks;
  MetricsRecorder<CountingRuntime> recorder(runtime, 1);
  recorder.refused(Outcome::queue_full);
  EXPECT_EQ(locks, 0);
}

TEST(MetricsRecorder, LocksEachShardOnceForASnapshot) {
  std::atomic<int> locks{0};
  CountingRuntime runtime;
  runtime.locks = &locks;
  const MetricsRecorder<CountingRuntime> recorder(runtime, 3);
  static_cast<void>(recorder.snapshot());
  EXPECT_EQ(locks, 4);
}

TEST(MetricsRecorder, ShowsNoAnswerWithoutItsAcceptanceWhereverASnapshotIsInterrupted) {
  for (int lock = 1; lock <= 3; ++lock) {
    InterruptingRuntime::Interruption interruption;
    InterruptingRuntime runtime;
    runtime.interruption = &interruption;
    MetricsRecorder<InterruptingRuntime> recorder(runtime, 2);
    interruption.locks_left = lock;
    interruption.run = [&recorder] {
      recorder.dispatcher().accepted(2);
      recorder.executor(0).answered({});
      recorder.executor(1).answered({});
    };
    EXPECT_GE(recorder.snapshot().unaccounted(), 0) << "before lock " << lock;
    EXPECT_EQ(recorder.snapshot().completed, 2u);
    EXPECT_EQ(recorder.snapshot().unaccounted(), 0);
  }
}

TEST(MetricsRecorder, LetsOneShardBeWrittenWhileAnotherIsHeld) {
  Recorder recorder(SystemRuntime{}, 2);
  const auto held = recorder.executor(0);
  recorder.executor(1).answered({});
  recorder.dispatcher().accepted(1);
  recorder.refused(Outcome::stopped);
}

TEST(MetricsRecorder, HandsOutWritersThatCannotEscapeTheirScope) {
  using Writer = Recorder::Writer;
  static_assert(!std::is_copy_constructible_v<Writer>);
  static_assert(!std::is_move_constructible_v<Writer>);
  static_assert(!std::is_copy_assignable_v<Writer>);
}

TEST(MetricsRecorder, GivesTheIntervalBetweenTwoSnapshots) {
  Recorder recorder(SystemRuntime{}, 1);
  recorder.executor(0).batch({.count = 1, .size = 1, .cap = 8});
  recorder.refused(Outcome::queue_full, 4);
  const MetricsSnapshot earlier = recorder.snapshot();
  recorder.executor(0).batch({.reason = ReleaseReason::net, .count = 8, .size = 8, .cap = 8});
  recorder.refused(Outcome::stopped, 2);
  const MetricsSnapshot between = recorder.snapshot() - earlier;
  EXPECT_EQ(between.batches.total(), 1u);
  EXPECT_EQ(between.batches[ReleaseReason::net], 1u);
  EXPECT_EQ(between.items, 8u);
  EXPECT_EQ(between.rejected.total(), 2u);
  EXPECT_DOUBLE_EQ(between.utilisation(), 1.0);
}

TEST(MetricsRecorder, AgreesWithASingleListOfAllThatHappened) {
  std::mt19937_64 random(99);
  Recorder recorder(SystemRuntime{}, 3);
  MetricsSnapshot expected;
  for (int step = 0; step < 2'000; ++step) {
    auto writer = recorder.executor(random() % 3);
    BatchRecord batch{.reason = static_cast<ReleaseReason>(random() % 8),
                      .count = 1 + random() % 8,
                      .cap = 64,
                      .service_time = Duration(random() % 1'000'000)};
    batch.size = batch.count * (1 + random() % 4);
    batch.failed = random() % 4 == 0;
    writer.batch(batch);
    ++expected.batches[batch.reason];
    expected.batches_failed += batch.failed ? 1 : 0;
    expected.items += batch.count;
    expected.batch_size.record(batch.size);
    expected.service_time.record(static_cast<std::uint64_t>(batch.service_time.count()));
    for (std::size_t i = 0; i < batch.count; ++i) {
      const RequestRecord request{.outcome = batch.failed ? Outcome::failed : Outcome::ok,
                                  .queue_wait = Duration(random() % 5'000),
                                  .latency = Duration(random() % 5'000'000),
                                  .late = random() % 2 == 0};
      writer.answered(request);
      ++(batch.failed ? expected.failed : expected.completed);
      expected.completed_late += request.late && !batch.failed ? 1 : 0;
      expected.queue_wait.record(static_cast<std::uint64_t>(request.queue_wait.count()));
      expected.latency.record(static_cast<std::uint64_t>(request.latency.count()));
    }
  }
  expected.executions = 2'000;
  expected.room = 2'000 * 64;
  MetricsSnapshot snapshot = recorder.snapshot();
  expected.taken_at = snapshot.taken_at;
  expected.interval = snapshot.interval;
  EXPECT_EQ(snapshot, expected);
}

/// A dispatcher accepts and hands over, executors answer, producers are refused, and one thread
/// looks on all the while.
class ConcurrentRecording : public ::testing::Test {
 protected:
  static constexpr std::size_t kExecutors = 2;
  static constexpr std::uint64_t kRounds = 2'000;
  static constexpr std::uint64_t kIntake = 10;  // Accepted in each round;
  static constexpr std::uint64_t kExpired = 2;  // of these the dispatcher answers some itself
  static constexpr std::uint64_t kBatch = 4;    // and hands one batch to each executor.
  static constexpr std::uint64_t kRefusals = 5'000;

  void dispatch() {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      recorder_.dispatcher().accepted(kIntake);
      recorder_.dispatcher().ended(Outcome::expired, kExpired);
      for (auto& handed : handed_) handed.fetch_add(1, std::memory_order_release);
    }
  }

  void execute(std::size_t executor) {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      while (handed_[executor].load(std::memory_order_acquire) <= round) std::this_thread::yield();
      auto writer = recorder_.executor(executor);
      const bool failed = round % 10 == 0;
      writer.batch({.count = kBatch, .size = kBatch, .cap = 8, .failed = failed});
      for (std::uint64_t i = 0; i < kBatch; ++i) {
        writer.answered({.outcome = failed ? Outcome::failed : Outcome::ok,
                         .queue_wait = Duration(round),
                         .latency = Duration(round + i)});
      }
    }
    done_.fetch_add(1);
  }

  void refuse() {
    for (std::uint64_t i = 0; i < kRefusals; ++i) {
      recorder_.refused(i % 5 == 0 ? Outcome::too_large : Outcome::queue_full);
    }
  }

  Recorder recorder_{SystemRuntime{}, kExecutors};
  std::atomic<std::uint64_t> handed_[kExecutors] = {};
  std::atomic<std::size_t> done_{0};
};

void expect_no_step_back(const MetricsSnapshot& later, const MetricsSnapshot& earlier) {
  EXPECT_GE(later.taken_at, earlier.taken_at);
  EXPECT_GE(later.submitted, earlier.submitted);
  EXPECT_GE(later.accepted, earlier.accepted);
  EXPECT_GE(later.completed, earlier.completed);
  EXPECT_GE(later.failed, earlier.failed);
  EXPECT_GE(later.expired, earlier.expired);
  EXPECT_GE(later.rejected.total(), earlier.rejected.total());
  EXPECT_GE(later.batches.total(), earlier.batches.total());
  EXPECT_GE(later.latency.count(), earlier.latency.count());
}

TEST_F(ConcurrentRecording, LosesNothingAndNeverShowsMoreAnswersThanAcceptances) {
  std::vector<std::thread> threads;
  threads.emplace_back([this] { dispatch(); });
  for (std::size_t i = 0; i < kExecutors; ++i) threads.emplace_back([this, i] { execute(i); });
  for (int i = 0; i < 2; ++i) threads.emplace_back([this] { refuse(); });

  MetricsSnapshot previous = recorder_.snapshot();
  while (done_.load() < kExecutors) {
    const MetricsSnapshot snapshot = recorder_.snapshot();
    expect_no_step_back(snapshot, previous);
    EXPECT_GE(snapshot.unaccounted(), 0);
    EXPECT_EQ(snapshot.submitted, snapshot.accepted + snapshot.rejected.total());
    // A batch and its requests are recorded under one lock: no snapshot comes between them.
    EXPECT_EQ(snapshot.items, snapshot.completed + snapshot.failed);
    EXPECT_EQ(snapshot.items, snapshot.latency.count());
    EXPECT_EQ(snapshot.batches.total(), snapshot.batch_size.count());
    previous = snapshot;
    if (HasFailure()) break;
  }
  for (auto& thread : threads) thread.join();

  const MetricsSnapshot end = recorder_.snapshot();
  EXPECT_EQ(end.accepted, kRounds * kIntake);
  EXPECT_EQ(end.expired, kRounds * kExpired);
  EXPECT_EQ(end.completed + end.failed, kRounds * kExecutors * kBatch);
  EXPECT_EQ(end.failed, kRounds / 10 * kExecutors * kBatch);
  EXPECT_EQ(end.batches_failed, kRounds / 10 * kExecutors);
  EXPECT_EQ(end.rejected[Outcome::too_large], 2 * kRefusals / 5);
  EXPECT_EQ(end.rejected.total(), 2 * kRefusals);
  EXPECT_EQ(end.queue_wait.count(), end.items);
  EXPECT_EQ(end.unaccounted(), 0);
}

TEST_F(ConcurrentRecording, OfOneShardByManyThreadsLosesNothing) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (std::uint64_t n = 0; n < kRounds; ++n) {
        auto writer = recorder_.executor(0);
        writer.batch({.count = 1, .size = 1, .cap = 1, .service_time = Duration(n)});
        writer.answered({.latency = Duration(n)});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const MetricsSnapshot end = recorder_.snapshot();
  EXPECT_EQ(end.completed, 4 * kRounds);
  EXPECT_EQ(end.batches.total(), 4 * kRounds);
  EXPECT_EQ(end.latency.count(), 4 * kRounds);
  EXPECT_EQ(end.latency.max(), kRounds - 1);
  EXPECT_EQ(end.service_time.sum(), 4.0 * kRounds * (kRounds - 1) / 2);
}

}  // namespace
