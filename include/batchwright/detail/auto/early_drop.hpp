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
    // What is left of each one's time, in the order in which they leave.
    std::array<double, kDepth + 1> slack;
    std::size_t known = 0;
    for (QueuedRequest one; known <= kDepth && queue.next(one);) {
      const auto enqueued = static_cast<double>(one.enqueued.time_since_epoch().count());
      double left = enqueued + in.objective - in.now;
      if (one.deadline != kNever) {
        const auto deadline = static_cast<double>(one.deadline.time_since_epoch().count());
        left = std::min(left, deadline - in.now);
      }
      slack[known++] = left;
    }
    const auto time = [&](std::size_t size) { return curve(size) * in.margin; };
    std::size_t hopeless = 0;
    while (hopeless < known && time(1) > slack[hopeless]) ++hopeless;
    if (hopeless > 0) return {.dropped = hopeless};

    const std::size_t most = std::min(count, in.cap);
    std::size_t batch = grow(0, most, slack[0], time);
    if (batch >= most) return {.batch = most};

    const std::size_t largest = grow(1, in.cap, in.objective, time);
    const double price =
        std::min(in.rate / in.executors, static_cast<double>(largest) / curve(largest));
    Plan best{.batch = batch, .limited = true};
    double worth = -1e300;
    std::size_t next = 0;
    std::size_t head = 0;
    for (std::size_t skip = 0; skip < known; ++skip) {
      batch =
          grow(fit(batch, slack[skip], time), std::min(count - skip, in.cap), slack[skip], time);
      if (batch == 0) continue;
      // The batch after it begins when this one ends, with what has come meanwhile.
      const double service = curve(batch);
      // Its first one is one that can still be in time then.
      head = std::max(head, skip + batch);
      while (head < known && slack[head] - service < time(1)) ++head;
      const double left = (head < known ? slack[head] : in.objective) - service;
      const auto come = static_cast<std::size_t>(in.rate / in.executors * service);
      const std::size_t queued = (count > head ? count - head : 0) + come;
      next = grow(fit(std::min(next, queued), left, time), std::min(queued, in.cap), left, time);
      const double value =
          static_cast<double>(batch + next) - price * (service + (next > 0 ? curve(next) : 0));
      if (value > worth + 1e-9) {
        worth = value;
        best.dropped = skip;
        best.batch = batch;
      }
      if (batch == count - skip) break;  // All that is left is in time.
    }
    return best;
  }

 private:
  static constexpr std::size_t kDepth = 128;

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
