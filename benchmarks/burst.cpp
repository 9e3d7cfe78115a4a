// SPDX-License-Identifier: MIT
// N full batches come at once to N idle executors: when does the last of them start? In bare wake-ups
// of the machine, probed in turn with the bursts. And when is the first executor woken?

#include "implementations/setup.hpp"
#include "support/bare_wake.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/pause.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/histogram.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;

constexpr std::size_t kBatch = 8;
constexpr auto kDevice = 2ms;

std::atomic<std::int64_t> first_wake{0};

/// Notes when somebody is woken, the first time after `first_wake` was set to 0.
struct NotingRuntime : batchwright::SystemRuntime {
  void unpark(const std::atomic<std::uint32_t>& word, std::uint32_t count) const noexcept {
    std::int64_t none = 0;
    first_wake.compare_exchange_strong(none, now_ns(), std::memory_order_relaxed);
    SystemRuntime::unpark(word, count);
  }
};

void report(benchmark::State& state, const batchwright::Histogram& last,
            const batchwright::Histogram& bare) {
  report_percentiles(state, last);
  state.counters["bare_wake_p50_us"] = static_cast<double>(bare.quantile(0.5)) * 1e-3;
  state.counters["in_bare_wakes"] =
      static_cast<double>(last.quantile(0.5)) / static_cast<double>(bare.quantile(0.5));
}

void burst(benchmark::State& state) {
  const auto executors = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    std::atomic<std::int64_t> last_start{0};
    std::atomic<std::size_t> batches{0};
    // A device that computes: meanwhile the executor sleeps, and takes no second batch.
    const auto predict = [&](std::span<const int> inputs, std::span<int> outputs) {
      const std::int64_t start = now_ns();
      std::int64_t last = last_start.load();
      while (last < start && !last_start.compare_exchange_weak(last, start)) {
      }
      ++batches;
      std::this_thread::sleep_for(kDevice);
      twice(inputs, outputs);
    };
    batchwright::BasicDynamicBatcher<int, int, batchwright::AnyPolicy, NotingRuntime> batcher(
        batchwright::shared_predictor(predict), {.max_batch_size = kBatch, .executors = executors});
    std::vector<int> inputs(executors * kBatch);
    std::iota(inputs.begin(), inputs.end(), 0);
    BareWake wake;
    Pause pause;
    batchwright::Histogram bare;
    batchwright::Histogram last;
    batchwright::Histogram woken;
    std::size_t rounds = 0;
    const Clock::time_point until = Clock::now() + measured_time;
    while (Clock::now() < until || rounds < 20) {
      pause();
      bare.record(static_cast<std::uint64_t>(wake.probe()));
      pause();
      first_wake = 0;
      const std::int64_t start = now_ns();
      auto answers = batcher.submit_many(inputs, batchwright::use_ticket);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].get() != 2 * inputs[i]) state.SkipWithError("a wrong answer");
      }
      last.record(static_cast<std::uint64_t>(last_start.load() - start));
      woken.record(static_cast<std::uint64_t>(first_wake.load() - start));
      ++rounds;
    }
    if (batches != rounds * executors) state.SkipWithError("the batches were not full");
    report(state, last, bare);
    state.counters["first_wake_p50_us"] = static_cast<double>(woken.quantile(0.5)) * 1e-3;
  }
}

// The same of threads that are woken without a batcher, and sleep for as long.
void bare(benchmark::State& state) {
  for (auto _ : state) {
    BareWake wake;
    BareWake burst(static_cast<std::size_t>(state.range(0)), kDevice);
    Pause pause;
    batchwright::Histogram one;
    batchwright::Histogram last;
    const Clock::time_point until = Clock::now() + measured_time;
    while (Clock::now() < until || last.count() < 20) {
      pause();
      one.record(static_cast<std::uint64_t>(wake.probe()));
      pause();
      last.record(static_cast<std::uint64_t>(burst.probe()));
    }
    report(state, last, one);
  }
}

[[maybe_unused]] const bool kAdded = [] {
  benchmark::RegisterBenchmark("Burst/bare", bare)->ArgName("executors")->ArgsProduct({{1, 2, 4}});
  benchmark::RegisterBenchmark("Burst/ticket", burst)
      ->ArgName("executors")
      ->ArgsProduct({{1, 2, 4}});
  return true;
}();

}  // namespace
