// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_GOODPUT_RULE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_GOODPUT_RULE_HPP

#include <batchwright/policy.hpp>
#include <batchwright/simulation/random.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace batchwright_test {

/// What a free executor does: it passes over so many of the oldest, for good, and serves the next
/// `size`. Size 0 waits for the next slot, and passes over nobody.
struct GoodputAction {
  std::uint16_t passed = 0;
  std::uint16_t size = 0;

  friend bool operator==(const GoodputAction&, const GoodputAction&) = default;
};

/// Who waits, by age in slots, as one number: its digit a, from the lowest on, is how many are a slots
/// old. Who is older than the last age could not be in time in any batch, and is not counted.
class WaitingAges {
 public:
  WaitingAges(std::size_t most_in_a_slot, std::size_t ages) : base_(most_in_a_slot + 1) {
    powers_.push_back(1);
    for (std::size_t age = 0; age < ages; ++age) powers_.push_back(powers_.back() * base_);
  }

  std::size_t ages() const noexcept { return powers_.size() - 1; }
  std::size_t base() const noexcept { return base_; }
  /// How many states there are in which nobody is as old as `ages`.
  std::size_t states(std::size_t ages) const noexcept { return powers_[ages]; }
  std::size_t states() const noexcept { return powers_.back(); }

  std::size_t one_of(std::size_t age) const noexcept { return powers_[age]; }
  std::size_t of_age(std::size_t state, std::size_t age) const noexcept {
    return state / powers_[age] % base_;
  }
  std::size_t waiting(std::size_t state) const noexcept {
    std::size_t sum = 0;
    for (; state > 0; state /= base_) sum += state % base_;
    return sum;
  }
  /// Without the `count` oldest of them.
  std::size_t without_oldest(std::size_t state, std::size_t count) const noexcept {
    for (std::size_t age = ages(); age-- > 0 && count > 0;) {
      const std::size_t leave = std::min(of_age(state, age), count);
      state -= leave * powers_[age];
      count -= leave;
    }
    return state;
  }

 private:
  std::size_t base_;
  std::vector<std::size_t> powers_;
};

/// Whether a free executor may wait while it could answer someone in time.
enum class FreeExecutor : std::uint8_t { may_wait, serves };

/// For each state of those who wait what to do.
struct GoodputRule {
  WaitingAges states;
  std::vector<GoodputAction> actions;
};

/// One executor, time in slots: the Markov decision process, and the rule that is best in it for the
/// number answered within a deadline of their arrival, which no other rule can exceed.
///
/// What happens at the beginning of a slot: the batch that is over by then ends; so many requests come,
/// independent of those before; then a free executor starts a batch of those who wait, or waits for the
/// next slot. A batch of b takes times[b - 1] slots, never fewer than a smaller one, and a request
/// is in time if its batch ends at most `deadline` slots after it came.
///
/// So the age of each one that waits matters, which is the state; while a batch is computed also the
/// slots that are left. Of the batches of b only the one of the oldest b of those that it answers in
/// time need be looked at: who is exchanged for an older one can take the other's place later, a batch
/// with one that is late is no better than a smaller one without, and those it passes over are late
/// when it ends.
///
/// Value iteration. Its steps are slots, so what a step adds to the values lies about the best goodput: it
/// is between the least and the most that is added in any state (Odoni 1969), and that these meet is the
/// end. They do, because slots in which nobody comes have a chance: from any state all can be gone.
class GoodputProblem {
 public:
  struct Settings {
    std::vector<double> arrivals;    ///< The probability that 0, 1, 2, ... requests come in a slot.
    std::vector<std::size_t> times;  ///< Of a batch of 1, 2, ..., up to the cap. Slots, at least 1.
    std::size_t deadline = 1;        ///< Slots.
  };

  struct Solution {
    double goodput = 0;  ///< Answers in time, in a slot.
    double doubt = 0;    ///< It is at most that far from the exact one.
    GoodputRule rule;
  };

  explicit GoodputProblem(Settings settings)
      : settings_(std::move(settings)), states_(most_in_a_slot(settings_), ages(settings_)) {
    const std::vector<double>& come = settings_.arrivals;
    const std::vector<std::size_t>& times = settings_.times;
    if (come.empty() || !(come[0] > 0) ||
        std::abs(std::accumulate(come.begin(), come.end(), 0.0) - 1) > 1e-9) {
      throw std::invalid_argument("GoodputProblem: a slot without arrivals needs a chance");
    }
    if (times.empty() || times[0] < 1 || !std::is_sorted(times.begin(), times.end())) {
      throw std::invalid_argument("GoodputProblem: times must not fall");
    }
    while (cap_ < times.size() && times[cap_] <= settings_.deadline) ++cap_;
  }

  const WaitingAges& states() const noexcept { return states_; }
  double offered() const noexcept {
    double mean = 0;
    for (std::size_t count = 0; count < settings_.arrivals.size(); ++count) {
      mean += static_cast<double>(count) * settings_.arrivals[count];
    }
    return mean;
  }

  /// The best rule, and what it reaches; else the best of those of its batches that wait for nobody.
  Solution solve(FreeExecutor executor = FreeExecutor::may_wait) const {
    Choices choices;
    for (std::size_t state = 0; state < states_.states(); ++state) {
      choices.begin();
      const std::size_t all = states_.waiting(state);
      if (all == 0 || executor == FreeExecutor::may_wait) choices.add(waiting(state));
      for (std::size_t size = 1; size <= std::min(cap_, all); ++size) {
        const std::size_t in_time = states_.waiting(who_meets(state, size));
        if (in_time >= size) choices.add(batch(state, all - in_time, size));
      }
    }
    return iterate(choices);
  }

  /// What a rule reaches, for each state an action.
  Solution evaluate(const GoodputRule& rule) const {
    Choices choices;
    for (std::size_t state = 0; state < states_.states(); ++state) {
      choices.begin();
      const GoodputAction action = rule.actions[state];
      choices.add(action.size == 0 ? waiting(state) : batch(state, action.passed, action.size));
    }
    return iterate(choices);
  }

  /// As soon as the executor is free all go that are there, up to the cap, but those that could not even
  /// be in time alone.
  GoodputRule greedy() const {
    GoodputRule rule{states_, {}};
    for (std::size_t state = 0; state < states_.states(); ++state) {
      const std::size_t size = std::min(settings_.times.size(), states_.waiting(state));
      rule.actions.push_back({.passed = 0, .size = static_cast<std::uint16_t>(size)});
    }
    return rule;
  }

 private:
  struct Choice {
    std::size_t next = 0;   // Who is left, and will not be too old when the slots are over.
    std::size_t slots = 1;  // Until the next decision.
    double answers = 0;     // In time.
    GoodputAction action;
  };

  // Of each state one or more.
  class Choices {
   public:
    void begin() { from_.push_back(all_.size()); }
    void add(const Choice& choice) { all_.push_back(choice); }

    std::size_t begin_of(std::size_t state) const { return from_[state]; }
    std::size_t end_of(std::size_t state) const {
      return state + 1 < from_.size() ? from_[state + 1] : all_.size();
    }
    const Choice& operator[](std::size_t place) const { return all_[place]; }

   private:
    std::vector<Choice> all_;
    std::vector<std::size_t> from_;
  };

  static constexpr double kTolerance = 1e-9;
  static constexpr int kMostSteps = 200'000;

  static std::size_t most_in_a_slot(const Settings& settings) {
    return settings.arrivals.empty() ? 0 : settings.arrivals.size() - 1;
  }

  // So many ages are there at which a request can still be in time.
  static std::size_t ages(const Settings& settings) {
    const std::size_t least = settings.times.empty() ? 1 : settings.times[0];
    return settings.deadline < least ? 0 : settings.deadline - least + 1;
  }

  // Those of a state who are in time in a batch of that size.
  std::size_t who_meets(std::size_t state, std::size_t size) const {
    return state % states_.states(settings_.deadline - settings_.times[size - 1] + 1);
  }

  // So many ages are there that are no too high ones so many slots later.
  std::size_t ages_before(std::size_t slots) const {
    return states_.ages() - std::min(states_.ages(), slots);
  }

  Choice waiting(std::size_t state) const {
    return {.next = state % states_.states(ages_before(1)), .slots = 1, .answers = 0, .action = {}};
  }

  Choice batch(std::size_t state, std::size_t passed, std::size_t size) const {
    const std::size_t slots = settings_.times[size - 1];
    const std::size_t before = states_.without_oldest(state, passed);
    const std::size_t after = states_.without_oldest(before, size);
    double answers = 0;
    if (slots <= settings_.deadline) {
      answers = static_cast<double>(states_.waiting(who_meets(before, size)) -
                                    states_.waiting(who_meets(after, size)));
    }
    return {.next = after % states_.states(ages_before(slots)),
            .slots = slots,
            .answers = answers,
            .action = {static_cast<std::uint16_t>(passed), static_cast<std::uint16_t>(size)}};
  }

  // The mean over the arrivals of the next slot of what `values` says of the states after them, by those
  // before them.
  std::vector<double> expected(const std::vector<double>& values) const {
    if (values.size() == 1) return values;
    const std::vector<double>& come = settings_.arrivals;
    std::vector<double> means(values.size() / come.size());
    for (std::size_t state = 0; state < means.size(); ++state) {
      for (std::size_t count = 0; count < come.size(); ++count) {
        means[state] += come[count] * values[state * come.size() + count];
      }
    }
    return means;
  }

  Solution iterate(const Choices& choices) const {
    const std::size_t longest = settings_.times.back();
    // By the slots that a running batch takes still. While it runs, who will be too old when it ends does
    // not count.
    std::vector<std::vector<double>> values;
    for (std::size_t left = 0; left < longest; ++left) {
      values.emplace_back(states_.states(ages_before(left)));
    }
    std::vector<std::vector<double>> later(longest);
    std::vector<double> now(states_.states());
    for (int step = 0; step < kMostSteps; ++step) {
      for (std::size_t left = 0; left < longest; ++left) later[left] = expected(values[left]);
      for (std::size_t state = 0; state < now.size(); ++state)
        now[state] = best(choices, later, state);
      Range range;
      range.add(now, values[0]);
      for (std::size_t left = 1; left < longest; ++left) range.add(later[left - 1], values[left]);
      if (range.most - range.least <= kTolerance) {
        return {.goodput = (range.least + range.most) / 2,
                .doubt = (range.most - range.least) / 2,
                .rule = rule_of(choices, later)};
      }
      const double of_none = now[0] - values[0][0];
      approach(now, of_none, values[0]);
      for (std::size_t left = 1; left < longest; ++left) {
        approach(later[left - 1], of_none, values[left]);
      }
    }
    throw std::runtime_error("GoodputProblem: the values do not settle");
  }

  // What a step adds.
  struct Range {
    double least = std::numeric_limits<double>::max();
    double most = -least;

    void add(const std::vector<double>& after, const std::vector<double>& before) {
      for (std::size_t state = 0; state < before.size(); ++state) {
        least = std::min(least, after[state] - before[state]);
        most = std::max(most, after[state] - before[state]);
      }
    }
  };

  // Half a step only: batches one after the other go round in their slots, and so would whole steps. What
  // the state without anybody gains is taken from all, so that values stay small.
  static void approach(const std::vector<double>& after, double of_none,
                       std::vector<double>& values) {
    for (std::size_t state = 0; state < values.size(); ++state) {
      values[state] += (after[state] - of_none - values[state]) / 2;
    }
  }

  using Values = std::vector<std::vector<double>>;

  static double worth(const Choice& choice, const Values& later) {
    return choice.answers + later[choice.slots - 1][choice.next];
  }

  static double best(const Choices& choices, const Values& later, std::size_t state) {
    double most = -std::numeric_limits<double>::max();
    for (std::size_t i = choices.begin_of(state); i < choices.end_of(state); ++i) {
      most = std::max(most, worth(choices[i], later));
    }
    return most;
  }

  // Of equal ones the first.
  GoodputRule rule_of(const Choices& choices, const Values& later) const {
    GoodputRule rule{states_, {}};
    for (std::size_t state = 0; state < states_.states(); ++state) {
      double most = -std::numeric_limits<double>::max();
      std::size_t chosen = 0;
      for (std::size_t i = choices.begin_of(state); i < choices.end_of(state); ++i) {
        const double value = worth(choices[i], later);
        if (value <= most + kTolerance) continue;
        most = value;
        chosen = i;
      }
      rule.actions.push_back(choices[chosen].action);
    }
    return rule;
  }

  Settings settings_;
  WaitingAges states_;
  std::size_t cap_ = 0;  // The largest batch that could be in time at all.
};

/// The probability that 0, 1, 2, ... come where so many callers may, independently and each as likely.
inline std::vector<double> arrivals_of(std::size_t callers, double mean) {
  std::vector<double> probabilities{1};
  const double each = mean / static_cast<double>(callers);
  for (std::size_t caller = 0; caller < callers; ++caller) {
    probabilities.push_back(0);
    for (std::size_t count = probabilities.size(); count-- > 0;) {
      probabilities[count] *= 1 - each;
      if (count > 0) probabilities[count] += each * probabilities[count - 1];
    }
  }
  return probabilities;
}

/// So many requests come at the beginning of each slot: the arrivals of a GoodputProblem.
struct SlottedArrivals {
  std::vector<double> probabilities;  ///< Of 0, 1, 2, ...
  batchwright::Duration slot = std::chrono::milliseconds(1);

  class Stream {
   public:
    Stream(const SlottedArrivals& arrivals, batchwright::simulation::Random random) noexcept
        : arrivals_(&arrivals), random_(random) {}

    batchwright::Duration next() noexcept {
      for (; left_ == 0; at_ += arrivals_->slot) left_ = draw();
      --left_;
      return at_ - arrivals_->slot;
    }

   private:
    std::size_t draw() noexcept {
      double rest = random_.unit();
      std::size_t count = 0;
      while (count + 1 < arrivals_->probabilities.size()) {
        rest -= arrivals_->probabilities[count];
        if (rest < 0) break;
        ++count;
      }
      return count;
    }

    const SlottedArrivals* arrivals_;
    batchwright::simulation::Random random_;
    batchwright::Duration at_{};  // The slot after the last one that was drawn.
    std::size_t left_ = 0;        // Of that one's arrivals.
  };

  Stream start(batchwright::simulation::Random random) const noexcept { return {*this, random}; }
  std::string validate() const { return {}; }
};

/// A rule as a policy, for a simulation with the same slots and a cap above the rule's: at its cap a
/// batcher waits for nobody.
struct GoodputRulePolicy {
  std::shared_ptr<const GoodputRule> rule;
  batchwright::Duration slot = std::chrono::milliseconds(1);
  std::size_t then = 0;  ///< To be released after a drop.

  batchwright::Decision decide(const batchwright::QueueView& view) noexcept {
    using batchwright::Decision;
    if (then > 0) return release(std::exchange(then, 0));
    std::size_t state = 0;
    std::size_t too_old = 0;
    batchwright::QueueCursor queue = view.queue;
    for (batchwright::QueuedRequest one; queue.next(one);) {
      const auto age = static_cast<std::size_t>((view.now - one.enqueued) / slot);
      if (age < rule->states.ages()) {
        state += rule->states.one_of(age);
      } else {
        ++too_old;
      }
    }
    const GoodputAction action = rule->actions[state];
    if (action.size == 0) return Decision::wait(view.now + slot);
    const std::size_t passed = too_old + action.passed;
    if (passed == 0) return release(action.size);
    then = action.size;
    return Decision::drop(passed);
  }

 private:
  static batchwright::Decision release(std::size_t size) noexcept {
    return batchwright::Decision::release(size, batchwright::ReleaseReason::deadline);
  }
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_GOODPUT_RULE_HPP
