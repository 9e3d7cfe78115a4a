// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_REGRESSION_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_REGRESSION_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace batchwright::inline v0_1 {

/// A batch of n waits for one more request as long as what that costs all n, the newest's wait plus the
/// time a of one more item, n times, is less than what a request waits on average anyway.
///
/// Source: BentoML's CorkDispatcher and its optimizer. Of the last 50 batches it keeps size, wait of the
/// oldest request and duration; every five seconds it fits duration = a n + b by least squares, with
/// a >= 1 us and b >= 0, and takes the mean W of the waits. It waits while n (w + tick + a) <= 0.95 W,
/// where w is the newest request's wait; before the first fit a = 2 L / 30, at most 2 s, and W = 0. The
/// first batches, of at most 1, 2 and 3, give the line its slope. What it cancels because the forecast
/// wait + a n + b reaches L is the scheduler's here: give the requests deadlines, and the batcher
/// `Forecast::refuse`.
///
/// Latency bound: a request waits for company for less than 0.95 W after the newest one came, where W is
/// what its kind waited before; a stream that never ends fills the batch first.
///
/// When not to use it: W holds the wait for a busy executor too, so the busier it is the longer it
/// waits when it need not; in most simulations it equals GreedyPolicy or loses to it a little. It
/// learns in steps of `refresh`.
struct RegressionPolicy {
  /// L: where the first guess of a comes from.
  Duration max_latency = std::chrono::seconds(60);
  /// How often the original looks, which it adds to the newest's wait.
  Duration tick = std::chrono::milliseconds(1);
  Duration refresh = std::chrono::seconds(5);

  Decision decide(const QueueView& view) const noexcept {
    const std::size_t most = std::min(view.max_batch_size, trained_ < 3 ? trained_ + 1 : kNoCount);
    if (view.size >= most) return Decision::release(most, ReleaseReason::size);
    const double share = 0.95 * wait_ns_ / static_cast<double>(view.size);
    const double patience = share - per_item_ns() - static_cast<double>(tick.count());
    const TimePoint until =
        detail::saturating_add(view.newest, Duration(static_cast<std::int64_t>(patience)));
    // One more moves the instant forward or back, so each arrival is a question.
    if (patience >= 0 && until > view.now) return Decision::wait(until, view.size + 1);
    return Decision::release(view.size, ReleaseReason::greedy);
  }

  void on_batch(const BatchReport& report) noexcept {
    if (report.failed) return;
    if (trained_ < 3) ++trained_;
    kept_[next_] = {static_cast<double>(report.size), ns(report.dispatched - report.oldest),
                    ns(report.service_time())};
    next_ = (next_ + 1) % kKept;
    count_ = std::min(count_ + 1, kKept);
    if (last_fit_ == TimePoint{}) last_fit_ = report.finished;
    const bool first = !fitted_ && trained_ == 3;
    if (first || report.finished - last_fit_ >= refresh) fit(report.finished);
  }

  std::string validate(const PolicyLimits&) const {
    const auto problem = [](const char* setting, const char* allowed, Duration value) {
      return std::string(setting) + " must be " + allowed + ", got " + detail::to_text(value);
    };
    if (max_latency <= Duration::zero()) {
      return problem("RegressionPolicy::max_latency", "above 0", max_latency);
    }
    if (tick < Duration::zero()) return problem("RegressionPolicy::tick", "at least 0", tick);
    if (refresh < Duration::zero()) {
      return problem("RegressionPolicy::refresh", "at least 0", refresh);
    }
    return {};
  }

  /// What it has learned, in nanoseconds: a, b and W.
  double per_item_ns() const noexcept {
    if (fitted_) return slope_ns_;
    return std::min(2e9, ns(max_latency) * 2 / 30);
  }
  double fixed_ns() const noexcept {
    return fitted_ ? intercept_ns_ : std::min(1e9, ns(max_latency) / 30);
  }
  double wait_ns() const noexcept { return wait_ns_; }

  struct Sample {
    double size = 0;
    double wait_ns = 0;
    double duration_ns = 0;
  };
  static constexpr std::size_t kKept = 50;

  /// State, not settings.
  std::array<Sample, kKept> kept_{};
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::size_t trained_ = 0;
  TimePoint last_fit_{};
  bool fitted_ = false;
  double slope_ns_ = 0;
  double intercept_ns_ = 0;
  double wait_ns_ = 0;

 private:
  static double ns(Duration duration) noexcept { return static_cast<double>(duration.count()); }

  void fit(TimePoint now) noexcept {
    const auto count = static_cast<double>(count_);
    double x = 0, y = 0, wait = 0, xx = 0, xy = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      x += kept_[i].size / count;
      y += kept_[i].duration_ns / count;
      wait += kept_[i].wait_ns / count;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      xx += (kept_[i].size - x) * (kept_[i].size - x);
      xy += (kept_[i].size - x) * (kept_[i].duration_ns - y);
    }
    if (xx > 0) {
      slope_ns_ = xy / xx;
      intercept_ns_ = y - slope_ns_ * x;
    } else {  // One size: of all lines through it least squares takes the shortest (slope, intercept).
      slope_ns_ = y * x / (x * x + 1);
      intercept_ns_ = y / (x * x + 1);
    }
    slope_ns_ = std::max(slope_ns_, 1000.0);
    intercept_ns_ = std::max(intercept_ns_, 0.0);
    wait_ns_ = std::max(wait, 0.0);
    last_fit_ = now;
    fitted_ = true;
  }
};

static_assert(BatchingPolicy<RegressionPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_REGRESSION_HPP
