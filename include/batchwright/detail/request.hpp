// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REQUEST_HPP
#define BATCHWRIGHT_DETAIL_REQUEST_HPP

#include "../batch_info.hpp"
#include "../result.hpp"
#include "../submit_options.hpp"
#include "class_id.hpp"
#include "flow.hpp"
#include "inline_function.hpp"
#include "parking.hpp"
#include "pooled.hpp"
#include "prefetch.hpp"
#include "request_header.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace batchwright::inline v0_1::detail {

class RequestBase;
struct WaitingGroup;
class FlowOwner;

/// A flow and how many requests hold it.
struct HeldFlow : Flow {
  FlowOwner* owner = nullptr;
  std::size_t holders = 0;
  // What its requests are counted as; set before the first of them is handed over.
  std::atomic<ClassId> lane_class{kNoClass};
  std::atomic<ClassId> tenant_class{kNoClass};
};

/// Where flows come from.
class FlowOwner {
 public:
  virtual void release(HeldFlow& flow) noexcept = 0;
  virtual LaneKey key_of(const HeldFlow& flow) const noexcept = 0;

 protected:
  ~FlowOwner() = default;
};

inline void release_flow(HeldFlow* flow) noexcept {
  if (flow != nullptr) flow->owner->release(*flow);
}

/// A key that requests share, by equality; see Coalescer.
struct SharedWork;
class SharedKeyOwner;
struct SharedKey {
  SharedKeyOwner* owner = nullptr;
  SharedWork* open = nullptr;  // What the next request with this key joins. The coalescer's.
};

/// Where shared keys come from.
class SharedKeyOwner {
 public:
  virtual void release(SharedKey& key) noexcept = 0;

 protected:
  ~SharedKeyOwner() = default;
};

inline void release_key(SharedKey* key) noexcept {
  if (key != nullptr) key->owner->release(*key);
}

/// Takes note of a cancellation that has won. Called inside `request_stop` and `Ticket::cancel`, so it
/// must neither block nor answer.
class CancelSink {
 public:
  virtual void post_cancelled(RequestBase& request) noexcept = 0;

 protected:
  ~CancelSink() = default;
};

/// What a ticket can ask to be cancelled: one request, or the rows of one call.
class Cancellable {
 public:
  virtual bool cancel() noexcept = 0;
  virtual void retain() noexcept = 0;
  virtual void release() noexcept = 0;

 protected:
  ~Cancellable() = default;
};

/// Where the dispatcher last put a request. The dispatcher's own note, read by it alone.
enum class Place : std::uint8_t {
  intake,
  waiting_room,
  turned_away,
  scheduler,
  shared,  ///< With a work that is in the scheduler.
  riding,  ///< With a work that was dispatched before it came.
  gone,
};

/// What a request is to the work that it shares; see Coalescer.
enum class Seat : std::uint8_t {
  none,
  queued,
  boarded,   ///< Dispatched with the work, and not yet claimed.
  entered,   ///< Being computed,
  unwanted,  ///< and cancelled too late.
  riding,    ///< Came after the dispatch, and is claimed when the result is there.
};

/// What few requests need, or the submitter alone: on the first line of the block, which only he
/// touches.
struct SeldomUsed : Cancellable {
  CancelSink* sink = nullptr;
  std::uint64_t trace_id = 0;
  TimePoint submitted{};                  ///< Before `enqueued` if it waited for room.
  RequestBase* next_cancelled = nullptr;  ///< The link of a cancellation on its way,
  RequestBase* next_of_call = nullptr;    ///< and of one call's, constant once handed over.
  WaitingGroup* group = nullptr;          ///< The dispatcher's.

 protected:
  ~SeldomUsed() = default;
};

/// One request, without its types: identity, lifetime and the one race that it can be in.
///
/// Dispatch, expiry and cancellation compete for `claim()`; whoever wins decides the outcome. One who
/// loses to a cancellation lets go of the request without a word: the dispatcher answers it when the
/// cancellation reaches it.
///
/// References: one of whoever is to answer it (`answer` drops it), one of a ticket, a RowJoin or a
/// submitter that still looks at it, one of a cancellation on its way to the dispatcher.
class RequestBase : public SeldomUsed, public RequestHeader {
  enum State : std::uint8_t { kQueued, kClaimed, kCancelled };
  enum Late : std::uint8_t { kOpen, kPosting, kShut };
  enum StopState : std::uint8_t { kNoStop, kRegistering, kRegistered, kAnswered };

  std::atomic<State> state_{kQueued};
  std::atomic<StopState> stop_state_{kNoStop};
  std::atomic<Late> late_{kOpen};

 public:
  bool watched = false;  // Set before the hand-over: late cancellations are passed on.
  bool by_future = false;
  Place place = Place::intake;  // The dispatcher's.
  Seat seat = Seat::none;       // The coalescer's, under its lock.

  virtual void drop_input() noexcept = 0;

  /// True for the one caller who may answer it with anything but `cancelled`. Requires the answerer's reference.
  bool claim() noexcept {
    State expected = kQueued;
    // Who could cancel it holds a reference, or is a stop callback.
    if (references_.load(std::memory_order_acquire) == 1 &&
        stop_state_.load(std::memory_order_relaxed) == kNoStop) {
      if (state_.load(std::memory_order_relaxed) != kQueued) return false;
      state_.store(kClaimed, std::memory_order_relaxed);
      return true;
    }
    return state_.compare_exchange_strong(expected, kClaimed, std::memory_order_acq_rel);
  }

  bool cancelled() const noexcept { return state_.load(std::memory_order_acquire) == kCancelled; }

  /// True if this cancellation wins. The caller holds a reference, or runs inside the stop callback.
  bool cancel() noexcept final {
    // Before the attempt: once it has won, whoever loses against it lets go of the request, and inside
    // a stop callback that may be the last reference but this one.
    retain();
    State expected = kQueued;
    if (state_.compare_exchange_strong(expected, kCancelled, std::memory_order_acq_rel)) {
      // Nobody answers before the sink has been told, so the sink is alive.
      sink->post_cancelled(*this);
      return true;
    }
    if (expected == kClaimed && watched) post_late();
    release();
    return false;
  }

  /// Of an item that is answered before others of its batch: true if nobody has told yet that its answer
  /// is waited for no more. Then call `post_answered` once it has been answered, by its executor.
  bool begin_answered() noexcept {
    Late open = kOpen;
    if (!watched || !late_.compare_exchange_strong(open, kShut, std::memory_order_acq_rel)) {
      return false;
    }
    retain();
    return true;
  }
  void post_answered() noexcept { sink->post_cancelled(*this); }

  void retain() noexcept final { references_.fetch_add(1, std::memory_order_relaxed); }

  /// As `retain`, while no other thread knows the request.
  void retain_unshared() noexcept {
    references_.store(references_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  void release() noexcept final {
    if (references_.load(std::memory_order_acquire) == 1 ||
        references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy();
    }
  }

  /// Begins to listen to `token`: called by the submitter after the request was handed over, with
  /// `prepare_stop` before. In between it may be answered already, by another thread.
  void prepare_stop() noexcept {
    stop_state_.store(kRegistering, std::memory_order_relaxed);
    retain_unshared();
  }
  void register_stop(const StopToken& token) noexcept {
    new (&stop_callback_) StopCallback<Canceller>(token, Canceller{this});
    StopState expected = kRegistering;
    if (!stop_state_.compare_exchange_strong(expected, kRegistered, std::memory_order_acq_rel)) {
      std::destroy_at(&stop_callback_);  // Answered meanwhile; the answerer left this to us.
    }
    release();
  }
  void abandon_stop() noexcept {
    stop_state_.store(kNoStop, std::memory_order_relaxed);
    release();
  }

  /// What it is counted as, besides all requests. Before it lets go of its flow.
  ClassIds classes() const noexcept {
    if (held_flow == nullptr) return {priority_class, kNoClass, kNoClass};
    return {priority_class, held_flow->lane_class.load(std::memory_order_relaxed),
            held_flow->tenant_class.load(std::memory_order_relaxed)};
  }

  HeldFlow* held_flow = nullptr;  // Given back before the answer: the batcher may be gone after it.
  SharedKey* shared_key = nullptr;  // Likewise. Null for what is computed alone.
  SharedWork* work = nullptr;  // As `seat`; of an item that is being computed also its executor's.
  std::size_t level = kNoCount;  // Of the queue policies, by which it was admitted.
  ClassId priority_class = kNoClass;

 protected:
  RequestBase() noexcept {}
  virtual ~RequestBase() { let_go_of_keys(); }
  virtual void destroy() noexcept = 0;

  void let_go_of_keys() noexcept {
    if (shared_key != nullptr || held_flow != nullptr) give_keys_back();
  }

  // From here on no late cancellation is passed on, and none is on its way into the sink, which may be
  // gone when the answer has been given.
  void close_late() noexcept {
    if (!watched) return;
    Late open = kOpen;
    if (late_.compare_exchange_strong(open, kShut, std::memory_order_acq_rel)) return;
    // Someone is between two instructions of a lock-free push, or long past it.
    while (late_.load(std::memory_order_acquire) == kPosting) cpu_relax();
  }

  // Returns when the stop callback neither runs nor will run.
  void unregister_stop() noexcept {
    if (stop_state_.load(std::memory_order_relaxed) == kNoStop) return;
    if (stop_state_.exchange(kAnswered, std::memory_order_acq_rel) == kRegistered) {
      std::destroy_at(&stop_callback_);
    }
  }

 private:
  void give_keys_back() noexcept {
    release_key(std::exchange(shared_key, nullptr));
    release_flow(std::exchange(held_flow, nullptr));
  }

  void post_late() noexcept {
    Late open = kOpen;
    if (!late_.compare_exchange_strong(open, kPosting, std::memory_order_acq_rel)) return;
    retain();
    sink->post_cancelled(*this);
    late_.store(kShut, std::memory_order_release);
  }

  std::atomic<std::uint32_t> references_{1};

  struct Canceller {
    RequestBase* request;
    void operator()() const noexcept { request->cancel(); }
  };
  union {  // Only while `stop_state_` says so.
    StopCallback<Canceller> stop_callback_;
  };
};

/// A request whose answer has a type.
template <class TOut>
class AnswerableRequest : public RequestBase {
 public:
  using Answer = TOut;

  /// Gives the answer and the answerer's reference away. The input is gone by then.
  void answer(Result<TOut>&& result) noexcept {
    unregister_stop();
    this->close_late();
    this->let_go_of_keys();
    completion(std::move(result));
    release();
  }

  alignas(64) InlineFunction<void(Result<TOut>&&)> completion;
};

/// The whole request, one pooled block.
template <class TIn, class TOut>
class Request : public AnswerableRequest<TOut> {
 public:
  template <class In>
  explicit Request(In&& input) {
    new (&input_) TIn(std::forward<In>(input));
  }

  TIn& input() noexcept { return input_; }

  /// Begins to fetch what the dispatcher will touch.
  void prefetch() const noexcept {
    detail::prefetch(&this->by_age);
    detail::prefetch(&this->enqueued);
    detail::prefetch(&this->held_flow);
    detail::prefetch(&this->completion);
  }

  void drop_input() noexcept final {
    if (std::exchange(has_input_, false)) std::destroy_at(&input_);
  }

 protected:
  ~Request() override { drop_input(); }

 private:
  void destroy() noexcept override { pool_delete(this); }
  friend void pool_delete<Request>(Request*) noexcept;

  union {
    TIn input_;
  };
  bool has_input_ = true;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REQUEST_HPP
