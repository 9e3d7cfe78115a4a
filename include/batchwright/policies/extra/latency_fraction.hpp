// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_LATENCY_FRACTION_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_LATENCY_FRACTION_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

namespace batchwright::inline v0_1 {

/// Batches leave an interval apart that is a fraction of the time they take. A request that comes when
/// the interval since the last batch is over waits `from_idle` for company.
///
/// Source: FoundationDB's commit proxy, `batcher` and COMMIT_TRANSACTION_BATCH_INTERVAL_*: after each
/// batch the interval becomes (1 - smoothing) x itself + smoothing x fraction x the batch's latency,
/// within [least, most]. The defaults are its.
///
/// Latency bound: a request waits for company for at most max(interval, from_idle), so `most` if
/// that is the larger, then for a free executor.
///
/// When not to use it: for models much faster than 10 ms, because `least` and `from_idle` are then more
/// than a tenth of a batch (set them). On one executor the interval is over whenever a batch ends, so it
/// is GreedyPolicy plus `from_idle`. On several it spaces the batches out, which pays up to some 70 % load
/// and costs above.
struct LatencyFractionPolicy {
  double fraction = 0.1;
  /// The weight of the last batch in the interval.
  double smoothing = 0.1;
  Duration least = std::chrono::milliseconds(1);
  Duration most = std::chrono::milliseconds(20);
  Duration from_idle = std::chrono::microseconds(500);
  /// State, not settings: the interval, zero until a batch has ended, and when the last one left.
  Duration interval{};
  TimePoint last_release{};

  Decision decide(const QueueView& view) const noexcept {
    if (view.size >= view.max_batch_size) {
      return Decision::release(view.max_batch_size, ReleaseReason::size);
    }
    TimePoint last = last_release;
    if (!view.running.empty()) last = std::max(last, view.running.back().dispatched);
    const TimePoint end = last + std::max(interval, least);
    return Decision::wait(view.oldest > end ? detail::saturating_add(view.oldest, from_idle) : end);
  }

  void on_batch(const BatchReport& report) noexcept {
    last_release = std::max(last_release, report.dispatched);
    const double before = static_cast<double>(std::max(interval, least).count());
    const double target = fraction * static_cast<double>(report.service_time().count());
    const auto next = Duration(static_cast<std::int64_t>(before + smoothing * (target - before)));
    interval = std::clamp(next, least, most);
  }

  std::string validate(const PolicyLimits& limits) const {
    const auto share = [](const char* setting, double value) {
      if (value > 0 && value <= 1) return std::string();
      return std::string(setting) + " must be above 0 and at most 1, got " + std::to_string(value);
    };
    std::string problem = share("LatencyFractionPolicy::fraction", fraction);
    if (problem.empty()) problem = share("LatencyFractionPolicy::smoothing", smoothing);
    if (problem.empty()) {
      problem = detail::check_window("LatencyFractionPolicy::most", most, limits);
    }
    if (problem.empty() && (least < Duration::zero() || least > most)) {
      problem = "LatencyFractionPolicy::least must be from 0 to most (" + detail::to_text(most) +
                "), got " + detail::to_text(least);
    }
    if (problem.empty()) {
      problem = detail::check_window("LatencyFractionPolicy::from_idle", from_idle, limits);
    }
    return problem;
  }
};

static_assert(BatchingPolicy<LatencyFractionPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_LATENCY_FRACTION_HPP
