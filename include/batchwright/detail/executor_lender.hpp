// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_EXECUTOR_LENDER_HPP
#define BATCHWRIGHT_DETAIL_EXECUTOR_LENDER_HPP

#include "../policy.hpp"
#include "pool_arbiter.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

class PoolClient;

/// Work for an executor of a pool. `task` is the client's.
struct PoolJob {
  PoolClient* client = nullptr;  ///< Null: nothing.
  void* task = nullptr;
};

/// Work that is no batch: it waits until the executor is free, and goes before all batches then.
struct PoolVisit {
  PoolJob job;
  PoolVisit* next = nullptr;
};

/// What an executor of a pool does next: a job, or look what a client makes of the lease that was
/// granted to it.
struct PoolNext {
  PoolClient* granted = nullptr;
  PoolJob job;
};

/// A batcher, as its pool sees it.
class PoolClient : public PoolArbiter::Client {
 public:
  /// Does the job, on the executor's thread. Returns the executor's next one, if there is one at once.
  virtual PoolJob run(void* task, std::size_t executor) noexcept = 0;

  /// A lease that it waited for was granted. `here`: this is the executor's thread, and free, so the job
  /// that is made of it at once is returned. In any case the lease is used by `put` or ends by
  /// `give_back`.
  virtual PoolJob granted(std::size_t executor, bool here) noexcept = 0;

 protected:
  ~PoolClient() = default;
};

/// A pool of executors, as its clients see it. All but `add` may be called from any thread, and none of it
/// blocks; clients are called without a lock.
class ExecutorLender {
 public:
  virtual ~ExecutorLender() = default;

  virtual std::size_t executors() const noexcept = 0;

  /// An address that stands for the type of the pool's runtime.
  virtual const void* runtime_type() const noexcept = 0;

  /// What the pool's threads are known by: see OwnThread.
  virtual const void* identity() const noexcept = 0;

  /// Throws std::bad_alloc, and WouldDeadlockError on a thread of the pool.
  virtual void add(PoolClient& client, std::uint32_t share) = 0;
  virtual void remove(PoolClient& client) noexcept = 0;

  /// The client has a batch that is due, and for which it has wanted an executor since `since`: it asks
  /// for one at a time, so not before it had the last one, however long the batch has been due. Returns
  /// the executor that is leased to it; or kNoCount, and `granted` will be called.
  virtual std::size_t request(PoolClient& client, TimePoint since) noexcept = 0;

  /// It has none any more. False if `granted` has been called or will be.
  virtual bool withdraw(PoolClient& client) noexcept = 0;

  /// Hands the executor a job. Requires a lease of it, which begins to be used.
  virtual void put(std::size_t executor, PoolJob job) noexcept = 0;

  /// The lease ends unused.
  virtual void give_back(std::size_t executor) noexcept = 0;

  /// The lease ends after its job, on the executor's thread.
  virtual PoolNext end_lease(std::size_t executor) noexcept = 0;

  /// While barred an executor is not granted to the client.
  virtual void bar(PoolClient& client, std::size_t executor, bool barred) noexcept = 0;

  virtual void visit(std::size_t executor, PoolVisit& visit) noexcept = 0;

  /// A visit has been made, on the executor's thread.
  virtual PoolNext end_visit(std::size_t executor) noexcept = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_EXECUTOR_LENDER_HPP
