// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_EXECUTORS_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_EXECUTORS_HPP

#include <batchwright/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace batchwright_test {

/// The executors of the reference model. Nothing is counted along: whether one can be given a batch is
/// found out anew from what has happened to it.
class ReferenceExecutors {
 public:
  using TimePoint = batchwright::TimePoint;
  using Duration = batchwright::Duration;

  ReferenceExecutors(std::size_t count, std::size_t max_in_flight, bool leased)
      : executors_(count), max_in_flight_(max_in_flight), leased_(leased) {}

  std::size_t count() const { return executors_.size(); }
  const std::vector<batchwright::RunningBatch>& running() const { return running_; }

  /// "An executor is there between `grant` and the end of its call only", where they are leased; one
  /// that is at work, or will be at other work next, is not.
  bool usable(std::size_t index) const {
    const Executor& executor = executors_[index];
    return !executor.at_work && !executor.reserved && (executor.granted || !leased_);
  }
  bool at_work(std::size_t index) const { return executors_[index].at_work; }
  bool granted(std::size_t index) const { return executors_[index].granted; }
  bool reserved(std::size_t index) const { return executors_[index].reserved; }

  /// How many batches could be dispatched now: each needs a usable executor, and "asynchronous
  /// predictors are bounded by `max_in_flight`" unfinished batches.
  std::size_t available() const {
    std::size_t free = 0;
    for (std::size_t index = 0; index < count(); ++index) free += usable(index) ? 1 : 0;
    return std::min(free, max_in_flight_ - running_.size());
  }

  /// "Whether a batch could be dispatched if another executor were granted. If all of them are at work
  /// here, that can only be one of these when its batch is finished."
  bool more_would_help() const {
    if (!leased_) return false;
    const bool all_at_work =
        std::all_of(executors_.begin(), executors_.end(), [](const auto& e) { return e.at_work; });
    return all_at_work || running_.size() < max_in_flight_;
  }

  void grant(std::size_t index) { executors_[index].granted = true; }

  /// Takes back the first that was granted and is not in use.
  std::size_t revoke() {
    for (std::size_t index = 0; index < count(); ++index) {
      if (executors_[index].granted && !executors_[index].at_work) {
        executors_[index].granted = false;
        return index;
      }
    }
    return batchwright::kNoCount;
  }

  void reserve(std::size_t index) { executors_[index].reserved = true; }

  /// "True, once, when a reserved executor has nothing left to do", and no lease either.
  bool begin_errand(std::size_t index, bool new_predictor) {
    Executor& executor = executors_[index];
    const bool has_unfinished =
        std::any_of(running_.begin(), running_.end(),
                    [index](const auto& batch) { return batch.executor == index; });
    if (!executor.reserved || executor.at_work || executor.granted || has_unfinished) return false;
    executor.reserved = false;
    executor.at_work = true;
    if (new_predictor) {
      executor.mean_ns = 0;
      executor.seen = false;
    }
    return true;
  }

  /// "Of the free ones the one with the fewest unfinished batches, of these the fastest or, where each has
  /// some, the one that finishes its last one first, then the lowest index."
  std::size_t choose() const {
    const auto rank = [this](std::size_t index) {
      const auto unfinished =
          std::count_if(running_.begin(), running_.end(),
                        [index](const auto& batch) { return batch.executor == index; });
      const Executor& executor = executors_[index];
      const TimePoint from = unfinished > 0 ? executor.last : TimePoint{};
      return std::pair(unfinished, from + Duration(executor.mean_ns));
    };
    std::size_t best = count();
    for (std::size_t index = 0; index < count(); ++index) {
      if (usable(index) && (best == count() || rank(index) < rank(best))) best = index;
    }
    return best;
  }

  void start(std::uint64_t batch_id, std::size_t index, std::size_t size, TimePoint now) {
    Executor& executor = executors_[index];
    executor.at_work = true;
    executor.last = now;
    running_.push_back({batch_id, index, size, now, now + Duration(executor.mean_ns)});
  }

  /// The predictor has returned: that may be before or after its batch is answered.
  void vacate(std::size_t index) { executors_[index].at_work = executors_[index].granted = false; }

  void finish(const batchwright::BatchReport& report) {
    std::erase_if(running_, [&](const auto& batch) { return batch.batch_id == report.batch_id; });
    // A batch that failed, or that was not computed, says nothing about the executor's speed.
    if (report.size == 0 || report.failed) return;
    // "An exponentially weighted mean with gain 1/8; the first sample sets it", in whole
    // nanoseconds.
    Executor& executor = executors_[report.executor];
    const std::int64_t sample = (report.finished - report.dispatched).count();
    executor.mean_ns = executor.seen ? executor.mean_ns + (sample - executor.mean_ns) / 8 : sample;
    executor.seen = true;
  }

  /// When a batch can begin before which `others` have to be begun, "each as soon as one is vacant, and
  /// each as long as `each`". An executor that is at work is expected to be vacant when the last batch
  /// that it was given is expected to be finished; all others are taken for vacant.
  TimePoint expected_vacant(std::uint64_t others, Duration each, TimePoint now) const {
    std::vector<TimePoint> vacant(count(), now);
    for (const batchwright::RunningBatch& batch : running_) {
      if (at_work(batch.executor)) vacant[batch.executor] = std::max(now, batch.expected_finish);
    }
    for (; others > 0; --others) *std::min_element(vacant.begin(), vacant.end()) += each;
    return *std::min_element(vacant.begin(), vacant.end());
  }

  /// When the oldest unfinished batch was dispatched.
  TimePoint oldest_dispatch() const {
    TimePoint earliest = batchwright::kNever;
    for (const auto& batch : running_) earliest = std::min(earliest, batch.dispatched);
    return earliest;
  }

 private:
  struct Executor {
    bool at_work = false;
    bool granted = false;
    bool reserved = false;
    bool seen = false;
    TimePoint last{};          ///< When it was given its last batch.
    std::int64_t mean_ns = 0;  ///< Zero while not yet seen.
  };

  std::vector<Executor> executors_;
  std::vector<batchwright::RunningBatch> running_;  // Unfinished batches.
  std::size_t max_in_flight_;
  bool leased_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_EXECUTORS_HPP
