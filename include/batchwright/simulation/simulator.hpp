// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SIMULATOR_HPP
#define BATCHWRIGHT_SIMULATION_SIMULATOR_HPP

#include "../detail/admission.hpp"
#include "../detail/executor_lender.hpp"
#include "../detail/leases.hpp"
#include "../detail/request_header.hpp"
#include "../detail/scheduler.hpp"
#include "../detail/settle.hpp"
#include "../outcome.hpp"
#include "../policy.hpp"
#include "arrival_process.hpp"
#include "collector.hpp"
#include "executors.hpp"
#include "listener.hpp"
#include "machine.hpp"
#include "random.hpp"
#include "request_mix.hpp"
#include "results.hpp"
#include "service.hpp"
#include "sharing.hpp"
#include "simulation.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The loop: it plays the part of the batcher's threads, its callers and its predictor around the
/// batcher's own admission and scheduler, and is driven by the same wish that the scheduler puts to the
/// dispatcher (sleep until an instant, or until so much more has come), so that the policy is asked when
/// it would be asked. Events of one instant: batches end, requests come, then the scheduler acts.
///
/// An event costs O(running batches), a request what the scheduler costs. Nothing is allocated for a
/// request but what the arena grows.
template <BatchingPolicy Policy, class Listener>
class Simulator {
 public:
  using Settings = simulation::BasicSimulation<Policy>;

  /// Settled settings, which have to outlive it. `seat` is its place in the pool, where it has one.
  Simulator(const Settings& settings, Listener& listener, PoolClient* seat = nullptr)
      : settings_(settings),
        listener_(listener),
        executors_(std::max<std::size_t>(settings.batcher.executors, 1)),
        inline_(settings.batcher.executors == 0),
        asynchronous_(settings.service.predictor == simulation::PredictorKind::asynchronous),
        counts_requests_(settings.batcher.size_rule == SizeRule::sum),
        pool_(settings.batcher.pool.get()),
        scheduler_(settings.batcher.policy, limits_of(settings.batcher)),
        leases_(pool_, seat),
        admission_(settings.batcher.capacity, settings.batcher.max_queued_bytes,
                   settings.batcher.levels, settings.batcher.tenant_room),
        stream_(settings.arrivals.start(random(Chance::arrivals))),
        mix_(settings.classes, settings.batcher, random(Chance::classes), &admission_),
        sharing_(SimulatedSharing::make(settings.classes, random(Chance::keys), admission_)),
        machine_(settings.machine, random(Chance::machine), executors_, kStart),
        computing_(executors_, !inline_, asynchronous_, settings.service.streams,
                   ServiceSampler(settings.service, executors_, settings.batcher.max_batch_size,
                                  random(Chance::service)),
                   settings.batcher.max_in_flight, kStart),
        collector_(settings.classes, executors_, settings.requests, warm_up(settings),
                   settings.objective) {}

  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;
  ~Simulator() {
    if (sharing_ != nullptr) let_go();
  }

  simulation::SimulationResult run() {
    while (!complete()) {
      const TimePoint now = next();
      if (now == kNever) {
        if (!drain()) break;
        act(last_);
      } else if (take(now)) {
        act(now);
      }
    }
    return result();
  }

  /// Whether all that is measured has ended.
  bool complete() const noexcept { return collector_.complete(); }

  /// The instant of the next event; kNever if there is none.
  TimePoint next() const noexcept {
    return std::min({next_arrival(), computing_.next_finish(), alarm_, woken_});
  }

  /// The events of that instant. True if the dispatcher looks then: `act` has to follow.
  bool take(TimePoint now) {
    last_ = now;
    bool look = std::min(alarm_, woken_) <= now;
    if (computing_.next_finish() == now) {
      finish(now);
      look = true;
    }
    while (next_arrival() == now) {
      // One wake a sleep.
      if (arrive(now) && woken_ == kNever) woken_ = saturating_add(now, machine_.wake_up());
    }
    return look || woken_ == now;
  }

  /// Nobody comes any more for whom it could wait. False if nothing is queued either.
  bool drain() noexcept {
    if (scheduler_.queued() == 0) return false;
    scheduler_.drain();
    return true;
  }

  /// A lease that it waited for was granted. `act` has to follow.
  void granted(std::size_t executor) noexcept { leases_.granted(executor); }

  /// More traffic than its own measurement needs: as much as others' do.
  void go_on() noexcept { endless_ = true; }

  simulation::SimulationResult result() {
    for (const Computing& batch : computing_.running()) {
      collector_.computed(batch.report.executor, batch.started, last_);
    }
    return collector_.result();
  }

  /// All that the scheduler wants done now.
  void act(TimePoint now) {
    // The predictor runs on the dispatcher's own thread, which sees nothing until it returns.
    if (inline_ && !computing_.idle()) return sleep(kNever, kNoCount);
    if (sharing_ != nullptr) {
      fail(sharing_->take_expired(now, scheduler_), Outcome::expired, now);
    }
    for (;;) {
      leases_.begin(scheduler_);
      if (sharing_ != nullptr) scheduler_.share_room(sharing_->unknown());
      const Action action = scheduler_.next(now);
      switch (action.kind) {
        case Action::Kind::idle:
        case Action::Kind::wait:
          if (leases_.settle(scheduler_, action.wants_executor, now)) break;
          return sleep(action.until, missing(action));
        case Action::Kind::fail:
          fail(sharing_ == nullptr ? action.requests : sharing_->unfold(action.requests),
               action.outcome, now);
          break;
        case Action::Kind::dispatch:
          start(action, now);
          if (inline_) return sleep(kNever, kNoCount);
          break;
      }
    }
  }

 private:
  // Not the zero of the clock, which a policy may take for "never".
  static constexpr TimePoint kStart = TimePoint{} + std::chrono::hours(24);

  enum class Chance : std::uint8_t { arrivals, classes, service, keys, machine };
  using Computing = SimulatedExecutors::Batch;

  simulation::Random random(Chance chance) const noexcept {
    return simulation::Random(settings_.seed).stream(static_cast<std::uint64_t>(chance));
  }

  static std::uint64_t warm_up(const Settings& settings) noexcept {
    return static_cast<std::uint64_t>(static_cast<double>(settings.requests) * settings.warm_up);
  }

  static SimulatedRequest& of(RequestHeader& header) noexcept {
    return static_cast<SimulatedRequest&>(header);
  }

  // Others follow those that are measured, until these have ended: else the last of them would wait for
  // company that never comes. Not for ever, as a policy may do that to one.
  TimePoint next_arrival() const noexcept {
    return endless_ || come_ < 2 * settings_.requests ? saturating_add(kStart, stream_->earliest())
                                                      : kNever;
  }

  // Events.

  // True if the dispatcher would wake for it.
  bool arrive(TimePoint now) {
    const std::size_t client = stream_->take();
    const RequestMix::Kind& kind = mix_.draw();
    const std::uint64_t number = come_++;
    collector_.arrive(number, now);
    if (come_ == settings_.requests ||
        (!stream_->closed() && stream_->earliest() == simulation::kNoArrival)) {
      collector_.close(now);
    }
    SimulatedRequest& request = arena_.take();
    RequestMix::fill(request, kind, now);
    request.number = number;
    request.client = client;
    if (sharing_ != nullptr) sharing_->draw_key(request);
    if (const Outcome refusal = admit(kind, now); refusal != Outcome::ok) {
      collector_.refuse(number, kind.index, refusal);
      end(request, refusal, now);
      return false;
    }
    collector_.enter(now);
    enter(request, now);
    if (missing_ != kNoCount) missing_ -= std::min<std::size_t>(missing_, request.weight);
    return missing_ == 0 || std::min(request.expires(), request.delay_at) < until_;
  }

  void enter(SimulatedRequest& request, TimePoint now) {
    if (sharing_ == nullptr) return scheduler_.arrive(request);
    // What the dispatcher computes itself is over before it sees who would join.
    if (inline_ && !computing_.idle()) return unseen_.append(request);
    sharing_->arrive(request, scheduler_);
    if (request.rides) collector_.ride(now);
  }

  Outcome admit(const RequestMix::Kind& kind, TimePoint now) {
    TenantDemand own{.room = kind.room, .count = 1, .bytes = kind.bytes};
    const Demand demand{1, kind.bytes, kind.level, kind.room == nullptr ? nullptr : &own};
    if (kind.too_large || !admission_.possible(demand)) return Outcome::too_large;
    if (admission_.reserve(demand)) return Outcome::ok;
    if (settings_.batcher.overflow != OverflowAction::evict) return Outcome::queue_full;
    const Shortage its = admission_.take_by_force(demand);
    Tenant* const tenant = kind.flow == nullptr ? nullptr : kind.flow->tenant;
    const bool made = !its.other && scheduler_.evict(its.count, its.bytes, kind.priority, tenant);
    if (!made) admission_.give_back(demand);
    if (made) act(now);  // Those who were evicted leave.
    return made ? Outcome::ok : Outcome::queue_full;
  }

  // All batches that end now, in the order of their dispatch.
  void finish(TimePoint now) {
    if (!asynchronous_) {
      for (const Computing& batch : computing_.running()) {
        if (batch.finish == now) vacate(batch.report.executor);
      }
    }
    computing_.end(now, [&](Computing& batch) { finish(batch, now); });
    const RequestChain unseen = std::exchange(unseen_, {});
    unseen.each<SimulatedRequest>([&](SimulatedRequest& request) { enter(request, now); });
  }

  void finish(Computing& batch, TimePoint now) {
    collector_.computed(batch.report.executor, batch.started, now);
    if (sharing_ == nullptr) {
      for (RequestHeader* header = batch.first; header != nullptr;) {
        SimulatedRequest& request = of(*header);
        header = RequestChain::next(*header);
        answer(request, now);
      }
    } else {
      answer_sharers(batch, now);
    }
    scheduler_.report(batch.report);
    if constexpr (simulation::HearsBatches<Listener>) listener_.on_batch(batch.report);
  }

  // What has been answered is no more of the batch, whatever a listener throws.
  void answer_sharers(Computing& batch, TimePoint now) {
    while (batch.first != nullptr) {
      RequestHeader& leader = *std::exchange(batch.first, batch.first->next_picked);
      const RequestChain sharers = sharing_->end(leader);
      sharers.each<SimulatedRequest>([&](SimulatedRequest& request) {
        if (&request != sharers.last) collector_.share(request.number);
        answer(request, now);
      });
    }
  }

  // The predictor's call has returned.
  void vacate(std::size_t executor) noexcept {
    scheduler_.vacate(executor);
    if (pool_ == nullptr) return;
    if (PoolClient* const next = pool_->end_lease(executor).granted) next->granted(executor, false);
  }

  void answer(SimulatedRequest& request, TimePoint now) {
    collector_.answer(request.number, request.request_class, request.enqueued, now);
    end(request, Outcome::ok, now);
  }

  // Actions.

  std::size_t missing(const Action& rest) const noexcept {  // A size, but arrivals add up weights.
    if (rest.kind == Action::Kind::idle) return 1;
    return counts_requests_ || rest.missing == kNoCount ? rest.missing : 1;
  }

  void sleep(TimePoint until, std::size_t missing) noexcept {
    until_ = until;
    missing_ = missing;
    woken_ = kNever;
    if (sharing_ != nullptr && !(inline_ && !computing_.idle())) {
      const auto shared = sharing_->outlook();
      until_ = std::min(until_, shared.earliest);
      if (shared.joinable) missing_ = 1;
    }
    alarm_ = until_ == kNever ? kNever : saturating_add(until_, machine_.timer_lateness());
  }

  void start(const Action& action, TimePoint now) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    const auto leave = [&](const SimulatedRequest& request) {
      ++count;
      bytes += request.bytes;
      admission_.leave(room_of(request.flow), request.level, request.bytes);
    };
    RequestHeader* first = action.requests.first;
    if (sharing_ == nullptr) {
      action.requests.each<SimulatedRequest>(leave);
    } else {
      first = sharing_->start(action, now, leave);
    }
    admission_.give_back(count, bytes);
    collector_.dispatch(count, action.size, action.reason, now);
    computing_.begin(action, first, count, now, machine_);
    if (asynchronous_) vacate(action.executor);
  }

  void fail(const RequestChain& requests, Outcome outcome, TimePoint now) {
    requests.each<SimulatedRequest>([&](SimulatedRequest& request) {
      admission_.leave(room_of(request.flow), request.level, request.bytes);
      admission_.give_back(1, request.bytes);
      collector_.drop(request.number, request.request_class, outcome, request.rides ? 0 : 1, now);
      end(request, outcome, now);
    });
  }

  // Its caller knows how it ended.
  void end(SimulatedRequest& request, Outcome outcome, TimePoint now) {
    if (stream_->closed()) {
      stream_->answered(request.client, now - kStart, outcome == Outcome::ok);
    }
    if constexpr (simulation::HearsRequests<Listener>) {
      listener_.on_request({.number = request.number,
                            .request_class = request.request_class,
                            .client = request.client,
                            .arrived = request.enqueued,
                            .answered = now,
                            .outcome = outcome});
    }
    arena_.put_back(request);
  }

  // What has not ended is not measured, but holds memory.
  void let_go() noexcept {
    for (const Computing& batch : computing_.running()) {
      for (RequestHeader* header = batch.first; header != nullptr;) {
        sharing_->end(*std::exchange(header, header->next_picked));
      }
    }
    scheduler_.abandon();
    for (Action action = scheduler_.next(last_); action.kind == Action::Kind::fail;
         action = scheduler_.next(last_)) {
      sharing_->unfold(action.requests);
    }
  }

  const Settings& settings_;
  Listener& listener_;
  const std::size_t executors_;
  const bool inline_;
  const bool asynchronous_;
  const bool counts_requests_;
  ExecutorLender* const pool_;

  Scheduler<Policy> scheduler_;
  Leases leases_;
  Admission admission_;
  std::unique_ptr<ArrivalStream> stream_;
  RequestArena arena_;
  RequestMix mix_;
  const std::unique_ptr<SimulatedSharing> sharing_;  // Where requests have keys.
  RequestChain unseen_;  // Came while the dispatcher computed, and may share.
  MachineSampler machine_;
  SimulatedExecutors computing_;
  Collector collector_;

  TimePoint last_ = kStart;
  std::uint64_t come_ = 0;  // Requests.
  bool endless_ = false;

  // Until when, and for how much more, the dispatcher sleeps; when its alarm wakes it, and when an arrival
  // that has come does.
  TimePoint until_ = kNever;
  std::size_t missing_ = 1;
  TimePoint alarm_ = kNever;
  TimePoint woken_ = kNever;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_SIMULATOR_HPP
