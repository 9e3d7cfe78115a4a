// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ADMISSION_HPP
#define BATCHWRIGHT_DETAIL_ADMISSION_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The first stage of admission, on the caller's thread: an atomic reservation against the capacity,
/// made before an argument is moved and given back when the request leaves the queue.
class Admission {
 public:
  Admission(std::size_t capacity, std::size_t max_bytes) noexcept
      : capacity_(std::min(capacity, kClosed - 1)), max_bytes_(max_bytes) {}

  /// Whether so much could ever fit.
  bool possible(std::size_t count, std::size_t bytes) const noexcept {
    return count <= capacity_ && bytes <= max_bytes_;
  }

  /// All or nothing. Whoever waits for capacity goes before a newcomer.
  bool reserve(std::size_t count, std::size_t bytes) noexcept {
    return waiting_.load(std::memory_order_relaxed) == 0 && reserve_first(count, bytes);
  }

  /// As `reserve`, for the one who has waited longest.
  bool reserve_first(std::size_t count, std::size_t bytes) noexcept {
    if (!add(queued_, count, capacity_)) return false;
    if (bytes == 0 || add(bytes_, bytes, max_bytes_)) return true;
    queued_.fetch_sub(count, std::memory_order_seq_cst);
    return false;
  }

  void give_back(std::size_t count, std::size_t bytes) noexcept {
    queued_.fetch_sub(count, std::memory_order_relaxed);
    if (bytes > 0) bytes_.fetch_sub(bytes, std::memory_order_relaxed);
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
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ADMISSION_HPP
