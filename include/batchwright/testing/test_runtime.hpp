// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTING_TEST_RUNTIME_HPP
#define BATCHWRIGHT_TESTING_TEST_RUNTIME_HPP

#include "../policy.hpp"
#include "test_options.hpp"
#include "test_scheduler.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace testing {

/// A thread that a TestRuntime started. Like std::thread: the end of a joinable one terminates.
class TestThread {
 public:
  TestThread() noexcept = default;
  TestThread(TestThread&& other) noexcept
      : scheduler_(std::move(other.scheduler_)), thread_(std::exchange(other.thread_, nullptr)) {}
  TestThread& operator=(TestThread&& other) noexcept {
    if (joinable()) std::terminate();
    scheduler_ = std::move(other.scheduler_);
    thread_ = std::exchange(other.thread_, nullptr);
    return *this;
  }
  ~TestThread() {
    if (joinable()) std::terminate();
  }

  /// Runs the others until the thread has ended. Throws std::system_error unless joinable.
  void join() {
    require_joinable();
    scheduler_->join(scheduler_->self(), *thread_);
    release();
  }

  /// Lets the thread run on by itself; it has to end before the runtime does.
  void detach() {
    require_joinable();
    scheduler_->self();
    thread_->detached = true;
    release();
  }

  bool joinable() const noexcept { return thread_ != nullptr; }

 private:
  friend class TestRuntime;

  TestThread(std::shared_ptr<detail::TestScheduler> scheduler,
             detail::ManagedThread& thread) noexcept
      : scheduler_(std::move(scheduler)), thread_(&thread) {}

  void require_joinable() const {
    if (!joinable()) throw std::system_error(std::make_error_code(std::errc::invalid_argument));
  }

  void release() noexcept {
    thread_ = nullptr;
    scheduler_.reset();
  }

  std::shared_ptr<detail::TestScheduler> scheduler_;
  detail::ManagedThread* thread_ = nullptr;
};

/// A Runtime for tests that owns virtual time and every interleaving, and replays both from a seed.
///
///     TestRuntime runtime({.seed = 7});
///     ...start threads through it, pass copies of it to the code under test...
///     EXPECT_EQ(runtime.advance(4ms), 0u);  // nothing happened, and it took no time to know
///     EXPECT_EQ(runtime.advance(1ms), 1u);  // one wait timed out
///
/// Threads are real ones, but exactly one of them runs at a time, the thread that created the
/// runtime ("main") included. It goes on until it comes to `interleave`, `park`, `relax` or another
/// wait; there the seed decides who goes on. Everything between two such points is atomic to the
/// others. So a run is a function of the seed and the program, provided that the program itself
/// depends on nothing else (addresses, real time, std::random_device).
///
/// If every thread waits and nothing can end that, a report on stderr names the seed and what every
/// thread waits for, and the process aborts. To look for such a seed, run the loop over the seeds
/// inside one death test.
///
/// Limits. A hand-over of the token synchronizes: ThreadSanitizer finds no data race in code that
/// runs here, only in tests on the real runtime. Memory is sequentially consistent here. Leaf
/// spinlocks and mutexes are fine as long as none is held across a point at which another thread
/// may run: they are never contended. A wait that does not go through the runtime, such as that of
/// `std::future::get` on a future that is not ready, stops the world for good: use `get` below. A
/// child made by fork has none of the threads, so a death test creates its runtime inside.
///
/// All functions may be called from managed threads only, those under "Control" from main only.
/// Other use is reported and aborts, except that a mere question (`now`, `counts`, ...) is not
/// checked.
class TestRuntime {
 public:
  using Thread = TestThread;

  /// Refers to the innermost live runtime of the calling thread; without one, creates one with the
  /// default options. So code that makes its runtime by default gets that of the test it runs in. A
  /// default option set is written `TestRuntime runtime;`, for `runtime({})` is ambiguous.
  TestRuntime() {
    if (const detail::ManagedThread* thread = detail::current_thread()) {
      scheduler_ = thread->scheduler->shared_from_this();
    } else {
      scheduler_ = std::make_shared<detail::TestScheduler>(TestOptions{});
      owner_ = true;
    }
  }

  /// Creates a runtime of its own. Throws std::invalid_argument for a probability out of range.
  explicit TestRuntime(const TestOptions& options)
      : scheduler_(std::make_shared<detail::TestScheduler>(options)), owner_(true) {}

  /// A copy acts on the same time and threads. It may outlive the handle that created the runtime,
  /// but not be used after that.
  TestRuntime(const TestRuntime& other) noexcept : scheduler_(other.scheduler_) {}
  TestRuntime& operator=(const TestRuntime&) = delete;

  /// The end of the handle that created the runtime runs the other threads until they have ended,
  /// moving time if that is automatic. It is a failure if they do not end.
  ~TestRuntime() {
    if (owner_) scheduler_->finish();
  }

  // The Runtime.

  TimePoint now() const noexcept { return scheduler_->now(); }

  /// Waits while `word == expected`, until unparked or until the instant. Another thread may run
  /// before the word is compared.
  void park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            TimePoint until) const noexcept {
    scheduler_->park(scheduler_->self(), word, expected, until);
  }

  /// Makes up to `count` threads runnable, drawn from the seed (those that have waited the longest
  /// under round robin). The caller goes on.
  void unpark(const std::atomic<std::uint32_t>& word, std::uint32_t count) const noexcept {
    scheduler_->self();
    scheduler_->unpark(&word, count);
  }

  /// How often whoever looks out for something looks before it parks: time stands still meanwhile.
  static constexpr int kMostLooks = 2;

  /// Another thread runs, if one can: what a spinner waits for is up to the others.
  void relax() const noexcept { scheduler_->relax(scheduler_->self()); }

  /// Another thread may run. `point` must live as long as the runtime.
  void interleave(const char* point) const noexcept {
    scheduler_->interleave(scheduler_->self(), point);
  }

  /// The new thread runs when it is chosen, not before the caller comes to a point. `name` shows in
  /// reports and must live as long as the runtime. Throws std::system_error.
  template <class Function>
  Thread start(Function function, const char* name = "thread") const {
    scheduler_->self();
    return Thread(scheduler_, scheduler_->start(std::move(function), name));
  }

  // Waiting.

  /// Runs the others until `condition()` holds. It is called often, by any thread, and must neither
  /// throw nor come to a point.
  template <class Condition>
  void run_until(const Condition& condition) const {
    scheduler_->await(
        scheduler_->self(), "a condition",
        [](const void* argument) noexcept -> bool {
          return (*static_cast<const Condition*>(argument))();
        },
        &condition);
  }

  /// Runs the others until the future is ready; returns or throws what its `get` does.
  template <class T>
  T get(std::future<T>& future) const {
    scheduler_->await(
        scheduler_->self(), "a future",
        [](const void* argument) noexcept {
          return static_cast<const std::future<T>*>(argument)->wait_for(Duration::zero()) !=
                 std::future_status::timeout;
        },
        &future);
    return future.get();
  }

  // Control.

  /// Runs the others until each of them waits or has ended. Time stands still.
  void settle() const { scheduler_->settle(scheduler_->self_main("settle")); }

  /// Settles, then moves time to each pending instant up to `now() + span` in turn, letting the
  /// others run to their next wait at each. Returns how many waits their instants ended.
  std::size_t advance(Duration span) const {
    return advance_to(detail::saturating_add(now(), span));
  }
  std::size_t advance_to(TimePoint target) const {
    return scheduler_->advance_to(scheduler_->self_main("advance"), target);
  }

  // What has happened.

  /// How much virtual time has passed.
  Duration elapsed() const { return now() - scheduler_->options().start; }

  /// How many threads are parked now, how many of them until exactly that instant, and the earliest
  /// instant of all.
  std::size_t parked() const { return scheduler_->parked().size(); }
  std::size_t parked_until(TimePoint instant) const {
    return scheduler_->parked().count_until(instant);
  }
  TimePoint next_due() const { return scheduler_->parked().next_due(); }

  /// How many calls of `park` waited, and how many of `unpark` woke somebody. Where every wait has
  /// ended, `parks() == counts().woken + counts().timeouts`.
  std::uint64_t parks() const { return scheduler_->counts().parks; }
  std::uint64_t unparks() const { return scheduler_->counts().unparks; }
  TestCounts counts() const { return scheduler_->counts(); }

  /// A hash of all steps: who was at which point, and who was chosen. Equal for equal runs.
  std::uint64_t schedule_hash() const { return scheduler_->record().hash(); }

  /// The last steps, up to 64, oldest first.
  std::vector<TestStep> trace() const { return scheduler_->record().trace(); }

 private:
  std::shared_ptr<detail::TestScheduler> scheduler_;
  bool owner_ = false;
};

}  // namespace testing
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_TESTING_TEST_RUNTIME_HPP
