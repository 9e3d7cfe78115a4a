// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_LISTENER_HPP
#define BATCHWRIGHT_SIMULATION_LISTENER_HPP

#include "../outcome.hpp"
#include "../policy.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::simulation {

/// How one request ended.
struct EndedRequest {
  std::uint64_t number = 0;       ///< In the order of arrival, from 0.
  std::size_t request_class = 0;  ///< Its index in the settings.
  std::size_t client = 0;         ///< Of a closed loop.
  TimePoint arrived{};
  TimePoint answered{};
  Outcome outcome = Outcome::ok;
};

template <class L>
concept HearsRequests =
    requires(L& listener, const EndedRequest& request) { listener.on_request(request); };

template <class L>
concept HearsBatches =
    requires(L& listener, const BatchReport& report) { listener.on_batch(report); };

/// Is told of each request and each batch when it ends, those of the warm-up and those that came behind
/// the measured ones included: `l.on_request(ended)`, `l.on_batch(report)`, or one of them.
template <class L>
concept SimulationListener = HearsRequests<L> || HearsBatches<L>;

/// Hears nothing and costs nothing.
struct NoListener {};

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_LISTENER_HPP
