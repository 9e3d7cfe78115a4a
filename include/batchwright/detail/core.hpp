// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CORE_HPP
#define BATCHWRIGHT_DETAIL_CORE_HPP

#include "../errors.hpp"
#include "../metrics.hpp"
#include "../options.hpp"
#include "../reconfiguration.hpp"
#include "../shutdown.hpp"
#include "caller_runs.hpp"
#include "coalescer.hpp"
#include "deferred_wakes.hpp"
#include "dispatcher.hpp"
#include "gauges.hpp"
#include "mailbox.hpp"
#include "own_thread.hpp"
#include "owned.hpp"
#include "pooled_execution.hpp"
#include "predictor_source.hpp"
#include "replacement.hpp"
#include "role_borrower.hpp"
#include "settle.hpp"
#include "startup.hpp"
#include "submitter.hpp"
#include "threads_end.hpp"
#include "timer_slack.hpp"
#include "turn.hpp"
#include "warm_up.hpp"

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
                   public BatchEnd<TIn, TOut>,
                   public CancelSink,
                   public StandIn {
 public:
  using Batch = BatchState<TIn, TOut>;
  using Source = PredictorSource<TIn, TOut>;
  using Runner = PredictorRunner<TIn, TOut>;
  using Job = Errand<TIn, TOut, R>;
  using Options = BatcherOptions<TIn, Policy>;
  using Borrower = RoleBorrower<Dispatcher<TIn, TOut, Policy, R>, Intake<Batch, R>>;

  /// Requires: settled options.
  Core(Owned<PredictorSource<TIn, TOut>> predictors, Options options, const R& runtime)
      : runtime_(runtime),
        name_(std::move(options.name)),
        executors_(options.executors),
        on_thread_start_(with_timer_slack(std::move(options.on_thread_start), options.timer_slack)),
        complete_on_(std::move(options.complete_on)),
        max_batch_size_(limits_of(options).cap()),
        watches_(predictors->takes_info()),
        predictors_(std::move(predictors)),
        policy_(options.policy),
        pool_share_(static_cast<std::uint32_t>(options.pool_share)),
        admission_(options.capacity, options.max_queued_bytes, options.levels, options.tenant_room),
        intake_(runtime, std::max<std::size_t>(executors_, 1), options.spin),
        coalescer_(Coalescer<TIn, TOut, R>::make(runtime, options.coalesce, admission_, intake_)),
        answering_(runtime, std::max<std::size_t>(executors_, 1), limits_of(options).cap(),
                   options.metrics, options.preserve_order == PreserveOrder::yes, *this,
                   std::move(options.observer), coalescer_.get()),
        dispatcher_(runtime, std::move(options.policy), limits_of(options), options.capacity,
                    predictors_->takes_info(), admission_, intake_, answering_, coalescer_.get(),
                    options.pool.get(), make_pooled(options.pool)),
        warm_up_(runtime, std::move(options.warm_up), dispatcher_.limits()),
        borrower_(dispatcher_, intake_),
        submitter_(runtime, options, *this, watches_, stand_in(), this, admission_, intake_,
                   answering_),
        callers_(*this, executors_, options.caller_runs == CallerRunsWhen::executor_free),
        end_(runtime) {
    cap_ = dispatcher_.limits().cap();
    for (std::size_t i = 0; i < executors_ && pooled_ == nullptr; ++i) {
      mailboxes_.push_back(make_owned<Mailbox<Batch, R>>(runtime, options.spin));
    }
  }

  /// Starts the threads, one after another, so that no two factories or hooks run at once. If one
  /// fails to start, those before it end and its exception is thrown.
  void start() {
    const std::size_t own = mailboxes_.size();
    answering_.tell_attached(name_);
    // Made now, so that no answer needs memory for them.
    static_cast<void>(prepared_exception(Outcome::failed));
    threads_.reserve(own + 1);
    if (pooled_ != nullptr) pooled_->start(pool_share_);
    with_undo(
        [&] {
          for (std::size_t index = 0; index < own; ++index) {
            start_thread([](Core& core, std::size_t i) { return core.executor_starts(i); },
                         [](Core& core, std::size_t i, auto& runner) { core.execute(i, runner); },
                         index);
          }
          start_thread([](Core& core, std::size_t) { return core.dispatcher_starts(); },
                       [](Core& core, std::size_t, auto& runner) { core.dispatch(runner); }, 0);
        },
        [this] {
          for (const auto& mailbox : mailboxes_) mailbox->close();
          for (auto& thread : threads_) thread.join();
          threads_.clear();
          if (pooled_ != nullptr) pooled_->end();
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
    check_may_block();
    return detail::wait_idle(intake_, runtime_, until);
  }

  ShutdownReport shutdown(const ShutdownOptions& options) {
    if (submitter_.forked()) return {};
    const MetricsSnapshot before = answering_.recorder().snapshot();
    close(options.mode == ShutdownMode::drain ? Closing::drain : Closing::abandon);
    if (on_own()) return report(before, false);
    const bool finished = end_.join(intake_, threads_, options.until);
    if (!finished) close(Closing::abandon);
    return report(before, finished);
  }

  /// See BasicDynamicBatcher.
  void replace(Owned<Source> fresh, ReplaceOrder order) {
    check_may_block();
    check_parallel(executors_, fresh->parallel());
    const Turn<R> turn(runtime_, replacing_);
    check_order(order, predictors_->per_executor() && fresh->per_executor());
    if (fresh->takes_info()) {
      watches_.store(true, std::memory_order_relaxed);
      dispatcher_.watch();
    }
    if (!intake_.hold()) raise(BatcherStoppedError());
    ReplacementPause pause(callers_);
    ReplacementShell shell(*this);
    const std::size_t executors = std::max<std::size_t>(executors_, 1);
    Replacement<TIn, TOut, R, decltype(shell)>(runtime_, executors, shell)
        .run(order, *predictors_, *fresh);
    pause.replaced();
    predictors_ = std::move(fresh);
  }

  /// See BasicDynamicBatcher.
  void reconfigure(const Reconfiguration<Policy>& changes) {
    if (forked()) raise(ForkedError());
    const Turn<R> turn(runtime_, reconfiguring_);
    const std::size_t cap =
        changes.max_batch_size ? settle_cap(*changes.max_batch_size, dispatcher_.limits()) : cap_;
    const SchedulerLimits& limits = dispatcher_.limits();
    check_policy(changes.policy ? *changes.policy : policy_, cap, limits.max_wait,
                 limits.preferred_sizes);
    dispatcher_.reconfigure(cap, changes.policy ? &*changes.policy : nullptr);
    submitter_.set_cap(cap);
    cap_ = cap;
    answering_.set_cap(cap);
    max_batch_size_.store(cap, std::memory_order_relaxed);
    if (changes.policy) policy_ = *changes.policy;
  }

  /// For a batcher that is destroyed: threads that still run go on without it.
  void detach() noexcept {
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.detach();
    }
  }

  bool forked() const noexcept { return submitter_.forked(); }

  /// Whether waiting for the batcher on this thread could never end.
  bool on_own() const noexcept {
    return on_own_thread(this) || (pooled_ != nullptr && on_own_thread(pooled_->pool()));
  }

  /// Throws std::bad_alloc.
  MetricsSnapshot metrics() {
    if (forked()) return {};
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
    metrics.max_batch_size = max_batch_size_.load(std::memory_order_relaxed);
    read_gauges(metrics, admission_, answering_, dispatcher_);
    return metrics;
  }

  // For the executors.
  Borrower& borrower() noexcept { return borrower_; }
  Intake<Batch, R>& intake() noexcept { return intake_; }
  CallerRuns<Core>& callers() noexcept { return callers_; }
  void put(Batch& state) noexcept { mailboxes_[state.info.executor]->put(state); }
  Owned<Runner> make_runner() { return predictors_->make(0); }

  Owned<Runner> load_runner(std::size_t index) { return load_runner(*predictors_, index); }

  // Ready for its first request.
  Owned<Runner> load_runner(Source& source, std::size_t index) {
    Owned<Runner> runner = source.make(index);
    warm_up_(*runner, index, [this](RequestBase& request, const TIn& input) {
      submitter_.read(input).give_to(request);
    });
    return runner;
  }

  // True if the batch is finished when this returns.
  bool run(Batch& state, Owned<Runner>& runner) noexcept {
    if (state.errand == nullptr) return run(state, runner, runtime_.now());
    state.errand->run(runner);
    return false;
  }
  bool run(Batch& state, Owned<Runner>& runner, TimePoint now) noexcept {
    answering_.enter(state, now, dispatcher_.lost());
    if (state.items.empty()) return true;
    const bool finished = runner->run(*this, state);
    return finished && !answering_.in_order();
  }

  void post_cancelled(RequestBase& request) noexcept override {
    dispatcher_.post_cancelled(request);
  }
  void dispatch_arrivals() noexcept override {
    borrower_.dispatch_arrivals([this](Batch& batch) { put(batch); });
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
    if (answering_.in_order()) return;  // See `given`.
    // Within its own call the executor reports it, together with its own return: one wake, not two.
    const BatchSink<TIn, TOut>* const sink = this;
    if (!PredictorCall::finishes(sink, state.info.batch_id)) {
      intake_.push_finished(&state, kNoCount);
    }
  }
  void given(Batch& state) noexcept override { intake_.push_finished(&state, kNoCount); }

 private:
  PoolClient* make_pooled(const std::shared_ptr<ExecutorLender>& pool) {
    if (pool == nullptr) return nullptr;
    pooled_ = make_owned<PooledExecution<Core>>(*this, pool, &kTypeMark<R>);
    return pooled_.get();
  }

  // Null if nobody who submits could bring a batch to its executor.
  StandIn* stand_in() noexcept {
    return executors_ > 0 && pooled_ == nullptr && coalescer_ == nullptr ? this : nullptr;
  }

  void check_may_block() const {
    if (on_own()) raise(WouldDeadlockError());
    if (forked()) raise(ForkedError());
  }

  // `starts` may throw, out of the constructor; `runs` is the thread's work. Its share in the core ends
  // last, after all that it has used of it.
  template <class Starts, class Runs>
  void start_thread(Starts starts, Runs runs, std::size_t index) {
    start_and_wait(runtime_, threads_,
                   [core = std::static_pointer_cast<Core>(this->shared_from_this()), starts, runs,
                    index](auto&& started) {
                     const OwnThread own(core.get());
                     Owned<Runner> runner;
                     if (started([&] { runner = starts(*core, index); }))
                       runs(*core, index, runner);
                   });
  }

  Owned<Runner> executor_starts(std::size_t index) {
    if (on_thread_start_) on_thread_start_({ThreadInfo::Role::executor, index, name_});
    return load_runner(index);
  }

  Owned<Runner> dispatcher_starts() {
    if (on_thread_start_) on_thread_start_({ThreadInfo::Role::dispatcher, 0, name_});
    return executors_ == 0 ? load_runner(0) : nullptr;
  }

  // Dedicated execution: the dispatcher puts a batch into the executor's mailbox and stays free. With
  // more to do the executor goes from batch to batch by itself.
  void execute(std::size_t index, Owned<Runner>& runner) noexcept {
    while (Batch* state = mailboxes_[index]->take()) {
      while (state != nullptr) {
        Batch* const finished = run(*state, runner) ? state : nullptr;
        runtime_.interleave("report");
        // What the report does not pass on is woken here, before the next batch runs.
        DeferredWakes wakes(finished != nullptr ? finished->wakes.take() : WakeList());
        state =
            borrower_.report(finished, index, wakes.list(), [this](Batch& other) { put(other); });
      }
    }
  }

  // Inline execution, without executors: the dispatcher runs the batch itself.
  void dispatch(Owned<Runner>& runner) noexcept {
    dispatcher_.run([&](Batch& state) {
      if (pooled_ != nullptr) {
        pooled_->put(state);
        return false;
      }
      if (executors_ > 0) {
        put(state);
        return false;
      }
      const bool finished = run(state, runner);
      if (finished) state.wakes.wake_all();
      dispatcher_.ran(finished ? &state : nullptr);
      return true;
    });
    for (const auto& mailbox : mailboxes_) mailbox->close();
    if (pooled_ != nullptr) pooled_->end();
    dispatcher_.exit();
  }

  void close(Closing closing) noexcept {
    admission_.close();
    intake_.close(closing);
    if (closing == Closing::abandon) dispatcher_.request_stop();
  }

  ShutdownReport report(const MetricsSnapshot& before, bool finished) noexcept {
    const bool leaves = !finished && intake_.closing() == Closing::abandon;
    return shutdown_report(runtime_, before, finished, leaves, [this] { return totals(); });
  }

  [[no_unique_address]] R runtime_;
  const std::string name_;
  const std::size_t executors_;  // 0: inline.
  const std::function<void(const ThreadInfo&)> on_thread_start_;
  const std::function<void(CompletionTask)> complete_on_;
  std::atomic<std::size_t> max_batch_size_;
  std::atomic<bool> watches_;  // The predictor looks at BatchInfo.

  // Of whoever has the turn.
  Owned<Source> predictors_;
  std::atomic<std::uint32_t> replacing_{0};
  std::size_t cap_;
  Policy policy_;
  std::atomic<std::uint32_t> reconfiguring_{0};

  Owned<PooledExecution<Core>> pooled_;  // With a pool.
  const std::uint32_t pool_share_;

  Admission admission_;
  Intake<Batch, R> intake_;
  const Owned<Coalescer<TIn, TOut, R>> coalescer_;  // With `coalesce`.
  Answering<TIn, TOut, R> answering_;
  Dispatcher<TIn, TOut, Policy, R> dispatcher_;
  const WarmUp<TIn, TOut, R> warm_up_;
  Borrower borrower_;
  Submitter<TIn, TOut, R> submitter_;
  CallerRuns<Core> callers_;

  std::vector<Owned<Mailbox<Batch, R>>> mailboxes_;
  std::vector<typename R::Thread> threads_;
  ThreadsEnd<R> end_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CORE_HPP
