// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_EXECUTOR_POOL_HPP
#define BATCHWRIGHT_EXECUTOR_POOL_HPP

#include "batch_info.hpp"
#include "detail/executor_lender.hpp"
#include "detail/fork_guard.hpp"
#include "detail/pool_core.hpp"
#include "detail/settings.hpp"
#include "runtime.hpp"
#include "thread_info.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace batchwright::inline v0_1 {

/// A pool's settings. Whatever is wrong with them is a std::invalid_argument that names the setting.
struct ExecutorPoolOptions {
  /// Threads that run predictors: from 1 to 1024.
  std::size_t executors = 1;

  /// Names the pool, to its threads' start hook.
  std::string name = "batchwright";

  /// Called on each of the pool's threads when it starts: to set its name, affinity, device or signal
  /// mask. What it throws comes out of the constructor.
  std::function<void(const ThreadInfo&)> on_thread_start = {};
};

/// Executors that several batchers share, so that many models use one set of threads or devices. Given
/// to each of them as `BatcherOptions::pool`, in a std::shared_ptr that they keep.
///
/// An executor is leased for one batch, to a batcher that has one due; the batch is closed only then, so
/// that whatever comes meanwhile still joins it. Who gets it is decided by start-time fair queueing on
/// executor time over `pool_share`: no batcher can push another below its share, and what one does not
/// use goes to the others at once. Priorities order the requests of one batcher. An idle pool uses no
/// CPU.
///
/// Thread safety: all of it, but for constructor and destructor. The destructor waits for the threads,
/// which are idle then.
template <Runtime R>
class BasicExecutorPool final : public detail::ExecutorLender {
 public:
  /// Starts the threads. Throws std::invalid_argument, what the start hook throws, and std::system_error;
  /// then no thread is left behind.
  explicit BasicExecutorPool(ExecutorPoolOptions options = {}, const R& runtime = R())
      : forks_(detail::watch_forks()),
        core_(std::make_shared<detail::PoolCore<R>>(
            runtime, detail::checked_range("executors", options.executors, 1, 1024))) {
    core_->start(options.name, options.on_thread_start);
  }

  BasicExecutorPool(const BasicExecutorPool&) = delete;
  BasicExecutorPool& operator=(const BasicExecutorPool&) = delete;

  ~BasicExecutorPool() override {
    if (detail::fork_count.load(std::memory_order_relaxed) != forks_) {
      // The threads exist in the parent alone. What they co-own cannot be taken down here.
      static_cast<void>(new std::shared_ptr<detail::PoolCore<R>>(std::move(core_)));
      return;
    }
    core_->stop();
  }

  std::size_t executors() const noexcept override { return core_->executors(); }

 private:
  const void* runtime_type() const noexcept override { return &detail::kTypeMark<R>; }
  const void* identity() const noexcept override { return core_.get(); }
  void add(detail::PoolClient& client, std::uint32_t share) override { core_->add(client, share); }
  void remove(detail::PoolClient& client) noexcept override { core_->remove(client); }
  std::size_t request(detail::PoolClient& client, TimePoint since) noexcept override {
    return core_->request(client, since);
  }
  bool withdraw(detail::PoolClient& client) noexcept override { return core_->withdraw(client); }
  void put(std::size_t executor, detail::PoolJob job) noexcept override {
    core_->put(executor, job);
  }
  void give_back(std::size_t executor) noexcept override { core_->give_back(executor); }
  detail::PoolNext end_lease(std::size_t executor) noexcept override {
    return core_->end_lease(executor);
  }
  void bar(detail::PoolClient& client, std::size_t executor, bool barred) noexcept override {
    core_->bar(client, executor, barred);
  }
  void visit(std::size_t executor, detail::PoolVisit& visit) noexcept override {
    core_->visit(executor, visit);
  }
  detail::PoolNext end_visit(std::size_t executor) noexcept override {
    return core_->end_visit(executor);
  }

  const unsigned forks_;
  std::shared_ptr<detail::PoolCore<R>> core_;
};

using ExecutorPool = BasicExecutorPool<SystemRuntime>;

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_EXECUTOR_POOL_HPP
