// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_RANK_HPP
#define BATCHWRIGHT_DETAIL_RANK_HPP

#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The place of a request among those of its tenant, in whatever lanes they are, as three numbers: a
/// heap compares them without a look at the requests. At the bound goes first, in order of acceptance;
/// all others go as PriorityQueue::before says.
struct Rank {
  std::uint64_t level = 0;  ///< At the bound, higher priority, not delayed.
  std::int64_t key = 0;     ///< Within that the smaller goes first,
  std::uint64_t turn = 0;   ///< and then this one.

  static Rank of(const RequestHeader& request) noexcept {
    if (request.at_bound) return {.turn = request.sequence};
    // From 0 for the highest priority.
    const auto below = static_cast<std::uint64_t>(INT32_MAX - std::int64_t{request.priority});
    return {.level = 1 + 2 * below + (request.delayed ? 1 : 0),
            .key = request.order_key,
            .turn = request.delayed ? request.delay_turn : request.sequence};
  }

  friend bool operator<(const Rank& a, const Rank& b) noexcept {
    if (a.level != b.level) return a.level < b.level;
    return a.key != b.key ? a.key < b.key : a.turn < b.turn;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_RANK_HPP
