// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SIMULATION_HPP
#define BATCHWRIGHT_SIMULATION_SIMULATION_HPP

#include "../detail/settle.hpp"
#include "../options.hpp"
#include "../policies/any.hpp"
#include "../policy.hpp"
#include "arrival_process.hpp"
#include "checks.hpp"
#include "classes.hpp"
#include "machine.hpp"
#include "service.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// What is to be simulated. Whatever is wrong with it is a std::invalid_argument when it is run, that
/// names the setting, the value and what is allowed.
template <BatchingPolicy Policy>
struct BasicSimulation {
  AnyArrivals arrivals;

  /// The mix; unless set all requests are alike. Which class a request is of is drawn, independent of
  /// the others.
  std::vector<RequestClass> classes = {};

  Service service = {};

  /// What waking threads and the executors' own work take; unless set nothing.
  Machine machine = {};

  /// The very settings of the batcher, with the policy. The functions of an input stay unset, because
  /// the classes say what they would; so does what concerns threads. `overflow` is `reject` or `evict`.
  BatcherOptions<RequestClass, Policy> batcher = {};

  /// So many are looked at, and the run ends when each of them has ended. Others come after them
  /// meanwhile, so that the last ones have company too; where the arrivals end before, what is queued and
  /// would wait for ever leaves as in a shutdown.
  std::uint64_t requests = 100'000;

  /// This share of them, the first, is left out of the results.
  double warm_up = 0.1;

  /// The latency within which an answer counts as goodput.
  Duration objective = Duration::max();

  /// Equal seeds and settings give equal results, to the last bit, with every compiler. The arrivals and
  /// the classes follow from the seed alone, so different policies see the same ones, as far as they do
  /// not change themselves when clients send.
  std::uint64_t seed = 1;
};

/// With any policy, as DynamicBatcher.
using Simulation = BasicSimulation<AnyPolicy>;

}  // namespace simulation

namespace detail {

/// Empty, or which of the batcher's settings means nothing in a simulation.
template <class Options>
std::string check_unset(const Options& options) {
  const auto unset = [](const char* setting, const char* why) {
    return must_be(std::string("batcher.") + setting, std::string("unset (") + why + ")",
                   "a value");
  };
  constexpr const char* kClasses = "the classes say it";
  constexpr const char* kThreads = "there are no threads and no callbacks";
  if (options.pool) return unset("pool", "simulate_pool shares executors");
  if (options.bytes) return unset("bytes", kClasses);
  if (options.weight) return unset("weight", kClasses);
  if (options.length) return unset("length", kClasses);
  if (options.lane) return unset("lane", kClasses);
  if (options.tenant) return unset("tenant", kClasses);
  if (options.share) return unset("share", kClasses);
  if (options.coalesce) return unset("coalesce", kClasses);
  if (options.complete_on) return unset("complete_on", kThreads);
  if (options.on_thread_start) return unset("on_thread_start", kThreads);
  if (options.timer_slack) return unset("timer_slack", kThreads);
  if (options.observer) return unset("observer", "give simulate() a listener");
  if (options.overflow == OverflowAction::block) {
    return must_be("batcher.overflow", "reject or evict", "block");
  }
  return {};
}

/// Gives the batcher's settings the functions that the classes stand for, so that what depends on them
/// is checked as a batcher would.
template <class Options>
void set_functions(Options& options, const std::vector<simulation::RequestClass>& classes) {
  using simulation::RequestClass;
  const auto any = [&](auto differs) {
    return std::any_of(classes.begin(), classes.end(), differs);
  };
  if (options.max_queued_bytes != kNoCount) {
    options.bytes = [](const RequestClass& one) { return one.bytes; };
  }
  if (any([](const RequestClass& one) { return one.weight != 1; })) {
    options.weight = [](const RequestClass& one) { return one.weight; };
  }
  if (options.size_rule == SizeRule::padded || options.order == QueueOrder::shortest_first) {
    options.length = [](const RequestClass& one) { return one.length; };
  }
  if (any([](const RequestClass& one) { return one.lane != 0; })) {
    options.lane = [](const RequestClass& one) { return one.lane; };
  }
  if (any([](const RequestClass& one) { return one.tenant != 0; })) {
    options.tenant = [](const RequestClass& one) { return one.tenant; };
  }
}

/// Throws std::invalid_argument for what is wrong with the settings, and fills in the defaults that
/// depend on others.
template <class Policy>
void settle(simulation::BasicSimulation<Policy>& simulation,
            std::shared_ptr<ExecutorLender> pool = nullptr) {
  auto& options = simulation.batcher;
  if (simulation.classes.empty()) simulation.classes.emplace_back();
  require_none(check_unset(options));
  options.pool = std::move(pool);
  require_none(check_classes(simulation.classes));
  require_none(simulation.arrivals.validate());
  set_functions(options, simulation.classes);
  settle(options, true, simulation.service.predictor == simulation::PredictorKind::asynchronous);
  require_none(check_service(simulation.service, std::max<std::size_t>(options.executors, 1),
                             options.max_batch_size));
  require_none(check_machine(simulation.machine));
  if (simulation.requests < 1 || simulation.requests > 1'000'000'000) {
    require_none(must_be("requests", "from 1 to 1000000000", std::to_string(simulation.requests)));
  }
  simulation.requests = std::min(simulation.requests, simulation.arrivals.count());
  require_none(check_between("warm_up", simulation.warm_up, 0, 0.99));
  require_none(check_above_zero("objective", simulation.objective));
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_SIMULATION_HPP
