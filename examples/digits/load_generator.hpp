// SPDX-License-Identifier: MIT
#ifndef DIGITS_LOAD_GENERATOR_HPP
#define DIGITS_LOAD_GENERATOR_HPP

#include "measurement.hpp"

#include <batchwright/policies/any.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace digits {

/// Clients that keep `window` requests outstanding each.
struct ClosedLoop {
  std::size_t clients = 4;
  std::size_t window = 32;
};

/// The batcher that a load is run against; all else about it is the library's default.
struct Serving {
  std::size_t max_batch = 32;
  std::size_t executors = 1;
  batchwright::AnyPolicy policy = {};
};

struct ClosedLoopSample {
  Sample sample;
  std::vector<BatchLog> batches;  ///< One log an executor.
};

/// Runs the clients against a batcher. A latency is the time from `submit` until the client has the
/// answer in its hands. A client takes its answers in the order of its requests, so an answer that
/// is there may wait for an older one, as it does in a program of this shape.
ClosedLoopSample run_closed_loop(const Testbed& testbed, const ClosedLoop& load,
                                 const Serving& serving, const Limit& limit);

/// What became of one request of an open loop.
struct OpenLoopRequest {
  Clock::time_point intended;   ///< When it was meant to be submitted,
  Clock::time_point submitted;  ///< and when it was.
  Clock::time_point answered;
  bool failed = true;
  bool matches = false;
};

struct OpenLoopSample {
  Sample sample;
  std::vector<OpenLoopRequest> requests;  ///< In the order of their submission.
  double lateness_p99_ms = 0.0;  ///< How late requests were submitted; part of their latency.
};

/// Submits at the random instants of a Poisson process, whatever the answers do. A latency counts
/// from the instant at which the request was meant to be submitted until its answer was ready.
OpenLoopSample run_open_loop(const Testbed& testbed, double requests_per_second,
                             const Serving& serving, const Limit& limit, std::uint64_t seed);

/// All test images at once through a batcher: the predictions in order. One that failed has a label
/// that no digit has.
std::vector<Prediction> predict_all(const Testbed& testbed, const Serving& serving);

}  // namespace digits

#endif  // DIGITS_LOAD_GENERATOR_HPP
