// SPDX-License-Identifier: MIT
#include "../support/shell.hpp"

#include <batchwright/detail/intake.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::TimePoint;
using batchwright::detail::Closing;
using batchwright::detail::DeferredWake;
using batchwright::detail::IdleWaiter;
using batchwright::detail::Inbox;
using batchwright::detail::Lent;
using batchwright::detail::Loan;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::RequestBase;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;
using batchwright::detail::WaitingGroup;
using batchwright::detail::WakeList;
using batchwright::testing::TestThread;
using batchwright_test::activity;
using batchwright_test::for_each_seed;
using batchwright_test::TestRuntime;
using batchwright_test::work_for;

struct FakeBatch {
  FakeBatch* next = nullptr;
};

class FakeWake final : public DeferredWake {
 public:
  void wake() noexcept override {
    woken = true;
    if (on_wake) on_wake();
  }
  bool woken = false;
  std::function<void()> on_wake;
};

using TestIntake = batchwright::detail::Intake<FakeBatch, TestRuntime>;
using batchwright::detail::Wish;

// An intake, requests to put into it, and a thread that sleeps in it once.
class Fixture {
 public:
  explicit Fixture(const TestRuntime& r, batchwright::Duration spin = {})
      : runtime(r), intake(r, 4, spin) {
    inbox.reserve(4);
    intake.lend_into(inbox);
  }
  ~Fixture() {
    if (sleeper_) sleeper_->join();
    for (Request<int, int>* request : requests_) request->release();
  }

  Request<int, int>& request() { return *requests_.emplace_back(pool_new<Request<int, int>>(0)); }

  Lent push(int count, TimePoint deadline = kNever, Loan loan = Loan::none) {
    RequestChain chain;
    for (int i = 0; i < count; ++i) chain.append(request());
    return intake.push(chain, deadline, loan);
  }

  // Starts a dispatcher that takes what there is and sleeps; returns when it does.
  void rest(const Wish& wish, bool idle = false) {
    awake = false;
    sleeper_.emplace(runtime.start([this, wish, idle] {
      intake.take(inbox);
      intake.sleep(wish, idle);
      awake = true;
    }));
    runtime.settle();
  }

  // Joins the one that has been woken, to sleep again.
  void rest() {
    sleeper_->join();
    sleeper_.reset();
  }

  TestRuntime runtime;
  TestIntake intake;
  Inbox<FakeBatch> inbox;
  bool awake = false;

 private:
  std::vector<Request<int, int>*> requests_;
  std::optional<TestThread> sleeper_;
};

const Wish kArrivals{.until = kNever, .missing = 1, .reports = false};
const Wish kNothing{.until = kNever, .missing = kNoCount, .reports = false};
const Wish kReports{.until = kNever, .missing = kNoCount, .reports = true};

TEST(Intake, HandsEverythingOverOnceAndInOrder) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  f.push(2);
  f.push(1);
  FakeBatch first, second;
  f.intake.push_finished(&first, 3);
  f.intake.push_finished(&second, kNoCount);
  f.intake.push_finished(nullptr, 1);
  Request<int, int>& cancelled = f.request();
  f.intake.push_cancelled(cancelled);
  WaitingGroup group;
  EXPECT_TRUE(f.intake.push_waiting(group));
  f.intake.flush();
  f.intake.set_paused(true);
  EXPECT_EQ(f.intake.accepted(), 3u);

  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.arrivals.chain.count, 3u);
  EXPECT_EQ(f.inbox.arrivals.chain.size, 3u);
  int count = 0;
  for (const RequestHeader* item = f.inbox.arrivals.chain.first; item != nullptr;
       item = RequestChain::next(*item)) {
    ++count;
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(f.inbox.finished, &second);
  EXPECT_EQ(second.next, &first);
  EXPECT_EQ(f.inbox.vacated, (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(f.inbox.cancelled, &cancelled);
  EXPECT_EQ(f.inbox.waiting, &group);
  EXPECT_TRUE(f.inbox.flush);
  EXPECT_TRUE(f.inbox.paused);

  f.inbox.vacated.clear();
  f.intake.take(f.inbox);
  EXPECT_TRUE(f.inbox.arrivals.chain.empty());
  EXPECT_EQ(f.inbox.finished, nullptr);
  EXPECT_TRUE(f.inbox.vacated.empty());
  EXPECT_EQ(f.inbox.cancelled, nullptr);
  EXPECT_EQ(f.inbox.waiting, nullptr);
  EXPECT_FALSE(f.inbox.flush);
  EXPECT_TRUE(f.inbox.paused);
  EXPECT_EQ(f.intake.accepted(), 3u);
}

TEST(Intake, DoesNotSleepOverWhatCameSinceTheLastLook) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  const std::vector<std::function<void()>> events = {
      [&] { f.push(1); },
      [&] { f.intake.push_finished(&batch, kNoCount); },
      [&] { f.intake.push_cancelled(f.request()); },
      [&] { f.intake.flush(); },
      [&] { f.intake.set_paused(true); },
      [&] { f.intake.nudge(); },
      [&] { f.intake.close(Closing::drain); },
  };
  for (const auto& event : events) {
    f.intake.take(f.inbox);
    event();
    f.intake.sleep(kNothing, false);  // Would wait for ever.
  }
  EXPECT_EQ(runtime.parks(), 0u);
}

TEST(Intake, WakesForTheAwaitedWeightAndNotBefore) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  f.rest({.until = kNever, .missing = 3, .reports = false});
  const std::uint64_t before = activity(runtime);
  f.push(1);
  f.push(1);
  runtime.settle();
  EXPECT_FALSE(f.awake);
  EXPECT_EQ(activity(runtime), before) << "a wake for nothing";
  f.push(1);
  f.push(1);
  runtime.settle();
  EXPECT_TRUE(f.awake);
  EXPECT_EQ(runtime.unparks(), 1u) << "one wake per sleep";
}

TEST(Intake, WhereLanesDecideNobodyGivesTheRoleBackOverArrivals) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  batchwright::detail::Lane lane;
  lane.quota.lift();
  const Wish by_lane{.until = kNever, .missing = 9, .reports = true, .by_lane = &lane};
  f.rest(by_lane);
  f.push(1);
  EXPECT_TRUE(f.intake.push_finished_and_borrow(nullptr, 0));
  f.intake.take(f.inbox);
  f.push(1);
  EXPECT_FALSE(f.intake.give_back(by_lane, false, false, nullptr));
  f.intake.take(f.inbox);
  EXPECT_TRUE(f.intake.give_back(by_lane, false, false, nullptr));
  lane.quota.shut();
  f.push(1);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(Intake, WakesForADeadlineBeforeItsInstant) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  f.rest({.until = runtime.now() + 10ms, .missing = kNoCount, .reports = false});
  f.push(1, runtime.now() + 10ms);
  f.push(1, runtime.now() + 20ms);
  runtime.settle();
  EXPECT_FALSE(f.awake);
  f.push(1, runtime.now() + 10ms - 1ns);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(Intake, SleepsExactlyUntilItsInstant) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  f.rest({.until = runtime.now() + 10ms, .missing = kNoCount, .reports = false});
  EXPECT_EQ(runtime.advance(10ms - 1ns), 0u);
  EXPECT_FALSE(f.awake);
  EXPECT_EQ(runtime.advance(1ns), 1u);
  EXPECT_TRUE(f.awake);
}

TEST(Intake, WakesForReportsIfWished) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kArrivals);
  f.intake.push_finished(&batch, 0);
  runtime.settle();
  EXPECT_FALSE(f.awake);
  f.push(1);
  f.rest();
  f.inbox.vacated.clear();
  f.rest(kReports);
  f.intake.push_finished(&batch, 0);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(Intake, WakesForEveryChange) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  WaitingGroup group;
  IdleWaiter waiter;
  const std::vector<std::function<void()>> changes = {
      [&] { f.intake.flush(); },
      [&] { f.intake.set_paused(false); },
      [&] { f.intake.nudge(); },
      [&] { f.intake.push_waiting(group); },
      [&] { f.intake.push_cancelled(f.request()); },
      [&] { f.intake.add(waiter); },
      [&] { f.intake.close(Closing::drain); },
  };
  for (const auto& change : changes) {
    f.rest(kNothing);
    EXPECT_FALSE(f.awake);
    change();
    f.rest();
    EXPECT_TRUE(f.awake);
  }
  f.intake.remove(waiter);
}

// ---- Closing.

TEST(Intake, ClosesFurtherAndNeverLess) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  EXPECT_EQ(f.intake.closing(), Closing::open);
  f.intake.close(Closing::abandon);
  f.intake.close(Closing::drain);
  EXPECT_EQ(f.intake.closing(), Closing::abandon);
  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.closing, Closing::abandon);
}

TEST(Intake, ClosedTakesNobodyToWait) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  f.intake.close(Closing::drain);
  WaitingGroup group;
  EXPECT_FALSE(f.intake.push_waiting(group));
  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.waiting, nullptr);
}

// ---- Those who wait until it is idle, or over.

TEST(Intake, TellsIdleWaitersWhenTheDispatcherGoesToSleepIdle) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  IdleWaiter waiter;
  IdleWaiter gone;
  IdleWaiter exit;
  f.intake.add(waiter);
  f.intake.add(gone);
  f.intake.add_exit(exit);
  f.intake.remove(gone);
  f.rest(kArrivals, false);
  EXPECT_EQ(waiter.idle, 0u);
  f.push(1);
  f.rest();
  f.rest(kArrivals, true);
  EXPECT_EQ(waiter.idle, 1u);
  EXPECT_EQ(gone.idle, 0u);
  EXPECT_EQ(exit.idle, 0u);
  f.push(1);
}

TEST(Intake, WakesForAReportWhenSomebodyWaitsUntilItIsIdle) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  IdleWaiter waiter;
  FakeBatch batch;
  f.intake.add(waiter);
  f.rest(kArrivals);
  f.intake.push_finished(&batch, 0);
  runtime.settle();
  EXPECT_TRUE(f.awake);
  f.intake.remove(waiter);
}

TEST(Intake, TellsEverybodyAtItsExitAndAfterIt) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  IdleWaiter idle, exit, late_idle, late_exit;
  f.intake.add(idle);
  f.intake.add_exit(exit);
  f.intake.exit();
  f.intake.add(late_idle);
  f.intake.add_exit(late_exit);
  for (const IdleWaiter* waiter : {&idle, &exit, &late_idle, &late_exit}) {
    EXPECT_EQ(waiter->idle, 1u);
  }
}

// ---- The role that is lent.

TEST(IntakeRole, IsLentToAnExecutorInsteadOfAWake) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kReports);
  EXPECT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.flush();  // Wakes nobody: the borrower will look.
  runtime.settle();
  EXPECT_FALSE(f.awake);
  EXPECT_EQ(runtime.unparks(), 0u);
  EXPECT_FALSE(f.intake.give_back(kNothing, false, false, nullptr));
  f.intake.take(f.inbox);
  EXPECT_TRUE(f.intake.give_back(kArrivals, false, false, nullptr));
  runtime.settle();
  EXPECT_FALSE(f.awake);
  f.push(1);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

// One batch keeps all executors, and nothing is queued.
const Wish kLast{.until = kNever, .missing = kNoCount, .reports = true, .last = true};

TEST(IntakeRole, IsNotLentForTheLastReportIfNothingCame) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kLast);
  EXPECT_FALSE(f.intake.push_finished_and_borrow(&batch, 0));
  runtime.settle();
  EXPECT_FALSE(f.awake);
  f.push(1);  // Is what is awaited now, and finds the report.
  runtime.settle();
  EXPECT_TRUE(f.awake);
  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.finished, &batch);
  EXPECT_EQ(f.inbox.vacated, std::vector<std::size_t>{0});
}

TEST(IntakeRole, IsLentForTheLastReportOfWhichARestIsToCome) {
  for (const bool finished : {true, false}) {
    TestRuntime runtime({.seed = 1});
    Fixture f(runtime);
    FakeBatch batch;
    f.rest(kLast);
    EXPECT_TRUE(
        f.intake.push_finished_and_borrow(finished ? &batch : nullptr, finished ? kNoCount : 0));
    f.intake.take(f.inbox);
    EXPECT_TRUE(f.intake.give_back(kArrivals, false, false, nullptr));
    f.push(1);
  }
}

TEST(IntakeRole, IsLentForTheLastReportIfSomethingCame) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kLast);
  f.push(1);  // Wakes nobody, while no executor could run it.
  EXPECT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  EXPECT_FALSE(f.inbox.arrivals.chain.empty());
  EXPECT_TRUE(f.intake.give_back(kArrivals, false, false, nullptr));
  f.push(1);
}

TEST(IntakeRole, IsLentForTheLastReportIfSomebodyWaitsForIdleness) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  IdleWaiter waiter;
  f.intake.add(waiter);
  f.rest(kLast);
  EXPECT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  EXPECT_TRUE(f.intake.give_back(kArrivals, true, false, nullptr));
  EXPECT_EQ(waiter.idle.load(), 1u);
  f.push(1);
}

TEST(IntakeRole, IsNotLentWhileTheDispatcherIsAwakeOrClosing) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch first, second;
  EXPECT_FALSE(f.intake.push_finished_and_borrow(&first, 0));
  f.intake.take(f.inbox);
  f.inbox.vacated.clear();
  f.intake.close(Closing::drain);
  f.rest(kReports);
  EXPECT_FALSE(f.intake.push_finished_and_borrow(&second, 1));
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(IntakeRole, HandedOverWakesTheDispatcherIfThereIsNews) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kReports);
  ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  f.push(1);
  EXPECT_TRUE(f.intake.give_back(kArrivals, false, true, nullptr));
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(IntakeRole, GivenBackWithAnEarlierInstantMovesTheAlarm) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest({.until = runtime.now() + 10ms, .missing = kNoCount, .reports = true});
  ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  f.intake.give_back({.until = runtime.now() + 4ms, .missing = kNoCount, .reports = true}, false,
                     false, nullptr);
  runtime.settle();
  EXPECT_TRUE(f.awake);  // To set it anew.
}

TEST(IntakeRole, WakesThatAnExecutorLeavesAreGivenByTheSleepingDispatcher) {
  for_each_seed(50, [](const TestRuntime& runtime) {
    Fixture f(runtime);
    FakeBatch batch;
    FakeWake first, second;
    WakeList wakes;
    wakes.append(first);
    wakes.append(second);
    f.rest(kReports);
    ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
    f.intake.take(f.inbox);
    EXPECT_TRUE(f.intake.give_back(kArrivals, false, true, &wakes));
    EXPECT_TRUE(wakes.empty());
    runtime.settle();
    EXPECT_TRUE(first.woken);
    EXPECT_TRUE(second.woken);
    EXPECT_FALSE(f.awake);
    f.push(1);
    runtime.settle();
    EXPECT_TRUE(f.awake);
  });
}

TEST(IntakeRole, WhoGivesWakesHasNotTheRoleAndGetsNoMoreOfThem) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch, other;
  FakeWake callers[4];
  WakeList wakes, more;
  for (int i : {0, 1}) wakes.append(callers[i]);
  for (int i : {2, 3}) more.append(callers[i]);
  bool borrowed = false;
  callers[0].on_wake = [&] {
    borrowed = f.intake.push_finished_and_borrow(&other, 1);
    f.intake.take(f.inbox);
    EXPECT_TRUE(f.intake.give_back(kReports, false, true, &more));
  };
  f.rest(kReports);
  ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  f.intake.give_back(kReports, false, true, &wakes);
  runtime.settle();
  EXPECT_TRUE(borrowed);
  EXPECT_TRUE(callers[1].woken);
  EXPECT_EQ(more.size(), 2u);

  // It is through with them, and can be left others.
  ASSERT_TRUE(f.intake.push_finished_and_borrow(nullptr, 0));
  f.intake.take(f.inbox);
  EXPECT_TRUE(f.intake.give_back(kReports, false, true, &more));
  EXPECT_TRUE(more.empty());
  runtime.settle();
  EXPECT_TRUE(callers[3].woken);
  f.intake.flush();
}

TEST(IntakeRole, OneWakeManyOrThoseOfWhoHandsTheRoleOverStayWithTheExecutor) {
  const auto left_over = [](std::size_t count, bool hands_over) {
    TestRuntime runtime({.seed = 1});
    Fixture f(runtime);
    FakeBatch batch;
    std::vector<FakeWake> callers(count);
    WakeList wakes;
    for (FakeWake& caller : callers) wakes.append(caller);
    f.rest(kReports);
    EXPECT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
    f.intake.take(f.inbox);
    if (hands_over) f.push(1);
    f.intake.give_back(kArrivals, false, true, &wakes);
    runtime.settle();
    EXPECT_EQ(f.awake, hands_over);
    f.intake.flush();
    return wakes.size();
  };
  EXPECT_EQ(left_over(1, false), 1u);
  EXPECT_EQ(left_over(2, false), 0u);
  EXPECT_EQ(left_over(32, false), 0u);
  EXPECT_EQ(left_over(33, false), 33u);
  EXPECT_EQ(left_over(2, true), 2u);
}

// A cancellation can elect the dispatcher before it has looked for wakes once more.
TEST(IntakeRole, WakesAreGivenBeforeTheDispatcherActsHoweverItIsElected) {
  for_each_seed(300, [](TestRuntime& runtime) {
    Fixture f(runtime);
    FakeBatch batch;
    FakeWake first, second;
    WakeList wakes;
    wakes.append(first);
    wakes.append(second);
    f.intake.push_finished(&batch, kNoCount);
    f.intake.take(f.inbox);
    bool given = true;
    TestThread dispatcher = runtime.start([&] {
      f.intake.sleep({.until = runtime.now() + 1ms, .missing = kNoCount, .reports = true}, false);
      if (wakes.empty()) given = first.woken && second.woken;
    });
    TestThread executor = runtime.start([&] {
      if (!f.intake.push_finished_and_borrow(&batch, 0)) return;
      f.intake.take(f.inbox);
      f.intake.push_cancelled(f.request());  // While the role is lent: it elects nobody.
      f.intake.give_back({.until = runtime.now() + 1ms, .missing = kNoCount, .reports = true},
                         false, true, &wakes);
    });
    runtime.advance(1ms);
    EXPECT_TRUE(given);
    dispatcher.join();
    executor.join();
  });
}

TEST(IntakeRole, NobodyIsToldOfIdlenessWhileSomethingHasCome) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kReports);
  ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  f.intake.take(f.inbox);
  f.push(1);
  IdleWaiter waiter;
  f.intake.add(waiter);
  EXPECT_TRUE(f.intake.give_back(kArrivals, true, true, nullptr));
  EXPECT_EQ(waiter.idle, 0u);
  f.intake.remove(waiter);
}

TEST(IntakeRole, TheNextInstantIsKeptHoweverTheAlarmMeetsTheReturn) {
  for_each_seed(300, [](TestRuntime& runtime) {
    Fixture f(runtime);
    FakeBatch batch;
    const TimePoint start = runtime.now();
    f.rest({.until = start + 5ms, .missing = kNoCount, .reports = true});
    ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
    f.intake.take(f.inbox);
    TestThread executor = runtime.start([&] {
      work_for(runtime, 5ms);  // To the very instant at which the alarm rings.
      f.intake.give_back({.until = start + 10ms, .missing = kNoCount, .reports = true}, false,
                         false, nullptr);
    });
    runtime.advance(10ms);
    EXPECT_TRUE(f.awake);
    f.intake.flush();  // Or the fixture would wait for ever.
    executor.join();
  });
}

TEST(IntakeRole, AnAlarmThatRangMeanwhileIsHeardWhenItIsGivenBack) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest({.until = runtime.now() + 10ms, .missing = kNoCount, .reports = true});
  ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
  EXPECT_EQ(runtime.advance(10ms), 1u);
  EXPECT_FALSE(f.awake);
  f.intake.take(f.inbox);
  f.intake.give_back(kNothing, false, false, nullptr);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(IntakeRole, ACancellationWhileItIsLentIsSeenByTheOneOrTheOther) {
  for_each_seed(100, [](const TestRuntime& runtime) {
    Fixture f(runtime);
    FakeBatch batch;
    f.rest(kReports);
    ASSERT_TRUE(f.intake.push_finished_and_borrow(&batch, 0));
    Request<int, int>& request = f.request();
    TestThread canceller = runtime.start([&] { f.intake.push_cancelled(request); });
    f.intake.take(f.inbox);
    const bool seen = f.inbox.cancelled != nullptr;
    f.intake.give_back(kNothing, false, true, nullptr);
    canceller.join();
    runtime.settle();
    EXPECT_EQ(f.awake, !seen);
    if (seen) f.intake.nudge();
  });
}

// ---- The role that is lent to who brings a request.

const Wish kPlain{.until = kNever, .missing = 2, .reports = false, .plain = true};

TEST(IntakeLoan, WhoBringsWhatIsAwaitedGetsTheRoleAndAllThatCame) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  FakeBatch batch;
  f.rest(kPlain);
  f.intake.push_finished(&batch, 3);
  EXPECT_EQ(f.push(1, kNever, Loan::to_dispatch), Lent::nothing);  // Not awaited yet.
  EXPECT_EQ(f.push(2, kNever, Loan::to_dispatch), Lent::look);
  EXPECT_EQ(f.inbox.arrivals.chain.count, 3u);
  EXPECT_EQ(f.inbox.finished, &batch);
  EXPECT_EQ(f.inbox.vacated, std::vector<std::size_t>{3});
  EXPECT_EQ(f.intake.accepted(), 3u);
  f.push(5);  // Whoever has the role looks for it.
  runtime.settle();
  EXPECT_FALSE(f.awake);
  EXPECT_EQ(runtime.unparks(), 0u);
  EXPECT_FALSE(f.intake.give_back(kPlain, false, false, nullptr));
  f.inbox.vacated.clear();
  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.arrivals.chain.count, 5u);
  EXPECT_EQ(f.inbox.finished, nullptr);
  EXPECT_TRUE(f.intake.give_back(kPlain, false, true, nullptr));
  runtime.settle();
  EXPECT_FALSE(f.awake);
  f.push(2);
  runtime.settle();
  EXPECT_TRUE(f.awake);
}

TEST(IntakeLoan, AnEarlierDeadlineIsAwaitedToo) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  Wish wish = kPlain;
  wish.until = runtime.now() + 10ms;
  f.rest(wish);
  EXPECT_EQ(f.push(1, runtime.now() + 5ms, Loan::to_dispatch), Lent::look);
  f.intake.give_back(kArrivals, false, true, nullptr);
  f.push(1);
}

TEST(IntakeLoan, WhereMoreThanBatchesMayComeOfItTheDispatcherIsWoken) {
  TestRuntime runtime({.seed = 1});
  Fixture f(runtime);
  Wish other = kPlain;
  other.plain = false;
  f.rest(other);
  EXPECT_EQ(f.push(2, kNever, Loan::to_dispatch), Lent::nothing);
  f.rest();
  EXPECT_TRUE(f.awake);
  // But who runs his request himself may answer, and looks himself.
  f.rest(other);
  EXPECT_EQ(f.push(2, kNever, Loan::to_run), Lent::role);
  f.intake.take(f.inbox);
  EXPECT_EQ(f.inbox.arrivals.chain.count, 2u);
  f.intake.give_back(kArrivals, false, true, nullptr);
  f.push(1);
  f.rest();
  EXPECT_TRUE(f.awake);
}

// A cancellation elects the dispatcher, but only after it is on its list.
TEST(IntakeLoan, ACancellationIsLeftToTheDispatcherHoweverItMeetsTheLoan) {
  for_each_seed(200, [](const TestRuntime& runtime) {
    Fixture f(runtime);
    f.rest(kPlain);
    Request<int, int>& request = f.request();
    TestThread canceller = runtime.start([&] { f.intake.push_cancelled(request); });
    const Lent lent = f.push(2, kNever, Loan::to_dispatch);
    if (lent == Lent::look) {
      EXPECT_EQ(f.inbox.cancelled, nullptr);
      runtime.interleave("in the role");
      EXPECT_TRUE(f.intake.give_back(kNothing, false, true, nullptr));
    }
    canceller.join();
    runtime.settle();
    EXPECT_TRUE(f.awake);
    f.intake.take(f.inbox);
    EXPECT_EQ(f.inbox.cancelled, &request);
  });
}

TEST(IntakeLoan, NothingIsLentToASubmitterWhileTheDispatcherIsAwakeOrLooksOutOrCloses) {
  TestRuntime runtime({.seed = 1});
  {
    Fixture f(runtime);
    EXPECT_EQ(f.push(5, kNever, Loan::to_dispatch), Lent::nothing);
    EXPECT_EQ(f.push(5, kNever, Loan::to_run), Lent::nothing);
    f.intake.take(f.inbox);
    f.intake.close(Closing::drain);
    f.rest(kPlain);
    EXPECT_EQ(f.push(2, kNever, Loan::to_run), Lent::nothing);
  }
}

// It looks out: a ring costs nothing, and the dispatcher works while the submitter goes on.
TEST(IntakeLoan, ADispatcherThatOnlyLooksOutIsRung) {
  // What is lent on each of many schedules, the same for both.
  const auto lent = [](Loan loan) {
    std::vector<Lent> all;
    for_each_seed(200, [&](const TestRuntime& runtime) {
      Fixture f(runtime, 50us);
      f.intake.take(f.inbox);
      TestThread dispatcher = runtime.start([&] { f.intake.sleep(kPlain, false); });
      for (std::size_t i = 0; i < all.size() % 20; ++i) runtime.interleave("before the push");
      all.push_back(f.push(2, kNever, loan));
      if (all.back() == Lent::look) {
        f.intake.give_back(kArrivals, false, true, nullptr);
        f.push(1);
      }
      dispatcher.join();
    });
    return all;
  };
  const std::vector<Lent> dispatching = lent(Loan::to_dispatch);
  const std::vector<Lent> running = lent(Loan::to_run);
  int asleep = 0;
  int looking_out = 0;
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (running[i] != Lent::look) {
      EXPECT_EQ(dispatching[i], Lent::nothing);
    } else {
      ++(dispatching[i] == Lent::look ? asleep : looking_out);
    }
  }
  EXPECT_GT(asleep, 0);
  EXPECT_GT(looking_out, 0);
}

// ---- All of it in every order.

TEST(Intake, LosesNothingAndMissesNoWakeInEveryInterleaving) {
  for_each_seed(60, [](const TestRuntime& runtime) {
    Fixture f(runtime);
    std::size_t arrived = 0;
    std::size_t cancelled = 0;
    std::size_t vacated = 0;
    TestThread dispatcher = runtime.start([&] {
      while (arrived < 6 || cancelled < 2 || vacated < 4) {
        f.intake.take(f.inbox);
        arrived += f.inbox.arrivals.chain.count;
        vacated += f.inbox.vacated.size();
        f.inbox.vacated.clear();
        for (const RequestBase* item = f.inbox.cancelled; item != nullptr;
             item = item->next_cancelled) {
          ++cancelled;
        }
        if (arrived < 6 || cancelled < 2 || vacated < 4) {
          f.intake.sleep({.until = kNever, .missing = 1, .reports = true}, false);
        }
      }
    });
    std::vector<TestThread> others;
    for (int t = 0; t < 2; ++t) {
      others.push_back(runtime.start([&] {
        for (int i = 0; i < 3; ++i) f.push(1);
      }));
      others.push_back(runtime.start([&] {
        f.intake.push_cancelled(f.request());
        f.intake.push_finished(nullptr, 0);
        f.intake.push_finished(nullptr, 0);
      }));
    }
    for (auto& other : others) other.join();
    dispatcher.join();
    EXPECT_EQ(arrived, 6u);
    EXPECT_EQ(cancelled, 2u);
    EXPECT_EQ(vacated, 4u);
    EXPECT_EQ(f.intake.accepted(), 6u);
  });
}

}  // namespace
