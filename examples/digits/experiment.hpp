// SPDX-License-Identifier: MIT
#ifndef DIGITS_EXPERIMENT_HPP
#define DIGITS_EXPERIMENT_HPP

#include "load_generator.hpp"
#include "measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace digits {

struct Plan {
  ClosedLoop load;
  Serving serving;
  Limit limit;
  std::size_t rounds = 5;
  std::size_t cores = 1;
  bool show_progress = true;
};

/// One request at a time, median latencies.
struct SingleClient {
  double direct_p50_ms = 0.0;     ///< A plain call of the backend.
  double unbatched_p50_ms = 0.0;  ///< A batcher with cap 1.
  double batched_p50_ms = 0.0;    ///< A batcher with the cap of the plan.
  double two_wake_ups_ms = 0.0;   ///< Of one bare thread by another and back.
};

struct OpenLoopFigures {
  double share = 0.0;  ///< Of the batched capacity.
  double offered_rps = 0.0;
  Figures figures;
  double lateness_p99_ms = 0.0;

  /// Whether the generator submitted when it should have. If not, the latencies are partly its own.
  bool generator_kept_up() const { return lateness_p99_ms <= 1.0; }
};

struct Findings {
  Figures unbatched;
  Figures best_unbatched;
  std::size_t best_threads = 1;
  Figures batched;
  Figures batched_everywhere;  ///< With an executor for each core.
  double replay_rps = 0.0;
  SingleClient single;
  std::vector<OpenLoopFigures> open_loops;
  std::vector<std::uint64_t> batches_by_size;  ///< Of the batched runs; index is the size.
  std::uint64_t answers = 0;                   ///< Compared with the prediction without a batcher.
  std::uint64_t mismatches = 0;
  std::uint64_t failures = 0;
  double accuracy = 0.0;

  double gain() const;            ///< batched over unbatched
  double gain_over_best() const;  ///< batched over the best arrangement without a batcher
  double mean_batch() const;
  double efficiency() const;  ///< batched over replay
  double overhead_ns_per_request() const;
  bool correct() const;  ///< Nothing differed, nothing failed, and the accuracy is good enough.
};

inline constexpr double kMinAccuracy = 0.97;

/// Does all measurements, interleaved so that what else the machine does hits them alike.
Findings run_experiment(const Testbed& testbed, const Plan& plan);

}  // namespace digits

#endif  // DIGITS_EXPERIMENT_HPP
