// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REPLACEMENT_HPP
#define BATCHWRIGHT_DETAIL_REPLACEMENT_HPP

#include "../errors.hpp"
#include "../reconfiguration.hpp"
#include "../runtime.hpp"
#include "batch_state.hpp"
#include "contiguous_buffer.hpp"
#include "errand.hpp"
#include "inbox.hpp"
#include "owned.hpp"
#include "predictor_forms.hpp"
#include "predictor_source.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// A point that several threads pass together.
template <Runtime R>
class Rendezvous {
 public:
  Rendezvous(const R& runtime, std::size_t expected) : runtime_(runtime), missing_(expected) {}

  /// Blocks until all have come.
  void pass() noexcept {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      open_.store(1, std::memory_order_release);
      runtime_.unpark(open_, kEveryone);
    }
    while (open_.load(std::memory_order_acquire) == 0) runtime_.park(open_, 0, kNever);
  }

 private:
  [[no_unique_address]] R runtime_;
  std::atomic<std::size_t> missing_;
  std::atomic<std::uint32_t> open_{0};
};

/// For an executor that was left without a predictor: fails its batches with the reason.
template <class TIn, class TOut>
class FailingRunner final : public PredictorRunner<TIn, TOut> {
 public:
  explicit FailingRunner(std::exception_ptr error) noexcept : error_(std::move(error)) {}

  bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept override {
    ContiguousBuffer<TIn> none;
    fail_gathered(sink, state, none, error_);
    return true;
  }

 private:
  const std::exception_ptr error_;
};

/// Gives all executors of a batcher another predictor. Everything that concerns a predictor happens on
/// its executor's thread; the caller's thread sends errands there and waits for them.
///
/// `shell.send(errand)` hands an errand over, `shell.load(source, executor)` makes and warms a runner and
/// throws what that throws, and `shell.closed()` tells of a shutdown, which waits meanwhile.
template <class TIn, class TOut, Runtime R, class Shell>
class Replacement {
 public:
  using Source = PredictorSource<TIn, TOut>;
  using Job = Errand<TIn, TOut, R>;
  using Runner = typename Job::Runner;

  Replacement(const R& runtime, std::size_t executors, Shell& shell)
      : runtime_(runtime), executors_(executors), shell_(shell) {}

  void run(ReplaceOrder order, Source& old, Source& fresh) {
    order == ReplaceOrder::load_first ? load_first(fresh) : unload_first(old, fresh);
  }

  /// One executor after another loads, and the others go on; then one after another changes over. If one
  /// cannot load, or a shutdown begins before all have, all keep what they have. Throws what loading
  /// threw, and BatcherStoppedError.
  void load_first(Source& fresh) {
    std::vector<Runner> loaded(executors_);
    std::exception_ptr error;
    std::size_t count = 0;
    const auto load = [&](std::size_t executor, Runner&) {
      guarded([&] { loaded[executor] = shell_.load(fresh, executor); },
              [&](std::exception_ptr thrown) { error = std::move(thrown); });
    };
    const auto unload = [&](std::size_t executor, Runner&) { loaded[executor].reset(); };
    const auto change = [&](std::size_t executor, Runner& runner) {
      runner = std::move(loaded[executor]);
    };
    for (; count < executors_ && !error && !shell_.closed(); ++count) {
      on_executor(count, false, load);
    }
    if (error || count < executors_) {
      for (std::size_t i = 0; i < count; ++i) on_executor(i, false, unload);
      raise_outcome(error ? Outcome::failed : Outcome::stopped, error);
    }
    for (std::size_t i = 0; i < executors_; ++i) on_executor(i, true, change);
  }

  /// All executors let go of their predictor, and only then load. If one of them cannot, all make the
  /// old one again, and what it threw is thrown here; who cannot do that either fails its batches.
  void unload_first(Source& old, Source& fresh) {
    Rendezvous<R> unloaded(runtime_, executors_);
    Rendezvous<R> loaded(runtime_, executors_);
    Rendezvous<R> given_up(runtime_, executors_);
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    const auto change = [&](std::size_t executor, Runner& runner) {
      runner.reset();
      unloaded.pass();
      guarded([&] { runner = shell_.load(fresh, executor); },
              [&](std::exception_ptr thrown) {
                if (!failed.exchange(true)) error = std::move(thrown);
              });
      loaded.pass();
      if (!failed.load()) return;
      runner.reset();
      given_up.pass();
      restore(runner, old, executor);
    };
    std::vector<Owned<Job>> jobs;
    for (std::size_t i = 0; i < executors_; ++i) {
      jobs.push_back(make_owned<Job>(runtime_, i, change));
      jobs.back()->replaces();
    }
    for (const auto& job : jobs) shell_.send(job->state());
    for (const auto& job : jobs) job->wait();
    if (failed.load()) raise_outcome(Outcome::failed, error);
  }

 private:
  void on_executor(std::size_t executor, bool replaces, typename Job::Work work) {
    Job job(runtime_, executor, work);
    if (replaces) job.replaces();
    shell_.send(job.state());
    job.wait();
  }

  void restore(Runner& runner, Source& old, std::size_t executor) noexcept {
    std::exception_ptr error;
    if (guarded([&] { runner = shell_.load(old, executor); },
                [&](std::exception_ptr thrown) { error = std::move(thrown); })) {
      return;
    }
    // Where even this has no memory the executor cannot go on in any way.
    runner = Runner(new FailingRunner<TIn, TOut>(std::move(error)));
  }

  [[no_unique_address]] R runtime_;
  const std::size_t executors_;
  Shell& shell_;
};

/// Throws std::invalid_argument if that order is not possible. `per_executor`: both predictors are.
inline void check_order(ReplaceOrder order, bool per_executor) {
  if (order == ReplaceOrder::load_first || per_executor) return;
  raise_invalid("order", "load_first unless both predictors are predictor_per_executor",
                "unload_first");
}

/// A batcher's core as a replacement sees it. Requires a hold on the intake, and ends it.
template <class Core>
class ReplacementShell {
 public:
  explicit ReplacementShell(Core& core) noexcept : core_(core) {}
  ReplacementShell(const ReplacementShell&) = delete;
  ReplacementShell& operator=(const ReplacementShell&) = delete;
  ~ReplacementShell() { core_.intake().let_go(); }

  void send(typename Core::Batch& errand) noexcept { core_.intake().push_errand(errand); }
  bool closed() noexcept { return core_.intake().closing() != Closing::open; }
  auto load(typename Core::Source& source, std::size_t executor) {
    return core_.load_runner(source, executor);
  }

 private:
  Core& core_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REPLACEMENT_HPP
