// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ANSWER_SEQUENCE_HPP
#define BATCHWRIGHT_DETAIL_ANSWER_SEQUENCE_HPP

#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Calls `give(index)` once for each item of a batch: futures after all others and from the newest to
/// the oldest, so that whoever waits for the oldest is woken when he need not wait for the rest any
/// more; all others in order.
template <class Items, class Give>
void in_answer_sequence(Items& items, Give&& give) noexcept {
  // What an answer is written to is fetched so many answers before it.
  constexpr std::size_t kAhead = 3;
  const auto prefetch = [&](std::size_t later) {
    if (later < items.size() && items[later] != nullptr) items[later]->completion.prefetch();
  };
  if (items.size() == 1) return give(0);
  std::size_t futures = 0;
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (items[index]->by_future) {
      ++futures;
      continue;
    }
    prefetch(index + kAhead);
    give(index);
    items[index] = nullptr;
  }
  for (std::size_t index = items.size(); futures > 0 && index-- > 0;) {
    if (items[index] == nullptr) continue;
    prefetch(index - kAhead);  // Below zero it is beyond the end.
    give(index);
  }
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ANSWER_SEQUENCE_HPP
