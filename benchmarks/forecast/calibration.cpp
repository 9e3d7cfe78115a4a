// SPDX-License-Identifier: MIT
#include "calibration.hpp"

#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/time.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <span>
#include <utility>

namespace forecast {
namespace {

using namespace batchwright::simulation;
using batchwright::AnyPolicy;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::PolicyNeeds;
using batchwright::QueueView;
using batchwright::TimePolicy;

/// A policy that keeps the reports of its batches. The batcher has ended before they are read.
template <class Policy>
class Reporting {
 public:
  Reporting(Policy policy, std::vector<BatchReport>& reports)
      : policy_(std::move(policy)), reports_(&reports) {}

  Decision decide(const QueueView& view) noexcept { return policy_.decide(view); }
  void on_batch(const BatchReport& report) noexcept {
    if (reports_->size() < reports_->capacity()) reports_->push_back(report);
  }
  PolicyNeeds needs() const noexcept { return batchwright::detail::needs_of(policy_); }

 private:
  Policy policy_;
  std::vector<BatchReport>* reports_;
};

/// Of the batches of one run.
using Reports = std::vector<BatchReport>;

Reports room() {
  Reports reports;
  reports.reserve(1 << 18);
  return reports;
}

template <class Policy>
Reports under_load(const digits::Testbed& testbed, std::size_t cap, double rate, double seconds,
                   std::uint64_t seed, Policy policy) {
  Reports reports = room();
  const digits::Serving serving{.max_batch = cap,
                                .policy = Reporting<Policy>(std::move(policy), reports)};
  digits::run_open_loop(testbed, rate, serving, {.time = std::chrono::duration<double>(seconds)},
                        seed);
  return reports;
}

/// One client that always has four batches outstanding.
Reports flooded(const digits::Testbed& testbed, std::size_t cap, double seconds, double& capacity) {
  Reports reports = room();
  const digits::Serving serving{.max_batch = cap,
                                .policy = Reporting<GreedyPolicy>(GreedyPolicy{}, reports)};
  const auto sample = digits::run_closed_loop(testbed, {.clients = 1, .window = 4 * cap}, serving,
                                              {.time = std::chrono::duration<double>(seconds)});
  capacity = digits::summarise(sample.sample).requests_per_second;
  return reports;
}

// Batches of a size, for a median.
constexpr std::size_t kEnough = 5;

Duration median(std::vector<Duration> values) {
  if (values.empty()) return {};
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The medians of all batches of a size. Not by `measure_curve`: a model alone on a quiet machine is faster
/// than one beside a client that is awake, and a machine that changes its speed every tenth of a second
/// bends what is measured in one.
TableCurve curve_of(std::span<const Reports* const> runs) {
  std::map<std::size_t, std::vector<Duration>> times;
  for (const Reports* run : runs) {
    for (const BatchReport& report : *run) {
      times[report.size].push_back(report.finished - report.started);
    }
  }
  std::vector<TableCurve::Point> points;
  for (auto& [size, all] : times) {
    if (all.size() >= kEnough) points.push_back({size, median(std::move(all))});
  }
  return TableCurve(std::move(points));
}

// What takes a quarter and so much longer than it should was interrupted.
constexpr Duration kInterrupted = std::chrono::microseconds(10);

/// What the batches of several runs say of their times and of what interrupts them.
class Times {
 public:
  Times(const TableCurve& curve, const Machine& own) : curve_(curve), own_(own) {}

  /// Of a run with such a window. What had not waited for that long when the batch before it ended had to
  /// wait for its time or for company, and says nothing of pauses.
  void add(const Reports& reports, Duration window) {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const BatchReport& report = reports[i];
      if (i > 0 && report.oldest + window <= reports[i - 1].finished) {
        between(report.started - reports[i - 1].finished, reports[i - 1].size);
      }
      within(report.finished - report.started, curve_(report.size));
    }
  }

  MeasuredNoise noise() const { return {factors_, NoiseOrder::as_measured}; }
  std::vector<Pause> pauses() const { return pauses_; }

 private:
  void within(Duration time, Duration usual) {
    if (time > usual + usual / 4 + kInterrupted) {
      computed_ += usual / 2;
      pause(time - usual);
      computed_ = usual / 2;
    } else {
      factors_.push_back(static_cast<double>(time.count()) / static_cast<double>(usual.count()));
      computed_ += time;
    }
  }

  void between(Duration time, std::size_t count) {
    const Duration usual = own_.per_batch + own_.per_request * static_cast<std::int64_t>(count);
    computed_ += std::min(time, usual);
    if (time > usual + kInterrupted) pause(time - usual);
  }

  void pause(Duration length) {
    pauses_.push_back({.computed = computed_, .length = length});
    computed_ = {};
  }

  const TableCurve& curve_;
  const Machine& own_;
  std::vector<double> factors_;
  std::vector<Pause> pauses_;
  Duration computed_{};  // Since the last pause.
};

/// The work of the executor itself, from the times between the batches of a flood and of a small load.
Machine own_work(const Reports& full, std::size_t cap, const Reports& small) {
  std::vector<Duration> between_full, between_small;
  for (std::size_t i = 1; i < full.size(); ++i) {
    if (full[i - 1].size == cap) between_full.push_back(full[i].started - full[i - 1].finished);
  }
  for (std::size_t i = 1; i < small.size(); ++i) {
    if (small[i].oldest <= small[i - 1].finished && small[i - 1].size == 1) {
      between_small.push_back(small[i].started - small[i - 1].finished);
    }
  }
  Machine machine;
  const Duration one = median(std::move(between_small));
  machine.per_request =
      std::max<Duration>(median(std::move(between_full)) - one, Duration::zero()) /
      static_cast<std::int64_t>(std::max<std::size_t>(cap - 1, 1));
  machine.per_batch = std::max<Duration>(one - machine.per_request, Duration::zero());
  return machine;
}

/// From runs without and with a window.
Calibration::Point look(double load, const TableCurve& curve, const Machine& own,
                        const Reports& greedy, const Reports& timed, Duration window,
                        std::size_t cap) {
  std::vector<Duration> wake_ups, hand_overs, late;
  for (std::size_t i = 1; i < greedy.size(); ++i) {
    const BatchReport& report = greedy[i];
    if (report.oldest <= greedy[i - 1].finished) continue;
    wake_ups.push_back(report.dispatched - report.oldest);
    hand_overs.push_back(report.started - report.dispatched);
  }
  for (std::size_t i = 1; i < timed.size(); ++i) {
    const BatchReport& report = timed[i];
    const batchwright::TimePoint end = report.oldest + window;
    if (report.size < cap && end > timed[i - 1].finished && report.dispatched >= end) {
      late.push_back(report.dispatched - end);
      hand_overs.push_back(report.started - report.dispatched);
    }
  }
  Times times(curve, own);
  times.add(greedy, Duration::zero());
  times.add(timed, window);
  Calibration::Point point{.load = load, .noise = times.noise(), .machine = own};
  point.machine.wake_up = Delay(std::move(wake_ups));
  point.machine.timer_lateness = Delay(std::move(late));
  point.machine.hand_over = Delay(std::move(hand_overs));
  point.machine.pauses = times.pauses();
  return point;
}

}  // namespace

const Calibration::Point& Calibration::at(double load) const {
  return *std::min_element(points.begin(), points.end(), [&](const Point& a, const Point& b) {
    return std::abs(a.load - load) < std::abs(b.load - load);
  });
}

Calibration calibrate(const digits::Testbed& testbed, std::size_t cap, double seconds,
                      std::span<const double> loads, Duration window, std::uint64_t seed) {
  double capacity = 0;
  const Reports full = flooded(testbed, cap, seconds, capacity);
  struct Runs {
    Reports greedy, timed;
  };
  std::vector<Runs> runs;
  for (const double load : loads) {
    const double rate = load * capacity;
    Reports greedy = under_load(testbed, cap, rate, seconds, seed++, GreedyPolicy{});
    Reports timed = under_load(testbed, cap, rate, seconds, seed++, TimePolicy{window});
    runs.push_back({std::move(greedy), std::move(timed)});
  }
  std::vector<const Reports*> all{&full};
  for (const Runs& one : runs) all.insert(all.end(), {&one.greedy, &one.timed});

  Calibration result{.curve = curve_of(all), .capacity = capacity};
  const Machine own = own_work(full, cap, runs.front().greedy);  // Which has most batches of one.
  for (std::size_t i = 0; i < runs.size(); ++i) {
    result.points.push_back(
        look(loads[i], result.curve, own, runs[i].greedy, runs[i].timed, window, cap));
  }
  return result;
}

}  // namespace forecast
