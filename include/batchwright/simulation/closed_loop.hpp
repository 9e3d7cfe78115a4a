// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_CLOSED_LOOP_HPP
#define BATCHWRIGHT_SIMULATION_CLOSED_LOOP_HPP

#include "../policy.hpp"
#include "arrival_process.hpp"
#include "checks.hpp"
#include "random.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace batchwright::inline v0_1::simulation {

enum class ThinkTime : std::uint8_t { exponential, fixed };

/// Clients that each send a request, wait for the answer, think, and send the next one.
struct ClosedLoopArrivals {
  std::size_t clients = 16;
  Duration mean_think{};
  ThinkTime think_time = ThinkTime::exponential;
  /// What passes at least between an answer and the client's next request. Without it one that does not
  /// think would be back in the very instant in which its batch ends, before the next one leaves, which
  /// no thread is: the batches would then be full for ever.
  Duration turnaround = std::chrono::microseconds(1);
  /// The clients start one after another, this far apart.
  Duration start_gap = std::chrono::microseconds(1);
  /// The same after a refusal, or what else is not the answer: else one that does not think would be
  /// refused a million times a second.
  Duration retry_pause = std::chrono::milliseconds(1);

  class Stream {
   public:
    Stream(const ClosedLoopArrivals& loop, const Random& random) : loop_(&loop) {
      for (std::size_t client = 0; client < loop.clients; ++client) {
        random_.push_back(random.stream(client));
        coming_.push_back({loop.start_gap * static_cast<std::int64_t>(client), ++turn_, client});
      }
      std::make_heap(coming_.begin(), coming_.end(), Later{});
    }

    Duration earliest() const noexcept { return coming_.empty() ? kNoArrival : coming_.front().at; }

    std::size_t take() noexcept {
      std::pop_heap(coming_.begin(), coming_.end(), Later{});
      const std::size_t client = coming_.back().client;
      coming_.pop_back();
      return client;
    }

    // No more clients can be coming than there are, so this does not allocate.
    void answered(std::size_t client, Duration at, bool served) noexcept {
      const Duration pause = served ? loop_->turnaround : loop_->retry_pause;
      coming_.push_back({at + pause + think(client), ++turn_, client});
      std::push_heap(coming_.begin(), coming_.end(), Later{});
    }

   private:
    struct Coming {
      Duration at;
      std::uint64_t turn;  // Of equal instants the one that was answered first.
      std::size_t client;
    };
    struct Later {
      bool operator()(const Coming& a, const Coming& b) const noexcept {
        return a.at != b.at ? a.at > b.at : a.turn > b.turn;
      }
    };

    // Each client has its own chance, so it thinks the same under every policy.
    Duration think(std::size_t client) noexcept {
      if (loop_->think_time == ThinkTime::fixed || loop_->mean_think == Duration::zero()) {
        return loop_->mean_think;
      }
      return detail::to_duration(static_cast<double>(loop_->mean_think.count()) *
                                 random_[client].exponential());
    }

    const ClosedLoopArrivals* loop_;
    std::vector<Random> random_;
    std::vector<Coming> coming_;
    std::uint64_t turn_ = 0;
  };

  Stream start(const Random& random) const { return {*this, random}; }

  std::string validate() const {
    if (clients < 1 || clients > 1'000'000) {
      return detail::must_be("ClosedLoopArrivals::clients", "from 1 to 1000000",
                             std::to_string(clients));
    }
    std::string problem = detail::check_not_negative("ClosedLoopArrivals::mean_think", mean_think);
    if (problem.empty()) {
      problem = detail::check_not_negative("ClosedLoopArrivals::turnaround", turnaround);
    }
    if (problem.empty()) {
      problem = detail::check_not_negative("ClosedLoopArrivals::start_gap", start_gap);
    }
    if (problem.empty()) {
      problem = detail::check_above_zero("ClosedLoopArrivals::retry_pause", retry_pause);
    }
    return problem;
  }
};

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_CLOSED_LOOP_HPP
