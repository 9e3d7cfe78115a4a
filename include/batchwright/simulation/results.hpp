// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_RESULTS_HPP
#define BATCHWRIGHT_SIMULATION_RESULTS_HPP

#include "../histogram.hpp"
#include "../outcome.hpp"
#include "../policy.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// Latencies, from the arrival to the answer. The quantiles are exact: the smallest latency which that
/// share of all does not exceed.
struct LatencySummary {
  std::uint64_t count = 0;
  double mean_ns = 0;
  Duration p50{};
  Duration p90{};
  Duration p95{};
  Duration p99{};
  Duration p999{};
  Duration max{};

  friend bool operator==(const LatencySummary&, const LatencySummary&) = default;
};

/// Requests by how they ended; the index is the Outcome.
struct OutcomeCounts {
  std::array<std::uint64_t, kOutcomeCount> counts{};

  std::uint64_t operator[](Outcome outcome) const noexcept {
    return counts[static_cast<std::size_t>(outcome)];
  }
  std::uint64_t& operator[](Outcome outcome) noexcept {
    return counts[static_cast<std::size_t>(outcome)];
  }

  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts) sum += count;
    return sum;
  }
  std::uint64_t dropped() const noexcept { return total() - (*this)[Outcome::ok]; }

  friend bool operator==(const OutcomeCounts&, const OutcomeCounts&) = default;
};

/// What became of the requests of one class.
struct ClassResult {
  std::string name;
  LatencySummary latency;  ///< Of those that were answered.
  OutcomeCounts outcomes;

  friend bool operator==(const ClassResult&, const ClassResult&) = default;
};

/// What one run gave. Counts and latencies are of the requests after the warm-up, to the last one of
/// them; what happens in time is measured in the window from the first of their arrivals to the last. It
/// counts by whole batches, so a window has to be many of their times long: under a great overload that
/// takes more requests, since their arrivals alone are soon over.
struct SimulationResult {
  LatencySummary latency;  ///< Of all that were answered.
  OutcomeCounts outcomes;
  std::vector<ClassResult> classes;  ///< In the order of the settings.
  std::uint64_t shared = 0;          ///< Answers of which another request was computed.
  Histogram latencies;               ///< In nanoseconds; for plots, see Histogram.

  Duration window{};
  double offered_hz = 0;     ///< Arrivals in the window, refused ones included.
  double throughput_hz = 0;  ///< Answers in the window.
  double goodput_hz = 0;     ///< Those of them that came within the objective.

  std::uint64_t batches = 0;  ///< Dispatched in the window.
  Histogram batch_sizes;
  std::array<std::uint64_t, kReleaseReasonCount> releases{};  ///< The index is the ReleaseReason.
  std::vector<double>
      utilisation;  ///< Of each executor, the share of the window in which it computed.

  double mean_queued = 0;     ///< Over the window's time,
  double mean_in_system = 0;  ///< and with those that are being computed.

  double mean_batch_size() const noexcept { return batch_sizes.mean(); }

  /// The same to the last bit.
  friend bool operator==(const SimulationResult&, const SimulationResult&) = default;
};

}  // namespace simulation

namespace detail {

/// Orders parts of `samples` only as far as the quantiles need it: O(samples).
inline simulation::LatencySummary summarize(std::vector<Duration>& samples) {
  simulation::LatencySummary summary;
  if (samples.empty()) return summary;
  summary.count = samples.size();
  const auto count = static_cast<double>(samples.size());
  double sum = 0;
  for (const Duration sample : samples) sum += static_cast<double>(sample.count());
  summary.mean_ns = sum / count;
  auto begin = samples.begin();
  const auto quantile = [&](std::size_t above_permille) {
    const std::size_t behind = samples.size() * above_permille / 1000;
    const auto place = samples.end() - 1 - static_cast<std::ptrdiff_t>(behind);
    // Ascending quantiles: what is before the last one stays there.
    std::nth_element(begin, place, samples.end());
    begin = place;
    return *place;
  };
  summary.p50 = quantile(500);
  summary.p90 = quantile(100);
  summary.p95 = quantile(50);
  summary.p99 = quantile(10);
  summary.p999 = quantile(1);
  summary.max = *std::max_element(begin, samples.end());
  return summary;
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_RESULTS_HPP
