// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_AIMD_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_AIMD_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>

namespace batchwright::inline v0_1 {

/// The largest batch size follows the time of the batches: it rises by `increase` after a batch of that
/// size that kept within the target, and falls to `decrease` of itself after one that did not. Up to
/// that size it is greedy; with a `window` it waits for it.
///
/// Source: Clipper (Crankshaw et al., NSDI 2017, section 4.3): additive increase, multiplicative
/// decrease by a tenth, and delayed batching. Here a batch that did not reach the size does not raise
/// it, because it says nothing of larger ones; Clipper's paper leaves that open.
///
/// Latency bound: a request's own batch takes about `target_latency` at most; the size swings between
/// decrease x b and b + increase, where b is the largest size within the target. How long a request
/// queues depends on the load; with a window add at most that.
///
/// When not to use it: where the queue grows because batches are too small, their wait is no part of what
/// is measured, so a target below what the load needs never recovers. Where a batch's time hardly
/// depends on its size there is nothing to follow (GreedyPolicy).
struct AimdPolicy {
  Duration target_latency = std::chrono::milliseconds(20);
  double increase = 1;
  double decrease = 0.9;
  /// How long a batch below the current size waits for company. Zero: not at all.
  Duration window = Duration::zero();
  /// The current size, of which the whole part counts. State, not a setting, but for its first value.
  double size = 1;

  Decision decide(const QueueView& view) noexcept {
    cap_ = view.max_batch_size;
    const std::size_t goal = std::min(whole(), cap_);
    if (view.size >= goal) return Decision::release(goal, ReleaseReason::size);
    if (window == Duration::zero()) return Decision::release(view.size, ReleaseReason::greedy);
    return Decision::wait(detail::saturating_add(view.oldest, window), goal);
  }

  void on_batch(const BatchReport& report) noexcept {
    if (report.failed) return;
    if (report.service_time() > target_latency) {
      size = std::max(size * decrease, 1.0);
    } else if (report.size >= std::min(whole(), cap_)) {
      size = std::min(size + increase, static_cast<double>(cap_));
    }
  }

  std::string validate(const PolicyLimits& limits) const {
    const auto problem = [](const char* setting, const char* allowed, double value) {
      return std::string(setting) + " must be " + allowed + ", got " + std::to_string(value);
    };
    if (target_latency <= Duration::zero()) {
      return "AimdPolicy::target_latency must be above 0, got " + detail::to_text(target_latency);
    }
    if (!(increase > 0 && increase <= 1e6)) {
      return problem("AimdPolicy::increase", "above 0 and at most 1000000", increase);
    }
    if (!(decrease > 0 && decrease < 1)) {
      return problem("AimdPolicy::decrease", "above 0 and below 1", decrease);
    }
    if (!(size >= 1 && size <= static_cast<double>(limits.max_batch_size))) {
      return "AimdPolicy::size must be from 1 to max_batch_size (" +
             std::to_string(limits.max_batch_size) + "), got " + std::to_string(size);
    }
    return detail::check_window("AimdPolicy::window", window, limits);
  }

  /// The batcher's cap, as last seen. State, not a setting.
  std::size_t cap_ = 1;

 private:
  std::size_t whole() const noexcept { return static_cast<std::size_t>(size); }
};

static_assert(BatchingPolicy<AimdPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_AIMD_HPP
