// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_OBSERVER_HPP
#define BATCHWRIGHT_OBSERVER_HPP

#include "outcome.hpp"
#include "policy.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace batchwright::inline v0_1 {

/// An observer was given to a batcher.
struct AttachedEvent {
  std::string_view name;  ///< The batcher's. Valid during the call.
};

/// A request was accepted.
struct AdmittedEvent {
  std::uint64_t trace_id = 0;  ///< As given at submission; 0 when none was.
  TimePoint enqueued{};        ///< When it was admitted: a wait for room is over by then.
  TimePoint deadline = kNever;
  std::size_t weight = 1;
  int priority = 0;
  /// When it came: before `enqueued` if it waited for room, or for others to give way.
  TimePoint submitted = kNever;
};

/// A request was refused: it was never accepted, and no other event tells of it.
struct RefusedEvent {
  std::uint64_t trace_id = 0;
  TimePoint at{};
  Outcome outcome = Outcome::queue_full;
  TimePoint submitted = kNever;  ///< When it came, if it waited for room before; else kNever.
};

/// A batch left the queue and is about to be computed.
struct BatchFormedEvent {
  std::uint64_t batch_id = 0;  ///< Counted from 1; `AnsweredEvent::batch_id` names its requests.
  std::size_t executor = 0;    ///< Which executor computes it.
  std::size_t count = 0;  ///< Requests in it; with `coalesce` works, each of which answers several.
  std::size_t size = 0;   ///< Their weight.
  std::size_t padded_size = 0;  ///< The allowed size that the model runs with; at least `size`.
  ReleaseReason reason = ReleaseReason::size;
  TimePoint oldest{};      ///< Enqueue time of its oldest request.
  TimePoint dispatched{};  ///< When it was released.
};

/// An accepted request was answered: once for each, whatever the outcome.
struct AnsweredEvent {
  std::uint64_t trace_id = 0;
  Outcome outcome = Outcome::ok;
  int priority = 0;
  TimePoint enqueued{};  ///< When it was admitted.
  TimePoint started{};   ///< When the predictor was entered with it; unset if it never was.
  TimePoint answered{};
  TimePoint deadline = kNever;
  std::uint64_t batch_id = 0;  ///< 0 for a request that no predictor saw.
  std::size_t executor = 0;    ///< Which executor computed it; meaningless when `batch_id` is 0.
  /// When it came: before `enqueued` if it waited for room, or for others to give way.
  TimePoint submitted = kNever;

  bool computed() const noexcept { return batch_id != 0; }
  bool late() const noexcept { return answered > deadline; }
};

/// Is told what happens to requests and batches: for tracing, logging, exporting. Override what you
/// need; the rest is empty. The batcher holds a `std::shared_ptr<Observer>` and tests it for null
/// once per event, so a batcher without an observer pays nothing else.
///
/// Requirements on every function:
/// - Thread safe: they are called from many threads at once, several of them possibly for different
///   requests of one batch. Events of one request come in their natural order (admitted, then
///   answered, its batch's event between); events of different requests come in any order.
/// - Quick and never blocking: they run between a request and its answer, so what they cost is
///   latency of everybody. In particular they must not wait for the batcher that calls them.
/// - No exceptions: they are noexcept, so a throw terminates.
///
/// No library lock is held during a call. The event is the caller's: copy what you keep. The last
/// call returns before the batcher's last thread ends, and the batcher co-owns the observer.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  /// On the constructing thread, before any other event. Once for each batcher that it is given to.
  virtual void on_attached(const AttachedEvent&) noexcept {}

  /// On the submitting thread, before the request can be dispatched.
  virtual void on_admitted(const AdmittedEvent&) noexcept {}

  /// On the submitting thread, before the refusal is returned to it.
  virtual void on_refused(const RefusedEvent&) noexcept {}

  /// On the thread that computes the batch, before the predictor is entered.
  virtual void on_batch_formed(const BatchFormedEvent&) noexcept {}

  /// On the thread that answers (the executor or whoever finishes the batch; the dispatcher for
  /// what expired, was cancelled or stopped), before the answer is visible: whoever holds an answer
  /// can rely on the observer having been told.
  virtual void on_answered(const AnsweredEvent&) noexcept {}
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_OBSERVER_HPP
