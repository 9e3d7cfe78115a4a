// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SETTINGS_HPP
#define BATCHWRIGHT_DETAIL_SETTINGS_HPP

#include "../errors.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>

namespace batchwright::inline v0_1::detail {

/// `value`, unless it is out of its range: then throws std::invalid_argument.
inline std::size_t checked_range(const char* setting, std::size_t value, std::size_t least,
                                 std::size_t most) {
  if (value < least || value > most) {
    raise(std::invalid_argument("ExecutorPool: " + std::string(setting) + " must be from " +
                                std::to_string(least) + " to " + std::to_string(most) + ", got " +
                                std::to_string(value)));
  }
  return value;
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SETTINGS_HPP
