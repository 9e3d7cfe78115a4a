// SPDX-License-Identifier: MIT
// What AutoPolicy costs: the time of a decision, and all its work for a request. The states are those of
// simulated workloads; the decisions are timed one by one where the scheduler asks for them, and the
// reports of arrivals and batches, which take less than a clock, are told again to a policy that
// decides nothing.

#include "support/allocations.hpp"
#include "support/measured_time.hpp"
#include "support/meter.hpp"

#include <batchwright/histogram.hpp>
#include <batchwright/policies/auto.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using namespace benchmarks;
using batchwright::ArrivalReport;
using batchwright::AutoPolicy;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::Histogram;
using batchwright::PolicyNeeds;
using batchwright::QueueView;

constexpr AffineCurve kCurve{.per_item = 143'800ns, .fixed = 1'887'400ns};
constexpr double kMostPerSecond = 32 / (0.1438e-3 * 32 + 1.8874e-3);

/// What one run of a workload asked of its policy.
struct Log {
  std::vector<std::variant<ArrivalReport, BatchReport>> reports;
  Histogram decisions;  ///< Nanoseconds, the clock's own among them.
  double decision_ns = 0;
  double requests = 0;
  std::uint64_t allocations = 0;  ///< Of the decisions.
};

/// AutoPolicy with a clock, or with a counter of allocations. Copies write to one log.
class Watched {
 public:
  enum class What : std::uint8_t { time, allocations };

  Watched(AutoPolicy policy, Log& log, What what) : policy_(policy), log_(&log), what_(what) {}

  Decision decide(const QueueView& view) noexcept {
    if (what_ == What::allocations) {
      const std::uint64_t before = allocations_made();
      const Decision decision = measured_decide(view);
      log_->allocations += allocations_made() - before;
      return decision;
    }
    const Clock::time_point start = Clock::now();
    const Decision decision = measured_decide(view);
    const auto time = static_cast<std::uint64_t>((Clock::now() - start).count());
    log_->decisions.record(time);
    log_->decision_ns += static_cast<double>(time);
    return decision;
  }

  void on_arrivals(const ArrivalReport& report) noexcept {
    policy_.on_arrivals(report);
    log_->requests += static_cast<double>(report.count);
    if (what_ == What::allocations) log_->reports.emplace_back(report);
  }

  void on_batch(const BatchReport& report) noexcept {
    policy_.on_batch(report);
    if (what_ == What::allocations) log_->reports.emplace_back(report);
  }

  PolicyNeeds needs() const noexcept { return policy_.needs(); }

 private:
  // Profilers look for it by its name.
  [[gnu::noinline]] Decision measured_decide(const QueueView& view) noexcept {
    return policy_.decide(view);
  }

  AutoPolicy policy_;
  Log* log_;
  What what_;
};

struct Workload {
  AnyArrivals arrivals;
  std::size_t executors = 1;
  Duration objective = Duration::max();
};

Log watch(const Workload& workload, Watched::What what) {
  constexpr std::uint64_t kRequests = 50'000;
  Log log;
  log.reports.reserve(4 * kRequests);  // Telling the policy of them allocates nothing.
  const AutoPolicy policy{.objective = workload.objective};
  static_cast<void>(
      simulate(BasicSimulation<Watched>{.arrivals = workload.arrivals,
                                        .service = {.curve = kCurve, .noise = LognormalNoise{}},
                                        .batcher = {.policy = Watched(policy, log, what),
                                                    .executors = workload.executors,
                                                    .capacity = 1 << 20},
                                        .requests = kRequests}));
  return log;
}

// Profilers look for it by its name.
[[gnu::noinline]] void measured_reports(const Log& log) {
  AutoPolicy policy;
  for (const auto& report : log.reports) {
    if (const auto* arrival = std::get_if<ArrivalReport>(&report)) {
      policy.on_arrivals(*arrival);
    } else {
      policy.on_batch(std::get<BatchReport>(report));
    }
  }
  benchmark::DoNotOptimize(policy.rule.curve().samples());
}

/// What two readings of the clock are apart.
double clock_ns() {
  double sum = 0;
  constexpr int kReadings = 100'000;
  for (int i = 0; i < kReadings; ++i) {
    const Clock::time_point start = Clock::now();
    sum += static_cast<double>((Clock::now() - start).count());
  }
  return sum / kReadings;
}

void decision(benchmark::State& state, const Workload& workload) {
  for (auto _ : state) {
    const double clock = clock_ns();
    const Log told = watch(workload, Watched::What::allocations);
    const Clock::time_point until = Clock::now() + measured_time;
    double decisions = 0;
    double decision_ns = 0;
    double requests = 0;
    Histogram times;
    do {
      const Log log = watch(workload, Watched::What::time);
      times += log.decisions;
      decisions += static_cast<double>(log.decisions.count());
      decision_ns += log.decision_ns;
      requests += log.requests;
    } while (Clock::now() < until);

    double told_requests = 0;
    Meter meter;
    do {
      measured_reports(told);
      told_requests += told.requests;
    } while (Clock::now() < until + measured_time);
    meter.stop();

    const double each = std::max(decision_ns / decisions - clock, 0.0);
    const double reports = meter.seconds() * 1e9 / told_requests;
    const double allocations =
        meter.allocations() / told_requests + static_cast<double>(told.allocations) / told.requests;
    state.counters["ns_per_request"] = reports + each * decisions / requests;
    state.counters["reports_ns"] = reports;
    state.counters["decision_ns"] = each;
    state.counters["decision_p99_ns"] = static_cast<double>(times.quantile(0.99)) - clock;
    state.counters["decisions_per_request"] = decisions / requests;
    if (kAllocationsCounted) state.counters["allocs_per_request"] = allocations;
  }
}

AnyArrivals poisson(double load, std::size_t executors = 1) {
  return PoissonArrivals{.rate_hz = load * kMostPerSecond * static_cast<double>(executors)};
}

[[maybe_unused]] const bool kAdded = [] {
  const auto add = [](const std::string& name, const Workload& workload) {
    benchmark::RegisterBenchmark(("Decision/" + name).c_str(), decision, workload);
  };
  add("poisson/executors:1/load:30", {poisson(0.3)});
  add("poisson/executors:1/load:70", {poisson(0.7)});
  add("poisson/executors:1/load:90", {poisson(0.9)});
  add("poisson/executors:4/load:30", {poisson(0.3, 4), 4});
  add("poisson/executors:4/load:70", {poisson(0.7, 4), 4});
  add("regular/executors:1/load:30",
      {RegularArrivals{.rate_hz = 0.3 * kMostPerSecond, .jitter = 0.3}});
  add("closed_loop/clients:32/think_ms:0", {ClosedLoopArrivals{.clients = 32}});
  add("closed_loop/clients:32/think_ms:3", {ClosedLoopArrivals{.clients = 32, .mean_think = 3ms}});
  add("objective_ms:25/executors:1/load:150", {poisson(1.5), 1, 25ms});
  add("objective_ms:25/executors:4/load:150", {poisson(1.5, 4), 4, 25ms});
  return true;
}();

}  // namespace
