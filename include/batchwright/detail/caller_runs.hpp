// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP
#define BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP

#include "deferred_wakes.hpp"
#include "lock.hpp"
#include "own_thread.hpp"
#include "request.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Lets a caller who waits stand in for an executor: he has borrowed the sleeping dispatcher's role as he
/// handed his request over, forms the batch, and if the scheduler gives it to an executor, which is vacant
/// then, he runs it in that one's place and reports for it. To everybody else it is that executor's batch:
/// nothing is counted, ordered or waited for in another way.
///
/// A runner for callers is kept from call to call. While the predictor is replaced no caller begins to
/// run: he asks whether he may with the role and the executor in his hands, and the executor changes over
/// when it has neither.
template <class Core, class R>
class CallerRuns {
 public:
  CallerRuns(Core& core, const R& runtime, bool allowed) noexcept
      : core_(core), lock_(runtime), allowed_(allowed), on_(allowed) {}

  bool on() const noexcept { return on_.load(std::memory_order_acquire); }

  /// With the dispatcher's role, which is given back. `request` is held by the caller.
  void run(const Cancellable& request) noexcept {
    const OwnThread own(&core_);
    std::unique_ptr<Runner> runner;
    const auto put = [this](Batch& other) { core_.put(other); };
    Batch* const mine = core_.dispatcher().act(
        [&](const Batch& batch) {
          if (!on() || !holds(batch, request)) return false;
          runner = take();
          return runner != nullptr;
        },
        nullptr, put);
    if (mine == nullptr) return;
    const std::size_t executor = mine->info.executor;
    Batch* const finished = core_.run(*mine, runner) ? mine : nullptr;
    keep(std::move(runner));
    if (finished != nullptr) finished->wakes.wake_all();
    if (core_.intake().push_finished_and_borrow(finished, executor)) {
      core_.dispatcher().act([](const Batch&) { return false; }, nullptr, put);
    }
  }

  /// From now on no caller runs a batch that is not being run already.
  void suspend() noexcept { on_.store(false, std::memory_order_release); }

  /// The predictor is another one, and no executor uses the old one any more.
  void resume() noexcept {
    std::vector<std::unique_ptr<Runner>> old;
    {
      const LockGuard guard(lock_);
      old = std::exchange(runners_, {});
    }
    on_.store(allowed_, std::memory_order_release);
  }

 private:
  using Batch = typename Core::Batch;
  using Runner = typename Core::Runner;

  static bool holds(const Batch& batch, const Cancellable& request) noexcept {
    if (batch.errand != nullptr) return false;
    for (RequestHeader* header = batch.dispatched.first; header != nullptr;
         header = RequestChain::next(*header)) {
      if (static_cast<const RequestBase*>(header) == &request) return true;
    }
    return false;
  }

  // With the role. Null without memory for it: then an executor runs the batch.
  std::unique_ptr<Runner> take() noexcept {
    {
      const LockGuard guard(lock_);
      if (!runners_.empty()) {
        std::unique_ptr<Runner> runner = std::move(runners_.back());
        runners_.pop_back();
        return runner;
      }
    }
    std::unique_ptr<Runner> runner;
    guarded([&] { runner = core_.make_runner(); }, [](const std::exception_ptr&) {});
    return runner;
  }

  // Before the report.
  void keep(std::unique_ptr<Runner> runner) noexcept {
    guarded(
        [&] {
          const LockGuard guard(lock_);
          if (on()) runners_.push_back(std::move(runner));
        },
        [](const std::exception_ptr&) {});
  }

  Core& core_;
  Lock<R> lock_;
  const bool allowed_;
  std::atomic<bool> on_;
  std::vector<std::unique_ptr<Runner>> runners_;  // Guarded by lock_.
};

/// While it lives no caller begins to run.
template <class Callers>
class ReplacementPause {
 public:
  explicit ReplacementPause(Callers& callers) noexcept : callers_(callers) { callers_.suspend(); }
  ReplacementPause(const ReplacementPause&) = delete;
  ReplacementPause& operator=(const ReplacementPause&) = delete;
  ~ReplacementPause() { callers_.resume(); }

 private:
  Callers& callers_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP
