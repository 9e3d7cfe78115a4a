// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_MEASURED_TIME_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_MEASURED_TIME_HPP

#include <chrono>

namespace benchmarks {

/// How long a row measures: what --benchmark_min_time said, in the one iteration that it makes. Set by
/// `main` before the first row.
inline std::chrono::nanoseconds measured_time = std::chrono::milliseconds(100);

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_MEASURED_TIME_HPP
