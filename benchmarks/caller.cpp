// SPDX-License-Identifier: MIT
// What a blocking call costs on an idle batcher, beside calling the predictor itself: run by the caller
// in an executor's place, and through that executor's thread.

#include "implementations/setup.hpp"
#include "support/meter.hpp"

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <span>
#include <vector>

namespace {

using namespace benchmarks;
using batchwright::CallerRunsWhen;

using Batcher = batchwright::DynamicBatcher<int, int>;

constexpr auto predict = [](std::span<const int> inputs, std::span<int> results) {
  for (std::size_t i = 0; i < inputs.size(); ++i) results[i] = 2 * inputs[i];
};

// `calls` of `call(i)`, each of which has to return 2 * i.
template <class Call>
void measure(benchmark::State& state, int calls, Call call) {
  bool right = true;
  for (int i = 0; i < 1000; ++i) right = call(i) == 2 * i && right;
  Meter meter;
  for (int i = 0; i < calls; ++i) right = call(i) == 2 * i && right;
  meter.stop();
  if (!right) {
    state.SkipWithError("a wrong answer");
    return;
  }
  meter.report(state, calls);
}

void direct(benchmark::State& state) {
  for (auto _ : state) {
    measure(state, 1'000'000, [](int input) {
      int result = 0;
      predict({&input, 1}, {&result, 1});
      benchmark::DoNotOptimize(result);
      return result;
    });
  }
}

void through_batcher(benchmark::State& state, CallerRunsWhen when, int calls) {
  for (auto _ : state) {
    Batcher batcher(batchwright::shared_predictor(predict), {.caller_runs = when});
    measure(state, calls, [&](int input) { return batcher.predict_and_wait(input); });
  }
}

[[maybe_unused]] const bool kAdded = [] {
  benchmark::RegisterBenchmark("Caller/direct", direct);
  benchmark::RegisterBenchmark("Caller/runs", through_batcher, CallerRunsWhen::executor_free,
                               300'000);
  benchmark::RegisterBenchmark("Caller/waits", through_batcher, CallerRunsWhen::never, 10'000);
  return true;
}();

}  // namespace
