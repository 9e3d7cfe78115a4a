// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_SETTINGS_HPP
#define BATCHWRIGHT_POLICIES_SETTINGS_HPP

#include "../policy.hpp"

#include <string>

namespace batchwright::inline v0_1::detail {

// The checks that policies share. Each returns an empty string, or one sentence that names the
// setting, what is allowed and the value.

inline std::string to_text(Duration duration) { return std::to_string(duration.count()) + " ns"; }

/// A policy's own size: `kNoCount` stands for the batcher's cap. No batch is larger, so a preferred size
/// above it would never be reached.
inline std::string check_size(const char* setting, std::size_t size, const PolicyLimits& limits) {
  if (size == kNoCount) return {};
  if (size < limits.preferred_size) {
    return std::string(setting) + " must be at least the largest of preferred_sizes (" +
           std::to_string(limits.preferred_size) + "), got " + std::to_string(size);
  }
  if (size >= 1 && size <= limits.max_batch_size) return {};
  return std::string(setting) + " must be from 1 to max_batch_size (" +
         std::to_string(limits.max_batch_size) + "), got " + std::to_string(size);
}

/// A policy's window: it may not be longer than the net under every policy.
inline std::string check_window(const char* setting, Duration window, const PolicyLimits& limits) {
  if (window >= Duration::zero() && window <= limits.max_wait) return {};
  return std::string(setting) + " must be from 0 to the batcher's max_wait (" +
         (limits.max_wait == Duration::max() ? "off" : to_text(limits.max_wait)) + "), got " +
         to_text(window);
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_POLICIES_SETTINGS_HPP
