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
constexpr std::uint64_t kGreatestLag = 5'000'000;  // Nanoseconds, of the 99th percentile.
constexpr int kTries = 5;

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

struct Outcome {
  std::size_t good = 0;  // Answered within kDeadline of their arrival.
  std::size_t answered_late = 0;
  batchwright::Histogram latencies;
  batchwright::Histogram lags;  // How late the requests were submitted.
  bool wrong = false;
};

/// Submits a request at each of the arrivals, and waits for all answers.
template <class Implementation>
Outcome run_open_loop(const std::vector<std::int64_t>& arrivals, std::size_t executors) {
  Outcome outcome;
  std::vector<std::int64_t> computed(arrivals.size());
  done = &computed;
  Implementation implementation(
      Setup{.max_batch = kBatch, .executors = executors, .predict = compute});
  std::vector<decltype(implementation.submit(0))> answers;
  answers.reserve(arrivals.size());

  const Clock::time_point start = Clock::now() + 1ms;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const Clock::time_point due = start + std::chrono::nanoseconds(arrivals[i]);
    Clock::time_point now = Clock::now();
    if (now < due) {
      std::this_thread::sleep_until(due);
      now = Clock::now();
    }
    outcome.lags.record(static_cast<std::uint64_t>((now - due).count()));
    answers.push_back(implementation.submit(static_cast<int>(i), due + kDeadline - kMargin));
  }

  std::size_t answered = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    try {
      outcome.wrong |= answers[i].get() != 2 * static_cast<int>(i);
      ++answered;
    } catch (const batchwright::BatcherError&) {  // Refused or expired.
    }
  }
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    if (computed[i] == 0) continue;
    const std::int64_t latency = computed[i] - start.time_since_epoch().count() - arrivals[i];
    outcome.latencies.record(static_cast<std::uint64_t>(std::max<std::int64_t>(latency, 0)));
    outcome.good += latency <= kDeadline.count() ? 1 : 0;
  }
  outcome.answered_late = answered - outcome.good;
  return outcome;
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
    // Where the machine held up the submitter, the load was another than the row's: measured anew.
    Outcome outcome;
    int tries = 0;
    do {
      if (++tries > kTries) {
        state.SkipWithError("unable to submit at the requested rate");
        return;
      }
      outcome = run_open_loop<Implementation>(arrivals, executors);
    } while (outcome.lags.quantile(0.99) > kGreatestLag);
    if (outcome.wrong) {
      state.SkipWithError("a wrong answer");
      return;
    }
    const double per_second =
        static_cast<double>(outcome.good) / std::chrono::duration<double>(length).count();
    state.counters["items_per_second"] = per_second;
    state.counters["of_capacity"] = per_second / capacity;
    state.counters["answered_late"] = static_cast<double>(outcome.answered_late);
    state.counters["tries"] = tries;
    report_percentiles(state, outcome.latencies);
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
