// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_OUTCOME_HPP
#define BATCHWRIGHT_OUTCOME_HPP

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {

/// How a request ended, or why it was never accepted. Every request that is submitted ends with
/// exactly one of these. Outcomes are values, not exceptions: a refusal costs no throw.
enum class Outcome : std::uint8_t {
  ok,          ///< The predictor answered.
  failed,      ///< The predictor failed: the request carries its exception.
  expired,     ///< The deadline passed before the predictor was entered; nothing was computed.
  cancelled,   ///< Cancelled before the predictor was entered; nothing was computed.
  queue_full,  ///< Refused: the queue was at its capacity (or stayed there for too long).
  too_large,   ///< Refused: by itself it exceeds the capacity or, if `oversized` says so, the cap.
  would_expire,    ///< Refused by forecast: it could not have been answered by its deadline.
  evicted,         ///< Gave way to a request of higher priority when the queue was full.
  stopped,         ///< The batcher was shut down before the request was computed.
  forked,          ///< Refused: called in a forked child, which has none of the batcher's threads.
  would_deadlock,  ///< Refused: would have blocked one of the batcher's own threads.
};

inline constexpr std::size_t kOutcomeCount = 11;

/// The enumerator's name, a string with static lifetime.
constexpr const char* to_string(Outcome outcome) noexcept {
  constexpr const char* kNames[kOutcomeCount] = {
      "ok",           "failed",  "expired", "cancelled", "queue_full",    "too_large",
      "would_expire", "evicted", "stopped", "forked",    "would_deadlock"};
  return kNames[static_cast<std::size_t>(outcome)];
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_OUTCOME_HPP
