// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_NAMED_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_NAMED_HPP

#include "../../errors.hpp"
#include "../adaptive.hpp"
#include "../any.hpp"
#include "../auto.hpp"
#include "../greedy.hpp"
#include "../hybrid.hpp"
#include "../size.hpp"
#include "../time.hpp"
#include "aimd.hpp"
#include "control_limit.hpp"
#include "deadline.hpp"
#include "deferred.hpp"
#include "early_drop.hpp"
#include "latency_fraction.hpp"
#include "policy_settings.hpp"
#include "quorum.hpp"
#include "regression.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchwright::inline v0_1 {
namespace detail {

// The settings of each policy by name. What a batcher's limits forbid its `validate` says later.

inline void read_settings(PolicySettings&, GreedyPolicy&) {}

inline void read_settings(PolicySettings& settings, TimePolicy& policy) {
  settings.read("max_wait_ms", policy.max_wait);
}

inline void read_settings(PolicySettings& settings, SizePolicy& policy) {
  settings.read("size", policy.size);
}

inline void read_settings(PolicySettings& settings, HybridPolicy& policy) {
  settings.read("size", policy.size);
  settings.read("max_wait_ms", policy.max_wait);
}

inline void read_settings(PolicySettings& settings, AdaptivePolicy& policy) {
  settings.read("target_ms", policy.target_latency);
  settings.read("step", policy.step);
  settings.read("window_ms", policy.window);
}

inline void read_settings(PolicySettings& settings, AutoPolicy& policy) {
  settings.read("objective_ms", policy.objective);
}

inline void read_settings(PolicySettings& settings, LatencyFractionPolicy& policy) {
  settings.read("fraction", policy.fraction, 0, 1);
  settings.read("smoothing", policy.smoothing, 0, 1);
  settings.read("least_ms", policy.least);
  settings.read("most_ms", policy.most);
  settings.read("from_idle_ms", policy.from_idle);
}

inline void read_settings(PolicySettings& settings, AimdPolicy& policy) {
  settings.read("target_ms", policy.target_latency);
  settings.read("increase", policy.increase, 0, 1e6);
  settings.read("decrease", policy.decrease, 0, 1);
  settings.read("window_ms", policy.window);
}

inline void read_settings(PolicySettings& settings, RegressionPolicy& policy) {
  settings.read("max_latency_ms", policy.max_latency);
  settings.read("tick_ms", policy.tick);
  settings.read("refresh_ms", policy.refresh);
}

inline void read_settings(PolicySettings& settings, DeadlinePolicy& policy) {
  settings.read("deviations", policy.deviations, 0, 100);
}

inline void read_settings(PolicySettings& settings, DeferredPolicy& policy) {
  settings.read("deviations", policy.deviations, 0, 100);
}

inline void read_settings(PolicySettings& settings, EarlyDropPolicy& policy) {
  settings.read("size", policy.size);
  settings.read("deviations", policy.deviations, 0, 100);
}

inline void read_settings(PolicySettings& settings, QuorumPolicy& policy) {
  settings.read("clients", policy.clients);
  settings.read("max_wait_ms", policy.max_wait);
}

inline void read_settings(PolicySettings& settings, ControlLimitPolicy& policy) {
  settings.read("limits", policy.limits);
}

template <class Policy>
AnyPolicy make_named(PolicySettings& settings) {
  Policy policy;
  read_settings(settings, policy);
  settings.finish();
  return policy;
}

struct NamedPolicy {
  std::string_view name;
  AnyPolicy (*make)(PolicySettings& settings);
};

/// A policy is registered by a line here and its `read_settings`.
inline constexpr NamedPolicy kNamedPolicies[] = {
    {"greedy", &make_named<GreedyPolicy>},
    {"time", &make_named<TimePolicy>},
    {"size", &make_named<SizePolicy>},
    {"hybrid", &make_named<HybridPolicy>},
    {"adaptive", &make_named<AdaptivePolicy>},
    {"auto", &make_named<AutoPolicy>},
    {"latency_fraction", &make_named<LatencyFractionPolicy>},
    {"aimd", &make_named<AimdPolicy>},
    {"regression", &make_named<RegressionPolicy>},
    {"deadline", &make_named<DeadlinePolicy>},
    {"deferred", &make_named<DeferredPolicy>},
    {"early_drop", &make_named<EarlyDropPolicy>},
    {"quorum", &make_named<QuorumPolicy>},
    {"control_limit", &make_named<ControlLimitPolicy>},
};

}  // namespace detail

/// All names that `parse_policy` knows.
inline std::vector<std::string_view> policy_names() {
  std::vector<std::string_view> names;
  for (const detail::NamedPolicy& policy : detail::kNamedPolicies) names.push_back(policy.name);
  return names;
}

/// The policy that a text names: `greedy`, or with settings `hybrid:size=32,max_wait_ms=2`. A setting
/// that is not given has its default. Throws std::invalid_argument for an unknown name, with all names;
/// an unknown setting, with those of the policy; and a value that is none, with what is allowed.
///
/// For the compiler's choice write the policy itself: an AnyPolicy takes any.
inline AnyPolicy parse_policy(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::string_view settings =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  for (const detail::NamedPolicy& policy : detail::kNamedPolicies) {
    if (policy.name != name) continue;
    detail::PolicySettings reader(name, settings);
    return policy.make(reader);
  }
  std::string names;
  for (const std::string_view known : policy_names()) {
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  detail::raise(
      std::invalid_argument("policy: there is no '" + std::string(name) + "'; there are " + names));
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_NAMED_HPP
