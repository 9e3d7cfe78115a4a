// SPDX-License-Identifier: MIT
// Requests a second through a predictor that costs next to nothing: what the batcher itself costs.

#include "support/closed_loop.hpp"
#include "support/guide_port.hpp"

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <ctime>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRequests = 20'000;  // Of each producer, in one iteration.
constexpr auto kWindow = 1ms;

std::vector<int> twice(std::span<const int> inputs) {
  std::vector<int> outputs(inputs.begin(), inputs.end());
  for (int& output : outputs) output *= 2;
  return outputs;
}

void twice_in_place(std::span<const int> inputs, std::span<int> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) outputs[i] = 2 * inputs[i];
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class Submit>
void run(benchmark::State& state, Submit submit) {
  const int producers = static_cast<int>(state.range(0));
  const auto window = static_cast<std::size_t>(state.range(1));
  const double before = cpu_seconds();
  for (auto _ : state) {
    if (benchmarks::closed_loop(producers, window, kRequests, submit) != 0) {
      state.SkipWithError("a wrong answer");
      return;
    }
  }
  const auto items =
      static_cast<double>(state.iterations()) * producers * static_cast<double>(kRequests + window);
  state.SetItemsProcessed(static_cast<std::int64_t>(items));
  state.counters["cpu_ns_per_request"] = (cpu_seconds() - before) / items * 1e9;
}

void guide_port(benchmark::State& state) {
  benchmarks::GuidePort<int, int> batcher(twice, static_cast<std::size_t>(state.range(2)), kWindow);
  run(state, [&](int x) { return batcher.submit(x); });
}

using Batcher = batchwright::BasicDynamicBatcher<int, int, batchwright::HybridPolicy>;

Batcher::Options options(const benchmark::State& state, std::size_t executors) {
  return {.max_batch_size = static_cast<std::size_t>(state.range(2)),
          .policy = {.max_wait = kWindow},
          .executors = executors,
          .capacity = 1 << 20};
}

void future(benchmark::State& state, std::size_t executors) {
  Batcher batcher(twice_in_place, options(state, executors));
  run(state, [&](int x) { return batcher.submit(x); });
}

void ticket(benchmark::State& state, std::size_t executors) {
  Batcher batcher(twice_in_place, options(state, executors));
  run(state, [&](int x) { return batcher.submit(x, batchwright::use_ticket); });
}

void cells(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"producers", "window", "max_batch"})
      ->ArgsProduct({{1, 2, 4}, {64, 1024}, {32}})
      ->UseRealTime();
}

BENCHMARK(guide_port)->Name("Throughput/guide_port")->Apply(cells);
BENCHMARK_CAPTURE(future, inline, 0)->Name("Throughput/future")->Apply(cells);
BENCHMARK_CAPTURE(future, one, 1)->Name("Throughput/future_x1")->Apply(cells);
BENCHMARK_CAPTURE(ticket, inline, 0)->Name("Throughput/ticket")->Apply(cells);
BENCHMARK_CAPTURE(ticket, one, 1)->Name("Throughput/ticket_x1")->Apply(cells);

}  // namespace
