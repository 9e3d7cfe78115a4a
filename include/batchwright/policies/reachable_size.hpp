// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_REACHABLE_SIZE_HPP
#define BATCHWRIGHT_POLICIES_REACHABLE_SIZE_HPP

#include "../policy.hpp"

#include <algorithm>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// What a window can fill. A closed loop of 64 clients never fills a batch of 128: whoever waits for
/// that waits for the whole window each time, and once is enough to know. So a window that ran out
/// sets the size that is waited for to what it had gathered. A batch that finds more queued raises it
/// again; and it is tried whether a step more comes, at first after one batch, then, each time that
/// nothing came, after twice as many: it costs a window each time.
class ReachableSize {
 public:
  /// What is worth waiting for; kNoCount while nothing says otherwise.
  std::size_t size() const noexcept { return size_; }

  /// A batch has left. `ran_out`: it waited for its whole window and is smaller than was wished.
  void observe(std::size_t batch, bool ran_out, std::size_t step) noexcept {
    if (ran_out) {
      size_ = std::max<std::size_t>(batch, 1);
      until_trial_ = interval_;
      interval_ = std::min(interval_ * 2, kLongestInterval);
    } else if (size_ == kNoCount || batch < size_) {
      return;
    } else if (batch > size_ || trying_) {
      size_ = batch + step;
      interval_ = 1;
      trying_ = true;
      return;
    } else if (--until_trial_ == 0) {
      size_ += step;
      trying_ = true;
      return;
    }
    trying_ = false;
  }

 private:
  static constexpr std::size_t kLongestInterval = 1024;

  std::size_t size_ = kNoCount;
  std::size_t interval_ = 1;     // Batches between two trials.
  std::size_t until_trial_ = 0;  // Batches.
  bool trying_ = false;          // `size_` is above what has come.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_POLICIES_REACHABLE_SIZE_HPP
