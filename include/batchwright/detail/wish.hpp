// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_WISH_HPP
#define BATCHWRIGHT_DETAIL_WISH_HPP

#include "../policy.hpp"

#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// What ends a sleep of the dispatcher before its instant.
struct Wish {
  TimePoint until = kNever;        ///< Also ended by a request with an earlier deadline.
  std::size_t missing = kNoCount;  ///< Weight of arrivals.
  bool reports = true;             ///< A finished batch or a vacant executor.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_WISH_HPP
