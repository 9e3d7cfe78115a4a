// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/role_borrower.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Decision;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::Result;
using batchwright::use_ticket;
using batchwright::detail::Lent;
using batchwright::detail::RoleBorrower;
using batchwright::detail::WakeList;
using batchwright_test::Calls;
using batchwright_test::doubler;
using batchwright_test::for_each_seed;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;

struct FakeBatch {
  struct Info {
    std::size_t executor = 0;
  };
  Info info;
  const void* errand = nullptr;
  FakeBatch* next = nullptr;
};

// Forms the batches that it is told to, and notes what happens in which order.
struct FakeDispatcher {
  using Batch = FakeBatch;

  template <class Execute>
  int round(Execute&& execute) {
    log += "round ";
    if (rounds.empty()) return 0;
    for (FakeBatch* batch : rounds.front()) execute(*batch);
    rounds.erase(rounds.begin());
    return 0;
  }
  template <class Execute>
  int short_round(bool answers, Execute&& execute) {
    log += answers ? "short " : "silent ";
    for (FakeBatch* batch : rounds.front()) execute(*batch);
    rounds.erase(rounds.begin());
    return 0;
  }
  bool give_back(int, bool hand_over, WakeList*) {
    log += hand_over ? "hand over " : "give back ";
    return hand_over || rounds.empty();
  }
  bool closes() const { return false; }

  std::vector<std::vector<FakeBatch*>> rounds;
  std::string log;
};

struct FakeIntake {
  bool push_finished_and_borrow(FakeBatch*, std::size_t) { return lends; }
  bool lends = true;
};

struct Fixture {
  FakeDispatcher dispatcher;
  FakeIntake intake;
  RoleBorrower<FakeDispatcher, FakeIntake> borrower{dispatcher, intake};
  WakeList none;

  auto put() {
    return [this](FakeBatch& batch) {
      dispatcher.log += "put " + std::to_string(batch.info.executor) + " ";
    };
  }
};

TEST(RoleBorrower, OthersGetTheirBatchesAfterTheRoleHasBeenGivenBack) {
  Fixture f;
  FakeBatch first{{2}}, own{{0}}, last{{1}};
  f.dispatcher.rounds = {{&first, &own, &last}};
  EXPECT_EQ(f.borrower.report(nullptr, 0, f.none, f.put()), &own);
  EXPECT_EQ(f.dispatcher.log, "round hand over put 2 put 1 ");
}

TEST(RoleBorrower, WhoHasNothingToDoLooksUntilNothingComes) {
  Fixture f;
  FakeBatch first{{2}}, second{{1}};
  f.dispatcher.rounds = {{&first}, {&second}};
  EXPECT_EQ(f.borrower.report(nullptr, 0, f.none, f.put()), nullptr);
  EXPECT_EQ(f.dispatcher.log, "round give back round give back put 2 put 1 ");
}

TEST(RoleBorrower, WithoutTheRoleNothingIsDone) {
  Fixture f;
  f.intake.lends = false;
  EXPECT_EQ(f.borrower.report(nullptr, 0, f.none, f.put()), nullptr);
  EXPECT_EQ(f.dispatcher.log, "");
}

TEST(RoleBorrower, WhoSubmitsAnswersNobodyAndHandsTheRoleOver) {
  Fixture f;
  FakeBatch first{{0}}, second{{1}};
  f.dispatcher.rounds = {{&first, &second}};
  f.borrower.dispatch_arrivals(f.put());
  EXPECT_EQ(f.dispatcher.log, "silent hand over put 0 put 1 ");
}

TEST(RoleBorrower, WhatCameWithTheRoleIsTheFirstRoundOnly) {
  Fixture f;
  FakeBatch first{{0}}, second{{1}};
  f.dispatcher.rounds = {{&first}, {&second}};
  EXPECT_EQ(f.borrower.act(
                Lent::look, [](const FakeBatch&) { return false; }, nullptr, f.put()),
            nullptr);
  EXPECT_EQ(f.dispatcher.log, "short give back round give back put 0 put 1 ");
}

// ---- In a batcher.

// Gives up on what is below priority 0.
struct DropTheFirst {
  Decision decide(const QueueView& view) const noexcept {
    batchwright::QueueCursor cursor = view.queue;
    batchwright::QueuedRequest first;
    if (cursor.next(first) && first.priority < 0) return Decision::drop(1);
    return Decision::release(view.size, ReleaseReason::greedy);
  }
};

TEST(RoleBorrower, NobodyIsAnsweredInsideSubmit) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int, DropTheFirst> batcher(doubler(runtime, calls), {}, runtime);
    runtime.settle();
    std::optional<std::thread::id> answerer;
    std::optional<Outcome> outcome;
    const auto admitted = batcher.submit(1,
                                         [&](Result<int> result) {
                                           answerer = std::this_thread::get_id();
                                           outcome = result.outcome();
                                         },
                                         {.priority = -1});
    EXPECT_TRUE(admitted);
    auto next = batcher.submit(2, use_ticket);
    EXPECT_EQ(next.get(), 4);
    EXPECT_TRUE(batcher.wait_idle());
    EXPECT_EQ(outcome, Outcome::would_expire);
    EXPECT_TRUE(answerer && *answerer != std::this_thread::get_id());
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

// The one that a submitter had to leave is cancelled meanwhile.
TEST(RoleBorrower, WhatASubmitterLeftIsAnsweredOnceThoughItIsCancelled) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Calls calls;
    int answers = 0;
    {
      TestBatcher<int, int, DropTheFirst> batcher(doubler(runtime, calls), {}, runtime);
      runtime.settle();
      auto ticket = batcher.submit(1, use_ticket, {.priority = -1});
      auto canceller = runtime.start([&] { ticket.cancel(); });
      auto other = runtime.start(
          [&] { EXPECT_NE(batcher.submit(2, use_ticket).result().outcome(), Outcome::cancelled); });
      canceller.join();
      const Outcome outcome = ticket.result().outcome();
      EXPECT_TRUE(outcome == Outcome::would_expire || outcome == Outcome::cancelled ||
                  outcome == Outcome::ok);
      ++answers;
      other.join();
      EXPECT_TRUE(batcher.wait_idle());
      EXPECT_EQ(batcher.metrics().queued, 0u);
    }
    EXPECT_EQ(answers, 1);
  });
}

TEST(RoleBorrower, AShutdownRightAfterASubmissionLosesNothing) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Calls calls;
    TestBatcher<int, int, DropTheFirst> batcher(doubler(runtime, calls), {}, runtime);
    runtime.settle();
    int answered = 0;
    auto submitter = runtime.start([&] {
      for (int i = 0; i < 3; ++i) {
        const auto admitted = batcher.submit(i, [&](Result<int>) { ++answered; }, {.priority = -1});
        if (!admitted) ++answered;
      }
    });
    runtime.interleave("before the shutdown");
    const auto report = batcher.shutdown();
    EXPECT_TRUE(report.finished);
    submitter.join();
    EXPECT_EQ(answered, 3);
  });
}

TEST(RoleBorrower, SeveralSubmittersAndExecutorsKeepTheOrderOfEachThread) {
  for_each_seed(
      100,
      [](const TestRuntime& runtime) {
        Calls calls;
        TestBatcher<int, int> batcher(batchwright::shared_predictor(doubler(runtime, calls, 1us)),
                                      {.max_batch_size = 2, .executors = 2}, runtime);
        std::vector<batchwright::testing::TestThread> submitters;
        for (int thread = 0; thread < 3; ++thread) {
          submitters.push_back(runtime.start([&, thread] {
            std::vector<batchwright_test::TestTicket<int>> tickets;
            for (int i = 0; i < 4; ++i)
              tickets.push_back(batcher.submit(10 * thread + i, use_ticket));
            for (int i = 0; i < 4; ++i)
              EXPECT_EQ(tickets[static_cast<std::size_t>(i)].get(), 2 * (10 * thread + i));
          }));
        }
        for (auto& submitter : submitters) submitter.join();
        EXPECT_EQ(batcher.metrics().completed, 12u);
        EXPECT_EQ(batcher.metrics().accepted, 12u);
      },
      {.time = batchwright::testing::TimeMode::automatic});
}

}  // namespace
