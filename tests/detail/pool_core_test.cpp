// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/pool_core.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using batchwright::kNoCount;
using batchwright::ThreadInfo;
using batchwright::WouldDeadlockError;
using batchwright::detail::on_own_thread;
using batchwright::detail::PoolClient;
using batchwright::detail::PoolJob;
using batchwright::detail::PoolNext;
using batchwright::detail::PoolVisit;
using batchwright_test::for_each_seed;
using batchwright_test::Gate;
using batchwright_test::TestRuntime;

using Core = batchwright::detail::PoolCore<TestRuntime>;

/// A pool and what happened in it, in words.
struct Pool {
  Pool(const TestRuntime& its_runtime, std::size_t executors)
      : runtime(its_runtime), core(std::make_shared<Core>(runtime, executors)), gate(runtime) {
    core->start("pool", [this](const ThreadInfo& info) {
      EXPECT_EQ(info.role, ThreadInfo::Role::executor);
      threads += info.name + std::to_string(info.index) + " ";
    });
  }
  ~Pool() { core->stop(); }

  const TestRuntime runtime;
  const std::shared_ptr<Core> core;
  Gate gate;  // Each job passes it.
  std::string threads;
  std::string log;
};

/// A batcher with `batches` to run.
class Client final : public PoolClient {
 public:
  Client(Pool& pool, std::string name) : pool_(pool), name_(std::move(name)) {
    pool_.core->add(*this, 1);
  }
  ~Client() { pool_.core->remove(*this); }

  /// Wants an executor for one more batch.
  std::size_t want() {
    ++batches;
    const std::size_t executor = pool_.core->request(*this, pool_.runtime.now());
    if (executor != kNoCount) use(executor);
    return executor;
  }

  PoolJob run(void* task, std::size_t executor) noexcept override {
    const auto* visit = static_cast<const PoolVisit*>(task);
    if (visit == nullptr) pool_.gate.pass();
    EXPECT_TRUE(on_own_thread(pool_.core.get()));
    pool_.log += name_ + (visit == nullptr ? "" : "-visit") + std::to_string(executor) + " ";
    const PoolNext next =
        visit == nullptr ? pool_.core->end_lease(executor) : pool_.core->end_visit(executor);
    return next.granted != nullptr ? next.granted->granted(executor, true) : next.job;
  }

  PoolJob granted(std::size_t executor, bool here) noexcept override {
    if (batches == 0) {
      pool_.core->give_back(executor);
      return {};
    }
    if (here) {
      --batches;
      return {this, nullptr};
    }
    use(executor);
    return {};
  }

  void visit(std::size_t executor) {
    visit_.job = {this, &visit_};
    pool_.core->visit(executor, visit_);
  }

  std::size_t batches = 0;

 private:
  void use(std::size_t executor) {
    --batches;
    pool_.core->put(executor, {this, nullptr});
  }

  Pool& pool_;
  const std::string name_;
  PoolVisit visit_;
};

TEST(PoolCore, ItsThreadsStartOneAfterAnotherAndAreTold) {
  const TestRuntime runtime;
  const Pool pool(runtime, 3);
  EXPECT_EQ(pool.threads, "pool0 pool1 pool2 ");
  EXPECT_FALSE(on_own_thread(pool.core.get()));
}

TEST(PoolCore, AStartThatFailsEndsTheThreadsThatHaveBegun) {
  const TestRuntime runtime;
  const auto core = std::make_shared<Core>(runtime, 3);
  EXPECT_THROW(core->start("pool",
                           [](const ThreadInfo& info) {
                             if (info.index == 1) throw std::runtime_error("no device");
                           }),
               std::runtime_error);
  EXPECT_EQ(core.use_count(), 1);
}

TEST(PoolCore, EachJobRunsOnceOnTheExecutorThatWasLeasedInEveryInterleaving) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    Pool pool(runtime, 2);
    pool.gate.open();
    Client a(pool, "a");
    Client b(pool, "b");
    std::size_t wanted = 0;
    for (int i = 0; i < 5; ++i) {
      // Who waits already asks no second time.
      for (Client* client : {&a, &b}) {
        if (client->batches > 0) continue;
        client->want();
        ++wanted;
      }
      runtime.interleave("between two requests");
    }
    runtime.settle();
    EXPECT_EQ(a.batches + b.batches, 0u);
    EXPECT_EQ(pool.log.size(), 3 * wanted);
  });
}

TEST(PoolCore, WhoeverWaitsGetsTheExecutorOfTheLeaseThatEnds) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  Client a(pool, "a");
  Client b(pool, "b");
  EXPECT_EQ(a.want(), 0u);
  EXPECT_EQ(b.want(), kNoCount);
  runtime.settle();
  EXPECT_EQ(pool.log, "");
  pool.gate.open();
  runtime.settle();
  EXPECT_EQ(pool.log, "a0 b0 ");
}

TEST(PoolCore, WhoeverWaitsNoMoreIsPassedOver) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  Client a(pool, "a");
  Client b(pool, "b");
  a.want();
  b.want();
  EXPECT_TRUE(pool.core->withdraw(b));
  EXPECT_FALSE(pool.core->withdraw(b));
  pool.gate.open();
  runtime.settle();
  EXPECT_EQ(pool.log, "a0 ");
  EXPECT_EQ(a.want(), 0u);  // It is free.
  runtime.settle();
}

TEST(PoolCore, ALeaseThatIsGivenBackGoesToWhoeverWaits) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  pool.gate.open();
  Client a(pool, "a");
  Client b(pool, "b");
  ASSERT_EQ(pool.core->request(a, runtime.now()), 0u);
  EXPECT_EQ(b.want(), kNoCount);
  pool.core->give_back(0);
  runtime.settle();
  EXPECT_EQ(pool.log, "b0 ");
}

TEST(PoolCore, AVisitWaitsForItsExecutorAndGoesBeforeEveryBatch) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  Client a(pool, "a");
  Client b(pool, "b");
  a.want();
  b.want();
  a.visit(0);
  b.visit(0);
  runtime.settle();
  EXPECT_EQ(pool.log, "");
  pool.gate.open();
  runtime.settle();
  EXPECT_EQ(pool.log, "a0 a-visit0 b-visit0 b0 ");
}

TEST(PoolCore, AVisitToAFreeExecutorIsMadeAtOnce) {
  const TestRuntime runtime;
  Pool pool(runtime, 2);
  Client a(pool, "a");
  a.visit(1);
  runtime.settle();
  EXPECT_EQ(pool.log, "a-visit1 ");
}

TEST(PoolCore, ABarredExecutorIsGrantedWhenItIsBarredNoMore) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  pool.gate.open();
  Client a(pool, "a");
  pool.core->bar(a, 0, true);
  EXPECT_EQ(a.want(), kNoCount);
  runtime.settle();
  EXPECT_EQ(pool.log, "");
  pool.core->bar(a, 0, false);
  runtime.settle();
  EXPECT_EQ(pool.log, "a0 ");
}

TEST(PoolCore, NobodyJoinsItOnOneOfItsThreads) {
  const TestRuntime runtime;
  Pool pool(runtime, 1);
  Client a(pool, "a");
  const batchwright::detail::OwnThread own(pool.core.get());
  EXPECT_THROW(pool.core->add(a, 1), WouldDeadlockError);
}

}  // namespace
