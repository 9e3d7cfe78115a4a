// SPDX-License-Identifier: MIT
// What the machine itself takes for what every batcher does, so that the other rows can be read: a
// machine whose system calls are dear makes all promises look alike.

#include "support/meter.hpp"

#include <batchwright/runtime.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <future>

namespace {

using namespace benchmarks;

constexpr int kCalls = 200'000;

template <class Call>
void machine(benchmark::State& state, Call call) {
  for (auto _ : state) {
    call();
    Meter meter;
    for (int i = 0; i < kCalls; ++i) call();
    meter.stop();
    meter.report(state, kCalls);
  }
}

template <class Call>
void add(const char* name, Call call) {
  benchmark::RegisterBenchmark(name, machine<Call>, call);
}

[[maybe_unused]] const bool kAdded = [] {
  add("Machine/clock", [] { benchmark::DoNotOptimize(now_ns()); });
  add("Machine/wake_of_nobody", [] {
    static const std::atomic<std::uint32_t> kWord{0};
    batchwright::SystemRuntime().unpark(kWord, 1);
  });
  add("Machine/promise_and_future", [] {
    std::promise<int> promise;
    std::future<int> future = promise.get_future();
    promise.set_value(1);
    benchmark::DoNotOptimize(future.get());
  });
  return true;
}();

}  // namespace
