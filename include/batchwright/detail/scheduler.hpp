// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SCHEDULER_HPP
#define BATCHWRIGHT_DETAIL_SCHEDULER_HPP

#include "../outcome.hpp"
#include "../policy.hpp"
#include "age_list.hpp"
#include "arrival_model.hpp"
#include "deadline_heap.hpp"
#include "executor_table.hpp"
#include "overtaking_ledger.hpp"
#include "priority_queue.hpp"
#include "request_header.hpp"
#include "service_model.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The scheduler's constants. All are validated by whoever takes them from the user.
struct SchedulerLimits {
  std::size_t max_batch_size = 32;
  std::size_t executors = 1;
  std::size_t max_in_flight = 1;
  Duration max_wait = std::chrono::seconds(1);
  std::uint64_t overtaking_bound = 1000;
};

/// What the scheduler wants done next.
struct Action {
  enum class Kind : std::uint8_t {
    idle,      ///< Nothing is queued: sleep until an event.
    wait,      ///< Sleep until `until`, or until requests of weight `missing` came, or an event.
    dispatch,  ///< Run `requests` on `executor`. It is occupied now.
    fail,      ///< Answer `requests` with `outcome`. They have left the queue.
  };

  Kind kind = Kind::idle;
  Outcome outcome = Outcome::ok;
  ReleaseReason reason = ReleaseReason::size;
  std::size_t executor = 0;
  std::uint64_t batch_id = 0;
  TimePoint until = kNever;
  std::size_t missing = kNoCount;
  TimePoint oldest{};  ///< Of a dispatch: enqueue time of its oldest request.
  RequestChain requests{};
};

/// The heart: a pure state machine. It has no thread, no lock, no atomic, no clock and no allocation
/// after construction; it never touches an input, a result or a completion. The dispatcher, the
/// simulator and the unit tests drive this same object.
///
/// Contract: events only mutate. After any number of events call `next(now)` until it returns `wait`
/// or `idle`; each other return is one action. `now` never decreases. Events of one instant are given
/// in the order: batch reports, arrivals, cancellations. A request belongs to the scheduler from
/// `arrive` until an action hands it out.
template <BatchingPolicy Policy>
class Scheduler {
 public:
  Scheduler(Policy policy, const SchedulerLimits& limits)
      : policy_(std::move(policy)),
        limits_(limits),
        needs_(needs_of(policy_)),
        service_(limits.max_batch_size),
        executors_(limits.executors, limits.max_in_flight) {}

  // Events.

  void arrive(RequestHeader& request) noexcept {
    request.sequence = ++last_sequence_;
    request.queued = true;
    queue_.push(request);
    ages_.insert(request);
    ledger_.accept(request);
    deadlines_.insert(request);
    ++count_;
    size_ += request.weight;
    note_arrival(request);
  }

  /// Takes a queued request out; the next action fails it as cancelled.
  void cancel(RequestHeader& request) noexcept {
    withdraw(request);
    cancelled_.append(request);
  }

  /// A batch is finished: all its requests have been answered. One of size zero was not computed,
  /// because all of it had expired or been cancelled by then, and teaches nothing.
  void report(const BatchReport& report) noexcept {
    executors_.finish(report);
    if (report.size == 0) return;
    if (needs_.service && !report.failed) {
      service_.observe(report.size, report.service_time());
    }
    if constexpr (HearsBatches<Policy>) policy_.on_batch(report);
  }

  /// The predictor of an executor has returned from its call; it can take the next batch. For a
  /// synchronous predictor this comes together with the report.
  void vacate(std::size_t executor) noexcept { executors_.vacate(executor); }

  /// Marks all that is queued as due.
  void flush() noexcept { flush_mark_ = last_sequence_; }

  /// Stops dispatch alone: deadlines and cancellations go on. Means nothing once draining.
  void pause() noexcept { paused_ = !draining_; }
  void resume() noexcept { paused_ = false; }

  /// From now on everything is due. Ends a pause.
  void drain() noexcept {
    draining_ = true;
    paused_ = false;
  }

  /// From now on everything that is queued, or comes, fails as stopped.
  void abandon() noexcept { abandoning_ = true; }

  // State.

  std::size_t queued() const noexcept { return count_; }
  std::size_t running() const noexcept { return executors_.running().size(); }
  bool paused() const noexcept { return paused_; }
  TimePoint oldest() const noexcept { return ages_.empty() ? kNever : ages_.oldest(); }
  TimePoint oldest_dispatch() const noexcept { return executors_.oldest_dispatch(); }
  const Policy& policy() const noexcept { return policy_; }

  /// The next action at `now`.
  Action next(TimePoint now) noexcept {
    tell_arrivals();
    if (!cancelled_.empty()) return fail(std::exchange(cancelled_, {}), Outcome::cancelled);
    if (abandoning_ && count_ > 0) return fail(take_all(), Outcome::stopped);
    if (deadlines_.due(now)) return fail(take_expired(now), Outcome::expired);
    if (count_ == 0) return {};
    if (paused_ || executors_.available() == 0) return sleep(deadlines_.earliest(), kNoCount);

    const Decision decision = policy_.decide(view(now));
    if (decision.is_release()) return dispatch(decision.size(), decision.reason(), now);
    if (size_ >= std::min(decision.size(), limits_.max_batch_size)) {
      return dispatch(kNoCount, ReleaseReason::size, now);
    }
    if (decision.until() <= now) return dispatch(kNoCount, ReleaseReason::time, now);
    if (draining_) return dispatch(kNoCount, ReleaseReason::drain, now);
    if (flush_due()) return dispatch(kNoCount, ReleaseReason::flush, now);
    if (first_at_bound()) return dispatch(kNoCount, ReleaseReason::overtaken, now);
    const TimePoint net = saturating_add(ages_.oldest(), limits_.max_wait);
    if (net <= now) return dispatch(kNoCount, ReleaseReason::net, now);

    return sleep(std::min({decision.until(), net, deadlines_.earliest()}),
                 std::min(decision.size(), limits_.max_batch_size) - size_);
  }

 private:
  QueueView view(TimePoint now) noexcept {
    QueueView view{.now = now,
                   .count = count_,
                   .size = size_,
                   .oldest = ages_.oldest(),
                   .newest = ages_.newest(),
                   .max_batch_size = limits_.max_batch_size,
                   .executors = executors_.count(),
                   .free_executors = executors_.available(),
                   .running = executors_.running(),
                   .queue = QueueCursor(&queue_, &step)};
    if (needs_.service) {
      service_estimate_ = service_.estimate();
      view.service = &service_estimate_;
    }
    if (needs_.arrivals) {
      arrival_estimate_ = arrivals_.estimate();
      view.arrivals = &arrival_estimate_;
    }
    return view;
  }

  static const void* step(const void* queue, const void* position, QueuedRequest& out) noexcept {
    const auto& requests = *static_cast<const PriorityQueue*>(queue);
    const RequestHeader* const request =
        position == nullptr ? requests.front()
                            : requests.next(*static_cast<const RequestHeader*>(position));
    if (request != nullptr) {
      out = {request->enqueued, request->deadline, request->weight, request->priority};
    }
    return request;
  }

  Action dispatch(std::size_t size, ReleaseReason reason, TimePoint now) noexcept {
    Action action{.kind = Action::Kind::dispatch,
                  .reason = reason,
                  .executor = executors_.choose(),
                  .batch_id = ++last_batch_id_};
    action.requests = take(std::min(size, limits_.max_batch_size));
    action.oldest = kNever;
    for (const RequestHeader* request = action.requests.first; request != nullptr;
         request = RequestChain::next(*request)) {
      action.oldest = std::min(action.oldest, request->enqueued);
    }
    executors_.start(action.batch_id, action.executor, action.requests.size, now);
    return action;
  }

  // The longest prefix of the order of at most `size`, and at least one request. Those at their
  // overtaking bound come first; the count that matters is the one before this batch, because members
  // of one batch do not overtake each other.
  RequestChain take(std::size_t size) noexcept {
    RequestChain batch;
    bool fits = true;
    while (fits && first_at_bound()) fits = move_to(batch, *ledger_.first(), size);
    while (fits && count_ > 0) fits = move_to(batch, *queue_.front(), size);
    return batch;
  }

  bool move_to(RequestChain& batch, RequestHeader& request, std::size_t size) noexcept {
    if (!batch.empty() && batch.size + request.weight > size) return false;
    ledger_.dispatch(request);
    leave(request);
    batch.append(request);
    return true;
  }

  RequestChain take_all() noexcept {
    RequestChain all;
    while (ledger_.first() != nullptr) {
      RequestHeader& request = *ledger_.first();
      withdraw(request);
      all.append(request);
    }
    return all;
  }

  RequestChain take_expired(TimePoint now) noexcept {
    RequestChain expired;
    while (deadlines_.due(now)) {
      RequestHeader& request = *deadlines_.first();
      withdraw(request);
      expired.append(request);
    }
    return expired;
  }

  void withdraw(RequestHeader& request) noexcept {
    ledger_.withdraw(request);
    leave(request);
  }

  void leave(RequestHeader& request) noexcept {
    queue_.erase(request);
    ages_.erase(request);
    deadlines_.erase(request);
    --count_;
    size_ -= request.weight;
    request.queued = false;
  }

  bool flush_due() const noexcept { return ledger_.first()->sequence <= flush_mark_; }

  bool first_at_bound() const noexcept {
    return ledger_.first() != nullptr && ledger_.overtakings_of_first() >= limits_.overtaking_bound;
  }

  static Action fail(RequestChain requests, Outcome outcome) noexcept {
    return {.kind = Action::Kind::fail, .outcome = outcome, .requests = requests};
  }

  static Action sleep(TimePoint until, std::size_t missing) noexcept {
    return {.kind = Action::Kind::wait, .until = until, .missing = missing};
  }

  void note_arrival(const RequestHeader& request) noexcept {
    if (needs_.arrivals) arrivals_.observe(request.enqueued);
    if constexpr (HearsArrivals<Policy>) {
      if (untold_.count++ == 0) untold_.first = untold_.last = request.enqueued;
      untold_.size += request.weight;
      untold_.first = std::min(untold_.first, request.enqueued);
      untold_.last = std::max(untold_.last, request.enqueued);
    }
  }

  void tell_arrivals() noexcept {
    if constexpr (HearsArrivals<Policy>) {
      if (untold_.count > 0) policy_.on_arrivals(std::exchange(untold_, {}));
    }
  }

  Policy policy_;
  SchedulerLimits limits_;
  PolicyNeeds needs_;

  PriorityQueue queue_;
  AgeList ages_;
  OvertakingLedger ledger_;
  DeadlineHeap deadlines_;
  std::size_t count_ = 0;
  std::size_t size_ = 0;

  ServiceModel service_;
  ArrivalModel arrivals_;
  ServiceEstimate service_estimate_;
  ArrivalEstimate arrival_estimate_;
  ExecutorTable executors_;
  ArrivalReport untold_;

  RequestChain cancelled_;
  std::uint64_t last_sequence_ = 0;
  std::uint64_t last_batch_id_ = 0;
  std::uint64_t flush_mark_ = 0;
  bool paused_ = false;
  bool draining_ = false;
  bool abandoning_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SCHEDULER_HPP
