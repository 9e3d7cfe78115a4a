// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/integration/prometheus.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <clocale>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <locale>
#include <map>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using batchwright::ClassMetrics;
using batchwright::Duration;
using batchwright::Histogram;
using batchwright::kOutcomeCount;
using batchwright::kReleaseReasonCount;
using batchwright::MetricsSnapshot;
using batchwright::NamedSnapshots;
using batchwright::Outcome;
using batchwright::prometheus_text;
using batchwright::ReleaseReason;

// --- A parser of the format that lets nothing pass
using Labels = std::map<std::string, std::string>;

struct Sample {
  std::string name;
  Labels labels;
  double value = 0;
};

class ParseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What a scraper makes of a text. Throws ParseError where the text breaks a rule of the format.
class Scrape {
 public:
  explicit Scrape(std::string_view text) {
    require(text.empty() || text.back() == '\n', "the last line ends");
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      line_ = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (line_.substr(0, 2) == "# ") {
        comment();
      } else {
        sample();
      }
    }
    for (const auto& [name, type] : types_) {
      if (type == "histogram") check_histogram(name);
      if (type == "counter") require(name.size() > 6 && name.ends_with("_total"), "_total");
      require(helps_.contains(name), "HELP");
    }
  }

  const std::vector<Sample>& samples() const { return samples_; }
  const std::map<std::string, std::string>& types() const { return types_; }

  bool has(const std::string& name, const Labels& labels) const {
    return values_.contains({name, labels});
  }
  double value(const std::string& name, const Labels& labels) const {
    const auto found = values_.find({name, labels});
    if (found == values_.end()) throw ParseError("no sample " + name);
    return found->second;
  }

  /// The bounds of a histogram as they are written, in order, without +Inf.
  std::vector<std::string> bounds(const std::string& family, const std::string& batcher) const {
    std::vector<std::string> bounds;
    for (const Sample& sample : samples_) {
      if (sample.name != family + "_bucket" || sample.labels.at("batcher") != batcher) continue;
      if (sample.labels.at("le") != "+Inf") bounds.push_back(sample.labels.at("le"));
    }
    return bounds;
  }

 private:
  void require(bool right, const std::string& what) const {
    if (!right) throw ParseError(what + ": " + std::string(line_));
  }

  bool take(std::string_view expected) {
    if (line_.substr(0, expected.size()) != expected) return false;
    line_.remove_prefix(expected.size());
    return true;
  }

  std::string name(bool colons) {
    std::size_t length = 0;
    const auto fits = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':') ||
             (length > 0 && c >= '0' && c <= '9');
    };
    while (length < line_.size() && fits(line_[length])) ++length;
    require(length > 0, "a name");
    const std::string name(line_.substr(0, length));
    line_.remove_prefix(length);
    return name;
  }

  void comment() {
    if (take("# HELP ")) {
      const std::string family = name(true);
      require(take(" ") && !line_.empty(), "a help text");
      require(line_.find('\\') == std::string_view::npos, "nothing to escape");
      require(helps_.insert(family).second, "one HELP a family");
      require(!types_.contains(family), "HELP stands before TYPE");
    } else if (take("# TYPE ")) {
      const std::string family = name(true);
      require(take(" "), "a type");
      const std::string type(line_);
      require(type == "counter" || type == "gauge" || type == "histogram", "a known type");
      require(types_.emplace(family, type).second, "one TYPE a family");
      current_ = family;
    } else {
      require(false, "a comment that is neither HELP nor TYPE");
    }
  }

  std::string label_value() {
    require(take("\""), "an opening quote");
    std::string value;
    while (!line_.empty() && line_.front() != '"') {
      char character = line_.front();
      line_.remove_prefix(1);
      if (character == '\\') {
        require(!line_.empty(), "an escaped character");
        character = line_.front();
        line_.remove_prefix(1);
        require(character == '\\' || character == '"' || character == 'n', "a known escape");
        if (character == 'n') character = '\n';
      }
      value.push_back(character);
    }
    require(take("\""), "a closing quote");
    return value;
  }

  static double number(std::string_view text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw ParseError("no number: " + std::string(text));
    }
    return value;
  }

  void sample() {
    Sample sample;
    sample.name = name(true);
    if (take("{")) {
      do {
        const std::string label = name(false);
        require(take("="), "=");
        require(sample.labels.emplace(label, label_value()).second, "no label twice");
      } while (take(","));
      require(take("}"), "}");
    }
    require(take(" "), "one space before the value");
    sample.value = number(line_);

    // Samples follow the TYPE of their family, all of a family together.
    require(!current_.empty(), "a TYPE before the samples");
    if (types_.at(current_) == "histogram") {
      require(sample.name == current_ + "_bucket" || sample.name == current_ + "_sum" ||
                  sample.name == current_ + "_count",
              "a sample of " + current_);
      require((sample.name == current_ + "_bucket") == sample.labels.contains("le"), "le");
    } else {
      require(sample.name == current_, "a sample of " + current_);
    }
    require(values_.emplace(std::pair(sample.name, sample.labels), sample.value).second,
            "no series twice");
    samples_.push_back(std::move(sample));
  }

  void check_histogram(const std::string& family) {
    struct Last {
      double le = -std::numeric_limits<double>::infinity();
      double count = 0;
    };
    std::map<Labels, Last> last;  // By the labels but le.
    for (const Sample& sample : samples_) {
      if (sample.name != family + "_bucket") continue;
      Labels rest = sample.labels;
      rest.erase("le");
      Last& before = last[rest];
      const double le = number(sample.labels.at("le"));
      require(le > before.le, "ascending buckets of " + family);
      require(sample.value >= before.count, "cumulative buckets of " + family);
      before = {le, sample.value};
    }
    for (const auto& [labels, end] : last) {
      require(std::isinf(end.le), "+Inf of " + family);
      require(end.count == value(family + "_count", labels), "the count of " + family);
      require(has(family + "_sum", labels), "the sum of " + family);
    }
  }

  std::string_view line_;
  std::string current_;  // The family whose samples may come.
  std::set<std::string> helps_;
  std::map<std::string, std::string> types_;
  std::vector<Sample> samples_;
  std::map<std::pair<std::string, Labels>, double> values_;
};

/// A snapshot as a random run might leave it, or a later one of the same run.
void grow(MetricsSnapshot& metrics, std::mt19937_64& random) {
  const auto some = [&random] { return random() % 1'000; };
  for (const auto counter : batchwright::detail::kMetricsCounters) metrics.*counter += some();
  for (const auto gauge : batchwright::detail::kMetricsGauges) metrics.*gauge = some();
  for (std::size_t i = 2; i < kOutcomeCount; ++i) metrics.rejected.values[i] += some();
  for (auto& count : metrics.batches.values) count += some();
  for (const auto histogram : batchwright::detail::kMetricsHistograms) {
    for (std::uint64_t n = some(); n > 0; --n) {
      (metrics.*histogram).record(random() >> (random() % 64));
    }
  }
  metrics.interval += Duration(some());
  metrics.max_batch_size = some();
  metrics.oldest_queued_age = Duration(random() >> 1);
  metrics.oldest_executing_age = Duration(random() >> 1);
}

/// The same for what is counted by class and forecast.
void grow_classes(MetricsSnapshot& metrics, std::mt19937_64& random) {
  if (!metrics.forecast) metrics.forecast.emplace();
  metrics.forecast->record(Duration(random() % 1'000'000), Duration(random() % 1'000'000));
  for (const auto member : batchwright::detail::kMetricsClasses) {
    auto& classes = metrics.*member;
    if (classes.size() < 5) classes.emplace_back().label = std::to_string(classes.size());
    for (auto& one : classes) {
      for (const auto counter : batchwright::detail::kClassCounters) one.*counter += random() % 9;
      one.queued = random() % 9;
      one.queue_wait.record(random() >> (random() % 64));
    }
  }
}

double value_of(const MetricsSnapshot& metrics, const std::string& name, Labels labels = {}) {
  labels.emplace("batcher", "b");
  return Scrape(prometheus_text(metrics, "b")).value("batchwright_" + name, labels);
}

TEST(PrometheusParser, RefusesWhatBreaksTheFormat) {
  const std::string head = "# HELP a_total b\n# TYPE a_total counter\n";
  const std::string histogram = "# HELP h b\n# TYPE h histogram\n";
  EXPECT_NO_THROW(Scrape(head + "a_total{x=\"1\",y=\"\\\\\\\"\\n\"} 3\n"));
  EXPECT_NO_THROW(Scrape(histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\n"
                                     "h_count 2\n"));
  for (const std::string& wrong :
       {"a_total 3\n"s,
        head + "a_total 3",
        head + "b_total 3\n",
        head + "a_total  3\n",
        head + "a_total 3,5\n",
        head + "a_total 1\na_total 2\n",
        head + "a_total{x=\"1\"y=\"2\"} 3\n",
        head + "a_total{x=\"1} 3\n",
        head + "a_total{x=\"\\t\"} 3\n",
        head + "\n",
        head + "a_total{x=\"1\"} \n",
        head + head,
        "# HELP a b\n# TYPE a counter\n"s,
        "# TYPE a gauge\n"s,
        "# HELP a b\n# TYPE a number\n"s,
        histogram + "h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n",
        histogram + "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
                    "h_sum 3\nh_count 1\n",
        histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n",
        histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 2\n",
        histogram + "h_bucket{le=\"+Inf\"} 1\nh_count 1\n"}) {
    EXPECT_THROW(Scrape{wrong}, ParseError) << wrong;
  }
}

// --- One batcher
TEST(Prometheus, WritesExactlyThis) {
  MetricsSnapshot metrics;
  metrics.interval = 90s + 500ms;
  metrics.submitted = 6;
  metrics.accepted = 5;
  metrics.completed = 3;
  metrics.completed_late = 1;
  metrics.expired = 1;
  metrics.rejected[Outcome::queue_full] = 1;
  metrics.batches[ReleaseReason::greedy] = 1;
  metrics.executions = 1;
  metrics.items = 3;
  metrics.room = 32;
  metrics.computed = 4;
  metrics.padding = 1;
  metrics.queued = 1;
  metrics.max_batch_size = 32;
  metrics.oldest_queued_age = 20us;
  metrics.batch_size.record(3);
  metrics.service_time.record(1'500'000);
  metrics.queue_wait.record_n(40'000, 3);
  metrics.latency.record_n(1'540'000, 3);
  EXPECT_EQ(prometheus_text(metrics, "rank"),
            R"(# HELP batchwright_requests_submitted_total Requests submitted, accepted or not.
# TYPE batchwright_requests_submitted_total counter
batchwright_requests_submitted_total{batcher="rank"} 6
# HELP batchwright_requests_accepted_total Requests accepted.
# TYPE batchwright_requests_accepted_total counter
batchwright_requests_accepted_total{batcher="rank"} 5
# HELP batchwright_requests_rejected_total Requests never accepted, by reason.
# TYPE batchwright_requests_rejected_total counter
batchwright_requests_rejected_total{batcher="rank",reason="expired"} 0
batchwright_requests_rejected_total{batcher="rank",reason="cancelled"} 0
batchwright_requests_rejected_total{batcher="rank",reason="queue_full"} 1
batchwright_requests_rejected_total{batcher="rank",reason="too_large"} 0
batchwright_requests_rejected_total{batcher="rank",reason="stopped"} 0
batchwright_requests_rejected_total{batcher="rank",reason="forked"} 0
batchwright_requests_rejected_total{batcher="rank",reason="would_deadlock"} 0
# HELP batchwright_requests_answered_total Accepted requests that have been answered, by outcome.
# TYPE batchwright_requests_answered_total counter
batchwright_requests_answered_total{batcher="rank",outcome="ok"} 3
batchwright_requests_answered_total{batcher="rank",outcome="failed"} 0
batchwright_requests_answered_total{batcher="rank",outcome="expired"} 1
batchwright_requests_answered_total{batcher="rank",outcome="cancelled"} 0
batchwright_requests_answered_total{batcher="rank",outcome="stopped"} 0
batchwright_requests_answered_total{batcher="rank",outcome="would_expire"} 0
batchwright_requests_answered_total{batcher="rank",outcome="evicted"} 0
# HELP batchwright_requests_late_total Requests answered with a value after their deadline.
# TYPE batchwright_requests_late_total counter
batchwright_requests_late_total{batcher="rank"} 1
# HELP batchwright_requests_shared_total Requests answered with what an identical one computed.
# TYPE batchwright_requests_shared_total counter
batchwright_requests_shared_total{batcher="rank"} 0
# HELP batchwright_batches_total Batches computed, by why they left the queue.
# TYPE batchwright_batches_total counter
batchwright_batches_total{batcher="rank",reason="size"} 0
batchwright_batches_total{batcher="rank",reason="time"} 0
batchwright_batches_total{batcher="rank",reason="greedy"} 1
batchwright_batches_total{batcher="rank",reason="deadline"} 0
batchwright_batches_total{batcher="rank",reason="flush"} 0
batchwright_batches_total{batcher="rank",reason="drain"} 0
batchwright_batches_total{batcher="rank",reason="net"} 0
batchwright_batches_total{batcher="rank",reason="overtaken"} 0
batchwright_batches_total{batcher="rank",reason="split"} 0
batchwright_batches_total{batcher="rank",reason="returns"} 0
batchwright_batches_total{batcher="rank",reason="paced"} 0
# HELP batchwright_batches_failed_total Batches with which the predictor failed.
# TYPE batchwright_batches_failed_total counter
batchwright_batches_failed_total{batcher="rank"} 0
# HELP batchwright_predictor_calls_total Calls of the predictor.
# TYPE batchwright_predictor_calls_total counter
batchwright_predictor_calls_total{batcher="rank"} 1
# HELP batchwright_batch_requests_total Requests in all batches.
# TYPE batchwright_batch_requests_total counter
batchwright_batch_requests_total{batcher="rank"} 3
# HELP batchwright_batch_room_total Size that all batches could have had under the cap.
# TYPE batchwright_batch_room_total counter
batchwright_batch_room_total{batcher="rank"} 32
# HELP batchwright_batch_computed_size_total Size that the model ran with, padding included.
# TYPE batchwright_batch_computed_size_total counter
batchwright_batch_computed_size_total{batcher="rank"} 4
# HELP batchwright_batch_padding_total The part of the computed size that was padding.
# TYPE batchwright_batch_padding_total counter
batchwright_batch_padding_total{batcher="rank"} 1
# HELP batchwright_requests_queued Requests that wait for a batch.
# TYPE batchwright_requests_queued gauge
batchwright_requests_queued{batcher="rank"} 1
# HELP batchwright_requests_executing Requests in batches that are being computed.
# TYPE batchwright_requests_executing gauge
batchwright_requests_executing{batcher="rank"} 0
# HELP batchwright_batches_executing Batches that are being computed.
# TYPE batchwright_batches_executing gauge
batchwright_batches_executing{batcher="rank"} 0
# HELP batchwright_submitters_blocked Submitters that wait for capacity.
# TYPE batchwright_submitters_blocked gauge
batchwright_submitters_blocked{batcher="rank"} 0
# HELP batchwright_max_batch_size The cap in force.
# TYPE batchwright_max_batch_size gauge
batchwright_max_batch_size{batcher="rank"} 32
# HELP batchwright_oldest_queued_age_seconds How long the oldest queued request has waited.
# TYPE batchwright_oldest_queued_age_seconds gauge
batchwright_oldest_queued_age_seconds{batcher="rank"} 0.00002
# HELP batchwright_oldest_executing_age_seconds How long ago the oldest batch that is being computed was dispatched.
# TYPE batchwright_oldest_executing_age_seconds gauge
batchwright_oldest_executing_age_seconds{batcher="rank"} 0
# HELP batchwright_interval_seconds The time that the counters cover: since the batcher was made.
# TYPE batchwright_interval_seconds gauge
batchwright_interval_seconds{batcher="rank"} 90.5
# HELP batchwright_batch_size Sizes of the batches.
# TYPE batchwright_batch_size histogram
batchwright_batch_size_bucket{batcher="rank",le="1"} 0
batchwright_batch_size_bucket{batcher="rank",le="2"} 0
batchwright_batch_size_bucket{batcher="rank",le="4"} 1
batchwright_batch_size_bucket{batcher="rank",le="8"} 1
batchwright_batch_size_bucket{batcher="rank",le="16"} 1
batchwright_batch_size_bucket{batcher="rank",le="32"} 1
batchwright_batch_size_bucket{batcher="rank",le="65"} 1
batchwright_batch_size_bucket{batcher="rank",le="131"} 1
batchwright_batch_size_bucket{batcher="rank",le="263"} 1
batchwright_batch_size_bucket{batcher="rank",le="527"} 1
batchwright_batch_size_bucket{batcher="rank",le="1055"} 1
batchwright_batch_size_bucket{batcher="rank",le="2111"} 1
batchwright_batch_size_bucket{batcher="rank",le="4223"} 1
batchwright_batch_size_bucket{batcher="rank",le="+Inf"} 1
batchwright_batch_size_sum{batcher="rank"} 3
batchwright_batch_size_count{batcher="rank"} 1
# HELP batchwright_service_time_seconds From the dispatch of a batch to its last answer.
# TYPE batchwright_service_time_seconds histogram
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000001007"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000002015"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000005119"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000010239"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000020479"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000050175"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000100351"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000200703"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.000507903"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.001015807"} 0
batchwright_service_time_seconds_bucket{batcher="rank",le="0.002031615"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.005111807"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.010223615"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.020447231"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.050331647"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.100663295"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.201326591"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="0.503316479"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="1.006632959"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="2.013265919"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="5.100273663"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="10.200547327"} 1
batchwright_service_time_seconds_bucket{batcher="rank",le="+Inf"} 1
batchwright_service_time_seconds_sum{batcher="rank"} 0.0015
batchwright_service_time_seconds_count{batcher="rank"} 1
# HELP batchwright_queue_wait_seconds From the admission of a request to the predictor.
# TYPE batchwright_queue_wait_seconds histogram
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000001007"} 0
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000002015"} 0
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000005119"} 0
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000010239"} 0
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000020479"} 0
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000050175"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000100351"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000200703"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.000507903"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.001015807"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.002031615"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.005111807"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.010223615"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.020447231"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.050331647"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.100663295"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.201326591"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="0.503316479"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="1.006632959"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="2.013265919"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="5.100273663"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="10.200547327"} 3
batchwright_queue_wait_seconds_bucket{batcher="rank",le="+Inf"} 3
batchwright_queue_wait_seconds_sum{batcher="rank"} 0.00012
batchwright_queue_wait_seconds_count{batcher="rank"} 3
# HELP batchwright_latency_seconds From the admission of a computed request to its answer.
# TYPE batchwright_latency_seconds histogram
batchwright_latency_seconds_bucket{batcher="rank",le="0.000001007"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000002015"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000005119"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000010239"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000020479"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000050175"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000100351"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000200703"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.000507903"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.001015807"} 0
batchwright_latency_seconds_bucket{batcher="rank",le="0.002031615"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.005111807"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.010223615"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.020447231"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.050331647"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.100663295"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.201326591"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="0.503316479"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="1.006632959"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="2.013265919"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="5.100273663"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="10.200547327"} 3
batchwright_latency_seconds_bucket{batcher="rank",le="+Inf"} 3
batchwright_latency_seconds_sum{batcher="rank"} 0.00462
batchwright_latency_seconds_count{batcher="rank"} 3
)");
}

TEST(Prometheus, AnEmptySnapshotHasAllSeriesAtZero) {
  const Scrape empty(prometheus_text(MetricsSnapshot{}, "b"));
  for (const Sample& sample : empty.samples()) EXPECT_EQ(sample.value, 0) << sample.name;
  MetricsSnapshot metrics;
  std::mt19937_64 random(1);
  grow(metrics, random);
  const Scrape full(prometheus_text(metrics, "b"));
  ASSERT_EQ(full.samples().size(), empty.samples().size());
  for (std::size_t i = 0; i < full.samples().size(); ++i) {
    EXPECT_EQ(full.samples()[i].name, empty.samples()[i].name);
    EXPECT_EQ(full.samples()[i].labels, empty.samples()[i].labels);
  }
}

TEST(Prometheus, EachCounterAndGaugeIsInItsOwnSeries) {
  using M = MetricsSnapshot;
  const std::pair<std::string, std::uint64_t M::*> plain[] = {
      {"requests_submitted_total", &M::submitted},
      {"requests_accepted_total", &M::accepted},
      {"requests_late_total", &M::completed_late},
      {"requests_shared_total", &M::shared},
      {"batches_failed_total", &M::batches_failed},
      {"predictor_calls_total", &M::executions},
      {"batch_requests_total", &M::items},
      {"batch_room_total", &M::room},
      {"batch_computed_size_total", &M::computed},
      {"batch_padding_total", &M::padding},
      {"requests_queued", &M::queued},
      {"requests_executing", &M::executing},
      {"batches_executing", &M::executing_batches},
      {"submitters_blocked", &M::blocked},
      {"max_batch_size", &M::max_batch_size}};
  for (const auto& [name, member] : plain) {
    M metrics;
    metrics.*member = 7;
    EXPECT_EQ(value_of(metrics, name), 7) << name;
  }
  const std::pair<std::string, std::uint64_t M::*> answered[] = {
      {"ok", &M::completed},        {"failed", &M::failed},   {"expired", &M::expired},
      {"cancelled", &M::cancelled}, {"stopped", &M::stopped}, {"would_expire", &M::would_expire},
      {"evicted", &M::evicted}};
  for (const auto& [outcome, member] : answered) {
    M metrics;
    metrics.*member = 7;
    EXPECT_EQ(value_of(metrics, "requests_answered_total", {{"outcome", outcome}}), 7) << outcome;
  }
  const std::pair<std::string, Duration M::*> times[] = {
      {"oldest_queued_age_seconds", &M::oldest_queued_age},
      {"oldest_executing_age_seconds", &M::oldest_executing_age},
      {"interval_seconds", &M::interval}};
  for (const auto& [name, member] : times) {
    M metrics;
    metrics.*member = 1'250ms;
    EXPECT_EQ(value_of(metrics, name), 1.25) << name;
  }
  // The tables above have everything that a snapshot counts, by the library's own lists.
  EXPECT_EQ(std::size(plain) + std::size(answered),
            std::size(batchwright::detail::kMetricsCounters) +
                std::size(batchwright::detail::kMetricsGauges) + 1);
}

TEST(Prometheus, NothingButItsOwnSeriesShowsACount) {
  for (const auto counter : batchwright::detail::kMetricsCounters) {
    MetricsSnapshot metrics;
    metrics.*counter = 7;
    double sum = 0;
    const Scrape scrape(prometheus_text(metrics, "b"));
    for (const Sample& sample : scrape.samples()) sum += sample.value;
    EXPECT_EQ(sum, 7);
  }
}

TEST(Prometheus, RefusalsAndBatchesAreLabelledByTheirReason) {
  for (std::size_t i = 2; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    // They had been accepted.
    if (outcome == Outcome::evicted || outcome == Outcome::would_expire) continue;
    MetricsSnapshot metrics;
    metrics.rejected[outcome] = 3;
    EXPECT_EQ(value_of(metrics, "requests_rejected_total", {{"reason", to_string(outcome)}}), 3);
  }
  for (std::size_t i = 0; i < kReleaseReasonCount; ++i) {
    const auto reason = static_cast<ReleaseReason>(i);
    MetricsSnapshot metrics;
    metrics.batches[reason] = 4;
    EXPECT_EQ(value_of(metrics, "batches_total", {{"reason", to_string(reason)}}), 4);
  }
}

TEST(Prometheus, LargeCountersAreWrittenInFull) {
  MetricsSnapshot metrics;
  metrics.submitted = std::numeric_limits<std::uint64_t>::max();
  EXPECT_NE(prometheus_text(metrics, "b")
                .find("batchwright_requests_submitted_total{batcher=\"b\"} 18446744073709551615\n"),
            std::string::npos);
}

// --- Histograms
struct HistogramFamily {
  const char* name;
  Histogram MetricsSnapshot::*member;
  double unit;  // Of a recorded value.
};
constexpr HistogramFamily kFamilies[] = {
    {"batchwright_batch_size", &MetricsSnapshot::batch_size, 1},
    {"batchwright_service_time_seconds", &MetricsSnapshot::service_time, 1e-9},
    {"batchwright_queue_wait_seconds", &MetricsSnapshot::queue_wait, 1e-9},
    {"batchwright_latency_seconds", &MetricsSnapshot::latency, 1e-9}};

/// The integer that a bound stands for: nanoseconds, or a size.
std::uint64_t integer(const std::string& bound, double unit) {
  double value = 0;
  std::from_chars(bound.data(), bound.data() + bound.size(), value);
  return static_cast<std::uint64_t>(std::llround(value / unit));
}

TEST(PrometheusHistograms, EachBucketCountsExactlyTheValuesUpToItsBound) {
  std::mt19937_64 random(2);
  for (const HistogramFamily& family : kFamilies) {
    // Values about the bounds, where a wrong bucket would show, and anywhere.
    const auto bounds = Scrape(prometheus_text(MetricsSnapshot{}, "b")).bounds(family.name, "b");
    ASSERT_GE(bounds.size(), 13u);
    std::vector<std::uint64_t> values;
    for (const std::string& bound : bounds) {
      const std::uint64_t edge = integer(bound, family.unit);
      for (const std::uint64_t value : {edge - 1, edge, edge + 1}) values.push_back(value);
    }
    for (int i = 0; i < 1'000; ++i) values.push_back(random() >> (random() % 64));
    MetricsSnapshot metrics;
    for (const std::uint64_t value : values) (metrics.*family.member).record(value);

    const Scrape scrape(prometheus_text(metrics, "b"));
    const std::string name = family.name;
    for (const std::string& bound : bounds) {
      const std::uint64_t edge = integer(bound, family.unit);
      std::size_t expected = 0;
      for (const std::uint64_t value : values) expected += value <= edge ? 1 : 0;
      EXPECT_EQ(scrape.value(name + "_bucket", {{"batcher", "b"}, {"le", bound}}), expected)
          << name << " " << bound;
    }
    EXPECT_EQ(scrape.value(name + "_count", {{"batcher", "b"}}), values.size());
    EXPECT_DOUBLE_EQ(scrape.value(name + "_sum", {{"batcher", "b"}}),
                     (metrics.*family.member).sum() * family.unit);
  }
}

TEST(PrometheusHistograms, BoundsAreThoseThatAreDocumented) {
  const Scrape scrape(prometheus_text(MetricsSnapshot{}, "b"));
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t size = 1; size <= 4096; size *= 2) sizes.push_back(size);
  std::vector<std::uint64_t> times;
  for (std::uint64_t decade = 1'000; decade < 10'000'000'000; decade *= 10) {
    for (const std::uint64_t step : {1u, 2u, 5u}) times.push_back(step * decade);
  }
  times.push_back(10'000'000'000);
  for (const HistogramFamily& family : kFamilies) {
    const auto& rounds = family.unit == 1 ? sizes : times;
    const auto bounds = scrape.bounds(family.name, "b");
    ASSERT_EQ(bounds.size(), rounds.size());
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const std::uint64_t bound = integer(bounds[i], family.unit);
      EXPECT_GE(bound, rounds[i]);
      EXPECT_LE(bound, rounds[i] + rounds[i] / 32);
      EXPECT_TRUE(rounds[i] > 32 || bound == rounds[i]) << bound;
    }
  }
}

TEST(PrometheusHistograms, AValueBeyondTheLastBoundIsInInfinityAlone) {
  MetricsSnapshot metrics;
  metrics.latency.record(std::numeric_limits<std::uint64_t>::max());
  const Scrape scrape(prometheus_text(metrics, "b"));
  for (const std::string& bound : scrape.bounds("batchwright_latency_seconds", "b")) {
    EXPECT_EQ(scrape.value("batchwright_latency_seconds_bucket", {{"batcher", "b"}, {"le", bound}}),
              0);
  }
  EXPECT_EQ(value_of(metrics, "latency_seconds_bucket", {{"le", "+Inf"}}), 1);
  EXPECT_DOUBLE_EQ(value_of(metrics, "latency_seconds_sum"), 18446744073.709551615);
}

// --- Over time
/// That a later scrape of the same batchers has the same series, and no counter is less.
void expect_later(const Scrape& before, const Scrape& now) {
  ASSERT_EQ(now.samples().size(), before.samples().size());
  ASSERT_EQ(now.types(), before.types());
  for (const Sample& sample : before.samples()) {
    const double later = now.value(sample.name, sample.labels);
    const auto type = now.types().find(sample.name);
    if (type != now.types().end() && type->second == "gauge") continue;
    ASSERT_GE(later, sample.value) << sample.name;
  }
}

TEST(Prometheus, EveryScrapeOfARunHasTheSameSeriesAndNoCounterFalls) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    MetricsSnapshot metrics;
    Scrape before(prometheus_text(metrics, "b"));
    for (int scrape = 0; scrape < 10; ++scrape) {
      grow(metrics, random);
      Scrape now(prometheus_text(metrics, "b"));
      expect_later(before, now);
      before = std::move(now);
    }
  }
}

TEST(Prometheus, ClassesThatComeUpAddSeriesAndNoneIsLostOrFalls) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    MetricsSnapshot metrics;
    grow_classes(metrics, random);
    Scrape before(prometheus_text(metrics, "b"));
    for (int scrape = 0; scrape < 10; ++scrape) {
      grow_classes(metrics, random);
      Scrape now(prometheus_text(metrics, "b"));
      ASSERT_EQ(now.types(), before.types());
      for (const Sample& sample : before.samples()) {
        const auto type = now.types().find(sample.name);
        if (type != now.types().end() && type->second == "gauge") continue;
        ASSERT_GE(now.value(sample.name, sample.labels), sample.value) << sample.name;
      }
      before = std::move(now);
    }
  }
}

/// The sum of a family's samples that have all these labels.
double sum_of(const Scrape& scrape, const std::string& name, const Labels& labels = {}) {
  double sum = 0;
  for (const Sample& sample : scrape.samples()) {
    const auto has = [&](const auto& label) {
      const auto found = sample.labels.find(label.first);
      return found != sample.labels.end() && found->second == label.second;
    };
    if (sample.name != "batchwright_" + name) continue;
    if (std::all_of(labels.begin(), labels.end(), has)) sum += sample.value;
  }
  return sum;
}

TEST(PrometheusOfABatcher, HasTheSameSeriesInEachScrapeOfARunAndAgreesWithItsCallers) {
  using namespace batchwright_test;
  using batchwright::use_ticket;
  std::map<std::string, double> all;  // By outcome, of all runs.
  for_each_seed(4, [&all](TestRuntime& runtime) {
    TestBatcher<int, int> batcher(
        batchwright::shared_predictor([runtime](std::span<const int> inputs) {
          work_for(runtime, 1us);
          if (inputs[0] % 11 == 0) throw std::runtime_error("bad");
          return std::vector<int>(inputs.size());
        }),
        {.max_batch_size = 3,
         .executors = 2,
         .capacity = 6,
         .tenant = [](const int& x) { return x % 3; },
         .name = "rank",
         .metrics = {.per_tenant = true}},
        runtime);
    for (int tenant = 0; tenant < 3; ++tenant) {
      runtime.advance(1us);
      static_cast<void>(batcher.submit(tenant + 3, use_ticket));
    }
    std::map<std::string, double> ends{{"ok", 3}};
    int running = 2;
    std::vector<batchwright::testing::TestThread> clients;
    for (int client = 0; client < 2; ++client) {
      clients.push_back(runtime.start([&, client] {
        std::vector<TestTicket<int>> tickets;
        for (int i = 0; i < 60; ++i) {
          tickets.push_back(
              batcher.submit(60 * client + i, use_ticket,
                             {.deadline = i % 5 == 0 ? runtime.now() + 1us : batchwright::kNever}));
          if (i % 7 == 0) tickets.back().cancel();
          if (i % 4 == 0) work_for(runtime, 1us);
        }
        for (auto& ticket : tickets) ++ends[to_string(ticket.result().outcome())];
        --running;
      }));
    }
    const auto scrape = [&batcher] { return Scrape(prometheus_text({batcher.metrics()})); };
    Scrape before = scrape();
    for (int look = 0; look < 8; ++look) {
      Scrape now = scrape();
      expect_later(before, now);
      ASSERT_LE(sum_of(now, "requests_answered_total"), sum_of(now, "requests_accepted_total"));
      before = std::move(now);
      runtime.advance(2us);
    }
    while (running > 0) runtime.advance(1us);
    for (auto& client : clients) client.join();
    ASSERT_TRUE(batcher.wait_idle());

    const Scrape end = scrape();
    expect_later(before, end);
    EXPECT_EQ(sum_of(end, "requests_submitted_total"), 123);
    EXPECT_EQ(sum_of(end, "requests_accepted_total") + sum_of(end, "requests_rejected_total"), 123);
    EXPECT_EQ(sum_of(end, "requests_answered_total"), sum_of(end, "requests_accepted_total"));
    for (const auto& [outcome, count] : ends) {
      EXPECT_EQ(sum_of(end, "requests_answered_total", {{"outcome", outcome}}) +
                    sum_of(end, "requests_rejected_total", {{"reason", outcome}}),
                count)
          << outcome;
      EXPECT_EQ(sum_of(end, "requests_answered_total", {{"outcome", outcome}}),
                sum_of(end, "tenant_requests_answered_total", {{"outcome", outcome}}));
      all[outcome] += count;
    }
    const double computed = ends["ok"] + ends["failed"];
    EXPECT_EQ(sum_of(end, "queue_wait_seconds_count"), computed);
    EXPECT_EQ(sum_of(end, "latency_seconds_count"), computed);
    EXPECT_EQ(sum_of(end, "tenant_queue_wait_seconds_count"), computed);
    EXPECT_EQ(sum_of(end, "batch_size_count"), sum_of(end, "batches_total"));
    EXPECT_EQ(sum_of(end, "batch_requests_total"), computed);
    for (const char* gauge : {"requests_queued", "requests_executing", "tenant_requests_queued"}) {
      EXPECT_EQ(sum_of(end, gauge), 0) << gauge;
    }
  });
  for (const char* outcome : {"ok", "failed", "expired", "cancelled", "queue_full"}) {
    EXPECT_GT(all[outcome], 0) << outcome;
  }
}

// --- Classes and forecasts
ClassMetrics acme() {
  ClassMetrics metrics;
  metrics.label = "acme \"x\"\n";
  metrics.accepted = 28;
  metrics.completed = 1;
  metrics.completed_late = 9;
  metrics.failed = 2;
  metrics.expired = 3;
  metrics.cancelled = 4;
  metrics.stopped = 5;
  metrics.would_expire = 6;
  metrics.evicted = 7;
  metrics.queued = 8;
  metrics.queue_wait.record(1'500);
  metrics.queue_wait.record(3'000'000'000);
  return metrics;
}

TEST(PrometheusClasses, AreInFamiliesOfTheirOwnKind) {
  const std::pair<std::string, batchwright::ClassesMetrics MetricsSnapshot::*> kinds[] = {
      {"priority", &MetricsSnapshot::priorities},
      {"lane", &MetricsSnapshot::lanes},
      {"tenant", &MetricsSnapshot::tenants}};
  for (const auto& [kind, member] : kinds) {
    MetricsSnapshot metrics;
    (metrics.*member).push_back(acme());
    const Scrape scrape(prometheus_text(metrics, "b"));
    const Labels labels = {{"batcher", "b"}, {kind, acme().label}};
    const std::string prefix = "batchwright_" + kind + "_";
    EXPECT_EQ(scrape.value(prefix + "requests_accepted_total", labels), 28);
    EXPECT_EQ(scrape.value(prefix + "requests_late_total", labels), 9);
    EXPECT_EQ(scrape.value(prefix + "requests_queued", labels), 8);
    int expected = 0;
    for (const char* outcome :
         {"ok", "failed", "expired", "cancelled", "stopped", "would_expire", "evicted"}) {
      Labels with_outcome = labels;
      with_outcome["outcome"] = outcome;
      EXPECT_EQ(scrape.value(prefix + "requests_answered_total", with_outcome), ++expected);
    }
    EXPECT_EQ(scrape.value(prefix + "queue_wait_seconds_count", labels), 2);
    EXPECT_DOUBLE_EQ(scrape.value(prefix + "queue_wait_seconds_sum", labels), 3.0000015);
    for (const auto& [bound, count] : {std::pair("0.000001007", 0), std::pair("0.000002015", 1),
                                       std::pair("2.013265919", 1), std::pair("5.100273663", 2)}) {
      Labels with_bound = labels;
      with_bound["le"] = bound;
      EXPECT_EQ(scrape.value(prefix + "queue_wait_seconds_bucket", with_bound), count) << bound;
    }
    // Nothing else has grown by it.
    for (const Sample& sample : scrape.samples()) {
      EXPECT_TRUE(sample.labels.contains(kind) || sample.value == 0) << sample.name;
    }
  }
}

TEST(PrometheusClasses, HaveTheBoundsOfTheOtherHistograms) {
  MetricsSnapshot metrics;
  metrics.tenants.push_back(acme());
  metrics.forecast.emplace();
  const Scrape scrape(prometheus_text(metrics, "b"));
  const auto bounds = scrape.bounds("batchwright_queue_wait_seconds", "b");
  EXPECT_EQ(scrape.bounds("batchwright_tenant_queue_wait_seconds", "b"), bounds);
  EXPECT_EQ(scrape.bounds("batchwright_forecast_late_seconds", "b"), bounds);
}

TEST(PrometheusClasses, HaveNoFamilyWhereNoBatcherCountsThem) {
  MetricsSnapshot without;
  without.name = "without";
  MetricsSnapshot with;
  with.name = "with";
  with.lanes.push_back(acme());
  const Scrape none(prometheus_text(without));
  const Scrape some(prometheus_text({without, with}));
  EXPECT_FALSE(none.types().contains("batchwright_lane_requests_queued"));
  EXPECT_TRUE(some.types().contains("batchwright_lane_requests_queued"));
  EXPECT_FALSE(some.types().contains("batchwright_tenant_requests_queued"));
  EXPECT_FALSE(some.types().contains("batchwright_forecast_late_seconds"));
}

TEST(PrometheusForecasts, AreSumsAndErrorsBySign) {
  MetricsSnapshot metrics;
  metrics.forecast.emplace();
  metrics.forecast->record(10ms, 13ms);
  metrics.forecast->record(10ms, 9ms);
  EXPECT_EQ(value_of(metrics, "forecast_expected_seconds_total"), 0.02);
  EXPECT_EQ(value_of(metrics, "forecast_taken_seconds_total"), 0.022);
  EXPECT_EQ(value_of(metrics, "forecast_late_seconds_sum"), 0.003);
  EXPECT_EQ(value_of(metrics, "forecast_early_seconds_sum"), 0.001);
  EXPECT_EQ(value_of(metrics, "forecast_early_seconds_count"), 1);
}

// --- Names
TEST(PrometheusNames, AreTheBatchersOwnUnlessOthersAreGiven) {
  MetricsSnapshot rank;
  rank.name = "rank";
  rank.queued = 3;
  MetricsSnapshot embed;
  embed.name = "embed";
  EXPECT_EQ(prometheus_text(rank), prometheus_text(rank, "rank"));
  EXPECT_EQ(prometheus_text({rank, embed}), prometheus_text({{"rank", rank}, {"embed", embed}}));
  EXPECT_EQ(prometheus_text(std::vector<MetricsSnapshot>{rank, embed}),
            prometheus_text({rank, embed}));
  EXPECT_EQ(prometheus_text({rank}), prometheus_text(rank));
  EXPECT_THROW(static_cast<void>(prometheus_text({rank, embed, rank})), std::invalid_argument);
}

TEST(PrometheusNames, AreEscapedAndReadBack) {
  for (const std::string& name :
       {""s, "plain"s, "a\\b"s, "say \"hi\""s, "two\nlines"s, "\\n"s, "\\"s, "\""s, "\n"s,
        "{le=\"1\"} 5"s, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x82"s, "tab\there"s}) {
    const Scrape scrape(prometheus_text(MetricsSnapshot{}, name));
    for (const Sample& sample : scrape.samples()) ASSERT_EQ(sample.labels.at("batcher"), name);
  }
  EXPECT_NE(prometheus_text(MetricsSnapshot{}, "a\\\"\n").find("{batcher=\"a\\\\\\\"\\n\"} 0\n"),
            std::string::npos);
}

TEST(PrometheusNames, AreUtf8WhateverIsGiven) {
  const Scrape scrape(prometheus_text(MetricsSnapshot{}, "a\xff\0b"s));
  EXPECT_EQ(scrape.samples().front().labels.at("batcher"),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
}

// --- Several batchers
TEST(PrometheusSeveral, ShareOneHeadForEachFamily) {
  MetricsSnapshot one;
  one.accepted = 1;
  MetricsSnapshot two;
  two.accepted = 2;
  two.latency.record(3);
  // The parser sees to it that no family is begun twice or interrupted.
  const Scrape both(prometheus_text({{"one", one}, {"two", two}}));
  EXPECT_EQ(both.value("batchwright_requests_accepted_total", {{"batcher", "one"}}), 1);
  EXPECT_EQ(both.value("batchwright_requests_accepted_total", {{"batcher", "two"}}), 2);
  EXPECT_EQ(both.value("batchwright_latency_seconds_count", {{"batcher", "one"}}), 0);
  EXPECT_EQ(both.value("batchwright_latency_seconds_count", {{"batcher", "two"}}), 1);
  EXPECT_EQ(both.samples().size(), 2 * Scrape(prometheus_text(one, "one")).samples().size());
  EXPECT_EQ(both.bounds("batchwright_latency_seconds", "one"),
            both.bounds("batchwright_latency_seconds", "two"));
}

TEST(PrometheusSeveral, ComeInAnyRangeOfPairs) {
  MetricsSnapshot metrics;
  metrics.queued = 5;
  const std::string expected = prometheus_text({{"a", metrics}, {"b", metrics}});
  EXPECT_EQ(prometheus_text(std::map<std::string, MetricsSnapshot>{{"a", metrics}, {"b", metrics}}),
            expected);
  using Reference = std::reference_wrapper<const MetricsSnapshot>;
  EXPECT_EQ(prometheus_text(std::vector<std::pair<std::string_view, Reference>>{
                {"a", std::cref(metrics)}, {"b", std::cref(metrics)}}),
            expected);
  const std::pair<const char*, MetricsSnapshot> array[] = {{"a", metrics}, {"b", metrics}};
  EXPECT_EQ(prometheus_text(array), expected);
}

TEST(PrometheusSeveral, OneInARangeIsAsOneByItself) {
  MetricsSnapshot metrics;
  metrics.completed = 9;
  EXPECT_EQ(prometheus_text({{"a", metrics}}), prometheus_text(metrics, "a"));
}

TEST(PrometheusSeveral, NoneHaveHeadsAndNoSamples) {
  const std::list<std::pair<std::string, MetricsSnapshot>> none;
  const Scrape scrape(prometheus_text(none));
  EXPECT_TRUE(scrape.samples().empty());
  EXPECT_FALSE(scrape.types().empty());
}

TEST(PrometheusSeveral, OfOneNameAreAnError) {
  const MetricsSnapshot metrics;
  try {
    static_cast<void>(prometheus_text({{"a", metrics}, {"b", metrics}, {"a", metrics}}));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "prometheus_text: batchers must have different names, got \"a\" twice");
  }
  // Names that differ, but not as they are shown.
  EXPECT_THROW(static_cast<void>(prometheus_text({{"\xff", metrics}, {"\xfe", metrics}})),
               std::invalid_argument);
}

TEST(NamedSnapshots, AreHeldByTheirRange) {
  static_assert(NamedSnapshots<std::map<std::string, MetricsSnapshot>>);
  static_assert(NamedSnapshots<std::vector<std::pair<const char*, MetricsSnapshot>>>);
  static_assert(!NamedSnapshots<std::vector<MetricsSnapshot>>);
  static_assert(!NamedSnapshots<std::map<int, MetricsSnapshot>>);
  static_assert(!NamedSnapshots<std::map<std::string, int>>);
  static_assert(!NamedSnapshots<MetricsSnapshot>);
}

// --- The locale
struct Comma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Prometheus, ALocaleWithADecimalCommaChangesNothing) {
  MetricsSnapshot metrics;
  metrics.interval = 1'500ms;
  metrics.submitted = 1'234'567;
  metrics.latency.record(1'234'567);
  const std::string expected = prometheus_text(metrics, "b");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  EXPECT_EQ(prometheus_text(metrics, "b"), expected);
  // C's own locale too, where one with a comma is installed.
  for (const char* name : {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    EXPECT_EQ(prometheus_text(metrics, "b"), expected) << name;
  }
  std::locale::global(before);
  std::setlocale(LC_ALL, "C");
}

}  // namespace
