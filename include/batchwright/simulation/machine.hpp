// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_MACHINE_HPP
#define BATCHWRIGHT_SIMULATION_MACHINE_HPP

#include "../policy.hpp"
#include "checks.hpp"
#include "interruptions.hpp"
#include "random.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// A delay that is not always as long: each time one of a sample, of which one is as likely as another.
/// One value is always that one, none is zero.
class Delay {
 public:
  Delay() = default;
  template <std::convertible_to<Duration> Time>
  Delay(Time always) : sample_{always} {}  // NOLINT(google-explicit-constructor)
  explicit Delay(std::vector<Duration> sample) : sample_(std::move(sample)) {}

  const std::vector<Duration>& sample() const noexcept { return sample_; }

  Duration draw(Random& random) const noexcept {
    if (sample_.empty()) return {};
    if (sample_.size() == 1) return sample_.front();
    return sample_[static_cast<std::size_t>(random.unit() * static_cast<double>(sample_.size()))];
  }

 private:
  std::vector<Duration> sample_;
};

/// Something else takes the core from an executor that computes: an interrupt, another thread, the
/// hypervisor. After so much computing since the last pause it lasts so long.
struct Pause {
  Duration computed{};
  Duration length{};
};

/// What a machine adds to the batcher's decisions and to the predictor's time. Unless set nothing: threads
/// wake in no time. Each is a time that can be measured on a running batcher: BatchReport has the
/// instants.
struct Machine {
  /// From an arrival that wakes the dispatcher until it looks. Who comes meanwhile is seen too.
  Delay wake_up = {};
  /// How much later the dispatcher's alarm wakes it than it was set: at the end of a window, say.
  Delay timer_lateness = {};
  /// From a dispatch until an executor that slept enters the predictor. One whose predictor has just
  /// returned takes the next batch at once. An asynchronous predictor returns at once, so its executor
  /// sleeps while the batch is computed; what it is handed meanwhile is ready when that ends.
  Delay hand_over = {};
  /// The executor's own work beside the predictor, for a batch and for each of its requests.
  Duration per_batch{};
  Duration per_request{};
  /// The pauses that were seen, in their order, because they come in swarms. They are gone through again
  /// and again, from a random one on.
  std::vector<Pause> pauses = {};
  /// What a thread saw that read the clock all the time, in its order. Each executor goes through them
  /// again and again, from a random instant on. Whom they meet asleep enters later, if they last.
  std::vector<Interruption> interruptions = {};
};

}  // namespace simulation

namespace detail {

/// Empty, or what is wrong with it.
inline std::string check_machine(const simulation::Machine& machine) {
  std::string problem;
  const auto check = [&](const std::string& setting, Duration time) {
    if (!problem.empty() || (time >= Duration::zero() && time <= std::chrono::hours(1))) return;
    problem = must_be("machine." + setting, "from 0 ns to 1 h", to_text(time));
  };
  const auto check_all = [&](const std::string& setting, const simulation::Delay& delay) {
    const std::vector<Duration>& sample = delay.sample();
    for (std::size_t i = 0; i < sample.size(); ++i) {
      check(sample.size() == 1 ? setting : setting + "[" + std::to_string(i) + "]", sample[i]);
    }
  };
  check_all("wake_up", machine.wake_up);
  check_all("timer_lateness", machine.timer_lateness);
  check_all("hand_over", machine.hand_over);
  check("per_batch", machine.per_batch);
  check("per_request", machine.per_request);
  Duration computed{};
  for (std::size_t i = 0; i < machine.pauses.size(); ++i) {
    const std::string name = "pauses[" + std::to_string(i) + "]";
    check(name + ".computed", machine.pauses[i].computed);
    check(name + ".length", machine.pauses[i].length);
    computed = std::max(computed, machine.pauses[i].computed);
  }
  if (problem.empty() && !machine.pauses.empty() && computed == Duration::zero()) {
    return must_be("machine.pauses", "apart by some computing", "0 ns between all of them");
  }
  Duration between{};
  for (std::size_t i = 0; i < machine.interruptions.size(); ++i) {
    const std::string name = "interruptions[" + std::to_string(i) + "]";
    check(name + ".after", machine.interruptions[i].after);
    check(name + ".length", machine.interruptions[i].length);
    between = std::max(between, machine.interruptions[i].after);
  }
  if (problem.empty() && !machine.interruptions.empty() && between == Duration::zero()) {
    return must_be("machine.interruptions", "apart by some time", "0 ns between all of them");
  }
  return problem;
}

/// Draws the delays, each from a stream of its own.
class MachineSampler {
 public:
  /// `machine` has to outlive it. `start`: the beginning of time.
  MachineSampler(const simulation::Machine& machine, const simulation::Random& random,
                 std::size_t executors = 1, TimePoint start = {})
      : machine_(machine),
        wakes_(random.stream(0)),
        timers_(random.stream(1)),
        hand_overs_(random.stream(2)) {
    for (std::size_t i = 0; i < executors && !machine.interruptions.empty(); ++i) {
      cores_.emplace_back(machine.interruptions, random.stream(4 + i), start);
    }
    if (machine.pauses.empty()) return;
    for (const simulation::Pause& pause : machine.pauses) {
      round_.computed += pause.computed;
      round_.length += pause.length;
    }
    simulation::Random chance = random.stream(3);
    next_ = static_cast<std::size_t>(chance.unit() * static_cast<double>(machine.pauses.size()));
    until_pause_ =
        to_duration(chance.unit() * static_cast<double>(machine.pauses[next_].computed.count()));
  }

  Duration wake_up() noexcept { return machine_.wake_up.draw(wakes_); }
  Duration timer_lateness() noexcept { return machine_.timer_lateness.draw(timers_); }
  Duration hand_over() noexcept { return machine_.hand_over.draw(hand_overs_); }

  /// When an executor enters that could at that instant.
  TimePoint enter(std::size_t executor, TimePoint instant) noexcept {
    return cores_.empty() ? instant : cores_[executor].enter(instant);
  }

  /// When a batch of `count` requests leaves its executor that enters then and would take `time` by itself.
  TimePoint leave(std::size_t executor, TimePoint entered, Duration time,
                  std::size_t count) noexcept {
    time = occupied(time, count);
    return cores_.empty() ? detail::saturating_add(entered, time)
                          : cores_[executor].leave(entered, time);
  }

  /// How long a batch of `count` requests keeps its executor that would take `time` by itself.
  Duration occupied(Duration time, std::size_t count) noexcept {
    time = saturating_add(time, machine_.per_batch);
    time = saturating_add(time, machine_.per_request * static_cast<std::int64_t>(count));
    if (machine_.pauses.empty()) return time;
    const std::int64_t rounds = time / round_.computed;
    Duration paused =
        to_duration(static_cast<double>(rounds) * static_cast<double>(round_.length.count()));
    Duration left = time % round_.computed;
    while (left >= until_pause_) {
      left -= until_pause_;
      paused = saturating_add(paused, machine_.pauses[next_].length);
      next_ = (next_ + 1) % machine_.pauses.size();
      until_pause_ = machine_.pauses[next_].computed;
    }
    until_pause_ -= left;
    return saturating_add(time, paused);
  }

 private:
  static Duration saturating_add(Duration a, Duration b) noexcept {
    return b > Duration::max() - a ? Duration::max() : a + b;
  }

  const simulation::Machine& machine_;
  std::vector<CoreClock> cores_;  // By executor; none where nothing interrupts them.
  simulation::Random wakes_;
  simulation::Random timers_;
  simulation::Random hand_overs_;
  simulation::Pause round_;  // All of the pauses together.
  std::size_t next_ = 0;     // Of them,
  Duration until_pause_{};   // after so much computing.
};

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_MACHINE_HPP
