// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DYNAMIC_BATCHER_HPP
#define BATCHWRIGHT_DYNAMIC_BATCHER_HPP

#include "admitted.hpp"
#include "detail/core.hpp"
#include "detail/settle.hpp"
#include "detail/submission.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "policies/any.hpp"
#include "prediction.hpp"
#include "predictor.hpp"
#include "reconfiguration.hpp"
#include "result.hpp"
#include "runtime.hpp"
#include "shutdown.hpp"
#include "submit_options.hpp"
#include "ticket.hpp"

#include <concepts>
#include <cstddef>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {

/// Whatever can be called with the answer of a request.
template <class F, class TOut>
concept ResultCallback = std::invocable<std::decay_t<F>&, Result<TOut>>;

/// Turns single requests from many threads into batches for a predictor, and hands every request its own
/// result. Each accepted request is answered exactly once, whatever happens: with its value, the
/// predictor's exception, or the outcome that ended it before.
///
/// Latency: a request waits for company as long as the policy says (GreedyPolicy: not at all), never
/// longer than `max_wait`, and then for a free executor; requests of higher priority go before it, no
/// more of them than the overtaking bound allows.
///
/// Thread safety: all member functions may be called from any thread at any time, but for the
/// constructor and the destructor. From within the batcher's own threads (a predictor, a callback)
/// everything that does not block is allowed; what would block is refused with
/// `Outcome::would_deadlock` or WouldDeadlockError. A batcher must be constructed after a fork: in a
/// forked child it refuses everything with `Outcome::forked`.
///
/// Not a good fit for predictors that take about as long for a batch as for its items one by one, nor
/// for predictors much faster than a wake-up of a thread (some 50 us).
template <class TIn, class TOut, BatchingPolicy Policy, Runtime R = SystemRuntime>
class BasicDynamicBatcher {
  static_assert(std::is_nothrow_destructible_v<TIn>, "TIn must be nothrow destructible");
  static_assert(std::movable<TIn> || std::is_move_constructible_v<TIn>, "TIn must be movable");
  static_assert(!std::is_reference_v<TIn> && !std::is_reference_v<TOut>,
                "TIn and TOut are values; use a pointer or std::reference_wrapper");

 public:
  using Input = TIn;
  using Output = TOut;
  using Options = BatcherOptions<TIn, Policy>;
  using TicketType = Ticket<TOut, R>;
  /// The answer to `submit_rows`: std::vector<TOut>, or void.
  using Rows = detail::JoinedRows<TOut>;
  using RowsTicketType = Ticket<Rows, R>;

  /// Starts the threads: one dispatcher and `options.executors` executors, each with its predictor made.
  /// `predictor` is a callable (see Predictor), or `shared_predictor(p)`, or
  /// `predictor_per_executor(f)`; it is moved or copied in, and lives until the last of the threads has
  /// ended. Blocks until all threads have started. Throws std::invalid_argument for a bad setting, what
  /// a factory or the start hook throws, std::system_error if a thread cannot start; then no thread is
  /// left behind.
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, BasicDynamicBatcher>)
  explicit BasicDynamicBatcher(P&& predictor, Options options = {}, const R& runtime = R())
      : core_(start(detail::make_source<TIn, TOut>(std::forward<P>(predictor)), options, runtime)) {
  }

  BasicDynamicBatcher(const BasicDynamicBatcher&) = delete;
  BasicDynamicBatcher& operator=(const BasicDynamicBatcher&) = delete;

  /// As `shutdown()`: everything accepted is computed and answered first. It does not wait on one of the
  /// batcher's own threads, which then carry it to its end, nor after a shutdown whose time was up.
  ~BasicDynamicBatcher() {
    if (core_->forked()) {
      // The threads exist in the parent alone. What they co-own cannot be taken down here.
      static_cast<void>(new std::shared_ptr<Core>(std::move(core_)));
      return;
    }
    if (!gave_up_.load(std::memory_order_relaxed)) core_->shutdown({});
    core_->detach();
  }

#if BATCHWRIGHT_HAS_EXCEPTIONS
  /// Submits one request; its answer comes through the future. Never throws for load or lifecycle: a
  /// refusal is the future's exception (QueueFullError and so on). Blocks only if the queue is full
  /// and `overflow` is `block`: until there is room, the deadline, a stop or `max_block`. Throws what
  /// TIn's constructor throws and what the options' functions of an input do (`bytes`, `weight`, `length`,
  /// `lane`, `tenant`, `share`, `coalesce`, all called here, on the caller's thread), std::invalid_argument
  /// if one of these says 0 or too much, or for a timeout that it may not bring, and std::bad_alloc; then
  /// nothing was accepted. The futures of one batch become ready at about the same time, the oldest
  /// usually last; callbacks are called in order.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  std::future<TOut> submit(In&& input, const SubmitOptions& options = {}) {
    std::future<TOut> future;
    const Outcome outcome =
        submission().by_future(future, std::forward<In>(input), options, detail::WhenFull::block);
    return outcome == Outcome::ok ? std::move(future) : submission().refused_future(outcome);
  }

  /// As `submit`, but never blocks, and leaves `input` untouched when it declines.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  Admitted<std::future<TOut>> try_submit(In&& input, const SubmitOptions& options = {}) {
    std::future<TOut> future;
    const Outcome outcome =
        submission().by_future(future, std::forward<In>(input), options, detail::WhenFull::refuse);
    if (outcome != Outcome::ok) return outcome;
    return Admitted<std::future<TOut>>(std::move(future));
  }

  /// Submits all elements of a range, or none: they are admitted together, with one wake-up, in their
  /// order. Elements of an rvalue range are moved from. Otherwise as `submit`.
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  std::vector<std::future<TOut>> submit_many(Range&& inputs, const SubmitOptions& options = {}) {
    std::vector<std::future<TOut>> futures;
    const Outcome outcome = submission().range(
        std::forward<Range>(inputs), options, detail::WhenFull::block,
        [&](std::size_t count) { futures.reserve(count); },
        [&](Item& request) { futures.push_back(submission().answer_by_future(request)); });
    if (outcome != Outcome::ok) {
      futures.clear();
      for (const auto& input : inputs) {
        static_cast<void>(input);
        futures.push_back(submission().refused_future(outcome));
      }
    }
    return futures;
  }

  /// Submits all elements of a range, or none, as the rows of one call, for one answer: their results,
  /// in the rows' order. A row is a request like any other, and the rows may travel in several batches.
  /// If one fails, the call fails as it did: those of its rows that are queued are withdrawn, as
  /// cancelled, and nobody else's are touched. `options` are the call's: one deadline, one stop. The
  /// answer comes when no predictor has a row of the call any more; its timing is that of the row that
  /// was answered last. No rows are answered at once, whatever the batcher's state; more rows than
  /// `capacity` never fit: TooLargeError. Elements of an rvalue range are moved from. Otherwise as
  /// `submit`.
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  std::future<Rows> submit_rows(Range&& inputs, const SubmitOptions& options = {}) {
    std::future<Rows> future;
    const Outcome outcome = submission().rows_by_future(future, std::forward<Range>(inputs),
                                                        options, detail::WhenFull::block);
    return outcome == Outcome::ok ? std::move(future)
                                  : Submission::template refused_future<Rows>(outcome);
  }

  /// As `submit_rows`, but never blocks, and leaves `inputs` untouched when it declines.
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  Admitted<std::future<Rows>> try_submit_rows(Range&& inputs, const SubmitOptions& options = {}) {
    std::future<Rows> future;
    const Outcome outcome = submission().rows_by_future(future, std::forward<Range>(inputs),
                                                        options, detail::WhenFull::refuse);
    if (outcome != Outcome::ok) return outcome;
    return Admitted<std::future<Rows>>(std::move(future));
  }
#endif

  /// Submits one request; its answer is waited for by the ticket, a light future. Otherwise as `submit`:
  /// a refusal is what the ticket holds, and cost no allocation.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  TicketType submit(In&& input, UseTicket, const SubmitOptions& options = {}) {
    detail::TicketState<TOut, R>* state = nullptr;
    const Outcome outcome =
        submission().by_ticket(state, std::forward<In>(input), options, detail::WhenFull::block);
    return outcome == Outcome::ok ? detail::TicketAccess::waiting(state)
                                  : detail::TicketAccess::refused<TOut, R>(outcome);
  }

  /// As the above, but never blocks, and leaves `input` untouched when it declines.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  Admitted<TicketType> try_submit(In&& input, UseTicket, const SubmitOptions& options = {}) {
    detail::TicketState<TOut, R>* state = nullptr;
    const Outcome outcome =
        submission().by_ticket(state, std::forward<In>(input), options, detail::WhenFull::refuse);
    if (outcome != Outcome::ok) return outcome;
    return detail::TicketAccess::waiting(state);
  }

  /// Submits one request and waits for its answer: as `submit(input, use_ticket, options).get()`, and
  /// throws what that throws. With `BatcherOptions::caller_runs` the predictor may run on this thread.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  TOut predict_and_wait(In&& input, const SubmitOptions& options = {}) {
    detail::Lent lent = detail::Lent::nothing;
    detail::Lent* const runs = core_->callers().on() ? &lent : nullptr;
    const detail::Cancellable* request = nullptr;
    if (core_->on_own()) {  // The answer may never come, and has to outlive this call then.
      detail::TicketState<TOut, R>* state = nullptr;
      const Outcome outcome = submission().by_ticket(state, std::forward<In>(input), options,
                                                     detail::WhenFull::block, runs);
      if (outcome != Outcome::ok) return detail::TicketAccess::refused<TOut, R>(outcome).get();
      TicketType ticket = detail::TicketAccess::waiting(state);
      if (lent != detail::Lent::nothing) core_->callers().run(lent, state->request);
      return ticket.get();
    }
    detail::AwaitedAnswer<TOut, R> answer(core_->runtime());
    const Outcome outcome =
        submission().by_waiting(answer, request, std::forward<In>(input), options, runs);
    if (outcome != Outcome::ok) return detail::TicketAccess::refused<TOut, R>(outcome).get();
    if (lent != detail::Lent::nothing) core_->callers().run(lent, request);
    return std::move(answer.wait()).value();
  }

  /// Submits one request; `callback(Result<TOut>)` is called with its answer, once, on the thread that
  /// completes it or where `complete_on` posts it, never inside this call. It must not block for long,
  /// nor throw: a throw terminates. If the returned value is false the request was refused, for the
  /// reason that it carries, and the callback will not be called. Throws std::invalid_argument for a
  /// callback that is null. Otherwise as `submit`.
  template <class In = TIn, ResultCallback<TOut> Callback>
    requires std::convertible_to<In&&, TIn>
  Admitted<void> submit(In&& input, Callback&& callback, const SubmitOptions& options = {}) {
    return submission().by_callback(std::forward<In>(input), std::forward<Callback>(callback),
                                    options, detail::WhenFull::block);
  }

  /// As the above, but never blocks, and leaves `input` and `callback` untouched when it declines.
  template <class In = TIn, ResultCallback<TOut> Callback>
    requires std::convertible_to<In&&, TIn>
  Admitted<void> try_submit(In&& input, Callback&& callback, const SubmitOptions& options = {}) {
    return submission().by_callback(std::forward<In>(input), std::forward<Callback>(callback),
                                    options, detail::WhenFull::refuse);
  }

  /// As `submit_many`, with tickets.
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  std::vector<TicketType> submit_many(Range&& inputs, UseTicket,
                                      const SubmitOptions& options = {}) {
    std::vector<detail::TicketState<TOut, R>*> states;
    std::vector<TicketType> tickets;
    const Outcome outcome = detail::with_undo(
        [&] {
          return submission().template range<TicketedItem>(
              std::forward<Range>(inputs), options, detail::WhenFull::block,
              [&](std::size_t count) {
                states.reserve(count);
                tickets.reserve(count);
              },
              [&](TicketedItem& request) { states.push_back(&request.ticket()); });
        },
        [&] { Submission::withdraw(states); });
    if (outcome == Outcome::ok) {
      for (auto* state : states) tickets.push_back(detail::TicketAccess::waiting(state));
      return tickets;
    }
    Submission::withdraw(states);
    for (const auto& input : inputs) {
      static_cast<void>(input);
      tickets.push_back(detail::TicketAccess::refused<TOut, R>(outcome));
    }
    return tickets;
  }

  /// As `submit_rows`, with a ticket, whose `cancel` is for all rows.
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  RowsTicketType submit_rows(Range&& inputs, UseTicket, const SubmitOptions& options = {}) {
    detail::TicketState<Rows, R>* state = nullptr;
    const Outcome outcome = submission().rows_by_ticket(state, std::forward<Range>(inputs), options,
                                                        detail::WhenFull::block);
    return outcome == Outcome::ok ? detail::TicketAccess::waiting(state)
                                  : detail::TicketAccess::refused<Rows, R>(outcome);
  }
  template <class Range>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  Admitted<RowsTicketType> try_submit_rows(Range&& inputs, UseTicket,
                                           const SubmitOptions& options = {}) {
    detail::TicketState<Rows, R>* state = nullptr;
    const Outcome outcome = submission().rows_by_ticket(state, std::forward<Range>(inputs), options,
                                                        detail::WhenFull::refuse);
    if (outcome != Outcome::ok) return outcome;
    return detail::TicketAccess::waiting(state);
  }

  /// As `submit_rows`, with a callback, as for `submit`; no rows are answered within the call.
  template <class Range, ResultCallback<Rows> Callback>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  Admitted<void> submit_rows(Range&& inputs, Callback&& callback,
                             const SubmitOptions& options = {}) {
    return submission().rows_by_callback(std::forward<Range>(inputs),
                                         std::forward<Callback>(callback), options,
                                         detail::WhenFull::block);
  }
  template <class Range, ResultCallback<Rows> Callback>
    requires std::convertible_to<detail::ElementOf<Range>, TIn>
  Admitted<void> try_submit_rows(Range&& inputs, Callback&& callback,
                                 const SubmitOptions& options = {}) {
    return submission().rows_by_callback(std::forward<Range>(inputs),
                                         std::forward<Callback>(callback), options,
                                         detail::WhenFull::refuse);
  }

  /// `co_await batcher.predict(input)` is the value. See Prediction. Blocks nobody: it suspends. Throws
  /// what `submit` throws; then nothing was submitted.
  template <class In = TIn>
    requires std::convertible_to<In&&, TIn>
  Prediction<TIn, TOut, R> predict(In&& input, const SubmitOptions& options = {}) {
    auto& submitter = core_->submitter();
    submitter.check(options);
    Item* const request = submitter.make(options, {}, std::forward<In>(input));
    detail::with_undo([&] { submitter.read(request->input()).give_to(*request); },
                      [&] { request->release(); });
    return Prediction<TIn, TOut, R>(submitter, core_->complete_on(), request, options);
  }

  /// Marks all that is queued as due: it leaves as soon as executors are free, whatever the policy says.
  /// Returns at once.
  void flush() noexcept { core_->flush(); }

  /// Stops dispatch, and nothing else: submitting, deadlines, cancellations and refusals go on. Returns
  /// at once; `wait_idle` then waits for what was dispatched before.
  void pause() noexcept { core_->set_paused(true); }
  void resume() noexcept { core_->set_paused(false); }

  /// Gives every executor another predictor, in any of the constructor's forms, and warms it up as at
  /// construction. Nothing that was accepted is lost: an executor finishes what it has begun, and the
  /// queue waits where nobody else takes from it. When this returns all batches are computed by the new
  /// predictor, and its times are learned anew; before, some may be. Blocks as long as that takes; calls
  /// of several threads follow one another. Throws what loading throws, and std::invalid_argument for a
  /// bare predictor with several executors or an order that is none: then the old one serves on, see
  /// ReplaceOrder. Throws BatcherStoppedError in or after a shutdown, WouldDeadlockError on one of the
  /// batcher's own threads, and ForkedError in a forked child.
  template <class P>
  void replace_predictor(P&& predictor, ReplaceOrder order = ReplaceOrder::load_first) {
    detail::check_enumerator("order", order, 2);
    core_->replace(detail::make_source<TIn, TOut>(std::forward<P>(predictor)), order);
  }

  /// Changes the cap, the policy, or both, for what leaves the queue from now on. Returns at once. Throws
  /// std::invalid_argument, and changes nothing, if they do not fit each other, and ForkedError.
  void reconfigure(const Reconfiguration<Policy>& changes) { core_->reconfigure(changes); }

  /// Waits until nothing executes and nothing is queued (while paused: until nothing executes). False if
  /// `until` came first. Throws WouldDeadlockError on one of the batcher's own threads, and ForkedError
  /// in a forked child.
  bool wait_idle(TimePoint until = kNever) { return core_->wait_idle(until); }

  /// Refuses new requests, wakes those who wait for room, ends the rest as `options.mode` says, and
  /// waits for it, and for the threads' end, until `options.until`. May be called again, and from
  /// several threads at once. On one of the batcher's own threads it does not wait. What was accepted is
  /// answered before `finished` is true. Throws std::invalid_argument for a mode that is none, and then
  /// does nothing.
  ShutdownReport shutdown(const ShutdownOptions& options = {}) {
    detail::check_enumerator("mode", options.mode, 2);
    const ShutdownReport report = core_->shutdown(options);
    if (!report.finished && !core_->on_own()) gave_up_.store(true, std::memory_order_relaxed);
    return report;
  }

  /// A snapshot of all counters, gauges and histograms. Does not stop anybody; O(executors).
  MetricsSnapshot metrics() const { return core_->metrics(); }

 private:
  using Core = detail::Core<TIn, TOut, Policy, R>;
  using Item = detail::Request<TIn, TOut>;
  using Submission = detail::Submission<TIn, TOut, R>;
  using TicketedItem = typename Submission::TicketedItem;

  static std::shared_ptr<Core> start(detail::Owned<typename Core::Source> source, Options& options,
                                     const R& runtime) {
    detail::settle(options, source->parallel(), source->asynchronous());
    detail::check_coalescing<TOut>(options);
    auto core = std::make_shared<Core>(std::move(source), std::move(options), runtime);
    core->start();
    return core;
  }

  // Cheap: it refers to the core alone.
  Submission submission() const noexcept {
    return Submission(core_->submitter(), core_->complete_on(), core_.get());
  }

  std::shared_ptr<Core> core_;
  std::atomic<bool> gave_up_{false};
};

/// The batcher for everyday use: its policy is a setting, not a part of its type.
template <class TIn, class TOut>
using DynamicBatcher = BasicDynamicBatcher<TIn, TOut, AnyPolicy, SystemRuntime>;

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_DYNAMIC_BATCHER_HPP
