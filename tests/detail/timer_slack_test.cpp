// SPDX-License-Identifier: MIT
#include <batchwright/batchwright.hpp>
#include <batchwright/detail/timer_slack.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace {

using namespace std::chrono_literals;
using batchwright::BatcherOptions;
using batchwright::Duration;
using batchwright::DynamicBatcher;
using batchwright::ThreadInfo;

std::vector<int> same(std::span<const int> inputs) { return {inputs.begin(), inputs.end()}; }

std::string problem_of(Duration slack) {
  try {
    DynamicBatcher<int, int> batcher(same, {.timer_slack = slack});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

#if defined(__linux__)

int slack_here() { return prctl(PR_GET_TIMERSLACK); }

// The slack of each thread at its start hook: the dispatcher's first, then the executor's.
std::map<ThreadInfo::Role, int> slacks(std::optional<Duration> slack) {
  std::mutex mutex;
  std::map<ThreadInfo::Role, int> seen;
  {
    DynamicBatcher<int, int> batcher(
        same, {.timer_slack = slack, .on_thread_start = [&](const ThreadInfo& thread) {
                 const std::lock_guard lock(mutex);
                 seen[thread.role] = slack_here();
               }});
  }
  return seen;
}

TEST(TimerSlack, IsTheDispatchersAlone) {
  const int before = slack_here();
  auto seen = slacks(2us);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[ThreadInfo::Role::dispatcher], 2000);
  EXPECT_EQ(seen[ThreadInfo::Role::executor], before);
  EXPECT_EQ(slack_here(), before);
}

TEST(TimerSlack, UnlessSetIsLeftAsItIs) {
  const int before = slack_here();
  auto seen = slacks(std::nullopt);
  EXPECT_EQ(seen[ThreadInfo::Role::dispatcher], before);
}

TEST(TimerSlack, NeedsNoStartHook) {
  int seen = 0;
  DynamicBatcher<int, int> batcher(
      [&](std::span<const int> inputs) {
        seen = slack_here();
        return same(inputs);
      },
      {.executors = 0, .timer_slack = 3us});
  EXPECT_EQ(batcher.submit(1).get(), 1);
  EXPECT_EQ(seen, 3000);
}

TEST(TimerSlack, IsFromOneNanosecondToASecond) {
  EXPECT_EQ(problem_of(1ns), "none");
  EXPECT_EQ(problem_of(1s), "none");
  EXPECT_EQ(problem_of(0ns),
            "DynamicBatcher: timer_slack must be from 1 to 1000000000 ns, got 0 ns");
  EXPECT_EQ(problem_of(1s + 1ns),
            "DynamicBatcher: timer_slack must be from 1 to 1000000000 ns, got 1000000001 ns");
}

#else

TEST(TimerSlack, IsAnErrorWhereTheSystemHasNone) {
  EXPECT_EQ(problem_of(1us), "DynamicBatcher: timer_slack must be unset but on Linux, got 1000 ns");
}

#endif

}  // namespace
