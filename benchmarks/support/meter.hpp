// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_METER_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_METER_HPP

#include "allocations.hpp"
#include "usage.hpp"

#include <batchwright/histogram.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace benchmarks {

using Clock = std::chrono::steady_clock;

/// The clock in nanoseconds, for what is kept in atomics and histograms.
inline std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

/// Measures the whole process between two instants.
class Meter {
 public:
  void stop() {
    allocations_ = static_cast<double>(allocations_made() - allocations_before_);
    seconds_ = std::chrono::duration<double>(Clock::now() - start_).count();
    usage_ = process_usage() - usage_before_;
  }

  double seconds() const { return seconds_; }
  const Usage& usage() const { return usage_; }
  double allocations() const { return allocations_; }

  /// The counters that every row about requests has.
  void report(benchmark::State& state, double requests) const {
    state.counters["items_per_second"] = requests / seconds_;
    state.counters["ns_per_request"] = seconds_ / requests * 1e9;
    state.counters["cpu_ns_per_request"] = usage_.cpu_seconds / requests * 1e9;
    state.counters["switches_per_1000"] = usage_.switches / requests * 1e3;
    if (kAllocationsCounted) state.counters["allocs_per_request"] = allocations_ / requests;
  }

 private:
  Usage usage_before_ = process_usage();
  std::uint64_t allocations_before_ = allocations_made();
  Clock::time_point start_ = Clock::now();
  double seconds_ = 0;
  double allocations_ = 0;
  Usage usage_;
};

/// Percentiles of nanoseconds, as counters in microseconds.
inline void report_percentiles(benchmark::State& state, const batchwright::Histogram& nanoseconds) {
  if (nanoseconds.empty()) return;
  for (const auto& [name, quantile] :
       {std::pair{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}}) {
    state.counters[name] = static_cast<double>(nanoseconds.quantile(quantile)) * 1e-3;
  }
}

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_METER_HPP
