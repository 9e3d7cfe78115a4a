// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_POOL_SIMULATION_HPP
#define BATCHWRIGHT_SIMULATION_POOL_SIMULATION_HPP

#include "../detail/executor_lender.hpp"
#include "../detail/pool_arbiter.hpp"
#include "../policy.hpp"
#include "checks.hpp"
#include "listener.hpp"
#include "random.hpp"
#include "results.hpp"
#include "simulation.hpp"
#include "simulator.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// Several batchers that share the executors of one pool.
struct PoolSimulation {
  /// Each with its arrivals, classes, service and settings, `pool_share` among them; `executors` and `pool`
  /// stay unset. The first keeps its seed, the others get one that follows from their own and their
  /// place, so that equal settings do not mean equal arrivals. All see traffic until the requests that are
  /// measured have ended in each.
  std::vector<Simulation> batchers;

  /// Those of the pool: from 1 to 1024.
  std::size_t executors = 1;
};

}  // namespace simulation

namespace detail {

/// A pool on virtual time: the arbiter of the real one, without its threads. There are no jobs, because
/// simulators compute by themselves.
class SimulatedPool final : public ExecutorLender {
 public:
  explicit SimulatedPool(std::size_t executors) : arbiter_(executors) {}

  void advance(TimePoint now) noexcept { now_ = now; }

  std::size_t executors() const noexcept override { return arbiter_.executors(); }
  const void* runtime_type() const noexcept override { return nullptr; }
  const void* identity() const noexcept override { return this; }

  void add(PoolClient& client, std::uint32_t share) override { arbiter_.add(client, share); }
  void remove(PoolClient& client) noexcept override { arbiter_.remove(client); }

  std::size_t request(PoolClient& client, TimePoint since) noexcept override {
    arbiter_.request(client, since);
    const PoolArbiter::Grant grant = arbiter_.next(now_);
    return grant.client != nullptr ? grant.executor : kNoCount;
  }

  bool withdraw(PoolClient& client) noexcept override { return arbiter_.withdraw(client); }

  void give_back(std::size_t executor) noexcept override {
    arbiter_.release(executor, now_, false);
    grant();
  }

  PoolNext end_lease(std::size_t executor) noexcept override {
    arbiter_.release(executor, now_, true);
    return {.granted = static_cast<PoolClient*>(arbiter_.next(now_).client), .job = {}};
  }

  void bar(PoolClient& client, std::size_t executor, bool barred) noexcept override {
    arbiter_.bar(client, executor, barred);
    grant();
  }

  void put(std::size_t, PoolJob) noexcept override {}
  void visit(std::size_t, PoolVisit&) noexcept override {}
  PoolNext end_visit(std::size_t) noexcept override { return {}; }

 private:
  void grant() noexcept {
    const PoolArbiter::Grant grant = arbiter_.next(now_);
    if (grant.client != nullptr) {
      static_cast<PoolClient*>(grant.client)->granted(grant.executor, false);
    }
  }

  PoolArbiter arbiter_;
  TimePoint now_{};
};

/// The loop over several simulators, one event after another. Events of one instant: batches end and
/// requests come, at one batcher after another; then each acts for whom something has changed, until
/// nobody has anything to do.
class PoolSimulator {
 public:
  /// Settled settings, with `pool` as the pool of each, which has to outlive it. Throws std::bad_alloc.
  PoolSimulator(const std::vector<simulation::Simulation>& batchers, SimulatedPool& pool)
      : pool_(pool) {
    for (const simulation::Simulation& batcher : batchers) {
      Seat& seat = seats_.emplace_back(batcher);
      seat.simulator.go_on();
      pool.add(seat, static_cast<std::uint32_t>(batcher.batcher.pool_share));
    }
  }

  std::vector<simulation::SimulationResult> run() {
    while (!complete()) {
      TimePoint now = kNever;
      for (const Seat& seat : seats_) now = std::min(now, seat.simulator.next());
      if (now == kNever) {
        if (!drain()) break;
        continue;
      }
      pool_.advance(now);
      last_ = now;
      for (Seat& seat : seats_) seat.looks |= seat.simulator.take(now);
      act();
    }
    std::vector<simulation::SimulationResult> results;
    for (Seat& seat : seats_) results.push_back(seat.simulator.result());
    return results;
  }

 private:
  struct Seat final : PoolClient {
    explicit Seat(const simulation::Simulation& settings) : simulator(settings, nobody, this) {}

    PoolJob run(void*, std::size_t) noexcept override { return {}; }

    PoolJob granted(std::size_t executor, bool) noexcept override {
      simulator.granted(executor);
      looks = true;
      return {};
    }

    simulation::NoListener nobody;
    Simulator<AnyPolicy, simulation::NoListener> simulator;
    bool looks = false;
  };

  bool complete() const noexcept {
    return std::all_of(seats_.begin(), seats_.end(),
                       [](const Seat& seat) { return seat.simulator.complete(); });
  }

  // Nobody comes any more. False if nothing is left either.
  bool drain() {
    for (Seat& seat : seats_) seat.looks |= seat.simulator.drain();
    return act();
  }

  bool act() {
    bool acted = false;
    for (bool again = true; again;) {
      again = false;
      for (Seat& seat : seats_) {
        if (!std::exchange(seat.looks, false)) continue;
        seat.simulator.act(last_);
        again = acted = true;
      }
    }
    return acted;
  }

  SimulatedPool& pool_;
  std::deque<Seat> seats_;  // They stay where they are.
  TimePoint last_{};
};

inline std::vector<simulation::SimulationResult> run(simulation::PoolSimulation simulation) {
  if (simulation.batchers.empty()) require_none(must_be("batchers", "at least one", "none"));
  if (simulation.executors < 1 || simulation.executors > 1024) {
    require_none(must_be("executors", "from 1 to 1024", std::to_string(simulation.executors)));
  }
  const auto pool = std::make_shared<SimulatedPool>(simulation.executors);
  for (std::size_t i = 0; i < simulation.batchers.size(); ++i) {
    simulation::Simulation& batcher = simulation.batchers[i];
    if (i > 0) batcher.seed = derived_seed(batcher.seed, i);
    settle(batcher, pool);
  }
  return PoolSimulator(simulation.batchers, *pool).run();
}

}  // namespace detail

namespace simulation {

/// Runs batchers that share a pool, each with its own scheduler and policy, and the pool's own arbiter, on
/// virtual time. A result for each batcher, in order; `utilisation` is what it computed itself on each
/// executor of the pool. Throws as `simulate` does.
inline std::vector<SimulationResult> simulate_pool(const PoolSimulation& simulation) {
  return detail::run(simulation);
}

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_POOL_SIMULATION_HPP
