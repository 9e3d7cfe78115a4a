// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_DISPATCHER_HPP
#define BATCHWRIGHT_DETAIL_DISPATCHER_HPP

#include "../policy.hpp"
#include "admission.hpp"
#include "answering.hpp"
#include "batch_state.hpp"
#include "batch_states.hpp"
#include "changes.hpp"
#include "coalescer.hpp"
#include "deferred_wakes.hpp"
#include "departures.hpp"
#include "errand_desk.hpp"
#include "intake.hpp"
#include "leases.hpp"
#include "oldest.hpp"
#include "scheduler.hpp"
#include "waiting_desk.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The dispatcher: the only caller of the scheduler. It turns what came in into events, and actions into
/// batches for executors and answers for requests. Everything in it belongs to whoever has the role (see
/// Intake), but for the few atomics that others read.
///
/// Round: take the inbox; events in the order reports, arrivals, cancellations; then actions until the
/// scheduler waits; then sleep. `execute(batch)` hands a batch over, or runs it and returns true if it
/// took time, so that the world has to be looked at anew.
template <class TIn, class TOut, BatchingPolicy Policy, Runtime R>
class Dispatcher {
 public:
  using Batch = BatchState<TIn, TOut>;
  using Item = Request<TIn, TOut>;

  /// `max_queued` bounds what can be in one batch; `watch` as for BatchStates. `coalescer` may be null.
  Dispatcher(const R& runtime, Policy policy, const SchedulerLimits& limits, std::size_t max_queued,
             bool watch, Admission& admission, Intake<Batch, R>& intake,
             Answering<TIn, TOut, R>& answering, Coalescer<TIn, TOut, R>* coalescer,
             ExecutorLender* lender, PoolClient* client)
      : runtime_(runtime),
        scheduler_(std::move(policy), limits),
        admission_(admission),
        intake_(intake),
        coalescer_(coalescer),
        departures_(admission, answering, coalescer, lost_),
        answering_(answering),
        desk_(runtime, admission, answering, lost_),
        states_(runtime, scheduler_.limits(), std::min(limits.max_batch_size, max_queued), watch,
                answering.in_order()),
        plain_(coalescer == nullptr && lender == nullptr),
        leases_(lender, client),
        changes_(runtime) {
    inbox_.reserve(limits.executors);
    intake_.lend_into(inbox_);
    if (coalescer_ != nullptr) coalescer_->count_lost_in(lost_);
  }

  /// Runs until a shutdown has answered everything.
  template <class Execute>
  void run(Execute&& execute) noexcept {
    for (;;) {
      const Wish wish = round(execute);
      if (inbox_.closing != Closing::open && finished()) break;
      intake_.sleep(wish, idle());
    }
    // A canceller may still be between its push and the end of its wake. Of what came since the last
    // look only cancellations can be, and those too late for anything.
    while (cancellers_.load(std::memory_order_acquire) > 0) runtime_.relax();
    intake_.take(inbox_);
    absorb_cancellations();
  }

  /// As `report`, of what `execute` has run itself, which it is about to say.
  void ran(Batch* finished) noexcept {
    vacated(0);
    if (finished != nullptr) absorb(*finished);
  }

  /// The last of all: nothing is looked at any more, and who waits for idleness or the end is told.
  void exit() noexcept { intake_.exit(); }

  // With the role: see RoleBorrower.

  /// Looks at all that came and does all that is to be done; what is left is to wait.
  template <class Execute>
  Wish round(Execute&& execute) noexcept {
    for (;;) {
      runtime_.interleave("take inbox");
      departures_.fail(std::exchange(unanswered_.requests, {}), unanswered_.outcome);
      intake_.take(inbox_);
      absorb_reports();
      absorb_arrivals();
      absorb_cancellations();
      absorb_controls();
      errands_.enter(std::exchange(inbox_.errands, nullptr), scheduler_, leases_);
      if (errands_.serve(scheduler_, [&](Batch& errand) {
            ++calls_;
            return execute(errand);
          })) {
        continue;
      }
      const TimePoint now = now_ = runtime_.now();
      states_.serve(now);
      if (coalescer_ != nullptr) {
        departures_.fail(coalescer_->take_expired(now, scheduler_, states_), Outcome::expired);
      }
      serve_waiting(now);
      Action rest = act(now, execute);
      // What was dispatched or has expired has left room by now.
      while (rest.kind != Action::Kind::dispatch && !desk_.empty() && serve_waiting(now)) {
        rest = act(now, execute);
      }
      if (rest.kind == Action::Kind::dispatch) continue;
      if (leases_.settle(scheduler_, rest.wants_executor, now)) continue;
      return rested(rest);
    }
  }

  /// As `round`, for what `Lent::look` put into the inbox: nobody waits for room, and nothing else came.
  /// If it `answers` nobody and somebody is to be answered, the dispatcher has to have the next round.
  template <class Execute>
  Wish short_round(bool answers, Execute&& execute) noexcept {
    absorb_reports();
    if (inbox_.arrivals.chain.count == 1) {
      // It is this thread's own, and has been stamped just now.
      auto& request = static_cast<Item&>(inbox_.arrivals.take_only());
      now_ = std::max(now_, request.enqueued);
      request.place = Place::scheduler;
      alone_.requests = {};
      if (scheduler_.arrive_alone(request, now_, alone_)) {
        execute(prepare(alone_, now_));
        return rested(kNothingQueued);
      }
    } else {
      now_ = runtime_.now();
      absorb_arrivals();
    }
    const Action rest = act(now_, execute, answers);
    if (rest.kind != Action::Kind::fail) return rested(rest);
    unanswered_ = rest;
    return {.missing = 0};
  }

  /// See Intake::give_back.
  bool give_back(const Wish& wish, bool hand_over, WakeList* wakes) noexcept {
    return intake_.give_back(wish, idle(), hand_over, wakes);
  }
  bool closes() const noexcept { return inbox_.closing != Closing::open; }

  // From any thread.
  /// From now on the cap is this, unless kNoCount, and the policy, unless null. Throws what copying it does.
  void reconfigure(std::size_t cap, const Policy* policy) {
    changes_.post(cap, policy);
    intake_.nudge();
  }

  /// From now on the predictor may look at BatchInfo.
  void watch() noexcept {
    changes_.post_watch();
    intake_.nudge();
  }

  /// See CancelSink.
  void post_cancelled(RequestBase& request) noexcept {
    cancellers_.fetch_add(1, std::memory_order_relaxed);
    intake_.push_cancelled(request);
    cancellers_.fetch_sub(1, std::memory_order_release);
  }

  /// Cancellations that won against an executor, which left the answer to the dispatcher.
  std::atomic<std::int64_t>& lost() noexcept { return lost_; }

  const SchedulerLimits& limits() const noexcept { return scheduler_.limits(); }

  /// Tells every running predictor that nobody waits any more.
  void request_stop() noexcept { states_.request_stop(); }

  /// Whether the scheduler keeps a service model.
  bool forecasts() const noexcept { return scheduler_.forecasts(); }

  /// When the oldest queued request came, and the oldest running batch was dispatched; as of the end of
  /// the last round, but for what has come since.
  TimePoint oldest_queued() const noexcept {
    return std::min(oldest_.queued(), intake_.oldest_arrival());
  }
  TimePoint oldest_running() const noexcept { return oldest_.running(); }

 private:
  Wish rested(const Action& rest) noexcept {
    oldest_.publish(scheduler_.oldest(), scheduler_.oldest_dispatch());
    typename Coalescer<TIn, TOut, R>::Outlook shared;
    if (coalescer_ != nullptr) shared = coalescer_->outlook();
    const bool plain = plain_ && desk_.empty() && errands_.empty() && !closes();
    return {.until = std::min({rest.until, desk_.earliest(), states_.earliest(), shared.earliest}),
            .missing = shared.joinable ? 1 : missing(rest),
            .reports = rest.kind == Action::Kind::wait || scheduler_.executors().exhausted() ||
                       !errands_.empty() || leases_.awaited() || closes(),
            .plain = plain,
            .last = plain && scheduler_.runs_last(),
            .by_lane = rest.by_lane ? &scheduler_.own_lane() : nullptr};
  }

  std::size_t missing(const Action& rest) noexcept {
    // While every executor is at work nobody wakes the dispatcher for what comes.
    if (rest.kind == Action::Kind::idle) return scheduler_.executors().exhausted() ? kNoCount : 1;
    return rest.by_lane ? scheduler_.room() : rest.missing;
  }

  void absorb_reports() noexcept {
    for (const std::size_t executor : inbox_.vacated) vacated(executor);
    inbox_.vacated.clear();
    for (const std::size_t executor : inbox_.granted) leases_.granted(executor);
    inbox_.granted.clear();
    leases_.begin(scheduler_);
    while (inbox_.finished != nullptr)
      absorb(*std::exchange(inbox_.finished, inbox_.finished->next));
  }

  void vacated(std::size_t executor) noexcept {
    scheduler_.vacate(executor);
    leases_.bar(executor, scheduler_.executors().reserved(executor));
    --calls_;
  }

  void absorb(Batch& finished) noexcept {
    scheduler_.report(finished.report());
    states_.put_back(finished);
  }

  void absorb_arrivals() noexcept {
    inbox_.arrivals.template take_all<Item>([this](Item& request) { arrive(request); });
  }

  void arrive(Item& request) noexcept {
    if (coalescer_ != nullptr && request.shared_key != nullptr) {
      return coalescer_->arrive(request, scheduler_, states_,
                                [this](const Item& rider) { answering_.left_queue(rider); });
    }
    request.place = Place::scheduler;
    scheduler_.arrive(request);
  }

  // They come newest first; cancelled ones are answered in the order in which they were cancelled.
  void absorb_cancellations() noexcept {
    RequestBase* oldest_first = nullptr;
    while (inbox_.cancelled != nullptr) {
      RequestBase* const request =
          std::exchange(inbox_.cancelled, inbox_.cancelled->next_cancelled);
      request->next_cancelled = std::exchange(oldest_first, request);
    }
    // Groups that came with them are waiting already when their cancellation is looked at.
    desk_.enter(std::exchange(inbox_.waiting, nullptr));
    while (oldest_first != nullptr) {
      auto& request =
          static_cast<Item&>(*std::exchange(oldest_first, oldest_first->next_cancelled));
      if (!request.cancelled()) {  // Too late for it, but its batch may be unwanted now.
        unwanted(request);
        request.release();
        continue;
      }
      switch (request.place) {
        case Place::scheduler:
          scheduler_.cancel(request);  // The next action hands it out.
          break;
        case Place::waiting_room:
          desk_.cancel(request);
          break;
        case Place::turned_away:
          lost_.fetch_sub(1, std::memory_order_relaxed);
          desk_.refuse(request, Outcome::cancelled);
          break;
        case Place::shared:
        case Place::riding:
          if (departures_.cancel_shared(request, scheduler_, states_)) break;
          [[fallthrough]];
        default:  // Dispatched or expired: whoever lost the claim has let go of it.
          unwanted(request);
          departures_.answer_lost(request);
      }
    }
  }

  void unwanted(RequestBase& request) noexcept {
    coalescer_ == nullptr ? states_.unwanted(request.sequence)
                          : coalescer_->unwanted(request, states_);
  }

  void absorb_changes() noexcept {
    if (changes_.watches()) states_.watch();
    std::optional<Policy> policy;
    std::size_t cap = kNoCount;
    if (!changes_.take(cap, policy)) return;
    if (cap != kNoCount) scheduler_.set_cap(cap);
    if (policy.has_value()) scheduler_.set_policy(std::move(*policy));
  }

  void absorb_controls() noexcept {
    absorb_changes();
    if (inbox_.flush) scheduler_.flush();
    if (inbox_.paused != scheduler_.paused() && inbox_.closing == Closing::open) {
      inbox_.paused ? scheduler_.pause() : scheduler_.resume();
    }
    if (inbox_.closing == Closing::open) return;
    scheduler_.drain();
    if (inbox_.closing == Closing::abandon) {
      scheduler_.abandon();
      if (coalescer_ != nullptr) departures_.fail(coalescer_->abandon(), Outcome::stopped);
    }
    desk_.close();
  }

  bool serve_waiting(TimePoint now) noexcept {
    const auto arrives = [this](Item& request) { arrive(request); };
    return desk_.serve(
        now, [&](const RequestChain& requests) { requests.each<Item>(arrives); },
        [&](const Shortage& shortage, const Item& newcomer) {
          return departures_.evict(shortage, newcomer, scheduler_, now);
        });
  }

  // Performs actions until the scheduler has none. Returns `dispatch` if time has passed, and `fail` if
  // somebody is to be answered and it does not.
  template <class Execute>
  Action act(TimePoint now, Execute& execute, bool answers = true) noexcept {
    for (;;) {
      if (coalescer_ != nullptr) scheduler_.share_room(coalescer_->unknown());
      Action action = scheduler_.next(now);
      switch (action.kind) {
        case Action::Kind::idle:
        case Action::Kind::wait:
          return action;
        case Action::Kind::fail:
          if (!answers) return action;
          departures_.perform(action);
          break;
        case Action::Kind::dispatch:
          if (execute(prepare(action, now))) return action;
          break;
      }
    }
  }

  Batch& prepare(const Action& action, TimePoint now) noexcept {
    Batch* state = nullptr;
    ++calls_;
    departures_.dispatch(action, [&](std::size_t count) {
      state = &states_.take(action, now);
      answering_.dispatched(*state, count);
    });
    return *state;
  }

  bool idle() const noexcept {
    return scheduler_.running() == 0 && lost_.load(std::memory_order_relaxed) == 0 &&
           (scheduler_.paused() || (scheduler_.queued() == 0 && desk_.empty()));
  }

  bool finished() const noexcept {
    return scheduler_.queued() == 0 && scheduler_.running() == 0 && calls_ == 0 &&
           inbox_.holds == 0 && !leases_.awaited() && admission_.queued() == 0 &&
           lost_.load(std::memory_order_relaxed) == 0;
  }

  [[no_unique_address]] R runtime_;
  Scheduler<Policy> scheduler_;
  Admission& admission_;
  Intake<Batch, R>& intake_;
  Coalescer<TIn, TOut, R>* const coalescer_;
  Departures<TIn, TOut, R> departures_;
  Answering<TIn, TOut, R>& answering_;
  WaitingDesk<TIn, TOut, R> desk_;
  Inbox<Batch> inbox_;
  BatchStates<TIn, TOut, R> states_;
  const bool plain_;       // Neither shares work nor borrows executors.
  TimePoint now_{};        // Of the last round.
  Action alone_;           // Of a short round, and
  Action unanswered_;      // what it has left to be failed.
  std::size_t calls_ = 0;  // Predictor calls that have not returned.
  ErrandDesk<Batch> errands_;
  Leases leases_;
  Changes<Policy, R> changes_;
  std::atomic<std::int64_t> lost_{0};
  std::atomic<std::uint32_t> cancellers_{0};
  Oldest oldest_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_DISPATCHER_HPP
