// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_STARTUP_HPP
#define BATCHWRIGHT_DETAIL_STARTUP_HPP

#include "../errors.hpp"
#include "../runtime.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Starts a thread that runs `life(started)`, and returns when it has told how its start went, which it
/// has to do once by `started(start)`: `start()` is called then, and what it throws is thrown here and is
/// `false` there.
template <Runtime R, class Life>
void start_and_wait(const R& runtime, std::vector<typename R::Thread>& threads, Life life) {
  struct Startup {
    std::atomic<std::uint32_t> done{0};
    std::exception_ptr error;
  } startup;
  threads.push_back(runtime.start([life = std::move(life), runtime, &startup]() mutable {
    // Its copies end with the thread's work, before the thread.
    Life own = std::move(life);
    own([&](auto&& start) {
      const bool good =
          guarded(start, [&](std::exception_ptr error) { startup.error = std::move(error); });
      std::atomic<std::uint32_t>& done = startup.done;
      done.store(1, std::memory_order_release);  // The startup may be gone from here on.
      runtime.unpark(done, 1);
      return good;
    });
  }));
  while (startup.done.load(std::memory_order_acquire) == 0) {
    runtime.park(startup.done, 0, kNever);
  }
#if BATCHWRIGHT_HAS_EXCEPTIONS
  if (startup.error) std::rethrow_exception(startup.error);
#endif
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_STARTUP_HPP
