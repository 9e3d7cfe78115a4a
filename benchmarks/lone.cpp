// SPDX-License-Identifier: MIT
// A request that comes alone, at no particular phase of any timer: how much later than its window it
// reaches the predictor (window 0: how late at all). Beside it what the machine needs for a bare
// wake-up and for a bare timed wait.

#include "implementations/batchwright.hpp"
#include "implementations/guide_port.hpp"
#include "implementations/setup.hpp"
#include "support/bare_wake.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/pause.hpp"

#include <batchwright/histogram.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace {

using namespace benchmarks;

std::atomic<std::int64_t> entered{0};

void note_entry(std::span<const int> inputs, std::span<int> outputs) {
  entered.store(now_ns(), std::memory_order_relaxed);
  twice(inputs, outputs);
}

/// `probe()` is how late it was, in nanoseconds, or negative if it was too early.
template <class Probe>
void measure(benchmark::State& state, Probe probe) {
  batchwright::Histogram lateness;
  Pause pause;
  const Clock::time_point until = Clock::now() + measured_time;
  while (Clock::now() < until || lateness.count() < 20) {
    pause();
    const std::int64_t late = probe();
    if (late < 0) {
      state.SkipWithError("it came before its time, or with a wrong answer");
      return;
    }
    lateness.record(static_cast<std::uint64_t>(late));
  }
  report_percentiles(state, lateness);
  state.counters["probes"] = static_cast<double>(lateness.count());
}

template <class Implementation>
void lone(benchmark::State& state, std::size_t executors,
          std::optional<std::chrono::nanoseconds> timer_slack) {
  const std::chrono::nanoseconds window = std::chrono::microseconds(state.range(0));
  for (auto _ : state) {
    Implementation implementation(Setup{.window = window,
                                        .executors = executors,
                                        .timer_slack = timer_slack,
                                        .predict = note_entry});
    int input = 0;
    measure(state, [&]() -> std::int64_t {
      const std::int64_t start = now_ns();
      auto answer = implementation.submit(++input);
      if (answer.get() != 2 * input) return -1;
      return entered.load(std::memory_order_relaxed) - start - window.count();
    });
  }
}

void bare_wake(benchmark::State& state) {
  for (auto _ : state) {
    BareWake wake;
    measure(state, [&] { return wake.probe(); });
  }
}

void bare_wait_until(benchmark::State& state) {
  const std::chrono::nanoseconds window = std::chrono::microseconds(state.range(0));
  std::mutex mutex;
  std::condition_variable never;
  for (auto _ : state) {
    measure(state, [&] {
      std::unique_lock lock(mutex);
      const Clock::time_point until = Clock::now() + window;
      never.wait_until(lock, until, [] { return false; });
      return now_ns() - until.time_since_epoch().count();
    });
  }
}

template <class Implementation>
void add(const std::string& name, std::size_t executors = 0,
         std::optional<std::chrono::nanoseconds> timer_slack = {}) {
  benchmark::RegisterBenchmark(("Lone/" + name).c_str(), lone<Implementation>, executors,
                               timer_slack)
      ->ArgName("window_us")
      ->ArgsProduct({{0, 100, 500, 2000}});
}

[[maybe_unused]] const bool kAdded = [] {
  benchmark::RegisterBenchmark("Lone/bare_wake", bare_wake)->ArgName("window_us")->Arg(0);
  benchmark::RegisterBenchmark("Lone/bare_wait_until", bare_wait_until)
      ->ArgName("window_us")
      ->ArgsProduct({{100, 500, 2000}});
  add<GuidePortRow>("guide_port");
  add<FutureRow>("future");
#if defined(__linux__)
  add<FutureRow>("future_slack_1us", 0, std::chrono::microseconds(1));
#endif
  add<TicketRow>("ticket");
  add<FutureRow>("future_x1", 1);
  add<TicketRow>("ticket_x1", 1);
  return true;
}();

}  // namespace
