// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LEAVERS_HPP
#define BATCHWRIGHT_DETAIL_LEAVERS_HPP

#include "../outcome.hpp"
#include "action.hpp"
#include "request_header.hpp"

#include <utility>

namespace batchwright::inline v0_1::detail {

/// Requests that have left the queue without a batch and have not been handed out yet, by the reason.
struct Leavers {
  RequestChain cancelled;
  RequestChain hopeless;
  RequestChain evicted;

  bool empty() const noexcept { return cancelled.empty() && hopeless.empty() && evicted.empty(); }

  /// Hands out those of one reason. Not if empty.
  Action next() noexcept {
    if (!cancelled.empty())
      return Action::failing(std::exchange(cancelled, {}), Outcome::cancelled);
    if (!hopeless.empty())
      return Action::failing(std::exchange(hopeless, {}), Outcome::would_expire);
    return Action::failing(std::exchange(evicted, {}), Outcome::evicted);
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LEAVERS_HPP
