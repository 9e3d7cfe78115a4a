// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_METRICS_HPP
#define BATCHWRIGHT_METRICS_HPP

#include "class_metrics.hpp"
#include "forecast_metrics.hpp"
#include "histogram.hpp"
#include "outcome.hpp"
#include "policy.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace batchwright::inline v0_1 {

/// One count for each enumerator of `Key`.
template <class Key, std::size_t N>
struct CountsBy {
  std::array<std::uint64_t, N> values{};

  std::uint64_t& operator[](Key key) noexcept { return values[static_cast<std::size_t>(key)]; }
  std::uint64_t operator[](Key key) const noexcept { return values[static_cast<std::size_t>(key)]; }

  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t value : values) sum += value;
    return sum;
  }

  CountsBy& operator+=(const CountsBy& other) noexcept {
    for (std::size_t i = 0; i < N; ++i) values[i] += other.values[i];
    return *this;
  }

  friend bool operator==(const CountsBy&, const CountsBy&) = default;
};

/// What a batcher has done since it was made, or between two snapshots: a plain value of about
/// 40 KB. Two snapshots of one batcher subtract, those of several batchers add.
///
/// Counters never decrease from one snapshot to the next. A snapshot is taken while the batcher
/// runs, part by part, so what moved meanwhile may show in one number and not yet in another;
/// answered requests are never ahead of accepted ones, neither in all nor of a class. Once nothing moves,
/// it is exact, and the classes of a kind add up to the whole.
struct MetricsSnapshot {
  TimePoint taken_at{};
  Duration interval{};  ///< Since the batcher was made, or between the two snapshots.

  // Requests. submitted == accepted + rejected.total().
  std::uint64_t submitted = 0;
  std::uint64_t accepted = 0;
  std::uint64_t completed = 0;       ///< Answered with a value.
  std::uint64_t completed_late = 0;  ///< Of these, answered after their deadline.
  std::uint64_t failed = 0;          ///< The predictor failed with them.
  std::uint64_t shared = 0;          ///< Of both, those for whom an identical one was computed.
  std::uint64_t expired = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t stopped = 0;
  std::uint64_t would_expire = 0;
  std::uint64_t evicted = 0;
  CountsBy<Outcome, kOutcomeCount> rejected;  ///< Never accepted, by reason.

  // Batches that were computed.
  CountsBy<ReleaseReason, kReleaseReasonCount> batches;
  std::uint64_t batches_failed = 0;  ///< Those in which a request failed.
  std::uint64_t executions = 0;  ///< Calls of the predictor: more than batches where it retries.
  std::uint64_t items = 0;       ///< Requests in all batches.
  std::uint64_t room = 0;        ///< Size that all batches could have had under the cap.
  std::uint64_t computed = 0;    ///< Size that the model ran with: theirs, padded to allowed sizes.
  std::uint64_t padding =
      0;  ///< The part of it that is padding: rows, tokens computed for nothing.

  // The state at `taken_at`.
  std::uint64_t queued = 0;
  std::uint64_t executing = 0;          ///< Requests that are being computed, shared ones all.
  std::uint64_t executing_batches = 0;  ///< These batches.
  std::uint64_t blocked = 0;            ///< Submitters that wait for capacity.
  std::uint64_t max_batch_size = 0;     ///< The cap in force.
  Duration oldest_queued_age{};         ///< Zero when nothing is queued.
  Duration oldest_executing_age{};      ///< Since dispatch; zero when nothing executes.

  Histogram batch_size;    ///< In weight units; one value a batch.
  Histogram service_time;  ///< Nanoseconds from dispatch to the last answer; one value a batch.
  Histogram queue_wait;    ///< Nanoseconds from admission to the predictor; one a computed request.
  Histogram latency;       ///< Nanoseconds from admission to the answer; one a computed request.

  /// How right the service model was; nothing where none is kept. One is kept for a policy that asks for
  /// it, and for FitRule::cheapest.
  std::optional<ForecastMetrics> forecast;

  std::string name;  ///< The batcher's. A merge keeps the first.

  // By class, as far as BatcherOptions::metrics asks for it.
  ClassesMetrics priorities;
  ClassesMetrics lanes;
  ClassesMetrics tenants;

  /// Accepted requests that have their answer, whatever it is.
  std::uint64_t answered() const noexcept {
    return completed + failed + expired + cancelled + stopped + would_expire + evicted;
  }

  /// The conservation law: every accepted request is answered, queued or executing, so
  /// `accepted - (answered() + queued + executing)` is zero at rest. While the batcher runs it is
  /// what was on its way between two places; in an interval it is less by what was queued and
  /// executing at its start.
  std::int64_t unaccounted() const noexcept {
    return static_cast<std::int64_t>(accepted - (answered() + queued + executing));
  }

  /// Completed requests per second; zero for an empty interval.
  double throughput() const noexcept {
    const double seconds = std::chrono::duration<double>(interval).count();
    return seconds > 0 ? static_cast<double>(completed) / seconds : 0;
  }

  /// Mean weight of a batch (the number of requests, where each weighs 1); zero without batches.
  double mean_batch_size() const noexcept { return batch_size.mean(); }

  /// Mean batch size over the cap, within [0, 1]; a merge weighs each batcher by its batches. A
  /// request that is larger than the cap and runs alone counts as a full batch.
  double utilisation() const noexcept {
    return room == 0 ? 0 : batch_size.sum() / static_cast<double>(room);
  }

  /// The share of what the model computed that was padding, within [0, 1): up to allowed sizes, and up to
  /// the longest with SizeRule::padded. Unlike this, `utilisation()` takes padding to the longest for
  /// work.
  double padding_rate() const noexcept {
    return computed == 0 ? 0 : static_cast<double>(padding) / static_cast<double>(computed);
  }

  /// Merges another batcher's snapshot of about the same time. Counters, gauges and histograms add;
  /// ages, interval, `taken_at` and the cap take the larger; classes of one label become one. Throws
  /// std::bad_alloc if either counts by class.
  MetricsSnapshot& operator+=(const MetricsSnapshot& other);

  friend bool operator==(const MetricsSnapshot&, const MetricsSnapshot&) = default;
};

/// What happened between two snapshots of one batcher. The gauges are those of the later one. Throws
/// std::bad_alloc.
MetricsSnapshot operator-(const MetricsSnapshot& later, const MetricsSnapshot& earlier);

/// A table for people, of some ten lines and one for each class: requests, state, batches, and the
/// quantiles of the four distributions. Its layout may change; programs read the fields.
std::string to_string(const MetricsSnapshot& metrics);

namespace detail {

inline constexpr std::uint64_t MetricsSnapshot::*kMetricsCounters[] = {
    &MetricsSnapshot::submitted,      &MetricsSnapshot::accepted,
    &MetricsSnapshot::completed,      &MetricsSnapshot::completed_late,
    &MetricsSnapshot::failed,         &MetricsSnapshot::expired,
    &MetricsSnapshot::cancelled,      &MetricsSnapshot::stopped,
    &MetricsSnapshot::would_expire,   &MetricsSnapshot::evicted,
    &MetricsSnapshot::batches_failed, &MetricsSnapshot::executions,
    &MetricsSnapshot::items,          &MetricsSnapshot::room,
    &MetricsSnapshot::computed,       &MetricsSnapshot::padding,
    &MetricsSnapshot::shared};

inline constexpr std::uint64_t MetricsSnapshot::*kMetricsGauges[] = {
    &MetricsSnapshot::queued, &MetricsSnapshot::executing, &MetricsSnapshot::executing_batches,
    &MetricsSnapshot::blocked};

inline constexpr Histogram MetricsSnapshot::*kMetricsHistograms[] = {
    &MetricsSnapshot::batch_size, &MetricsSnapshot::service_time, &MetricsSnapshot::queue_wait,
    &MetricsSnapshot::latency};

inline constexpr ClassesMetrics MetricsSnapshot::*kMetricsClasses[] = {
    &MetricsSnapshot::priorities, &MetricsSnapshot::lanes, &MetricsSnapshot::tenants};

inline std::string time_text(double ns) {
  constexpr const char* kUnits[] = {"ns", "us", "ms", "s"};
  int unit = 0;
  for (; unit < 3 && ns >= 1000; ++unit) ns /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", ns, kUnits[unit]);
  return text;
}

inline std::string duration_text(Duration duration) {
  return time_text(static_cast<double>(duration.count()));
}

inline std::string number_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

/// Appends "  name count" for each enumerator that was counted, or "  none".
template <class Key, std::size_t N>
void append_metrics_counts(std::string& out, const CountsBy<Key, N>& counts) {
  for (std::size_t i = 0; i < N; ++i) {
    if (counts.values[i] == 0) continue;
    out.append("  ").append(to_string(static_cast<Key>(i))).append(" ");
    out.append(std::to_string(counts.values[i]));
  }
  if (counts.total() == 0) out.append("  none");
}

/// One row of the table: count, mean, quantiles, maximum.
inline void append_metrics_row(std::string& out, const char* name, const Histogram& histogram,
                               std::string (*text)(double)) {
  const auto cell = [&out](const std::string& shown) {
    out.append(shown.size() < 11 ? 11 - shown.size() : 1, ' ').append(shown);
  };
  out.append(name);
  cell(std::to_string(histogram.count()));
  cell(text(histogram.mean()));
  for (const double q : {0.5, 0.9, 0.99, 0.999, 1.0}) {
    cell(text(static_cast<double>(histogram.quantile(q))));
  }
  out.append("\n");
}

/// A line for each class of one kind that has had a request.
inline void append_metrics_classes(std::string& out, const char* kind,
                                   const ClassesMetrics& classes) {
  const auto count = [&out](const char* name, std::uint64_t value) {
    if (value > 0) out.append("  ").append(name).append(" ").append(std::to_string(value));
  };
  for (const ClassMetrics& one : classes) {
    if (one.accepted == 0) continue;
    out.append(kind).append(one.label).append("  accepted ").append(std::to_string(one.accepted));
    out.append("  queued ").append(std::to_string(one.queued));
    count("completed", one.completed);
    count("late", one.completed_late);
    count("failed", one.failed);
    count("expired", one.expired);
    count("cancelled", one.cancelled);
    count("stopped", one.stopped);
    count("would expire", one.would_expire);
    count("evicted", one.evicted);
    if (!one.queue_wait.empty()) {
      out.append("  mean wait ").append(time_text(one.queue_wait.mean()));
      out.append(" (most ").append(time_text(static_cast<double>(one.queue_wait.max())));
      out.append(")");
    }
    out.append("\n");
  }
}

/// Merges all but what belongs to classes.
inline void add_totals(MetricsSnapshot& sum, const MetricsSnapshot& other) noexcept {
  for (const auto counter : kMetricsCounters) sum.*counter += other.*counter;
  for (const auto gauge : kMetricsGauges) sum.*gauge += other.*gauge;
  for (const auto histogram : kMetricsHistograms) sum.*histogram += other.*histogram;
  sum.rejected += other.rejected;
  sum.batches += other.batches;
  sum.taken_at = std::max(sum.taken_at, other.taken_at);
  sum.interval = std::max(sum.interval, other.interval);
  sum.max_batch_size = std::max(sum.max_batch_size, other.max_batch_size);
  sum.oldest_queued_age = std::max(sum.oldest_queued_age, other.oldest_queued_age);
  sum.oldest_executing_age = std::max(sum.oldest_executing_age, other.oldest_executing_age);
  if (!other.forecast) return;
  if (!sum.forecast) sum.forecast.emplace();
  *sum.forecast += *other.forecast;
}

}  // namespace detail

inline MetricsSnapshot& MetricsSnapshot::operator+=(const MetricsSnapshot& other) {
  detail::add_totals(*this, other);
  for (const auto classes : detail::kMetricsClasses) {
    detail::merge_classes(this->*classes, other.*classes);
  }
  return *this;
}

inline MetricsSnapshot operator-(const MetricsSnapshot& later, const MetricsSnapshot& earlier) {
  MetricsSnapshot between = later;
  const auto take = [](std::uint64_t& from, std::uint64_t what) { from -= std::min(from, what); };
  for (const auto counter : detail::kMetricsCounters) take(between.*counter, earlier.*counter);
  for (const auto histogram : detail::kMetricsHistograms) between.*histogram -= earlier.*histogram;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    take(between.rejected.values[i], earlier.rejected.values[i]);
  }
  for (std::size_t i = 0; i < kReleaseReasonCount; ++i) {
    take(between.batches.values[i], earlier.batches.values[i]);
  }
  if (between.forecast && earlier.forecast) *between.forecast -= *earlier.forecast;
  for (const auto classes : detail::kMetricsClasses) {
    detail::subtract_classes(between.*classes, earlier.*classes);
  }
  between.interval = later.taken_at - earlier.taken_at;
  return between;
}

inline std::string to_string(const MetricsSnapshot& metrics) {
  std::string out;
  const auto count = [&out](const char* name, std::uint64_t value) {
    out.append("  ").append(name).append(" ").append(std::to_string(value));
  };
  if (!metrics.name.empty()) out.append("batcher     ").append(metrics.name).append("\n");
  out.append("interval    ").append(detail::duration_text(metrics.interval));
  out.append("  throughput ").append(detail::number_text(metrics.throughput())).append("/s");
  out.append("\nrequests  ");
  count("submitted", metrics.submitted);
  count("accepted", metrics.accepted);
  count("rejected", metrics.rejected.total());
  out.append("\nanswered  ");
  count("completed", metrics.completed);
  count("late", metrics.completed_late);
  count("failed", metrics.failed);
  count("expired", metrics.expired);
  count("cancelled", metrics.cancelled);
  count("stopped", metrics.stopped);
  count("would expire", metrics.would_expire);
  count("evicted", metrics.evicted);
  if (metrics.shared > 0) count("shared", metrics.shared);
  out.append("\nrejected  ");
  detail::append_metrics_counts(out, metrics.rejected);
  out.append("\nnow       ");
  count("queued", metrics.queued);
  out.append(" (oldest ").append(detail::duration_text(metrics.oldest_queued_age)).append(")");
  count("executing", metrics.executing);
  count("in batches", metrics.executing_batches);
  out.append(" (oldest ").append(detail::duration_text(metrics.oldest_executing_age)).append(")");
  count("blocked", metrics.blocked);
  out.append("\nbatches   ");
  count("computed", metrics.batches.total());
  count("failed", metrics.batches_failed);
  count("executions", metrics.executions);
  out.append("  utilisation ").append(detail::number_text(metrics.utilisation()));
  if (metrics.padding > 0) {
    out.append("  padding ").append(detail::number_text(metrics.padding_rate()));
  }
  if (metrics.forecast) {
    out.append("\nforecast  ");
    count("batches", metrics.forecast->count());
    out.append("  mean error ").append(detail::duration_text(metrics.forecast->mean_error()));
    out.append("  without sign ");
    out.append(detail::duration_text(metrics.forecast->mean_absolute_error()));
  }
  out.append("\nreleased  ");
  detail::append_metrics_counts(out, metrics.batches);
  out.append("\n                  count       mean        p50        p90        p99      p99.9");
  out.append("        max\n");
  detail::append_metrics_row(out, "batch size  ", metrics.batch_size, detail::number_text);
  detail::append_metrics_row(out, "service time", metrics.service_time, detail::time_text);
  detail::append_metrics_row(out, "queue wait  ", metrics.queue_wait, detail::time_text);
  detail::append_metrics_row(out, "latency     ", metrics.latency, detail::time_text);
  detail::append_metrics_classes(out, "priority ", metrics.priorities);
  detail::append_metrics_classes(out, "lane ", metrics.lanes);
  detail::append_metrics_classes(out, "tenant ", metrics.tenants);
  return out;
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_METRICS_HPP
