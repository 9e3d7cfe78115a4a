// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SETTLE_HPP
#define BATCHWRIGHT_DETAIL_SETTLE_HPP

#include "../errors.hpp"
#include "../options.hpp"
#include "../policies/settings.hpp"
#include "scheduler_limits.hpp"
#include "timer_slack.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace batchwright::inline v0_1::detail {

inline void check_at_least_one(const char* setting, std::size_t value) {
  if (value < 1) raise_invalid(setting, "at least 1", std::to_string(value));
}

inline std::string to_text(const std::vector<std::size_t>& sizes) {
  std::string text = "{";
  for (const std::size_t size : sizes) {
    text.append(text.size() > 1 ? ", " : "").append(std::to_string(size));
  }
  return text + "}";
}

inline void check_sizes(const char* setting, const std::vector<std::size_t>& sizes,
                        std::size_t max_batch_size) {
  std::size_t last = 0;
  for (const std::size_t size : sizes) {
    if (size <= last || size > max_batch_size) {
      raise_invalid(
          setting,
          "strictly ascending, from 1 to max_batch_size (" + std::to_string(max_batch_size) + ")",
          to_text(sizes));
    }
    last = size;
  }
}

/// Throws std::invalid_argument for a number that was cast to an enumeration of `count` names.
template <class Enum>
void check_enumerator(const std::string& setting, Enum value, std::size_t count) {
  const auto number = static_cast<std::size_t>(value);
  if (number >= count) {
    raise_invalid(setting, "one of the " + std::to_string(count) + " enumerators",
                  std::to_string(number));
  }
}

template <class Options>
void check_enumerators(const Options& options) {
  check_enumerator("overflow", options.overflow, 3);
  check_enumerator("order", options.order, 3);
  check_enumerator("size_rule", options.size_rule, 2);
  check_enumerator("fit", options.fit, 3);
  check_enumerator("oversized", options.oversized, 2);
  check_enumerator("sticky_lanes", options.sticky_lanes, 2);
  check_enumerator("preserve_order", options.preserve_order, 2);
  check_enumerator("forecast", options.forecast, 2);
  check_enumerator("caller_runs", options.caller_runs, 2);
  check_enumerator("queue.on_timeout", options.queue.on_timeout, 2);
  check_enumerator("queue.timeout_override", options.queue.timeout_override, 2);
}

inline void check_timeouts(const std::string& name, const QueuePolicy& policy) {
  if (policy.timeout <= Duration::zero()) {
    raise_invalid(name + ".timeout", "above 0 ns", to_text(policy.timeout));
  }
  if (policy.on_timeout == TimeoutAction::delay && policy.timeout == Duration::max() &&
      policy.timeout_override == TimeoutOverride::refused) {
    raise_invalid(name + ".on_timeout", "reject where nothing has a timeout", "delay");
  }
}

inline void check_queue_policies(const QueuePolicy& queue, const std::vector<QueuePolicy>& levels,
                                 std::size_t capacity) {
  if (queue.priority != 0) {
    raise_invalid("queue.priority", "unset (queue is for all priorities that levels do not list)",
                  std::to_string(queue.priority));
  }
  if (queue.capacity != kNoCount) {
    raise_invalid("queue.capacity", "unset (capacity bounds the whole queue)",
                  std::to_string(queue.capacity));
  }
  check_timeouts("queue", queue);
  for (auto level = levels.begin(); level != levels.end(); ++level) {
    const std::string name = "levels[" + std::to_string(level - levels.begin()) + "]";
    check_enumerator(name + ".on_timeout", level->on_timeout, 2);
    check_enumerator(name + ".timeout_override", level->timeout_override, 2);
    if (level->capacity < 1) raise_invalid(name + ".capacity", "at least 1", "0");
    if (level->capacity != kNoCount && level->capacity > capacity) {
      raise_invalid(name + ".capacity",
                    "at most the capacity of the whole queue (" + std::to_string(capacity) + ")",
                    std::to_string(level->capacity));
    }
    check_timeouts(name, *level);
    if (std::any_of(levels.begin(), level,
                    [&](const QueuePolicy& other) { return other.priority == level->priority; })) {
      raise_invalid(name + ".priority", "named once", std::to_string(level->priority));
    }
  }
}

template <class TIn>
void check_key(const char* setting, const KeyFunction<TIn>& key) {
  const std::string null = key ? key.traits()->null_function(setting) : std::string();
  if (!null.empty()) raise_invalid(null, "callable", "null");
}

template <class TIn>
void check_counted_key(const char* setting, const char* key_setting, bool counted,
                       const KeyFunction<TIn>& key) {
  if (!counted) return;
  if (!key) raise_invalid(setting, std::string("false without ") + key_setting, "true");
  if (!key.traits()->has_label()) {
    raise_invalid(setting,
                  std::string("false where the keys of ") + key_setting +
                      " have no label (give KeyFunction one as its third argument)",
                  "true");
  }
}

template <class Options>
void check_metrics(const Options& options) {
  const MetricsOptions& metrics = options.metrics;
  check_counted_key("metrics.per_lane", "lane", metrics.per_lane, options.lane);
  check_counted_key("metrics.per_tenant", "tenant", metrics.per_tenant, options.tenant);
  if (metrics.max_classes < 1 || metrics.max_classes > 10'000) {
    raise_invalid("metrics.max_classes", "from 1 to 10000", std::to_string(metrics.max_classes));
  }
  constexpr std::size_t kUnset = MetricsOptions{}.max_classes;
  if (metrics.max_classes != kUnset && !metrics.per_priority && !metrics.per_lane &&
      !metrics.per_tenant) {
    raise_invalid("metrics.max_classes",
                  std::to_string(kUnset) + " without per_priority, per_lane or per_tenant",
                  std::to_string(metrics.max_classes));
  }
}

/// Settings that contradict each other, or mean nothing without another one.
template <class Options>
void check_features(const Options& options) {
  if (!options.allowed_sizes.empty()) {
    for (const std::size_t size : options.preferred_sizes) {
      if (!std::binary_search(options.allowed_sizes.begin(), options.allowed_sizes.end(), size)) {
        raise_invalid("preferred_sizes", "among allowed_sizes " + to_text(options.allowed_sizes),
                      to_text(options.preferred_sizes));
      }
    }
  } else if (options.fit != FitRule::pad_up) {
    raise_invalid("fit", "pad_up without allowed_sizes", to_string(options.fit));
  }
  if (!options.weight && !options.preferred_sizes.empty() &&
      options.preferred_sizes.back() > options.capacity) {
    raise_invalid("preferred_sizes",
                  "at most the capacity (" + std::to_string(options.capacity) + ") without weight",
                  to_text(options.preferred_sizes));
  }
  if (options.size_rule == SizeRule::padded) {
    if (!options.length) raise_invalid("length", "set with size_rule padded", "none");
    if (options.weight) raise_invalid("weight", "unset with size_rule padded", "a function");
    if (!options.preferred_sizes.empty()) {
      raise_invalid("preferred_sizes", "empty with size_rule padded",
                    to_text(options.preferred_sizes));
    }
    if (!options.allowed_sizes.empty()) {
      raise_invalid("allowed_sizes", "empty with size_rule padded", to_text(options.allowed_sizes));
    }
  }
  if (options.order == QueueOrder::shortest_first && !options.length) {
    raise_invalid("length", "set with order shortest_first", "none");
  }
  if (options.length && options.size_rule != SizeRule::padded &&
      options.order != QueueOrder::shortest_first) {
    raise_invalid("length", "unset without size_rule padded or order shortest_first", "a function");
  }
  check_key("lane", options.lane);
  check_key("tenant", options.tenant);
  check_key("coalesce", options.coalesce.key());
  check_metrics(options);
  if (options.share && !options.tenant)
    raise_invalid("share", "unset without tenant", "a function");
  check_at_least_one("tenant_room", options.tenant_room);
  if (options.tenant_room != kDefaultTenantRoom && !options.tenant) {
    raise_invalid("tenant_room", "unset without tenant", std::to_string(options.tenant_room));
  }
  if (options.sticky_lanes == StickyLanes::yes && !options.lane) {
    raise_invalid("sticky_lanes", "no without lane", "yes");
  }
  if (options.oversized == Oversized::run_alone && !options.weight &&
      options.size_rule == SizeRule::sum) {
    raise_invalid("oversized", "refuse without weight or size_rule padded", "run_alone");
  }
  if (options.oversized == Oversized::run_alone && !options.allowed_sizes.empty()) {
    raise_invalid("oversized", "refuse with allowed_sizes", "run_alone");
  }
}

inline void check_parallel(std::size_t executors, bool parallel) {
  if (executors > 1 && !parallel) {
    raise_invalid("executors",
                  "0 or 1 for a bare predictor (give shared_predictor(p) or "
                  "predictor_per_executor(f) for more)",
                  std::to_string(executors));
  }
}

/// Throws std::invalid_argument if identical requests are to share results of another type.
template <class TOut, class Options>
void check_coalescing(const Options& options) {
  if (options.coalesce && options.coalesce.copier().type != &kTypeMark<TOut>) {
    raise_invalid("coalesce", "made by coalesce_by<TOut> with the batcher's TOut",
                  "one that was made with another type");
  }
}

inline void check_timer_slack(Duration slack) {
  if (!kHasTimerSlack) raise_invalid("timer_slack", "unset but on Linux", to_text(slack));
  if (slack <= Duration::zero() || slack > std::chrono::seconds(1)) {
    raise_invalid("timer_slack", "from 1 to 1000000000 ns", to_text(slack));
  }
}

/// Throws std::invalid_argument for a policy that does not fit the cap, the net, or the preferred sizes.
template <class Policy>
void check_policy(const Policy& policy, std::size_t cap, Duration max_wait,
                  const std::vector<std::size_t>& preferred) {
  PolicyLimits limits{.max_batch_size = cap, .max_wait = max_wait};
  for (const std::size_t size : preferred) {
    if (size <= cap) limits.preferred_size = size;
  }
  const std::string problem = validate_policy(policy, limits);
  if (!problem.empty()) raise(std::invalid_argument("DynamicBatcher: " + problem));
}

/// The cap that a `max_batch_size` given later makes. Throws std::invalid_argument if it cannot.
inline std::size_t settle_cap(std::size_t max_batch_size, const SchedulerLimits& limits) {
  const std::size_t least = limits.allowed_sizes.empty() ? 1 : limits.allowed_sizes.front();
  if (max_batch_size < least || max_batch_size > limits.max_batch_size) {
    raise_invalid("max_batch_size",
                  "from " + std::to_string(least) + " to " + std::to_string(limits.max_batch_size) +
                      " when it is changed",
                  std::to_string(max_batch_size));
  }
  if (limits.allowed_sizes.empty()) return max_batch_size;
  return *std::prev(
      std::upper_bound(limits.allowed_sizes.begin(), limits.allowed_sizes.end(), max_batch_size));
}

/// Throws std::invalid_argument for what is wrong with the settings, and fills in the defaults that
/// depend on others. `parallel` tells whether the predictor serves several executors.
template <class TIn, class Policy>
void settle(BatcherOptions<TIn, Policy>& options, bool parallel, bool asynchronous) {
  check_enumerators(options);
  check_at_least_one("max_batch_size", options.max_batch_size);
  if (options.max_batch_size > 0xffff'ffff) {
    raise_invalid("max_batch_size", "at most 4294967295", std::to_string(options.max_batch_size));
  }
  if (options.pool != nullptr) {
    if (options.executors != kNoCount) {
      raise_invalid("executors", "unset with pool", std::to_string(options.executors));
    }
    if (options.sticky_lanes == StickyLanes::yes) {
      raise_invalid("sticky_lanes", "no with pool", "yes");
    }
    options.executors = options.pool->executors();
  }
  if (options.pool_share < 1 || options.pool_share > 1000) {
    raise_invalid("pool_share", "from 1 to 1000", std::to_string(options.pool_share));
  }
  if (options.pool_share != 1 && options.pool == nullptr) {
    raise_invalid("pool_share", "1 without pool", std::to_string(options.pool_share));
  }
  if (options.executors == kNoCount) options.executors = 1;
  if (options.executors > 1024) {
    raise_invalid("executors", "at most 1024", std::to_string(options.executors));
  }
  check_parallel(options.executors, parallel);
  const std::size_t executors = std::max<std::size_t>(options.executors, 1);
  if (options.max_in_flight == kNoCount) {
    const bool in_order = options.preserve_order == PreserveOrder::yes;
    options.max_in_flight = executors * (asynchronous ? 2 : 1) * (in_order ? 2 : 1);
  }
  check_at_least_one("max_in_flight", options.max_in_flight);
  if (options.max_in_flight > 65536) {
    raise_invalid("max_in_flight", "at most 65536", std::to_string(options.max_in_flight));
  }
  if (options.pool == nullptr && options.max_in_flight < executors) {
    raise_invalid("max_in_flight", "at least executors (" + std::to_string(executors) + ")",
                  std::to_string(options.max_in_flight));
  }
  if (options.capacity == kNoCount) {
    options.capacity = std::max<std::size_t>(1024, 8 * options.max_batch_size * executors);
  }
  check_at_least_one("capacity", options.capacity);
  check_at_least_one("max_queued_bytes", options.max_queued_bytes);
  if (options.max_queued_bytes != kNoCount && !options.bytes) {
    raise_invalid("bytes", "set where max_queued_bytes is", "none");
  }
  if (options.max_queued_bytes == kNoCount && options.bytes) {
    raise_invalid("bytes", "unset without max_queued_bytes", "a function");
  }
  if (options.max_block < Duration::zero()) {
    raise_invalid("max_block", "at least 0 ns", to_text(options.max_block));
  }
  if (options.max_block != Duration::max() && options.overflow != OverflowAction::block) {
    raise_invalid("max_block", "unset without overflow block", to_text(options.max_block));
  }
  if (options.max_wait <= Duration::zero()) {
    raise_invalid("max_wait", "above 0 ns", to_text(options.max_wait));
  }
  if (options.overtaking_bound < 1) raise_invalid("overtaking_bound", "at least 1", "0");
  if (options.caller_runs != CallerRunsWhen::never) {
    const char* const excluded = options.pool != nullptr                    ? "a pool"
                                 : options.executors == 0                   ? "no executors"
                                 : !parallel                                ? "a bare predictor"
                                 : options.sticky_lanes == StickyLanes::yes ? "sticky_lanes"
                                 : options.coalesce                         ? "coalesce"
                                                                            : nullptr;
    if (excluded != nullptr) {
      raise_invalid("caller_runs", "never with " + std::string(excluded), "executor_free");
    }
  }
  if (options.spin < Duration::zero() || options.spin > std::chrono::seconds(1)) {
    raise_invalid("spin", "from 0 to 1000000000 ns", to_text(options.spin));
  }
  if (options.timer_slack) check_timer_slack(*options.timer_slack);
  check_queue_policies(options.queue, options.levels, options.capacity);
  check_sizes("preferred_sizes", options.preferred_sizes, options.max_batch_size);
  check_sizes("allowed_sizes", options.allowed_sizes, options.max_batch_size);
  check_features(options);
  for (std::size_t i = 0; i < options.warm_up.size(); ++i) {
    if (!options.warm_up[i]) {
      raise_invalid("warm_up[" + std::to_string(i) + "]", "callable", "null");
    }
  }
  check_policy(
      options.policy,
      options.allowed_sizes.empty() ? options.max_batch_size : options.allowed_sizes.back(),
      options.max_wait, options.preferred_sizes);
}

/// What the scheduler has to know of settled options.
template <class TIn, class Policy>
SchedulerLimits limits_of(const BatcherOptions<TIn, Policy>& options) {
  return {.max_batch_size = options.max_batch_size,
          .executors = std::max<std::size_t>(options.executors, 1),
          .max_in_flight = options.max_in_flight,
          .max_wait = options.max_wait,
          .overtaking_bound = options.overtaking_bound,
          .capacity = options.capacity,
          .order = options.order,
          .size_rule = options.size_rule,
          .preferred_sizes = options.preferred_sizes,
          .allowed_sizes = options.allowed_sizes,
          .fit = options.fit,
          .forecast = options.forecast,
          .leased_executors = options.pool != nullptr,
          .keyed_lanes = static_cast<bool>(options.lane)};
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SETTLE_HPP
