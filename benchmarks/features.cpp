// SPDX-License-Identifier: MIT
// What each feature of the scheduler costs requests that do not use it: through a batcher
// (`Features/<feature>`), and in the pure scheduler alone (`Features/scheduler/<feature>`).

#include "implementations/batchwright.hpp"
#include "implementations/setup.hpp"
#include "support/closed_loop.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"
#include "support/scheduler_rig.hpp"

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using namespace benchmarks;
using batchwright::SubmitOptions;
using batchwright::detail::SchedulerLimits;

using Change = void (*)(Batcher::Options&);
using Rare = SubmitOptions (*)();

SubmitOptions nothing() { return {}; }

/// Tickets, of which one in a thousand is submitted with options of its own.
class FeatureRow {
 public:
  FeatureRow(Change change, Rare rare)
      : rare_(rare), batcher_(twice, [change] {
          Batcher::Options options = options_of(Setup{});
          change(options);
          return options;
        }()) {}

  void produce(Producer& producer) {
    keep_outstanding(producer, [this](int input) {
      return input % 1000 == 0 ? batcher_.submit(input, batchwright::use_ticket, rare_())
                               : batcher_.submit(input, batchwright::use_ticket);
    });
  }

 private:
  Rare rare_;
  Batcher batcher_;
};

void through_batcher(benchmark::State& state, Change change, Rare rare) {
  for (auto _ : state) {
    FeatureRow implementation(change, rare);
    measure_closed_loop(state, implementation, 1, 1024);
  }
}

void in_scheduler(benchmark::State& state, const SchedulerLimits& limits, const Traffic& traffic) {
  for (auto _ : state) {
    SchedulerRig rig(limits, traffic);
    double requests = 0;
    const Clock::time_point until = Clock::now() + measured_time;
    Meter meter;
    do {
      requests += static_cast<double>(rig.measured_steps(500));
    } while (requests > 0 && Clock::now() < until);
    meter.stop();
    if (requests == 0) {
      state.SkipWithError("nothing was dispatched");
      return;
    }
    meter.report(state, requests);
    state.counters["requests"] = requests;
  }
}

void add(const std::string& feature, Change change, Rare rare = nothing) {
  benchmark::RegisterBenchmark(("Features/" + feature).c_str(), through_batcher, change, rare);
}

void add_pure(const std::string& feature, SchedulerLimits limits, const Traffic& traffic = {}) {
  limits.max_wait = batchwright::Duration::max();
  benchmark::RegisterBenchmark(("Features/scheduler/" + feature).c_str(), in_scheduler,
                               std::move(limits), traffic);
}

[[maybe_unused]] const bool kAdded = [] {
  using Options = Batcher::Options;
  add("plain", [](Options&) {});
  add("lane", [](Options& o) { o.lane = [](const int&) { return 0; }; });
  add("tenant", [](Options& o) { o.tenant = [](const int&) { return 0; }; });
  add("weight", [](Options& o) { o.weight = [](const int&) { return std::size_t{1}; }; });
  add("padded", [](Options& o) {
    o.length = [](const int&) { return std::size_t{1}; };
    o.size_rule = batchwright::SizeRule::padded;
  });
  add("allowed_sizes", [](Options& o) { o.allowed_sizes = {8, 16, 32}; });
  add("preferred_sizes", [](Options& o) { o.preferred_sizes = {16, 32}; });
  add("level_timeouts", [](Options& o) { o.levels = {{.priority = 1, .timeout = 5s}}; });
  add(
      "deadline", [](Options&) {}, [] { return SubmitOptions{.deadline = Clock::now() + 1h}; });
  add("order_edf", [](Options& o) { o.order = batchwright::QueueOrder::earliest_deadline; });
  add(
      "priorities", [](Options&) {}, [] { return SubmitOptions{.priority = 1}; });

  add_pure("plain", {});
  add_pure("lanes", {.keyed_lanes = true});
  add_pure("flow", {.keyed_lanes = true}, {.flows = true});
  add_pure("sticky_lane", {.keyed_lanes = true}, {.flows = true, .sticky = true});
  add_pure("leased_executor", {.leased_executors = true});
  add_pure("weights", {}, {.rarely_heavy = true});
  add_pure("padded", {.size_rule = batchwright::SizeRule::padded});
  add_pure("allowed_sizes", {.allowed_sizes = {8, 16, 32}});
  add_pure("cheapest", {.allowed_sizes = {8, 16, 32}, .fit = batchwright::FitRule::cheapest});
  add_pure("preferred_sizes", {.preferred_sizes = {16, 32}});
  add_pure("forecast", {.forecast = batchwright::Forecast::refuse});
  add_pure("capacity", {.capacity = 1 << 20});
  add_pure("deadline", {}, {.rarely_deadlined = true});
  add_pure("delay", {}, {.rarely_delayed = true});
  add_pure("shared_work", {}, {.rarely_shared = true});
  add_pure("order_edf", {.order = batchwright::QueueOrder::earliest_deadline});
  add_pure("shortest_first", {.order = batchwright::QueueOrder::shortest_first});
  add_pure("priorities", {}, {.rarely_urgent = true});
  return true;
}();

}  // namespace
