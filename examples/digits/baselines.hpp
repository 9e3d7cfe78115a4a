// SPDX-License-Identifier: MIT
#ifndef DIGITS_BASELINES_HPP
#define DIGITS_BASELINES_HPP

#include "measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace digits {

/// What batching is compared with: everything here runs without a batcher.

/// `threads` threads, each computing one image after the other. A latency is the time of one call.
Sample run_direct(const Testbed& testbed, std::size_t threads, const Limit& limit);

/// Requests per second of the backend alone, run back to back on batches of these sizes: one thread
/// for each log.
double replay(const Testbed& testbed, std::span<const BatchLog> logs);

/// What it costs at least to have a call made by another thread: the median time of waking a
/// sleeping thread, and of being woken by it when its work is done, without the work.
double two_wake_ups_ms();

}  // namespace digits

#endif  // DIGITS_BASELINES_HPP
