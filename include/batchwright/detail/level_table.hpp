// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP
#define BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP

#include "request_header.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The heads of levels that were met of late, of all queues that share it, so that a PriorityQueue need
/// not search for them again. A slot is for all levels that hash to it and holds one of them, the head of a
/// level as it is now: whoever changes who that is says so. It forgets, and so it is never full.
class LevelTable {
 public:
  /// The head of the request's level, or of another one, or null.
  RequestHeader*& slot(const RequestHeader& request) noexcept {
    // Fibonacci hashing (Knuth, volume 3, section 6.4): priorities that follow each other do not meet.
    const std::uint64_t key = (reinterpret_cast<std::uintptr_t>(request.flow) >> 6) +
                              static_cast<std::uint64_t>(std::int64_t{request.priority});
    return slots_[key * 0x9e3779b97f4a7c15ULL >> (64 - kBits)];
  }

  /// The level of which `head` was the first has this one now; null if it is no more.
  void replace(const RequestHeader& head, RequestHeader* successor) noexcept {
    RequestHeader*& met = slot(head);
    if (met == &head) met = successor;
  }

 private:
  static constexpr int kBits = 7;

  std::array<RequestHeader*, std::size_t{1} << kBits> slots_{};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP
