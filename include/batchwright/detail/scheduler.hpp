// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SCHEDULER_HPP
#define BATCHWRIGHT_DETAIL_SCHEDULER_HPP

#include "../outcome.hpp"
#include "../policy.hpp"
#include "action.hpp"
#include "backlog.hpp"
#include "batch_cut.hpp"
#include "batch_size.hpp"
#include "counsel.hpp"
#include "deadline_heap.hpp"
#include "executor_table.hpp"
#include "flow.hpp"
#include "forecast.hpp"
#include "lane_order.hpp"
#include "lone_request.hpp"
#include "release_rule.hpp"
#include "request_header.hpp"
#include "request_queue.hpp"
#include "scheduler_limits.hpp"
#include "verdict.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

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
      : limits_(limits),
        queue_(limits),
        order_(queue_.backlog().shares()),
        cut_(limits),
        forecast_(limits),
        counsel_(std::move(policy), limits, limits.fit == FitRule::cheapest || forecast_.refuses()),
        executors_(limits.executors, limits.max_in_flight, limits.leased_executors),
        rule_(limits_, queue_.backlog(), order_, cut_, counsel_, executors_) {}

  // Events.

  void arrive(RequestHeader& request) noexcept {
    counsel_.arrived(request);
    enter(request);
  }

  /// As `arrive`. True if nothing else is queued and the policy releases it at once: `dispatch` is the action
  /// that runs it, which `next` would have given before it was idle. Requires: it has no requests yet.
  bool arrive_alone(RequestHeader& request, TimePoint now, Action& dispatch) noexcept {
    counsel_.arrived(request);
    if (passes(request, now)) {
      counsel_.tell();
      const std::size_t size = BatchSize::of(limits_.size_rule, 1, request.weight, request.length);
      QueueView view{now, 1, size, request.enqueued, request.enqueued};
      view.queue = LoneRequest::cursor(request);
      if (const Decision decision = rule_.ask(view); decision.is_release()) {
        queue_.backlog().pass(request);
        begin(dispatch, decision.reason(), executors_.choose(), size, now);
        dispatch.padded_size = cut_.padded(size);
        dispatch.oldest = request.enqueued;
        dispatch.requests.append(request);
        return true;
      }
    }
    enter(request);
    return false;
  }

  /// Takes a queued request out; the next action fails it as cancelled.
  void cancel(RequestHeader& request) noexcept { queue_.cancel(request); }

  /// Takes a request out that has not been handed out; no action will.
  void withdraw(RequestHeader& request) noexcept { queue_.withdraw(request); }

  /// A queued request has another rank from now on, and expires no more.
  void rerank(RequestHeader& request, const Urgency& urgency) noexcept {
    queue_.rerank(request, urgency);
  }

  /// Of a queued request that is `shared`: policies see another deadline from now on.
  void set_latest(RequestHeader& request, TimePoint latest) noexcept {
    request.latest = latest;
    if (limits_.keyed_lanes) queue_.backlog().agenda().note(*request.flow->lane);
  }

  /// Makes room for so many requests and bytes of that priority and tenant (null: the own one), by
  /// evicting what is of lower priority; the next actions fail it as evicted. False, and nothing
  /// happened, if that cannot make enough room.
  bool evict(std::size_t count, std::size_t bytes, int priority,
             Tenant* tenant = nullptr) noexcept {
    return queue_.evict(tenant == nullptr ? queue_.backlog().own_tenant() : *tenant, count, bytes,
                        priority);
  }

  /// A batch is finished: all its requests have been answered. One of size zero was not computed,
  /// because all of it had expired or been cancelled by then, and teaches nothing.
  void report(const BatchReport& report) noexcept {
    executors_.finish(report);
    if (report.size > 0) counsel_.finished(report);
  }

  /// The predictor of an executor has returned from its call; it can take the next batch. For a
  /// synchronous predictor this comes together with the report.
  void vacate(std::size_t executor) noexcept { executors_.vacate(executor); }

  /// From now on batches are at most this large: at most what the limits say, and one of the allowed
  /// sizes where there are such. What is running stays as it is.
  void set_cap(std::size_t cap) noexcept {
    cut_.set_cap(cap);
    queue_.backlog().reconsider();
  }

  /// From now on this policy decides. It knows nothing of what came before.
  void set_policy(Policy policy) noexcept {
    counsel_.replace(std::move(policy));
    queue_.backlog().reconsider();
  }

  /// Which executors are there: for those who reserve and lease them.
  ExecutorTable& executors() noexcept { return executors_; }

  /// True, once, when a reserved executor has nothing left to do: now it has. With `new_predictor` the
  /// service times of before mean nothing any more.
  bool begin_errand(std::size_t executor, bool new_predictor) noexcept {
    if (!executors_.claim_reserved(executor)) return false;
    if (new_predictor) {
      executors_.forget(executor);
      counsel_.forget_service();
    }
    return true;
  }

  /// So many others hold room of the capacity too.
  void share_room(std::size_t others) noexcept { queue_.backlog().share_room(others); }

  /// Marks all that is queued as due.
  void flush() noexcept { queue_.backlog().flush(); }

  /// Stops dispatch alone: deadlines and cancellations go on. Means nothing once draining.
  void pause() noexcept { paused_ = !rule_.draining(); }
  void resume() noexcept { paused_ = false; }

  /// From now on everything is due. Ends a pause.
  void drain() noexcept {
    rule_.drain();
    paused_ = false;
  }

  /// From now on everything that is queued, or comes, fails as stopped.
  void abandon() noexcept { abandoning_ = true; }

  // State.

  bool forecasts() const noexcept { return counsel_.learns_service(); }
  std::size_t queued() const noexcept { return queue_.backlog().count(); }
  /// Whether the next action fails what was cancelled, evicted or turned away.
  bool leaving() const noexcept { return !queue_.leavers().empty(); }
  std::size_t running() const noexcept { return executors_.running().size(); }
  /// Whether one batch is all that there is, and no other could be dispatched before it is finished.
  bool runs_last() const noexcept {
    return queue_.backlog().empty() && running() == 1 && executors_.exhausted();
  }
  bool paused() const noexcept { return paused_; }
  std::size_t room() const noexcept { return queue_.backlog().room(); }
  Lane& own_lane() noexcept { return queue_.backlog().own_lane(); }
  TimePoint oldest() noexcept { return queue_.backlog().oldest(); }
  TimePoint oldest_dispatch() const noexcept { return executors_.oldest_dispatch(); }
  const SchedulerLimits& limits() const noexcept { return limits_; }
  const Policy& policy() const noexcept { return counsel_.policy(); }

  /// The next action at `now`.
  Action next(TimePoint now) noexcept {
    counsel_.tell();
    const Backlog& backlog = queue_.backlog();
    const DeadlineHeap& deadlines = queue_.deadlines();
    if (!queue_.leavers().empty()) return queue_.leavers().next();
    if (abandoning_ && !backlog.empty()) {
      return Action::failing(queue_.take_all(), Outcome::stopped);
    }
    if (deadlines.due(now)) {
      if (RequestChain expired = queue_.take_due(now); !expired.empty()) {
        return Action::failing(expired, Outcome::expired);
      }
    }
    if (backlog.empty()) return {};
    if (paused_ || !(executors_.available() > 0 || executors_.could_use_more())) {
      return Action::waiting(deadlines.earliest(), kNoCount);
    }

    const Choice choice = rule_.choose(now);
    if (choice.lane == nullptr) {
      return Action::waiting(std::min(deadlines.earliest(), choice.verdict.until),
                             choice.verdict.size, choice.by_lane);
    }
    if (choice.verdict.dropped > 0) return give_up(*choice.lane, choice.verdict.dropped);
    if (executors_.available() > 0) return dispatch(*choice.lane, choice.verdict, now);
    Action action = Action::waiting(deadlines.earliest(), kNoCount);
    action.wants_executor = true;
    return action;
  }

 private:
  void enter(RequestHeader& request) noexcept {
    // Most are in no hurry, and pay for nothing more.
    if (!DeadlineHeap::find_due(request)) return queue_.backlog().enter(request);
    if (forecast_.refuses()) {
      queue_.backlog().place(request);
      if (forecast_.hopeless(request, queue_.backlog().tenants(), cut_.cap(), counsel_.service(),
                             executors_)) {
        return queue_.turn_away(request);
      }
    }
    queue_.enter(request);
  }

  // Whether the policy alone stands between a request that comes and an executor.
  bool passes(const RequestHeader& request, TimePoint now) const noexcept {
    return queue_.backlog().empty() && queue_.leavers().empty() && executors_.available() > 0 &&
           !paused_ && !abandoning_ && !limits_.keyed_lanes && request.flow == nullptr &&
           !forecast_.refuses() && std::min(request.expires(), request.delay_at) > now;
  }

  // On the first so many of a lane.
  Action give_up(const Lane& lane, std::size_t count) noexcept {
    RequestChain dropped;
    queue_.withdraw_picked(order_.first_of(lane, count), dropped);
    return Action::failing(dropped, Outcome::would_expire);
  }

  Action dispatch(const Lane& lane, const Verdict& verdict, TimePoint now) noexcept {
    const BatchCut::Cut cut = cut_.cut(order_, lane, verdict.size, counsel_.times());
    Action action;
    const std::size_t executor = lane.executor == kNoCount ? executors_.choose() : lane.executor;
    begin(action, verdict.reason, executor, cut.size, now);
    action.padded_size = cut.padded_size;
    queue_.dispatch(cut, action);
    return action;
  }

  // Still without requests.
  void begin(Action& action, ReleaseReason reason, std::size_t executor, std::size_t size,
             TimePoint now) noexcept {
    action.kind = Action::Kind::dispatch;
    action.reason = reason;
    action.executor = executor;
    action.batch_id = ++last_batch_id_;
    action.oldest = kNever;
    action.size = size;
    action.forecast.reset();
    if (counsel_.learns_service()) action.forecast = counsel_.service().expected(size);
    executors_.start(action.batch_id, executor, size, now);
  }

  const SchedulerLimits limits_;
  RequestQueue queue_;
  LaneOrder order_;
  BatchCut cut_;
  RequestForecast forecast_;
  Counsel<Policy> counsel_;
  ExecutorTable executors_;
  ReleaseRule<Policy> rule_;

  std::uint64_t last_batch_id_ = 0;
  bool paused_ = false, abandoning_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SCHEDULER_HPP
