// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP

#include "reference_queue.hpp"

#include <batchwright/outcome.hpp>
#include <batchwright/policy.hpp>
#include <batchwright/scheduling.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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
  using Request = ReferenceRequest;
  using Requests = ReferenceRequests;

  /// A policy is a function of the view, nothing more.
  using Policy = std::function<batchwright::Decision(const batchwright::QueueView&)>;

  struct Limits {
    std::size_t max_batch_size = 32;
    std::size_t executors = 1;
    std::size_t max_in_flight = 1;
    Duration max_wait = std::chrono::seconds(1);
    std::uint64_t overtaking_bound = 1000;
    batchwright::QueueOrder order = batchwright::QueueOrder::fifo;
    batchwright::SizeRule size_rule = batchwright::SizeRule::sum;
    std::vector<std::size_t> preferred_sizes{};
    std::vector<std::size_t> allowed_sizes{};
    batchwright::FitRule fit = batchwright::FitRule::pad_up;
    bool keyed_lanes = false;
    std::vector<std::uint64_t> shares{1};                            ///< By tenant.
    std::vector<std::size_t> lane_executors{batchwright::kNoCount};  ///< By lane.
  };

  enum class Kind { idle, wait, dispatch, fail };

  /// What the sizes made of a batch.
  enum class Cut { plain, preferred, trimmed, kept };

  struct Action {
    Kind kind = Kind::idle;
    batchwright::Outcome outcome = batchwright::Outcome::ok;
    batchwright::ReleaseReason reason = batchwright::ReleaseReason::size;
    std::size_t executor = 0;
    std::uint64_t batch_id = 0;
    TimePoint until = batchwright::kNever;
    std::size_t missing = batchwright::kNoCount;
    TimePoint oldest{};
    std::size_t padded_size = 0;
    Requests requests{};
    std::size_t size = 0;  ///< Of a batch, before it is padded up.
    Cut cut = Cut::plain;  ///< `kept`: both means are known, and say that trimming costs more.
  };

  ReferenceModel(Policy policy, const Limits& limits)
      : policy_(std::move(policy)),
        limits_(limits),
        queue_(limits.order, limits.overtaking_bound, limits.shares),
        executors_(limits.executors) {}

  // Events only mutate.

  std::uint64_t arrive(const Request& request) {
    queue_.arrive(request);
    return queue_.accepted();
  }

  void cancel(std::size_t id) { cancelled_.push_back(queue_.take(id)); }

  /// Who was evicted; nobody if all that may be evicted does not suffice.
  Requests evict(std::size_t count, std::size_t bytes, int priority, std::size_t tenant) {
    const Requests victims = queue_.victims(count, bytes, priority, tenant);
    if (victims.empty()) return victims;
    queue_.remove(victims);
    evicted_.insert(evicted_.end(), victims.begin(), victims.end());
    return victims;
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
    // The mean of one size, for `cheapest`: sizes up to 16 are not lumped together.
    SizeMean& mean = means_[report.size];
    ++mean.samples;
    const double gain = std::max(1.0 / 16, 1.0 / static_cast<double>(mean.samples));
    mean.ns += gain * (static_cast<double>(std::max<std::int64_t>(sample, 0)) - mean.ns);
  }

  /// The predictor of an executor has returned: that may be before or after its batch is answered.
  void vacate(std::size_t executor) { executors_[executor].occupied = false; }

  /// "`flush()` marks all that is queued as due."
  void flush() { flushed_ = queue_.accepted(); }

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

  std::size_t queued() const { return queue_.all().size(); }
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
  TimePoint oldest() const { return oldest_of(queue_.all()); }

  /// "Batch reports, then arrivals, then cancellations, then expiries (now >= expiry), then
  /// dispatch": the first three have been given as events, the rest is decided here.
  Action next(TimePoint now) {
    using batchwright::Outcome;
    if (!cancelled_.empty()) return fail(Outcome::cancelled, std::exchange(cancelled_, {}));
    if (!evicted_.empty()) return fail(Outcome::evicted, std::exchange(evicted_, {}));
    if (abandoning_ && !queue_.empty()) return fail_queued(Outcome::stopped, queue_.by_activity());
    queue_.delay(now);
    const Requests expired = queue_.expired(now);
    if (!expired.empty()) return fail_queued(Outcome::expired, expired);
    if (queue_.empty()) return {};
    if (paused_ || available_executors() == 0) {
      return wait(queue_.wake(), batchwright::kNoCount);
    }

    std::vector<Verdict> due;
    std::vector<Verdict> waiting;
    for (const std::size_t lane : queue_.lanes()) {
      // "A lane bound to an occupied executor is not looked at and contributes nothing."
      const std::size_t executor = limits_.lane_executors[lane];
      if (executor != batchwright::kNoCount && executors_[executor].occupied) continue;
      Verdict verdict = judge(lane, now);
      (verdict.due ? due : waiting).push_back(std::move(verdict));
    }
    if (!due.empty()) {
      // "Of the due lanes, the one whose first request is first by the order is dispatched."
      const auto first =
          std::min_element(due.begin(), due.end(), [this](const auto& a, const auto& b) {
            return queue_.precedes(a.order.front(), b.order.front());
          });
      return dispatch(*first, now);
    }
    TimePoint until = queue_.wake();
    std::size_t missing = batchwright::kNoCount;
    for (const Verdict& verdict : waiting) {
      until = std::min(until, verdict.until);
      missing = std::min(missing, verdict.missing);
    }
    // One arrival may open a lane of its own, which nobody has asked the policy about.
    return wait(until, limits_.keyed_lanes ? 1 : missing);
  }

 private:
  struct Executor {
    bool occupied = false;
    bool seen = false;
    std::int64_t mean_ns = 0;  ///< Zero while not yet seen.
  };

  struct SizeMean {
    double ns = 0;
    std::uint64_t samples = 0;
  };

  /// What one lane may do now.
  struct Verdict {
    std::size_t lane = 0;
    Requests order;  ///< All of the lane, as a batch would take it.
    bool due = false;
    std::size_t size = 0;  ///< If due: what may leave at most, and why.
    batchwright::ReleaseReason reason = batchwright::ReleaseReason::size;
    TimePoint until = batchwright::kNever;  ///< If not: what it waits for.
    std::size_t missing = batchwright::kNoCount;
  };

  static Action fail(batchwright::Outcome outcome, Requests requests) {
    Action action;
    action.kind = Kind::fail;
    action.outcome = outcome;
    action.requests = std::move(requests);
    return action;
  }

  Action fail_queued(batchwright::Outcome outcome, const Requests& requests) {
    queue_.remove(requests);
    return fail(outcome, requests);
  }

  static Action wait(TimePoint until, std::size_t missing) {
    Action action;
    action.kind = Kind::wait;
    action.until = until;
    action.missing = missing;
    return action;
  }

  /// "`cap` = max_batch_size, or the largest `allowed` size if allowed is not empty."
  std::size_t cap() const {
    return limits_.allowed_sizes.empty() ? limits_.max_batch_size : limits_.allowed_sizes.back();
  }

  /// "`sum`: the size of a set of requests is the sum of weights. `padded`: count x the longest
  /// length."
  std::size_t size_of(const Requests& requests) const {
    std::size_t weight = 0;
    std::size_t longest = 0;
    for (const Request& request : requests) {
      weight += request.weight;
      longest = std::max(longest, request.length);
    }
    return limits_.size_rule == batchwright::SizeRule::sum ? weight : requests.size() * longest;
  }

  static Requests prefix(const Requests& order, std::size_t count) {
    return {order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  /// "The longest prefix of size <= n, at least one request (an oversized one so leaves alone)";
  /// "nothing is skipped to fill it".
  Requests longest_prefix(const Requests& order, std::size_t size) const {
    std::size_t count = 1;
    while (count < order.size() && size_of(prefix(order, count + 1)) <= size) ++count;
    return prefix(order, count);
  }

  /// The longest prefix whose size is exactly one of `sizes`; empty if there is none.
  Requests longest_exact(const Requests& order, const std::vector<std::size_t>& sizes) const {
    for (std::size_t count = order.size(); count > 0; --count) {
      if (contains(sizes, size_of(prefix(order, count)))) return prefix(order, count);
    }
    return {};
  }

  static bool contains(const std::vector<std::size_t>& sizes, std::size_t size) {
    return std::find(sizes.begin(), sizes.end(), size) != sizes.end();
  }

  /// "The smallest allowed size >= the size, or the size itself if there is none."
  std::size_t padded_up(std::size_t size) const {
    for (const std::size_t allowed : limits_.allowed_sizes) {
      if (allowed >= size) return allowed;
    }
    return size;
  }

  /// Whether the lane is due, "by the first that holds".
  Verdict judge(std::size_t lane, TimePoint now) const {
    using batchwright::ReleaseReason;
    Verdict verdict;
    verdict.lane = lane;
    verdict.order = queue_.order_of(lane);
    const auto release = [&verdict](std::size_t size, ReleaseReason reason) {
      verdict.due = true;
      verdict.size = size;
      verdict.reason = reason;
      return verdict;
    };
    const auto any = [&verdict](auto holds) {
      return std::any_of(verdict.order.begin(), verdict.order.end(), holds);
    };
    const batchwright::Decision decision = ask_policy(verdict.order, now);
    if (decision.is_release()) return release(std::min(decision.size(), cap()), decision.reason());

    // A policy that waits is overruled once the lane is due for another reason. All of these take
    // as much as the cap allows.
    const std::size_t size = size_of(verdict.order);
    const std::size_t awaited = std::min(decision.size(), cap());
    const TimePoint end_of_net = net_of(oldest_of(verdict.order));
    if (size >= awaited) return release(cap(), ReleaseReason::size);
    if (preferred_size_reached(verdict.order)) return release(cap(), ReleaseReason::size);
    if (decision.until() <= now) return release(cap(), ReleaseReason::time);
    if (draining_) return release(cap(), ReleaseReason::drain);
    if (any([this](const Request& request) { return request.sequence <= flushed_; })) {
      return release(cap(), ReleaseReason::flush);
    }
    // "At the bound it goes first and its lane is due."
    if (any([](const Request& request) { return request.at_bound; })) {
      return release(cap(), ReleaseReason::overtaken);
    }
    // "No request waits longer than `max_wait` for company, whatever a policy says. A lane's clock
    // is its oldest request, not its head."
    if (end_of_net <= now) return release(cap(), ReleaseReason::net);

    verdict.until = std::min(decision.until(), end_of_net);
    verdict.missing = awaited - size;
    // A preferred size may be reached by the first request that brings the lane to the smallest of
    // them, and by any further one.
    if (!limits_.preferred_sizes.empty()) {
      const std::size_t smallest = limits_.preferred_sizes.front();
      verdict.missing = std::min(verdict.missing, size < smallest ? smallest - size : 1);
    }
    return verdict;
  }

  /// "Some prefix of the lane's order, of size <= cap, has exactly a preferred size, or lane.size >
  /// the largest preferred."
  bool preferred_size_reached(const Requests& order) const {
    if (limits_.preferred_sizes.empty()) return false;
    if (size_of(order) > limits_.preferred_sizes.back()) return true;
    return !longest_exact(order, limits_.preferred_sizes).empty();
  }

  /// How much of the lane, in its order, leaves.
  void cut(Action& action, const Requests& order, std::size_t limit) const {
    action.requests = longest_prefix(order, limit);
    const std::vector<std::size_t>& preferred = limits_.preferred_sizes;
    const std::vector<std::size_t>& allowed = limits_.allowed_sizes;
    if (!preferred.empty()) {
      // "When due by time, the largest such prefix leaves, or all if there is none", "but not past
      // the largest preferred size".
      const Requests exact = longest_exact(action.requests, preferred);
      if (!exact.empty()) {
        action.requests = exact;
        action.cut = Cut::preferred;
        return;
      }
      action.requests = longest_prefix(order, std::min(limit, preferred.back()));
    }

    const std::size_t whole = size_of(action.requests);
    if (allowed.empty() || limits_.fit == batchwright::FitRule::pad_up) return;
    if (contains(allowed, whole) || whole >= allowed.back()) return;
    const Requests down = longest_exact(action.requests, allowed);
    if (down.empty()) return;
    if (limits_.fit == batchwright::FitRule::cheapest) {
      // "Trims if and only if time(down)/down <= time(up)/actual by measured means; a size never
      // measured is padded up to."
      const auto time_down = means_.find(size_of(down));
      const auto time_up = means_.find(padded_up(whole));
      if (time_down == means_.end() || time_up == means_.end()) return;
      if (time_down->second.ns / static_cast<double>(size_of(down)) >
          time_up->second.ns / static_cast<double>(whole)) {
        action.cut = Cut::kept;
        return;
      }
    }
    action.requests = down;
    action.cut = Cut::trimmed;
  }

  Action dispatch(const Verdict& verdict, TimePoint now) {
    Action action;
    action.kind = Kind::dispatch;
    action.reason = verdict.reason;
    cut(action, verdict.order, verdict.size);
    action.size = size_of(action.requests);
    action.padded_size = padded_up(action.size);
    action.executor = choose_executor(verdict.lane);
    action.batch_id = ++batches_;
    action.oldest = oldest_of(action.requests);
    queue_.dispatch(action.requests);

    Executor& executor = executors_[action.executor];
    executor.occupied = true;
    running_.push_back(
        {action.batch_id, action.executor, action.size, now, now + Duration(executor.mean_ns)});
    return action;
  }

  /// The lane's own, or "the free one that is expected to finish first, then the lowest index".
  std::size_t choose_executor(std::size_t lane) const {
    if (limits_.lane_executors[lane] != batchwright::kNoCount) return limits_.lane_executors[lane];
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

  static TimePoint oldest_of(const Requests& requests) {
    TimePoint earliest = batchwright::kNever;
    for (const Request& request : requests) earliest = std::min(earliest, request.enqueued);
    return earliest;
  }

  /// "`duration::max()` turns it off"; what cannot be represented never comes either.
  TimePoint net_of(TimePoint oldest) const {
    if (limits_.max_wait == Duration::max()) return batchwright::kNever;
    if (oldest > TimePoint{} && limits_.max_wait > batchwright::kNever - oldest) {
      return batchwright::kNever;
    }
    return oldest + limits_.max_wait;
  }

  batchwright::Decision ask_policy(const Requests& lane, TimePoint now) const {
    std::vector<batchwright::QueuedRequest> order;
    batchwright::QueueView view;
    view.newest = lane.front().enqueued;
    for (const Request& request : lane) {
      order.push_back({request.enqueued, request.deadline, request.weight, request.priority});
      view.newest = std::max(view.newest, request.enqueued);
    }
    view.now = now;
    view.count = lane.size();
    view.size = size_of(lane);
    view.oldest = oldest_of(lane);
    view.max_batch_size = cap();
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
  ReferenceQueue queue_;
  Requests cancelled_;  // In order of cancellation.
  Requests evicted_;    // In order of eviction.
  std::vector<Executor> executors_;
  std::vector<batchwright::RunningBatch> running_;  // Unfinished batches.
  std::map<std::size_t, SizeMean> means_;           // By size; only those with a sample.
  std::uint64_t batches_ = 0;
  std::uint64_t flushed_ = 0;  // What was accepted up to here is due.
  bool paused_ = false;
  bool draining_ = false;
  bool abandoning_ = false;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
