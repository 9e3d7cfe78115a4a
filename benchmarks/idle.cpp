// SPDX-License-Identifier: MIT
// A batcher that has answered and has nothing to do: context switches a second and CPU time of all
// threads but the one that looks.

#include "implementations/batchwright.hpp"
#include "implementations/guide_port.hpp"
#include "implementations/setup.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/usage.hpp"
#if BATCHWRIGHT_BENCHMARKS_CONCURRENTQUEUE
#include "implementations/concurrentqueue.hpp"
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;

template <class Implementation>
void idle(benchmark::State& state, std::size_t executors) {
  for (auto _ : state) {
    Implementation implementation(Setup{.window = 1ms, .executors = executors});
    for (int input = 0; input < 100; ++input) {
      if (implementation.submit(input).get() != 2 * input) state.SkipWithError("a wrong answer");
    }
    std::this_thread::sleep_for(20ms);
    const auto others = [] { return process_usage() - thread_usage(); };
    const Usage before = others();
    const Clock::time_point start = Clock::now();
    std::this_thread::sleep_for(std::max<std::chrono::nanoseconds>(measured_time, 1s));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const Usage used = others() - before;
    state.counters["switches_per_second"] = used.switches / seconds;
    state.counters["cpu_us_per_second"] = std::max(used.cpu_seconds, 0.0) / seconds * 1e6;
  }
}

template <class Implementation>
void add(const std::string& name, std::size_t executors = 0) {
  benchmark::RegisterBenchmark(("Idle/" + name).c_str(), idle<Implementation>, executors);
}

[[maybe_unused]] const bool kAdded = [] {
  add<GuidePortRow>("guide_port");
#if BATCHWRIGHT_BENCHMARKS_CONCURRENTQUEUE
  add<ConcurrentQueueRow>("concurrentqueue");
#endif
  add<FutureRow>("future");
  add<FutureRow>("future_x1", 1);
  return true;
}();

}  // namespace
