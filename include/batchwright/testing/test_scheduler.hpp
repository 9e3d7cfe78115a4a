// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTING_TEST_SCHEDULER_HPP
#define BATCHWRIGHT_TESTING_TEST_SCHEDULER_HPP

// The machinery behind TestRuntime. Exactly one of the managed threads holds the token and runs;
// the others sleep, each on its own word. The scheduler has no lock: only the holder touches it,
// and the hand-over of the token orders one holder after the other.

#include "../policy.hpp"
#include "schedule_record.hpp"
#include "test_options.hpp"
#include "test_thread.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

class TestScheduler : public std::enable_shared_from_this<TestScheduler> {
 public:
  explicit TestScheduler(const testing::TestOptions& options)

      : options_(validated(options)), now_(options.start), choice_(options.seed) {
    auto main = std::make_unique<ManagedThread>();
    main->scheduler = this;
    main->name = "main";
    main->outer = current_thread();
    reserve(1);
    ManagedThread* const added = main.get();
    threads_.push_back(std::move(main));
    current_thread() = added;
  }

  TestScheduler(const TestScheduler&) = delete;
  TestScheduler& operator=(const TestScheduler&) = delete;

  // Access to the calling thread. Every function below takes it, so that it is looked up once.

  ManagedThread& self() {
    ManagedThread* thread = current_thread();
    while (thread != nullptr && thread->scheduler != this) thread = thread->outer;
    if (thread == nullptr) {
      die("TestRuntime: used by a thread that it did not start, or after its end\n");
    }
    return *thread;
  }

  ManagedThread& self_main(const char* function) {
    ManagedThread& me = self();
    if (me.index != 0) fail(std::string(function) + " is for the thread that created the runtime");
    return me;
  }

  // What the concept asks for.

  TimePoint now() const noexcept { return now_; }

  void interleave(ManagedThread& me, const char* point) {
    me.last_point = point;
    pass(me, point);
  }

  void relax(ManagedThread& me) {
    note(me, "relax");
    promote();
    if (runnable_.empty()) {
      // A thread that spins alone for long is as good as blocked: what it waits for needs time.
      // Not while main settles, who then is to move time.
      const bool may_jump = options_.time == testing::TimeMode::automatic && settling_ == nullptr;
      if (!may_jump || ++lonely_ < kLonelySpins || jump() == 0) return;
    }
    hand_over(me);
  }

  void park(ManagedThread& me, const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            TimePoint until) {
    pass(me, "park");
    if (word.load(std::memory_order_acquire) != expected || until <= now_) return;
    if (options_.spurious_probability > 0 && choice_.coin(options_.spurious_probability)) {
      ++counts_.spurious_returns;
      pass(me, "spurious return");
      return;
    }
    ++counts_.parks;
    parked_.add(me, &word, until);
    block(me);
  }

  void unpark(const void* word, std::uint32_t count) {
    std::uint32_t woken = 0;
    for (std::size_t there = parked_.count_on(word); woken < count && there > 0; --there, ++woken) {
      const bool all = count - woken >= there;
      make_runnable(parked_.take_on(word, all ? 0 : choose(there)));
    }
    ++(woken > 0 ? counts_.unparks : counts_.idle_unparks);
    counts_.woken += woken;
  }

  template <class Function>
  ManagedThread& start(Function function, const char* name) {
    reap();
    reserve(threads_.size() + 1);
    auto record = std::make_unique<ManagedThread>();
    ManagedThread* const added = record.get();
    added->scheduler = this;
    added->index = next_index_;
    added->name = name;
    added->thread = std::thread([added, run = std::move(function)]() mutable noexcept {
      // Registered before anything else of this thread, hence destroyed after it: the closure and
      // all other thread_local objects are destroyed while the thread still holds the token.
      thread_local EndOfThread end;
      end.thread = added;
      current_thread() = added;
      added->baton.take();
      run();
    });
    ++next_index_;
    threads_.push_back(std::move(record));
    runnable_.push_back(added);
    return *added;
  }

  void join(ManagedThread& me, ManagedThread& other) {
    await(
        me, "the end of a thread",
        [](const void* thread) noexcept {
          return static_cast<const ManagedThread*>(thread)->state == ManagedState::finished;
        },
        &other);
    remove(other);
  }

  /// Runs the others until the condition holds. It is evaluated by whichever thread runs.
  void await(ManagedThread& me, const char* what, bool (*condition)(const void*) noexcept,
             const void* argument) {
    pass(me, what);
    while (!condition(argument)) {
      me.awaited = what;
      me.condition = condition;
      me.condition_argument = argument;
      me.state = ManagedState::awaiting;
      awaiting_.push_back(&me);
      block(me);
    }
  }

  // Control.

  void settle(ManagedThread& me) {
    note(me, "settle");
    me.state = ManagedState::settling;
    settling_ = &me;
    block(me);
  }

  std::size_t advance_to(ManagedThread& me, TimePoint target) {
    if (target < now_) fail("advance_to an instant that has passed");
    std::size_t due = 0;
    settle(me);
    while (parked_.next_due() <= target && parked_.next_due() != kNever) {
      due += jump();
      settle(me);
    }
    now_ = std::max(now_, target);
    return due;
  }

  /// Runs the others to their ends; fails if they do not come to it.
  void finish() {
    ManagedThread& me = self_main("destroying a TestRuntime");
    while (unfinished() > 0) {
      settle(me);
      if (unfinished() == 0) break;
      if (options_.time != testing::TimeMode::automatic || jump() == 0) {
        fail("destroyed while threads that it started still wait");
      }
    }
    for (const auto& thread : threads_) {
      if (thread->thread.joinable()) thread->thread.join();
    }
    ManagedThread** link = &current_thread();
    while (*link != &me) link = &(*link)->outer;
    *link = me.outer;
    threads_.clear();
  }

  const testing::TestOptions& options() const noexcept { return options_; }
  const ScheduleRecord& record() const noexcept { return record_; }

  testing::TestCounts counts() const noexcept {
    testing::TestCounts counts = counts_;
    counts.steps = record_.steps();
    return counts;
  }

  const ParkedThreads& parked() const noexcept { return parked_; }

  /// Prints what is wrong and where every thread is, and ends the process.
  [[noreturn]] void fail(const std::string& what) const;

 private:
  static constexpr std::uint32_t kLonelySpins = 1000;

  struct EndOfThread {
    ManagedThread* thread = nullptr;
    ~EndOfThread() {
      if (thread != nullptr) thread->scheduler->end(*thread);
    }
  };

  [[noreturn]] void die(const std::string& report) const {
    std::fputs(report.c_str(), stderr);
    std::fflush(stderr);
    if (options_.on_failure != nullptr) options_.on_failure(report.c_str());
    std::abort();
  }

  // Steps.

  void note(const ManagedThread& me, const char* point) {
    record_.note(me.index, point);
    if (record_.steps() > options_.max_steps) fail("livelock: more than max_steps steps");
  }

  /// A point at which another thread may run first.
  void pass(ManagedThread& me, const char* point) {
    note(me, point);
    const bool chance = options_.rule == testing::SwitchRule::random;
    if (chance && !choice_.coin(options_.switch_probability)) return;
    promote();
    if (!runnable_.empty()) hand_over(me);
  }

  // Moves to the runnable ones whoever got the condition that it awaits.
  void promote() noexcept {
    for (std::size_t i = 0; i < awaiting_.size();) {
      ManagedThread* const thread = awaiting_[i];
      if (thread->condition(thread->condition_argument)) {
        awaiting_.erase(awaiting_.begin() + static_cast<std::ptrdiff_t>(i));
        make_runnable(*thread);
      } else {
        ++i;
      }
    }
  }

  void make_runnable(ManagedThread& thread) noexcept {
    thread.state = ManagedState::runnable;
    runnable_.push_back(&thread);
  }

  /// An index below `count`; the first one under round robin.
  std::size_t choose(std::size_t count) noexcept {
    return options_.rule == testing::SwitchRule::round_robin ? 0 : choice_.below(count);
  }

  ManagedThread& take_runnable() noexcept {
    const auto position = runnable_.begin() + static_cast<std::ptrdiff_t>(choose(runnable_.size()));
    ManagedThread* const chosen = *position;
    runnable_.erase(position);
    return *chosen;
  }

  /// Who runs when the caller cannot.
  ManagedThread& next() {
    for (;;) {
      promote();
      if (!runnable_.empty()) return take_runnable();
      if (settling_ != nullptr) {
        ManagedThread* const settled = std::exchange(settling_, nullptr);
        settled->state = ManagedState::runnable;
        return *settled;
      }
      if (options_.time != testing::TimeMode::automatic || jump() == 0) {
        fail(parked_.next_due() == kNever
                 ? "deadlock: every thread waits, and no instant is pending"
                 : "deadlock: every thread waits, and time is moved by hand "
                   "(advance it, or set TimeMode::automatic)");
      }
    }
  }

  /// The caller goes on later; another thread, of which there is one, goes on now.
  void hand_over(ManagedThread& me) noexcept {
    ManagedThread& chosen = take_runnable();
    runnable_.push_back(&me);
    switch_to(me, chosen);
  }

  /// The caller's state says what it waits for; returns when it was chosen again.
  void block(ManagedThread& me) {
    ManagedThread& chosen = next();
    if (&chosen != &me) switch_to(me, chosen);
  }

  void switch_to(ManagedThread& me, ManagedThread& chosen) noexcept {
    leave_to(chosen);
    me.baton.take();
  }

  void leave_to(ManagedThread& chosen) noexcept {
    ++counts_.switches;
    record_.note_choice(chosen.index);
    lonely_ = 0;
    chosen.baton.give();
  }

  void end(ManagedThread& me) {
    note(me, "end of thread");
    me.state = ManagedState::finished;
    ManagedThread& chosen = next();
    current_thread() = nullptr;
    leave_to(chosen);
  }

  /// Moves time to the earliest pending instant; returns how many waits it ended.
  std::size_t jump() noexcept {
    const TimePoint instant = parked_.next_due();
    if (instant == kNever) return 0;
    now_ = std::max(now_, instant);
    std::size_t due = 0;
    while (ManagedThread* const thread = parked_.take_due(now_)) {
      make_runnable(*thread);
      ++due;
    }
    counts_.timeouts += due;
    return due;
  }

  std::size_t unfinished() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(threads_.begin() + 1, threads_.end(),
                      [](const auto& thread) { return thread->state != ManagedState::finished; }));
  }

  // Room for every thread in every list, so that nothing below `start` allocates.
  void reserve(std::size_t threads) {
    runnable_.reserve(threads);
    parked_.reserve(threads);
    awaiting_.reserve(threads);
    threads_.reserve(threads);
  }

  void remove(ManagedThread& thread) {
    thread.thread.join();
    std::erase_if(threads_, [&](const auto& record) { return record.get() == &thread; });
  }

  void reap() {
    for (std::size_t i = threads_.size(); i-- > 1;) {
      ManagedThread& thread = *threads_[i];
      if (thread.detached && thread.state == ManagedState::finished) remove(thread);
    }
  }

  const testing::TestOptions options_;

  // Guarded by the token.
  TimePoint now_;
  SeededChoice choice_;
  ScheduleRecord record_;
  std::uint32_t lonely_ = 0;
  std::size_t next_index_ = 1;
  testing::TestCounts counts_;
  std::vector<std::unique_ptr<ManagedThread>> threads_;  // By index; the first one is main.
  std::vector<ManagedThread*> runnable_;  // By how long they have been; never the running one.
  ParkedThreads parked_;
  std::vector<ManagedThread*> awaiting_;
  ManagedThread* settling_ = nullptr;
};

inline void TestScheduler::fail(const std::string& what) const {
  std::string report = "TestRuntime: " + what + "\n  seed " + std::to_string(options_.seed) +
                       ", virtual time " + describe_instant(now_, options_.start) + ", step " +
                       std::to_string(record_.steps()) + "\n";
  for (const auto& thread : threads_) {
    report += "  " + describe_thread(*thread, options_.start) + "\n";
  }
  report += "  last steps:";
  for (const testing::TestStep& step : record_.trace()) {
    report += " " + std::to_string(step.thread) + ":" + step.point + ";";
  }
  die(report + "\n");
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_TESTING_TEST_SCHEDULER_HPP
