// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_POOLED_EXECUTION_HPP
#define BATCHWRIGHT_DETAIL_POOLED_EXECUTION_HPP

#include "../errors.hpp"
#include "deferred_wakes.hpp"
#include "errand.hpp"
#include "executor_lender.hpp"
#include "own_thread.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Runs a batcher's batches on the executors of a pool, each of which has a runner of this batcher, made
/// and destroyed on its thread. Lies in the core, which outlives every job: the dispatcher's thread owns
/// it and ends after the last visit.
template <class Core>
class PooledExecution final : public PoolClient {
 public:
  using Batch = typename Core::Batch;
  using Job = typename Core::Job;
  using Runner = typename Job::Runner;

  /// Throws std::invalid_argument for a pool of another runtime than `runtime_type` stands for.
  PooledExecution(Core& core, std::shared_ptr<ExecutorLender> pool, const void* runtime_type)
      : core_(core), pool_(std::move(pool)), runners_(pool_->executors()) {
    if (pool_->runtime_type() == runtime_type) return;
    raise_invalid("pool", "a pool of the batcher's own runtime", "one of another");
  }

  const void* pool() const noexcept { return pool_->identity(); }

  /// Loads all runners, one after another. Blocks until each executor has been free for it. Throws what
  /// loading throws, and WouldDeadlockError on a thread of the pool.
  void start(std::uint32_t share) {
    pool_->add(*this, share);
    std::exception_ptr error;
    const auto load = [&](std::size_t executor, Runner& runner) {
      guarded([&] { runner = core_.load_runner(executor); },
              [&](std::exception_ptr thrown) { error = std::move(thrown); });
    };
    for (std::size_t i = 0; i < runners_.size() && !error; ++i) visit(i, load);
    if (!error) return;
    end();
    raise_outcome(Outcome::failed, error);
  }

  /// Destroys all runners. No batch is left.
  void end() noexcept {
    const auto unload = [](std::size_t, Runner& runner) { runner.reset(); };
    for (std::size_t i = 0; i < runners_.size(); ++i) visit(i, unload);
    pool_->remove(*this);
  }

  /// Hands a batch over, for which its executor has been leased, or an errand.
  void put(Batch& state) noexcept {
    if (state.errand == nullptr) return pool_->put(state.info.executor, {this, &state});
    state.errand->visit.job = {this, &state};
    pool_->visit(state.info.executor, state.errand->visit);
  }

  PoolJob run(void* task, std::size_t executor) noexcept override {
    const std::shared_ptr<ExecutorLender> pool = pool_;
    Batch& state = *static_cast<Batch*>(task);
    if (state.errand != nullptr && state.errand->direct) {
      {
        const OwnThread own(&core_);
        state.errand->run(runners_[executor]);  // This may be gone from here on.
      }
      return follow(pool->end_visit(executor), executor);
    }
    PoolNext next;
    bool regranted = false;
    Batch* own_next = nullptr;
    {
      const OwnThread own(&core_);
      const bool errand = state.errand != nullptr;
      Batch* const finished = core_.run(state, runners_[executor]) ? &state : nullptr;
      // What the report does not pass on is woken here, before the next batch runs.
      DeferredWakes wakes(finished != nullptr ? finished->wakes.take() : WakeList());
      // Before the lease ends, so that a new one of this executor cannot come before its report.
      core_.intake().push_finished_quietly(finished, executor);
      next = errand ? pool->end_visit(executor) : pool->end_lease(executor);
      regranted = next.granted == this;
      if (wakes.list().size() == 1) wakes.list().wake_all();  // As Dispatcher::report.
      own_next = act(executor, regranted ? executor : kNoCount, wakes.list());
    }
    if (own_next != nullptr) return {this, own_next};
    return regranted ? PoolJob() : follow(next, executor);
  }

  PoolJob granted(std::size_t executor, bool here) noexcept override {
    if (!here) {
      core_.intake().push_granted(executor);
      return {};
    }
    const OwnThread own(&core_);
    WakeList none;
    Batch* const next = act(executor, executor, none);
    return next == nullptr ? PoolJob() : PoolJob{this, next};
  }

 private:
  // Takes the dispatcher's part if that sleeps. Returns what this executor is to run, if it was granted.
  Batch* act(std::size_t executor, std::size_t granted, WakeList& wakes) noexcept {
    if (!core_.intake().borrow_with_grant(granted)) return nullptr;
    return core_.borrower().act_for(executor, wakes, [this](Batch& other) { put(other); });
  }

  static PoolJob follow(const PoolNext& next, std::size_t executor) noexcept {
    return next.granted != nullptr ? next.granted->granted(executor, true) : next.job;
  }

  // Blocks until it has been made.
  void visit(std::size_t executor, typename Job::Work work) {
    Job job(core_.runtime(), executor, work);
    job.direct = true;
    put(job.state());
    job.wait();
  }

  Core& core_;
  const std::shared_ptr<ExecutorLender> pool_;
  std::vector<Runner> runners_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_POOLED_EXECUTION_HPP
