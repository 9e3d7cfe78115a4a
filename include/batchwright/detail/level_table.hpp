// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP
#define BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP

#include "request_header.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The heads of levels that were met of late, of the queues of several flows, so that a PriorityQueue need
/// not search for them again. A slot serves all levels that hash to it, and holds the head of one of them
/// as it is now: whoever changes the head says so. A head knows its slot, null if it has none. It forgets, so it is never full. All is O(1).
class LevelTable {
 public:
  /// The head of the request's level, or of another one, or null.
  RequestHeader*& slot(const RequestHeader& request) noexcept {
    // Fibonacci hashing (Knuth, volume 3, section 6.4): up to 64 priorities in a row do not meet.
    const std::uint64_t key = reinterpret_cast<std::uintptr_t>(request.flow) +
                              static_cast<std::uint64_t>(std::int64_t{request.priority});
    return slots_[key * 0x9e3779b97f4a7c15ULL >> (64 - kBits)];
  }

  /// `head` is met in its slot from now on, and nobody else.
  static void put(RequestHeader*& slot, RequestHeader& head) noexcept {
    if (slot != nullptr) slot->level_slot = nullptr;
    slot = &head;
    head.level_slot = &slot;
  }

  /// The level that `head` headed has another head now.
  static void replace(const RequestHeader& head, RequestHeader& successor) noexcept {
    successor.level_slot = head.level_slot;
    if (head.level_slot != nullptr) *head.level_slot = &successor;
  }

  /// The level that `head` headed is no more.
  static void forget(const RequestHeader& head) noexcept {
    if (head.level_slot != nullptr) *head.level_slot = nullptr;
  }

 private:
  static constexpr int kBits = 7;

  std::array<RequestHeader*, std::size_t{1} << kBits> slots_{};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LEVEL_TABLE_HPP
