// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_CONTENDERS_HPP
#define BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_CONTENDERS_HPP

#include "workloads.hpp"

#include <batchwright/policies/adaptive.hpp>
#include <batchwright/policies/any.hpp>
#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/extra/aimd.hpp>
#include <batchwright/policies/extra/latency_fraction.hpp>
#include <batchwright/policies/extra/regression.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace policy_table {

/// A policy of the field as it is shipped, the same in all workloads.
struct Contender {
  std::string name;
  batchwright::AnyPolicy policy;
};

/// Those that need a target for a batch's time get one at which the model's largest batch is allowed.
inline std::vector<Contender> contenders(const Model& model) {
  using namespace batchwright;
  const Duration target = milliseconds(1.2e3 * model.time(model.cap));
  std::vector<Contender> all = {
      {"greedy", GreedyPolicy{}},
      {"AIMD (Clipper)", AimdPolicy{.target_latency = target}},
      {"regression (BentoML)", RegressionPolicy{}},
      {"step rule, `AdaptivePolicy`", AdaptivePolicy{.target_latency = target}},
      {"fraction of the latency (FoundationDB)", LatencyFractionPolicy{}}};
  for (const int ms : {1, 5, 50}) {
    all.push_back({"window of " + std::to_string(ms) + " ms",
                   HybridPolicy{.size = model.cap, .max_wait = std::chrono::milliseconds(ms)}});
  }
  all.push_back({"`AutoPolicy`", AutoPolicy{}});
  return all;
}

/// What one of them reached over all workloads, as ratios to the best setting for each.
class Standing {
 public:
  /// Of one workload: logarithms, means over the seeds.
  void add(double mean, double p99, double to_greedy) {
    ++cells_;
    mean_ += mean;
    p99_ += p99;
    worst_ = std::max(worst_, mean);
    worst_to_greedy_ = std::max(worst_to_greedy_, to_greedy);
    within_ += std::exp(mean) <= 1.03 ? 1 : 0;
  }

  void print(const std::string& name) const {
    std::printf("| %s | %.3f | %s | %d | %s | %.3f |\n", name.c_str(), std::exp(mean_ / cells_),
                ratio(std::exp(worst_)).c_str(), within_, ratio(std::exp(worst_to_greedy_)).c_str(),
                std::exp(p99_ / cells_));
  }

 private:
  static std::string ratio(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 2 ? "%.3f" : "%.3g", value);
    return text;
  }

  int cells_ = 0;
  int within_ = 0;
  double mean_ = 0, p99_ = 0;
  double worst_ = -1e300, worst_to_greedy_ = -1e300;
};

}  // namespace policy_table

#endif  // BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_CONTENDERS_HPP
