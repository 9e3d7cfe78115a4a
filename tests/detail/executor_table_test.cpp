// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/executor_table.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using batchwright::BatchReport;
using batchwright::Duration;
using batchwright::RunningBatch;
using batchwright::TimePoint;
using batchwright::detail::ExecutorTable;
using batchwright_test::Random;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

BatchReport report_of(std::uint64_t batch_id, std::size_t executor, std::int64_t service) {
  BatchReport report;
  report.batch_id = batch_id;
  report.executor = executor;
  report.size = report.count = 1;
  report.dispatched = at(0);
  report.finished = at(service);
  return report;
}

/// A batch on `executor` from beginning to end, to teach its mean.
void run(ExecutorTable& table, std::size_t executor, std::int64_t service) {
  table.start(99, executor, 1, at(0));
  table.finish(report_of(99, executor, service));
  table.vacate(executor);
}

TEST(ExecutorTable, AllAreFreeAtFirstAndTheFirstIsChosen) {
  ExecutorTable table(3, 3);
  EXPECT_EQ(table.count(), 3u);
  EXPECT_EQ(table.available(), 3u);
  EXPECT_EQ(table.choose(), 0u);
  EXPECT_TRUE(table.running().empty());
}

TEST(ExecutorTable, AnOccupiedExecutorIsNotChosen) {
  ExecutorTable table(3, 3);
  table.start(1, 0, 5, at(0));
  EXPECT_EQ(table.available(), 2u);
  EXPECT_EQ(table.choose(), 1u);
}

TEST(ExecutorTable, ABatchThatRunsIsListedUntilItIsFinished) {
  ExecutorTable table(2, 2);
  table.start(7, 1, 5, at(30));
  ASSERT_EQ(table.running().size(), 1u);
  EXPECT_EQ(table.running()[0].batch_id, 7u);
  EXPECT_EQ(table.running()[0].executor, 1u);
  EXPECT_EQ(table.running()[0].size, 5u);
  EXPECT_EQ(table.running()[0].dispatched, at(30));
  table.vacate(1);
  EXPECT_EQ(table.running().size(), 1u);
  table.finish(report_of(7, 1, 40));
  EXPECT_TRUE(table.running().empty());
}

TEST(ExecutorTable, UnfinishedBatchesAreLimitedThoughExecutorsAreFree) {
  ExecutorTable table(3, 2);
  EXPECT_EQ(table.available(), 2u);
  table.start(1, 0, 1, at(0));
  table.start(2, 1, 1, at(0));
  table.vacate(0);
  table.vacate(1);
  EXPECT_EQ(table.available(), 0u);
  table.finish(report_of(2, 1, 5));
  EXPECT_EQ(table.available(), 1u);
}

TEST(ExecutorTable, AFinishedBatchDoesNotFreeAnExecutorThatHasNotReturned) {
  ExecutorTable table(1, 2);
  table.start(1, 0, 1, at(0));
  table.finish(report_of(1, 0, 5));
  EXPECT_EQ(table.available(), 0u);
  table.vacate(0);
  EXPECT_EQ(table.available(), 1u);
}

TEST(ExecutorTable, IsExhaustedWhileNothingCanBeDispatchedBeforeABatchIsFinished) {
  ExecutorTable table(2, 4);
  EXPECT_FALSE(table.exhausted());
  table.start(1, 0, 1, at(0));
  EXPECT_FALSE(table.exhausted());
  table.start(2, 1, 1, at(0));
  EXPECT_TRUE(table.exhausted());
  table.vacate(0);
  EXPECT_FALSE(table.exhausted());

  // One that can borrow executors is not, unless it has all that there are, or as many batches as it may.
  ExecutorTable pooled(2, 1, true);
  EXPECT_FALSE(pooled.exhausted());
  pooled.grant(0);
  pooled.start(1, 0, 1, at(0));
  EXPECT_TRUE(pooled.exhausted());
}

TEST(ExecutorTable, TheFastestFreeExecutorIsChosen) {
  ExecutorTable table(3, 3);
  run(table, 0, 30);
  run(table, 1, 10);
  run(table, 2, 20);
  EXPECT_EQ(table.choose(), 1u);
  table.start(1, 1, 1, at(0));
  EXPECT_EQ(table.choose(), 2u);
}

TEST(ExecutorTable, WhoHasFewerUnfinishedBatchesIsChosenBeforeTheFaster) {
  ExecutorTable table(2, 4);
  run(table, 0, 10);
  run(table, 1, 20);
  table.start(1, 0, 1, at(0));
  table.vacate(0);  // An asynchronous predictor has returned.
  EXPECT_EQ(table.choose(), 1u);
  table.start(2, 1, 1, at(0));
  table.vacate(1);
  EXPECT_EQ(table.choose(), 0u);
  table.finish(report_of(2, 1, 20));
  EXPECT_EQ(table.choose(), 1u);
}

TEST(ExecutorTable, OfThoseWhoComputeTheOneThatEndsFirstIsChosen) {
  ExecutorTable table(2, 4);
  run(table, 0, 10);
  run(table, 1, 20);
  table.start(1, 1, 1, at(0));
  table.start(2, 0, 1, at(15));
  table.vacate(0);
  table.vacate(1);
  EXPECT_EQ(table.choose(), 1u);
}

TEST(ExecutorTable, OfEquallyFastExecutorsTheFirstIsChosen) {
  ExecutorTable table(3, 3);
  for (const std::size_t executor : {2u, 0u, 1u}) run(table, executor, 10);
  EXPECT_EQ(table.choose(), 0u);
}

TEST(ExecutorTable, ABatchIsExpectedToTakeTheMeanOfItsExecutor) {
  ExecutorTable table(1, 1);
  run(table, 0, 80);
  run(table, 0, 160);  // 80 + 80 / 8
  table.start(1, 0, 1, at(1000));
  EXPECT_EQ(table.running()[0].expected_finish, at(1090));
}

TEST(ExecutorTable, AnExecutorNotYetSeenIsExpectedToTakeNoTime) {
  ExecutorTable table(1, 1);
  table.start(1, 0, 1, at(1000));
  EXPECT_EQ(table.running()[0].expected_finish, at(1000));
}

TEST(ExecutorTable, AFirstBatchOfNoTimeIsASampleLikeAnother) {
  ExecutorTable table(1, 1);
  run(table, 0, 0);
  run(table, 0, 80);
  table.start(1, 0, 1, at(0));
  EXPECT_EQ(table.running()[0].expected_finish, at(10));
}

TEST(ExecutorTable, ABatchThatWasNotComputedTeachesNothing) {
  ExecutorTable table(1, 1);
  run(table, 0, 80);
  table.start(1, 0, 1, at(0));
  BatchReport report = report_of(1, 0, 16);
  report.size = report.count = 0;
  table.finish(report);
  table.vacate(0);
  EXPECT_TRUE(table.running().empty());
  table.start(2, 0, 1, at(0));
  EXPECT_EQ(table.running()[0].expected_finish, at(80));
}

TEST(ExecutorTable, TheOldestDispatchIsThatOfTheUnfinishedBatches) {
  ExecutorTable table(2, 2);
  EXPECT_EQ(table.oldest_dispatch(), batchwright::kNever);
  table.start(1, 0, 1, at(3));
  table.start(2, 1, 1, at(5));
  EXPECT_EQ(table.oldest_dispatch(), at(3));
  table.finish(report_of(1, 0, 9));
  EXPECT_EQ(table.oldest_dispatch(), at(5));
}

TEST(ExecutorTable, AgreesWithANaiveTableOnRandomEvents) {
  struct NaiveExecutor {
    bool occupied = false;
    bool seen = false;
    std::int64_t mean = 0;
    TimePoint last{};
  };
  struct NaiveBatch {
    RunningBatch running;
    bool vacated = false;
    bool finished = false;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const std::size_t count = 1 + random.below(6);
    const std::size_t limit = 1 + random.below(10);
    ExecutorTable table(count, limit);
    std::vector<NaiveExecutor> executors(count);
    std::vector<NaiveBatch> batches;
    for (std::uint64_t step = 1; step <= 2000; ++step) {
      std::size_t free = 0;
      const auto rank = [&](std::size_t executor) {
        const auto unfinished =
            std::count_if(batches.begin(), batches.end(), [&](const NaiveBatch& batch) {
              return !batch.finished && batch.running.executor == executor;
            });
        const TimePoint from = unfinished > 0 ? executors[executor].last : TimePoint{};
        return std::pair(unfinished, from + Duration(executors[executor].mean));
      };
      std::size_t best = count;
      for (std::size_t i = 0; i < count; ++i) {
        if (executors[i].occupied) continue;
        ++free;
        if (best == count || rank(i) < rank(best)) best = i;
      }
      std::vector<RunningBatch> running;
      for (const NaiveBatch& batch : batches) {
        if (!batch.finished) running.push_back(batch.running);
      }
      ASSERT_EQ(table.available(), std::min(free, limit - running.size()));
      ASSERT_EQ(table.running().size(), running.size());
      for (const RunningBatch& expected : running) {
        const auto found = std::find_if(
            table.running().begin(), table.running().end(),
            [&expected](const RunningBatch& batch) { return batch.batch_id == expected.batch_id; });
        ASSERT_NE(found, table.running().end());
        ASSERT_EQ(found->executor, expected.executor);
        ASSERT_EQ(found->expected_finish, expected.expected_finish);
      }
      if (table.available() > 0) {
        ASSERT_EQ(table.choose(), best) << "seed " << seed << ", step " << step;
      }

      if (table.available() > 0 && random.chance(50)) {
        const TimePoint now = at(static_cast<std::int64_t>(step));
        table.start(step, best, 1, now);
        executors[best].occupied = true;
        executors[best].last = now;
        batches.push_back({{step, best, 1, now, now + Duration(executors[best].mean)}});
      } else if (!batches.empty()) {
        NaiveBatch& batch = random.pick(batches);
        NaiveExecutor& executor = executors[batch.running.executor];
        if (random.chance(50) && !batch.vacated) {
          batch.vacated = true;
          executor.occupied = false;
          table.vacate(batch.running.executor);
        } else if (!batch.finished) {
          batch.finished = true;
          const std::int64_t sample = random.between(0, 50);
          executor.mean = executor.seen ? executor.mean + (sample - executor.mean) / 8 : sample;
          executor.seen = true;
          table.finish(report_of(batch.running.batch_id, batch.running.executor, sample));
        }
      }
      std::erase_if(batches, [](const NaiveBatch& b) { return b.vacated && b.finished; });
    }
  }
}

TEST(ExecutorTable, AReservedExecutorGetsNothingAndIsClaimedWhenItHasFinished) {
  ExecutorTable table(2, 4);
  table.start(1, 0, 1, TimePoint{});
  table.reserve(0);
  EXPECT_FALSE(table.claim_reserved(0));  // Its call has not returned,
  table.vacate(0);
  EXPECT_TRUE(table.occupied(0));
  EXPECT_EQ(table.available(), 1u);
  EXPECT_FALSE(table.claim_reserved(0));  // and its batch is not finished.
  table.finish({.batch_id = 1, .executor = 0, .size = 1});
  EXPECT_TRUE(table.claim_reserved(0));
  EXPECT_FALSE(table.claim_reserved(0));
  EXPECT_EQ(table.choose(), 1u);
  table.vacate(0);
  EXPECT_EQ(table.available(), 2u);
  EXPECT_EQ(table.choose(), 0u);
}

TEST(ExecutorTable, AVacantExecutorThatIsReservedIsClaimedAtOnce) {
  ExecutorTable table(1, 1);
  table.reserve(0);
  EXPECT_EQ(table.available(), 0u);
  EXPECT_TRUE(table.claim_reserved(0));
  table.vacate(0);
  EXPECT_EQ(table.available(), 1u);
}

TEST(ExecutorTable, ASlowExecutorIsNotAwaitedWhereAFastOneTakesAllBatches) {
  ExecutorTable table(2, 2);
  run(table, 1, 100);
  table.start(1, 1, 1, at(0));  // Vacant at 100.
  const auto expected = [&](std::uint64_t batches) {
    return table.expected_vacant(batches, Duration(30), at(0));
  };
  EXPECT_EQ(expected(0), at(0));
  EXPECT_EQ(expected(1), at(30));
  EXPECT_EQ(expected(3), at(90));
  EXPECT_EQ(expected(4), at(100));  // From then on they take turns.
  EXPECT_EQ(expected(5), at(120));
  EXPECT_EQ(expected(6), at(130));
}

TEST(ExecutorTable, WhatOthersUseMayBeVacantAtAnyMoment) {
  ExecutorTable table(2, 2, true);
  table.grant(0);
  run(table, 0, 100);
  table.grant(0);
  table.start(1, 0, 1, at(0));
  EXPECT_EQ(table.expected_vacant(0, Duration(30), at(5)), at(5));
  table.grant(1);
  table.start(2, 1, 1, at(0));  // Not yet seen, so it may end at once.
  EXPECT_EQ(table.expected_vacant(1, Duration(95), at(5)), at(100));
}

}  // namespace
