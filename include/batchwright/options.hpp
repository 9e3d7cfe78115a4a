// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_OPTIONS_HPP
#define BATCHWRIGHT_OPTIONS_HPP

#include "completion_task.hpp"
#include "errors.hpp"
#include "observer.hpp"
#include "policies/any.hpp"
#include "policies/settings.hpp"
#include "policy.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace batchwright::inline v0_1 {

/// What `submit` does when the queue is at its capacity.
enum class OverflowAction : std::uint8_t {
  reject,  ///< Refuses at once with `Outcome::queue_full`.
  block,   ///< Waits for room, first come, first served; a coroutine suspends instead.
};

/// Which of a batcher's threads a start hook runs on.
struct ThreadInfo {
  enum class Role : std::uint8_t { dispatcher, executor };
  Role role = Role::dispatcher;
  std::size_t index = 0;    ///< The executor's, from 0.
  const std::string& name;  ///< The batcher's.
};

/// A batcher's settings. Whatever is wrong with them is a std::invalid_argument at construction that
/// names the setting, the value and what is allowed; nothing is adjusted in silence.
template <class TIn, class Policy = AnyPolicy>
struct BatcherOptions {
  /// The hard cap: no batch is larger. 32 is where most CPU models have most of their gain.
  std::size_t max_batch_size = 32;

  /// When a batch leaves. GreedyPolicy, because it has no setting to get wrong and is within 0.5 % of
  /// the optimum for mean latency under random arrivals on one executor.
  Policy policy = {};

  /// Threads that run the predictor. 0 runs it on the dispatcher's own thread: no hand-over, for
  /// predictors of microseconds; deadlines and cancellations are then answered when the running batch
  /// ends. More than one takes `shared_predictor` or `predictor_per_executor`.
  std::size_t executors = 1;

  /// Batches dispatched and not yet finished. Unless set: one per executor, and two per executor for a
  /// predictor that takes its batch by value, so that one is prepared while the other is computed.
  std::size_t max_in_flight = kNoCount;

  /// Requests that may be queued. Unless set: max(1024, 8 x max_batch_size x executors).
  std::size_t capacity = kNoCount;

  /// Bytes that may be queued, as `bytes` counts them. Unless set: no limit.
  std::size_t max_queued_bytes = kNoCount;

  /// The bytes of one input. Called on the submitting thread before admission; if it throws, nothing
  /// was accepted. Needed where `max_queued_bytes` is set.
  std::function<std::size_t(const TIn&)> bytes = {};

  /// What `submit` does when the queue is full. `try_submit` always refuses.
  OverflowAction overflow = OverflowAction::reject;

  /// How long `submit` may wait for room with `OverflowAction::block`, before `Outcome::queue_full`.
  Duration max_block = Duration::max();

  /// The net under every policy: no request waits longer than this for company while an executor is
  /// free. Duration::max() turns it off.
  Duration max_wait = std::chrono::seconds(1);

  /// How often a request may be overtaken by later ones of higher priority before it goes first. With
  /// batches it may be overtaken by as many as still fit the batch that reaches the bound.
  std::uint64_t overtaking_bound = 1000;

  /// Names the batcher, to its threads' start hook.
  std::string name = "batchwright";

  /// Where callbacks run and coroutines resume: given a task to run exactly once, soon, from any
  /// thread. It must not throw. Unless set they run on the thread that completes the batch. A task
  /// that is destroyed instead of being run runs then.
  std::function<void(CompletionTask)> complete_on = {};

  /// Called on each of the batcher's threads when it starts: to set its name, affinity, device or
  /// signal mask. What it throws comes out of the constructor.
  std::function<void(const ThreadInfo&)> on_thread_start = {};

  /// Is told what happens to requests and batches.
  std::shared_ptr<Observer> observer = {};
};

namespace detail {

inline void check_at_least_one(const char* setting, std::size_t value) {
  if (value < 1) raise_invalid(setting, "at least 1", std::to_string(value));
}

/// Throws std::invalid_argument for what is wrong with the settings, and fills in the defaults that
/// depend on others. `parallel` tells whether the predictor serves several executors.
template <class TIn, class Policy>
void settle(BatcherOptions<TIn, Policy>& options, bool parallel, bool asynchronous) {
  check_at_least_one("max_batch_size", options.max_batch_size);
  if (options.max_batch_size > 0xffff'ffff) {
    raise_invalid("max_batch_size", "at most 4294967295", std::to_string(options.max_batch_size));
  }
  if (options.executors > 1024) {
    raise_invalid("executors", "at most 1024", std::to_string(options.executors));
  }
  if (options.executors > 1 && !parallel) {
    raise_invalid("executors",
                  "0 or 1 for a bare predictor (give shared_predictor(p) or "
                  "predictor_per_executor(f) for more)",
                  std::to_string(options.executors));
  }
  const std::size_t executors = std::max<std::size_t>(options.executors, 1);
  if (options.max_in_flight == kNoCount) options.max_in_flight = executors * (asynchronous ? 2 : 1);
  check_at_least_one("max_in_flight", options.max_in_flight);
  if (options.max_in_flight > 65536) {
    raise_invalid("max_in_flight", "at most 65536", std::to_string(options.max_in_flight));
  }
  if (options.capacity == kNoCount) {
    options.capacity = std::max<std::size_t>(1024, 8 * options.max_batch_size * executors);
  }
  check_at_least_one("capacity", options.capacity);
  check_at_least_one("max_queued_bytes", options.max_queued_bytes);
  if (options.max_queued_bytes != kNoCount && !options.bytes) {
    raise_invalid("bytes", "set where max_queued_bytes is", "none");
  }
  if (options.max_block < Duration::zero()) {
    raise_invalid("max_block", "at least 0 ns", to_text(options.max_block));
  }
  if (options.max_wait <= Duration::zero()) {
    raise_invalid("max_wait", "above 0 ns", to_text(options.max_wait));
  }
  if (options.overtaking_bound < 1) raise_invalid("overtaking_bound", "at least 1", "0");
  const std::string problem = validate_policy(
      options.policy,
      PolicyLimits{.max_batch_size = options.max_batch_size, .max_wait = options.max_wait});
  if (!problem.empty()) raise(std::invalid_argument("DynamicBatcher: " + problem));
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_OPTIONS_HPP
