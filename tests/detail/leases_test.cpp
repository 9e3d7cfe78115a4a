// SPDX-License-Identifier: MIT
#include <batchwright/detail/executor_table.hpp>
#include <batchwright/detail/leases.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace {

using batchwright::kNoCount;
using batchwright::TimePoint;
using batchwright::detail::ExecutorLender;
using batchwright::detail::ExecutorTable;
using batchwright::detail::Leases;
using batchwright::detail::PoolClient;
using batchwright::detail::PoolJob;
using batchwright::detail::PoolNext;
using batchwright::detail::PoolVisit;

class NoClient final : public PoolClient {
 public:
  PoolJob run(void*, std::size_t) noexcept override { return {}; }
  PoolJob granted(std::size_t, bool) noexcept override { return {}; }
};

/// A pool of two that lends `next`, and notes what it is asked for.
class Lender final : public ExecutorLender {
 public:
  std::size_t executors() const noexcept override { return 2; }
  const void* runtime_type() const noexcept override { return nullptr; }
  const void* identity() const noexcept override { return nullptr; }
  void add(PoolClient&, std::uint32_t) override {}
  void remove(PoolClient&) noexcept override {}
  std::size_t request(PoolClient&, TimePoint since) noexcept override {
    log += "request ";
    last_since = since;
    return next;
  }
  bool withdraw(PoolClient&) noexcept override {
    log += "withdraw ";
    return withdraws;
  }
  void put(std::size_t, PoolJob) noexcept override {}
  void give_back(std::size_t executor) noexcept override {
    log += "back" + std::to_string(executor) + " ";
  }
  PoolNext end_lease(std::size_t) noexcept override { return {}; }
  void bar(PoolClient&, std::size_t executor, bool barred) noexcept override {
    log += (barred ? "bar" : "unbar") + std::to_string(executor) + " ";
  }
  void visit(std::size_t, PoolVisit&) noexcept override {}
  PoolNext end_visit(std::size_t) noexcept override { return {}; }

  std::size_t next = kNoCount;
  bool withdraws = true;
  TimePoint last_since{};
  std::string log;
};

/// The scheduler, as far as leases ask it.
class Scheduler {
 public:
  ExecutorTable& executors() noexcept { return table_; }

 private:
  ExecutorTable table_{2, 2, true};
};

class LeasesTest : public ::testing::Test {
 protected:
  // True if the scheduler has to be asked again.
  bool settle(bool wants_executor, TimePoint now = TimePoint{}) {
    return leases_.settle(scheduler_, wants_executor, now);
  }
  std::string log() { return std::exchange(lender_.log, {}); }
  std::size_t available() { return scheduler_.executors().available(); }

  Lender lender_;
  NoClient client_;
  Leases leases_{&lender_, &client_};
  Scheduler scheduler_;
};

TEST_F(LeasesTest, OneThatIsFreeIsLentAtOnce) {
  lender_.next = 1;
  EXPECT_TRUE(settle(true));
  EXPECT_EQ(log(), "request ");
  EXPECT_FALSE(leases_.awaited());
  EXPECT_EQ(available(), 0u);
  leases_.begin(scheduler_);
  EXPECT_EQ(available(), 1u);
  EXPECT_EQ(scheduler_.executors().choose(), 1u);
  leases_.begin(scheduler_);  // It has begun.
  EXPECT_EQ(available(), 1u);
}

TEST_F(LeasesTest, OneThatHasToBeAwaitedIsAskedForOnce) {
  EXPECT_FALSE(settle(true));
  EXPECT_TRUE(leases_.awaited());
  EXPECT_FALSE(settle(true));
  EXPECT_EQ(log(), "request ");
  leases_.granted(0);
  leases_.begin(scheduler_);
  EXPECT_FALSE(leases_.awaited());
  EXPECT_EQ(available(), 1u);
}

TEST_F(LeasesTest, EachIsWantedSinceItWasFirstAskedForAndNotBeforeTheLastOneCame) {
  const auto at = [](int tick) { return TimePoint(batchwright::Duration(tick)); };
  settle(true, at(5));
  settle(true, at(7));
  EXPECT_EQ(lender_.last_since, at(5));
  leases_.granted(0);
  leases_.begin(scheduler_);
  scheduler_.executors().start(1, 0, 1, at(9));
  settle(true, at(9));  // For another batch, which may have been due all the time.
  EXPECT_EQ(lender_.last_since, at(9));
  settle(false, at(11));  // A pause, say.
  settle(true, at(12));
  EXPECT_EQ(lender_.last_since, at(12));
  EXPECT_EQ(log(), "request request withdraw request ");
}

TEST_F(LeasesTest, WhatIsNotUsedIsGivenBack) {
  lender_.next = 0;
  settle(true);
  leases_.begin(scheduler_);
  EXPECT_TRUE(settle(false));
  EXPECT_EQ(log(), "request back0 ");
  EXPECT_EQ(available(), 0u);
  EXPECT_FALSE(settle(false));
}

TEST_F(LeasesTest, OneThatIsAwaitedNoMoreIsWithdrawn) {
  settle(true);
  EXPECT_FALSE(settle(false));
  EXPECT_EQ(log(), "request withdraw ");
  EXPECT_FALSE(leases_.awaited());
}

TEST_F(LeasesTest, OneThatCannotBeWithdrawnAnyMoreStaysAwaited) {
  lender_.withdraws = false;
  settle(true);
  EXPECT_FALSE(settle(false));
  EXPECT_TRUE(leases_.awaited());
  leases_.granted(1);
  leases_.begin(scheduler_);
  EXPECT_TRUE(settle(false));
  EXPECT_EQ(log(), "request withdraw back1 ");
}

TEST_F(LeasesTest, TheLenderIsToldOnceThatAnExecutorIsBarred) {
  leases_.bar(1, true);
  leases_.bar(1, true);
  leases_.bar(0, false);
  leases_.bar(1, false);
  EXPECT_EQ(log(), "bar1 unbar1 ");
}

TEST_F(LeasesTest, ABatcherWithExecutorsOfItsOwnNeedsNone) {
  Leases none(nullptr, nullptr);
  EXPECT_FALSE(none.settle(scheduler_, true, TimePoint{}));
  none.bar(0, true);
  none.begin(scheduler_);
  EXPECT_FALSE(none.awaited());
  EXPECT_EQ(available(), 0u);
}

}  // namespace
