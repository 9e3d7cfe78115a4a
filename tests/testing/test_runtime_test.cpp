// SPDX-License-Identifier: MIT
#include <batchwright/detail/lock.hpp>
#include <batchwright/runtime.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::TimePoint;
using batchwright::testing::SwitchRule;
using batchwright::testing::TestOptions;
using batchwright::testing::TestRuntime;
using batchwright::testing::TestStep;
using batchwright::testing::TestThread;
using batchwright::testing::TimeMode;
using Word = std::atomic<std::uint32_t>;

constexpr std::uint32_t kEveryone = batchwright::detail::kEveryone;

static_assert(batchwright::Runtime<TestRuntime>);
static_assert(std::is_nothrow_copy_constructible_v<TestRuntime>);
static_assert(!std::is_copy_assignable_v<TestRuntime>);
static_assert(!std::is_copy_constructible_v<TestThread>);
static_assert(std::is_nothrow_move_constructible_v<TestThread>);

void join(std::vector<TestThread>& threads) {
  for (TestThread& thread : threads) thread.join();
}

// An event in the right order: the flag is the word itself, so the park compares what was checked.
class Event {
 public:
  explicit Event(const TestRuntime& runtime) : runtime_(runtime) {}

  void wait(TimePoint until = kNever) const {
    while (word_.load() == 0 && runtime_.now() < until) runtime_.park(word_, 0, until);
  }

  void set() {
    word_.store(1);
    runtime_.unpark(word_, kEveryone);
  }

  bool is_set() const { return word_.load() == 1; }

 private:
  Word word_{0};
  TestRuntime runtime_;
};

// The planted bug: the flag is checked first and the word that the park compares is read later, so
// a `set` in between goes unheard.
class DeafEvent {
 public:
  explicit DeafEvent(const TestRuntime& runtime) : runtime_(runtime) {}

  void wait() {
    while (!flag_) {
      runtime_.interleave("between check and sleep");
      runtime_.park(word_, word_.load(), kNever);
    }
  }

  void set() {
    flag_ = true;
    word_.fetch_add(1);
    runtime_.unpark(word_, 1);
  }

 private:
  bool flag_ = false;
  Word word_{0};
  TestRuntime runtime_;
};

template <class AnyEvent>
void wait_for_one_event(std::uint64_t seed) {
  TestRuntime runtime({.seed = seed});
  AnyEvent event(runtime);
  TestThread waiter = runtime.start([&] { event.wait(); }, "waiter");
  runtime.interleave("before set");
  event.set();
  waiter.join();
}

// Three threads, eight points each; what they append is the order in which they ran.
std::string order_of_run(const TestOptions& options, std::uint64_t* hash = nullptr) {
  TestRuntime runtime(options);
  std::string order;
  std::vector<TestThread> threads;
  for (const char name : {'a', 'b', 'c'}) {
    threads.push_back(runtime.start([&order, runtime, name] {
      for (int i = 0; i < 8; ++i) {
        runtime.interleave("append");
        order += name;
      }
    }));
  }
  join(threads);
  if (hash != nullptr) *hash = runtime.schedule_hash();
  return order;
}

struct Counted {
  int count = 0;
  std::uint64_t parks = 0;
};

// Three threads increment, each time in two halves with some points between them; the count tells
// whether somebody came in between.
template <class Mutex>
Counted count_in_halves(const TestOptions& options, int increments, int points) {
  TestRuntime runtime(options);
  Mutex mutex(runtime);
  int count = 0;
  std::vector<TestThread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.push_back(runtime.start([&] {
      for (int i = 0; i < increments; ++i) {
        mutex.lock();
        const int before = count;
        for (int p = 0; p < points; ++p) runtime.interleave("inside");
        count = before + 1;
        mutex.unlock();
      }
    }));
  }
  join(threads);
  return {count, runtime.parks()};
}

template <class Mutex>
int count_to_twelve(const TestOptions& options) {
  return count_in_halves<Mutex>(options, 4, 1).count;
}

// Checks, then takes: two threads can both see it free.
class LeakyLock {
 public:
  explicit LeakyLock(const TestRuntime& runtime) : runtime_(runtime) {}
  void lock() {
    while (held_) runtime_.relax();
    runtime_.interleave("seen free");
    held_ = true;
  }
  void unlock() { held_ = false; }

 private:
  bool held_ = false;
  TestRuntime runtime_;
};

TEST(TestRuntimeReplay, EqualSeedsGiveEqualRuns) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::uint64_t first_hash = 0;
    std::uint64_t second_hash = 0;
    const std::string first = order_of_run({.seed = seed}, &first_hash);
    EXPECT_EQ(first, order_of_run({.seed = seed}, &second_hash));
    EXPECT_EQ(first_hash, second_hash);
  }
}

TEST(TestRuntimeReplay, DifferentSeedsGiveDifferentRuns) {
  std::set<std::string> orders;
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::uint64_t hash = 0;
    orders.insert(order_of_run({.seed = seed}, &hash));
    hashes.insert(hash);
  }
  EXPECT_GT(orders.size(), 190u);
  EXPECT_EQ(hashes.size(), 200u);
}

TEST(TestRuntimeReplay, ARunIsTheSameOnEveryPlatform) {
  EXPECT_EQ(order_of_run({.seed = 7}), "aaaccccccbbbabbccaabbbaa");
}

TEST(TestRuntimeReplay, TheTraceNamesTheLastSteps) {
  TestRuntime runtime({.switch_probability = 0});
  runtime.interleave("first");
  runtime.interleave("second");
  const std::vector<TestStep> two = runtime.trace();
  ASSERT_EQ(two.size(), 2u);
  EXPECT_STREQ(two[0].point, "first");
  EXPECT_STREQ(two[1].point, "second");
  EXPECT_EQ(two[1].thread, 0u);

  for (int i = 0; i < 100; ++i) runtime.interleave("again");
  runtime.interleave("last");
  const std::vector<TestStep> many = runtime.trace();
  ASSERT_EQ(many.size(), 64u);
  EXPECT_STREQ(many.front().point, "again");
  EXPECT_STREQ(many.back().point, "last");
}

TEST(TestRuntimeSwitching, AThreadDoesNotRunBeforeItIsChosen) {
  TestRuntime runtime({.switch_probability = 0});
  bool ran = false;
  TestThread thread = runtime.start([&] { ran = true; });
  runtime.interleave("kept by a probability of zero");
  EXPECT_FALSE(ran);
  thread.join();
  EXPECT_TRUE(ran);
}

TEST(TestRuntimeSwitching, ProbabilityOneHandsOverAtEveryPoint) {
  TestRuntime runtime({.switch_probability = 1});
  bool ran = false;
  TestThread thread = runtime.start([&] { ran = true; });
  runtime.interleave("lost");
  EXPECT_TRUE(ran);
  thread.join();
}

TEST(TestRuntimeSwitching, RoundRobinTakesTurnsWhateverTheSeed) {
  const std::string once = order_of_run({.seed = 1, .rule = SwitchRule::round_robin});
  EXPECT_EQ(once, "abcabcabcabcabcabcabcabc");
  EXPECT_EQ(once, order_of_run({.seed = 2, .rule = SwitchRule::round_robin}));
}

TEST(TestRuntimeSwitching, RelaxAlwaysLetsAnotherThreadRun) {
  TestRuntime runtime({.switch_probability = 0});
  bool done = false;
  TestThread thread = runtime.start([&] { done = true; });
  while (!done) runtime.relax();
  thread.join();
}

TEST(TestRuntimeSwitching, APointCostsNoSwitchWhenNobodyElseCanRun) {
  TestRuntime runtime({.switch_probability = 1});
  for (int i = 0; i < 1000; ++i) runtime.interleave("alone");
  EXPECT_EQ(runtime.counts().switches, 0u);
  EXPECT_EQ(runtime.counts().steps, 1000u);
}

TEST(TestRuntimeSwitching, TheTokenOrdersWhatTheThreadsDo) {
  // A plain int: the thread sanitizer would object if the hand-over did not synchronize.
  TestRuntime runtime({.switch_probability = 1});
  int count = 0;
  std::vector<TestThread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.push_back(runtime.start([&] {
      for (int i = 0; i < 50; ++i) {
        ++count;
        runtime.interleave("counted");
      }
    }));
  }
  join(threads);
  EXPECT_EQ(count, 200);
}

TEST(TestRuntimeParking, ParkReturnsAtOnceUnlessTheWordIsAsExpected) {
  TestRuntime runtime;
  Word word{1};
  runtime.park(word, 0, kNever);
  EXPECT_EQ(runtime.parks(), 0u);
}

TEST(TestRuntimeParking, ParkReturnsAtOnceWhenItsInstantHasCome) {
  TestRuntime runtime;
  Word word{0};
  runtime.park(word, 0, runtime.now());
  runtime.park(word, 0, runtime.now() - 1h);
  EXPECT_EQ(runtime.parks(), 0u);
}

TEST(TestRuntimeParking, AnotherThreadMayRunBeforeParkComparesTheWord) {
  // Otherwise the window that the comparison exists for would never be tried.
  TestRuntime runtime({.switch_probability = 1});
  Word word{0};
  TestThread thread = runtime.start([&] { word = 1; });
  runtime.park(word, 0, kNever);
  EXPECT_EQ(runtime.parks(), 0u);
  thread.join();
}

TEST(TestRuntimeParking, UnparkLetsTheCallerGoOn) {
  TestRuntime runtime({.switch_probability = 1});
  Word word{0};
  bool woken = false;
  TestThread thread = runtime.start([&] {
    runtime.park(word, 0, kNever);
    woken = true;
  });
  runtime.settle();
  runtime.unpark(word, 1);
  EXPECT_FALSE(woken);
  EXPECT_EQ(runtime.parked(), 0u);
  runtime.settle();
  EXPECT_TRUE(woken);
  thread.join();
}

TEST(TestRuntimeParking, UnparkWakesNoMoreThanAsked) {
  TestRuntime runtime;
  Word word{0};
  std::vector<TestThread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(runtime.start([&] { runtime.park(word, 0, kNever); }));
  }
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 4u);
  runtime.unpark(word, 1);
  EXPECT_EQ(runtime.parked(), 3u);
  runtime.unpark(word, 2);
  EXPECT_EQ(runtime.parked(), 1u);
  runtime.unpark(word, kEveryone);
  EXPECT_EQ(runtime.parked(), 0u);
  join(threads);
  EXPECT_EQ(runtime.counts().woken, 4u);
}

TEST(TestRuntimeParking, UnparkWakesOnlyThoseParkedOnItsWord) {
  TestRuntime runtime;
  Word word{0};
  Word other{0};
  TestThread thread = runtime.start([&] { runtime.park(word, 0, kNever); });
  runtime.settle();
  runtime.unpark(other, kEveryone);
  EXPECT_EQ(runtime.parked(), 1u);
  runtime.unpark(word, kEveryone);
  thread.join();
}

TEST(TestRuntimeParking, UnparkNeedsNothingOfTheWordButItsAddress) {
  TestRuntime runtime;
  Word* volatile gone = new Word{0};  // Volatile hides from the compiler what is done here.
  delete gone;
  runtime.unpark(*gone, 1);
  EXPECT_EQ(runtime.counts().idle_unparks, 1u);
}

// Which of three threads the first unpark wakes.
int first_woken(const TestOptions& options) {
  TestRuntime runtime(options);
  Word word{0};
  int first = -1;
  std::vector<TestThread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.push_back(runtime.start([&, i] {
      runtime.park(word, 0, kNever);
      if (first < 0) first = i;
    }));
    runtime.settle();  // So that they park in this order.
  }
  runtime.unpark(word, 1);
  runtime.settle();
  runtime.unpark(word, kEveryone);
  join(threads);
  return first;
}

TEST(TestRuntimeParking, TheSeedDrawsWhoIsWoken) {
  std::set<int> woken;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    woken.insert(first_woken({.seed = seed, .switch_probability = 0}));
  }
  EXPECT_EQ(woken.size(), 3u);
}

TEST(TestRuntimeParking, RoundRobinWakesWhoHasWaitedTheLongest) {
  EXPECT_EQ(first_woken({.rule = SwitchRule::round_robin}), 0);
}

TEST(TestRuntimeParking, CountsTellOneWakeForEveryPark) {
  TestRuntime runtime;
  Event event(runtime);
  TestThread thread = runtime.start([&] { event.wait(); });
  runtime.settle();
  event.set();
  thread.join();
  event.set();
  EXPECT_EQ(runtime.parks(), 1u);
  EXPECT_EQ(runtime.unparks(), 1u);
  EXPECT_EQ(runtime.counts().idle_unparks, 1u);
  EXPECT_EQ(runtime.counts().timeouts, 0u);
}

TEST(TestRuntimeParking, SpuriousReturnsAreDrawnFromTheSeedAndNeedNoWake) {
  const TestOptions options{.seed = 5, .spurious_probability = 0.9};
  std::uint64_t spurious[2] = {};
  for (std::uint64_t& count : spurious) {
    TestRuntime runtime(options);
    Event event(runtime);
    TestThread thread = runtime.start([&] { event.wait(); });
    runtime.settle();
    EXPECT_EQ(runtime.parked(), 1u);
    EXPECT_EQ(runtime.unparks(), 0u);
    event.set();
    thread.join();
    count = runtime.counts().spurious_returns;
  }
  EXPECT_GT(spurious[0], 0u);
  EXPECT_EQ(spurious[0], spurious[1]);
}

TEST(TestRuntimeParking, AProtocolThatDoesNotLoopFailsUnderSpuriousReturns) {
  int early = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    TestRuntime runtime({.seed = seed, .spurious_probability = 0.2});
    Word word{0};
    TestThread thread = runtime.start([&] {
      runtime.park(word, 0, kNever);
      early += word.load() == 0;
    });
    runtime.interleave("before the store");
    word = 1;
    runtime.unpark(word, 1);
    thread.join();
  }
  EXPECT_GT(early, 0);
}

TEST(TestRuntimeTime, TimeStandsStillUnlessAdvanced) {
  TestRuntime runtime({.start = TimePoint{} + 5s});
  EXPECT_EQ(runtime.now(), TimePoint{} + 5s);
  runtime.settle();
  EXPECT_EQ(runtime.elapsed(), 0ns);
  EXPECT_EQ(runtime.advance(3ms), 0u);
  EXPECT_EQ(runtime.elapsed(), 3ms);
  EXPECT_EQ(runtime.advance_to(TimePoint{} + 6s), 0u);
  EXPECT_EQ(runtime.now(), TimePoint{} + 6s);
}

TEST(TestRuntimeTime, AdvanceReturnsHowManyWaitsBecameDue) {
  TestRuntime runtime;
  Event event(runtime);
  TestThread thread = runtime.start([&] { event.wait(runtime.now() + 5ms); });
  EXPECT_EQ(runtime.advance(4ms), 0u);
  EXPECT_EQ(runtime.advance(1ms), 1u);
  EXPECT_EQ(runtime.advance(1h), 0u);
  thread.join();
  EXPECT_FALSE(event.is_set());
  EXPECT_EQ(runtime.counts().timeouts, 1u);
}

TEST(TestRuntimeTime, EveryWaiterSeesExactlyItsInstant) {
  TestRuntime runtime;
  Event never(runtime);
  std::vector<Duration> woke;
  std::vector<TestThread> threads;
  for (const Duration delay : {3ms, 1ms, 2ms}) {
    threads.push_back(runtime.start([&, delay] {
      never.wait(runtime.now() + delay);
      woke.push_back(runtime.elapsed());
    }));
  }
  EXPECT_EQ(runtime.advance(10ms), 3u);
  EXPECT_EQ(woke, (std::vector<Duration>{1ms, 2ms, 3ms}));
  EXPECT_EQ(runtime.elapsed(), 10ms);
  join(threads);
}

TEST(TestRuntimeTime, AWaitThatBeginsWhileTimeAdvancesCountsToo) {
  TestRuntime runtime;
  Event never(runtime);
  TestThread thread = runtime.start([&] {
    for (int i = 0; i < 5; ++i) never.wait(runtime.now() + 1ms);
  });
  EXPECT_EQ(runtime.advance(3ms), 3u);
  EXPECT_EQ(runtime.advance(10ms), 2u);
  thread.join();
}

TEST(TestRuntimeTime, AWaitEndedByAWakeIsNotDue) {
  TestRuntime runtime;
  Event event(runtime);
  TestThread waiter = runtime.start([&] { event.wait(runtime.now() + 5ms); });
  TestThread setter = runtime.start([&] {
    Event(runtime).wait(runtime.now() + 2ms);
    event.set();
  });
  EXPECT_EQ(runtime.advance(10ms), 1u);
  waiter.join();
  setter.join();
  EXPECT_TRUE(event.is_set());
}

TEST(TestRuntimeTime, TellsWhoIsParkedAndUntilWhen) {
  TestRuntime runtime;
  Event event(runtime);
  EXPECT_EQ(runtime.next_due(), kNever);
  const TimePoint soon = runtime.now() + 1ms;
  std::vector<TestThread> threads;
  for (const TimePoint until : {soon, soon, soon + 1ms, kNever}) {
    threads.push_back(runtime.start([&, until] { event.wait(until); }));
  }
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 4u);
  EXPECT_EQ(runtime.parked_until(soon), 2u);
  EXPECT_EQ(runtime.parked_until(kNever), 1u);
  EXPECT_EQ(runtime.next_due(), soon);
  EXPECT_EQ(runtime.advance(1ms), 2u);
  EXPECT_EQ(runtime.next_due(), soon + 1ms);
  event.set();
  join(threads);
}

TEST(TestRuntimeTime, AutomaticTimeLetsMainWait) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Event answer(runtime);
  TestThread thread = runtime.start([&] {
    Event(runtime).wait(runtime.now() + 5ms);
    answer.set();
  });
  answer.wait(runtime.now() + 1h);
  EXPECT_TRUE(answer.is_set());
  EXPECT_EQ(runtime.elapsed(), 5ms);
  thread.join();
}

TEST(TestRuntimeTime, AutomaticTimeStandsStillWhileAnyoneCanRun) {
  TestRuntime runtime({.time = TimeMode::automatic});
  Event never(runtime);
  TestThread sleeper = runtime.start([&] { never.wait(runtime.now() + 1ms); });
  for (int i = 0; i < 100; ++i) runtime.interleave("busy");
  runtime.settle();
  EXPECT_EQ(runtime.elapsed(), 0ns);
  EXPECT_EQ(runtime.advance(1ms), 1u);
  sleeper.join();
}

TEST(TestRuntimeTime, AutomaticTimeMovesForAThreadThatSpinsAlone) {
  TestRuntime runtime({.time = TimeMode::automatic});
  bool done = false;
  TestThread sleeper = runtime.start([&] {
    Event(runtime).wait(runtime.now() + 1ms);
    done = true;
  });
  while (!done) runtime.relax();
  EXPECT_EQ(runtime.elapsed(), 1ms);
  sleeper.join();
}

TEST(TestRuntimeWaiting, GetRunsTheOthersUntilTheFutureIsReady) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TestRuntime runtime({.seed = seed, .time = TimeMode::automatic});
    std::promise<int> promise;
    std::future<int> future = promise.get_future();
    TestThread thread = runtime.start([&] {
      Event(runtime).wait(runtime.now() + 1ms);
      promise.set_value(42);
    });
    EXPECT_EQ(runtime.get(future), 42);
    thread.join();
  }
}

TEST(TestRuntimeWaiting, GetThrowsWhatTheFutureHolds) {
  TestRuntime runtime;
  std::promise<void> promise;
  std::future<void> future = promise.get_future();
  TestThread thread = runtime.start(
      [&] { promise.set_exception(std::make_exception_ptr(std::runtime_error("no"))); });
  EXPECT_THROW(runtime.get(future), std::runtime_error);
  thread.join();
}

TEST(TestRuntimeWaiting, SeveralThreadsMayAwaitConditions) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TestRuntime runtime({.seed = seed});
    int stage = 0;
    std::vector<TestThread> threads;
    for (const int mine : {2, 1, 0}) {
      threads.push_back(runtime.start([&, mine] {
        runtime.run_until([&] { return stage == mine; });
        ++stage;
      }));
    }
    runtime.run_until([&] { return stage == 3; });
    join(threads);
  }
}

TEST(TestRuntimeThreads, JoinWaitsForTheEnd) {
  TestRuntime runtime;
  bool ended = false;
  TestThread thread = runtime.start([&] {
    for (int i = 0; i < 10; ++i) runtime.interleave("work");
    ended = true;
  });
  EXPECT_TRUE(thread.joinable());
  thread.join();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(thread.joinable());
  EXPECT_THROW(thread.join(), std::system_error);
  EXPECT_THROW(thread.detach(), std::system_error);
}

TEST(TestRuntimeThreads, AThreadMayStartAndJoinOthers) {
  TestRuntime runtime;
  int sum = 0;
  TestThread parent = runtime.start([&] {
    TestThread child = runtime.start([&] { sum += 1; });
    child.join();
    sum *= 10;
  });
  parent.join();
  EXPECT_EQ(sum, 10);
}

TEST(TestRuntimeThreads, AMovedThreadIsTheSameThread) {
  TestRuntime runtime;
  TestThread first = runtime.start([] {});
  TestThread second = std::move(first);
  EXPECT_FALSE(first.joinable());  // NOLINT(bugprone-use-after-move): that is the question.
  first = std::move(second);
  first.join();
}

TEST(TestRuntimeThreads, AThreadMayRunAFunctionThatCannotBeCopied) {
  TestRuntime runtime;
  int got = 0;
  TestThread thread = runtime.start([&got, value = std::make_unique<int>(3)] { got = *value; });
  thread.join();
  EXPECT_EQ(got, 3);
}

TEST(TestRuntimeThreads, TheEndOfTheRuntimeRunsDetachedThreadsToTheirEnd) {
  bool ended = false;
  {
    TestRuntime runtime;
    TestThread thread = runtime.start([&ended, runtime] {
      for (int i = 0; i < 10; ++i) runtime.interleave("work");
      ended = true;
    });
    thread.detach();
    EXPECT_FALSE(thread.joinable());
  }
  EXPECT_TRUE(ended);
}

TEST(TestRuntimeThreads, TheEndOfTheRuntimeMovesAutomaticTime) {
  bool ended = false;
  {
    TestRuntime runtime({.time = TimeMode::automatic});
    runtime
        .start([&ended, runtime] {
          Event(runtime).wait(runtime.now() + 1h);
          ended = true;
        })
        .detach();
  }
  EXPECT_TRUE(ended);
}

struct RunsAtThreadExit {
  const TestRuntime* runtime = nullptr;
  int* ends = nullptr;
  ~RunsAtThreadExit() {
    if (runtime == nullptr) return;
    runtime->interleave("thread exit");
    ++*ends;
  }
};

TEST(TestRuntimeThreads, ThreadLocalObjectsAreDestroyedUnderTheToken) {
  TestRuntime runtime({.switch_probability = 1});
  int ends = 0;
  std::vector<TestThread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(runtime.start([&] {
      thread_local RunsAtThreadExit at_exit;
      at_exit.runtime = &runtime;
      at_exit.ends = &ends;
    }));
  }
  join(threads);
  EXPECT_EQ(ends, 4);
}

TEST(TestRuntimeHandles, ACopyActsOnTheSameWorld) {
  TestRuntime runtime;
  const TestRuntime copy = runtime;
  runtime.advance(1ms);
  EXPECT_EQ(copy.elapsed(), 1ms);
}

TEST(TestRuntimeHandles, ADefaultOneRefersToTheInnermostOfItsThread) {
  TestRuntime outer({.start = TimePoint{} + 1s});
  {
    TestRuntime inner({.start = TimePoint{} + 2s});
    EXPECT_EQ(TestRuntime().now(), TimePoint{} + 2s);
    EXPECT_EQ(outer.now(), TimePoint{} + 1s);
  }
  EXPECT_EQ(TestRuntime().now(), TimePoint{} + 1s);
  TimePoint seen{};
  outer.start([&seen] { seen = TestRuntime().now(); }).join();
  EXPECT_EQ(seen, TimePoint{} + 1s);
}

TEST(TestRuntimeHandles, ADefaultOneCreatesARuntimeWhereThereIsNone) {
  TestRuntime runtime;
  bool ran = false;
  runtime.start([&] { ran = true; }).join();
  EXPECT_TRUE(ran);
}

TEST(TestRuntimeHandles, RuntimesMayEndInAnyOrder) {
  auto first = std::make_unique<TestRuntime>(TestOptions{.start = TimePoint{} + 1s});
  auto second = std::make_unique<TestRuntime>(TestOptions{.start = TimePoint{} + 2s});
  first.reset();
  EXPECT_EQ(TestRuntime().now(), TimePoint{} + 2s);
  second->settle();
}

TEST(TestRuntimeHandles, RefusesAProbabilityOutOfRange) {
  EXPECT_THROW(TestRuntime(TestOptions{.switch_probability = 1.5}), std::invalid_argument);
  EXPECT_THROW(TestRuntime(TestOptions{.switch_probability = -0.1}), std::invalid_argument);
  EXPECT_THROW(TestRuntime(TestOptions{.spurious_probability = 1}), std::invalid_argument);
  EXPECT_NO_THROW(TestRuntime(TestOptions{.switch_probability = 1}));
}

using RuntimeLock = batchwright::detail::Lock<TestRuntime>;

TEST(LockOnTheTestRuntime, ExcludesInAThousandSeeds) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    ASSERT_EQ(count_to_twelve<RuntimeLock>({.seed = seed}), 12) << "seed " << seed;
  }
}

TEST(LockOnTheTestRuntime, ExcludesThreadsThatPark) {
  // So many points that the spins run out, which a short critical section never lets them do.
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Counted counted =
        count_in_halves<RuntimeLock>({.seed = seed, .spurious_probability = 0.1}, 2, 150);
    ASSERT_EQ(counted.count, 6) << "seed " << seed;
    ASSERT_GT(counted.parks, 0u) << "seed " << seed;
  }
}

TEST(LockOnTheTestRuntime, ExcludesUnderSpuriousReturnsAndRoundRobin) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const TestOptions options{.seed = seed, .spurious_probability = 0.3};
    ASSERT_EQ(count_to_twelve<RuntimeLock>(options), 12) << "seed " << seed;
  }
  EXPECT_EQ(count_to_twelve<RuntimeLock>({.rule = SwitchRule::round_robin}), 12);
}

TEST(LockOnTheTestRuntime, ParksWhenItsHolderWaitsLong) {
  // The holder sleeps, so the spins of the second thread run out.
  TestRuntime runtime;
  RuntimeLock lock(runtime);
  lock.lock();
  TestThread thread = runtime.start([&] {
    lock.lock();
    lock.unlock();
  });
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 1u);
  lock.unlock();
  thread.join();
  EXPECT_EQ(runtime.unparks(), 1u);
}

TEST(PlantedBugs, ALockThatChecksBeforeItTakesIsFoundOut) {
  int broken = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    broken += count_to_twelve<LeakyLock>({.seed = seed}) != 12;
  }
  EXPECT_GT(broken, 50);
}

TEST(PlantedBugs, TheRightEventLosesNoWakeUpInAThousandSeeds) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) wait_for_one_event<Event>(seed);
}

class TestRuntimeDeathTest : public ::testing::Test {
 protected:
  // A fresh process: a forked one would lack the threads of this.
  TestRuntimeDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(TestRuntimeDeathTest, ALostWakeUpIsReportedWithinAFewHundredSeeds) {
  EXPECT_DEATH(
      for (std::uint64_t seed = 0; seed < 300; ++seed) wait_for_one_event<DeafEvent>(seed),
      "deadlock: every thread waits, and no instant is pending\n"
      "  seed [0-9]+, virtual time \\+0ns, step [0-9]+\n"
      "  thread 0 \\(main\\) awaits the end of a thread, last point: before set\n"
      "  thread 1 \\(waiter\\) parked on 0x[0-9a-f]+ until never, last point: between check and "
      "sleep\n"
      "  last steps:.* 1:park;");
}

TEST_F(TestRuntimeDeathTest, AWaitOfMainOnTimeThatNobodyMovesIsADeadlock) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        Event(runtime).wait(runtime.now() + 1ms);
      },
      "deadlock: every thread waits, and time is moved by hand.*parked on .* until \\+1000000ns");
}

TEST_F(TestRuntimeDeathTest, AFutureThatNobodyFulfilsIsADeadlock) {
  EXPECT_DEATH(
      {
        TestRuntime runtime({.time = TimeMode::automatic});
        std::promise<int> promise;
        std::future<int> future = promise.get_future();
        runtime.get(future);
      },
      "deadlock.*awaits a future");
}

TEST_F(TestRuntimeDeathTest, ADeadlockIsNoticedWhenAThreadEnds) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        runtime.start([] {}, "brief").detach();
        Event(runtime).wait();
      },
      "deadlock.*\\(brief\\) finished");
}

TEST_F(TestRuntimeDeathTest, AThreadThatOutlivesTheRuntimeIsReported) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        // It outlives the runtime too: the thread still looks at it.
        runtime.start([event = new Event(runtime)] { event->wait(); }, "leaked").detach();
      },
      "destroyed while threads that it started still wait.*\\(leaked\\) parked");
}

TEST_F(TestRuntimeDeathTest, ASpinThatNobodyEndsIsALivelock) {
  EXPECT_DEATH(
      {
        TestRuntime runtime({.max_steps = 1000});
        for (;;) runtime.relax();
      },
      "livelock.*step 1001");
}

TEST_F(TestRuntimeDeathTest, AutomaticTimeDoesNotMoveWhileMainSettles) {
  EXPECT_DEATH(
      {
        TestRuntime runtime({.time = TimeMode::automatic, .max_steps = 5000});
        Event never(runtime);
        TestThread sleeper = runtime.start([&] { never.wait(runtime.now() + 1ms); });
        TestThread spinner = runtime.start([&] {
          for (;;) runtime.relax();
        });
        runtime.settle();
      },
      "livelock.*virtual time \\+0ns");
}

TEST_F(TestRuntimeDeathTest, AnotherThreadMayNotUseTheRuntime) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        std::thread([&] { runtime.interleave("stranger"); }).join();
      },
      "used by a thread that it did not start");
}

TEST_F(TestRuntimeDeathTest, ACopyMayNotBeUsedAfterTheEnd) {
  EXPECT_DEATH(
      {
        auto owner = std::make_unique<TestRuntime>(TestOptions{});
        const TestRuntime copy = *owner;
        owner.reset();
        copy.interleave("late");
      },
      "used by a thread that it did not start, or after its end");
}

TEST_F(TestRuntimeDeathTest, OnlyMainMayAdvance) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        runtime.start([&] { runtime.advance(1ms); }).join();
      },
      "advance is for the thread that created the runtime");
}

TEST_F(TestRuntimeDeathTest, TimeDoesNotGoBack) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        runtime.advance_to(runtime.now() - 1ns);
      },
      "advance_to an instant that has passed");
}

TEST_F(TestRuntimeDeathTest, AJoinableThreadTerminatesAtItsEnd) {
  EXPECT_DEATH(
      {
        TestRuntime runtime;
        TestThread thread = runtime.start([] {});
      },
      "");
}

TEST_F(TestRuntimeDeathTest, DetachedThreadsThatEndedAreForgotten) {
  const auto start_many = [] {
    TestRuntime runtime({.on_failure = [](const char* report) {
      const std::string text = report;
      const bool others = text.find("thread 2 ") != std::string::npos;
      std::_Exit(text.find("thread 3 ") != std::string::npos && !others ? 3 : 4);
    }});
    for (int i = 0; i < 2; ++i) {
      runtime.start([] {}).detach();
      runtime.settle();
    }
    runtime.start([runtime] { Event(runtime).wait(); }).join();
  };
  EXPECT_EXIT(start_many(), ::testing::ExitedWithCode(3), "deadlock");
}

TEST_F(TestRuntimeDeathTest, TheFailureHandlerGetsTheReport) {
  const auto give_up_by_itself = [] {
    TestRuntime runtime({.seed = 77, .on_failure = [](const char* report) {
                           const bool told =
                               std::string(report).find("seed 77") != std::string::npos;
                           std::_Exit(told ? 3 : 4);
                         }});
    Event(runtime).wait();
  };
  EXPECT_EXIT(give_up_by_itself(), ::testing::ExitedWithCode(3), "deadlock");
}

}  // namespace
