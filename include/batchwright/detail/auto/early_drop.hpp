// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP
#define BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP

#include "../../policy.hpp"
#include "learned_curve.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Which of a queue's first requests to give up on under a latency objective, so that the others are in
/// time. Who serves the head at any price under overload serves it in a small batch, and so falls
/// further behind: of the first 128 it leaves out as many as make this batch and the next one answer
/// the most in time, less what the executor's time is worth (after Nexus, Shen et al. 2019).
/// Nanoseconds; O(128).
class EarlyDrop {
 public:
  struct Input {
    double now = 0;
    double objective = 0;
    double rate = 0;  ///< Arrivals.
    double executors = 1;
    double margin = 1;  ///< Times are taken for so much longer than the curve says.
    std::size_t cap = 0;
  };

  struct Plan {
    std::size_t dropped = 0;
    std::size_t batch =
        0;  ///< The most that can be answered in time after that, of at most the cap.
    bool limited = false;  ///< By the first one's time, not by the queue.
  };

  static Plan plan(QueueCursor queue, std::size_t count, const Input& in,
                   const LearnedCurve& curve) noexcept {
    Slack slack(queue, in);
    Times times(curve);
    const auto time = [&](std::size_t size) { return times(size) * in.margin; };
    std::size_t hopeless = 0;
    while (slack.has(hopeless) && time(1) > slack[hopeless]) ++hopeless;
    if (hopeless > 0) return {.dropped = hopeless};
    if (!slack.has(0)) return {};

    const std::size_t most = std::min(count, in.cap);
    std::size_t batch = grow(0, most, slack[0], time);
    if (batch >= most) return {.batch = most};

    const std::size_t largest = grow(1, in.cap, in.objective, time);
    const double price =
        std::min(in.rate / in.executors, static_cast<double>(largest) / times(largest));
    const auto worth_of = [&](std::size_t size) {
      return size == 0 ? 0 : static_cast<double>(size) - price * times(size);
    };
    double most_of_one = -1e300;
    for (std::size_t size = 1; size <= largest; ++size) {
      most_of_one = std::max(most_of_one, worth_of(size));
    }
    const double most_of_two = most_of_one + std::max(most_of_one, 0.0);
    Plan best{.batch = batch, .limited = true};
    double worth = -1e300;
    std::size_t next = 0;
    std::size_t head = 0;
    for (std::size_t skip = 0; slack.has(skip); ++skip) {
      batch =
          grow(fit(batch, slack[skip], time), std::min(count - skip, in.cap), slack[skip], time);
      if (batch == 0) continue;
      // The batch after it begins when this one ends, with what has come meanwhile.
      const double service = times(batch);
      // Its first one is one that can still be in time then.
      head = std::max(head, skip + batch);
      while (slack.has(head) && slack[head] - service < time(1)) ++head;
      const double left = (slack.has(head) ? slack[head] : in.objective) - service;
      const auto come = static_cast<std::size_t>(in.rate / in.executors * service);
      const std::size_t queued = (count > head ? count - head : 0) + come;
      next = grow(fit(std::min(next, queued), left, time), std::min(queued, in.cap), left, time);
      const double value = worth_of(batch) + worth_of(next);
      if (value > worth + 1e-9) {
        worth = value;
        best.dropped = skip;
        best.batch = batch;
      }
      if (batch == count - skip) break;        // All that is left is in time.
      if (worth >= most_of_two - 1e-9) break;  // None can be better.
    }
    return best;
  }

 private:
  static constexpr std::size_t kDepth = 128;

  // What is left of each one's time, in the order in which they leave; read as far as it is asked for.
  class Slack {
   public:
    Slack(QueueCursor queue, const Input& in) noexcept : queue_(queue), in_(in) {}

    bool has(std::size_t place) noexcept {
      if (place > kDepth) return false;
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
    std::array<double, kDepth + 1> slack_;
  };

  // The curve, each size of which is looked up once.
  class Times {
   public:
    explicit Times(const LearnedCurve& curve) noexcept : curve_(curve) {}

    double operator()(std::size_t size) noexcept {
      if (size > kDepth) return curve_(size);
      for (; known_ <= size; ++known_) time_[known_] = curve_(known_);
      return time_[size];
    }

   private:
    const LearnedCurve& curve_;
    std::size_t known_ = 0;
    std::array<double, kDepth + 1> time_;
  };

  // The largest size from `size` to `most` that takes no longer than `left`.
  template <class Time>
  static std::size_t grow(std::size_t size, std::size_t most, double left, Time&& time) noexcept {
    while (size < most && time(size + 1) <= left) ++size;
    return size;
  }
  template <class Time>
  static std::size_t fit(std::size_t size, double left, Time&& time) noexcept {
    while (size > 0 && time(size) > left) --size;
    return size;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_EARLY_DROP_HPP
