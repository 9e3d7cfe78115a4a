// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_CLASSES_HPP
#define BATCHWRIGHT_SIMULATION_CLASSES_HPP

#include "../policy.hpp"
#include "../submit_options.hpp"
#include "checks.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// One kind of request in a mix: what `SubmitOptions` and the batcher's functions would say of it.
struct RequestClass {
  /// For people who read the results.
  std::string name = "all";
  /// How often it comes, relative to the others.
  double proportion = 1;

  int priority = 0;
  /// After its arrival; as SubmitOptions::deadline.
  Duration deadline = Duration::max();
  /// As SubmitOptions::timeout.
  Duration timeout = SubmitOptions{}.timeout;

  std::size_t weight = 1;
  std::size_t length = 1;
  std::size_t bytes = 0;

  /// Each request of this class has one of so many keys, drawn alike, and those with the same one share a
  /// computation as with `BatcherOptions::coalesce`. Zero: each is computed. No key is another class's.
  std::size_t keys = 0;

  /// Equal numbers share a lane, and a tenant. Small ones: there are as many lanes and tenants as the
  /// largest number says.
  std::size_t lane = 0;
  std::size_t tenant = 0;
  /// Of its tenant; the first class that names a tenant says it.
  std::size_t tenant_share = 1;
};

}  // namespace simulation

namespace detail {

inline std::string check_whole(const std::string& setting, std::size_t value, std::size_t low,
                               std::size_t high) {
  if (value >= low && value <= high) return {};
  return must_be(setting, "from " + std::to_string(low) + " to " + std::to_string(high),
                 std::to_string(value));
}

inline std::string check_class(const std::string& name, const simulation::RequestClass& one) {
  constexpr std::size_t kMost = 0xffff'ffff;
  if (!(one.proportion > 0 && one.proportion <= 1e12)) {
    return must_be(name + ".proportion", "above 0 and at most 1e12", to_text(one.proportion));
  }
  if (one.deadline <= Duration::zero()) {
    return must_be(name + ".deadline", "above 0 ns", to_text(one.deadline));
  }
  if (one.timeout <= Duration::zero() && one.timeout != SubmitOptions{}.timeout) {
    return must_be(name + ".timeout", "unset or above 0 ns", to_text(one.timeout));
  }
  std::string problem = check_whole(name + ".weight", one.weight, 1, kMost);
  if (problem.empty()) problem = check_whole(name + ".length", one.length, 1, kMost);
  if (problem.empty()) problem = check_whole(name + ".keys", one.keys, 0, 1'000'000);
  if (problem.empty()) problem = check_whole(name + ".lane", one.lane, 0, 65535);
  if (problem.empty()) problem = check_whole(name + ".tenant", one.tenant, 0, 65535);
  if (problem.empty()) problem = check_whole(name + ".tenant_share", one.tenant_share, 1, 1 << 20);
  return problem;
}

/// Empty, or what is wrong with the mix.
inline std::string check_classes(const std::vector<simulation::RequestClass>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::string problem = check_class("classes[" + std::to_string(i) + "]", classes[i]);
    if (!problem.empty()) return problem;
  }
  return {};
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_CLASSES_HPP
