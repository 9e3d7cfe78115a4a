// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP
#define BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP

#include "../metrics.hpp"
#include "../outcome.hpp"
#include "../policy.hpp"
#include "../runtime.hpp"
#include "lock.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// A batch that was computed.
struct BatchRecord {
  ReleaseReason reason = ReleaseReason::size;
  std::size_t count = 0;       ///< Requests in it.
  std::size_t size = 0;        ///< Their weight.
  std::size_t cap = 0;         ///< The cap under which it was formed.
  Duration service_time{};     ///< From dispatch to the last answer.
  std::size_t executions = 1;  ///< Calls of the predictor that it took.
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
    MetricsSnapshot totals;  // Guarded by lock.
  };

 public:
  /// Holds one shard's lock while it lives, so it lives for the recording of one batch or one list
  /// of requests: no user code and no other lock meanwhile.
  class [[nodiscard]] Writer {
   public:
    explicit Writer(Shard& shard) noexcept : lock_(shard.lock), totals_(shard.totals) {
      lock_.lock();
    }
    ~Writer() { lock_.unlock(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// The scheduler took in `n` requests.
    void accepted(std::uint64_t n) noexcept { totals_.accepted += n; }

    /// `n` accepted requests were answered with `outcome` before any predictor saw them.
    void ended(Outcome outcome, std::uint64_t n = 1) noexcept { counter(outcome) += n; }

    /// A batch was computed. Its requests are recorded one by one with `answered`.
    void batch(const BatchRecord& record) noexcept {
      ++totals_.batches[record.reason];
      totals_.batches_failed += record.failed ? 1 : 0;
      totals_.executions += record.executions;
      totals_.items += record.count;
      totals_.room += std::max(record.cap, record.size);
      totals_.batch_size.record(record.size);
      totals_.service_time.record(nanoseconds(record.service_time));
    }

    /// A request that a predictor saw was answered.
    void answered(const RequestRecord& record) noexcept {
      ++counter(record.outcome);
      totals_.completed_late += record.late && record.outcome == Outcome::ok ? 1 : 0;
      totals_.queue_wait.record(nanoseconds(record.queue_wait));
      totals_.latency.record(nanoseconds(record.latency));
    }

   private:
    std::uint64_t& counter(Outcome outcome) noexcept {
      switch (outcome) {
        case Outcome::ok:
          return totals_.completed;
        case Outcome::failed:
          return totals_.failed;
        case Outcome::expired:
          return totals_.expired;
        case Outcome::cancelled:
          return totals_.cancelled;
        case Outcome::stopped:
          return totals_.stopped;
        default:
          return totals_.dropped;
      }
    }

    static std::uint64_t nanoseconds(Duration duration) noexcept {
      return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
    }

    Lock<R>& lock_;
    MetricsSnapshot& totals_;
  };

  MetricsRecorder(const R& runtime, std::size_t executors)
      : runtime_(runtime), started_(runtime.now()) {
    shards_.reserve(executors + 1);
    for (std::size_t i = 0; i <= executors; ++i)
      shards_.push_back(std::make_unique<Shard>(runtime));
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
      sum += (*shard)->totals;
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

 private:
  R runtime_;
  TimePoint started_;
  std::vector<std::unique_ptr<Shard>> shards_;  // The dispatcher's, then the executors'.
  alignas(64) std::array<std::atomic<std::uint64_t>, kOutcomeCount> refused_{};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_METRICS_RECORDER_HPP
