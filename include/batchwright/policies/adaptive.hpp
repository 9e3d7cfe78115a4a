// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_ADAPTIVE_HPP
#define BATCHWRIGHT_POLICIES_ADAPTIVE_HPP

#include "../policy.hpp"
#include "reachable_size.hpp"
#include "settings.hpp"
#include "waiting_pays.hpp"

#include <algorithm>
#include <string>

namespace batchwright::inline v0_1 {

/// The batch size follows the measured latency of the batches: after one that took more than 1.1 times
/// the target it falls by a step, after one that took less than 0.9 times the target it rises by a
/// step, within [1, cap]. Up to that size it is greedy; it waits only if given a window, then for no more
/// than windows have lately gathered, and not where those who come are served a tenth faster without.
///
/// The latency of a batch is its service time, from its dispatch to its answer. The wait in the queue
/// is left out on purpose: under overload it would push the size down, and with it the throughput, and
/// so make the queue grow further.
///
/// Latency bound: a request's own batch settles near `target_latency`; how long it queues depends on
/// the load, as with GreedyPolicy. With a window add at most that.
///
/// When not to use it: where a batch's time hardly depends on its size there is nothing to follow
/// (GreedyPolicy); where the objective is a percentile under a changing load, one step per batch
/// follows slowly.
struct AdaptivePolicy {
  /// What one batch may take. 20 ms leaves room in a response of 50 ms.
  Duration target_latency = std::chrono::milliseconds(20);
  /// How much the size changes after one batch. It is also the size at the start.
  std::size_t step = 4;
  /// How long a batch below the current size waits for company. Zero: not at all.
  Duration window = Duration::zero();
  /// The current size. State, not a setting: zero until the first decision.
  std::size_t current_size = 0;

  Decision decide(const QueueView& view) noexcept {
    cap_ = view.max_batch_size;
    if (current_size == 0) current_size = std::min(step, cap_);
    if (view.size >= current_size) return Decision::release(current_size, ReleaseReason::size);
    if (window == Duration::zero()) return Decision::release(view.size, ReleaseReason::greedy);
    const std::size_t awaited = std::min(current_size, reachable_.size());
    if (awaited < current_size && !waiting_.pays()) {
      return Decision::release(view.size, ReleaseReason::greedy);
    }
    if (view.size >= awaited) return Decision::release(view.size, ReleaseReason::size);
    return Decision::wait(detail::saturating_add(view.oldest, window), awaited);
  }

  void on_batch(const BatchReport& report) noexcept {
    if (current_size == 0) return;
    if (window > Duration::zero()) {
      const bool ran_out = report.size < std::min(current_size, reachable_.size()) &&
                           report.dispatched - report.oldest >= window;
      reachable_.observe(report.size, ran_out, step);
      if (reachable_.size() < current_size) waiting_.observe(report, window);
    }
    if (report.failed) return;
    const auto latency = static_cast<double>(report.service_time().count());
    const auto target = static_cast<double>(target_latency.count());
    if (latency > target * 1.1) {
      current_size = current_size > step ? current_size - step : 1;
    } else if (latency < target * 0.9) {
      current_size = std::min(current_size + step, cap_);
    }
  }

  std::string validate(const PolicyLimits& limits) const {
    if (target_latency <= Duration::zero()) {
      return "AdaptivePolicy::target_latency must be above 0, got " +
             detail::to_text(target_latency);
    }
    if (step < 1 || step > limits.max_batch_size) {
      return "AdaptivePolicy::step must be from 1 to max_batch_size (" +
             std::to_string(limits.max_batch_size) + "), got " + std::to_string(step);
    }
    return detail::check_window("AdaptivePolicy::window", window, limits);
  }

  /// The batcher's cap, as last seen. State, not a setting.
  std::size_t cap_ = 0;
  /// What is worth waiting for. State, not a setting.
  detail::ReachableSize reachable_{};
  /// Whether it is. State, not a setting.
  detail::WaitingPays waiting_{};
};

static_assert(BatchingPolicy<AdaptivePolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_ADAPTIVE_HPP
