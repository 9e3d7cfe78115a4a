// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_QUEUE_POLICY_HPP
#define BATCHWRIGHT_QUEUE_POLICY_HPP

#include "policy.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {

/// What becomes of a request that has been queued for as long as its timeout.
enum class TimeoutAction : std::uint8_t {
  reject,  ///< It ends as `Outcome::expired`.
  delay,  ///< It goes behind the other requests of its priority, before lower ones; no other timeout.
};

/// Whether a request may bring a timeout of its own, shorter or longer than its priority's.
enum class TimeoutOverride : std::uint8_t {
  allowed,
  refused,  ///< One that does is a std::invalid_argument, and nothing was accepted.
};

/// How requests of one priority queue.
struct QueuePolicy {
  /// The priority for which this holds; an error in `BatcherOptions::queue`.
  int priority = 0;

  /// Requests of this priority, and of one tenant, that may be queued: at most the capacity of the whole
  /// queue, which holds besides.
  std::size_t capacity = kNoCount;

  /// How long a request may be queued, the wait for room included, unless it brings a timeout of its own.
  /// Unless set: for ever. One that is shorter than a policy waits for company ends who finds none, though
  /// an executor is free.
  Duration timeout = Duration::max();

  /// `delay` where nothing has a timeout, nor may bring one, is an error.
  TimeoutAction on_timeout = TimeoutAction::reject;
  TimeoutOverride timeout_override = TimeoutOverride::allowed;
};

/// What becomes of a request that is larger than the cap by itself.
enum class Oversized : std::uint8_t {
  refuse,     ///< It is refused with `Outcome::too_large`.
  run_alone,  ///< It is a batch of its own.
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_QUEUE_POLICY_HPP
