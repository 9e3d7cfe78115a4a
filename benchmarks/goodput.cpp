// SPDX-License-Identifier: MIT
// Requests come at random, whether the batcher keeps up or not, at `load` percent of what the predictor
// can do; each is worth something only within 20 ms. What is answered in time?

#include "implementations/batchwright.hpp"
#include "implementations/guide_port.hpp"
#include "implementations/setup.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/work.hpp"

#include <batchwright/histogram.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;

constexpr std::size_t kBatch = 32;
constexpr std::chrono::nanoseconds kService = 1ms;  // Of a batch, whatever its size.
constexpr std::chrono::nanoseconds kDeadline = 20ms;
// A batcher's deadline counts until the predictor is entered: room for the batch itself.
constexpr std::chrono::nanoseconds kMargin = 2 * kService;

const Work* work = nullptr;  // Of the row that runs: predictors here are plain functions.
std::vector<std::int64_t>* done = nullptr;  // When each request was computed.

void compute(std::span<const int> inputs, std::span<int> outputs) {
  twice(inputs, outputs);
  outputs[0] += work->run();
  const std::int64_t now = now_ns();
  for (const int input : inputs) (*done)[static_cast<std::size_t>(input)] = now;
}

/// Arrivals of a Poisson process, in nanoseconds from the start.
std::vector<std::int64_t> poisson(double per_second, std::chrono::nanoseconds length) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(per_second * 1e-9);
  std::vector<std::int64_t> arrivals;
  for (double t = gap(random); t < static_cast<double>(length.count()); t += gap(random)) {
    arrivals.push_back(static_cast<std::int64_t>(t));
  }
  return arrivals;
}

template <class Implementation>
void goodput(benchmark::State& state, std::size_t executors) {
  const Work its_work(kService);
  work = &its_work;
  const double capacity =
      static_cast<double>(kBatch) / std::chrono::duration<double>(kService).count();
  const auto length = std::max<std::chrono::nanoseconds>(measured_time, 500ms);
  const auto arrivals = poisson(capacity * static_cast<double>(state.range(0)) / 100, length);
  for (auto _ : state) {
    std::vector<std::int64_t> computed(arrivals.size());
    done = &computed;
    Implementation implementation(
        Setup{.max_batch = kBatch, .executors = executors, .predict = compute});
    std::vector<decltype(implementation.submit(0))> answers;
    answers.reserve(arrivals.size());

    batchwright::Histogram lag;
    const Clock::time_point start = Clock::now() + 1ms;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      const Clock::time_point due = start + std::chrono::nanoseconds(arrivals[i]);
      Clock::time_point now = Clock::now();
      if (now < due) {
        std::this_thread::sleep_until(due);
        now = Clock::now();
      }
      lag.record(static_cast<std::uint64_t>((now - due).count()));
      answers.push_back(implementation.submit(static_cast<int>(i), due + kDeadline - kMargin));
    }
    if (lag.quantile(0.99) > 5'000'000) {
      state.SkipWithError("unable to submit at the requested rate");
      return;
    }

    std::size_t answered = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      try {
        if (answers[i].get() != 2 * static_cast<int>(i)) state.SkipWithError("a wrong answer");
        ++answered;
      } catch (const batchwright::BatcherError&) {  // Refused or expired.
      }
    }
    std::size_t good = 0;
    batchwright::Histogram latencies;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      if (computed[i] == 0) continue;
      const std::int64_t latency = computed[i] - start.time_since_epoch().count() - arrivals[i];
      latencies.record(static_cast<std::uint64_t>(std::max<std::int64_t>(latency, 0)));
      good += latency <= kDeadline.count() ? 1 : 0;
    }
    const double seconds = std::chrono::duration<double>(length).count();
    state.counters["items_per_second"] = static_cast<double>(good) / seconds;
    state.counters["of_capacity"] = static_cast<double>(good) / seconds / capacity;
    state.counters["answered_late"] = static_cast<double>(answered - good);
    report_percentiles(state, latencies);
  }
}

template <class Implementation>
void add(const std::string& name, std::size_t executors) {
  benchmark::RegisterBenchmark(("Goodput/" + name).c_str(), goodput<Implementation>, executors)
      ->ArgName("load")
      ->ArgsProduct({{50, 90, 150, 300}});
}

[[maybe_unused]] const bool kAdded = [] {
  add<GuidePortRow>("guide_port", 0);
  add<FutureRow>("future_x1", 1);
  return true;
}();

}  // namespace
