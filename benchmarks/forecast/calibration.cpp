// SPDX-License-Identifier: MIT
#include "calibration.hpp"

#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/time.hpp>
#include <batchwright/simulation/measure_curve.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
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

Duration median(std::vector<Duration> values) {
  if (values.empty()) return {};
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

TableCurve curve_of(const digits::Testbed& testbed, std::size_t cap) {
  std::vector<std::size_t> sizes(cap);
  std::iota(sizes.begin(), sizes.end(), std::size_t{1});
  const digits::Predict predict = testbed.backend.make_predict();
  std::vector<digits::Prediction> predictions(cap);
  return measure_curve(
      [&](std::size_t size) {
        predict(std::span(testbed.test.images).first(size), std::span(predictions).first(size));
      },
      sizes, {.warm_ups = 1, .repetitions = 5});
}

/// What the batches of all runs say about the time of one.
class Service {
 public:
  explicit Service(const TableCurve& curve) : curve_(curve) {}

  void add(const Reports& reports) {
    for (const BatchReport& report : reports) {
      const Duration time = report.finished - report.started;
      const Duration usual = curve_(report.size);
      if (time > usual + usual / 4 + kInterrupted) {
        pauses_.push_back({.computed = computed_ + usual / 2, .length = time - usual});
        computed_ = usual / 2;
      } else {
        factors_.push_back(static_cast<double>(time.count()) / static_cast<double>(usual.count()));
        computed_ += time;
      }
    }
  }

  MeasuredNoise noise() const { return {factors_}; }
  std::vector<Pause> pauses() const { return pauses_; }

 private:
  // A batch that takes a quarter and so much longer than it should was interrupted.
  static constexpr Duration kInterrupted = std::chrono::microseconds(10);

  const TableCurve& curve_;
  std::vector<double> factors_;
  std::vector<Pause> pauses_;
  Duration computed_{};  // Since the last pause.
};

}  // namespace

Calibration calibrate(const digits::Testbed& testbed, std::size_t cap, double seconds,
                      Duration window, std::uint64_t seed) {
  Calibration result{.curve = curve_of(testbed, cap), .noise = {}, .machine = {}};
  Service service(result.curve);
  Machine& machine = result.machine;

  // The times of its batches are left out: its client leaves its core to others most of the time, so that
  // they interrupt the executor less.
  const Reports full = flooded(testbed, cap, seconds, result.capacity);
  std::vector<Duration> between_full;
  for (std::size_t i = 1; i < full.size(); ++i) {
    if (full[i - 1].size == cap) between_full.push_back(full[i].started - full[i - 1].finished);
  }

  const double rate = 0.5 * result.capacity;
  const Reports greedy = under_load(testbed, cap, rate, seconds, seed, GreedyPolicy{});
  service.add(greedy);
  std::vector<Duration> wake_ups, hand_overs, between_small, late;
  for (std::size_t i = 1; i < greedy.size(); ++i) {
    const BatchReport& report = greedy[i];
    const BatchReport& before = greedy[i - 1];
    if (report.oldest > before.finished) {
      wake_ups.push_back(report.dispatched - report.oldest);
      hand_overs.push_back(report.started - report.dispatched);
    } else if (before.size == 1) {
      between_small.push_back(report.started - before.finished);
    }
  }

  const Reports timed = under_load(testbed, cap, rate, seconds, seed + 1, TimePolicy{window});
  service.add(timed);
  for (std::size_t i = 1; i < timed.size(); ++i) {
    const BatchReport& report = timed[i];
    const batchwright::TimePoint end = report.oldest + window;
    if (report.size < cap && end > timed[i - 1].finished && report.dispatched >= end) {
      late.push_back(report.dispatched - end);
      hand_overs.push_back(report.started - report.dispatched);
    }
  }

  machine.wake_up = Delay(std::move(wake_ups));
  machine.timer_lateness = Delay(std::move(late));
  machine.hand_over = Delay(std::move(hand_overs));
  const Duration one = median(std::move(between_small));
  machine.per_request =
      std::max<Duration>(median(std::move(between_full)) - one, Duration::zero()) /
      static_cast<std::int64_t>(std::max<std::size_t>(cap - 1, 1));
  machine.per_batch = std::max<Duration>(one - machine.per_request, Duration::zero());
  machine.pauses = service.pauses();
  result.noise = service.noise();
  return result;
}

}  // namespace forecast
