// SPDX-License-Identifier: MIT
// A model that becomes twice as fast or slow at once: after how many batches the mean latency under
// AutoPolicy is within 5 % of the best for the new curve. The best is picked with hindsight among greedy,
// settings of HybridPolicy, and an AutoPolicy that knew the new curve before; each takes over in the
// instant of the change, under the same arrivals.
//
//   batchwright_drift [--seeds N] [--requests N]

#include "workloads.hpp"

#include <batchwright/policies/any.hpp>
#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace policy_table;
using batchwright::AnyPolicy;
using batchwright::ArrivalReport;
using batchwright::AutoPolicy;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::PolicyNeeds;
using batchwright::QueueView;
using batchwright::TimePoint;

struct Settings {
  std::uint64_t requests = 12'000;
  std::uint64_t seeds = 20;
};

/// AutoPolicy until an instant, and then what takes over, which has heard all before: of batches what they
/// would have taken if the change had been from the start.
struct TakenOver {
  AutoPolicy before;
  AnyPolicy after;
  TimePoint at;
  double factor = 1;

  Decision decide(const QueueView& view) noexcept {
    return view.now < at ? before.decide(view) : after.decide(view);
  }
  void on_arrivals(const ArrivalReport& report) noexcept {
    before.on_arrivals(report);
    after.on_arrivals(report);
  }
  void on_batch(BatchReport report) noexcept {
    before.on_batch(report);
    if (report.dispatched < at) {
      const auto time = static_cast<double>(report.service_time().count());
      report.dispatched = report.finished - Duration(std::llround(time * factor));
    }
    after.on_batch(report);
  }
  PolicyNeeds needs() const noexcept { return before.needs(); }
};

/// What happened, by instants since the start of the run.
struct Record {
  struct Request {
    Duration arrived{}, latency{};
  };
  std::vector<Request> requests;
  std::vector<Duration> dispatched, finished;  // Of batches, in the order of their ends.

  static Duration since_start(TimePoint instant) { return instant - (TimePoint{} + 24h); }
  void on_request(const EndedRequest& request) {
    requests.push_back({since_start(request.arrived), request.answered - request.arrived});
  }
  void on_batch(const BatchReport& report) {
    dispatched.push_back(since_start(report.dispatched));
    finished.push_back(since_start(report.finished));
  }

  /// Milliseconds, of those that came in that time.
  double mean(Duration from, Duration to) const {
    double sum = 0;
    double count = 0;
    for (const Request& one : requests) {
      if (one.arrived < from || one.arrived >= to) continue;
      sum += static_cast<double>(one.latency.count()) / 1e6;
      ++count;
    }
    return count > 0 ? sum / count : 0;
  }
};

struct Cell {
  Workload workload;
  double factor = 1;
};

template <class Policy>
Record run(const Cell& cell, Duration change, Policy policy, const Settings& settings,
           std::uint64_t seed) {
  Record record;
  simulate(BasicSimulation<Policy>{.arrivals = cell.workload.arrivals,
                                   .service = {.curve = cell.workload.model.curve,
                                               .noise = LognormalNoise{.sigma = 0.1},
                                               .changes = {{.at = change, .factor = cell.factor}}},
                                   .batcher = {.max_batch_size = cell.workload.model.cap,
                                               .policy = std::move(policy),
                                               .executors = cell.workload.executors,
                                               .capacity = 1 << 20,
                                               .max_wait = 100s},
                                   .requests = settings.requests,
                                   .warm_up = 0,
                                   .seed = seed},
           record);
  return record;
}

/// What may be best after the change.
std::vector<AnyPolicy> candidates(const Cell& cell) {
  std::vector<AnyPolicy> all{AutoPolicy{}, GreedyPolicy{}};
  const Model& model = cell.workload.model;
  for (const std::size_t size : {1u, 2u, 4u, 6u, 8u, 12u, 16u, 32u}) {
    if (size > model.cap) continue;
    for (const double part : {0.0, 0.25, 1.0}) {
      all.emplace_back(HybridPolicy{
          .size = size, .max_wait = milliseconds(part * cell.factor * model.time(1) * 1e3)});
    }
  }
  return all;
}

constexpr std::size_t kWindow = 20;  // Batches over which a mean is taken.
constexpr std::size_t kMost = 200;
constexpr double kWithin = 1.05;

struct Result {
  std::vector<double> batches;  ///< By seed: after so many it is within 5 %.
  double early = 0, later = 0;  ///< Mean to the best's over batches 0 to 10, and 10 to 60.
};

Result measure(const Cell& cell, const Settings& settings) {
  std::vector<Record> learner;
  std::vector<Duration> changes;
  std::vector<std::vector<Record>> others;  // By candidate, then seed.
  const std::vector<AnyPolicy> all = candidates(cell);
  others.resize(all.size());
  for (std::uint64_t seed = 1; seed <= settings.seeds; ++seed) {
    // It changes when half of the requests have come.
    const Record probe = run(cell, Duration::max(), AutoPolicy{}, settings, seed);
    std::vector<Duration> arrivals;
    for (const Record::Request& one : probe.requests) arrivals.push_back(one.arrived);
    const auto middle = arrivals.begin() + std::ssize(arrivals) / 2;
    std::nth_element(arrivals.begin(), middle, arrivals.end());
    const Duration change = *middle;
    changes.push_back(change);
    learner.push_back(run(cell, change, AutoPolicy{}, settings, seed));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const TakenOver policy{{}, all[i], TimePoint{} + 24h + change, cell.factor};
      others[i].push_back(run(cell, change, policy, settings, seed));
    }
  }
  const auto total = [&](const std::vector<Record>& records) {
    double sum = 0;
    for (std::size_t seed = 0; seed < records.size(); ++seed) {
      const Duration from = changes[seed];
      sum += records[seed].mean(from, from + from / 2);
    }
    return sum;
  };
  const auto best =
      std::min_element(others.begin(), others.end(),
                       [&](const auto& a, const auto& b) { return total(a) < total(b); });

  Result result;
  double mine_early = 0, best_early = 0, mine_later = 0, best_later = 0;
  for (std::size_t seed = 0; seed < learner.size(); ++seed) {
    // The ends of the batches that were dispatched after the change; before them, the change.
    std::vector<Duration> ends{changes[seed]};
    for (std::size_t i = 0; i < learner[seed].finished.size(); ++i) {
      if (learner[seed].dispatched[i] >= changes[seed]) ends.push_back(learner[seed].finished[i]);
    }
    ends.resize(std::min(ends.size(), kMost + kWindow + 1));
    const auto mine = [&](std::size_t from, std::size_t to) {
      return learner[seed].mean(ends.at(from), ends.at(to));
    };
    const auto bests = [&](std::size_t from, std::size_t to) {
      return (*best)[seed].mean(ends.at(from), ends.at(to));
    };
    std::size_t after = 0;
    while (after + kWindow + 1 < ends.size() &&
           mine(after, after + kWindow) > kWithin * bests(after, after + kWindow)) {
      ++after;
    }
    result.batches.push_back(static_cast<double>(after));
    mine_early += mine(0, 10);
    best_early += bests(0, 10);
    mine_later += mine(10, 60);
    best_later += bests(10, 60);
  }
  result.early = mine_early / best_early;
  result.later = mine_later / best_later;
  std::sort(result.batches.begin(), result.batches.end());
  return result;
}

std::vector<Cell> cells() {
  std::vector<Cell> list;
  for (const Model& model : models()) {
    for (const double factor : {0.5, 2.0}) {
      // The load stays below the capacity on either side.
      const double load = factor > 1 ? 0.35 : 0.7;
      for (const std::size_t executors : {1u, 4u}) {
        const double rate = load * model.capacity() * static_cast<double>(executors);
        list.push_back(
            {{"poisson", "independent", model, PoissonArrivals{.rate_hz = rate}, executors},
             factor});
      }
      const Duration think = milliseconds(0.5 * model.time(16) * 1e3);
      list.push_back({{"closed", "closed loop of 16", model,
                       ClosedLoopArrivals{.clients = 16, .mean_think = think}, 1, 16},
                      factor});
    }
  }
  return list;
}

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (flag == "--seeds") {
      settings.seeds = std::strtoull(value(), nullptr, 10);
    } else if (flag == "--requests") {
      settings.requests = std::strtoull(value(), nullptr, 10);
    } else {
      std::fprintf(stderr, "unknown flag %s\n", argv[i]);
      std::exit(2);
    }
  }
  if (settings.seeds < 1 || settings.requests < 4000) {
    std::fprintf(stderr, "--seeds must be at least 1 and --requests at least 4000\n");
    std::exit(2);
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  std::printf(
      "| curve | callers | executors | times | batches, median | worst | mean / best, batches 1 to "
      "10 | 11 to 60 |\n|---|---|---|---|---|---|---|---|\n");
  std::vector<double> all;
  for (const Cell& cell : cells()) {
    const Result result = measure(cell, settings);
    all.insert(all.end(), result.batches.begin(), result.batches.end());
    std::printf("| %s | %s | %zu | x %.1f | %.0f | %.0f | %.3f | %.3f |\n",
                cell.workload.model.name.c_str(), cell.workload.name.c_str(),
                cell.workload.executors, cell.factor, result.batches[result.batches.size() / 2],
                result.batches.back(), result.early, result.later);
    std::fflush(stdout);
  }
  std::sort(all.begin(), all.end());
  std::printf(
      "all: within 5 %% of the best after a median of %.0f batches, 95 %% after %.0f, worst "
      "%.0f\n",
      all[all.size() / 2], all[all.size() * 95 / 100], all.back());
  return 0;
}
