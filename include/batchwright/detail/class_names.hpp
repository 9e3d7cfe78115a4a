// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CLASS_NAMES_HPP
#define BATCHWRIGHT_DETAIL_CLASS_NAMES_HPP

#include "../class_metrics.hpp"
#include "../runtime.hpp"
#include "lock.hpp"
#include "owned.hpp"
#include "text.hpp"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace batchwright::inline v0_1::detail {

/// Numbers the classes of one kind by their labels, in the order in which they come up. There are at most
/// `max`, because labels come from clients: all that come later share the number `max`. What has a
/// number keeps it, so its counters never fall. Of a label the first 128 bytes count, and what is no UTF-8
/// in it, or NUL, counts as U+FFFD, as it is shown: no two classes are shown alike. Thread safe.
template <Runtime R>
class ClassNames {
 public:
  static constexpr std::size_t kLongest = 128;

  ClassNames(const R& runtime, std::size_t max)
      : lock_(runtime),
        max_(max),
        mask_(std::bit_ceil(2 * max) - 1),
        names_(max),
        numbers_(mask_ + 1),
        priorities_(mask_ + 1) {}

  /// O(1) with one short lock. Throws std::bad_alloc, where a label is new.
  std::size_t number_of(std::string_view label) {
    std::string clean;
    if (!is_clean(label)) label = clean = cleaned(label);
    const LockGuard guard(lock_);
    return find(label);
  }

  /// The number of the class that is labelled with the digits of `priority`. Without a lock but for the
  /// first of a priority.
  std::size_t number_of(int priority) noexcept {
    const std::uint64_t wanted = std::uint64_t{static_cast<std::uint32_t>(priority)} << 32;
    const bool full =
        full_.load(std::memory_order_acquire);  // Then all that have a number are seen.
    std::size_t place = (wanted * 0x9e37'79b9'7f4a'7c15) >> 40 & mask_;
    for (;; place = (place + 1) & mask_) {
      const std::uint64_t entry = priorities_[place].load(std::memory_order_relaxed);
      if (entry == 0) break;
      if ((entry >> 32) == (wanted >> 32)) return static_cast<std::uint32_t>(entry) - 1;
    }
    if (full) return max_;
    const LockGuard guard(lock_);
    const std::size_t number = find(std::to_string(priority));  // Short enough to need no memory.
    if (number == max_) {
      full_.store(true, std::memory_order_release);
      return max_;
    }
    for (;; place = (place + 1) & mask_) {
      const std::uint64_t entry = priorities_[place].load(std::memory_order_relaxed);
      if (entry == 0) priorities_[place].store(wanted | (number + 1), std::memory_order_relaxed);
      if (entry == 0 || (entry >> 32) == (wanted >> 32)) return number;
    }
  }

  /// How many there are so far; a label below that never changes again.
  std::size_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  std::string_view label(std::size_t number) const noexcept {
    return number == max_ ? std::string_view(kOtherClass) : names_[number];
  }

 private:
  static bool is_clean(std::string_view label) noexcept {
    if (label.size() > kLongest || label.find('\0') != std::string_view::npos) return false;
    for (std::size_t length = 0; !label.empty(); label.remove_prefix(length)) {
      length = utf8_length(label);
      if (length == 0) return false;
    }
    return true;
  }

  static std::string cleaned(std::string_view label) {
    std::string clean;
    append_escaped(clean, label.substr(0, kLongest), [](std::string& out, char character) {
      if (character == '\0') out.append("\xef\xbf\xbd");
      return character == '\0';
    });
    return clean;
  }

  // Requires: the lock.
  std::size_t find(std::string_view label) {
    std::size_t place = std::hash<std::string_view>()(label) & mask_;
    for (; numbers_[place] != 0; place = (place + 1) & mask_) {
      if (names_[numbers_[place] - 1] == label) return numbers_[place] - 1;
    }
    const std::size_t number = count_.load(std::memory_order_relaxed);
    if (number == max_ || label == kOtherClass) return max_;
    names_[number] = label;
    numbers_[place] = static_cast<std::uint32_t>(number + 1);
    count_.store(number + 1, std::memory_order_release);
    return number;
  }

  Lock<R> lock_;
  const std::size_t max_;
  const std::size_t mask_;  // Of the two tables, of which at most half is in use.
  const OwnedArray<std::string> names_;
  const OwnedArray<std::uint32_t> numbers_;  // By the label's hash, from 1; 0 is free.
  const OwnedArray<std::atomic<std::uint64_t>> priorities_;  // Priority, and number from 1.
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> full_{false};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CLASS_NAMES_HPP
