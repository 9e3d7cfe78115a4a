// SPDX-License-Identifier: MIT
#include "../support/goodput_rule.hpp"

#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/extra/deadline.hpp>
#include <batchwright/policies/extra/deferred.hpp>
#include <batchwright/policies/extra/early_drop.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright_test::arrivals_of;
using batchwright_test::FreeExecutor;
using batchwright_test::GoodputAction;
using batchwright_test::GoodputProblem;
using batchwright_test::GoodputRule;
using batchwright_test::GoodputRulePolicy;
using batchwright_test::SlottedArrivals;

using Times = std::vector<std::size_t>;

double best(std::vector<double> arrivals, Times times, std::size_t deadline) {
  const GoodputProblem::Solution solution =
      GoodputProblem(
          {.arrivals = std::move(arrivals), .times = std::move(times), .deadline = deadline})
          .solve();
  EXPECT_LE(solution.doubt, 1e-9);
  return solution.goodput;
}

/// At most one in a slot.
std::vector<double> single(double probability) { return {1 - probability, probability}; }

// Closed forms.

TEST(GoodputOptimum, WhoIsServedInTheSlotThatBringsItIsAnsweredAlways) {
  EXPECT_NEAR(best(single(0.3), {1}, 1), 0.3, 1e-9);
  EXPECT_NEAR(best(single(0.99), {1}, 4), 0.99, 1e-9);
}

TEST(GoodputOptimum, ADeadlineThatIsShorterThanABatchAnswersNobody) {
  EXPECT_EQ(best(single(0.5), {3, 4}, 2), 0.0);
}

TEST(GoodputOptimum, WithNoTimeToWaitAnExecutorIsBusyOrWaitsForTheNextOne) {
  // A batch of one takes all of the deadline; then 1/p - 1 slots are empty in the mean.
  for (const double p : {0.1, 0.5, 0.9}) {
    EXPECT_NEAR(best(single(p), {4}, 4), p / (1 + 3 * p), 1e-9);
    EXPECT_NEAR(best(single(p), {4, 4, 5}, 4), p / (1 + 3 * p), 1e-9);
  }
}

TEST(GoodputOptimum, WhereSizeCostsNothingTwoBatchesAreTimeEnoughForAll) {
  // Who comes just after a dispatch waits for three slots and is served in four.
  EXPECT_NEAR(best(arrivals_of(2, 1), {4, 4, 4, 4, 4, 4, 4, 4}, 7), 1, 1e-9);
  EXPECT_LT(best(arrivals_of(2, 1), {4, 4, 4, 4, 4, 4, 4, 4}, 6), 0.99);
}

TEST(GoodputOptimum, UnderOverloadItIsWhatTheBestSizeAnswers) {
  // Two in each slot, nearly always: batches of four if the deadline allows them, else of two.
  EXPECT_NEAR(best({1e-6, 0, 1 - 1e-6}, {3, 4, 5, 5, 7}, 8), 4.0 / 5, 1e-4);
  EXPECT_NEAR(best({1e-6, 0, 1 - 1e-6}, {3, 4, 5, 5, 7}, 4), 2.0 / 4, 1e-4);
}

TEST(GoodputOptimum, MoreTimeIsNeverWorseAndMoreCallersAreNeverFewerAnswers) {
  const Times times{3, 4, 6, 6};
  double last = 0;
  for (std::size_t deadline = 3; deadline <= 10; ++deadline) {
    const double now = best(arrivals_of(2, 0.5), times, deadline);
    EXPECT_GE(now, last - 1e-9) << deadline;
    last = now;
  }
  last = 0;
  for (const double rate : {0.2, 0.4, 0.6, 0.8, 1.0, 1.6}) {
    const double now = best(arrivals_of(2, rate), times, 8);
    EXPECT_GE(now, last) << rate;
    EXPECT_LE(now, std::min(rate, 4.0 / 6) + 1e-9);
    last = now;
  }
}

TEST(GoodputOptimum, WhatIsNoProblemIsAnError) {
  using Settings = GoodputProblem::Settings;
  EXPECT_THROW(GoodputProblem(Settings{.arrivals = {0, 1}, .times = {1}}), std::invalid_argument);
  EXPECT_THROW(GoodputProblem(Settings{.arrivals = {0.5, 0.4}, .times = {1}}),
               std::invalid_argument);
  EXPECT_THROW(GoodputProblem(Settings{.arrivals = {0.5, 0.5}, .times = {2, 1}}),
               std::invalid_argument);
  EXPECT_THROW(GoodputProblem(Settings{.arrivals = {0.5, 0.5}, .times = {0, 1}}),
               std::invalid_argument);
}

// By brute force.

/// The same process without what is known of its best rules: any of those who wait may be served, also
/// some that will be late, and they leave only when they are late or served. At most one comes in a slot;
/// bit a says that one waits which is a slots old. An action is who is served; nobody: wait.
class AllRules {
 public:
  AllRules(double probability, Times times, std::size_t deadline)
      : p_(probability), times_(std::move(times)), deadline_(deadline) {}

  std::size_t masks() const { return std::size_t{1} << deadline_; }

  std::vector<std::size_t> actions(std::size_t mask) const {
    std::vector<std::size_t> all;
    for (std::size_t chosen = 0; chosen < masks(); ++chosen) {
      if ((chosen & mask) == chosen && size(chosen) <= times_.size()) all.push_back(chosen);
    }
    return all;
  }

  /// What a rule answers in a slot, by the stationary distribution of its chain.
  double evaluate(const std::vector<std::size_t>& rule) const {
    const std::size_t longest = times_.back();
    std::vector<double> share(masks() * longest);
    share[0] = 1;
    double last = -1;
    for (int round = 0; round < 100'000; ++round) {
      std::vector<double> next(share.size());
      double answers = 0;
      for (std::size_t mask = 0; mask < masks(); ++mask) {
        for (std::size_t left = 0; left < longest; ++left) {
          const double here = share[left * masks() + mask];
          if (here == 0) continue;
          const std::size_t served = left == 0 ? rule[mask] : 0;
          const std::size_t slots = left == 0 ? slots_of(served) : left;
          answers += here * reward(served);
          // Half of it stays, against going round in circles: the share of each state is the same.
          next[left * masks() + mask] += here / 2;
          const std::size_t old = ((mask ^ served) << 1) & (masks() - 1);
          next[(slots - 1) * masks() + old] += here / 2 * (1 - p_);
          next[(slots - 1) * masks() + (old | 1)] += here / 2 * p_;
        }
      }
      share.swap(next);
      if (round % 50 == 49) {
        if (std::abs(answers - last) < 1e-12) return answers;
        last = answers;
      }
    }
    ADD_FAILURE() << "the chain does not settle";
    return last;
  }

  /// The most of all rules, one after the other.
  double most_by_enumeration(std::size_t* count) const {
    std::vector<std::vector<std::size_t>> choices;
    for (std::size_t mask = 0; mask < masks(); ++mask) choices.push_back(actions(mask));
    std::vector<std::size_t> place(masks());
    double most = 0;
    for (*count = 0;; ++*count) {
      std::vector<std::size_t> rule;
      for (std::size_t mask = 0; mask < masks(); ++mask) rule.push_back(choices[mask][place[mask]]);
      most = std::max(most, evaluate(rule));
      std::size_t mask = 0;
      while (mask < masks() && ++place[mask] == choices[mask].size()) place[mask++] = 0;
      if (mask == masks()) return most;
    }
  }

  /// The most of all rules, by value iteration.
  double most() const {
    const std::size_t longest = times_.back();
    std::vector<double> values(masks() * longest);
    std::vector<std::vector<std::size_t>> choices;
    for (std::size_t mask = 0; mask < masks(); ++mask) choices.push_back(actions(mask));
    for (int round = 0; round < 100'000; ++round) {
      std::vector<double> next(values.size(), -1e300);
      const auto after = [&](std::size_t mask, std::size_t left) {
        const std::size_t old = (mask << 1) & (masks() - 1);
        const double* const from = &values[left * masks()];
        return (1 - p_) * from[old] + p_ * from[old | 1];
      };
      double low = 1e300;
      double high = -1e300;
      for (std::size_t mask = 0; mask < masks(); ++mask) {
        for (const std::size_t served : choices[mask]) {
          next[mask] =
              std::max(next[mask], reward(served) + after(mask ^ served, slots_of(served) - 1));
        }
        for (std::size_t left = 1; left < longest; ++left) {
          next[left * masks() + mask] = after(mask, left - 1);
        }
      }
      for (std::size_t i = 0; i < values.size(); ++i) {
        low = std::min(low, next[i] - values[i]);
        high = std::max(high, next[i] - values[i]);
        values[i] += (next[i] - values[i]) / 2;
      }
      if (high - low < 1e-9) return (low + high) / 2;
    }
    ADD_FAILURE() << "the values do not settle";
    return 0;
  }

 private:
  static std::size_t size(std::size_t served) {
    return static_cast<std::size_t>(std::popcount(served));
  }
  std::size_t slots_of(std::size_t served) const {
    return served == 0 ? 1 : times_[size(served) - 1];
  }
  double reward(std::size_t served) const {
    double sum = 0;
    for (std::size_t age = 0; age < deadline_; ++age) {
      if ((served >> age & 1) != 0 && age + slots_of(served) <= deadline_) ++sum;
    }
    return sum;
  }

  double p_;
  Times times_;
  std::size_t deadline_;
};

TEST(GoodputOptimum, IsTheMostOfAllRulesThatThereAre) {
  for (const Times& times : {Times{1, 2}, {2, 2}, {2, 3}}) {
    std::size_t rules = 0;
    const double most = AllRules(0.6, times, 3).most_by_enumeration(&rules);
    EXPECT_GT(rules, 3000u);
    EXPECT_NEAR(best(single(0.6), times, 3), most, 1e-8);
    EXPECT_NEAR(AllRules(0.6, times, 3).most(), most, 1e-8);
  }
}

TEST(GoodputOptimum, NoOtherBatchesThanThoseOfTheOldestInTimeAreBetter) {
  for (const Times& times : {Times{2, 4, 6}, {3, 3, 4, 4}, {2, 3, 5, 8}, {1, 4, 4}, {4, 5, 5, 6}}) {
    for (const double p : {0.2, 0.5, 0.85}) {
      for (const std::size_t deadline : {5u, 7u, 8u}) {
        EXPECT_NEAR(best(single(p), times, deadline), AllRules(p, times, deadline).most(), 1e-8)
            << times[0] << ' ' << p << ' ' << deadline;
      }
    }
  }
}

// In the simulator.

struct Setting {
  std::string name;
  Times times;
  std::size_t deadline;
  std::size_t callers;  ///< At most so many come in a slot.
  double load;          ///< Of the best size's.

  double rate() const {
    double most = 0;
    for (std::size_t size = 1; size <= times.size() && times[size - 1] <= deadline; ++size) {
      most = std::max(most, static_cast<double>(size) / static_cast<double>(times[size - 1]));
    }
    return load * most;
  }
  GoodputProblem problem() const {
    return GoodputProblem(
        {.arrivals = arrivals_of(callers, rate()), .times = times, .deadline = deadline});
  }
  /// Half a slot more changes nothing of who is in time, and no rounding does.
  Duration objective() const { return deadline * 1ms + 500us; }
};

std::vector<Setting> settings() {
  std::vector<Setting> all;
  for (const double load : {0.8, 1.0, 1.3}) {
    all.push_back({"flat", {4, 4, 4, 4, 4}, 9, 3, load});
    all.push_back({"half", {4, 4, 5, 5, 6, 6}, 10, 2, load});
    all.push_back({"linear", {2, 4, 6, 8}, 9, 2, load});
    all.push_back({"fixed and linear", {3, 5, 7, 9}, 11, 1, load});
  }
  return all;
}

/// Answers in time in a slot, of independent runs.
template <class Policy>
std::vector<double> simulated(const Setting& setting, Policy policy, std::size_t cap,
                              std::uint64_t requests = 20'000, std::size_t runs = 8) {
  RequestClass one;
  one.deadline = setting.objective();
  const std::vector<SimulationResult> results = replicate(
      BasicSimulation<Policy>{
          .arrivals =
              SlottedArrivals{.probabilities = arrivals_of(setting.callers, setting.rate())},
          .classes = {one},
          .service = {.curve =
                          [times = setting.times](std::size_t size) {
                            return Duration(times[std::min(size, times.size()) - 1] * 1ms);
                          }},
          .batcher = {.max_batch_size = cap,
                      .policy = std::move(policy),
                      .capacity = 1 << 20,
                      .max_wait = 100s},
          .requests = requests,
          .objective = setting.objective()},
      runs);
  std::vector<double> goodput;
  for (const SimulationResult& result : results) goodput.push_back(result.goodput_hz / 1000);
  return goodput;
}

template <class Policy>
std::vector<double> simulated(const Setting& setting, Policy policy) {
  return simulated(setting, std::move(policy), setting.times.size());
}

std::vector<double> simulated(const Setting& setting, const GoodputRule& rule) {
  constexpr std::size_t kAboveAnyBatch = 1000;
  return simulated(setting,
                   GoodputRulePolicy{.rule = std::make_shared<const GoodputRule>(rule),
                                     .slot = std::chrono::milliseconds(1)},
                   kAboveAnyBatch);
}

/// GoodputProblem::greedy, told as a policy is.
struct GreedyWithoutHopeless {
  Duration alone{};

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    std::size_t hopeless = 0;
    batchwright::QueueCursor queue = view.queue;
    for (batchwright::QueuedRequest one; queue.next(one) && view.now + alone > one.deadline;) {
      ++hopeless;
    }
    if (hopeless > 0) return batchwright::Decision::drop(hopeless);
    return batchwright::Decision::release(view.max_batch_size, batchwright::ReleaseReason::greedy);
  }
};

TEST(GoodputOptimum, TheSimulatorReachesWhatTheChainSaysOfAFixedRule) {
  for (const Setting& setting : settings()) {
    const double exact = setting.problem().evaluate(setting.problem().greedy()).goodput;
    const Estimate estimated =
        estimate(simulated(setting, GreedyWithoutHopeless{setting.times[0] * 1ms}));
    EXPECT_NEAR(estimated.mean, exact, 3 * estimated.standard_error)
        << setting.name << ' ' << setting.load;
    EXPECT_LE(3 * estimated.standard_error, 0.01 * setting.rate());
  }
}

TEST(GoodputOptimum, ASlotMoreOrLessWouldBeSeen) {
  for (const Setting& setting : settings()) {
    if (setting.load != 1.0) continue;
    const Estimate estimated =
        estimate(simulated(setting, GreedyWithoutHopeless{setting.times[0] * 1ms}));
    for (const int off : {-1, 1}) {
      Setting other = setting;
      other.deadline += static_cast<std::size_t>(off);
      const GoodputProblem problem({.arrivals = arrivals_of(setting.callers, setting.rate()),
                                    .times = setting.times,
                                    .deadline = other.deadline});
      const double exact = problem.evaluate(problem.greedy()).goodput;
      EXPECT_GT(std::abs(exact - estimated.mean), 6 * estimated.standard_error)
          << setting.name << ' ' << off;
    }
  }
}

TEST(GoodputOptimum, TheSimulatorReachesItWithItsRule) {
  for (const Setting& setting : settings()) {
    const GoodputProblem::Solution solution = setting.problem().solve();
    EXPECT_NEAR(setting.problem().evaluate(solution.rule).goodput, solution.goodput, 1e-8);
    const Estimate estimated = estimate(simulated(setting, solution.rule));
    EXPECT_NEAR(estimated.mean, solution.goodput, 3 * estimated.standard_error)
        << setting.name << ' ' << setting.load;
    EXPECT_LE(3 * estimated.standard_error, 0.01 * solution.goodput);
  }
}

/// How much more than the optimum a policy answers, under the same arrivals, less its error.
template <class Policy>
double surely_more(const Setting& setting, const std::vector<double>& optimum, Policy policy) {
  std::vector<double> more = simulated(setting, std::move(policy));
  for (std::size_t run = 0; run < more.size(); ++run) more[run] -= optimum[run];
  const Estimate estimated = estimate(more);
  return estimated.mean - 3 * estimated.standard_error;
}

TEST(GoodputOptimum, NoPolicyIsBetter) {
  using namespace batchwright;
  for (const Setting& setting : settings()) {
    const std::vector<double> optimum = simulated(setting, setting.problem().solve().rule);
    const auto expect_no_better = [&](const char* name, auto policy) {
      EXPECT_LE(surely_more(setting, optimum, std::move(policy)), 0)
          << name << ", " << setting.name << ' ' << setting.load;
    };
    expect_no_better("greedy", GreedyPolicy{});
    expect_no_better("greedy without hopeless", GreedyWithoutHopeless{setting.times[0] * 1ms});
    for (const std::size_t size : {1u, 2u, 4u}) {
      expect_no_better("hybrid", HybridPolicy{.size = size, .max_wait = 0ms});
      expect_no_better("hybrid", HybridPolicy{.size = size, .max_wait = 2ms});
      expect_no_better("early drop", EarlyDropPolicy{.size = size});
    }
    expect_no_better("early drop", EarlyDropPolicy{});
    expect_no_better("deadline", DeadlinePolicy{});
    expect_no_better("deferred", DeferredPolicy{});
    expect_no_better("auto", AutoPolicy{.objective = setting.objective()});
  }
}

TEST(GoodputOptimum, AutoPolicyIsWithinOnePercentOfIt) {
  for (const Setting& setting : settings()) {
    const double optimum = estimate(simulated(setting, setting.problem().solve().rule)).mean;
    const batchwright::AutoPolicy policy{.objective = setting.objective()};
    EXPECT_GE(estimate(simulated(setting, policy)).mean, 0.99 * optimum)
        << setting.name << ' ' << setting.load;
  }
}

// What its rules are like.

TEST(GoodputOptimum, WaitsForCompanyWhereItCostsNothing) {
  const Setting flat{"flat", {4, 4, 4, 4, 4, 4}, 10, 4, 1.0};
  const GoodputRule rule = flat.problem().solve().rule;
  EXPECT_EQ(rule.actions[rule.states.one_of(0)].size, 0) << "one that has just come";
  EXPECT_EQ(rule.actions[rule.states.one_of(6)].size, 1) << "one that has to go now";
}

// The rule of DeferredPolicy.
TEST(GoodputOptimum, WhereTwoBatchesAreTooLongItHoldsAsLongAsOneMoreWouldBeInTime) {
  for (const double load : {0.8, 1.0, 1.2, 1.5}) {
    const Setting setting{"2 (5 + b)", {12, 14, 16, 18, 20, 22, 24}, 24, 1, load};
    const GoodputRule rule = setting.problem().solve().rule;
    const auto in_time = [&setting](std::size_t oldest, std::size_t size) {
      return oldest + setting.times[size - 1] <= setting.deadline;
    };
    for (std::size_t state = 1; state < rule.states.states(); ++state) {
      const auto oldest = static_cast<std::size_t>(std::bit_width(state)) - 1;
      const std::size_t size = rule.states.waiting(state);
      if (size >= setting.times.size() || !in_time(oldest, size)) continue;
      const bool one_more_in_a_slot = in_time(oldest + 1, size + 1);
      EXPECT_EQ(rule.actions[state].size, one_more_in_a_slot ? 0 : size) << load << ' ' << state;
    }
  }
}

TEST(GoodputOptimum, WhoNeverWaitsReachesLessWhereABatchHasAFixedPart) {
  const Setting heavy{"5 + b", {6, 7, 8, 9, 10, 11, 12}, 12, 2, 1.0};
  const GoodputProblem problem = heavy.problem();
  const GoodputProblem::Solution serves = problem.solve(FreeExecutor::serves);
  const double share = serves.goodput / problem.solve().goodput;
  EXPECT_LT(share, 0.999);
  EXPECT_GT(share, 0.99);
  for (std::size_t state = 1; state < problem.states().states(); ++state) {
    EXPECT_GT(serves.rule.actions[state].size, 0);
  }
  const GoodputProblem linear = Setting{"2 b", {2, 4, 6, 8}, 9, 2, 1.0}.problem();
  EXPECT_NEAR(linear.solve(FreeExecutor::serves).goodput, linear.solve().goodput, 1e-8);
}

TEST(GoodputOptimum, OnALinearCurveItServesThemOneByOne) {
  for (const double load : {0.8, 1.0, 1.3}) {
    const Setting linear{"linear", {2, 4, 6, 8}, 9, 2, load};
    for (const GoodputAction& action : linear.problem().solve().rule.actions) {
      EXPECT_LE(action.size, 1);
    }
  }
}

TEST(GoodputOptimum, GivesUpOnSomeWhoCouldBeServedSoThatMoreAre) {
  const Setting half{"half", {4, 4, 5, 5, 6, 6}, 10, 2, 1.3};
  const GoodputRule rule = half.problem().solve().rule;
  // The first one could be in time alone or with one more, the four others in a batch of four.
  const std::size_t oldest = rule.states.one_of(6);
  const std::size_t state = oldest + 2 * rule.states.one_of(5) + 2 * rule.states.one_of(4);
  EXPECT_EQ(rule.actions[state], (GoodputAction{.passed = 1, .size = 4}));
}

}  // namespace
