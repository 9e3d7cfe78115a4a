// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_WISH_HPP
#define BATCHWRIGHT_DETAIL_WISH_HPP

#include "../policy.hpp"
#include "flow.hpp"
#include "request_header.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// What ends the dispatcher's sleep before its instant.
struct Wish {
  TimePoint until = kNever;        ///< Also ended by a request with an earlier deadline.
  std::size_t missing = kNoCount;  ///< Weight of arrivals.
  bool reports = true;             ///< A finished batch or a vacant executor.
  bool plain = false;              ///< From arrivals and reports nothing but batches can come.
  bool last = false;        ///< The only batch runs, and keeps all executors; nothing is queued.
  Lane* by_lane = nullptr;  ///< If set, a lane's quota too: this one's of requests without flow.

  /// Whether what is in the inbox may end it at once.
  bool broken_by(const RequestChain& arrivals) const noexcept {
    return arrivals.size >= (by_lane == nullptr ? missing : 1);
  }

  /// As assignment, but field by field: to copy the whole at once is to wait until its parts, which have
  /// just been written, are in the cache.
  void become(const Wish& other) noexcept {
    until = other.until;
    missing = other.missing;
    reports = other.reports;
    plain = other.plain;
    last = other.last;
    by_lane = other.by_lane;
  }

  /// A batch is finished and its executor vacant, and nothing came meanwhile. If it was the last, an
  /// arrival is awaited now, and the report can lie until then.
  void settle() noexcept {
    if (!last) return;
    missing = 1;
    reports = last = false;
  }

  /// Whether one of the lanes of those who have come into the inbox of that number has to be looked at:
  /// then all that came is. Requires what LaneQuota does.
  bool uses_up_a_quota(const RequestChain& arrivals, std::uint64_t inbox) const noexcept {
    for (RequestHeader* one = arrivals.first; one != nullptr; one = RequestChain::next(*one)) {
      Lane& lane = one->flow == nullptr ? *by_lane : *one->flow->lane;
      if (lane.quota.draw(*one, inbox)) return true;
    }
    return false;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_WISH_HPP
