// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_THREAD_INFO_HPP
#define BATCHWRIGHT_THREAD_INFO_HPP

#include <cstddef>
#include <cstdint>
#include <string>

namespace batchwright::inline v0_1 {

/// Which of the library's threads a start hook runs on.
struct ThreadInfo {
  enum class Role : std::uint8_t { dispatcher, executor };
  Role role = Role::dispatcher;
  std::size_t index = 0;    ///< The executor's, from 0.
  const std::string& name;  ///< The batcher's, or the pool's.
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_THREAD_INFO_HPP
