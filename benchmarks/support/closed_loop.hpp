// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP

#include "measured_time.hpp"
#include "meter.hpp"
#include "producer.hpp"

#include <batchwright/histogram.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace benchmarks {

/// Producers that run for as long as this lives. It is looked at while they run, so neither their start
/// nor their end is in what is measured.
template <class Implementation>
class ClosedLoop {
 public:
  ClosedLoop(Implementation& implementation, std::int64_t producers, std::int64_t outstanding)
      : implementation_(implementation) {
    for (std::int64_t i = 0; i < producers; ++i) {
      Producer& producer =
          producers_.emplace_back(static_cast<std::size_t>(outstanding), stopping_);
      threads_.emplace_back([this, &producer] { run(producer); });
    }
    std::this_thread::sleep_for(kWarmUp);
  }

  ~ClosedLoop() { finish(); }

  /// Answers until now.
  double answers() const {
    std::uint64_t sum = 0;
    for (const Producer& producer : producers_) sum += producer.count();
    return static_cast<double>(sum);
  }

  /// Ends the producers, and says what was wrong with any answer; empty if nothing was.
  std::string finish() {
    stopping_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    for (const Producer& producer : producers_) {
      if (producer.wrong() && problem_.empty()) problem_ = "a wrong answer";
    }
    return problem_;
  }

  /// After `finish`.
  batchwright::Histogram latencies() const {
    batchwright::Histogram all;
    for (const Producer& producer : producers_) all += producer.latencies();
    return all;
  }

 private:
  static constexpr auto kWarmUp = std::chrono::milliseconds(30);

  void run(Producer& producer) {
    try {
      implementation_.produce(producer);
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      problem_ = error.what();
    }
  }

  Implementation& implementation_;
  std::atomic<bool> stopping_{false};
  std::deque<Producer> producers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::string problem_;  // Guarded by mutex_ until the threads have ended.
};

/// One row about a closed loop: measures it for `measured_time`.
template <class Implementation>
void measure_closed_loop(benchmark::State& state, Implementation& implementation,
                         std::int64_t producers, std::int64_t outstanding) {
  ClosedLoop<Implementation> loop(implementation, producers, outstanding);
  const double resident = resident_kib();
  const double before = loop.answers();
  Meter meter;
  std::this_thread::sleep_for(measured_time);
  const double requests = loop.answers() - before;
  meter.stop();
  state.counters["resident_growth_kib"] = resident_kib() - resident;
  if (const std::string problem = loop.finish(); !problem.empty()) {
    state.SkipWithError(problem.c_str());
    return;
  }
  if (requests == 0) {
    state.SkipWithError("no request was answered");
    return;
  }
  meter.report(state, requests);
  state.counters["requests"] = requests;
  report_percentiles(state, loop.latencies());
}

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP
