// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SUBMITTER_HPP
#define BATCHWRIGHT_DETAIL_SUBMITTER_HPP

#include "../errors.hpp"
#include "../observer.hpp"
#include "../options.hpp"
#include "../submit_options.hpp"
#include "admission.hpp"
#include "answering.hpp"
#include "fork_guard.hpp"
#include "intake.hpp"
#include "own_thread.hpp"
#include "queue_levels.hpp"
#include "request_traits.hpp"
#include "waiting_room.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What a submission does when there is no room.
enum class WhenFull : std::uint8_t { refuse, block, suspend };

/// The requests of one call together.
struct CallSize {
  // Not side by side what is read together: the compiler would do that at once, and wait for both stores.
  std::size_t count = 0;
  std::size_t heaviest = 0;
  std::size_t bytes = 0;
  std::size_t longest = 0;
  TenantDemands tenants = {};

  void add(std::size_t its_bytes, std::size_t weight, std::size_t length) noexcept {
    ++count;
    bytes += its_bytes;
    heaviest = std::max(heaviest, weight);
    longest = std::max(longest, length);
  }

  /// Throws std::bad_alloc.
  void add(const RequestTraits& traits) {
    add(traits.bytes, traits.weight, traits.length);
    if (traits.flow != nullptr) add_to_tenant(*traits.flow, traits.bytes);
  }

  /// Throws std::bad_alloc, not for the first.
  void add_to_tenant(const Flow& flow, std::size_t its_bytes) {
    if (TenantRoom* const room = room_of(&flow)) tenants.add(*room, 1, its_bytes);
  }

  /// The size of the largest of them by itself.
  std::size_t largest(SizeRule rule) const noexcept {
    return BatchSize::of(rule, 1, heaviest, longest);
  }
};

/// The caller's side of a batcher: everything that happens on a thread that submits.
template <class TIn, class TOut, Runtime R>
class alignas(64) Submitter {
 public:
  using Item = Request<TIn, TOut>;
  using Batch = BatchState<TIn, TOut>;

  /// `watches`: cancellations that come too late are for the sink too, for `BatchInfo::stop`.
  template <class Options>
  Submitter(const R& runtime, Options& options, CancelSink& sink, const std::atomic<bool>& watches,
            StandIn* stand_in, const void* batcher, Admission& admission, Intake<Batch, R>& intake,
            Answering<TIn, TOut, R>& answering)
      : runtime_(runtime),
        overflow_(options.overflow),
        max_block_(options.max_block),
        oversized_(options.oversized),
        size_rule_(options.size_rule),
        cap_(options.allowed_sizes.empty() ? options.max_batch_size : options.allowed_sizes.back()),
        levels_(options.queue, std::move(options.levels)),
        traits_(runtime, options, &answering.classes(), &admission),
        sink_(sink),
        watches_(watches),
        stand_in_(stand_in),
        loan_(stand_in == nullptr ? Loan::none : Loan::to_dispatch),
        batcher_(batcher),
        pool_(options.pool == nullptr ? nullptr : options.pool->identity()),
        admission_(admission),
        intake_(intake),
        answering_(answering),
        forks_(watch_forks()) {}

  /// From now on what is larger by itself is refused as too large.
  void set_cap(std::size_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

  bool forked() const noexcept { return fork_count.load(std::memory_order_relaxed) != forks_; }

  const R& runtime() const noexcept { return runtime_; }

  /// Whether the user's functions are to be asked about inputs.
  bool reads() const noexcept { return traits_.reads(); }

  /// Throws std::invalid_argument for what a request may not ask for.
  void check(const SubmitOptions& options) const {
    levels_.check(options.priority, options.timeout);
  }

  /// What the user's functions say of an input. Throws what they throw. What is not a TIn yet becomes
  /// one for them alone.
  template <class In>
  RequestTraits read(const In& input) {
    return traits_.reads() ? traits_.read(input) : RequestTraits();
  }

  /// One request, made and not yet submitted: an Item, or a `Made`, which is one, from `origin`. Throws
  /// std::bad_alloc and what TIn's constructor throws.
  template <class Made = Item, class... Origin>
  Made* make(const SubmitOptions& options, RequestTraits&& traits, Origin&&... origin) const {
    Made* const request = pool_new<Made>(std::forward<Origin>(origin)...);
    request->deadline = options.deadline;
    request->priority = options.priority;
    request->trace_id = options.trace_id;
    traits.give_to(*request);
    request->level = levels_.find(options.priority);
    request->priority_class = answering_.classes().find(options.priority);
    request->sink = &sink_;
    request->watched = watches_.load(std::memory_order_relaxed);
    return request;
  }

  /// Submits `count` requests of one call, all or none. `build(chain)` makes them, after room has been
  /// reserved; what it throws is passed on and nothing was accepted. `ok` means that each of them is
  /// answered through its completion, exactly once. Any other outcome is a refusal; what `build` made,
  /// if it was called, is gone.
  /// `lent`, unless null, says whether the caller has the dispatcher's role when this returns.
  /// `group` outlives the wait for room where the caller suspends; null otherwise.
  template <class Build>
  Outcome submit(const SubmitOptions& options, CallSize& size, WhenFull when_full,
                 WaitingGroup* group, Build&& build, Lent* lent = nullptr) {
    if (forked()) return Outcome::forked;
    const std::size_t level = levels_.find(options.priority);
    if (level != kNoCount && size.tenants.first() == nullptr) {
      size.tenants.add(admission_.own_room(), size.count, size.bytes);
    }
    const Demand demand{
        .count = size.count, .bytes = size.bytes, .level = level, .tenants = size.tenants.first()};
    Outcome refusal = Outcome::ok;
    // Without a deadline one call of the clock is enough, when the request is there.
    if (options.deadline != kNever && options.deadline <= runtime_.now()) {
      refusal = Outcome::expired;
    } else if (options.stop.stop_requested()) {
      refusal = Outcome::cancelled;
    } else if (!admission_.possible(demand) ||
               (size.largest(size_rule_) > cap_.load(std::memory_order_relaxed) &&
                oversized_ == Oversized::refuse)) {
      refusal = Outcome::too_large;
    } else if (reserve(demand)) {
      enter(options, demand, build, lent);
      return Outcome::ok;
    } else if (admission_.closed()) {
      refusal = Outcome::stopped;
    } else if (when_full == WhenFull::refuse || overflow_ == OverflowAction::reject) {
      refusal = Outcome::queue_full;
    } else if (overflow_ == OverflowAction::evict) {
      if (wait_pooled(options, demand, size, build)) return Outcome::ok;
      refusal = Outcome::stopped;
    } else if (when_full == WhenFull::suspend) {
      if (wait(options, *group, demand, size, build)) return Outcome::ok;
      refusal = Outcome::stopped;
    } else if (on_own_thread(batcher_) || on_own_thread(pool_)) {
      refusal = Outcome::would_deadlock;
    } else if (wait_blocked(options, demand, size, build)) {
      return Outcome::ok;
    } else {
      refusal = Outcome::stopped;
    }
    answering_.note_refused(options.trace_id, refusal, demand.count);
    return refusal;
  }

 private:
  bool reserve(const Demand& demand) noexcept {
    if (admission_.reserve(demand)) return true;
    // Meanwhile this may have held room without the rest of it; whoever found none then looks again.
    if ((demand.bytes > 0 || demand.tenants != nullptr) &&
        (admission_.waiting() > 0 || admission_.closed()))
      intake_.nudge();
    return false;
  }

  template <class Build>
  void enter(const SubmitOptions& options, const Demand& demand, Build& build, Lent* lent) {
    RequestChain chain;
    with_undo([&] { build(chain); },
              [&] {
                // While there are requests there are their tenants.
                admission_.give_back(demand);
                intake_.nudge();  // Somebody may wait for this room, or for its end.
                release(chain);
              });
    RequestBase* const first = list(chain, options, runtime_.now());
    if (options.stop.stop_possible()) prepare_stops(first);
    for (const RequestBase* request = first; request != nullptr; request = request->next_of_call) {
      answering_.admitted(*request);
    }
    runtime_.interleave("push");
    const TimePoint earliest = std::min(first->expires(), first->delay_at);
    // With a stop he does not run: its registration would keep the role from others.
    const bool runs = lent != nullptr && !options.stop.stop_possible();
    const Lent got = intake_.push(chain, earliest, runs ? Loan::to_run : loan_);
    if (runs) {
      *lent = got;
    } else if (got == Lent::look) {
      stand_in_->dispatch_arrivals();
    }
    if (options.stop.stop_possible()) register_stops(first, options.stop);
  }

  // Hands the requests over to wait for room. True if they will be answered.
  template <class Build>
  bool wait(const SubmitOptions& options, WaitingGroup& group, const Demand& demand, CallSize& size,
            Build& build) {
    const TimePoint now = runtime_.now();
    with_undo([&] { build(group.requests); }, [&] { release(group.requests); });
    group.ask_for(demand, std::move(size.tenants));
    group.limit = saturating_add(now, max_block_);
    RequestBase* const first = list(group.requests, options, now);
    group.deadline = first->expires();
    for (RequestBase* request = first; request != nullptr; request = request->next_of_call) {
      request->group = &group;
    }
    if (options.stop.stop_possible()) prepare_stops(first);
    group.lack = admission_.lack(group.demand);
    admission_.begin_waiting(group.demand, group.lack);
    runtime_.interleave("push waiting");
    if (!intake_.push_waiting(group)) {
      admission_.end_waiting(group.demand, group.lack);
      discard(options, first);
      return false;
    }
    if (options.stop.stop_possible()) register_stops(first, options.stop);
    return true;
  }

  // Who evicts others is not kept waiting: the dispatcher decides, and the answer says how.
  template <class Build>
  bool wait_pooled(const SubmitOptions& options, const Demand& demand, CallSize& size,
                   Build& build) {
    WaitingGroup* const group = pool_new<WaitingGroup>();
    group->evicts = group->pooled = true;
    const bool waits = with_undo([&] { return wait(options, *group, demand, size, build); },
                                 [&] { pool_delete(group); });
    if (!waits) pool_delete(group);
    return waits;
  }

  template <class Build>
  bool wait_blocked(const SubmitOptions& options, const Demand& demand, CallSize& size,
                    Build& build) {
    // Copied, because the batcher may be destroyed as soon as its last waiter has been told.
    const R runtime = runtime_;
    WaitingGroup group;
    if (!wait(options, group, demand, size, build)) return false;
    while (group.decided.load(std::memory_order_acquire) == 0) {
      runtime.park(group.decided, 0, kNever);
    }
    return true;
  }

  static void release(const RequestChain& chain) noexcept {
    for (RequestHeader* item = chain.first; item != nullptr;) {
      auto& request = static_cast<RequestBase&>(*item);
      item = RequestChain::next(*item);
      request.release();
    }
  }

  // Once handed over, the chain's links are the dispatcher's; the submitter keeps a list of its own.
  RequestBase* list(const RequestChain& chain, const SubmitOptions& options,
                    TimePoint now) const noexcept {
    const std::size_t level = static_cast<RequestBase&>(*chain.first).level;
    const TimePoint timed_out = saturating_add(now, levels_.timeout(level, options.timeout));
    const bool delays = levels_.policy(level).on_timeout == TimeoutAction::delay;
    RequestBase* first = nullptr;
    RequestBase** place = &first;
    for (RequestHeader* item = chain.first; item != nullptr; item = RequestChain::next(*item)) {
      auto& request = static_cast<RequestBase&>(*item);
      request.enqueued = request.submitted = now;
      (delays ? request.delay_at : request.expiry) = timed_out;
      *place = &request;
      place = &request.next_of_call;
    }
    *place = nullptr;
    return first;
  }

  static void prepare_stops(RequestBase* first) noexcept {
    for (; first != nullptr; first = first->next_of_call) first->prepare_stop();
  }

  static void register_stops(RequestBase* first, const StopToken& stop) noexcept {
    while (first != nullptr) std::exchange(first, first->next_of_call)->register_stop(stop);
  }

  static void discard(const SubmitOptions& options, RequestBase* first) noexcept {
    while (first != nullptr) {
      RequestBase& request = *std::exchange(first, first->next_of_call);
      if (options.stop.stop_possible()) request.abandon_stop();
      request.release();
    }
  }

  [[no_unique_address]] R runtime_;
  const OverflowAction overflow_;
  const Duration max_block_;
  const Oversized oversized_;
  const SizeRule size_rule_;
  std::atomic<std::size_t> cap_;
  const QueueLevels levels_;
  TraitsReader<TIn, R> traits_;
  CancelSink& sink_;
  const std::atomic<bool>& watches_;
  StandIn* const stand_in_;  // Null where nobody but the dispatcher dispatches.
  const Loan loan_;
  const void* const batcher_;
  const void* const pool_;  // Null without one.
  Admission& admission_;
  Intake<Batch, R>& intake_;
  Answering<TIn, TOut, R>& answering_;
  const unsigned forks_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SUBMITTER_HPP
