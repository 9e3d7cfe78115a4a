// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP
#define BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP

#include "deferred_wakes.hpp"
#include "loan.hpp"
#include "own_thread.hpp"
#include "owned.hpp"
#include "request.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Lets a caller who waits stand in for an executor: he was lent the sleeping dispatcher's role as he
/// handed his request over, forms the batch, and if the scheduler gives it to an executor, which is vacant
/// then, he runs it in that one's place and reports for it. To everybody else it is that executor's batch:
/// nothing is counted, ordered or waited for in another way.
///
/// For those who stand in for an executor a runner is kept from call to call: it belongs to whoever has
/// that executor. While the predictor is replaced no caller begins to run: he asks whether he may with the
/// role and the executor in his hands, and the executor changes over when it has neither.
template <class Core>
class CallerRuns {
 public:
  CallerRuns(Core& core, std::size_t executors, bool allowed)
      : core_(core), allowed_(allowed), on_(allowed), runners_(allowed ? executors : 0) {}
  CallerRuns(const CallerRuns&) = delete;
  CallerRuns& operator=(const CallerRuns&) = delete;
  ~CallerRuns() = default;

  bool on() const noexcept { return on_.load(std::memory_order_acquire); }

  /// With the dispatcher's role, which is given back. `request` is his own, if it still is: were it gone,
  /// and another in its place, he would run that one's batch.
  void run(Lent lent, const Cancellable* request) noexcept {
    const OwnThread own(&core_);
    const auto put = [this](Batch& other) { core_.put(other); };
    Batch* const mine = core_.borrower().act(
        lent,
        [&](const Batch& batch) {
          return on() && holds(batch, request) && has_runner(batch.info.executor);
        },
        nullptr, put);
    if (mine == nullptr) return;
    const std::size_t executor = mine->info.executor;
    // He goes straight from the dispatch into the predictor: one instant.
    Batch* const finished =
        core_.run(*mine, runners_[executor], mine->dispatched_at) ? mine : nullptr;
    if (finished != nullptr) finished->wakes.wake_all();
    if (core_.intake().push_finished_and_borrow(finished, executor)) {
      core_.borrower().act(
          Lent::role, [](const Batch&) { return false; }, nullptr, put);
    }
  }

  /// From now on no caller runs a batch that is not being run already.
  void suspend() noexcept { on_.store(false, std::memory_order_release); }

  /// With `replaced` the predictor is another one, and no executor uses the old one any more.
  void resume(bool replaced) noexcept {
    if (replaced) {
      for (auto& runner : runners_) runner.reset();
    }
    on_.store(allowed_, std::memory_order_release);
  }

 private:
  using Batch = typename Core::Batch;
  using Runner = typename Core::Runner;

  static bool holds(const Batch& batch, const Cancellable* request) noexcept {
    if (batch.errand != nullptr) return false;
    for (RequestHeader* header = batch.dispatched.first; header != nullptr;
         header = RequestChain::next(*header)) {
      if (static_cast<const RequestBase*>(header) == request) return true;
    }
    return false;
  }

  // With the role and the executor. Not without memory for it: then the executor runs the batch.
  bool has_runner(std::size_t executor) noexcept {
    Owned<Runner>& runner = runners_[executor];
    if (runner == nullptr) {
      guarded([&] { runner = core_.make_runner(); }, [](const std::exception_ptr&) {});
    }
    return runner != nullptr;
  }

  Core& core_;
  const bool allowed_;
  std::atomic<bool> on_;
  std::vector<Owned<Runner>> runners_;  // By executor: of those who stand in for it.
};

/// While it lives no caller begins to run. Told whether the predictor has been replaced meanwhile.
template <class Callers>
class ReplacementPause {
 public:
  explicit ReplacementPause(Callers& callers) noexcept : callers_(callers) { callers_.suspend(); }
  ReplacementPause(const ReplacementPause&) = delete;
  ReplacementPause& operator=(const ReplacementPause&) = delete;
  ~ReplacementPause() { callers_.resume(replaced_); }

  void replaced() noexcept { replaced_ = true; }

 private:
  Callers& callers_;
  bool replaced_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CALLER_RUNS_HPP
