// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SUBMIT_OPTIONS_HPP
#define BATCHWRIGHT_SUBMIT_OPTIONS_HPP

#include "detail/stop_token.hpp"
#include "policy.hpp"

#include <cstdint>

namespace batchwright::inline v0_1 {

/// What one request may ask for.
struct SubmitOptions {
  /// Higher goes first; any int. Within one priority `BatcherOptions::order` decides: first in, first
  /// out unless set.
  int priority = 0;
  /// If the predictor has not been entered by then, the request ends as `Outcome::expired`, on time
  /// also while every executor is busy. It counts from the call, waiting for capacity included. Of the
  /// policies AutoPolicy, DeadlinePolicy, DeferredPolicy and EarlyDropPolicy look at it; with another one
  /// that waits for company, a request whose deadline comes before the end of the wait expires, though an
  /// executor is free.
  TimePoint deadline = kNever;
  /// How long it may be queued, waiting for capacity included, in place of what the batcher's options say for
  /// its priority: shorter or longer, above zero, if QueuePolicy::timeout_override allows it. Unless set: as
  /// they say. It acts once: whom it has delayed (TimeoutAction::delay) only the deadline can end.
  Duration timeout = Duration::min();
  /// If a stop is requested before the predictor is entered, the request ends as `Outcome::cancelled`.
  StopToken stop = {};
  /// Passed on to the Observer; means nothing to the batcher.
  std::uint64_t trace_id = 0;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SUBMIT_OPTIONS_HPP
