// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_EXECUTOR_TABLE_HPP
#define BATCHWRIGHT_DETAIL_EXECUTOR_TABLE_HPP

#include "../policy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Which executors are free, and which batches are being computed. An executor is occupied while its
/// predictor is being called; an asynchronous predictor returns from the call before its batch is
/// finished, so the number of unfinished batches has a limit of its own. Memory is fixed at
/// construction.
class ExecutorTable {
 public:
  /// `leased`: an executor is there between `grant` and the end of its call only, because others use it
  /// too.
  ExecutorTable(std::size_t executors, std::size_t max_in_flight, bool leased = false)
      : executors_(executors),
        free_(leased ? 0 : executors),
        max_in_flight_(max_in_flight),
        leased_(leased) {
    for (Executor& executor : executors_) executor.occupied = leased;
    running_.reserve(max_in_flight);
    expected_.reserve(executors);
  }

  std::size_t count() const noexcept { return executors_.size(); }
  std::span<const RunningBatch> running() const noexcept { return running_; }

  /// Whether a batch could be dispatched if another executor were granted. If all of them are at work
  /// here, that can only be one of these when its batch is finished.
  bool could_use_more() const noexcept {
    if (!leased_) return false;
    return running_.size() < max_in_flight_ || called_ == executors_.size();
  }

  /// An executor is there for one batch.
  void grant(std::size_t executor) noexcept {
    Executor& granted = executors_[executor];
    granted.granted = true;
    if (granted.reserved) return;
    granted.occupied = false;
    ++free_;
  }

  /// Takes back one that was granted and is not in use; kNoCount if there is none.
  std::size_t revoke() noexcept {
    for (std::size_t index = 0; index < executors_.size(); ++index) {
      Executor& executor = executors_[index];
      if (!executor.granted || executor.called) continue;
      executor.granted = false;
      if (!std::exchange(executor.occupied, true)) --free_;
      return index;
    }
    return kNoCount;
  }

  /// How many batches could be dispatched now.
  std::size_t available() const noexcept {
    return std::min(free_, max_in_flight_ - running_.size());
  }

  /// Whether no batch can be dispatched, whatever comes, before one is finished. To wake the dispatcher for
  /// what comes would cost the caller a system call, and most likely an executor the core on which it
  /// computes.
  bool exhausted() const noexcept { return available() == 0 && !could_use_more(); }

  /// Whether the executor's predictor is being called, or it is reserved.
  bool occupied(std::size_t executor) const noexcept { return executors_[executor].occupied; }

  /// Of the free executors the one with the fewest unfinished batches: what an asynchronous predictor is
  /// given beside others may have to wait for them. Of these the one that is expected to be the fastest
  /// or, where each has some, the first to finish what it was given last; and of equals the lowest index.
  /// Requires `available() > 0`.
  std::size_t choose() const noexcept {
    std::size_t best = executors_.size();
    for (std::size_t index = 0; index < executors_.size(); ++index) {
      if (executors_[index].occupied) continue;
      if (best == executors_.size() || executors_[index].before(executors_[best])) best = index;
    }
    return best;
  }

  void start(std::uint64_t batch_id, std::size_t executor, std::size_t size,
             TimePoint now) noexcept {
    executors_[executor].occupied = executors_[executor].called = true;
    ++executors_[executor].unfinished;
    executors_[executor].last = now;
    ++called_;
    --free_;
    running_.push_back({.batch_id = batch_id,
                        .executor = executor,
                        .size = size,
                        .dispatched = now,
                        .expected_finish = saturating_add(now, executors_[executor].mean)});
  }

  /// When a vacant executor is expected after `batches` others have been begun, each as soon as one is
  /// vacant, and each as long as `each`. What is not at work here counts as vacant: others may give it
  /// back at any moment. O(executors log executors).
  TimePoint expected_vacant(std::uint64_t batches, Duration each, TimePoint now) noexcept {
    expected_.assign(executors_.size(), now);
    for (const RunningBatch& batch : running_) {
      if (!executors_[batch.executor].called) continue;
      expected_[batch.executor] = std::max(now, batch.expected_finish);
    }
    std::sort(expected_.begin(), expected_.end());
    if (batches == 0 || each <= Duration::zero()) return expected_.front();
    // Those that are vacant in time to get one of the batches, or this one, take turns from the instant
    // on at which the last of them is.
    const auto part_end = std::partition_point(
        expected_.begin(), expected_.end(),
        [&](TimePoint vacant) { return begun_before(vacant, each) <= batches; });
    const TimePoint last = *std::prev(part_end);
    const std::uint64_t rest = batches - begun_before(last, each);
    for (auto turn = expected_.begin(); turn != part_end; ++turn) {
      *turn += turns_before(last, *turn, each) * each;
    }
    const auto count = static_cast<std::uint64_t>(part_end - expected_.begin());
    const auto place = expected_.begin() + static_cast<std::ptrdiff_t>(rest % count);
    std::nth_element(expected_.begin(), place, part_end);
    const std::uint64_t turns = rest / count;
    const auto span = static_cast<double>(turns) * static_cast<double>(each.count());
    if (span >= 9e18) return kNever;
    return saturating_add(*place, Duration(static_cast<std::int64_t>(span)));
  }

  /// When the oldest running batch was dispatched. Batches are kept in the order of their dispatch.
  TimePoint oldest_dispatch() const noexcept {
    return running_.empty() ? kNever : running_.front().dispatched;
  }

  /// The executor's predictor has returned from its call.
  void vacate(std::size_t executor) noexcept {
    Executor& vacant = executors_[executor];
    vacant.called = vacant.granted = false;
    --called_;
    if (vacant.reserved || leased_) return;
    vacant.occupied = false;
    ++free_;
  }

  /// From now on the executor gets no batch, until `vacate` after `claim_reserved`.
  void reserve(std::size_t executor) noexcept {
    Executor& reserved = executors_[executor];
    reserved.reserved = true;
    if (std::exchange(reserved.occupied, true)) return;
    --free_;
  }

  bool reserved(std::size_t executor) const noexcept { return executors_[executor].reserved; }

  /// True, once, when a reserved executor has finished all that it was given. It is occupied then.
  bool claim_reserved(std::size_t executor) noexcept {
    Executor& reserved = executors_[executor];
    if (!reserved.reserved || reserved.called || reserved.granted) return false;
    for (const RunningBatch& batch : running_) {
      if (batch.executor == executor) return false;
    }
    reserved.reserved = false;
    reserved.called = true;
    ++called_;
    return true;
  }

  /// The executor's speed is not known any more.
  void forget(std::size_t executor) noexcept {
    executors_[executor].mean = {};
    executors_[executor].seen = false;
  }

  void finish(const BatchReport& report) noexcept {
    // A batch that failed, or of which nothing was computed, says nothing about the executor's speed;
    // one that fails at once would otherwise seem the fastest and be given everything.
    if (report.size > 0 && !report.failed) {
      Executor& executor = executors_[report.executor];
      const Duration off = report.service_time() - executor.mean;
      executor.mean += executor.seen ? off / kMemory : off;
      executor.seen = true;
    }
    const auto ended = [&](const RunningBatch& batch) { return batch.batch_id == report.batch_id; };
    if (std::erase_if(running_, ended) > 0) --executors_[report.executor].unfinished;
  }

 private:
  static constexpr int kMemory = 8;  // Batches that an executor's mean remembers.

  // How many batches, each as long as `each`, an executor begins before `instant`, one after the other.
  static std::int64_t turns_before(TimePoint instant, TimePoint vacant, Duration each) noexcept {
    return instant <= vacant ? 0 : (instant - vacant - Duration(1)) / each + 1;
  }

  // How many all of them begin.
  std::uint64_t begun_before(TimePoint instant, Duration each) const noexcept {
    std::uint64_t turns = 0;
    for (const TimePoint vacant : expected_) {
      turns += static_cast<std::uint64_t>(turns_before(instant, vacant, each));
    }
    return turns;
  }

  struct Executor {
    bool before(const Executor& other) const noexcept {
      if (unfinished != other.unfinished) return unfinished < other.unfinished;
      if (unfinished == 0) return mean < other.mean;
      return saturating_add(last, mean) < saturating_add(other.last, other.mean);
    }

    Duration mean{};
    std::size_t unfinished = 0;  // Batches,
    TimePoint last{};            // and the dispatch of the last one.
    bool seen = false;
    bool occupied = false;  // It cannot be given a batch,
    bool called = false;    // because it is at work,
    bool reserved = false;  // or will be at other work next,
    bool granted = false;   // or has not been granted.
  };

  std::vector<Executor> executors_;
  std::vector<RunningBatch> running_;
  std::vector<TimePoint> expected_;  // Of each executor, when it is vacant.
  std::size_t free_;
  std::size_t called_ = 0;
  std::size_t max_in_flight_;
  bool leased_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_EXECUTOR_TABLE_HPP
