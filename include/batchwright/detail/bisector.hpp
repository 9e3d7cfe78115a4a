// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BISECTOR_HPP
#define BATCHWRIGHT_DETAIL_BISECTOR_HPP

#include "../policy.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <limits>

namespace batchwright::inline v0_1::detail {

/// Items of a batch that lie together: from `begin` up to, not including, `end`.
struct ItemRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const noexcept { return end - begin; }
  bool empty() const noexcept { return begin == end; }

  friend bool operator==(const ItemRange&, const ItemRange&) = default;
};

/// Finds the items with which a batch fails: what fails is halved and each half run again, left first,
/// down to single items. So items are settled in their order, and `rest` is all that is not. It knows
/// ranges only; its caller runs `part()` and says how that went, until nothing is left or `exhausted()`.
class Bisector {
 public:
  /// `max_extra` executions besides the first; kNoCount stands for 4 x ceil(log2(count)), which always
  /// suffices for two failing items. Requires: count > 0.
  explicit Bisector(std::size_t count, std::size_t max_extra = kNoCount) noexcept
      : max_extra_(max_extra != kNoCount ? max_extra : 4 * ceil_log2(count)) {
    ends_[0] = count;
  }

  /// What has to be run next; empty when all items are settled.
  ItemRange part() const noexcept { return {settled_, depth_ == 0 ? settled_ : ends_[depth_ - 1]}; }

  /// What has no answer yet.
  ItemRange rest() const noexcept { return {settled_, depth_ == 0 ? settled_ : ends_[0]}; }

  /// Executions so far.
  std::size_t executions() const noexcept { return executions_; }

  /// Whether no further execution is allowed.
  bool exhausted() const noexcept { return executions_ > max_extra_; }

  /// The part was run and each of its items has its result. Requires: it is not empty.
  void succeeded() noexcept {
    ++executions_;
    settle();
  }

  /// The part was run and failed. True if it was a single item, which is settled now; otherwise its
  /// halves come next. Requires: it is not empty.
  bool failed() noexcept {
    ++executions_;
    const std::size_t size = part().size();
    if (size == 1) {
      settle();
      return true;
    }
    ends_[depth_++] = settled_ + size / 2;
    return false;
  }

 private:
  static std::size_t ceil_log2(std::size_t count) noexcept {
    return static_cast<std::size_t>(std::bit_width(count - 1));
  }

  void settle() noexcept { settled_ = ends_[--depth_]; }

  std::size_t max_extra_;
  std::size_t executions_ = 0;
  std::size_t settled_ = 0;
  // Where the part ends, and below it where those end that follow. Each is at most half of what it was
  // cut from, rounded up.
  std::size_t depth_ = 1;
  std::array<std::size_t, std::numeric_limits<std::size_t>::digits + 1> ends_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BISECTOR_HPP
