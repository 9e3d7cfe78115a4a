// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_FORK_GUARD_HPP
#define BATCHWRIGHT_DETAIL_FORK_GUARD_HPP

#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include "block_pool.hpp"

namespace batchwright::inline v0_1::detail {

/// Counts the forks that this process descends from since it first asked. A batcher notes the count at
/// its construction; another count later means a child, in which its threads do not exist.
inline std::atomic<unsigned> fork_count{0};

/// To be called once at least before the first fork that matters.
inline unsigned watch_forks() noexcept {
#if defined(__unix__) || defined(__APPLE__)
  static const int kRegistered = pthread_atfork(nullptr, nullptr, [] {
    fork_count.fetch_add(1, std::memory_order_relaxed);
    PoolBase::recover_after_fork();
  });
  static_cast<void>(kRegistered);
#endif
  return fork_count.load(std::memory_order_relaxed);
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_FORK_GUARD_HPP
