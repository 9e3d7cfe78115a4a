// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ADMISSION_HPP
#define BATCHWRIGHT_DETAIL_ADMISSION_HPP

#include "../policy.hpp"
#include "../queue_policy.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What a submission needs room for.
struct Demand {
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t level = kNoCount;  ///< Index of its priority's queue policy; kNoCount if it has none.
};

/// The first stage of admission, on the caller's thread: an atomic reservation against the capacity,
/// made before an argument is moved and given back when the request leaves the queue.
class Admission {
 public:
  Admission(std::size_t capacity, std::size_t max_bytes,
            const std::vector<QueuePolicy>& policies = {})
      : capacity_(std::min(capacity, kClosed - 1)),
        max_bytes_(max_bytes),
        level_count_(policies.size()),
        levels_(policies.empty() ? nullptr : std::make_unique<Level[]>(policies.size())) {
    for (std::size_t i = 0; i < policies.size(); ++i) levels_[i].capacity = policies[i].capacity;
  }

  std::size_t levels() const noexcept { return level_count_; }

  /// Whether so much could ever fit.
  bool possible(const Demand& demand) const noexcept {
    return demand.count <= capacity_ && demand.bytes <= max_bytes_ &&
           (demand.level == kNoCount || demand.count <= levels_[demand.level].capacity);
  }

  /// All or nothing. Whoever waits for capacity goes before a newcomer; who waits for room in a level
  /// alone, before newcomers of that level.
  bool reserve(const Demand& demand) noexcept {
    const std::uint64_t waiting = waiting_.load(std::memory_order_acquire);
    return (waiting == 0 ||
            (waiting % kOfLevel == waiting / kOfLevel && !waits_in(demand.level))) &&
           reserve_first(demand);
  }

  /// As `reserve`, for the one who has waited longest.
  bool reserve_first(const Demand& demand) noexcept {
    if (!add(queued_, demand.count, capacity_)) return false;
    if (demand.bytes == 0 || add(bytes_, demand.bytes, max_bytes_)) {
      if (demand.level == kNoCount) return true;
      Level& level = levels_[demand.level];
      if (add(level.queued, demand.count, level.capacity)) return true;
      if (demand.bytes > 0) bytes_.fetch_sub(demand.bytes, std::memory_order_seq_cst);
    }
    queued_.fetch_sub(demand.count, std::memory_order_seq_cst);
    return false;
  }

  /// Whether room in its level is all that a demand lacks now.
  bool lacks_level_alone(const Demand& demand) const noexcept {
    const Demand missing = shortage(demand);
    return missing.level != kNoCount && missing.count == 0 && missing.bytes == 0;
  }

  /// By how much a demand exceeds the room there is now. Room in its level cannot be made by evicting
  /// others, which are of other levels: `level` is then set.
  Demand shortage(const Demand& demand) const noexcept {
    const auto over = [](std::size_t used, std::size_t wanted, std::size_t limit) {
      return used + wanted > limit ? used + wanted - limit : 0;
    };
    Demand missing{.count = over(queued(), demand.count, capacity_)};
    if (demand.bytes > 0 && max_bytes_ != kNoCount) {
      missing.bytes = over(bytes_.load(std::memory_order_relaxed), demand.bytes, max_bytes_);
    }
    if (demand.level != kNoCount) {
      const Level& level = levels_[demand.level];
      if (level.capacity != kNoCount &&
          over(level.queued.load(std::memory_order_relaxed), demand.count, level.capacity) > 0) {
        missing.level = demand.level;
      }
    }
    return missing;
  }

  /// `level` too is left: see `leave_level`.
  void give_back(std::size_t count, std::size_t bytes) noexcept {
    queued_.fetch_sub(count, std::memory_order_relaxed);
    if (bytes > 0) bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  /// Requests admitted by that level leave the queue; nothing for kNoCount. Before `give_back`, so that
  /// whoever finds room in the queue finds it in the level.
  void leave_level(std::size_t level, std::size_t count = 1) noexcept {
    if (level != kNoCount) levels_[level].queued.fetch_sub(count, std::memory_order_relaxed);
  }

  /// From now on nothing can be reserved. What has been reserved before is still handed over, so that
  /// no refusal comes after an argument was moved: the dispatcher waits for it.
  void close() noexcept { queued_.fetch_or(kClosed, std::memory_order_relaxed); }
  bool closed() const noexcept { return queued_.load(std::memory_order_relaxed) >= kClosed; }

  // Sequentially consistent, with `add` and the retreat of `reserve_first`: either the one who retreats
  // sees that somebody waits, or that one sees the room.

  /// Somebody waits, for room in that level alone; for room at large if it is kNoCount.
  void begin_waiting(std::size_t level) noexcept {
    if (level != kNoCount) levels_[level].waiting.fetch_add(1, std::memory_order_relaxed);
    waiting_.fetch_add(level == kNoCount ? 1 : 1 + kOfLevel, std::memory_order_seq_cst);
  }
  void end_waiting(std::size_t level) noexcept {
    waiting_.fetch_sub(level == kNoCount ? 1 : 1 + kOfLevel, std::memory_order_relaxed);
    if (level != kNoCount) levels_[level].waiting.fetch_sub(1, std::memory_order_relaxed);
  }

  /// Whether one of those who wait does so for room in that level alone has changed.
  void wait_for_level(std::size_t level, bool alone) noexcept {
    if (alone) {
      levels_[level].waiting.fetch_add(1, std::memory_order_relaxed);
      waiting_.fetch_add(kOfLevel, std::memory_order_release);
    } else {
      waiting_.fetch_sub(kOfLevel, std::memory_order_relaxed);
      levels_[level].waiting.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed) % kClosed; }
  std::size_t waiting() const noexcept {
    return static_cast<std::size_t>(waiting_.load(std::memory_order_seq_cst) % kOfLevel);
  }

 private:
  struct Level {
    std::size_t capacity = kNoCount;
    std::atomic<std::size_t> queued{0};
    std::atomic<std::size_t> waiting{0};  // For room in it alone.
  };

  bool waits_in(std::size_t level) const noexcept {
    return level != kNoCount && levels_[level].waiting.load(std::memory_order_relaxed) > 0;
  }

  static bool add(std::atomic<std::size_t>& sum, std::size_t part, std::size_t limit) noexcept {
    std::size_t seen = sum.load(std::memory_order_seq_cst);
    do {
      if (part > limit || seen > limit - part) return false;
    } while (!sum.compare_exchange_weak(seen, seen + part, std::memory_order_relaxed));
    return true;
  }

  // The unit of the upper half of waiting_.
  static constexpr std::uint64_t kOfLevel = std::uint64_t{1} << 32;
  static constexpr std::size_t kClosed = ~(~std::size_t{0} >> 1);  // The highest bit of queued_.

  const std::size_t capacity_;
  const std::size_t max_bytes_;
  const std::size_t level_count_;
  const std::unique_ptr<Level[]> levels_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::uint64_t> waiting_{0};  // How many, and of them how many for a level alone.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ADMISSION_HPP
