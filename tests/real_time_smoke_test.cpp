// SPDX-License-Identifier: MIT
//
// The one test that runs in real time: the same batcher as everywhere, on the machine's own clock and
// threads. Its bounds are wide, for machines that are busy with something else.
#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <time.h>
#endif

namespace {

using namespace std::chrono_literals;
using batchwright::DynamicBatcher;
using batchwright::HybridPolicy;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::shared_predictor;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using Clock = std::chrono::steady_clock;

std::vector<int> doubled(std::span<const int> inputs) {
  std::vector<int> results;
  for (const int input : inputs) results.push_back(input * 2);
  return results;
}

TEST(RealTime, FourThreadsAreServedByFutureTicketAndCallback) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 40;
  constexpr int kWindow = 8;  // Of each kind, outstanding at once.
  DynamicBatcher<int, int> batcher(
      shared_predictor(doubled),
      {.max_batch_size = 32, .policy = HybridPolicy{.max_wait = 200us}, .executors = 2});
  std::atomic<int> wrong{0};
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        const int base = (t * kRounds + round) * kWindow;
        std::vector<std::future<int>> futures;
        std::vector<batchwright::Ticket<int>> tickets;
        for (int i = base; i < base + kWindow; ++i) {
          futures.push_back(batcher.submit(i));
          tickets.push_back(batcher.submit(i, use_ticket));
          const bool accepted = static_cast<bool>(batcher.submit(i, [&, i](Result<int> result) {
            if (!result || *result != 2 * i) ++wrong;
            ++calls;
          }));
          if (!accepted) ++wrong;
        }
        for (int i = 0; i < kWindow; ++i) {
          if (futures[static_cast<std::size_t>(i)].get() != 2 * (base + i)) ++wrong;
          if (tickets[static_cast<std::size_t>(i)].get() != 2 * (base + i)) ++wrong;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(batcher.wait_idle());
  constexpr std::uint64_t kTotal = 3ull * kThreads * kRounds * kWindow;
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(calls, kThreads * kRounds * kWindow);
  const MetricsSnapshot metrics = batcher.metrics();
  EXPECT_EQ(metrics.completed, kTotal);
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_GT(metrics.mean_batch_size(), 1.0);
  EXPECT_LE(metrics.batch_size.max(), 32u);
}

TEST(RealTime, AWindowIsHonoured) {
  DynamicBatcher<int, int> batcher(doubled, {.policy = TimePolicy{.max_wait = 20ms}});
  const Clock::time_point start = Clock::now();
  auto first = batcher.submit(1);
  std::this_thread::sleep_for(5ms);
  auto second = batcher.submit(2);
  EXPECT_EQ(first.get(), 2);
  const Clock::duration waited = Clock::now() - start;
  EXPECT_EQ(second.get(), 4);
  EXPECT_GE(waited, 20ms);
  EXPECT_LT(waited, 5s);
}

TEST(RealTime, ADeadlineIsHonouredWhileTheExecutorIsBusy) {
  std::atomic<bool> release{false};
  DynamicBatcher<int, int> batcher(
      [&](std::span<const int> inputs) {
        release.wait(false);
        return doubled(inputs);
      },
      {.max_batch_size = 1});
  auto running = batcher.submit(1);
  const Clock::time_point deadline = Clock::now() + 10ms;
  auto expiring = batcher.submit(2, {.deadline = deadline});
  EXPECT_THROW(expiring.get(), batchwright::DeadlineExceededError);
  EXPECT_GE(Clock::now(), deadline);
  release = true;
  release.notify_all();
  EXPECT_EQ(running.get(), 2);
}

// The machine's own part is measured beside ours: what a busy machine adds, it adds to both.

using Times = std::array<Clock::duration, 20>;

Clock::duration median(Times times) {
  const auto middle = times.begin() + times.size() / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

/// What took how long, at most a millisecond longer than the bare thing, in one measurement of five.
template <class Measure>
void expect_within_a_millisecond(Measure measure) {
  std::string seen;
  for (int attempt = 0; attempt < 5; ++attempt) {
    Times ours{};
    Times bare{};
    measure(ours, bare);
    if (median(ours) <= median(bare) + 1ms) return;
    const auto microseconds = [](Clock::duration time) {
      return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
    };
    seen += "\n" + microseconds(median(ours)) + " us, bare " + microseconds(median(bare)) + " us";
  }
  ADD_FAILURE() << "medians:" << seen;
}

/// A batcher whose only executor is held by its first request.
class Held {
 public:
  Held()
      : batcher_(
            [this](std::span<const int> inputs) {
              entered_ = true;
              entered_.notify_all();
              released_.wait(false);
              return doubled(inputs);
            },
            {.max_batch_size = 1}),
        first_(batcher_.submit(1)) {
    entered_.wait(false);
  }
  ~Held() {
    released_ = true;
    released_.notify_all();
    EXPECT_EQ(first_.get(), 2);
  }

  DynamicBatcher<int, int>& batcher() { return batcher_; }

 private:
  std::atomic<bool> entered_{false};
  std::atomic<bool> released_{false};
  DynamicBatcher<int, int> batcher_;
  std::future<int> first_;
};

TEST(RealTime, WhatExpiresIsAnsweredWithinAMillisecondOfABareTimedWait) {
  Held held;
  expect_within_a_millisecond([&](Times& ours, Times& bare) {
    constexpr auto kStep = 3ms;
    const Clock::time_point start = Clock::now() + kStep;
    std::atomic<std::size_t> answered{0};
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const Clock::time_point deadline = start + i * kStep;
      const auto note = [&ours, &answered, i, deadline](const Result<int>& result) {
        ours[i] = Clock::now() - deadline;
        EXPECT_EQ(result.outcome(), Outcome::expired);
        ++answered;
        answered.notify_all();
      };
      EXPECT_TRUE(held.batcher().submit(2, note, {.deadline = deadline}));
    }
    for (std::size_t i = 0; i < bare.size(); ++i) {
      const Clock::time_point instant = start + i * kStep + kStep / 2;
      std::this_thread::sleep_until(instant);
      bare[i] = Clock::now() - instant;
    }
    for (std::size_t seen; (seen = answered) < ours.size();) answered.wait(seen);
    EXPECT_GE(*std::min_element(ours.begin(), ours.end()), 0ms);
  });
}

TEST(RealTime, WhatIsCancelledIsAnsweredWithinAMillisecondOfABareWake) {
  Held held;
  expect_within_a_millisecond([&](Times& ours, Times& bare) {
    std::atomic<int> asked{0};
    std::atomic<int> answered{0};
    std::thread other([&] {
      for (int i = 0; i < static_cast<int>(Times().size()); ++i) {
        asked.wait(i);
        answered = i + 1;
        answered.notify_all();
      }
    });
    for (std::size_t i = 0; i < ours.size(); ++i) {
      auto ticket = held.batcher().submit(2, use_ticket);
      std::this_thread::sleep_for(1ms);  // Whoever is to be woken sleeps by then.
      Clock::time_point start = Clock::now();
      EXPECT_TRUE(ticket.cancel());
      EXPECT_EQ(ticket.result().outcome(), Outcome::cancelled);
      ours[i] = Clock::now() - start;

      start = Clock::now();
      ++asked;
      asked.notify_all();
      answered.wait(static_cast<int>(i));
      bare[i] = Clock::now() - start;
    }
    other.join();
  });
}

#if defined(__linux__)
/// Of all threads of this process.
std::chrono::nanoseconds cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

TEST(RealTime, BatchersThatAreIdlePausedOrHangUseNoCpu) {
  std::atomic<bool> release{false};
  const auto hangs = [&](std::span<const int> inputs) {
    release.wait(false);
    return doubled(inputs);
  };
  DynamicBatcher<int, int> idle(shared_predictor(doubled), {.executors = 3});
  EXPECT_EQ(idle.submit(1).get(), 2);
  DynamicBatcher<int, int> paused(doubled,
                                  {.policy = TimePolicy{.max_wait = 1ms}, .max_wait = 2ms});
  paused.pause();
  auto queued = paused.submit(1);
  DynamicBatcher<int, int> hanging(shared_predictor(hangs), {.max_batch_size = 1,
                                                             .policy = TimePolicy{.max_wait = 1ms},
                                                             .executors = 2,
                                                             .max_wait = 2ms});
  std::vector<std::future<int>> futures;
  for (int i = 0; i < 6; ++i) futures.push_back(hanging.submit(i));
  std::chrono::nanoseconds used{};
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::this_thread::sleep_for(50ms);  // Threads that are to sleep look out for work before.
    const std::chrono::nanoseconds before = cpu_time();
    std::this_thread::sleep_for(300ms);
    used = cpu_time() - before;
    if (used < 1ms) break;
  }
  EXPECT_LT(used, 1ms);
  EXPECT_EQ(paused.metrics().queued, 1u);
  EXPECT_EQ(hanging.metrics().executing, 2u);
  EXPECT_EQ(hanging.metrics().queued, 4u);
  release = true;
  release.notify_all();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), 2 * i);
  paused.resume();
  EXPECT_EQ(queued.get(), 2);
}
#endif

}  // namespace
