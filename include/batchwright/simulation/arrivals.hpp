// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_ARRIVALS_HPP
#define BATCHWRIGHT_SIMULATION_ARRIVALS_HPP

#include "../policy.hpp"
#include "arrival_process.hpp"
#include "checks.hpp"
#include "random.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace batchwright::inline v0_1::simulation {

/// Independent callers, many of them: the gaps are exponential.
struct PoissonArrivals {
  double rate_hz = 1000;

  class Stream {
   public:
    Stream(double mean_gap_ns, Random random) noexcept : gap_(mean_gap_ns), random_(random) {}
    Duration next() noexcept { return at_ += detail::to_duration(gap_ * random_.exponential()); }

   private:
    double gap_;
    Random random_;
    Duration at_{};
  };

  Stream start(Random random) const noexcept { return {1e9 / rate_hz, random}; }
  std::string validate() const { return detail::check_rate("PoissonArrivals::rate_hz", rate_hz); }
};

/// A clock: equal gaps, each off by up to `jitter` of a gap, uniformly.
struct RegularArrivals {
  double rate_hz = 1000;
  double jitter = 0;

  class Stream {
   public:
    Stream(double gap_ns, double jitter, Random random) noexcept
        : gap_(gap_ns), jitter_(jitter), random_(random) {}

    Duration next() noexcept {
      Duration at = detail::to_duration(gap_ * static_cast<double>(++count_));
      if (jitter_ > 0) at += detail::to_duration(gap_ * (jitter_ * random_.unit()));
      return last_ = std::max(last_, at);  // Rounding alone could make it fall.
    }

   private:
    double gap_;
    double jitter_;
    Random random_;
    std::uint64_t count_ = 0;
    Duration last_{};
  };

  Stream start(Random random) const noexcept { return {1e9 / rate_hz, jitter, random}; }

  std::string validate() const {
    std::string problem = detail::check_rate("RegularArrivals::rate_hz", rate_hz);
    if (!problem.empty()) return problem;
    return detail::check_between("RegularArrivals::jitter", jitter, 0, 1);  // More would reorder.
  }
};

/// Callers that send several requests at once: groups come as a Poisson process, all of a group in one
/// instant, their sizes geometric with the given mean.
struct ClumpedArrivals {
  double rate_hz = 1000;  ///< Requests, not groups.
  double mean_clump = 4;

  class Stream {
   public:
    Stream(double rate_hz, double mean_clump, Random random) noexcept
        : gap_(mean_clump * 1e9 / rate_hz), mean_(mean_clump), random_(random) {}

    Duration next() noexcept {
      if (left_ == 0) {
        at_ += detail::to_duration(gap_ * random_.exponential());
        left_ = random_.geometric(mean_);
      }
      --left_;
      return at_;
    }

   private:
    double gap_;
    double mean_;
    Random random_;
    Duration at_{};
    std::size_t left_ = 0;
  };

  Stream start(Random random) const noexcept { return {rate_hz, mean_clump, random}; }

  std::string validate() const {
    std::string problem = detail::check_rate("ClumpedArrivals::rate_hz", rate_hz);
    if (!problem.empty()) return problem;
    return detail::check_between("ClumpedArrivals::mean_clump", mean_clump, 1, 1e6);
  }
};

/// Bursts: a Poisson process whose rate changes by chance (a Markov-modulated Poisson process). It stays
/// in each state for an exponential time, then goes to the next one, in a circle. On and off is
/// `{.states = {{.rate_hz = 5000, .mean_stay = 50ms}, {.rate_hz = 0, .mean_stay = 200ms}}}`.
struct MmppArrivals {
  struct State {
    double rate_hz = 0;
    Duration mean_stay{};
  };
  std::vector<State> states;

  class Stream {
   public:
    Stream(const std::vector<State>& states, Random random) noexcept
        : states_(&states), random_(random) {
      enter();
    }

    Duration next() noexcept {
      for (;;) {
        const double rate = (*states_)[state_].rate_hz;
        if (rate > 0) {
          const Duration gap = detail::to_duration(1e9 / rate * random_.exponential());
          if (gap < end_ - at_) return at_ += gap;
        }
        // What is left of a gap at a change is exponential again, with the new rate.
        at_ = end_;
        state_ = (state_ + 1) % states_->size();
        enter();
      }
    }

   private:
    void enter() noexcept {
      const auto stay = static_cast<double>((*states_)[state_].mean_stay.count());
      end_ = at_ + detail::to_duration(stay * random_.exponential());
    }

    const std::vector<State>* states_;
    Random random_;
    std::size_t state_ = 0;
    Duration at_{};
    Duration end_{};
  };

  Stream start(Random random) const noexcept { return {states, random}; }

  /// The rate over a long time.
  double mean_rate_hz() const noexcept {
    double requests = 0;
    double time = 0;
    for (const State& state : states) {
      requests += state.rate_hz * static_cast<double>(state.mean_stay.count());
      time += static_cast<double>(state.mean_stay.count());
    }
    return requests / time;
  }

  std::string validate() const {
    double highest = 0;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const std::string name = "MmppArrivals::states[" + std::to_string(i) + "]";
      std::string problem = detail::check_between(name + ".rate_hz", states[i].rate_hz, 0, 1e9);
      if (problem.empty())
        problem = detail::check_above_zero(name + ".mean_stay", states[i].mean_stay);
      if (!problem.empty()) return problem;
      highest = std::max(highest, states[i].rate_hz);
    }
    if (highest > 0) return {};
    return detail::must_be("MmppArrivals::states", "at least one with a rate above 0",
                           std::to_string(states.size()) + " without");
  }
};

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_ARRIVALS_HPP
