// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SCHEDULER_HPP
#define BATCHWRIGHT_DETAIL_SCHEDULER_HPP

#include "../outcome.hpp"
#include "../policy.hpp"
#include "action.hpp"
#include "arrival_model.hpp"
#include "arrival_news.hpp"
#include "backlog.hpp"
#include "batch_cut.hpp"
#include "deadline_heap.hpp"
#include "eviction.hpp"
#include "executor_table.hpp"
#include "flow.hpp"
#include "forecast.hpp"
#include "lane_agenda.hpp"
#include "lane_cursor.hpp"
#include "lane_order.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"
#include "service_model.hpp"
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
      : policy_(std::move(policy)),
        limits_(limits),
        needs_(needs_of(policy_)),
        backlog_(limits),
        order_(backlog_.shares()),
        cursor_(order_),
        cut_(limits),
        service_(limits.max_batch_size),
        forecast_(limits),
        learns_service_(learns_service()),
        executors_(limits.executors, limits.max_in_flight, limits.leased_executors) {}

  // Events.

  void arrive(RequestHeader& request) noexcept {
    if (needs_.arrivals) arrivals_.observe(request.enqueued);
    news_.note(policy_, request, needs_.each_arrival);
    if (forecast_.refuses()) {
      backlog_.place(request);
      if (forecast_.hopeless(request, backlog_.tenants(), cut_.cap(), service_, executors_)) {
        request.queued = false;
        request.sequence = 0;
        return hopeless_.append(request);
      }
    }
    backlog_.enter(request);
    deadlines_.insert(request);
  }

  /// Takes a queued request out; the next action fails it as cancelled.
  void cancel(RequestHeader& request) noexcept {
    withdraw(request);
    cancelled_.append(request);
  }

  /// Takes a request out that has not been handed out; no action will.
  void withdraw(RequestHeader& request) noexcept {
    if (!request.queued) return hopeless_.erase(request);
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

  /// Makes room for so many requests and bytes of that priority and tenant (null: the own one), by
  /// evicting what is of lower priority; the next actions fail it as evicted. False, and nothing
  /// happened, if that cannot make enough room.
  bool evict(std::size_t count, std::size_t bytes, int priority,
             Tenant* tenant = nullptr) noexcept {
    RequestHeader* const victim =
        choose_victims(tenant == nullptr ? backlog_.own_tenant() : *tenant, count, bytes, priority);
    if (victim == nullptr) return false;
    withdraw_picked(victim, evicted_);
    return true;
  }

  /// A batch is finished: all its requests have been answered. One of size zero was not computed,
  /// because all of it had expired or been cancelled by then, and teaches nothing.
  void report(const BatchReport& report) noexcept {
    executors_.finish(report);
    if (report.size == 0) return;
    if (learns_service_ && !report.failed) service_.observe(report.size, report.service_time());
    if constexpr (HearsBatches<Policy>) policy_.on_batch(report);
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
    policy_ = std::move(policy);
    needs_ = needs_of(policy_);
    learns_service_ = learns_service();
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
      service_.reset();
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

  bool forecasts() const noexcept { return learns_service_; }
  std::size_t queued() const noexcept { return backlog_.count(); }
  std::size_t running() const noexcept { return executors_.running().size(); }
  bool paused() const noexcept { return paused_; }
  std::size_t room() const noexcept { return backlog_.room(); }
  Lane& own_lane() noexcept { return backlog_.own_lane(); }
  TimePoint oldest() noexcept { return backlog_.oldest(); }
  TimePoint oldest_dispatch() const noexcept { return executors_.oldest_dispatch(); }
  const SchedulerLimits& limits() const noexcept { return limits_; }
  const Policy& policy() const noexcept { return policy_; }

  /// The next action at `now`.
  Action next(TimePoint now) noexcept {
    news_.tell(policy_);
    if (!cancelled_.empty())
      return Action::failing(std::exchange(cancelled_, {}), Outcome::cancelled);
    if (!hopeless_.empty())
      return Action::failing(std::exchange(hopeless_, {}), Outcome::would_expire);
    if (!evicted_.empty()) return Action::failing(std::exchange(evicted_, {}), Outcome::evicted);
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
  bool learns_service() const noexcept {
    return needs_.service || limits_.fit == FitRule::cheapest || forecast_.refuses();
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
    if (Lane* const lane = backlog_.full() ? backlog_.oldest_lane(is_open) : nullptr) {
      return {lane, {.due = true, .size = cut_.cap()}};
    }
    // One arrival may open a lane of its own, which nobody has asked the policy about.
    return {.verdict = {.size = 1, .until = agenda.earliest(is_open)}, .by_lane = true};
  }

  void note(Lane& lane, const Verdict& verdict) noexcept {
    if (verdict.due) {
      backlog_.agenda().put_due(lane);
    } else {
      const bool restless = needs_.every_look || cut_.depends_on_turns(lane);
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
    const Decision decision = policy_.decide(view(lane, now));
    const std::size_t size = std::min(decision.size(), cap);
    const std::size_t queued = lane.size(limits_.size_rule);
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

  QueueView view(const Lane& lane, TimePoint now) noexcept {
    QueueView view{.now = now,
                   .count = lane.count,
                   .size = lane.size(limits_.size_rule),
                   .oldest = lane.ages.oldest(),
                   .newest = lane.ages.newest(),
                   .max_batch_size = cut_.cap(),
                   .executors = executors_.count(),
                   // One at least: where executors are leased the policy is asked before.
                   .free_executors = std::max<std::size_t>(executors_.available(), 1),
                   .running = executors_.running(),
                   .queue = cursor_.at(lane)};
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

  // A lane is due.
  Action run(const Lane& lane, const Verdict& verdict, TimePoint now) noexcept {
    if (executors_.available() > 0) return dispatch(lane, verdict, now);
    Action action = Action::waiting(deadlines_.earliest(), kNoCount);
    action.wants_executor = true;
    return action;
  }

  Action dispatch(const Lane& lane, const Verdict& verdict, TimePoint now) noexcept {
    const BatchCut::Cut cut = cut_.cut(order_, lane, verdict.size, service_);
    Action action{.kind = Action::Kind::dispatch,
                  .reason = verdict.reason,
                  .executor = lane.executor == kNoCount ? executors_.choose() : lane.executor,
                  .batch_id = ++last_batch_id_,
                  .oldest = kNever,
                  .size = cut.size,
                  .padded_size = cut.padded_size};
    if (learns_service_) action.forecast = service_.expected(cut.size);
    action.requests = backlog_.dispatch(cut);
    action.requests.each<RequestHeader>([&](RequestHeader& request) {
      deadlines_.erase(request);
      action.oldest = std::min(action.oldest, request.enqueued);
    });
    executors_.start(action.batch_id, action.executor, action.size, now);
    return action;
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

  Policy policy_;
  SchedulerLimits limits_;
  PolicyNeeds needs_;
  Backlog backlog_;
  LaneOrder order_;
  LaneCursor cursor_;
  BatchCut cut_;
  DeadlineHeap deadlines_;
  ServiceModel service_;
  RequestForecast forecast_;
  bool learns_service_;
  ArrivalModel arrivals_;
  ServiceEstimate service_estimate_;
  ArrivalEstimate arrival_estimate_;
  ExecutorTable executors_;
  ArrivalNews<Policy> news_;

  RequestChain cancelled_;
  RequestChain hopeless_;
  RequestChain evicted_;
  std::uint64_t last_batch_id_ = 0;
  bool paused_ = false;
  bool draining_ = false;
  bool abandoning_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SCHEDULER_HPP
