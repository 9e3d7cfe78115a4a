// SPDX-License-Identifier: MIT
#include <batchwright/runtime.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <type_traits>

namespace {

using batchwright::kNever;
using batchwright::Runtime;
using batchwright::SystemRuntime;
using batchwright::TimePoint;

static_assert(Runtime<SystemRuntime>);
static_assert(Runtime<batchwright::testing::TestRuntime>);
static_assert(std::is_empty_v<SystemRuntime>);

// What is complete, and each of these with one thing wrong.
struct Complete {
  using Thread = std::thread;
  TimePoint now() const noexcept { return {}; }
  void park(const std::atomic<std::uint32_t>&, std::uint32_t, TimePoint) const noexcept {}
  void unpark(const std::atomic<std::uint32_t>&, std::uint32_t) const noexcept {}
  void relax() const noexcept {}
  void interleave(const char*) const noexcept {}
  template <class Function>
  Thread start(Function function) const {
    return std::thread(function);
  }
};
struct ThrowingNow : Complete {
  TimePoint now() const { return {}; }
};
struct WallClock : Complete {
  std::chrono::system_clock::time_point now() const noexcept { return {}; }
};
struct ThrowingPark : Complete {
  void park(const std::atomic<std::uint32_t>&, std::uint32_t, TimePoint) const {}
};
struct ThrowingUnpark : Complete {
  void unpark(const std::atomic<std::uint32_t>&, std::uint32_t) const {}
};
struct ThrowingRelax : Complete {
  void relax() const {}
};
struct ThrowingInterleave : Complete {
  void interleave(const char*) const {}
};
struct MutablePark : Complete {
  void park(const std::atomic<std::uint32_t>&, std::uint32_t, TimePoint) noexcept {}
};
struct StartsNothing : Complete {
  template <class Function>
  void start(Function) const {}
};
struct NotCopyable : Complete {
  NotCopyable() = default;
  NotCopyable(const NotCopyable&) = delete;
};
struct NoDefault : Complete {
  explicit NoDefault(int) {}
};

static_assert(Runtime<Complete>);
static_assert(!Runtime<ThrowingNow>);
static_assert(!Runtime<WallClock>);
static_assert(!Runtime<ThrowingPark>);
static_assert(!Runtime<ThrowingUnpark>);
static_assert(!Runtime<ThrowingRelax>);
static_assert(!Runtime<ThrowingInterleave>);
static_assert(!Runtime<MutablePark>);
static_assert(!Runtime<StartsNothing>);
static_assert(!Runtime<NotCopyable>);
static_assert(!Runtime<NoDefault>);
static_assert(!Runtime<int>);

TEST(SystemRuntime, TimeIsTheSteadyClocks) {
  const SystemRuntime runtime;
  const TimePoint before = std::chrono::steady_clock::now();
  const TimePoint now = runtime.now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, std::chrono::steady_clock::now());
}

TEST(SystemRuntime, StartsJoinableThreads) {
  const SystemRuntime runtime;
  bool ran = false;
  std::thread thread = runtime.start([&] { ran = true; });
  EXPECT_TRUE(thread.joinable());
  thread.join();
  EXPECT_TRUE(ran);
}

TEST(SystemRuntime, AParkedThreadIsWokenByUnpark) {
  const SystemRuntime runtime;
  std::atomic<std::uint32_t> word{0};
  std::thread waiter = runtime.start([&] {
    while (word.load() == 0) runtime.park(word, 0, kNever);
  });
  runtime.relax();
  runtime.interleave("nothing happens");
  word.store(1);
  runtime.unpark(word, 1);
  waiter.join();
}

}  // namespace
