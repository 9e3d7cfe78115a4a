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
#include "waiting_room.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What a submission does when there is no room.
enum class WhenFull : std::uint8_t { refuse, block, suspend };

/// The caller's side of a batcher: everything that happens on a thread that submits.
template <class TIn, class TOut, Runtime R>
class Submitter {
 public:
  using Item = Request<TIn, TOut>;
  using Batch = BatchState<TIn, TOut>;

  Submitter(const R& runtime, OverflowAction overflow, Duration max_block,
            std::function<std::size_t(const TIn&)> bytes, CancelSink& sink, const void* batcher,
            Admission& admission, Intake<Batch, R>& intake, Answering<TIn, TOut, R>& answering)
      : runtime_(runtime),
        overflow_(overflow),
        max_block_(max_block),
        bytes_(std::move(bytes)),
        sink_(sink),
        batcher_(batcher),
        admission_(admission),
        intake_(intake),
        answering_(answering),
        forks_(watch_forks()) {}

  bool forked() const noexcept { return fork_count.load(std::memory_order_relaxed) != forks_; }

  const R& runtime() const noexcept { return runtime_; }

  /// Bytes of an input, by the user's function. Throws what that throws. What is not a TIn yet becomes
  /// one for that function alone.
  template <class In>
  std::size_t bytes_of(const In& input) const {
    return bytes_ ? bytes_(input) : 0;
  }

  /// One request, made and not yet submitted. Throws std::bad_alloc and what TIn's constructor throws.
  template <class In>
  Item* make(In&& input, const SubmitOptions& options, std::size_t bytes) const {
    Item* const request = pool_new<Item>(std::forward<In>(input));
    request->deadline = options.deadline;
    request->priority = options.priority;
    request->trace_id = options.trace_id;
    request->bytes = bytes;
    request->sink = &sink_;
    request->watched = sink_.hears_late_cancellations();
    return request;
  }

  /// Submits `count` requests of one call, all or none. `build(chain)` makes them, after room has been
  /// reserved; what it throws is passed on and nothing was accepted. `ok` means that each of them is
  /// answered through its completion, exactly once. Any other outcome is a refusal; what `build` made,
  /// if it was called, is gone.
  /// `group` outlives the wait for room where the caller suspends; null otherwise.
  template <class Build>
  Outcome submit(const SubmitOptions& options, std::size_t count, std::size_t bytes,
                 WhenFull when_full, WaitingGroup* group, Build&& build) {
    if (forked()) return Outcome::forked;
    const TimePoint now = runtime_.now();
    Outcome refusal = Outcome::ok;
    if (options.deadline <= now) {
      refusal = Outcome::expired;
    } else if (options.stop.stop_requested()) {
      refusal = Outcome::cancelled;
    } else if (!admission_.possible(count, bytes)) {
      refusal = Outcome::too_large;
    } else if (reserve(count, bytes)) {
      enter(options, count, bytes, now, build);
      return Outcome::ok;
    } else if (admission_.closed()) {
      refusal = Outcome::stopped;
    } else if (when_full == WhenFull::refuse || overflow_ == OverflowAction::reject) {
      refusal = Outcome::queue_full;
    } else if (when_full == WhenFull::suspend) {
      if (wait(options, *group, bytes, now, build)) return Outcome::ok;
      refusal = Outcome::stopped;
    } else if (on_own_thread(batcher_)) {
      refusal = Outcome::would_deadlock;
    } else if (wait_blocked(options, bytes, now, build)) {
      return Outcome::ok;
    } else {
      refusal = Outcome::stopped;
    }
    answering_.note_refused(options.trace_id, refusal, count);
    return refusal;
  }

 private:
  bool reserve(std::size_t count, std::size_t bytes) noexcept {
    if (admission_.reserve(count, bytes)) return true;
    // Meanwhile this may have held room without the bytes for it; whoever found none then looks again.
    if (bytes > 0 && (admission_.waiting() > 0 || admission_.closed())) intake_.nudge();
    return false;
  }

  template <class Build>
  void enter(const SubmitOptions& options, std::size_t count, std::size_t bytes, TimePoint now,
             Build& build) {
    const RequestChain chain = with_undo([&] { return built(build); },
                                         [&] {
                                           // Somebody may wait for this room, or for its end.
                                           admission_.give_back(count, bytes);
                                           intake_.nudge();
                                         });
    RequestBase* const first = list(chain, now);
    if (options.stop.stop_possible()) prepare_stops(first);
    for (const RequestBase* request = first; request != nullptr; request = request->next_of_call) {
      answering_.tell_admitted(*request);
    }
    runtime_.interleave("push");
    intake_.push(chain, options.deadline);
    if (options.stop.stop_possible()) register_stops(first, options.stop);
  }

  // Hands the requests over to wait for room. True if they will be answered.
  template <class Build>
  bool wait(const SubmitOptions& options, WaitingGroup& group, std::size_t bytes, TimePoint now,
            Build& build) {
    group.requests = built(build);
    group.bytes = bytes;
    group.deadline = options.deadline;
    group.limit = saturating_add(now, max_block_);
    RequestBase* const first = list(group.requests, now);
    for (RequestBase* request = first; request != nullptr; request = request->next_of_call) {
      request->group = &group;
    }
    if (options.stop.stop_possible()) prepare_stops(first);
    admission_.begin_waiting();
    runtime_.interleave("push waiting");
    if (!intake_.push_waiting(group)) {
      admission_.end_waiting();
      discard(options, first);
      return false;
    }
    if (options.stop.stop_possible()) register_stops(first, options.stop);
    return true;
  }

  template <class Build>
  bool wait_blocked(const SubmitOptions& options, std::size_t bytes, TimePoint now, Build& build) {
    // Copied, because the batcher may be destroyed as soon as its last waiter has been told.
    const R runtime = runtime_;
    WaitingGroup group;
    if (!wait(options, group, bytes, now, build)) return false;
    while (group.decided.load(std::memory_order_acquire) == 0) {
      runtime.park(group.decided, 0, kNever);
    }
    return true;
  }

  template <class Build>
  static RequestChain built(Build& build) {
    RequestChain chain;
    with_undo([&] { build(chain); },
              [&] {
                for (RequestHeader* item = chain.first; item != nullptr;) {
                  auto& request = static_cast<RequestBase&>(*item);
                  item = RequestChain::next(*item);
                  request.release();
                }
              });
    return chain;
  }

  // Once handed over, the chain's links are the dispatcher's; the submitter keeps a list of its own.
  static RequestBase* list(const RequestChain& chain, TimePoint now) noexcept {
    RequestBase* first = nullptr;
    RequestBase** place = &first;
    for (RequestHeader* item = chain.first; item != nullptr; item = RequestChain::next(*item)) {
      auto& request = static_cast<RequestBase&>(*item);
      request.enqueued = now;
      *place = &request;
      place = &request.next_of_call;
    }
    *place = nullptr;
    return first;
  }

  static void prepare_stops(RequestBase* first) noexcept {
    for (; first != nullptr; first = first->next_of_call) first->prepare_stop();
  }

  static void register_stops(RequestBase* first, const StopToken& stop) {
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
  const std::function<std::size_t(const TIn&)> bytes_;
  CancelSink& sink_;
  const void* const batcher_;
  Admission& admission_;
  Intake<Batch, R>& intake_;
  Answering<TIn, TOut, R>& answering_;
  const unsigned forks_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SUBMITTER_HPP
