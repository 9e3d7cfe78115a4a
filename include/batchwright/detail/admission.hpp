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
        levels_(policies.empty() ? nullptr : std::make_unique<Level[]>(policies.size())) {
    for (std::size_t i = 0; i < policies.size(); ++i) levels_[i].capacity = policies[i].capacity;
  }

  /// Whether so much could ever fit.
  bool possible(const Demand& demand) const noexcept {
    return demand.count <= capacity_ && demand.bytes <= max_bytes_ &&
           (demand.level == kNoCount || demand.count <= levels_[demand.level].capacity);
  }

  /// All or nothing. Whoever waits for capacity goes before a newcomer.
  bool reserve(const Demand& demand) noexcept {
    return waiting_.load(std::memory_order_relaxed) == 0 && reserve_first(demand);
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
  void begin_waiting() noexcept { waiting_.fetch_add(1, std::memory_order_seq_cst); }
  void end_waiting() noexcept { waiting_.fetch_sub(1, std::memory_order_relaxed); }

  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed) % kClosed; }
  std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_seq_cst); }

 private:
  struct Level {
    std::size_t capacity = kNoCount;
    std::atomic<std::size_t> queued{0};
  };

  static bool add(std::atomic<std::size_t>& sum, std::size_t part, std::size_t limit) noexcept {
    std::size_t seen = sum.load(std::memory_order_seq_cst);
    do {
      if (part > limit || seen > limit - part) return false;
    } while (!sum.compare_exchange_weak(seen, seen + part, std::memory_order_relaxed));
    return true;
  }

  static constexpr std::size_t kClosed = ~(~std::size_t{0} >> 1);  // The highest bit of queued_.

  const std::size_t capacity_;
  const std::size_t max_bytes_;
  const std::unique_ptr<Level[]> levels_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ADMISSION_HPP
