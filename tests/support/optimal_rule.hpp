// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_OPTIMAL_RULE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_OPTIMAL_RULE_HPP

#include <batchwright/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace batchwright_test {

/// For each number of queued requests, when the executor is free: how many leave; 0 waits for one more.
/// Its last entry holds for all above.
using DispatchRule = std::vector<std::size_t>;

/// A dispatch rule as a policy, for a batcher or a simulation with the same cap.
struct RulePolicy {
  DispatchRule rule;

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    const std::size_t size = rule[std::min(view.size, rule.size() - 1)];
    return size == 0 ? batchwright::Decision::wait(batchwright::kNever, view.size + 1)
                     : batchwright::Decision::release(size, batchwright::ReleaseReason::greedy);
  }
};

/// One executor, Poisson arrivals, batches whose time follows from their size: the semi-Markov decision
/// process, and the rule that is best in it for the mean latency plus a price of each batch. The number
/// of queued requests is all that such a rule can depend on; a rule for a latency objective needs the age
/// of each: see goodput_rule.hpp.
///
/// States are the numbers of queued requests in the instants at which the executor is free, cut off at
/// `states`, where the probability of being has to be nothing. Policy iteration (Howard 1960): each rule
/// is evaluated exactly, by solving its linear equations, O(states^3), and improved where another action
/// is better, until none is; that takes a handful of rounds.
class DispatchProblem {
 public:
  struct Settings {
    double rate = 1;                            ///< Arrivals in a unit of time.
    std::function<double(std::size_t)> time{};  ///< Of a batch of that size.
    std::size_t cap = 32;
    double batch_price = 0;  ///< What a batch costs, in units of time that a request spends.
    std::size_t states = 400;
  };

  struct Solution {
    DispatchRule rule;
    double mean_latency = 0;
    double batches_per_time = 0;
    double cost_per_time = 0;  ///< Requests in the system, plus the price of the batches.
  };

  explicit DispatchProblem(Settings settings) : settings_(std::move(settings)) {
    for (std::size_t size = 0; size <= settings_.cap; ++size) {
      times_.push_back(size == 0 ? 1 / settings_.rate : settings_.time(size));
      arrivals_.push_back(size == 0 ? std::vector<double>{0, 1}
                                    : poisson(settings_.rate * times_[size]));
    }
  }

  /// The best rule, and what it reaches.
  Solution solve() const {
    Solution best = evaluate(greedy());
    for (;;) {
      const DispatchRule better = improved(best);
      if (better == best.rule) return best;
      best = evaluate(better);
    }
  }

  /// What a rule reaches. A state that it does not name is as its last.
  Solution evaluate(DispatchRule rule) const {
    rule.resize(settings_.states + 1, rule.back());
    for (std::size_t n = 0; n < rule.size(); ++n) rule[n] = std::min({rule[n], n, settings_.cap});
    rule.back() =
        std::min(settings_.states, settings_.cap);  // There is no further state to wait for.
    Solution solution{.rule = std::move(rule)};
    const double price = settings_.batch_price;
    solve_for(solution, price);
    solution.cost_per_time = gain_;
    // The price times the rate of batches is what the price adds.
    const std::vector<double> values = values_;
    solve_for(solution, price + 1);
    solution.batches_per_time = gain_ - solution.cost_per_time;
    values_ = values;
    gain_ = solution.cost_per_time;
    solution.mean_latency =
        (solution.cost_per_time - price * solution.batches_per_time) / settings_.rate;
    return solution;
  }

  DispatchRule greedy() const { return control_limit(1); }

  /// Everything leaves once `least` is queued.
  DispatchRule control_limit(std::size_t least) const {
    DispatchRule rule(settings_.states + 1, 0);
    for (std::size_t n = least; n < rule.size(); ++n) rule[n] = std::min(n, settings_.cap);
    return rule;
  }

 private:
  static std::vector<double> poisson(double mean) {
    std::vector<double> probabilities;
    double sum = 0;
    for (int k = 0; k < mean || sum < 1 - 1e-14; ++k) {
      probabilities.push_back(std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)));
      sum += probabilities.back();
      if (k > 2 * mean + 60) break;
    }
    return probabilities;
  }

  // Until the next decision: what it costs to have `queued` and do that, and where it leads from.
  double cost(std::size_t queued, std::size_t action, double price) const {
    const double time = times_[action];
    if (action == 0) return static_cast<double>(queued) * time;
    return static_cast<double>(queued) * time + settings_.rate * time * time / 2 + price;
  }

  double expected(const std::vector<double>& values, std::size_t from, std::size_t action) const {
    const std::vector<double>& come = arrivals_[action];
    const std::size_t last = values.size() - 1;
    double sum = 0;
    for (std::size_t k = 0; k < come.size(); ++k) {
      sum += come[k] * values[std::min(from - action + k, last)];
    }
    return sum;
  }

  // Solves value(n) = cost(n) - gain time(n) + E value(next), with value(0) = 0.
  void solve_for(const Solution& solution, double price) const {
    const std::size_t states = settings_.states + 1;
    // The unknown of column 0, in place of value(0), is the gain.
    std::vector<std::vector<double>> rows(states, std::vector<double>(states + 1));
    for (std::size_t n = 0; n < states; ++n) {
      std::vector<double>& row = rows[n];
      const std::size_t action = solution.rule[n];
      const std::vector<double>& come = arrivals_[action];
      row[n] += 1;
      for (std::size_t k = 0; k < come.size(); ++k) {
        row[std::min(n - action + k, states - 1)] -= come[k];
      }
      row[0] = times_[action];
      row[states] = cost(n, action, price);
    }
    eliminate(rows);
    values_.assign(states, 0);
    for (std::size_t n = 1; n < states; ++n) values_[n] = rows[n][states];
    gain_ = rows[0][states];
  }

  static void eliminate(std::vector<std::vector<double>>& rows) {
    const std::size_t size = rows.size();
    for (std::size_t column = 0; column < size; ++column) {
      std::size_t pivot = column;
      for (std::size_t i = column + 1; i < size; ++i) {
        if (std::abs(rows[i][column]) > std::abs(rows[pivot][column])) pivot = i;
      }
      std::swap(rows[column], rows[pivot]);
      const std::vector<double>& from = rows[column];
      for (std::size_t i = column + 1; i < size; ++i) {
        const double factor = rows[i][column] / from[column];
        if (factor == 0) continue;
        for (std::size_t j = column; j <= size; ++j) rows[i][j] -= factor * from[j];
      }
    }
    for (std::size_t i = size; i-- > 0;) {
      double rest = rows[i][size];
      for (std::size_t j = i + 1; j < size; ++j) rest -= rows[i][j] * rows[j][size];
      rows[i][size] = rest / rows[i][i];
    }
  }

  DispatchRule improved(const Solution& solution) const {
    DispatchRule rule = solution.rule;
    for (std::size_t n = 1; n < settings_.states; ++n) {
      const auto worth = [&](std::size_t action) {
        return cost(n, action, settings_.batch_price) - gain_ * times_[action] +
               expected(values_, n, action);
      };
      double least = worth(rule[n]) - 1e-9 * std::abs(gain_);  // Against going to and fro.
      for (std::size_t action = 0; action <= std::min(n, settings_.cap); ++action) {
        if (const double value = worth(action); value < least) {
          least = value;
          rule[n] = action;
        }
      }
    }
    return rule;
  }

  Settings settings_;
  std::vector<double> times_;                  // Until the next decision, by action.
  std::vector<std::vector<double>> arrivals_;  // Meanwhile: the probability of each number.
  mutable std::vector<double> values_;         // Of the rule that was evaluated last.
  mutable double gain_ = 0;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_OPTIMAL_RULE_HPP
