// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_COLLECTOR_HPP
#define BATCHWRIGHT_SIMULATION_COLLECTOR_HPP

#include "../outcome.hpp"
#include "../policy.hpp"
#include "classes.hpp"
#include "results.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Counts what a run does. Instants never fall.
class Collector {
 public:
  Collector(const std::vector<simulation::RequestClass>& classes, std::size_t executors,
            std::uint64_t requests, std::uint64_t warm_up, Duration objective)
      : warm_up_(warm_up),
        requests_(requests),
        objective_(objective),
        busy_(executors),
        samples_(classes.size()) {
    double sum = 0;
    for (const simulation::RequestClass& one : classes) {
      result_.classes.push_back({.name = one.name, .latency = {}, .outcomes = {}});
      sum += one.proportion;
    }
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const double expected = static_cast<double>(requests - warm_up) * classes[i].proportion / sum;
      // Not more at once: there may come fewer than were asked for.
      samples_[i].reserve(static_cast<std::size_t>(std::min(expected, 1e6)) + 1);
    }
  }

  /// Whether all that is to be measured has ended.
  bool complete() const noexcept { return ended_ == requests_ - warm_up_; }

  /// A request comes; they are numbered from 0.
  void arrive(std::uint64_t number, TimePoint now) noexcept {
    if (number == warm_up_) {
      advance(now);
      open_ = true;
      begin_ = now;
    }
    if (open_) ++offered_;
  }

  /// The last one has come.
  void close(TimePoint now) noexcept {
    advance(now);
    open_ = false;
    end_ = now;
  }

  void enter(TimePoint now) noexcept {
    advance(now);
    ++queued_;
    ++in_system_;
  }

  void dispatch(std::size_t count, std::size_t size, ReleaseReason reason, TimePoint now) noexcept {
    advance(now);
    queued_ -= count;
    if (!open_) return;
    ++result_.batches;
    result_.batch_sizes.record(size);
    ++result_.releases[static_cast<std::size_t>(reason)];
  }

  /// A request waits for what is being computed already, and no more in the queue.
  void ride(TimePoint now) noexcept {
    advance(now);
    --queued_;
  }

  /// An executor has computed from `start` until now.
  void computed(std::size_t executor, TimePoint start, TimePoint now) noexcept {
    const TimePoint from = std::max(start, begin_);
    const TimePoint to = std::min(now, end_);
    if (from < to) busy_[executor] += to - from;
  }

  void answer(std::uint64_t number, std::size_t request_class, TimePoint arrived, TimePoint now) {
    advance(now);
    --in_system_;
    const Duration latency = now - arrived;
    if (open_) {
      ++answered_;
      if (latency <= objective_) ++within_objective_;
    }
    if (!measures(number)) return;
    ++ended_;
    ++result_.classes[request_class].outcomes[Outcome::ok];
    result_.latencies.record(static_cast<std::uint64_t>(latency.count()));
    samples_[request_class].push_back(latency);
  }

  /// The answer of this request, which is given now, is that of another one.
  void share(std::uint64_t number) noexcept { result_.shared += measures(number) ? 1 : 0; }

  /// An accepted request ends without an answer; so many of it, one or none, were still queued.
  void drop(std::uint64_t number, std::size_t request_class, Outcome outcome, std::size_t queued,
            TimePoint now) noexcept {
    advance(now);
    queued_ -= queued;
    --in_system_;
    refuse(number, request_class, outcome);
  }

  /// A request was never accepted.
  void refuse(std::uint64_t number, std::size_t request_class, Outcome outcome) noexcept {
    if (!measures(number)) return;
    ++ended_;
    ++result_.classes[request_class].outcomes[outcome];
  }

  simulation::SimulationResult result() {
    simulation::SimulationResult& result = result_;
    std::vector<Duration> all;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      simulation::ClassResult& one = result.classes[i];
      if (samples_.size() > 1) all.insert(all.end(), samples_[i].begin(), samples_[i].end());
      one.latency = summarize(samples_[i]);
      for (std::size_t k = 0; k < kOutcomeCount; ++k) {
        result.outcomes.counts[k] += one.outcomes.counts[k];
      }
    }
    result.latency = samples_.size() > 1 ? summarize(all) : result.classes[0].latency;
    result.window = begin_ < end_ && end_ != kNever ? end_ - begin_ : Duration::zero();
    const auto length = static_cast<double>(result.window.count());
    const auto rate = [length](std::uint64_t count) {
      return length > 0 ? static_cast<double>(count) * 1e9 / length : 0;
    };
    // The window begins and ends with an arrival: it holds as many gaps as arrivals, less one.
    result.offered_hz = rate(offered_ > 0 ? offered_ - 1 : 0);
    result.throughput_hz = rate(answered_);
    result.goodput_hz = rate(within_objective_);
    for (const Duration busy : busy_) {
      result.utilisation.push_back(length > 0 ? static_cast<double>(busy.count()) / length : 0);
    }
    result.mean_queued = length > 0 ? queued_time_ / length : 0;
    result.mean_in_system = length > 0 ? system_time_ / length : 0;
    return std::move(result_);
  }

 private:
  bool measures(std::uint64_t number) const noexcept {
    return number >= warm_up_ && number < requests_;
  }

  // The integrals over time of how many there are. The products are whole numbers, so that no compiler
  // fuses them with the sums.
  void advance(TimePoint now) noexcept {
    if (open_ && now > last_) {
      const auto passed = static_cast<std::uint64_t>((now - last_).count());
      queued_time_ += static_cast<double>(passed * queued_);
      system_time_ += static_cast<double>(passed * in_system_);
    }
    last_ = now;
  }

  const std::uint64_t warm_up_;
  const std::uint64_t requests_;
  const Duration objective_;

  bool open_ = false;  // Whether the window is.
  TimePoint begin_ = kNever;
  TimePoint end_ = kNever;
  TimePoint last_{};

  std::uint64_t queued_ = 0;
  std::uint64_t in_system_ = 0;
  double queued_time_ = 0;
  double system_time_ = 0;

  std::uint64_t ended_ = 0;  // Of those that are measured.
  std::uint64_t offered_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t within_objective_ = 0;
  std::vector<Duration> busy_;
  std::vector<std::vector<Duration>> samples_;  // By class.
  simulation::SimulationResult result_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_COLLECTOR_HPP
