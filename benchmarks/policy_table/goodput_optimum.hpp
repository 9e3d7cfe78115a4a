// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_OPTIMUM_HPP
#define BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_OPTIMUM_HPP

#include "../../tests/support/goodput_rule.hpp"
#include "workloads.hpp"

#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/extra/early_drop.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace policy_table {

/// Answers within a deadline against the most that any rule could give: one executor, time in slots of a
/// millisecond, no noise.
class GoodputOptimum {
 public:
  GoodputOptimum(std::uint64_t requests, std::uint64_t seeds)
      : requests_(requests), seeds_(seeds) {}

  void print() {
    std::printf(
        "| curve, slots | deadline | load | optimum / bound | greedy | never waits | best "
        "EarlyDrop "
        "| Auto |\n|---|---|---|---|---|---|---|---|\n");
    for (const Curve& curve : curves()) {
      for (const double load : {0.5, 0.8, 1.0, 1.2, 1.5, 2.0}) compare(curve, load);
    }
    std::printf("| all %d | | | %.3f", auto_.cells, bound_.mean());
    for (const Ratios* const one : {&greedy_, &never_waits_, &early_, &auto_}) {
      std::printf(" | %.4f, worst %.4f", one->mean(), one->worst);
    }
    std::printf(
        " |\n\nIn the simulator the optimum's rule is within %.2f %% of what is computed; the "
        "largest standard error of a ratio of Auto's is %.2f %%.\n",
        100 * off_, 100 * error_);
  }

 private:
  struct Curve {
    std::string name;
    std::vector<std::size_t> times;  // Of a batch of 1, 2, ...
    std::size_t deadline;
    std::size_t callers;  // Of whom each may send one in a slot.
  };

  struct Ratios {
    double sum = 0;  // Of logarithms.
    double worst = 1e300;
    int cells = 0;

    void add(double ratio) {
      sum += std::log(ratio);
      worst = std::min(worst, ratio);
      ++cells;
    }
    double mean() const { return std::exp(sum / cells); }
  };

  static std::vector<Curve> curves() {
    return {{"4", {4, 4, 4, 4, 4, 4}, 10, 4},
            {"4 + floor((b - 1)/2)", {4, 4, 5, 5, 6, 6, 7, 7}, 11, 3},
            {"b", {1, 2, 3, 4, 5, 6, 7, 8}, 8, 3},
            {"2 b", {2, 4, 6, 8, 10}, 10, 2},
            {"1 + 2 b", {3, 5, 7, 9}, 12, 2},
            {"5 + b", {6, 7, 8, 9, 10, 11, 12}, 12, 4},
            {"2 (5 + b)", {12, 14, 16, 18, 20, 22, 24}, 24, 1}};
  }

  void compare(const Curve& curve, double load) {
    using namespace batchwright_test;
    double most = 0;  // In a slot.
    for (std::size_t size = 1; size <= curve.times.size(); ++size) {
      most = std::max(most, static_cast<double>(size) / static_cast<double>(curve.times[size - 1]));
    }
    const double rate = load * most;
    const GoodputProblem problem({.arrivals = arrivals_of(curve.callers, rate),
                                  .times = curve.times,
                                  .deadline = curve.deadline});
    const GoodputProblem::Solution solution = problem.solve();
    const double best = solution.goodput;
    const double greedy = problem.evaluate(problem.greedy()).goodput / best;
    const double never_waits = problem.solve(FreeExecutor::serves).goodput / best;

    const std::size_t cap = curve.times.size();
    constexpr std::size_t kAboveAnyBatch = 1000;
    const std::vector<double> control = run(
        curve, rate,
        GoodputRulePolicy{.rule = std::make_shared<const GoodputRule>(solution.rule), .slot = 1ms},
        kAboveAnyBatch);
    // Under the same arrivals, which takes most of the noise out.
    const auto part_of_best = [&](auto policy) {
      return mean(run(curve, rate, policy, cap)) / mean(control);
    };
    double early = part_of_best(batchwright::EarlyDropPolicy{});
    for (std::size_t size = 1; size <= cap; ++size) {
      early = std::max(early, part_of_best(batchwright::EarlyDropPolicy{.size = size}));
    }
    const batchwright::AutoPolicy policy{.objective = objective(curve)};
    const double mine = part_of_best(policy);

    off_ = std::max(off_, std::abs(mean(control) / best - 1));
    error_ = std::max(error_, error_of_ratio(run(curve, rate, policy, cap), control));
    bound_.add(best / std::min(rate, most));
    greedy_.add(greedy);
    never_waits_.add(never_waits);
    early_.add(early);
    auto_.add(mine);
    std::printf("| %s | %zu | %.1f | %.3f | %.3f | %.4f | %.4f | %.4f |\n", curve.name.c_str(),
                curve.deadline, load, best / std::min(rate, most), greedy, never_waits, early,
                mine);
  }

  // Half a slot more changes nothing of who is in time, and no rounding does.
  static Duration objective(const Curve& curve) { return curve.deadline * 1ms + 500us; }

  /// Answers in time in a slot, by seed.
  template <class Policy>
  std::vector<double> run(const Curve& curve, double rate, const Policy& policy, std::size_t cap) {
    RequestClass one;
    one.deadline = objective(curve);
    std::vector<double> goodput;
    for (std::uint64_t seed = 1; seed <= seeds_; ++seed) {
      goodput.push_back(
          simulate(BasicSimulation<Policy>{
                       .arrivals =
                           batchwright_test::SlottedArrivals{
                               .probabilities = batchwright_test::arrivals_of(curve.callers, rate)},
                       .classes = {one},
                       .service = {.curve =
                                       [&times = curve.times](std::size_t size) {
                                         return Duration(times[std::min(size, times.size()) - 1] *
                                                         1ms);
                                       }},
                       .batcher = {.max_batch_size = cap,
                                   .policy = policy,
                                   .capacity = 1 << 20,
                                   .max_wait = 100s},
                       .requests = requests_,
                       .objective = objective(curve),
                       .seed = seed})
              .goodput_hz /
          1000);
    }
    return goodput;
  }

  static double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }

  static double error_of_ratio(const std::vector<double>& mine,
                               const std::vector<double>& control) {
    if (mine.size() < 2) return 0;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < mine.size(); ++i) ratios.push_back(mine[i] / control[i]);
    return estimate(ratios).standard_error;
  }

  const std::uint64_t requests_;
  const std::uint64_t seeds_;
  Ratios bound_, greedy_, never_waits_, early_, auto_;
  double off_ = 0;
  double error_ = 0;
};

}  // namespace policy_table

#endif  // BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_GOODPUT_OPTIMUM_HPP
