// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_HPP
#define BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_HPP

#include "workloads.hpp"

#include <batchwright/policies/adaptive.hpp>
#include <batchwright/policies/any.hpp>
#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/extra/aimd.hpp>
#include <batchwright/policies/extra/control_limit.hpp>
#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/policies/extra/deferred.hpp>
#include <batchwright/policies/extra/early_drop.hpp>
#include <batchwright/policies/extra/latency_fraction.hpp>
#include <batchwright/policies/extra/regression.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace policy_table {

/// Answers within an objective: AutoPolicy, which is told it, against every other policy, each tuned over
/// its settings with hindsight for each cell. Quorums are not among them: callers are independent, so
/// there is no number of clients.
class GoodputTable {
 public:
  GoodputTable(std::uint64_t requests, std::uint64_t seeds) : requests_(requests), seeds_(seeds) {}

  void print() {
    struct Pair {
      Model model;
      double objective_ms;
    };
    const std::vector<Model> all = models();
    std::printf(
        "| model, objective | executors | load | best / bound | Auto / bound | Auto / best | the "
        "best "
        "|\n|---|---|---|---|---|---|---|\n");
    for (const Pair& one :
         {Pair{all[0], 8}, Pair{all[0], 25}, Pair{all[1], 12}, Pair{all[1], 30}, Pair{all[4], 0.8},
          Pair{all[4], 3}, Pair{all[2], 10}, Pair{all[3], 12}, Pair{all[3], 40}}) {
      for (const std::size_t executors : {1u, 4u}) {
        for (const double load : kLoads) {
          add({.model = one.model,
               .objective = milliseconds(one.objective_ms),
               .executors = executors,
               .load = load});
        }
      }
    }
    print_all();
  }

 private:
  static constexpr double kAtTheBound = 0.99;
  static constexpr double kLoads[] = {0.5, 0.8, 1.0, 1.2, 1.5, 2.0};

  struct Cell {
    Model model;
    Duration objective;
    std::size_t executors;
    double load;

    double objective_ms() const { return static_cast<double>(objective.count()) / 1e6; }
    /// Requests a second that one executor can answer in time, with no time to gather.
    double most() const {
      double best = 0;
      for (std::size_t size = 1; size <= model.cap; ++size) {
        if (model.curve(size) > objective) break;
        best = std::max(best, static_cast<double>(size) / model.time(size));
      }
      return best;
    }
    double rate() const { return load * most() * static_cast<double>(executors); }
  };

  /// What is done about requests that will be late.
  enum class Late { computed, times_out, refused };

  /// A policy with one of its settings; those of one name are tuned.
  struct Setting {
    const char* name;
    batchwright::AnyPolicy policy;
    bool has_deadlines = false;  ///< Whether it means nothing without them.
  };

  static std::vector<Setting> settings(const Cell& cell) {
    using namespace batchwright;
    const auto part = [&](double share) { return milliseconds(share * cell.objective_ms()); };
    std::vector<std::size_t> sizes;
    for (std::size_t size = 2; size <= cell.model.cap; size *= 2) sizes.push_back(size);
    std::vector<Setting> all = {{"greedy", GreedyPolicy{}}};
    for (const std::size_t size : sizes) {
      for (const double window : {0.0, 0.1, 0.2, 0.4}) {
        all.push_back({"size and window", HybridPolicy{.size = size, .max_wait = part(window)}});
      }
      all.push_back({"control limit", ControlLimitPolicy{.limits = {size}}});
    }
    for (const double target : {0.25, 0.5, 0.75, 1.0}) {
      all.push_back({"AIMD", AimdPolicy{.target_latency = part(target)}});
      for (const std::size_t step : {1u, 4u}) {
        all.push_back({"step rule", AdaptivePolicy{.target_latency = part(target), .step = step}});
      }
    }
    for (const double fraction : {0.1, 0.25, 0.5}) {
      all.push_back({"fraction of the latency", LatencyFractionPolicy{.fraction = fraction}});
      all.push_back(
          {"fraction of the latency",
           LatencyFractionPolicy{
               .fraction = fraction, .least = Duration::zero(), .most = part(1), .from_idle = {}}});
    }
    for (const Duration tick : {Duration(1ms), Duration::zero()}) {
      all.push_back({"regression", RegressionPolicy{.tick = tick}});
      all.push_back({"regression", RegressionPolicy{.max_latency = cell.objective, .tick = tick}});
    }
    for (const double deviations : {0.0, 1.0, 3.0}) {
      all.push_back({"deadline", DeadlinePolicy{.deviations = deviations}, true});
      all.push_back({"deferred", DeferredPolicy{.deviations = deviations}, true});
    }
    sizes.push_back(kNoCount);
    for (const double deviations : {0.0, 1.0}) {
      for (const std::size_t size : sizes) {
        all.push_back(
            {"early drop", EarlyDropPolicy{.size = size, .deviations = deviations}, true});
      }
    }
    return all;
  }

  /// Counts which of the requests after the warm-up were answered in time. All policies have the same
  /// ones, whereas the answers of a time may be of more requests than came in it.
  struct InTime {
    std::uint64_t first;
    std::uint64_t end;
    Duration objective;
    std::uint64_t count = 0;

    void on_request(const EndedRequest& request) {
      if (request.number < first || request.number >= end) return;
      if (request.outcome != batchwright::Outcome::ok) return;
      if (request.answered - request.arrived <= objective) ++count;
    }
    double share() const { return static_cast<double>(count) / static_cast<double>(end - first); }
  };

  /// The mean over the seeds, as a part of the bound.
  double goodput(const Cell& cell, const batchwright::AnyPolicy& policy, Late late) const {
    using batchwright::Forecast;
    // Behind the warm-up, a tenth, nothing is left of the start with its empty queue.
    const double objectives = cell.rate() * cell.objective_ms() / 1e3;
    const auto requests = std::max(requests_, static_cast<std::uint64_t>(30 * objectives));
    RequestClass one;
    if (late != Late::computed) one.deadline = cell.objective;
    double total = 0;
    for (std::uint64_t seed = 1; seed <= seeds_; ++seed) {
      InTime in_time{.first = requests / 10, .end = requests, .objective = cell.objective};
      simulate(
          Simulation{
              .arrivals = PoissonArrivals{.rate_hz = cell.rate()},
              .classes = {one},
              .service = {.curve = cell.model.curve, .noise = LognormalNoise{.sigma = 0.1}},
              .batcher = {.max_batch_size = cell.model.cap,
                          .policy = policy,
                          .executors = cell.executors,
                          .capacity = 1 << 20,
                          .forecast = late == Late::refused ? Forecast::refuse : Forecast::off,
                          .max_wait = 100s},
              .requests = requests,
              .objective = cell.objective,
              .seed = seed},
          in_time);
      total += in_time.share();
    }
    return total / static_cast<double>(seeds_) * cell.load / std::min(cell.load, 1.0);
  }

  /// A sum of logarithms of ratios, and what is asked about them.
  struct Ratios {
    double sum = 0;
    double worst = 10;
    int count = 0;
    int near = 0;    ///< At least 0.97.
    int enough = 0;  ///< At least 0.90.

    void add(double ratio) {
      sum += std::log(std::max(ratio, 1e-3));
      worst = std::min(worst, ratio);
      near += ratio >= 0.97 ? 1 : 0;
      enough += ratio >= 0.9 ? 1 : 0;
      ++count;
    }
    double mean() const { return std::exp(sum / count); }
  };

  /// One policy of the others over all cells.
  struct Standing {
    const char* name;
    double tuned = 0;  ///< In the cell that is being looked at.
    int wins = 0;
    Ratios to_best = {};
    Ratios of_auto = {};
  };

  Standing& standing(const char* name) {
    for (Standing& one : standings_) {
      if (std::string(one.name) == name) return one;
    }
    return standings_.emplace_back(Standing{name});
  }

  void add(const Cell& cell) {
    for (Standing& one : standings_) one.tuned = 0;
    for (const Setting& setting : settings(cell)) {
      double& tuned = standing(setting.name).tuned;
      for (const Late late : {Late::computed, Late::times_out, Late::refused}) {
        if (setting.has_deadlines && late == Late::computed) continue;
        tuned = std::max(tuned, goodput(cell, setting.policy, late));
      }
    }
    Standing& best =
        *std::max_element(standings_.begin(), standings_.end(),
                          [](const Standing& a, const Standing& b) { return a.tuned < b.tuned; });
    ++best.wins;
    const double mine =
        goodput(cell, batchwright::AutoPolicy{.objective = cell.objective}, Late::computed);
    for (Standing& one : standings_) {
      one.to_best.add(one.tuned / best.tuned);
      one.of_auto.add(mine / std::max(one.tuned, 1e-3));
    }
    to_best_.add(mine / best.tuned);
    if (best.tuned < kAtTheBound) below_the_bound_.add(mine / best.tuned);
    if (cell.load > 1) overloaded_.add(mine);
    for (std::size_t i = 0; i < std::size(kLoads); ++i) {
      if (kLoads[i] != cell.load) continue;
      by_load_[cell.executors == 1 ? 0 : 1][i][0].add(best.tuned);
      by_load_[cell.executors == 1 ? 0 : 1][i][1].add(mine);
    }
    std::printf("| %s %.1f ms | %zu | %.1f | %.3f | %.3f | %.3f | %s |\n", cell.model.name.c_str(),
                cell.objective_ms(), cell.executors, cell.load, best.tuned, mine, mine / best.tuned,
                best.name);
    std::fflush(stdout);
  }

  void print_all() const {
    std::printf("| all %d | | | | | %.3f, worst %.3f, >= 0.97 in %d | |\n", to_best_.count,
                to_best_.mean(), to_best_.worst, to_best_.near);
    std::printf("| best below %.2f of the bound: %d | | | | | %.3f, worst %.3f | |\n", kAtTheBound,
                below_the_bound_.count, below_the_bound_.mean(), below_the_bound_.worst);
    std::printf("| overload: %d | | | | worst %.3f, >= 0.90 in %d | | |\n", overloaded_.count,
                overloaded_.worst, overloaded_.enough);
    std::printf("\n| parts of the bound, load |");
    for (const double load : kLoads) std::printf(" %.1f |", load);
    std::printf("\n|---|---|---|---|---|---|---|\n");
    for (const std::size_t several : {0u, 1u}) {
      for (const std::size_t whose : {0u, 1u}) {
        std::printf("| %s, %s |", whose == 0 ? "best other" : "`AutoPolicy`",
                    several == 0 ? "1 executor" : "4 executors");
        for (const auto& cells : by_load_[several]) std::printf(" %.3f |", cells[whose].mean());
        std::printf("\n");
      }
    }
    std::printf(
        "\n| policy, tuned for each cell | of the best of all others | the best in | Auto to it | "
        "worst |\n|---|---|---|---|---|\n");
    for (const Standing& one : standings_) {
      std::printf("| %s | %.3f | %d | %.3f | %.3f |\n", one.name, one.to_best.mean(), one.wins,
                  one.of_auto.mean(), one.of_auto.worst);
    }
  }

  const std::uint64_t requests_;
  const std::uint64_t seeds_;
  std::vector<Standing> standings_;
  Ratios to_best_;
  Ratios below_the_bound_;  ///< The same where the best other one leaves room.
  Ratios overloaded_;       ///< To the bound.
  Ratios by_load_[2][std::size(kLoads)]
                 [2];  ///< Of 1 and of 4 executors: the best one's, AutoPolicy's.
};

}  // namespace policy_table

#endif  // BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_HPP
