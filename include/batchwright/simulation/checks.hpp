// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_CHECKS_HPP
#define BATCHWRIGHT_SIMULATION_CHECKS_HPP

#include "../detail/text.hpp"
#include "../errors.hpp"
#include "../policies/settings.hpp"
#include "../policy.hpp"

#include <stdexcept>
#include <string>

namespace batchwright::inline v0_1::detail {

// The checks that the parts of a simulation share. They return an empty string, or one sentence that
// names the setting, what is allowed and the value.

inline std::string to_text(double number) {
  std::string text;
  append_number(text, number);
  return text;
}

inline std::string must_be(const std::string& setting, const std::string& allowed,
                           const std::string& value) {
  return setting + " must be " + allowed + ", got " + value;
}

/// Up to 10^9 a second: time is counted in nanoseconds.
inline std::string check_rate(const std::string& setting, double rate_hz) {
  if (rate_hz > 0 && rate_hz <= 1e9) return {};
  return must_be(setting, "above 0 and at most 1e9", to_text(rate_hz));
}

inline std::string check_not_negative(const std::string& setting, Duration duration) {
  if (duration >= Duration::zero()) return {};
  return must_be(setting, "at least 0 ns", to_text(duration));
}

inline std::string check_above_zero(const std::string& setting, Duration duration) {
  if (duration > Duration::zero()) return {};
  return must_be(setting, "above 0 ns", to_text(duration));
}

inline std::string check_between(const std::string& setting, double value, double low,
                                 double high) {
  if (value >= low && value <= high) return {};
  return must_be(setting, "from " + to_text(low) + " to " + to_text(high), to_text(value));
}

/// Throws std::invalid_argument unless `problem` is empty.
inline void require_none(const std::string& problem) {
  if (!problem.empty()) raise(std::invalid_argument("Simulation: " + problem));
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_CHECKS_HPP
