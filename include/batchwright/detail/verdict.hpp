// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_VERDICT_HPP
#define BATCHWRIGHT_DETAIL_VERDICT_HPP

#include "../policy.hpp"

#include <cstddef>

namespace batchwright::inline v0_1::detail {

struct Lane;

/// Whether a lane is due, and with at most which size; else until when, or until how much more comes.
struct Verdict {
  bool due = false;
  ReleaseReason reason = ReleaseReason::size;
  std::size_t size = 0;
  TimePoint until = kNever;
  std::size_t dropped = 0;  ///< Above zero: no batch leaves, but so many are given up on.
};

/// The due lane that goes first, and its verdict; else null, and what all of them wait for.
struct Choice {
  const Lane* lane = nullptr;
  Verdict verdict;
  bool by_lane = false;  ///< Each lane's quota says of how much more it is due.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_VERDICT_HPP
