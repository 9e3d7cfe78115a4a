// SPDX-License-Identifier: MIT
// What it costs to read the metrics all the time: throughput with and without, in turn, while the same
// producers run.

#include "implementations/batchwright.hpp"
#include "implementations/setup.hpp"
#include "support/closed_loop.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void snapshots(benchmark::State& state) {
  const std::chrono::nanoseconds period = std::chrono::nanoseconds(1s) / state.range(0);
  for (auto _ : state) {
    TicketRow implementation(Setup{.window = 1ms});
    ClosedLoop<TicketRow> loop(implementation, 2, 1024);
    std::vector<double> lost;
    double snapshot_seconds = 0;
    double taken = 0;
    double requests = 0;
    // A slice is several periods long. The thread that reads sleeps as often in the others.
    const auto slice = [&](bool read) {
      const double before = loop.answers();
      const Clock::time_point start = Clock::now();
      for (int i = 0; i < 5; ++i) {
        std::this_thread::sleep_for(period);
        const Clock::time_point now = Clock::now();
        if (read) {
          benchmark::DoNotOptimize(implementation.batcher().metrics().completed);
          snapshot_seconds += std::chrono::duration<double>(Clock::now() - now).count();
          ++taken;
        }
      }
      const double answered = loop.answers() - before;
      requests += answered;
      return answered / std::chrono::duration<double>(Clock::now() - start).count();
    };
    Meter meter;
    const Clock::time_point until = Clock::now() + measured_time;
    do {
      const double first = slice(false);
      const double with = slice(true) + slice(true);
      const double second = slice(false);
      lost.push_back(1 - with / (first + second));
    } while (Clock::now() < until);
    meter.stop();
    if (const std::string problem = loop.finish(); !problem.empty()) {
      state.SkipWithError(problem.c_str());
      return;
    }
    meter.report(state, requests);
    state.counters["lost_percent"] = 100 * median(lost);
    state.counters["snapshot_us"] = snapshot_seconds / taken * 1e6;
  }
}

[[maybe_unused]] const bool kAdded = [] {
  benchmark::RegisterBenchmark("Metrics", snapshots)->ArgName("snapshot_hz")->Arg(100);
  return true;
}();

}  // namespace
