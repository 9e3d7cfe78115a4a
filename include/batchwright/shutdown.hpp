// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SHUTDOWN_HPP
#define BATCHWRIGHT_SHUTDOWN_HPP

#include "policy.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {

enum class ShutdownMode : std::uint8_t {
  drain,  ///< What is queued is computed first. Ends a pause.
  abandon,  ///< What is queued is answered with `Outcome::stopped`; what is being computed is finished.
};

struct ShutdownOptions {
  ShutdownMode mode = ShutdownMode::drain;
  /// When to stop waiting. What is queued then is abandoned; what is being computed goes on without us.
  TimePoint until = kNever;
};

/// What a shutdown came to, as of its return.
struct ShutdownReport {
  std::uint64_t completed = 0;  ///< Requests that a predictor answered during the shutdown.
  std::uint64_t abandoned = 0;  ///< Requests that are answered with `Outcome::stopped`.
  std::uint64_t executing = 0;  ///< Requests that are still being computed: the time was up.

  /// Nothing is left, and every thread of the batcher has ended.
  bool finished = false;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SHUTDOWN_HPP
