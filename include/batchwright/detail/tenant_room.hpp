// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_TENANT_ROOM_HPP
#define BATCHWRIGHT_DETAIL_TENANT_ROOM_HPP

#include "../policy.hpp"
#include "pooled.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What the requests of one tenant hold of the queue. A tenant that holds something takes no more than so
/// many `times` what is left to all after it: whoever comes next finds room, however many others flood,
/// and with equal `times` all that flood end with equal parts (Choudhury and Hahne, Dynamic Queue Length
/// Thresholds for Shared-Memory Packet Switches, 1998). One that holds nothing takes what there is.
class TenantRoom {
 public:
  /// The requests of one level, which has a queue policy.
  struct Level {
    std::atomic<std::size_t> queued{0};
    std::atomic<std::size_t> waiting{0};  ///< For room in it alone.
    std::uint64_t passed = 0;  ///< WaitingDesk: when somebody who waits for it was passed.
  };

  TenantRoom() = default;
  TenantRoom(const TenantRoom&) = delete;
  TenantRoom& operator=(const TenantRoom&) = delete;
  ~TenantRoom() {
    while (more_ != nullptr) pool_delete(std::exchange(more_, more_->next));
  }

  /// Once, before it is used: so many levels, and `times` as above; kNoCount for no limit. Throws
  /// std::bad_alloc.
  void open(std::size_t levels, std::size_t times) {
    times_ = times;
    for (std::size_t made = 0; made < levels; made += kPerBlock) {
      Block* const block = pool_new<Block>();
      block->next = std::exchange(more_, block);
    }
  }

  /// Any order will do, as long as it stays the same. O(levels), eight at a time.
  Level& level(std::size_t index) noexcept {
    Block* block = more_;
    for (; index >= kPerBlock; index -= kPerBlock) block = block->next;
    return block->levels[index];
  }

  /// Whether one that holds so much may take what is `wanted`, if so much is left after that.
  bool may_take(std::size_t held, std::size_t wanted, std::size_t left) const noexcept {
    return held == 0 || wanted == 0 || times_ == kNoCount || (held + wanted - 1) / times_ < left;
  }

  std::atomic<std::size_t> count{0};
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> waiting{0};  ///< For room of this tenant alone.
  std::uint64_t passed = 0;             ///< As that of a level.

 private:
  static constexpr std::size_t kPerBlock = 8;
  struct Block {
    std::array<Level, kPerBlock> levels;
    Block* next = nullptr;
  };

  std::size_t times_ = kNoCount;
  Block* more_ = nullptr;
};

/// What a submission needs of the room of one tenant.
struct TenantDemand {
  TenantRoom* room = nullptr;
  std::size_t count = 0;
  std::size_t bytes = 0;
  TenantDemand* next = nullptr;
};

/// What it needs of all tenants that it has requests of. Of one tenant it takes no memory.
class TenantDemands {
 public:
  TenantDemands() = default;
  TenantDemands(TenantDemands&& other) noexcept : first_(std::exchange(other.first_, {})) {}
  TenantDemands& operator=(TenantDemands&& other) noexcept {
    std::swap(first_, other.first_);
    return *this;
  }
  ~TenantDemands() {
    while (first_.next != nullptr) remove_after(first_);
  }

  /// The tenant of the first request first; null if there are none.
  TenantDemand* first() noexcept { return first_.room == nullptr ? nullptr : &first_; }

  /// Throws std::bad_alloc. O(tenants so far).
  void add(TenantRoom& room, std::size_t count, std::size_t bytes) {
    TenantDemand* its = &first_;
    if (first_.room == nullptr) first_.room = &room;
    while (its->room != &room) {
      if (its->next == nullptr) its->next = pool_new<TenantDemand>(TenantDemand{.room = &room});
      its = its->next;
    }
    its->count += count;
    its->bytes += bytes;
  }

  /// One request less; a tenant without any is forgotten. Requires: it was added.
  void remove_one(const TenantRoom& room, std::size_t bytes) noexcept {
    TenantDemand* before = nullptr;
    TenantDemand* its = &first_;
    while (its->room != &room) before = std::exchange(its, its->next);
    its->bytes -= bytes;
    if (--its->count > 0) return;
    if (before != nullptr) {
      remove_after(*before);
    } else if (first_.next == nullptr) {
      first_ = {};
    } else {
      TenantDemand* const second = first_.next;
      first_ = *second;
      pool_delete(second);
    }
  }

 private:
  static void remove_after(TenantDemand& one) noexcept {
    TenantDemand* const next = one.next;
    one.next = next->next;
    pool_delete(next);
  }

  TenantDemand first_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_TENANT_ROOM_HPP
