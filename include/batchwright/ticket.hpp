// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TICKET_HPP
#define BATCHWRIGHT_TICKET_HPP

#include "detail/completions.hpp"
#include "detail/deferred_wakes.hpp"
#include "detail/own_thread.hpp"
#include "detail/pooled.hpp"
#include "detail/request.hpp"
#include "errors.hpp"
#include "result.hpp"
#include "runtime.hpp"

#include <atomic>
#include <cstdint>
#include <future>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

/// The completion token that makes `submit` return a Ticket.
struct UseTicket {};
inline constexpr UseTicket use_ticket{};

namespace detail {

/// What a ticket and its request share. It lies with the request, and lives as long.
template <class TOut, Runtime R>
struct TicketState final : DeferredWake {
  TicketState(const R& r, const void* batcher, Cancellable& its) noexcept
      : runtime(r), owner(batcher), request(&its) {}

  /// Of whoever answers; his reference outlasts it.
  void complete(Result<TOut>&& answer) noexcept {
    deliver(result, std::move(answer));
    const std::uint32_t before = word.exchange(kReady, std::memory_order_acq_rel);
    if (before == kPending) return;
#if BATCHWRIGHT_HAS_EXCEPTIONS
    if (before == kConverted) return answer_future();
#endif
    if (DeferredWakes::take(*this)) {
      request->retain();
    } else {
      runtime.unpark(word, kEveryone);
    }
  }

  void wake() noexcept override {
    runtime.unpark(word, kEveryone);
    request->release();
  }

  bool ready() const noexcept { return word.load(std::memory_order_acquire) == kReady; }

  bool wait_until(TimePoint until) noexcept {
    while (!ready()) {
      std::uint32_t pending = kPending;
      word.compare_exchange_strong(pending, kWaiting, std::memory_order_acq_rel);
      if (until != kNever && runtime.now() >= until) return ready();
      runtime.park(word, kWaiting, until);
    }
    return true;
  }

#if BATCHWRIGHT_HAS_EXCEPTIONS
  /// From now on the answer is for a future. False if it is there already.
  bool convert(FutureAnswer<TOut>* its) noexcept {
    future = its;
    std::uint32_t now = word.load(std::memory_order_acquire);
    while (now != kReady) {
      if (word.compare_exchange_weak(now, kConverted, std::memory_order_acq_rel)) return true;
    }
    return false;
  }

  void answer_future() noexcept {
    (*future)(std::move(*result));
    pool_delete(future);
  }

  FutureAnswer<TOut>* future = nullptr;
#endif

  enum : std::uint32_t { kPending, kWaiting, kConverted, kReady };

  std::atomic<std::uint32_t> word{kPending};
  [[no_unique_address]] R runtime;
  const void* owner;           // Identifies the batcher, for the check of its own threads.
  Cancellable* const request;  // What it lies with. The ticket holds a reference.
  std::optional<Result<TOut>> result;
};

/// A request, or a RowJoin, that is answered by a ticket: one pooled block for all of it.
template <class Work, Runtime R>
class Ticketed final : public Work {
 public:
  using State = TicketState<typename Work::Answer, R>;

  /// With the ticket's reference, besides that of whoever is to answer it. `origin` is what it is made
  /// from, and `batcher` tells the batcher's own threads.
  template <class... Origin>
  Ticketed(const R& runtime, const void* batcher, Origin&&... origin)
      : Work(std::forward<Origin>(origin)...), ticket_(runtime, batcher, *this) {
    this->retain_unshared();
    this->completion.emplace([state = &ticket_](Result<typename Work::Answer>&& result) {
      state->complete(std::move(result));
    });
  }

  State& ticket() noexcept { return ticket_; }

 private:
  void destroy() noexcept override { pool_delete(this); }

  State ticket_;
};

struct TicketAccess;

}  // namespace detail

/// A light future for callers who wait: one word of state in a recycled block. Dropping a ticket is
/// fine and abandons the answer, not the work. It may outlive its batcher. One thread at a time.
template <class TOut, Runtime R = SystemRuntime>
class Ticket {
 public:
  /// Holds nothing: `valid()` is false, everything else but assignment throws std::logic_error.
  Ticket() noexcept = default;

  Ticket(Ticket&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        refusal_(std::exchange(other.refusal_, Outcome::ok)) {}
  Ticket& operator=(Ticket&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
      refusal_ = std::exchange(other.refusal_, Outcome::ok);
    }
    return *this;
  }
  ~Ticket() { drop(); }

  /// True until the answer is taken by `get` or `result`.
  bool valid() const noexcept { return state_ != nullptr || refusal_ != Outcome::ok; }

  /// Whether the answer is there. Never blocks.
  bool ready() const { return require().state_ == nullptr || state_->ready(); }

  /// Blocks until the answer is there. On a thread of the batcher itself an answer that is not there
  /// yet would never come: throws WouldDeadlockError instead.
  void wait() const { wait_until(kNever); }

  /// As `wait`, for at most that long; true if the answer is there.
  bool wait_for(Duration limit) const {
    if (require().state_ == nullptr) return true;
    return wait_until(detail::saturating_add(state_->runtime.now(), limit));
  }
  bool wait_until(TimePoint limit) const {
    if (ready()) return true;
    if (detail::on_own_thread(state_->owner)) {
      if (limit != kNever) return false;
      detail::raise(WouldDeadlockError());
    }
    return state_->wait_until(limit);
  }

  /// Waits and takes the value. Throws what the predictor threw, or the BatcherError of the outcome.
  TOut get() { return std::move(result()).value(); }

  /// Waits and takes the answer, whatever it is. Throws as `wait` does, and what TOut's move constructor
  /// throws; the answer is gone then.
  Result<TOut> result() {
    wait();
    if (state_ == nullptr) return Result<TOut>::failure(std::exchange(refusal_, Outcome::ok));
    const Ticket taken = std::move(*this);
    return std::move(*taken.state_->result);
  }

  /// Asks that the request be not computed. True if it will not be: it ends as `Outcome::cancelled`,
  /// soon, not necessarily yet. False if it was entered, answered or cancelled before. Never blocks.
  /// Of a call of `submit_rows` all rows are withdrawn that have not been entered: true if there was one,
  /// and no row had failed before.
  bool cancel() { return require().state_ != nullptr && state_->request->cancel(); }

#if BATCHWRIGHT_HAS_EXCEPTIONS
  /// The same answer by a std::future, for what takes nothing else; the ticket holds nothing after that, and
  /// the request cannot be cancelled by it any more. Never blocks. Throws std::bad_alloc, and then the ticket
  /// is as it was.
  operator std::future<TOut>() && {
    require();
    auto promise = detail::make_promise<TOut>();
    std::future<TOut> future = promise.get_future();
    auto* const answer = detail::pool_new<detail::FutureAnswer<TOut>>(std::move(promise));
    if (state_ == nullptr) {
      (*answer)(Result<TOut>::failure(std::exchange(refusal_, Outcome::ok)));
      detail::pool_delete(answer);
      return future;
    }
    const Ticket taken = std::move(*this);
    if (!taken.state_->convert(answer)) taken.state_->answer_future();
    return future;
  }
#endif

 private:
  friend struct detail::TicketAccess;

  explicit Ticket(detail::TicketState<TOut, R>* state) noexcept : state_(state) {}
  explicit Ticket(Outcome refusal) noexcept : refusal_(refusal) {}

  const Ticket& require() const {
    if (!valid()) detail::raise(std::logic_error("Ticket: it holds no answer"));
    return *this;
  }

  void drop() noexcept {
    if (state_ != nullptr) std::exchange(state_, nullptr)->request->release();
  }

  detail::TicketState<TOut, R>* state_ = nullptr;
  Outcome refusal_ = Outcome::ok;  // Not accepted: there is no state, and nothing was allocated.
};

namespace detail {

/// Makes tickets: for the batcher.
struct TicketAccess {
  template <class TOut, Runtime R>
  static Ticket<TOut, R> waiting(TicketState<TOut, R>* state) noexcept {
    return Ticket<TOut, R>(state);
  }
  template <class TOut, Runtime R>
  static Ticket<TOut, R> refused(Outcome outcome) noexcept {
    return Ticket<TOut, R>(outcome);
  }
};

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_TICKET_HPP
