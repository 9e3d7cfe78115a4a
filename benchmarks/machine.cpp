// SPDX-License-Identifier: MIT
// What the machine itself takes for what every batcher does, so that the other rows can be read: a
// machine whose system calls are dear makes all promises look alike.

#include "support/meter.hpp"

#include <batchwright/runtime.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <thread>

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

void await(const std::atomic<int>& word, int value) {
  for (int looks = 1; word.load(std::memory_order_acquire) != value; ++looks) {
    if (looks % 1000 == 0) std::this_thread::yield();  // They may be on one core.
  }
}

// Two threads pass a word to and fro: what a line takes from core to core and back.
void round_trip(benchmark::State& state) {
  constexpr int kRounds = 50'000;
  for (auto _ : state) {
    alignas(64) std::atomic<int> word{0};
    std::thread other([&word] {
      for (int round = 0; round < kRounds; ++round) {
        await(word, 2 * round + 1);
        word.store(2 * round + 2, std::memory_order_release);
      }
    });
    Meter meter;
    for (int round = 0; round < kRounds; ++round) {
      word.store(2 * round + 1, std::memory_order_release);
      await(word, 2 * round + 2);
    }
    meter.stop();
    other.join();
    meter.report(state, kRounds);
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
  benchmark::RegisterBenchmark("Machine/line_round_trip", round_trip);
  return true;
}();

}  // namespace
