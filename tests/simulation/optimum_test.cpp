// SPDX-License-Identifier: MIT
#include "../support/optimal_rule.hpp"

#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright_test::DispatchProblem;
using batchwright_test::RulePolicy;

/// Batches of l(b) = t0 + a b milliseconds, at such a part of what full ones can take.
DispatchProblem problem(double a, double t0, std::size_t cap, double load, double price = 0,
                        std::size_t states = 200) {
  const auto time = [a, t0](std::size_t size) { return t0 + a * static_cast<double>(size); };
  return DispatchProblem({.rate = load * static_cast<double>(cap) / time(cap),
                          .time = time,
                          .cap = cap,
                          .batch_price = price,
                          .states = states});
}

DispatchProblem v100(double load, double price = 0) {
  return problem(0.1438, 1.8874, 32, load, price);
}

TEST(Optimum, GreedyIsEvaluatedExactly) {
  EXPECT_NEAR(v100(0.3).evaluate(v100(0.3).greedy()).mean_latency, 3.75071, 1e-5);
  EXPECT_NEAR(v100(0.5).evaluate(v100(0.5).greedy()).mean_latency, 4.57972, 1e-5);
  EXPECT_NEAR(v100(0.7).evaluate(v100(0.7).greedy()).mean_latency, 5.85989, 1e-5);
  EXPECT_NEAR(problem(0.05, 5, 8, 0.5).evaluate({0, 1, 2, 3, 4, 5, 6, 7, 8}).mean_latency, 7.86278,
              1e-5);
}

TEST(Optimum, WithACapOfOneItIsTheMD1Queue) {
  const DispatchProblem queue = problem(1, 0, 1, 0.6);
  const DispatchProblem::Solution solution = queue.solve();
  EXPECT_NEAR(solution.mean_latency, 1 + 0.6 / (2 * 0.4), 1e-8);
  EXPECT_NEAR(solution.batches_per_time, 0.6, 1e-8);
}

// Of longer queues than these, which next to never happen there, a part leaves: the curve gains little
// any more, and a smaller batch is done sooner.
TEST(Optimum, ForTheMeanLatencyIsAControlLimitThatTakesAllWhereItMatters) {
  struct Case {
    double load;
    std::size_t least;
    double mean;
  };
  for (const Case& one : {Case{0.3, 2, 3.73781}, Case{0.5, 3, 4.57745}, Case{0.7, 4, 5.85977}}) {
    const DispatchProblem::Solution solution = v100(one.load).solve();
    EXPECT_NEAR(solution.mean_latency, one.mean, 1e-5);
    for (std::size_t n = 0; n < 20; ++n) {
      EXPECT_EQ(solution.rule[n], n < one.least ? 0 : n) << n;
    }
  }
  const DispatchProblem::Solution heavy = problem(0.05, 5, 8, 0.5).solve();
  EXPECT_NEAR(heavy.mean_latency, 7.83076, 1e-5);
  EXPECT_EQ(heavy.rule[1], 0u);
  EXPECT_EQ(heavy.rule[2], 2u);
}

TEST(Optimum, NearSaturationIsAControlLimitToo) {
  const DispatchProblem near = problem(0.1438, 1.8874, 32, 0.9, 0, 420);
  const DispatchProblem::Solution solution = near.evaluate(near.control_limit(5));
  EXPECT_NEAR(solution.mean_latency, 8.25039, 1e-4);
  EXPECT_GE(near.evaluate(near.greedy()).mean_latency, solution.mean_latency);
}

TEST(Optimum, WithAPriceOfBatchesIsTheBestOfAllControlLimits) {
  for (const double price : {5.0, 20.0}) {
    const DispatchProblem priced = v100(0.3, price);
    const DispatchProblem::Solution best = priced.solve();
    double least = 1e300;
    for (std::size_t limit = 1; limit <= 32; ++limit) {
      least = std::min(least, priced.evaluate(priced.control_limit(limit)).cost_per_time);
    }
    EXPECT_NEAR(best.cost_per_time, least, 1e-6 * least);
    const DispatchProblem::Solution free = v100(0.3).solve();
    EXPECT_LT(best.batches_per_time, free.batches_per_time) << "a price makes batches fewer";
    EXPECT_GT(best.mean_latency, free.mean_latency) << "and costs latency";
  }
}

double greedy_over_best(const DispatchProblem& problem) {
  return problem.evaluate(problem.greedy()).mean_latency / problem.solve().mean_latency;
}

TEST(Optimum, GreedyIsWithinHalfAPercentOfItWhereABatchHasAFixedCost) {
  for (const double load : {0.1, 0.3, 0.5, 0.7}) {
    for (const double ratio :
         {greedy_over_best(v100(load)), greedy_over_best(problem(0.5833, 1.4284, 32, load)),
          greedy_over_best(problem(0.05, 5, 8, load))}) {
      EXPECT_GE(ratio, 1 - 1e-9);
      EXPECT_LE(ratio, 1.005);
    }
  }
}

TEST(Optimum, OnANearlyLinearCurveGreedyIsFarFromItBecauseItTakesTooMany) {
  const DispatchProblem linear = problem(1, 0.01, 8, 0.7);
  EXPECT_GT(greedy_over_best(linear), 1.15);
  const DispatchProblem::Solution best = linear.solve();
  EXPECT_EQ(best.rule[1], 1u);
  EXPECT_LT(best.rule[8], 3u);
}

TEST(Optimum, TheSimulatorReachesWhatTheSolverSays) {
  const DispatchProblem::Solution solution = v100(0.3, 20).solve();
  const std::vector<SimulationResult> results = replicate(
      BasicSimulation<RulePolicy>{
          .arrivals = PoissonArrivals{.rate_hz = 0.3 * 32 / (0.1438 * 32 + 1.8874) * 1000},
          .service = {.curve = AffineCurve{.per_item = 143'800ns, .fixed = 1'887'400ns}},
          .batcher = {.policy = {.rule = solution.rule}},
          .requests = 60'000},
      8);
  const Estimate mean = estimate(
      results, [](const SimulationResult& result) { return result.latency.mean_ns / 1e6; });
  EXPECT_NEAR(mean.mean, solution.mean_latency, 3 * mean.standard_error);
  EXPECT_LE(3 * mean.standard_error, 0.01 * solution.mean_latency);
}

}  // namespace
