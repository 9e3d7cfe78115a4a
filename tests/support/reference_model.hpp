// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP

#include <batchwright/outcome.hpp>
#include <batchwright/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace batchwright_test {

/// The scheduler a second time, slow and obvious: plain vectors, scanned and sorted anew for every
/// question. It is written from the rules, which its comments quote, and shares no code with
/// batchwright/detail/scheduler.hpp; the random test compares the two action by action.
class ReferenceModel {
 public:
  using TimePoint = batchwright::TimePoint;
  using Duration = batchwright::Duration;

  /// A policy is a function of the view, nothing more.
  using Policy = std::function<batchwright::Decision(const batchwright::QueueView&)>;

  struct Limits {
    std::size_t max_batch_size = 32;
    std::size_t executors = 1;
    std::size_t max_in_flight = 1;
    Duration max_wait = std::chrono::seconds(1);
    std::uint64_t overtaking_bound = 1000;
  };

  struct Request {
    std::size_t id = 0;
    TimePoint enqueued{};
    TimePoint deadline = batchwright::kNever;
    int priority = 0;
    std::size_t weight = 1;
    std::uint64_t sequence = 0;   ///< The order of acceptance, from 1.
    std::uint64_t overtaken = 0;  ///< How often, so far.
  };

  enum class Kind { idle, wait, dispatch, fail };

  struct Action {
    Kind kind = Kind::idle;
    batchwright::Outcome outcome = batchwright::Outcome::ok;
    batchwright::ReleaseReason reason = batchwright::ReleaseReason::size;
    std::size_t executor = 0;
    std::uint64_t batch_id = 0;
    TimePoint until = batchwright::kNever;
    std::size_t missing = batchwright::kNoCount;
    TimePoint oldest{};
    std::vector<Request> requests;
  };

  ReferenceModel(Policy policy, const Limits& limits)
      : policy_(std::move(policy)), limits_(limits), executors_(limits.executors) {}

  // Events only mutate.

  std::uint64_t arrive(Request request) {
    request.sequence = ++accepted_;
    queue_.push_back(request);
    return request.sequence;
  }

  void cancel(std::size_t id) {
    const auto request = std::find_if(queue_.begin(), queue_.end(),
                                      [id](const Request& queued) { return queued.id == id; });
    cancelled_.push_back(*request);
    queue_.erase(request);
  }

  /// All requests of a batch have been answered.
  void report(const batchwright::BatchReport& report) {
    std::erase_if(running_, [&report](const batchwright::RunningBatch& batch) {
      return batch.batch_id == report.batch_id;
    });
    // "One of size zero was not computed, because all of it had expired or been cancelled by then,
    // and teaches nothing."
    if (report.size == 0) return;
    // A batch that failed says nothing about the executor's speed.
    if (report.failed) return;
    // "An exponentially weighted mean with gain 1/8; the first sample sets it", in whole
    // nanoseconds.
    Executor& executor = executors_[report.executor];
    const std::int64_t sample = (report.finished - report.dispatched).count();
    executor.mean_ns = executor.seen ? executor.mean_ns + (sample - executor.mean_ns) / 8 : sample;
    executor.seen = true;
  }

  /// The predictor of an executor has returned: that may be before or after its batch is answered.
  void vacate(std::size_t executor) { executors_[executor].occupied = false; }

  /// "`flush()` marks all that is queued as due."
  void flush() { flushed_ = accepted_; }

  /// "`pause()` stops dispatch only, deadlines and refusals go on."
  void pause() { paused_ = !draining_; }
  void resume() { paused_ = false; }

  /// From now on everything is due. "Drain ends a pause."
  void drain() {
    draining_ = true;
    paused_ = false;
  }

  /// From now on everything that is queued, or comes, fails as stopped.
  void abandon() { abandoning_ = true; }

  std::size_t queued() const { return queue_.size(); }
  std::size_t running() const { return running_.size(); }
  bool paused() const { return paused_; }

  /// When the oldest unfinished batch was dispatched.
  TimePoint oldest_dispatch() const {
    TimePoint earliest = batchwright::kNever;
    for (const batchwright::RunningBatch& batch : running_) {
      earliest = std::min(earliest, batch.dispatched);
    }
    return earliest;
  }

  /// The earliest enqueue time: callers stamp it, so it need not be that of the first accepted.
  TimePoint oldest() const {
    TimePoint earliest = batchwright::kNever;
    for (const Request& request : queue_) earliest = std::min(earliest, request.enqueued);
    return earliest;
  }

  /// "Batch reports, then arrivals, then cancellations, then expiries (now >= deadline), then
  /// dispatch": the first three have been given as events, the rest is decided here.
  Action next(TimePoint now) {
    if (!cancelled_.empty()) {
      return fail(batchwright::Outcome::cancelled, std::exchange(cancelled_, {}));
    }
    if (abandoning_ && !queue_.empty()) {
      return fail(batchwright::Outcome::stopped, std::exchange(queue_, {}));
    }
    std::vector<Request> expired = due_by_deadline(now);
    if (!expired.empty()) {
      remove_from_queue(expired);
      return fail(batchwright::Outcome::expired, std::move(expired));
    }
    if (queue_.empty()) return {};
    if (paused_ || available_executors() == 0) {
      return wait(earliest_deadline(), batchwright::kNoCount);
    }

    const batchwright::Decision decision = ask_policy(now);
    if (decision.is_release()) return dispatch(decision.size(), decision.reason(), now);

    // A policy that waits is overruled once the queue is due for another reason. All of these take
    // as much as the cap allows.
    const std::size_t cap = limits_.max_batch_size;
    const std::size_t awaited = std::min(decision.size(), cap);
    const Request first_accepted = in_order_of_acceptance(queue_).front();
    using batchwright::ReleaseReason;
    if (queued_weight() >= awaited) return dispatch(cap, ReleaseReason::size, now);
    if (decision.until() <= now) return dispatch(cap, ReleaseReason::time, now);
    if (draining_) return dispatch(cap, ReleaseReason::drain, now);
    if (first_accepted.sequence <= flushed_) return dispatch(cap, ReleaseReason::flush, now);
    // "At the bound it goes first and its lane is due."
    if (first_accepted.overtaken >= limits_.overtaking_bound) {
      return dispatch(cap, ReleaseReason::overtaken, now);
    }
    // "No request waits longer than `max_wait` for company, whatever a policy says. A lane's clock
    // is its oldest request, not its head."
    if (end_of_net() <= now) return dispatch(cap, ReleaseReason::net, now);

    return wait(std::min({decision.until(), end_of_net(), earliest_deadline()}),
                awaited - queued_weight());
  }

 private:
  struct Executor {
    bool occupied = false;
    bool seen = false;
    std::int64_t mean_ns = 0;  ///< Zero while not yet seen.
  };

  static Action fail(batchwright::Outcome outcome, std::vector<Request> requests) {
    Action action;
    action.kind = Kind::fail;
    action.outcome = outcome;
    action.requests = std::move(requests);
    return action;
  }

  static Action wait(TimePoint until, std::size_t missing) {
    Action action;
    action.kind = Kind::wait;
    action.until = until;
    action.missing = missing;
    return action;
  }

  Action dispatch(std::size_t size, batchwright::ReleaseReason reason, TimePoint now) {
    Action action;
    action.kind = Kind::dispatch;
    action.reason = reason;
    action.requests = form_batch(std::min(size, limits_.max_batch_size));
    action.executor = choose_executor();
    action.batch_id = ++batches_;
    action.oldest = batchwright::kNever;
    std::size_t weight = 0;
    for (const Request& request : action.requests) {
      action.oldest = std::min(action.oldest, request.enqueued);
      weight += request.weight;
    }

    remove_from_queue(action.requests);
    // "A request is overtaken once per request that was accepted later, dispatched earlier, and is
    // not in its own batch": what still is queued is dispatched later than this batch, if ever.
    for (Request& left_behind : queue_) {
      for (const Request& dispatched : action.requests) {
        if (dispatched.sequence > left_behind.sequence) ++left_behind.overtaken;
      }
    }

    Executor& executor = executors_[action.executor];
    executor.occupied = true;
    running_.push_back(
        {action.batch_id, action.executor, weight, now, now + Duration(executor.mean_ns)});
    return action;
  }

  /// "The longest prefix of weight n or less", but at least the first request; "nothing is skipped
  /// to fill it".
  std::vector<Request> form_batch(std::size_t size) const {
    std::vector<Request> batch;
    std::size_t weight = 0;
    for (const Request& request : in_order_of_dispatch()) {
      if (!batch.empty() && weight + request.weight > size) break;
      weight += request.weight;
      batch.push_back(request);
    }
    return batch;
  }

  /// What has been overtaken as often as is allowed goes first, by acceptance; the others follow by
  /// priority, higher first, and by acceptance within one.
  std::vector<Request> in_order_of_dispatch() const {
    std::vector<Request> order;
    for (const Request& request : in_order_of_acceptance(queue_)) {
      if (at_bound(request)) order.push_back(request);
    }
    for (const Request& request : in_order_of_priority()) {
      if (!at_bound(request)) order.push_back(request);
    }
    return order;
  }

  bool at_bound(const Request& request) const {
    return request.overtaken >= limits_.overtaking_bound;
  }

  std::vector<Request> in_order_of_priority() const {
    std::vector<Request> order = in_order_of_acceptance(queue_);
    std::stable_sort(order.begin(), order.end(),
                     [](const Request& a, const Request& b) { return a.priority > b.priority; });
    return order;
  }

  static std::vector<Request> in_order_of_acceptance(std::vector<Request> requests) {
    std::sort(requests.begin(), requests.end(),
              [](const Request& a, const Request& b) { return a.sequence < b.sequence; });
    return requests;
  }

  std::vector<Request> due_by_deadline(TimePoint now) const {
    std::vector<Request> due;
    for (const Request& request : queue_) {
      if (now >= request.deadline) due.push_back(request);
    }
    due = in_order_of_acceptance(std::move(due));
    std::stable_sort(due.begin(), due.end(),
                     [](const Request& a, const Request& b) { return a.deadline < b.deadline; });
    return due;
  }

  void remove_from_queue(const std::vector<Request>& leaving) {
    std::erase_if(queue_, [&leaving](const Request& queued) {
      return std::any_of(leaving.begin(), leaving.end(),
                         [&queued](const Request& gone) { return gone.id == queued.id; });
    });
  }

  /// "The free one that is expected to finish first, then the lowest index."
  std::size_t choose_executor() const {
    std::size_t best = executors_.size();
    for (std::size_t index = 0; index < executors_.size(); ++index) {
      if (executors_[index].occupied) continue;
      if (best == executors_.size() || executors_[index].mean_ns < executors_[best].mean_ns) {
        best = index;
      }
    }
    return best;
  }

  /// How many batches could be dispatched now: each needs a free executor, and "asynchronous
  /// predictors are bounded by `max_in_flight`" unfinished batches.
  std::size_t available_executors() const {
    std::size_t free = 0;
    for (const Executor& executor : executors_) free += executor.occupied ? 0 : 1;
    return std::min(free, limits_.max_in_flight - running_.size());
  }

  std::size_t queued_weight() const {
    std::size_t weight = 0;
    for (const Request& request : queue_) weight += request.weight;
    return weight;
  }

  TimePoint earliest_deadline() const {
    TimePoint earliest = batchwright::kNever;
    for (const Request& request : queue_) earliest = std::min(earliest, request.deadline);
    return earliest;
  }

  /// "`duration::max()` turns it off"; what cannot be represented never comes either.
  TimePoint end_of_net() const {
    if (limits_.max_wait == Duration::max()) return batchwright::kNever;
    if (oldest() > TimePoint{} && limits_.max_wait > batchwright::kNever - oldest()) {
      return batchwright::kNever;
    }
    return oldest() + limits_.max_wait;
  }

  batchwright::Decision ask_policy(TimePoint now) const {
    std::vector<batchwright::QueuedRequest> order;
    for (const Request& request : in_order_of_priority()) {
      order.push_back({request.enqueued, request.deadline, request.weight, request.priority});
    }
    batchwright::QueueView view;
    view.now = now;
    view.count = queue_.size();
    view.size = queued_weight();
    view.oldest = oldest();
    view.newest = queue_.front().enqueued;
    for (const Request& request : queue_) view.newest = std::max(view.newest, request.enqueued);
    view.max_batch_size = limits_.max_batch_size;
    view.executors = limits_.executors;
    view.free_executors = available_executors();
    view.running = running_;
    view.queue = batchwright::QueueCursor(&order, &step);
    return policy_(view);
  }

  static const void* step(const void* queue, const void* position,
                          batchwright::QueuedRequest& out) noexcept {
    const auto& order = *static_cast<const std::vector<batchwright::QueuedRequest>*>(queue);
    const auto* request = position == nullptr
                              ? order.data()
                              : static_cast<const batchwright::QueuedRequest*>(position) + 1;
    if (request == order.data() + order.size()) return nullptr;
    out = *request;
    return request;
  }

  Policy policy_;
  Limits limits_;
  std::vector<Request> queue_;      // In no order that anything relies on.
  std::vector<Request> cancelled_;  // In order of cancellation.
  std::vector<Executor> executors_;
  std::vector<batchwright::RunningBatch> running_;  // Unfinished batches.
  std::uint64_t accepted_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t flushed_ = 0;  // What was accepted up to here is due.
  bool paused_ = false;
  bool draining_ = false;
  bool abandoning_ = false;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
