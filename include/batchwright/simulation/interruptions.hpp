// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_INTERRUPTIONS_HPP
#define BATCHWRIGHT_SIMULATION_INTERRUPTIONS_HPP

#include "../policy.hpp"
#include "random.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// The core of an executor is not there for a while, whatever the executor does: the hypervisor runs
/// another guest on it, an interrupt is served. It begins so long after the end of the one before.
struct Interruption {
  Duration after{};
  Duration length{};
};

}  // namespace simulation

namespace detail {

/// When the core of one executor is there, and when it is interrupted. What lies behind the latest instant
/// that it was asked about counts as not interrupted. An answer costs O(interruptions since then), of one
/// round of them at most.
class CoreClock {
 public:
  /// `interruptions` are not empty, right, and have to outlive it. `start`: the beginning of time, which
  /// is a random instant of theirs.
  CoreClock(const std::vector<simulation::Interruption>& interruptions, simulation::Random random,
            TimePoint start) noexcept
      : all_(interruptions) {
    for (const simulation::Interruption& one : all_) {
      available_ += one.after;
      round_ += one.after + one.length;
    }
    const Duration past = to_duration(random.unit() * static_cast<double>(round_.count()));
    begin_ = start - past + all_.front().after;
    end_ = begin_ + all_.front().length;
    move_to(start);
  }

  /// The instant itself or, if it is in an interruption, the end of that.
  TimePoint enter(TimePoint instant) noexcept {
    if (instant == kNever) return kNever;
    move_to(instant);
    for (; begin_ <= instant; next()) instant = end_;
    return instant;
  }

  /// When somebody is done who enters then and needs the core for that long.
  TimePoint leave(TimePoint entered, Duration work) noexcept {
    TimePoint now = enter(entered);
    if (work <= Duration::zero()) return now;
    const std::int64_t rounds = (work - Duration(1)) / available_;  // It may end as another begins.
    const Duration skipped =
        to_duration(static_cast<double>(rounds) * static_cast<double>(round_.count()));
    if (saturating_add(now, skipped) == kNever) return kNever;
    now += skipped;
    begin_ = saturating_add(begin_, skipped);
    end_ = saturating_add(end_, skipped);
    for (work -= rounds * available_; work > begin_ - now; next()) {
      work -= begin_ - now;
      now = end_;
    }
    return saturating_add(now, work);
  }

 private:
  // Drops what has ended by then.
  void move_to(TimePoint instant) noexcept {
    if (instant >= end_) {
      const Duration rounds = (instant - end_) / round_ * round_;
      begin_ += rounds;
      end_ += rounds;
    }
    while (end_ <= instant) next();
  }

  void next() noexcept {
    at_ = (at_ + 1) % all_.size();
    begin_ = saturating_add(end_, all_[at_].after);
    end_ = saturating_add(begin_, all_[at_].length);
  }

  const std::vector<simulation::Interruption>& all_;
  Duration available_{};  // Of a round of all of them, without them.
  Duration round_{};      // With them.
  std::size_t at_ = 0;    // The next one, or the one that lasts,
  TimePoint begin_{};     // and when that is.
  TimePoint end_{};
};

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_INTERRUPTIONS_HPP
