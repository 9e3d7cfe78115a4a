// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_SHELL_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_SHELL_HPP

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <span>
#include <string>
#include <vector>

namespace batchwright_test {

using batchwright::testing::TestOptions;
using batchwright::testing::TestRuntime;

template <class TIn, class TOut, class Policy = batchwright::GreedyPolicy>
using TestBatcher = batchwright::BasicDynamicBatcher<TIn, TOut, Policy, TestRuntime>;

template <class TOut>
using TestTicket = batchwright::Ticket<TOut, TestRuntime>;

/// Runs `body(runtime)` once per seed, each on a runtime of its own, until one fails.
template <class Body>
void for_each_seed(std::uint64_t seeds, Body body, TestOptions options = TestOptions{}) {
  for (options.seed = 1; options.seed <= seeds; ++options.seed) {
    SCOPED_TRACE("seed " + std::to_string(options.seed));
    TestRuntime runtime(options);
    body(runtime);
    if (::testing::Test::HasFailure()) return;
  }
}

/// Occupies the calling thread for a span of virtual time.
inline void work_for(const TestRuntime& runtime, batchwright::Duration span) {
  const std::atomic<std::uint32_t> word{0};
  const batchwright::TimePoint end = runtime.now() + span;
  while (runtime.now() < end) runtime.park(word, 0, end);
}

/// Holds threads until it is opened.
class Gate {
 public:
  explicit Gate(const TestRuntime& runtime) : runtime_(runtime) {}

  void pass() {
    ++waiting_;
    while (open_.load() == 0) runtime_.park(open_, 0, batchwright::kNever);
    --waiting_;
  }
  void open() {
    open_.store(1);
    runtime_.unpark(open_, batchwright::detail::kEveryone);
  }

  /// Threads that are held now.
  std::size_t waiting() const { return waiting_.load(); }

 private:
  TestRuntime runtime_;
  std::atomic<std::uint32_t> open_{0};
  std::atomic<std::size_t> waiting_{0};
};

/// What a predictor was called with, and when. One thread at a time runs under a TestRuntime, so the
/// calls of several executors need no lock.
struct Calls {
  struct Call {
    batchwright::TimePoint at{};
    std::vector<int> inputs;
  };
  std::vector<Call> all;

  std::size_t count() const { return all.size(); }

  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> sizes;
    for (const Call& call : all) sizes.push_back(call.inputs.size());
    return sizes;
  }

  /// All inputs in the order in which they were computed.
  std::vector<int> inputs() const {
    std::vector<int> inputs;
    for (const Call& call : all) {
      inputs.insert(inputs.end(), call.inputs.begin(), call.inputs.end());
    }
    return inputs;
  }

  bool saw(int input) const {
    for (const Call& call : all) {
      for (const int seen : call.inputs) {
        if (seen == input) return true;
      }
    }
    return false;
  }
};

/// A predictor, x * 2, that notes its calls and takes some virtual time for each.
inline auto doubler(const TestRuntime& runtime, Calls& calls,
                    batchwright::Duration service = batchwright::Duration::zero()) {
  return [runtime, &calls, service](std::span<const int> inputs) {
    calls.all.push_back({runtime.now(), {inputs.begin(), inputs.end()}});
    std::vector<int> results;
    for (const int input : inputs) results.push_back(input * 2);
    work_for(runtime, service);
    return results;
  };
}

/// A predictor that holds its executor until the gate is open, and returns its inputs.
inline auto echo_behind(Gate& gate) {
  return [&gate](std::span<const int> inputs) {
    gate.pass();
    return std::vector<int>(inputs.begin(), inputs.end());
  };
}

/// Whether the future has its answer.
template <class T>
bool is_ready(const std::future<T>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// How a future ends.
template <class T>
batchwright::Outcome outcome_of(const TestRuntime& runtime, std::future<T>& future) {
  try {
    static_cast<void>(runtime.get(future));
    return batchwright::Outcome::ok;
  } catch (const batchwright::BatcherError& error) {
    return error.outcome();
  } catch (...) {
    return batchwright::Outcome::failed;
  }
}

/// Every wait so far, however it ended, and every wake: nothing has run as long as this stays equal.
inline std::uint64_t activity(const TestRuntime& runtime) {
  const batchwright::testing::TestCounts counts = runtime.counts();
  return counts.parks + counts.unparks + counts.idle_unparks + counts.timeouts;
}

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_SHELL_HPP
