// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_TURN_HPP
#define BATCHWRIGHT_DETAIL_TURN_HPP

#include "../runtime.hpp"

#include <atomic>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// A critical section that may last: who comes second sleeps. The word is 0 while nobody is in it.
template <Runtime R>
class Turn {
 public:
  Turn(const R& runtime, std::atomic<std::uint32_t>& word) noexcept
      : runtime_(runtime), word_(word) {
    while (word_.exchange(1, std::memory_order_acquire) == 1) runtime_.park(word_, 1, kNever);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    word_.store(0, std::memory_order_release);
    runtime_.unpark(word_, 1);
  }

 private:
  const R& runtime_;
  std::atomic<std::uint32_t>& word_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_TURN_HPP
