// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_THREADS_END_HPP
#define BATCHWRIGHT_DETAIL_THREADS_END_HPP

#include "../runtime.hpp"
#include "idle_waiters.hpp"
#include "parking.hpp"

#include <atomic>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Waits for the end of a batcher's threads: of several callers one joins, and the others wait for it.
template <Runtime R>
class ThreadsEnd {
 public:
  explicit ThreadsEnd(const R& runtime) : runtime_(runtime) {}

  /// False if `until` came first.
  template <class Intake, class Threads>
  bool join(Intake& intake, Threads& threads, TimePoint until) {
    // The executors' threads end after the dispatcher's, which says when it does.
    IdleWaiter exit;
    intake.add_exit(exit);
    const bool exited = exit.wait(runtime_, until);
    intake.remove(exit);
    if (!exited) return false;
    if (joining_.exchange(1, std::memory_order_acq_rel) == 0) {
      for (auto& thread : threads) thread.join();
      joined_.store(1, std::memory_order_release);
      runtime_.unpark(joined_, kEveryone);
    }
    while (joined_.load(std::memory_order_acquire) == 0 && runtime_.now() < until) {
      runtime_.park(joined_, 0, until);
    }
    return joined_.load(std::memory_order_acquire) == 1;
  }

 private:
  [[no_unique_address]] R runtime_;
  std::atomic<std::uint32_t> joining_{0};
  std::atomic<std::uint32_t> joined_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_THREADS_END_HPP
