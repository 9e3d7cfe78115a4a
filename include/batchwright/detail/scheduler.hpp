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
#include "eviction.hpp"
#include "executor_table.hpp"
#include "flow.hpp"
#include "forecast.hpp"
#include "lane_agenda.hpp"
#include "lane_cursor.hpp"
#include "lane_order.hpp"
#include "leavers.hpp"
#include "lone_request.hpp"
#include "request_header.hpp"
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
        backlog_(limits),
        order_(backlog_.shares()),
        cursor_(order_),
        cut_(limits),
        forecast_(limits),
        counsel_(std::move(policy), limits, limits.fit == FitRule::cheapest || forecast_.refuses()),
        executors_(limits.executors, limits.max_in_flight, limits.leased_executors) {}

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
      if (const Decision decision = ask(view); decision.is_release()) {
        backlog_.pass(request);
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
  void cancel(RequestHeader& request) noexcept {
    withdraw(request);
    leavers_.cancelled.append(request);
  }

  /// Takes a request out that has not been handed out; no action will.
  void withdraw(RequestHeader& request) noexcept {
    if (!request.queued) return leavers_.hopeless.erase(request);
    backlog_.withdraw(request);
    deadlines_.erase(request);
  }

  /// A queued request has another rank from now on, and expires no more.
  void rerank(RequestHeader& request, const Urgency& urgency) noexcept {
    deadlines_.erase(request);
    request.deadline = request.expiry = kNever;
    backlog_.rerank(request, urgency);
    deadlines_.insert(request);
  }

  /// Of a queued request that is `shared`: policies see another deadline from now on.
  void set_latest(RequestHeader& request, TimePoint latest) noexcept {
    request.latest = latest;
    if (limits_.keyed_lanes) backlog_.agenda().note(*request.flow->lane);
  }

  /// Makes room for so many requests and bytes of that priority and tenant (null: the own one), by
  /// evicting what is of lower priority; the next actions fail it as evicted. False, and nothing
  /// happened, if that cannot make enough room.
  bool evict(std::size_t count, std::size_t bytes, int priority,
             Tenant* tenant = nullptr) noexcept {
    RequestHeader* const victim =
        choose_victims(tenant == nullptr ? backlog_.own_tenant() : *tenant, count, bytes, priority);
    if (victim == nullptr) return false;
    withdraw_picked(victim, leavers_.evicted);
    return true;
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
    backlog_.reconsider();
  }

  /// From now on this policy decides. It knows nothing of what came before.
  void set_policy(Policy policy) noexcept {
    counsel_.replace(std::move(policy));
    backlog_.reconsider();
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
  void share_room(std::size_t others) noexcept { backlog_.share_room(others); }

  /// Marks all that is queued as due.
  void flush() noexcept { backlog_.flush(); }

  /// Stops dispatch alone: deadlines and cancellations go on. Means nothing once draining.
  void pause() noexcept { paused_ = !draining_; }
  void resume() noexcept { paused_ = false; }

  /// From now on everything is due. Ends a pause.
  void drain() noexcept {
    if (!std::exchange(draining_, true)) backlog_.reconsider();
    paused_ = false;
  }

  /// From now on everything that is queued, or comes, fails as stopped.
  void abandon() noexcept { abandoning_ = true; }

  // State.

  bool forecasts() const noexcept { return counsel_.learns_service(); }
  std::size_t queued() const noexcept { return backlog_.count(); }
  std::size_t running() const noexcept { return executors_.running().size(); }
  /// Whether one batch is all that there is, and no other could be dispatched before it is finished.
  bool runs_last() const noexcept {
    return backlog_.empty() && running() == 1 && executors_.exhausted();
  }
  bool paused() const noexcept { return paused_; }
  std::size_t room() const noexcept { return backlog_.room(); }
  Lane& own_lane() noexcept { return backlog_.own_lane(); }
  TimePoint oldest() noexcept { return backlog_.oldest(); }
  TimePoint oldest_dispatch() const noexcept { return executors_.oldest_dispatch(); }
  const SchedulerLimits& limits() const noexcept { return limits_; }
  const Policy& policy() const noexcept { return counsel_.policy(); }

  /// The next action at `now`.
  Action next(TimePoint now) noexcept {
    counsel_.tell();
    if (!leavers_.empty()) return leavers_.next();
    if (abandoning_ && !backlog_.empty()) return Action::failing(take_all(), Outcome::stopped);
    if (deadlines_.due(now)) {
      if (RequestChain expired = take_due(now); !expired.empty()) {
        return Action::failing(expired, Outcome::expired);
      }
    }
    if (backlog_.empty()) return {};
    if (paused_ || !(executors_.available() > 0 || executors_.could_use_more())) {
      return Action::waiting(deadlines_.earliest(), kNoCount);
    }

    const Choice choice = limits_.keyed_lanes ? choose_of_many(now) : choose_only(now);
    if (choice.lane != nullptr) {
      if (const std::size_t count = choice.verdict.dropped; count > 0) {
        RequestChain dropped;
        withdraw_picked(order_.first_of(*choice.lane, count), dropped);
        return Action::failing(dropped, Outcome::would_expire);
      }
      return run(*choice.lane, choice.verdict, now);
    }
    return Action::waiting(std::min(deadlines_.earliest(), choice.verdict.until),
                           choice.verdict.size, choice.by_lane);
  }

 private:
  void enter(RequestHeader& request) noexcept {
    if (forecast_.refuses()) {
      backlog_.place(request);
      if (forecast_.hopeless(request, backlog_.tenants(), cut_.cap(), counsel_.service(),
                             executors_)) {
        request.queued = false;
        request.sequence = 0;
        return leavers_.hopeless.append(request);
      }
    }
    backlog_.enter(request);
    deadlines_.insert(request);
  }

  // Whether the policy alone stands between a request that comes and an executor.
  bool passes(const RequestHeader& request, TimePoint now) const noexcept {
    return backlog_.empty() && leavers_.empty() && executors_.available() > 0 && !paused_ &&
           !abandoning_ && !limits_.keyed_lanes && request.flow == nullptr &&
           !forecast_.refuses() && std::min(request.expires(), request.delay_at) > now;
  }

  Choice choose_only(TimePoint now) noexcept {
    Lane& lane = *backlog_.first_lane();
    if (!open(lane.executor)) return {.verdict = {.size = kNoCount}};
    const Verdict verdict = judge(lane, now);
    if (verdict.due) return {&lane, verdict};
    const bool by_lane = limits_.size_rule != SizeRule::sum;  // The intake adds up weights.
    if (by_lane) lane.quota.set(verdict.size, lane.count, lane.longest());
    return {nullptr, verdict, by_lane};
  }

  Choice choose_of_many(TimePoint now) noexcept {
    LaneAgenda& agenda = backlog_.agenda();
    const auto is_open = [this](std::size_t executor) { return open(executor); };
    agenda.look(now, is_open, [&](Lane& lane) { note(lane, judge(lane, now)); });
    while (Lane* const lane = agenda.first(order_, is_open)) {
      const Verdict verdict = judge(*lane, now);
      if (verdict.due) return {lane, verdict};
      note(*lane, verdict);
    }
    if (Lane* const lane = backlog_.full() ? agenda.oldest(is_open) : nullptr) {
      return {lane, {.due = true, .size = cut_.cap()}};
    }
    // One arrival may open a lane of its own, which nobody has asked the policy about.
    return {.verdict = {.size = 1, .until = agenda.earliest(is_open)}, .by_lane = true};
  }

  void note(Lane& lane, const Verdict& verdict) noexcept {
    if (verdict.due) {
      backlog_.agenda().put_due(lane);
    } else {
      const bool restless = counsel_.needs().every_look || cut_.depends_on_turns(lane);
      backlog_.agenda().put_waiting(lane, verdict.until, verdict.size, restless);
    }
  }

  bool open(std::size_t executor) const noexcept {
    return executor == kNoCount || !executors_.occupied(executor);
  }

  Verdict judge(const Lane& lane, TimePoint now) noexcept {
    const std::size_t cap = cut_.cap();
    const auto due = [cap](ReleaseReason reason) {
      return Verdict{.due = true, .reason = reason, .size = cap};
    };
    const std::size_t queued = lane.size(limits_.size_rule);
    QueueView view{now, lane.count, queued, lane.ages.oldest(), lane.ages.newest()};
    view.queue = cursor_.at(lane);
    const Decision decision = ask(view);
    const std::size_t size = std::min(decision.size(), cap);
    if (decision.dropped() > 0) return {.due = true, .dropped = decision.dropped()};
    if (decision.is_release()) return {.due = true, .reason = decision.reason(), .size = size};
    if (queued >= size || backlog_.waits_in_vain()) return due(ReleaseReason::size);
    if (cut_.preferred_reached(order_, lane)) return due(ReleaseReason::size);
    if (decision.until() <= now) return due(ReleaseReason::time);
    if (draining_) return due(ReleaseReason::drain);
    if (lane.flushed > 0) return due(ReleaseReason::flush);
    if (lane.bounded > 0) return due(ReleaseReason::overtaken);
    const TimePoint net = saturating_add(lane.ages.oldest(), limits_.max_wait);
    if (net <= now) return due(ReleaseReason::net);
    const std::size_t missing = std::min(size - queued, cut_.missing_to_preferred(queued));
    return {.size = std::min(missing, backlog_.room()), .until = std::min(decision.until(), net)};
  }

  Decision ask(QueueView& view) noexcept { return counsel_.ask(view, cut_.cap(), executors_); }

  // A lane is due.
  Action run(const Lane& lane, const Verdict& verdict, TimePoint now) noexcept {
    if (executors_.available() > 0) return dispatch(lane, verdict, now);
    Action action = Action::waiting(deadlines_.earliest(), kNoCount);
    action.wants_executor = true;
    return action;
  }

  Action dispatch(const Lane& lane, const Verdict& verdict, TimePoint now) noexcept {
    const BatchCut::Cut cut = cut_.cut(order_, lane, verdict.size, counsel_.times());
    Action action;
    const std::size_t executor = lane.executor == kNoCount ? executors_.choose() : lane.executor;
    begin(action, verdict.reason, executor, cut.size, now);
    action.padded_size = cut.padded_size;
    action.requests = backlog_.dispatch(cut);
    action.requests.each<RequestHeader>([&](RequestHeader& request) {
      deadlines_.erase(request);
      action.oldest = std::min(action.oldest, request.enqueued);
    });
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

  // Those that are linked by `next_picked`.
  void withdraw_picked(RequestHeader* first, RequestChain& into) noexcept {
    while (first != nullptr) {
      RequestHeader& request = *std::exchange(first, first->next_picked);
      withdraw(request);
      into.append(request);
    }
  }

  RequestChain take_all() noexcept {
    RequestChain all;
    while (!backlog_.empty()) {
      RequestHeader& request = *backlog_.first_tenant()->ledger.first();
      withdraw(request);
      all.append(request);
    }
    return all;
  }

  // Delays what is to be delayed by now, and takes what has expired.
  RequestChain take_due(TimePoint now) noexcept {
    RequestChain expired;
    while (deadlines_.due(now)) {
      RequestHeader& request = *deadlines_.first();
      if (request.due == request.expires()) {
        withdraw(request);
        expired.append(request);
      } else {
        deadlines_.erase(request);
        backlog_.delay(request);
        deadlines_.insert(request);
      }
    }
    return expired;
  }

  SchedulerLimits limits_;
  Backlog backlog_;
  LaneOrder order_;
  LaneCursor cursor_;
  BatchCut cut_;
  DeadlineHeap deadlines_;
  RequestForecast forecast_;
  Counsel<Policy> counsel_;
  ExecutorTable executors_;

  Leavers leavers_;
  std::uint64_t last_batch_id_ = 0;
  bool paused_ = false, draining_ = false, abandoning_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SCHEDULER_HPP
