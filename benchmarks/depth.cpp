// SPDX-License-Identifier: MIT
// What a request costs where very many are queued, with many priorities: in the pure scheduler, and
// through a batcher that is paused until all have come.

#include "implementations/setup.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/scheduler_rig.hpp"

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

namespace {

using namespace benchmarks;

void scheduler(benchmark::State& state) {
  for (auto _ : state) {
    SchedulerRig rig({.max_wait = batchwright::Duration::max()},
                     {.queued = static_cast<std::size_t>(state.range(0)),
                      .levels = static_cast<int>(state.range(1))});
    double requests = 0;
    const Clock::time_point until = Clock::now() + measured_time;
    Meter meter;
    do {
      const std::size_t dispatched = rig.measured_steps(500);
      if (dispatched == 0) {
        state.SkipWithError("nothing was dispatched");
        return;
      }
      requests += static_cast<double>(dispatched);
    } while (Clock::now() < until);
    meter.stop();
    meter.report(state, requests);
    state.counters["requests"] = requests;
  }
}

void ticket(benchmark::State& state) {
  const auto queued = static_cast<std::size_t>(state.range(0));
  const auto levels = static_cast<std::size_t>(state.range(1));
  for (auto _ : state) {
    batchwright::DynamicBatcher<int, int> batcher(twice, {.executors = 0, .capacity = queued});
    std::vector<decltype(batcher)::TicketType> tickets(queued);
    bool wrong = false;
    const auto round = [&] {
      batcher.pause();
      for (std::size_t i = 0; i < queued; ++i) {
        tickets[i] = batcher.submit(static_cast<int>(i), batchwright::use_ticket,
                                    {.priority = static_cast<int>(i % levels)});
      }
      batcher.resume();
      for (std::size_t i = 0; i < queued; ++i) {
        wrong = wrong || tickets[i].get() != 2 * static_cast<int>(i);
      }
    };
    round();  // Takes the memory.
    double requests = 0;
    const Clock::time_point until = Clock::now() + measured_time;
    Meter meter;
    do {
      round();
      requests += static_cast<double>(queued);
    } while (Clock::now() < until);
    meter.stop();
    if (wrong) {
      state.SkipWithError("a wrong answer");
      return;
    }
    meter.report(state, requests);
  }
}

template <class Function>
void add(const char* name, Function function) {
  benchmark::RegisterBenchmark(name, function)
      ->ArgNames({"queued", "levels"})
      ->ArgsProduct({{100, 1'000'000}, {1, 64}});
}

[[maybe_unused]] const bool kAdded = [] {
  add("Depth/scheduler", scheduler);
  add("Depth/ticket", ticket);
  return true;
}();

}  // namespace
