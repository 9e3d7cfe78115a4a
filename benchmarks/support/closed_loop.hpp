// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace benchmarks {

/// `producers` threads that each keep `window` requests outstanding, until each has had `requests`
/// answers. `submit(x)` returns a handle with `get()`, which must give 2 x. The number of wrong ones.
template <class Submit>
std::size_t closed_loop(int producers, std::size_t window, std::size_t requests, Submit submit) {
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (int producer = 0; producer < producers; ++producer) {
    threads.emplace_back([&] {
      using Handle = decltype(submit(0));
      std::vector<Handle> ring(window);
      for (std::size_t i = 0; i < window; ++i) ring[i] = submit(static_cast<int>(i));
      std::size_t bad = 0;
      for (std::size_t i = 0; i < requests; ++i) {
        bad += ring[i % window].get() != 2 * static_cast<int>(i);
        ring[i % window] = submit(static_cast<int>(i + window));
      }
      for (Handle& handle : ring) handle.get();
      wrong += bad;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return wrong;
}

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_CLOSED_LOOP_HPP
