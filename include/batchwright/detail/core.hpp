// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CORE_HPP
#define BATCHWRIGHT_DETAIL_CORE_HPP

#include "../errors.hpp"
#include "../metrics.hpp"
#include "../options.hpp"
#include "../shutdown.hpp"
#include "deferred_wakes.hpp"
#include "dispatcher.hpp"
#include "mailbox.hpp"
#include "own_thread.hpp"
#include "predictor_source.hpp"
#include "submitter.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What a batcher's threads own together: the parts, and the threads' own functions. The batcher is a
/// handle on this; it may be destroyed on one of these threads, which then carry the rest to its end.
template <class TIn, class TOut, BatchingPolicy Policy, Runtime R>
class Core final : public BatchSink<TIn, TOut>,
                   public CancelSink,
                   public std::enable_shared_from_this<Core<TIn, TOut, Policy, R>> {
 public:
  using Batch = BatchState<TIn, TOut>;
  using Options = BatcherOptions<TIn, Policy>;

  /// Requires: settled options.
  Core(std::unique_ptr<PredictorSource<TIn, TOut>> predictors, Options options, const R& runtime)
      : runtime_(runtime),
        name_(std::move(options.name)),
        cap_(scheduler_limits(options).cap()),
        executors_(options.executors),
        on_thread_start_(std::move(options.on_thread_start)),
        complete_on_(std::move(options.complete_on)),
        predictors_(std::move(predictors)),
        admission_(options.capacity, options.max_queued_bytes, options.levels),
        intake_(runtime, std::max<std::size_t>(executors_, 1)),
        answering_(runtime, std::max<std::size_t>(executors_, 1), cap_, options.metrics,
                   std::move(options.observer)),
        dispatcher_(runtime, std::move(options.policy), scheduler_limits(options), options.capacity,
                    predictors_->takes_info(), admission_, intake_, answering_),
        submitter_(runtime, options, *this, this, admission_, intake_, answering_) {
    for (std::size_t i = 0; i < executors_; ++i) {
      mailboxes_.push_back(std::make_unique<Mailbox<Batch, R>>(runtime));
    }
  }

  /// Starts the threads, one after another, so that no two factories or hooks run at once. If one
  /// fails to start, those before it end and its exception is thrown.
  void start() {
    answering_.tell_attached(name_);
    // Made now, so that no answer needs memory for them.
    static_cast<void>(prepared_exception(Outcome::failed));
    threads_.reserve(executors_ + 1);
    with_undo(
        [this] {
          for (std::size_t index = 0; index < executors_; ++index) {
            start_thread([](Core& core, std::size_t i) { return core.executor_starts(i); },
                         [](Core& core, std::size_t i, auto& runner) { core.execute(i, *runner); },
                         index);
          }
          start_thread([](Core& core, std::size_t) { return core.dispatcher_starts(); },
                       [](Core& core, std::size_t, auto& runner) { core.dispatch(runner.get()); },
                       0);
        },
        [this] {
          for (const auto& mailbox : mailboxes_) mailbox->close();
          for (auto& thread : threads_) thread.join();
          threads_.clear();
        });
  }

  Submitter<TIn, TOut, R>& submitter() noexcept { return submitter_; }
  const std::function<void(CompletionTask)>& complete_on() const noexcept { return complete_on_; }
  const R& runtime() const noexcept { return runtime_; }

  // Not in a forked child, where a thread that does not exist may hold the lock.
  void flush() noexcept {
    if (!forked()) intake_.flush();
  }
  void set_paused(bool paused) noexcept {
    if (!forked()) intake_.set_paused(paused);
  }

  bool wait_idle(TimePoint until) {
    if (on_own_thread(this)) raise(WouldDeadlockError());
    if (submitter_.forked()) raise(ForkedError());
    IdleWaiter waiter;
    intake_.add(waiter);
    while (waiter.idle.load(std::memory_order_acquire) == 0 && runtime_.now() < until) {
      runtime_.park(waiter.idle, 0, until);
    }
    intake_.remove(waiter);
    return waiter.idle.load(std::memory_order_acquire) == 1;
  }

  ShutdownReport shutdown(const ShutdownOptions& options) {
    if (submitter_.forked()) return {};
    const MetricsSnapshot before = answering_.recorder().snapshot();
    close(options.mode == ShutdownMode::drain ? Closing::drain : Closing::abandon);
    if (on_own_thread(this)) return report(before, false);
    bool finished = join(options.until);
    if (!finished) close(Closing::abandon);
    return report(before, finished);
  }

  /// For a batcher that is destroyed: threads that still run go on without it.
  void detach() noexcept {
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.detach();
    }
  }

  bool forked() const noexcept { return submitter_.forked(); }

  /// Throws std::bad_alloc.
  MetricsSnapshot metrics() {
    if (forked()) return {};  // As for `flush`.
    MetricsSnapshot metrics = totals();
    metrics.name = name_;
    if (dispatcher_.forecasts()) metrics.forecast = answering_.recorder().forecasts();
    answering_.add_classes(metrics);
    return metrics;
  }

  // What is counted of all requests, without a name.
  MetricsSnapshot totals() noexcept {
    MetricsSnapshot metrics = answering_.recorder().snapshot();
    const std::uint64_t accepted = intake_.accepted();
    metrics.accepted += accepted;
    metrics.submitted += accepted;
    metrics.max_batch_size = cap_;
    metrics.queued = admission_.queued();
    metrics.executing = answering_.executing();
    metrics.executing_batches = answering_.executing_batches();
    metrics.blocked = admission_.waiting();
    metrics.oldest_queued_age =
        metrics.queued > 0 ? age(dispatcher_.oldest_queued(), metrics.taken_at) : Duration{};
    metrics.oldest_executing_age = metrics.executing_batches > 0
                                       ? age(dispatcher_.oldest_running(), metrics.taken_at)
                                       : Duration{};
    return metrics;
  }

  bool hears_late_cancellations() const noexcept override { return predictors_->takes_info(); }
  void post_cancelled(RequestBase& request) noexcept override {
    dispatcher_.post_cancelled(request);
  }

  void answer_all(Batch& state, ItemAnswers<TOut>& answers) noexcept override {
    answering_.answer_all(state, answers);
  }
  void answer_range(Batch& state, std::size_t begin, std::size_t end,
                    ItemAnswers<TOut>& answers) noexcept override {
    answering_.answer_range(state, begin, end, answers);
  }
  void answer_item(Batch& state, std::size_t index, Result<TOut>&& result) noexcept override {
    // Whoever finishes a batch runs its callbacks, and these must not wait for what it is to finish.
    const OwnThread own(this);
    answering_.answer_item(state, index, std::move(result));
  }
  void finish(Batch& state) noexcept override {
    // Within its own call the executor reports it, together with its own return: one wake, not two.
    const BatchSink<TIn, TOut>* const sink = this;
    if (!PredictorCall::finishes(sink, state.info.batch_id)) {
      intake_.push_finished(&state, kNoCount);
    }
  }

 private:
  using Runner = PredictorRunner<TIn, TOut>;

  static SchedulerLimits scheduler_limits(const Options& options) {
    return {.max_batch_size = options.max_batch_size,
            .executors = std::max<std::size_t>(options.executors, 1),
            .max_in_flight = options.max_in_flight,
            .max_wait = options.max_wait,
            .overtaking_bound = options.overtaking_bound,
            .order = options.order,
            .size_rule = options.size_rule,
            .preferred_sizes = options.preferred_sizes,
            .allowed_sizes = options.allowed_sizes,
            .fit = options.fit,
            .keyed_lanes = static_cast<bool>(options.lane)};
  }

  static Duration age(TimePoint since, TimePoint now) noexcept {
    return since < now ? Duration(now - since) : Duration::zero();
  }

  // The life of a thread: `starts` may throw, out of the constructor; `runs` is its work.
  template <class Starts, class Runs>
  void start_thread(Starts starts, Runs runs, std::size_t index) {
    struct Startup {
      std::atomic<std::uint32_t> done{0};
      std::exception_ptr error;
    } startup;
    // The thread's share in the core ends last, after all that it has used of it.
    threads_.push_back(
        runtime_.start([core = this->shared_from_this(), starts, runs, index, &startup] {
          const OwnThread own(core.get());
          const R runtime = core->runtime_;
          std::unique_ptr<Runner> runner;
          const bool good = guarded([&] { runner = starts(*core, index); },
                                    [&](std::exception_ptr error) { startup.error = error; });
          std::atomic<std::uint32_t>& done = startup.done;
          done.store(1, std::memory_order_release);
          runtime.unpark(done, 1);
          if (good) runs(*core, index, runner);
        }));
    while (startup.done.load(std::memory_order_acquire) == 0) {
      runtime_.park(startup.done, 0, kNever);
    }
#if BATCHWRIGHT_HAS_EXCEPTIONS
    if (startup.error) std::rethrow_exception(startup.error);
#endif
  }

  std::unique_ptr<Runner> executor_starts(std::size_t index) {
    if (on_thread_start_) on_thread_start_({ThreadInfo::Role::executor, index, name_});
    return predictors_->make(index);
  }

  std::unique_ptr<Runner> dispatcher_starts() {
    if (on_thread_start_) on_thread_start_({ThreadInfo::Role::dispatcher, 0, name_});
    return executors_ == 0 ? predictors_->make(0) : nullptr;
  }

  // Dedicated execution: the dispatcher puts a batch into the executor's mailbox and stays free. With
  // more to do the executor goes from batch to batch by itself.
  void execute(std::size_t index, Runner& runner) noexcept {
    while (Batch* state = mailboxes_[index]->take()) {
      while (state != nullptr) {
        Batch* const finished = run(*state, runner) ? state : nullptr;
        runtime_.interleave("report");
        // What the report does not pass on is woken here, before the next batch runs.
        DeferredWakes wakes(finished != nullptr ? finished->wakes.take() : WakeList());
        state = dispatcher_.report(finished, index, wakes.list(), [this](Batch& other) {
          mailboxes_[other.info.executor]->put(other);
        });
      }
    }
  }

  // Inline execution, without executors: the dispatcher runs the batch itself.
  void dispatch(Runner* runner) noexcept {
    dispatcher_.run([&](Batch& state) {
      if (runner == nullptr) {
        mailboxes_[state.info.executor]->put(state);
        return false;
      }
      const bool finished = run(state, *runner);
      if (finished) state.wakes.wake_all();
      intake_.push_finished(finished ? &state : nullptr, 0);
      return true;
    });
    for (const auto& mailbox : mailboxes_) mailbox->close();
  }

  // True if the batch is finished when this returns.
  bool run(Batch& state, Runner& runner) noexcept {
    answering_.enter(state, dispatcher_.lost());
    return state.items.empty() || runner.run(this->shared_from_this(), state);
  }

  void close(Closing closing) noexcept {
    admission_.close();
    intake_.close(closing);
    if (closing == Closing::abandon) dispatcher_.request_stop();
  }

  // True once all threads have ended. Of several callers one joins and the others wait for it.
  bool join(TimePoint until) {
    // The executors' threads end after the dispatcher's, which says when it does.
    IdleWaiter ended;
    if (!wait_exit(ended, until)) return false;
    if (joining_.exchange(1, std::memory_order_acq_rel) == 0) {
      for (auto& thread : threads_) thread.join();
      joined_.store(1, std::memory_order_release);
      runtime_.unpark(joined_, kEveryone);
    }
    while (joined_.load(std::memory_order_acquire) == 0 && runtime_.now() < until) {
      runtime_.park(joined_, 0, until);
    }
    return joined_.load(std::memory_order_acquire) == 1;
  }

  bool wait_exit(IdleWaiter& waiter, TimePoint until) noexcept {
    intake_.add_exit(waiter);
    while (waiter.idle.load(std::memory_order_acquire) == 0 && runtime_.now() < until) {
      runtime_.park(waiter.idle, 0, until);
    }
    intake_.remove(waiter);
    return waiter.idle.load(std::memory_order_acquire) == 1;
  }

  ShutdownReport report(const MetricsSnapshot& before, bool finished) noexcept {
    // The counters are read before the gauges: what moves from one to the other meanwhile is in neither,
    // until it is looked at again.
    MetricsSnapshot now = totals();
    for (int look = 0; look < 100 && now.unaccounted() != 0; ++look) {
      runtime_.relax();
      now = totals();
    }
    return {.completed = now.completed + now.failed - before.completed - before.failed,
            .abandoned =
                now.stopped - before.stopped + (finished || !intake_.abandoned() ? 0 : now.queued),
            .executing = now.executing,
            .finished = finished};
  }

  [[no_unique_address]] R runtime_;
  const std::string name_;
  const std::size_t cap_;
  const std::size_t executors_;  // 0: inline.
  const std::function<void(const ThreadInfo&)> on_thread_start_;
  const std::function<void(CompletionTask)> complete_on_;
  const std::unique_ptr<PredictorSource<TIn, TOut>> predictors_;

  Admission admission_;
  Intake<Batch, R> intake_;
  Answering<TIn, TOut, R> answering_;
  Dispatcher<TIn, TOut, Policy, R> dispatcher_;
  Submitter<TIn, TOut, R> submitter_;

  std::vector<std::unique_ptr<Mailbox<Batch, R>>> mailboxes_;
  std::vector<typename R::Thread> threads_;
  std::atomic<std::uint32_t> joining_{0};
  std::atomic<std::uint32_t> joined_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CORE_HPP
