// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_CLASS_METRICS_HPP
#define BATCHWRIGHT_CLASS_METRICS_HPP

#include "outcome.hpp"
#include "time_histogram.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {

/// What a batcher counts by class, besides what it counts of all requests. Costs some 20 to 40 ns a request
/// for each kind that is on, nothing for those that are off.
struct MetricsOptions {
  bool per_priority = false;
  bool per_lane = false;    ///< Needs `lane`, with keys that have a label: see KeyFunction.
  bool per_tenant = false;  ///< Needs `tenant`, likewise.

  /// Classes of each kind that are counted apart, from 1 to 10'000: the first that come up. All others
  /// are counted together as `other`. Some 300 bytes for each, once more for each executor, are allocated
  /// at construction, so memory does not grow with what clients send. An error where no kind is on.
  std::size_t max_classes = 100;
};

/// What became of one class of requests. `accepted` is `answered()` and what is queued or executing.
struct ClassCounts {
  std::uint64_t accepted = 0;
  std::uint64_t queued = 0;  ///< Now: admitted, and neither dispatched nor ended.
  std::uint64_t completed = 0;
  std::uint64_t completed_late = 0;  ///< Of these, answered after their deadline.
  std::uint64_t failed = 0;
  std::uint64_t expired = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t stopped = 0;
  std::uint64_t would_expire = 0;
  std::uint64_t evicted = 0;
  TimeHistogram queue_wait;  ///< From admission to the predictor; one a computed request.

  std::uint64_t answered() const noexcept {
    return completed + failed + expired + cancelled + stopped + would_expire + evicted;
  }

  ClassCounts& operator+=(const ClassCounts& other) noexcept;

  friend bool operator==(const ClassCounts&, const ClassCounts&) = default;
};

/// A priority, a lane or a tenant.
struct ClassMetrics : ClassCounts {
  /// The priority in digits, or the label of the key. `other` is what came after the first `max_classes`;
  /// a key with that label is counted there too.
  std::string label;

  friend bool operator==(const ClassMetrics&, const ClassMetrics&) = default;
};

/// The classes of one kind, in the order in which they came up, `other` last; empty if they are not
/// counted.
using ClassesMetrics = std::vector<ClassMetrics>;

namespace detail {

inline constexpr const char* kOtherClass = "other";

inline constexpr std::uint64_t ClassCounts::*kClassCounters[] = {
    &ClassCounts::accepted, &ClassCounts::completed,    &ClassCounts::completed_late,
    &ClassCounts::failed,   &ClassCounts::expired,      &ClassCounts::cancelled,
    &ClassCounts::stopped,  &ClassCounts::would_expire, &ClassCounts::evicted};

/// The count of an outcome in whatever has one for each. Accepted requests end in no other way than these.
template <class Counts>
std::uint64_t& count_of(Counts& counts, Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::ok:
      return counts.completed;
    case Outcome::failed:
      return counts.failed;
    case Outcome::expired:
      return counts.expired;
    case Outcome::cancelled:
      return counts.cancelled;
    case Outcome::stopped:
      return counts.stopped;
    case Outcome::would_expire:
      return counts.would_expire;
    default:
      return counts.evicted;
  }
}

inline ClassMetrics* find_class(ClassesMetrics& classes, const std::string& label) noexcept {
  const auto found = std::find_if(classes.begin(), classes.end(),
                                  [&](const ClassMetrics& one) { return one.label == label; });
  return found == classes.end() ? nullptr : &*found;
}

/// Adds what another batcher counted to the classes of the same labels; those that are new come before
/// `other`.
inline void merge_classes(ClassesMetrics& classes, const ClassesMetrics& others) {
  for (const ClassMetrics& other : others) {
    if (ClassMetrics* const same = find_class(classes, other.label); same != nullptr) {
      *same += other;
    } else {
      const bool ends = !classes.empty() && classes.back().label == kOtherClass;
      classes.insert(classes.end() - (ends ? 1 : 0), other);
    }
  }
}

/// Takes the counts of an earlier snapshot away; what is queued stays.
inline void subtract_classes(ClassesMetrics& classes, const ClassesMetrics& earlier) noexcept {
  for (const ClassMetrics& before : earlier) {
    ClassMetrics* const same = find_class(classes, before.label);
    if (same == nullptr) continue;
    for (const auto counter : kClassCounters) {
      same->*counter -= std::min(same->*counter, before.*counter);
    }
    same->queue_wait -= before.queue_wait;
  }
}

}  // namespace detail

inline ClassCounts& ClassCounts::operator+=(const ClassCounts& other) noexcept {
  for (const auto counter : detail::kClassCounters) this->*counter += other.*counter;
  queued += other.queued;
  queue_wait += other.queue_wait;
  return *this;
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_CLASS_METRICS_HPP
