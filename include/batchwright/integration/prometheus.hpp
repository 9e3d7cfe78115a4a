// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_INTEGRATION_PROMETHEUS_HPP
#define BATCHWRIGHT_INTEGRATION_PROMETHEUS_HPP

// Metrics as Prometheus reads them. Needs nothing but the standard library: serve the text by
// whatever answers HTTP in your program, or write it to a file for node_exporter.

#include "../detail/text.hpp"
#include "../errors.hpp"
#include "../metrics.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {

/// The Content-Type of what `prometheus_text` returns.
inline constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/// A range of pairs (name, snapshot), such as std::map<std::string, MetricsSnapshot>, that holds them:
/// dereferencing gives a reference. The second may be a std::reference_wrapper.
template <class Range>
concept NamedSnapshots = requires(const Range& range) {
  requires std::is_lvalue_reference_v<decltype(*std::begin(range))>;
  { std::begin(range)->first } -> std::convertible_to<std::string_view>;
  { std::begin(range)->second } -> std::convertible_to<const MetricsSnapshot&>;
  std::end(range);
};

/// The metrics of one batcher in Prometheus' text exposition format 0.0.4: everything in the
/// snapshot but `taken_at`, an instant that means nothing outside the process. All names begin with
/// `batchwright_`, all samples carry `batcher="<name>"`; times are in seconds. Give snapshots of a
/// batcher's whole life, as `metrics()` returns them, not intervals: counters have to grow.
///
/// What is counted by class has families of its own, `batchwright_tenant_requests_queued{tenant=...}` and
/// so on, so that a sum over a family counts nothing twice; they are there where a batcher counts by that
/// kind, and those of forecasts where one keeps a service model.
///
/// Which other lines there are does not depend on what happened: no series but a class's appears late, and
/// none disappears. The buckets of a histogram are the same for every batcher and every scrape, and their counts are exact: each `le`
/// is an upper bound of Histogram's own buckets, the one that takes a round number (1, 2, 5, 10 us
/// and so on up to 10 s; sizes 1, 2, 4 and so on up to 4096). So it is that number for sizes up to 32,
/// and otherwise at most 1/32 above it: 1 ms is le="0.001015807", 128 requests le="131".
///
/// The name may be any text; bytes that are no UTF-8, and NUL, show as U+FFFD. Independent of the
/// locale. Throws std::bad_alloc.
std::string prometheus_text(const MetricsSnapshot& metrics, std::string_view batcher_name);

/// As the above, with the name that the batcher has by its options.
std::string prometheus_text(const MetricsSnapshot& metrics);

/// As the above, for several batchers in one text: `prometheus_text({a.metrics(), b.metrics()})`. Throws
/// std::invalid_argument if two of them have the same name, which would make two series one.
std::string prometheus_text(std::span<const MetricsSnapshot> batchers);
std::string prometheus_text(std::initializer_list<MetricsSnapshot> batchers);

/// As the above, under other names than their own.
template <NamedSnapshots Range>
std::string prometheus_text(const Range& batchers);

/// As the above, for `prometheus_text({{"rank", a.metrics()}, {"embed", b.metrics()}})`.
inline std::string prometheus_text(
    std::initializer_list<std::pair<std::string_view, MetricsSnapshot>> batchers);

namespace detail {

// Upper bounds of the histograms: each is that of the bucket which takes the number.
inline constexpr auto kPrometheusTimes = [] {
  std::array<std::uint64_t, TimeHistogram::kBucketCount - 1> times{};
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = TimeHistogram::bucket_upper(i);
  return times;
}();
inline constexpr std::uint64_t kPrometheusSizes[] = {1,   2,   4,   8,    16,   32,  64,
                                                     128, 256, 512, 1024, 2048, 4096};

/// Writes family by family, and in each batcher by batcher, as the format wants it.
class PrometheusText {
 public:
  void add(std::string_view name, const MetricsSnapshot& metrics) {
    std::string label = escaped(name);
    for (const Batcher& other : batchers_) {
      if (other.label != label) continue;
      raise(std::invalid_argument("prometheus_text: batchers must have different names, got \"" +
                                  label + "\" twice"));
    }
    batchers_.push_back({std::move(label), &metrics});
  }

  std::string write() {
    using M = MetricsSnapshot;
    counter("requests_submitted_total", "Requests submitted, accepted or not.", &M::submitted);
    counter("requests_accepted_total", "Requests accepted.", &M::accepted);
    family("requests_rejected_total", "counter", "Requests never accepted, by reason.");
    each([this](const M& metrics) {
      for (std::size_t i = 0; i < kOutcomeCount; ++i) {
        const auto outcome = static_cast<Outcome>(i);
        // These are no refusals.
        if (outcome == Outcome::ok || outcome == Outcome::failed || outcome == Outcome::evicted ||
            outcome == Outcome::would_expire) {
          continue;
        }
        sample("", "reason", to_string(outcome), metrics.rejected[outcome]);
      }
    });
    family("requests_answered_total", "counter",
           "Accepted requests that have been answered, by outcome.");
    each([this](const M& metrics) {
      sample("", "outcome", to_string(Outcome::ok), metrics.completed);
      sample("", "outcome", to_string(Outcome::failed), metrics.failed);
      sample("", "outcome", to_string(Outcome::expired), metrics.expired);
      sample("", "outcome", to_string(Outcome::cancelled), metrics.cancelled);
      sample("", "outcome", to_string(Outcome::stopped), metrics.stopped);
      sample("", "outcome", to_string(Outcome::would_expire), metrics.would_expire);
      sample("", "outcome", to_string(Outcome::evicted), metrics.evicted);
    });
    counter("requests_late_total", "Requests answered with a value after their deadline.",
            &M::completed_late);
    counter("requests_shared_total", "Requests answered with what an identical one computed.",
            &M::shared);
    family("batches_total", "counter", "Batches computed, by why they left the queue.");
    each([this](const M& metrics) {
      for (std::size_t i = 0; i < kReleaseReasonCount; ++i) {
        const auto reason = static_cast<ReleaseReason>(i);
        sample("", "reason", to_string(reason), metrics.batches[reason]);
      }
    });
    counter("batches_failed_total", "Batches with which the predictor failed.", &M::batches_failed);
    counter("predictor_calls_total", "Calls of the predictor.", &M::executions);
    counter("batch_requests_total", "Requests in all batches.", &M::items);
    counter("batch_room_total", "Size that all batches could have had under the cap.", &M::room);
    counter("batch_computed_size_total", "Size that the model ran with, padding included.",
            &M::computed);
    counter("batch_padding_total", "The part of the computed size that was padding.", &M::padding);
    gauge("requests_queued", "Requests that wait for a batch.", &M::queued);
    gauge("requests_executing", "Requests in batches that are being computed.", &M::executing);
    gauge("batches_executing", "Batches that are being computed.", &M::executing_batches);
    gauge("submitters_blocked", "Submitters that wait for capacity.", &M::blocked);
    gauge("max_batch_size", "The cap in force.", &M::max_batch_size);
    gauge("oldest_queued_age_seconds", "How long the oldest queued request has waited.",
          &M::oldest_queued_age);
    gauge("oldest_executing_age_seconds",
          "How long ago the oldest batch that is being computed was dispatched.",
          &M::oldest_executing_age);
    gauge("interval_seconds", "The time that the counters cover: since the batcher was made.",
          &M::interval);
    histogram("batch_size", "Sizes of the batches.", &M::batch_size, kPrometheusSizes, 0);
    histogram("service_time_seconds", "From the dispatch of a batch to its last answer.",
              &M::service_time, kPrometheusTimes, 9);
    histogram("queue_wait_seconds", "From the admission of a request to the predictor.",
              &M::queue_wait, kPrometheusTimes, 9);
    histogram("latency_seconds", "From the admission of a computed request to its answer.",
              &M::latency, kPrometheusTimes, 9);
    forecasts();
    classes("priority", &M::priorities);
    classes("lane", &M::lanes);
    classes("tenant", &M::tenants);
    return std::move(out_);
  }

 private:
  struct Batcher {
    std::string label;  // Its name, escaped.
    const MetricsSnapshot* metrics;
  };

  static std::string escaped(std::string_view text) {
    std::string label;
    append_escaped(label, text, [](std::string& out, char character) {
      const char* const escape = character == '\\'   ? "\\\\"
                                 : character == '"'  ? "\\\""
                                 : character == '\n' ? "\\n"
                                 : character == '\0' ? "\xef\xbf\xbd"
                                                     : nullptr;
      if (escape != nullptr) out.append(escape);
      return escape != nullptr;
    });
    return label;
  }

  void family(std::string name, const char* type, std::string_view help) {
    name_ = std::move(name);
    out_.append("# HELP batchwright_").append(name_).append(" ").append(help);
    out_.append("\n# TYPE batchwright_").append(name_).append(" ").append(type).append("\n");
  }

  template <class Samples>
  void each(Samples samples) {
    for (const Batcher& batcher : batchers_) {
      labels_ = "batcher=\"" + batcher.label + "\"";
      samples(*batcher.metrics);
    }
  }

  template <class Has>
  bool any(Has has) const {
    return std::any_of(batchers_.begin(), batchers_.end(),
                       [&](const Batcher& batcher) { return has(*batcher.metrics); });
  }

  void forecasts() {
    if (!any([](const MetricsSnapshot& metrics) { return metrics.forecast.has_value(); })) return;
    const auto each_forecast = [this](auto samples) {
      each([&](const MetricsSnapshot& metrics) {
        if (metrics.forecast) samples(*metrics.forecast);
      });
    };
    const auto seconds = [](std::uint64_t ns) { return Duration(static_cast<std::int64_t>(ns)); };
    family("forecast_expected_seconds_total", "counter",
           "What batches were expected to take, by the service model.");
    each_forecast(
        [&](const ForecastMetrics& one) { sample("", nullptr, {}, seconds(one.expected_ns)); });
    family("forecast_taken_seconds_total", "counter", "What the same batches took.");
    each_forecast(
        [&](const ForecastMetrics& one) { sample("", nullptr, {}, seconds(one.taken_ns)); });
    family("forecast_early_seconds", "histogram", "By how much batches took less than expected.");
    each_forecast([&](const ForecastMetrics& one) { buckets(one.early); });
    family("forecast_late_seconds", "histogram", "By how much all other batches took more.");
    each_forecast([&](const ForecastMetrics& one) { buckets(one.late); });
  }

  /// What is counted by one kind of classes.
  void classes(const std::string& kind, ClassesMetrics MetricsSnapshot::*member) {
    if (!any([&](const MetricsSnapshot& metrics) { return !(metrics.*member).empty(); })) return;
    const auto each_class = [&](auto samples) {
      for (const Batcher& batcher : batchers_) {
        for (const ClassMetrics& one : batcher.metrics->*member) {
          labels_ = "batcher=\"" + batcher.label + "\"," + kind + "=\"" + escaped(one.label) + "\"";
          samples(one);
        }
      }
    };
    family(kind + "_requests_accepted_total", "counter", "Requests accepted, by " + kind + ".");
    each_class([&](const ClassMetrics& one) { sample("", nullptr, {}, one.accepted); });
    family(kind + "_requests_answered_total", "counter",
           "Accepted requests that have been answered, by " + kind + " and outcome.");
    each_class([&](const ClassMetrics& one) {
      sample("", "outcome", to_string(Outcome::ok), one.completed);
      sample("", "outcome", to_string(Outcome::failed), one.failed);
      sample("", "outcome", to_string(Outcome::expired), one.expired);
      sample("", "outcome", to_string(Outcome::cancelled), one.cancelled);
      sample("", "outcome", to_string(Outcome::stopped), one.stopped);
      sample("", "outcome", to_string(Outcome::would_expire), one.would_expire);
      sample("", "outcome", to_string(Outcome::evicted), one.evicted);
    });
    family(kind + "_requests_late_total", "counter",
           "Requests answered with a value after their deadline, by " + kind + ".");
    each_class([&](const ClassMetrics& one) { sample("", nullptr, {}, one.completed_late); });
    family(kind + "_requests_queued", "gauge", "Requests that wait for a batch, by " + kind + ".");
    each_class([&](const ClassMetrics& one) { sample("", nullptr, {}, one.queued); });
    family(kind + "_queue_wait_seconds", "histogram",
           "From the admission of a request to the predictor, by " + kind + ".");
    each_class([&](const ClassMetrics& one) { buckets(one.queue_wait); });
  }

  /// One line of the current family and batcher; `key` is null or a further label's.
  template <class Value>
  void sample(const char* suffix, const char* key, std::string_view label, Value value) {
    out_.append("batchwright_").append(name_).append(suffix);
    out_.append("{").append(labels_);
    if (key != nullptr) out_.append(",").append(key).append("=\"").append(label).append("\"");
    out_.append("} ");
    if constexpr (std::same_as<Value, Duration>) {
      append_scaled(out_, value.count(), 9);
    } else {
      append_number(out_, value);
    }
    out_.append("\n");
  }

  template <class Value>
  void counter(const char* name, const char* help, Value MetricsSnapshot::*value) {
    family(name, "counter", help);
    each([&](const MetricsSnapshot& metrics) { sample("", nullptr, {}, metrics.*value); });
  }

  template <class Value>
  void gauge(const char* name, const char* help, Value MetricsSnapshot::*value) {
    family(name, "gauge", help);
    each([&](const MetricsSnapshot& metrics) { sample("", nullptr, {}, metrics.*value); });
  }

  /// Values are in units of 10^-decimals.
  void histogram(const char* name, const char* help, Histogram MetricsSnapshot::*value,
                 std::span<const std::uint64_t> bounds, int decimals) {
    family(name, "histogram", help);
    each([&](const MetricsSnapshot& metrics) {
      const Histogram& histogram = metrics.*value;
      std::size_t index = 0;
      std::uint64_t below = 0;
      for (const std::uint64_t bound : bounds) {
        const std::size_t last = Histogram::bucket_of(bound);
        while (index <= last) below += histogram.bucket_count(index++);
        std::string le;
        append_scaled(le, static_cast<std::int64_t>(Histogram::bucket_upper(last)), decimals);
        sample("_bucket", "le", le, below);
      }
      sample("_bucket", "le", "+Inf", histogram.count());
      sample("_sum", nullptr, {}, histogram.sum() / (decimals == 0 ? 1.0 : 1e9));
      sample("_count", nullptr, {}, histogram.count());
    });
  }

  void buckets(const TimeHistogram& histogram) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < kPrometheusTimes.size(); ++i) {
      below += histogram.bucket_count(i);
      std::string le;
      append_scaled(le, static_cast<std::int64_t>(kPrometheusTimes[i]), 9);
      sample("_bucket", "le", le, below);
    }
    sample("_bucket", "le", "+Inf", histogram.count());
    sample("_sum", nullptr, {}, histogram.sum() / 1e9);
    sample("_count", nullptr, {}, histogram.count());
  }

  std::vector<Batcher> batchers_;
  std::string out_;
  std::string name_;    // Of the current family.
  std::string labels_;  // Of the current batcher, or of its class.
};

}  // namespace detail

inline std::string prometheus_text(const MetricsSnapshot& metrics, std::string_view batcher_name) {
  detail::PrometheusText text;
  text.add(batcher_name, metrics);
  return text.write();
}

inline std::string prometheus_text(const MetricsSnapshot& metrics) {
  return prometheus_text(metrics, metrics.name);
}

inline std::string prometheus_text(std::span<const MetricsSnapshot> batchers) {
  detail::PrometheusText text;
  for (const MetricsSnapshot& metrics : batchers) text.add(metrics.name, metrics);
  return text.write();
}

inline std::string prometheus_text(std::initializer_list<MetricsSnapshot> batchers) {
  return prometheus_text(std::span<const MetricsSnapshot>(batchers.begin(), batchers.size()));
}

template <NamedSnapshots Range>
std::string prometheus_text(const Range& batchers) {
  detail::PrometheusText text;
  for (const auto& batcher : batchers) text.add(batcher.first, batcher.second);
  return text.write();
}

inline std::string prometheus_text(
    std::initializer_list<std::pair<std::string_view, MetricsSnapshot>> batchers) {
  return prometheus_text<decltype(batchers)>(batchers);
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_INTEGRATION_PROMETHEUS_HPP
