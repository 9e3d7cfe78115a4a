// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_RUNTIME_HPP
#define BATCHWRIGHT_RUNTIME_HPP

#include "detail/parking.hpp"
#include "policy.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <thread>
#include <utility>

namespace batchwright::inline v0_1 {

/// Owns time, waiting and threads. Whoever owns time must own waiting: a condition variable waits in
/// real time whatever clock it is handed. So every lock, spin and park of the library goes through
/// one of these, and a test runtime that replaces it controls every interleaving.
///
/// | expression                        | meaning and requirements |
/// |-----------------------------------|--------------------------|
/// | `r.now()` -> TimePoint            | monotonic; noexcept |
/// | `r.park(word, expected, until)`   | blocks while `word == expected`, until unparked or until the instant; may return at any time for no reason; noexcept |
/// | `r.unpark(word, count)`           | wakes up to `count` threads parked on the word; touches the word's address only, never its value, so the word may be gone; noexcept |
/// | `r.relax()`                       | one step of a spin; noexcept |
/// | `r.interleave(name)`              | a point at which another thread may run first; does nothing in production; noexcept |
/// | `r.start(function)` -> Thread     | a joinable thread that runs `function()`; may throw std::system_error |
///
/// A constant `R::kMostLooks`, if there is one, is how often whoever looks out for something looks, at
/// most, before it parks: for a runtime whose time stands still while it spins.
///
/// A runtime is a cheap handle: copies act on the same time and the same threads.
template <class R>
concept Runtime =
    std::copy_constructible<R> && std::default_initializable<R> &&
    requires(const R& runtime, std::atomic<std::uint32_t>& word, std::uint32_t expected,
             TimePoint until, const char* name, typename R::Thread thread) {
      { runtime.now() } noexcept -> std::same_as<TimePoint>;
      { runtime.park(word, expected, until) } noexcept;
      { runtime.unpark(word, expected) } noexcept;
      { runtime.relax() } noexcept;
      { runtime.interleave(name) } noexcept;
      {
        runtime.start([] {})
      } -> std::same_as<typename R::Thread>;
      { thread.join() };
      { thread.detach() };
      { thread.joinable() } noexcept -> std::same_as<bool>;
    };

/// The machine's own time and threads: std::chrono::steady_clock, std::thread, and a futex on Linux
/// (a mutex and a condition variable elsewhere).
class SystemRuntime {
 public:
  using Thread = std::thread;

  TimePoint now() const noexcept { return std::chrono::steady_clock::now(); }

  void park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            TimePoint until) const noexcept {
    detail::park(word, expected, until);
  }

  void unpark(const std::atomic<std::uint32_t>& word, std::uint32_t count) const noexcept {
    detail::unpark(word, count);
  }

  void relax() const noexcept { detail::cpu_relax(); }

  void interleave(const char*) const noexcept {}

  template <class Function>
  Thread start(Function function) const {
    return std::thread(std::move(function));
  }
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_RUNTIME_HPP
