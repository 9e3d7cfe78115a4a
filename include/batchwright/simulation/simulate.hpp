// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SIMULATE_HPP
#define BATCHWRIGHT_SIMULATION_SIMULATE_HPP

// All of the simulator: this one is to be included.

#include "../policy.hpp"
#include "arrivals.hpp"
#include "closed_loop.hpp"
#include "listener.hpp"
#include "rate_curve.hpp"
#include "replications.hpp"
#include "results.hpp"
#include "service_curve.hpp"
#include "simulation.hpp"
#include "simulator.hpp"
#include "trace.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

namespace batchwright::inline v0_1 {
namespace detail {

template <BatchingPolicy Policy, class Listener>
simulation::SimulationResult run(simulation::BasicSimulation<Policy> simulation,
                                 Listener& listener) {
  settle(simulation);
  return Simulator<Policy, Listener>(simulation, listener).run();
}

}  // namespace detail

namespace simulation {

/// Runs a batcher's own scheduler and policy on virtual time: no thread, no clock. Several simulations
/// may run at once on different threads. Throws std::invalid_argument for what is wrong with the
/// settings, std::bad_alloc, and what the listener throws.
template <BatchingPolicy Policy, class Listener>
  requires SimulationListener<std::remove_reference_t<Listener>>
SimulationResult simulate(const BasicSimulation<Policy>& simulation, Listener&& listener) {
  return detail::run(simulation, listener);
}

template <BatchingPolicy Policy>
SimulationResult simulate(const BasicSimulation<Policy>& simulation) {
  NoListener nobody;
  return detail::run(simulation, nobody);
}

/// The same simulation `count` times with independent seeds, which follow from its own.
template <BatchingPolicy Policy>
std::vector<SimulationResult> replicate(const BasicSimulation<Policy>& simulation,
                                        std::size_t count) {
  if (count < 1) detail::require_none(detail::must_be("count", "at least 1", "0"));
  std::vector<SimulationResult> results;
  for (std::size_t i = 0; i < count; ++i) {
    BasicSimulation<Policy> one = simulation;
    one.seed = detail::derived_seed(simulation.seed, i);
    results.push_back(simulate(one));
  }
  return results;
}

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_SIMULATE_HPP
