// SPDX-License-Identifier: MIT
// A predictor that computes for a while: how much of that speed is left with a batcher around it, one
// client, 64 requests outstanding, batches of at most 32.

#include "implementations/batchwright.hpp"
#include "implementations/setup.hpp"
#include "support/closed_loop.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/work.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace benchmarks;

constexpr int kOutstanding = 64;

const Work* work = nullptr;  // Of the row that runs: predictors here are plain functions.

void compute(std::span<const int> inputs, std::span<int> outputs) {
  twice(inputs, outputs);
  outputs[0] += work->run();
}

/// Seconds that one call of the predictor takes, back to back.
double seconds_of_a_call(std::size_t batch, int calls) {
  const std::vector<int> inputs(batch);
  std::vector<int> outputs(batch);
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < calls; ++i) compute(inputs, outputs);
  return std::chrono::duration<double>(Clock::now() - start).count() / calls;
}

template <class Implementation>
void service(benchmark::State& state) {
  const std::chrono::nanoseconds length = std::chrono::microseconds(state.range(0));
  const Work its_work(length);
  work = &its_work;
  const int calls = static_cast<int>(std::max<std::int64_t>(measured_time / length / 4, 5));
  for (auto _ : state) {
    Implementation implementation(Setup{.executors = 1, .predict = compute});
    const double before = seconds_of_a_call(32, calls);
    Meter meter;
    batchwright::MetricsSnapshot metrics;
    double requests = 0;
    std::string problem;
    {
      ClosedLoop<Implementation> loop(implementation, 1, kOutstanding);
      const auto at_start = implementation.batcher().metrics();
      requests = loop.answers();
      meter = Meter();
      std::this_thread::sleep_for(measured_time);
      requests = loop.answers() - requests;
      meter.stop();
      metrics = implementation.batcher().metrics() - at_start;
      problem = loop.finish();
    }
    if (!problem.empty() || requests == 0) {
      state.SkipWithError(problem.empty() ? "no request was answered" : problem.c_str());
      return;
    }
    const double call = (before + seconds_of_a_call(32, calls)) / 2;
    const double batch = metrics.mean_batch_size();
    const auto batches = static_cast<double>(metrics.executions);
    meter.report(state, requests);
    state.counters["mean_batch"] = batch;
    state.counters["of_back_to_back"] = requests / meter.seconds() / (batch / call);
    state.counters["switches_per_batch"] = meter.usage().switches / batches;
    state.counters["cpu_us_per_batch"] = (meter.usage().cpu_seconds / batches - call) * 1e6;
  }
}

template <class Implementation>
void add(const char* name) {
  benchmark::RegisterBenchmark(name, service<Implementation>)
      ->ArgName("predictor_us")
      ->ArgsProduct({{100, 1000}});
}

[[maybe_unused]] const bool kAdded = [] {
  add<FutureRow>("Service/future_x1");
  add<TicketRow>("Service/ticket_x1");
  add<CallbackRow>("Service/callback_x1");
  return true;
}();

}  // namespace
