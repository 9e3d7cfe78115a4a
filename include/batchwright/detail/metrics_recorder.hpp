// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP
#define BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP

#include "../class_metrics.hpp"
#include "../metrics.hpp"
#include "../outcome.hpp"
#include "../policy.hpp"
#include "../runtime.hpp"
#include "class_id.hpp"
#include "lock.hpp"
#include "owned.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// A batch that was computed.
struct BatchRecord {
  ReleaseReason reason = ReleaseReason::size;
  std::size_t count = 0;               ///< Requests in it.
  std::size_t size = 0;                ///< Their weight.
  std::size_t cap = 0;                 ///< The cap under which it was formed.
  std::size_t computed = 0;            ///< What the model computed, padding included,
  std::size_t padding = 0;             ///< and how much of that was padding.
  Duration service_time{};             ///< From dispatch to the last answer.
  std::optional<Duration> forecast{};  ///< What was expected of it at the dispatch.
  std::size_t executions = 1;          ///< Calls of the predictor that it took.
  bool failed = false;
};

/// A request that a predictor saw.
struct RequestRecord {
  Outcome outcome = Outcome::ok;
  Duration queue_wait{};  ///< From admission to predictor entry.
  Duration latency{};     ///< From admission to the answer.
  bool late = false;      ///< Answered after its deadline.
};

/// Counts what a batcher does. One shard for the dispatcher and one for each executor (some 40 KB
/// each), so that threads which record never meet: each takes the lock of its own shard once per
/// batch, and only a snapshot ever contends with it, for a few microseconds. Refusals are counted
/// by atomics of their own, because any thread may refuse.
template <Runtime R>
class MetricsRecorder {
  struct alignas(64) Shard {
    explicit Shard(const R& runtime) noexcept : lock(runtime) {}
    Lock<R> lock;
    // Guarded by lock.
    OwnedArray<ClassCounts> classes;  // By ClassId; null if none is counted.
    MetricsSnapshot totals;
    ForecastMetrics forecasts;
  };

 public:
  /// Holds one shard's lock while it lives, so it lives for the recording of one batch or one list
  /// of requests: no user code and no other lock meanwhile.
  class [[nodiscard]] Writer {
   public:
    explicit Writer(Shard& shard) noexcept : shard_(shard), totals_(shard.totals) {
      shard_.lock.lock();
    }
    ~Writer() { shard_.lock.unlock(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// The scheduler took in `n` requests.
    void accepted(std::uint64_t n) noexcept { totals_.accepted += n; }

    /// `n` accepted requests were answered with `outcome` before any predictor saw them.
    void ended(Outcome outcome, std::uint64_t n = 1) noexcept { count_of(totals_, outcome) += n; }

    /// Likewise one of these classes.
    void ended(Outcome outcome, const ClassIds& classes) noexcept {
      ended(outcome);
      for_each(classes, [&](ClassCounts& counts) { ++count_of(counts, outcome); });
    }

    /// A batch was computed. Its requests are recorded one by one with `answered`.
    void batch(const BatchRecord& record) noexcept {
      ++totals_.batches[record.reason];
      totals_.batches_failed += record.failed ? 1 : 0;
      totals_.executions += record.executions;
      totals_.items += record.count;
      totals_.room += std::max(record.cap, record.size);
      totals_.batch_size.record(record.size);
      totals_.service_time.record(nanoseconds(record.service_time));
      totals_.computed += record.computed;
      totals_.padding += record.padding;
      // As the model learns: the time of several runs, or of a failed one, is not the size's.
      if (record.forecast && !record.failed && record.executions == 1) {
        shard_.forecasts.record(*record.forecast, record.service_time);
      }
    }

    /// A request that a predictor saw was answered.
    void answered(const RequestRecord& record) noexcept {
      const std::uint64_t queue_wait = nanoseconds(record.queue_wait);
      ++count_of(totals_, record.outcome);
      totals_.completed_late += late(record);
      totals_.queue_wait.record(queue_wait);
      totals_.latency.record(nanoseconds(record.latency));
    }

    /// As the above; `request.classes()` are its classes, and asked for only if there are any.
    template <class Request>
    void answered(const RequestRecord& record, const Request& request) noexcept {
      answered(record);
      if (shard_.classes) count_classes(record, request);
    }

    /// Requests that a predictor saw were answered, all with the same outcome: as `answered` of each.
    class Answers {
     public:
      Answers(Writer& writer, Outcome outcome) noexcept
          : writer_(writer),
            outcome_(outcome),
            queue_wait_(writer.totals_.queue_wait),
            latency_(writer.totals_.latency) {}
      Answers(const Answers&) = delete;
      Answers& operator=(const Answers&) = delete;
      ~Answers() {
        count_of(writer_.totals_, outcome_) += count_;
        writer_.totals_.completed_late += late_;
      }

      template <class Request>
      void add(TimePoint started, TimePoint answered, const Request& request) noexcept {
        const RequestRecord record{.outcome = outcome_,
                                   .queue_wait = started - request.enqueued,
                                   .latency = answered - request.enqueued,
                                   .late = answered > request.deadline};
        ++count_;
        late_ += late(record);
        queue_wait_.record(nanoseconds(record.queue_wait));
        latency_.record(nanoseconds(record.latency));
        if (writer_.shard_.classes) writer_.count_classes(record, request);
      }

     private:
      Writer& writer_;
      const Outcome outcome_;
      std::uint64_t count_ = 0;
      std::uint64_t late_ = 0;
      Histogram::Recording queue_wait_;
      Histogram::Recording latency_;
    };

    /// It was answered with what was computed for another.
    void shared() noexcept { ++totals_.shared; }

   private:
    template <class Request>
    void count_classes(const RequestRecord& record, const Request& request) noexcept {
      const std::uint64_t queue_wait = nanoseconds(record.queue_wait);
      for_each(request.classes(), [&](ClassCounts& counts) {
        ++count_of(counts, record.outcome);
        counts.completed_late += late(record);
        counts.queue_wait.record(queue_wait);
      });
    }

    template <class Count>
    void for_each(const ClassIds& classes, Count count) noexcept {
      for (const ClassId one : classes) {
        if (one != kNoClass) count(shard_.classes[one]);
      }
    }

    static std::uint64_t late(const RequestRecord& record) noexcept {
      return record.late && record.outcome == Outcome::ok ? 1 : 0;
    }

    static std::uint64_t nanoseconds(Duration duration) noexcept {
      return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
    }

    Shard& shard_;
    MetricsSnapshot& totals_;
  };

  /// `classes`: how many classes are counted; see ClassRegister.
  MetricsRecorder(const R& runtime, std::size_t executors, std::size_t classes = 0)
      : runtime_(runtime), started_(runtime.now()), classes_(classes) {
    shards_.reserve(executors + 1);
    for (std::size_t i = 0; i <= executors; ++i) {
      shards_.push_back(make_owned<Shard>(runtime));
      shards_.back()->classes = OwnedArray<ClassCounts>(classes);
    }
  }

  /// The dispatcher's shard; also for the batches that it runs itself.
  Writer dispatcher() noexcept { return Writer(*shards_.front()); }

  /// The shard of one executor, below the number given at construction.
  Writer executor(std::size_t index) noexcept { return Writer(*shards_[index + 1]); }

  /// `n` requests were refused. From any thread, without a lock.
  void refused(Outcome outcome, std::uint64_t n = 1) noexcept {
    refused_[static_cast<std::size_t>(outcome)].fetch_add(n, std::memory_order_relaxed);
  }

  /// All shards together, gauges zero. From any thread; holds one shard's lock at a time.
  MetricsSnapshot snapshot() const noexcept {
    MetricsSnapshot sum;
    // The dispatcher's shard is first and is read last: a request is accepted before it is
    // answered, so no snapshot has more answers than acceptances.
    for (auto shard = shards_.rbegin(); shard != shards_.rend(); ++shard) {
      (*shard)->lock.lock();
      add_totals(sum, (*shard)->totals);
      (*shard)->lock.unlock();
    }
    for (std::size_t i = 0; i < kOutcomeCount; ++i) {
      sum.rejected.values[i] = refused_[i].load(std::memory_order_relaxed);
    }
    sum.submitted = sum.accepted + sum.rejected.total();
    sum.taken_at = runtime_.now();
    sum.interval = sum.taken_at - started_;
    return sum;
  }

  /// How right the forecasts of all batches were. As `snapshot`.
  ForecastMetrics forecasts() const noexcept {
    ForecastMetrics sum;
    for (const auto& shard : shards_) {
      const LockGuard guard(shard->lock);
      sum += shard->forecasts;
    }
    return sum;
  }

  /// What is counted of each class, but for what is queued and accepted. As `snapshot`; each shard's lock is
  /// held for some 20 ns a class. Throws std::bad_alloc.
  std::vector<ClassCounts> classes() const {
    std::vector<ClassCounts> sum(classes_);
    for (const auto& shard : shards_) {
      const LockGuard guard(shard->lock);
      for (std::size_t one = 0; one < classes_; ++one) sum[one] += shard->classes[one];
    }
    return sum;
  }

 private:
  R runtime_;
  TimePoint started_;
  std::size_t classes_;
  std::vector<Owned<Shard>> shards_;  // The dispatcher's, then the executors'.
  alignas(64) std::array<std::atomic<std::uint64_t>, kOutcomeCount> refused_{};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP
