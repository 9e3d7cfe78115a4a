// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_POOL_CORE_HPP
#define BATCHWRIGHT_DETAIL_POOL_CORE_HPP

#include "../errors.hpp"
#include "../runtime.hpp"
#include "../thread_info.hpp"
#include "executor_lender.hpp"
#include "lock.hpp"
#include "mailbox.hpp"
#include "own_thread.hpp"
#include "owned.hpp"
#include "pool_arbiter.hpp"
#include "startup.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What the threads of a pool own together. An executor's thread sleeps in its mailbox; once it has a job
/// it goes from job to job by itself, as long as the arbiter has one for it.
///
/// States of an executor, all under the lock: free, leased to a client (which has put a job or is about
/// to), on a visit. Whoever ends a lease or a visit, on the executor's thread, finds out what is next in
/// the same critical section, so that no executor is free while somebody waits for it.
template <Runtime R>
class PoolCore final : public std::enable_shared_from_this<PoolCore<R>> {
 public:
  PoolCore(const R& runtime, std::size_t executors)
      : runtime_(runtime), lock_(runtime), arbiter_(executors) {
    for (std::size_t i = 0; i < executors; ++i) {
      executors_.push_back(make_owned<Executor>(runtime));
    }
  }

  std::size_t executors() const noexcept { return executors_.size(); }

  void start(const std::string& name, const std::function<void(const ThreadInfo&)>& hook) {
    threads_.reserve(executors_.size());
    with_undo(
        [&] {
          for (std::size_t index = 0; index < executors_.size(); ++index) {
            start_and_wait(runtime_, threads_,
                           [core = this->shared_from_this(), index, &name, &hook](auto&& started) {
                             const OwnThread own(core.get());
                             const bool good = started([&] {
                               if (hook) hook({ThreadInfo::Role::executor, index, name});
                             });
                             if (good) core->execute(index);
                           });
          }
        },
        [this] { stop(); });
  }

  /// No client is left. On one of the pool's own threads it does not wait for their end.
  void stop() noexcept {
    const bool own = on_own_thread(this);
    for (const auto& executor : executors_) executor->mailbox.close();
    for (auto& thread : threads_) own ? thread.detach() : thread.join();
    threads_.clear();
  }

  void add(PoolClient& client, std::uint32_t share) {
    // It would wait for this very thread.
    if (on_own_thread(this)) raise(WouldDeadlockError());
    const LockGuard guard(lock_);
    arbiter_.add(client, share);
  }

  void remove(PoolClient& client) noexcept {
    const LockGuard guard(lock_);
    arbiter_.remove(client);
  }

  std::size_t request(PoolClient& client, TimePoint since) noexcept {
    const TimePoint now = runtime_.now();
    const LockGuard guard(lock_);
    arbiter_.request(client, since);
    // Before it nobody waited who could have been served, so a grant is its own.
    const PoolArbiter::Grant grant = arbiter_.next(now);
    return grant.client != nullptr ? grant.executor : kNoCount;
  }

  bool withdraw(PoolClient& client) noexcept {
    const LockGuard guard(lock_);
    return arbiter_.withdraw(client);
  }

  void put(std::size_t executor, PoolJob job) noexcept {
    executors_[executor]->job = job;
    executors_[executor]->mailbox.put(*executors_[executor]);
  }

  void give_back(std::size_t executor) noexcept {
    const TimePoint now = runtime_.now();
    PoolNext next;
    {
      const LockGuard guard(lock_);
      arbiter_.release(executor, now, false);
      next = next_of(executor, now);
    }
    if (next.job.client != nullptr) put(executor, next.job);
    if (next.granted != nullptr) next.granted->granted(executor, false);
  }

  PoolNext end_lease(std::size_t executor) noexcept {
    const TimePoint now = runtime_.now();
    const LockGuard guard(lock_);
    arbiter_.release(executor, now, true);
    return next_of(executor, now);
  }

  void bar(PoolClient& client, std::size_t executor, bool barred) noexcept {
    const TimePoint now = runtime_.now();
    PoolArbiter::Grant grant;
    {
      const LockGuard guard(lock_);
      arbiter_.bar(client, executor, barred);
      grant = arbiter_.next(now);
    }
    if (grant.client != nullptr) {
      static_cast<PoolClient*>(grant.client)->granted(grant.executor, false);
    }
  }

  void visit(std::size_t executor, PoolVisit& visit) noexcept {
    {
      const LockGuard guard(lock_);
      if (!arbiter_.occupy(executor)) {
        PoolVisit** place = &executors_[executor]->visits;
        while (*place != nullptr) place = &(*place)->next;
        visit.next = nullptr;
        *place = &visit;
        return;
      }
    }
    put(executor, visit.job);
  }

  PoolNext end_visit(std::size_t executor) noexcept {
    const TimePoint now = runtime_.now();
    const LockGuard guard(lock_);
    arbiter_.vacate(executor);
    return next_of(executor, now);
  }

 private:
  struct Executor {
    explicit Executor(const R& runtime) : mailbox(runtime) {}

    Mailbox<Executor, R> mailbox;
    PoolJob job;                  // With the mailbox.
    PoolVisit* visits = nullptr;  // Guarded by lock_.
  };

  void execute(std::size_t index) noexcept {
    while (Executor* const executor = executors_[index]->mailbox.take()) {
      PoolJob job = executor->job;
      while (job.client != nullptr) job = job.client->run(job.task, index);
    }
  }

  // What an executor that has become free does next. Under the lock.
  PoolNext next_of(std::size_t executor, TimePoint now) noexcept {
    PoolVisit*& visits = executors_[executor]->visits;
    if (visits != nullptr) {
      arbiter_.occupy(executor);
      return {.granted = nullptr, .job = std::exchange(visits, visits->next)->job};
    }
    // No other executor is free for anybody who waits, so a grant is of this one.
    return {.granted = static_cast<PoolClient*>(arbiter_.next(now).client), .job = {}};
  }

  [[no_unique_address]] R runtime_;
  Lock<R> lock_;
  PoolArbiter arbiter_;  // Guarded by lock_.
  std::vector<Owned<Executor>> executors_;
  std::vector<typename R::Thread> threads_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_POOL_CORE_HPP
