// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ACTION_HPP
#define BATCHWRIGHT_DETAIL_ACTION_HPP

#include "../outcome.hpp"
#include "../policy.hpp"
#include "request_header.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace batchwright::inline v0_1::detail {

/// What the scheduler wants done next.
struct Action {
  enum class Kind : std::uint8_t {
    idle,      ///< Nothing is queued: sleep until an event.
    wait,      ///< Sleep until `until`, or until requests of weight `missing` came, or an event.
    dispatch,  ///< Run `requests` on `executor`. It is occupied now.
    fail,      ///< Answer `requests` with `outcome`. They have left the queue.
  };

  Kind kind = Kind::idle;
  Outcome outcome = Outcome::ok;
  ReleaseReason reason = ReleaseReason::size;
  std::size_t executor = 0;
  std::uint64_t batch_id = 0;
  TimePoint until = kNever;
  std::size_t missing = kNoCount;
  bool by_lane = false;  ///< Of a wait: `missing` is the least; each lane's quota says more.
  bool wants_executor =
      false;             ///< Of a wait: a batch is due, and nothing but an executor is missing.
  TimePoint oldest{};    ///< Of a dispatch: enqueue time of its oldest request.
  std::size_t size = 0;  ///< Of a dispatch: what the cap counts,
  std::size_t padded_size = 0;         ///< and the allowed size that it is padded to.
  std::optional<Duration> forecast{};  ///< What the service model says of it, if there is one.
  RequestChain requests{};

  static Action failing(const RequestChain& requests, Outcome outcome) noexcept {
    return {.kind = Kind::fail, .outcome = outcome, .requests = requests};
  }
  static Action waiting(TimePoint until, std::size_t missing, bool by_lane = false) noexcept {
    return {.kind = Kind::wait, .until = until, .missing = missing, .by_lane = by_lane};
  }
};

/// The action of an empty queue.
inline const Action kNothingQueued{};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ACTION_HPP
