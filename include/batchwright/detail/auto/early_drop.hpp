// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP
#define BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP

#include "../../policy.hpp"
#include "learned_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Which of a queue's first requests to give up on under a latency objective, so that the others are in
/// time. Who serves the head at any price under overload serves it in a small batch, and so falls
/// further behind (after Nexus, Shen et al. 2019). Of the first 128 it leaves out as many as make most
/// the number of answers that are to be expected in time from this batch and from the next one, less
/// what the executor's time is worth.
///
/// How many are expected is the sum of each one's chance: where all of a batch have about the same time
/// left it is worth much to go without the oldest of them, where only the first one's is short a larger
/// batch is worth its being late. Nanoseconds. O(128 log cap); the times of all sizes are kept until the
/// curve is drawn anew.
class EarlyDrop {
 public:
  struct Input {
    double now = 0;
    double objective = 0;
    double rate = 0;  ///< Arrivals.
    double executors = 1;
    double deviation = 0;  ///< Of a batch's time from the curve, relative.
    std::size_t cap = 0;
  };

  struct Plan {
    std::size_t dropped = 0;
    std::size_t batch = 0;  ///< To go after that; 0: none is left.
    bool limited = false;   ///< By the first one's time, not by the queue.
  };

  Plan plan(QueueCursor queue, std::size_t count, const Input& in,
            const LearnedCurve& curve) noexcept {
    learn(in, curve);
    Slack slack(queue, in);
    Plan best;
    while (slack.has(best.dropped) && latest(1) > slack[best.dropped]) ++best.dropped;
    if (!slack.has(best.dropped)) return best;

    const std::size_t first = best.dropped;
    const std::size_t whole = std::min(count - first, largest_);
    best.batch = grow(0, whole, slack[first]);
    if (best.batch == whole) return best;
    best.limited = true;

    double worth = -1e300;
    std::array<std::size_t, kMargins.size()> sizes{};  // With each margin: they only grow.
    std::size_t next = 0;
    std::size_t head = 0;
    for (std::size_t skip = first; slack.has(skip);
         skip += std::max<std::size_t>(1, (skip - first) / kCoarse)) {
      const std::size_t most = std::min(count - skip, largest_);
      double here = -1e300;
      std::size_t batch = 0;
      for (std::size_t i = 0; i < kMargins.size(); ++i) {
        std::size_t size = std::min(sizes[i], most);
        const double left = slack[skip] / (1 + kMargins[i] * sigma_);
        while (size < most && time(size + 1) <= left) ++size;
        sizes[i] = size;
        if (size == batch) continue;
        const double value = in_time(slack, skip, size) - price_ * time(size);
        if (value <= here) continue;
        here = value;
        batch = size;
      }
      if (batch == 0) continue;
      // The batch after it begins when the next executor is free, with those left who can still be in time
      // then and what has come meanwhile; or it leaves out some of them itself.
      const double begin = time(batch) / in.executors;
      head = std::max(head, skip + batch);
      while (slack.has(head) && slack[head] - begin < latest(1)) ++head;
      const double left = (slack.has(head) ? slack[head] : in.objective) - begin;
      const auto come = static_cast<std::size_t>(in.rate * begin);
      const std::size_t queued = std::min((count > head ? count - head : 0) + come, largest_);
      next = grow(fit(std::min(next, queued), left), queued, left);
      next = std::max(next, std::min(come, usual_));
      const double value = here + static_cast<double>(next) - price_ * time(next);
      if (value <= worth + 1e-9) continue;
      worth = value;
      best.dropped = skip;
      best.batch = batch;
      if (sizes[0] == most && slack[skip] >= surely(most)) break;  // None is better.
    }
    return best;
  }

 private:
  static constexpr std::size_t kDepth = 128;
  static constexpr double kLeastDeviation = 0.005;
  static constexpr std::size_t kCoarse =
      6;  // Of many left out, so large a part more is the next to try.
  static constexpr double kSameRate = 0.02;
  // Sizes that are compared: so many deviations before the first one's time is up.
  static constexpr std::array<double, 3> kMargins = {2, 0.5, -0.5};

  // What is left of each one's time, in the order in which they leave; read as far as it is asked for.
  class Slack {
   public:
    Slack(QueueCursor queue, const Input& in) noexcept : queue_(queue), in_(in) {}

    bool has(std::size_t place) noexcept {
      if (place >= kDepth) return false;
      for (QueuedRequest one; known_ <= place; ++known_) {
        if (!queue_.next(one)) return false;
        double left = to_ns(one.enqueued) + in_.objective - in_.now;
        if (one.deadline != kNever) left = std::min(left, to_ns(one.deadline) - in_.now);
        slack_[known_] = left;
      }
      return true;
    }
    double operator[](std::size_t place) const noexcept { return slack_[place]; }

   private:
    static double to_ns(TimePoint instant) noexcept {
      return static_cast<double>(instant.time_since_epoch().count());
    }

    QueueCursor queue_;
    const Input& in_;
    std::size_t known_ = 0;
    std::array<double, kDepth> slack_;
  };

  // How likely a batch ends within a time that is so many deviations longer: the logistic distribution,
  // its tanh(x) drawn as x (27 + x^2) / (27 + 9 x^2), in eighths.
  static constexpr std::size_t kSurely = 28;  // Eighths.
  static constexpr std::array<float, 2 * kSurely + 1> kChances = [] {
    std::array<float, 2 * kSurely + 1> all{};
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double x = 3.0 * static_cast<double>(i) / kSurely - 3;
      all[i] = static_cast<float>(0.5 + 0.5 * x * (27 + x * x) / (27 + 9 * x * x));
    }
    return all;
  }();
  static double chance(double deviations) noexcept {
    const double place = std::clamp(8 * deviations + (kSurely + 0.5), 0.5, 2 * kSurely + 0.5);
    return static_cast<double>(kChances[static_cast<std::size_t>(place)]);
  }

  // Answers in time that are to be expected of the `size` from `skip` on. Of those further behind fewer
  // are looked at, and none behind one that is surely in time.
  double in_time(Slack& slack, std::size_t skip, std::size_t size) const noexcept {
    const double mean = time(size);
    const double per_deviation = 1 / (sigma_ * mean);
    double sum = 0;
    std::size_t place = 0;
    while (place < size && slack.has(skip + place)) {
      const double one = chance((slack[skip + place] - mean) * per_deviation);
      if (one >= 1) break;
      const std::size_t step = std::min(std::max<std::size_t>(1, place), size - place);
      sum += one * static_cast<double>(step);
      place += step;
    }
    return sum + static_cast<double>(size - place);
  }

  // The times of all sizes, and what an executor's time is worth: in the steady state it answers
  // batches of one size, the largest of which enough come within what their service leaves of the
  // objective, if not all that come.
  void learn(const Input& in, const LearnedCurve& curve) noexcept {
    curve_ = &curve;
    if (curve.drawn() != drawn_ || in.cap != largest_) {
      drawn_ = curve.drawn();
      largest_ = in.cap;
      for (std::size_t size = 1; size <= std::min(in.cap, kDepth); ++size) {
        time_[size] = static_cast<float>(curve(size));
      }
      rate_ = -1;
    }
    sigma_ = std::max(in.deviation, kLeastDeviation);
    if (std::abs(in.rate - rate_) <= kSameRate * rate_) return;
    rate_ = in.rate;
    usual_ = 1;
    for (std::size_t size = 2; size <= largest_; size += std::max<std::size_t>(1, size / 8)) {
      const auto b = static_cast<double>(size);
      if (b > in.rate * (in.objective - latest(size))) break;
      if (b * time(usual_) >= static_cast<double>(usual_) * time(size)) usual_ = size;
    }
    price_ = std::min(in.rate / in.executors, static_cast<double>(usual_) / time(usual_));
  }

  double time(std::size_t size) const noexcept {
    return size <= kDepth ? static_cast<double>(time_[size]) : (*curve_)(size);
  }
  double latest(std::size_t size) const noexcept { return time(size) * (1 + sigma_); }

  double surely(std::size_t size) const noexcept {
    return time(size) * (1 + kSurely / 8.0 * sigma_);
  }

  // The largest size from `size` to `most` that takes no longer than `left`.
  std::size_t grow(std::size_t size, std::size_t most, double left) const noexcept {
    while (size < most && latest(size + 1) <= left) ++size;
    return size;
  }
  std::size_t fit(std::size_t size, double left) const noexcept {
    while (size > 0 && latest(size) > left) --size;
    return size;
  }

  std::array<float, kDepth + 1> time_{};
  const LearnedCurve* curve_ = nullptr;  // While it plans.
  std::uint64_t drawn_ = 0;
  std::size_t largest_ = 0;
  std::size_t usual_ = 1;
  double sigma_ = kLeastDeviation;
  double rate_ = -1;
  double price_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP
