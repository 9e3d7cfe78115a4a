// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTING_TEST_OPTIONS_HPP
#define BATCHWRIGHT_TESTING_TEST_OPTIONS_HPP

#include "../policy.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace batchwright::inline v0_1 {
namespace testing {

/// Who moves virtual time.
enum class TimeMode {
  manual,     ///< `advance` and `advance_to` alone.
  automatic,  ///< These, and: whenever every thread waits, time jumps to the earliest pending
              ///< instant.
};

/// Who runs next at an interleaving point.
enum class SwitchRule {
  random,       ///< With `switch_probability`, some other runnable thread, drawn from the seed.
  round_robin,  ///< Every time, the thread that has been runnable the longest. Uses no randomness.
};

struct TestOptions {
  /// Decides every choice. Equal seeds and equal programs give equal runs, on every platform.
  std::uint64_t seed = 1;

  /// How likely an interleaving point hands over. Half finds shallow races in few seeds; a lower
  /// value gives longer undisturbed runs. At 0 a thread runs until it waits.
  double switch_probability = 0.5;

  SwitchRule rule = SwitchRule::random;

  TimeMode time = TimeMode::manual;

  /// How likely a `park` returns for no reason. Off, because a test that counts parks wants none.
  double spurious_probability = 0;

  /// The first instant of virtual time. Not zero, so that "an hour ago" is an instant too.
  TimePoint start = TimePoint{} + std::chrono::hours(24);

  /// A run of more steps than this is reported as a livelock. A step is one interleaving point,
  /// park or relax.
  std::uint64_t max_steps = 50'000'000;

  /// Called with the report of a failed run, after it was printed to stderr. Should it return, the
  /// process aborts: a thread that waits for ever cannot be unwound.
  void (*on_failure)(const char* report) = nullptr;
};

/// What a run has done so far.
struct TestCounts {
  std::uint64_t steps = 0;             ///< Interleaving points, parks and relaxes.
  std::uint64_t switches = 0;          ///< How often another thread went on.
  std::uint64_t parks = 0;             ///< Calls of `park` that waited.
  std::uint64_t unparks = 0;           ///< Calls of `unpark` that woke somebody.
  std::uint64_t idle_unparks = 0;      ///< Calls of `unpark` that found nobody.
  std::uint64_t woken = 0;             ///< Waits that were ended by an `unpark`.
  std::uint64_t timeouts = 0;          ///< Waits that were ended by their instant.
  std::uint64_t spurious_returns = 0;  ///< Calls of `park` that returned for no reason.
};

/// One step of a run: which thread was at which point.
struct TestStep {
  std::size_t thread = 0;
  const char* point = "";
};

}  // namespace testing

namespace detail {

/// The options themselves; throws std::invalid_argument for a probability out of range.
inline const testing::TestOptions& validated(const testing::TestOptions& options) {
  if (!(options.switch_probability >= 0 && options.switch_probability <= 1)) {
    throw std::invalid_argument("TestRuntime: switch_probability must be within 0 and 1, got " +
                                std::to_string(options.switch_probability));
  }
  if (!(options.spurious_probability >= 0 && options.spurious_probability < 1)) {
    throw std::invalid_argument(
        "TestRuntime: spurious_probability must be at least 0 and below 1, got " +
        std::to_string(options.spurious_probability));
  }
  return options;
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_TESTING_TEST_OPTIONS_HPP
