// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SCHEDULING_HPP
#define BATCHWRIGHT_SCHEDULING_HPP

#include <cstdint>

namespace batchwright::inline v0_1 {

/// The order within one priority. The overtaking bound wins over each of them.
enum class QueueOrder : std::uint8_t {
  fifo,               ///< First in, first out.
  earliest_deadline,  ///< The earliest deadline first; what has none comes last.
  shortest_first,     ///< The smallest length first, so that a batch is made of similar lengths.
};

/// How the size of a batch follows from its requests.
enum class SizeRule : std::uint8_t {
  sum,     ///< The sum of the weights.
  padded,  ///< Count times the longest length: what a model computes that pads to the longest.
};

/// What becomes of a batch whose size is not one of the allowed sizes.
enum class FitRule : std::uint8_t {
  pad_up,  ///< It is padded up to the next allowed size, also where smaller batches would cost less.
  trim_down,  ///< It leaves at the next smaller allowed size, if some of its requests are exactly that.
  cheapest,  ///< Whichever costs less time per request, by the measured time of both sizes.
};

/// The enumerator's name, a string with static lifetime.
constexpr const char* to_string(QueueOrder order) noexcept {
  constexpr const char* kNames[] = {"fifo", "earliest_deadline", "shortest_first"};
  return kNames[static_cast<int>(order)];
}
constexpr const char* to_string(SizeRule rule) noexcept {
  constexpr const char* kNames[] = {"sum", "padded"};
  return kNames[static_cast<int>(rule)];
}
constexpr const char* to_string(FitRule rule) noexcept {
  constexpr const char* kNames[] = {"pad_up", "trim_down", "cheapest"};
  return kNames[static_cast<int>(rule)];
}

/// Whether a request is refused at once because its deadline cannot be met any more.
///
/// The forecast counts what goes before the request, of its tenant and of the others by their shares, in
/// full batches, takes the measured time of each, and adds the request's own batch. It does not count what
/// may yet come, nor what a policy waits for company, so it errs on the side of the request. A request
/// that finds the batcher idle is never refused, and until eight batches have been measured none is.
enum class Forecast : std::uint8_t {
  off,  ///< It is begun all the same, unless it expires in the queue.
  /// Ends as `Outcome::would_expire` if the forecast answer comes after its deadline, or the forecast
  /// entry of the predictor after its timeout. It is the dispatcher that decides, so `submit` returns
  /// before, and the answer says so.
  refuse,
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SCHEDULING_HPP
