// SPDX-License-Identifier: MIT
#include "experiment.hpp"

#include "baselines.hpp"
#include "progress.hpp"

#include <string>
#include <utility>

namespace digits {
namespace {

constexpr double kOpenLoopShares[] = {0.5, 0.9};

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : 0.0;
}

/// 1, 2, 3, ... up to eight threads, then powers of two, and as many as there are cores.
std::vector<std::size_t> thread_counts(std::size_t cores) {
  std::vector<std::size_t> counts;
  for (std::size_t n = 1; n < cores; n = n < 8 ? n + 1 : 2 * n) counts.push_back(n);
  counts.push_back(cores);
  return counts;
}

/// One row of the comparison over all rounds.
class Series {
 public:
  void add(Sample sample, Findings& findings) {
    findings.answers += sample.latencies_ms.size();
    findings.mismatches += sample.mismatches;
    findings.failures += sample.failures;
    rounds_.push_back(summarise(std::move(sample)));
  }

  Figures figures() const { return median(rounds_); }

 private:
  std::vector<Figures> rounds_;
};

class Experiment {
 public:
  Experiment(const Testbed& testbed, const Plan& plan)
      : testbed_(testbed),
        plan_(plan),
        thread_counts_(thread_counts(plan.cores)),
        direct_(thread_counts_.size()),
        open_(std::size(kOpenLoopShares)),
        lateness_ms_(std::size(kOpenLoopShares)),
        progress_(plan.show_progress,
                  1 + plan.rounds * (7 + thread_counts_.size() + std::size(kOpenLoopShares))) {}

  Findings run() {
    findings_.batches_by_size.resize(plan_.serving.max_batch + 1);
    progress_.step("checking predictions");
    check_accuracy();
    for (round_ = 1; round_ <= plan_.rounds; ++round_) {
      compare_throughput();
      compare_single_client();
    }
    const double capacity_rps = batched_.figures().requests_per_second;
    for (round_ = 1; round_ <= plan_.rounds; ++round_) measure_open_loops(capacity_rps);
    conclude(capacity_rps);
    return std::move(findings_);
  }

 private:
  void step(const std::string& what) {
    progress_.step("round " + std::to_string(round_) + " of " + std::to_string(plan_.rounds) +
                   ": " + what);
  }

  /// The same executors, one request at a time.
  Serving unbatched() const { return {.max_batch = 1, .executors = plan_.serving.executors}; }

  void check_accuracy() {
    const std::vector<Prediction> predictions = predict_all(testbed_, plan_.serving);
    std::size_t right = 0;
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      right += predictions[i].label == testbed_.test.labels[i];
      findings_.mismatches += !testbed_.matches(i, predictions[i]);
    }
    findings_.answers += predictions.size();
    findings_.accuracy = ratio(static_cast<double>(right), static_cast<double>(predictions.size()));
  }

  void compare_throughput() {
    step("unbatched");
    unbatched_.add(run_closed_loop(testbed_, plan_.load, unbatched(), plan_.limit).sample,
                   findings_);
    for (std::size_t i = 0; i < thread_counts_.size(); ++i) {
      step("no batcher, threads: " + std::to_string(thread_counts_[i]));
      direct_[i].add(run_direct(testbed_, thread_counts_[i], plan_.limit), findings_);
    }
    step("batched");
    ClosedLoopSample batched = run_closed_loop(testbed_, plan_.load, plan_.serving, plan_.limit);
    batched_.add(std::move(batched.sample), findings_);
    for (const BatchLog& log : batched.batches) {
      for (const std::uint32_t size : log) ++findings_.batches_by_size.at(size);
    }
    step("batched, executors: " + std::to_string(plan_.cores));
    const Serving everywhere{.max_batch = plan_.serving.max_batch, .executors = plan_.cores};
    batched_everywhere_.add(run_closed_loop(testbed_, plan_.load, everywhere, plan_.limit).sample,
                            findings_);
    step("the same batches without a batcher");
    replay_rps_.push_back(replay(testbed_, batched.batches));
  }

  void compare_single_client() {
    const ClosedLoop alone{.clients = 1, .window = 1};
    step("one client, unbatched");
    single_unbatched_.add(run_closed_loop(testbed_, alone, unbatched(), plan_.limit).sample,
                          findings_);
    step("one client, batched");
    single_batched_.add(run_closed_loop(testbed_, alone, plan_.serving, plan_.limit).sample,
                        findings_);
    step("bare wake-ups");
    wake_ups_ms_.push_back(two_wake_ups_ms());
  }

  void measure_open_loops(double capacity_rps) {
    for (std::size_t i = 0; i < open_.size(); ++i) {
      step("open loop at " + std::to_string(kOpenLoopShares[i]).substr(0, 3) + " of capacity");
      OpenLoopSample sample = run_open_loop(testbed_, kOpenLoopShares[i] * capacity_rps,
                                            plan_.serving, plan_.limit, round_);
      open_[i].add(std::move(sample.sample), findings_);
      lateness_ms_[i].push_back(sample.lateness_p99_ms);
    }
  }

  void conclude(double capacity_rps) {
    findings_.unbatched = unbatched_.figures();
    findings_.batched = batched_.figures();
    findings_.batched_everywhere = batched_everywhere_.figures();
    findings_.replay_rps = median(replay_rps_);
    for (std::size_t i = 0; i < direct_.size(); ++i) {
      const Figures figures = direct_[i].figures();
      if (figures.requests_per_second > findings_.best_unbatched.requests_per_second) {
        findings_.best_unbatched = figures;
        findings_.best_threads = thread_counts_[i];
      }
    }
    findings_.single = {.direct_p50_ms = direct_.front().figures().p50_ms,
                        .unbatched_p50_ms = single_unbatched_.figures().p50_ms,
                        .batched_p50_ms = single_batched_.figures().p50_ms,
                        .two_wake_ups_ms = median(wake_ups_ms_)};
    for (std::size_t i = 0; i < open_.size(); ++i) {
      findings_.open_loops.push_back({.share = kOpenLoopShares[i],
                                      .offered_rps = kOpenLoopShares[i] * capacity_rps,
                                      .figures = open_[i].figures(),
                                      .lateness_p99_ms = median(lateness_ms_[i])});
    }
  }

  const Testbed& testbed_;
  const Plan& plan_;
  const std::vector<std::size_t> thread_counts_;
  std::size_t round_ = 0;
  Findings findings_;
  Series unbatched_;
  std::vector<Series> direct_;  // one a thread count
  Series batched_;
  Series batched_everywhere_;
  std::vector<double> replay_rps_;
  Series single_unbatched_;
  Series single_batched_;
  std::vector<double> wake_ups_ms_;
  std::vector<Series> open_;                      // one a share
  std::vector<std::vector<double>> lateness_ms_;  // likewise
  Progress progress_;
};

}  // namespace

double Findings::gain() const {
  return ratio(batched.requests_per_second, unbatched.requests_per_second);
}

double Findings::gain_over_best() const {
  return ratio(batched.requests_per_second, best_unbatched.requests_per_second);
}

double Findings::mean_batch() const {
  double batches = 0.0;
  double requests = 0.0;
  for (std::size_t size = 0; size < batches_by_size.size(); ++size) {
    batches += static_cast<double>(batches_by_size[size]);
    requests += static_cast<double>(batches_by_size[size]) * static_cast<double>(size);
  }
  return ratio(requests, batches);
}

double Findings::efficiency() const { return ratio(batched.requests_per_second, replay_rps); }

double Findings::overhead_ns_per_request() const {
  return ratio(1e9, batched.requests_per_second) - ratio(1e9, replay_rps);
}

bool Findings::correct() const {
  return mismatches == 0 && failures == 0 && accuracy >= kMinAccuracy;
}

Findings run_experiment(const Testbed& testbed, const Plan& plan) {
  return Experiment(testbed, plan).run();
}

}  // namespace digits
