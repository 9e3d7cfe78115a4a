// SPDX-License-Identifier: MIT
// Requests a second through a model that costs next to nothing: what the batcher itself costs. Each
// producer keeps `window` requests outstanding; a batch waits 1 ms for company, or not at all (greedy),
// or as AutoPolicy learns (auto).

#include "implementations/batchwright.hpp"
#include "implementations/guide_port.hpp"
#include "implementations/promise_floor.hpp"
#include "implementations/setup.hpp"
#include "support/closed_loop.hpp"
#if BATCHWRIGHT_BENCHMARKS_CONCURRENTQUEUE
#include "implementations/concurrentqueue.hpp"
#endif

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;

constexpr auto kWindow = 1ms;
const std::vector<std::vector<std::int64_t>> kCells{{1, 2, 4}, {64, 1024}, {32, 128}};

template <class Implementation>
void throughput(benchmark::State& state, std::size_t executors, std::chrono::nanoseconds window) {
  for (auto _ : state) {
    Implementation implementation(Setup{.max_batch = static_cast<std::size_t>(state.range(2)),
                                        .window = window,
                                        .executors = executors});
    measure_closed_loop(state, implementation, state.range(0), state.range(1));
  }
}

template <class Implementation>
void add(const std::string& name, std::size_t executors = 0) {
  benchmark::RegisterBenchmark(("Throughput/" + name).c_str(), throughput<Implementation>,
                               executors, kWindow)
      ->ArgNames({"producers", "window", "max_batch"})
      ->ArgsProduct(kCells);
  auto greedy = kCells;
  greedy.push_back({1});
  benchmark::RegisterBenchmark(("Throughput/" + name).c_str(), throughput<Implementation>,
                               executors, 0ns)
      ->ArgNames({"producers", "window", "max_batch", "greedy"})
      ->ArgsProduct(greedy);
}

template <class Implementation>
void automatic(benchmark::State& state, std::size_t executors) {
  for (auto _ : state) {
    const Setup setup{.max_batch = static_cast<std::size_t>(state.range(2)),
                      .executors = executors};
    Batcher::Options options = options_of(setup);
    options.policy = batchwright::AutoPolicy{};
    Implementation implementation(setup, std::move(options));
    measure_closed_loop(state, implementation, state.range(0), state.range(1));
  }
}

template <class Implementation>
void add_auto(const std::string& name, std::size_t executors = 0) {
  auto cells = kCells;
  cells.push_back({1});
  benchmark::RegisterBenchmark(("Throughput/" + name).c_str(), automatic<Implementation>, executors)
      ->ArgNames({"producers", "window", "max_batch", "auto"})
      ->ArgsProduct(cells);
}

// What AdaptivePolicy does with a window that the clients cannot fill.
void adaptive(benchmark::State& state) {
  for (auto _ : state) {
    const Setup setup{.max_batch = static_cast<std::size_t>(state.range(2))};
    Batcher::Options options = options_of(setup);
    options.policy = batchwright::AdaptivePolicy{.window = kWindow};
    TicketRow implementation(setup, std::move(options));
    measure_closed_loop(state, implementation, state.range(0), state.range(1));
  }
}

[[maybe_unused]] const bool kAdded = [] {
  add<GuidePortRow>("guide_port");
#if BATCHWRIGHT_BENCHMARKS_CONCURRENTQUEUE
  add<ConcurrentQueueRow>("concurrentqueue");
#endif
  benchmark::RegisterBenchmark("Throughput/promise_floor", throughput<PromiseFloor>, 0, 0ns)
      ->ArgNames({"producers", "window", "max_batch"})
      ->ArgsProduct(kCells);
  add<FutureRow>("future");
  add<TicketRow>("ticket");
  add<CallbackRow>("callback");
  add<CoroutineRow>("coroutine");
  add<FutureRow>("future_x1", 1);
  add<TicketRow>("ticket_x1", 1);
  add<CallbackRow>("callback_x1", 1);
  add<CoroutineRow>("coroutine_x1", 1);
  add_auto<FutureRow>("future");
  add_auto<TicketRow>("ticket");
  add_auto<FutureRow>("future_x1", 1);
  add_auto<TicketRow>("ticket_x1", 1);
  benchmark::RegisterBenchmark("Throughput/ticket_adaptive", adaptive)
      ->ArgNames({"producers", "window", "max_batch"})
      ->Args({1, 64, 128});
  return true;
}();

}  // namespace
