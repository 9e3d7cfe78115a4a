// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ADMISSION_HPP
#define BATCHWRIGHT_DETAIL_ADMISSION_HPP

#include "../policy.hpp"
#include "../queue_policy.hpp"
#include "tenant_room.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What a submission needs room for.
struct Demand {
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t level = kNoCount;  ///< Index of its priority's queue policy; kNoCount if it has none.
  TenantDemand* tenants =
      nullptr;  ///< By tenant; null where the whole queue is all that has a limit.
};

/// What one who waits lacks. Of his tenant, or its level, alone: others pass him.
enum class Lack : std::uint8_t { queue, tenant, level };

/// What has to leave the queue for a demand to fit, of its first tenant.
struct Shortage {
  std::size_t count = 0;
  std::size_t bytes = 0;
  bool other = false;  ///< Room of another tenant is lacking too, or of the level.

  bool nothing() const noexcept { return count == 0 && bytes == 0 && !other; }
};

/// The first stage of admission, on the caller's thread: an atomic reservation against the capacity,
/// made before an argument is moved and given back when the request leaves the queue.
class Admission {
 public:
  /// `tenant_room`: see BatcherOptions.
  Admission(std::size_t capacity, std::size_t max_bytes,
            const std::vector<QueuePolicy>& policies = {}, std::size_t tenant_room = kNoCount)
      : capacity_(std::min(capacity, kClosed - 1)),
        max_bytes_(max_bytes),
        tenant_room_(tenant_room),
        policies_(policies) {
    own_.open(policies.size(), kNoCount);
  }

  /// Whether tenants, but for the one that all are of without a key, need a room of their own.
  bool limits_tenants() const noexcept { return tenant_room_ != kNoCount || !policies_.empty(); }

  /// Makes that of one with so large a share ready. Throws std::bad_alloc.
  void open(TenantRoom& room, std::uint32_t share) const {
    room.open(policies_.size(), times(share));
  }

  /// Of requests without a tenant: for those of a level.
  TenantRoom& own_room() noexcept { return own_; }

  /// Whether so much could ever fit.
  bool possible(const Demand& demand) const noexcept {
    if (demand.count > capacity_ || demand.bytes > max_bytes_) return false;
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      if (its->count > level_capacity(demand.level)) return false;
    }
    return true;
  }

  /// All or nothing. Whoever waits for capacity goes before a newcomer; who waits for room of a tenant
  /// or level alone, before newcomers of that.
  bool reserve(const Demand& demand) noexcept {
    const std::uint64_t waiting = waiting_.load(std::memory_order_acquire);
    return (waiting == 0 || (waiting % kAlone == waiting / kAlone && !is_awaited(demand))) &&
           reserve_first(demand);
  }

  /// As `reserve`, for the one who has waited longest.
  bool reserve_first(const Demand& demand) noexcept {
    if (!add(queued_, demand.count, capacity_)) return false;
    if (demand.bytes == 0 || add(bytes_, demand.bytes, max_bytes_)) {
      if (demand.tenants == nullptr) [[likely]] {
        return true;
      }
      if (add_tenants(demand)) return true;
      if (demand.bytes > 0) bytes_.fetch_sub(demand.bytes, std::memory_order_seq_cst);
    }
    queued_.fetch_sub(demand.count, std::memory_order_seq_cst);
    return false;
  }

  /// What a demand lacks now, if it has just been found that it does not fit.
  Lack lack(const Demand& demand) const noexcept {
    const std::size_t queued = this->queued();
    const std::size_t bytes = bytes_.load(std::memory_order_relaxed);
    if (over(queued, demand.count, capacity_) > 0 || over(bytes, demand.bytes, max_bytes_) > 0) {
      return Lack::queue;
    }
    const std::size_t left = capacity_ - queued - demand.count;
    const std::size_t bytes_left = max_bytes_ - bytes - demand.bytes;
    Lack lack = Lack::queue;
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      const TenantRoom& room = *its->room;
      if (!room.may_take(room.count.load(std::memory_order_relaxed), its->count, left) ||
          !room.may_take(room.bytes.load(std::memory_order_relaxed), its->bytes, bytes_left)) {
        return Lack::tenant;
      }
      if (lacks_level(*its, demand.level)) lack = Lack::level;
    }
    return lack;
  }

  /// Takes room that is not there, so that nobody else takes what comes free for it. What has to leave;
  /// if it does not, `give_back`.
  Shortage take_by_force(const Demand& demand) noexcept {
    queued_.fetch_add(demand.count, std::memory_order_seq_cst);
    bytes_.fetch_add(demand.bytes, std::memory_order_seq_cst);
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      its->room->count.fetch_add(its->count, std::memory_order_relaxed);
      its->room->bytes.fetch_add(its->bytes, std::memory_order_relaxed);
      if (demand.level != kNoCount) {
        its->room->level(demand.level).queued.fetch_add(its->count, std::memory_order_relaxed);
      }
    }
    return shortage(demand);
  }

  /// `leave` comes first.
  void give_back(std::size_t count, std::size_t bytes) noexcept {
    queued_.fetch_sub(count, std::memory_order_relaxed);
    if (bytes > 0) bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  /// A request leaves its tenant, null without one, and its level, kNoCount without one. Before
  /// `give_back`, so that whoever finds room in the queue finds it there too.
  void leave(TenantRoom* tenant, std::size_t level, std::size_t bytes) noexcept {
    if (tenant == nullptr && level == kNoCount) return;
    take_off(tenant == nullptr ? own_ : *tenant, level, 1, bytes);
  }

  /// What has been reserved is not used.
  void give_back(const Demand& demand) noexcept {
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      take_off(*its->room, demand.level, its->count, its->bytes);
    }
    give_back(demand.count, demand.bytes);
  }

  /// From now on nothing can be reserved. What has been reserved before is still handed over, so that
  /// no refusal comes after an argument was moved: the dispatcher waits for it.
  void close() noexcept { queued_.fetch_or(kClosed, std::memory_order_relaxed); }
  bool closed() const noexcept { return queued_.load(std::memory_order_relaxed) >= kClosed; }

  // Sequentially consistent, with `add` and the retreat of `reserve_first`: either the one who retreats
  // sees that somebody waits, or that one sees the room.

  /// Somebody waits.
  void begin_waiting(const Demand& demand, Lack lack) noexcept {
    count_alone(demand, lack, 1);
    waiting_.fetch_add(waiters(lack), std::memory_order_seq_cst);
  }
  void end_waiting(const Demand& demand, Lack lack) noexcept {
    waiting_.fetch_sub(waiters(lack), std::memory_order_relaxed);
    count_alone(demand, lack, kNoCount);
  }

  /// What one of them lacks has changed.
  void change_lack(const Demand& demand, Lack from, Lack to) noexcept {
    if (from == to) return;
    begin_waiting(demand, to);
    end_waiting(demand, from);
  }

  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed) % kClosed; }
  std::size_t waiting() const noexcept {
    return static_cast<std::size_t>(waiting_.load(std::memory_order_seq_cst) % kAlone);
  }

 private:
  static std::size_t over(std::size_t used, std::size_t wanted, std::size_t limit) noexcept {
    if (limit == kNoCount || wanted == 0) return 0;
    return used + wanted > limit ? used + wanted - limit : 0;
  }

  std::size_t times(std::uint32_t share) const noexcept {
    return tenant_room_ > kNoCount / share ? kNoCount : tenant_room_ * share;
  }

  std::size_t level_capacity(std::size_t level) const noexcept {
    return level == kNoCount ? kNoCount : policies_[level].capacity;
  }

  // `taken`: so many of those queued are its own.
  bool lacks_level(const TenantDemand& its, std::size_t level,
                   std::size_t taken = 0) const noexcept {
    return level != kNoCount &&
           over(others(its.room->level(level).queued, taken), its.count, level_capacity(level)) > 0;
  }

  // What is held besides `own`.
  static std::size_t others(const std::atomic<std::size_t>& all, std::size_t own) noexcept {
    return all.load(std::memory_order_relaxed) % kClosed - own;
  }

  // Of a demand that has been taken.
  Shortage shortage(const Demand& demand) const noexcept {
    const std::size_t used = others(queued_, demand.count);
    const std::size_t bytes_used = others(bytes_, demand.bytes);
    Shortage missing{.count = over(used, demand.count, capacity_),
                     .bytes = over(bytes_used, demand.bytes, max_bytes_)};
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      if (lacks_level(*its, demand.level, its->count)) missing.other = true;
      const TenantRoom& room = *its->room;
      const std::size_t count = least_to_leave(room, others(room.count, its->count), its->count,
                                               used, demand.count, capacity_);
      const std::size_t bytes = least_to_leave(room, others(room.bytes, its->bytes), its->bytes,
                                               bytes_used, demand.bytes, max_bytes_);
      if (its != demand.tenants && (count > 0 || bytes > 0)) missing.other = true;
      if (its == demand.tenants) {
        missing.count = std::max(missing.count, count);
        missing.bytes = std::max(missing.bytes, bytes);
      }
    }
    return missing;
  }

  // How much of what a tenant holds would have to leave a queue that holds `used`.
  static std::size_t least_to_leave(const TenantRoom& room, std::size_t its, std::size_t wanted,
                                    std::size_t used, std::size_t all_wanted,
                                    std::size_t limit) noexcept {
    const std::size_t held = std::min(its, used);
    std::size_t least = over(used, all_wanted, limit);
    if (limit == kNoCount || least >= held) return least;
    for (std::size_t most = held; least < most;) {
      const std::size_t leaving = least + (most - least) / 2;
      const std::size_t left = limit - (used - leaving) - all_wanted;
      room.may_take(held - leaving, wanted, left) ? most = leaving : least = leaving + 1;
    }
    return least;
  }

  bool is_awaited(const Demand& demand) const noexcept {
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      if (its->room->waiting.load(std::memory_order_relaxed) > 0 ||
          (demand.level != kNoCount &&
           its->room->level(demand.level).waiting.load(std::memory_order_relaxed) > 0)) {
        return true;
      }
    }
    return false;
  }

  static void count_alone(const Demand& demand, Lack lack, std::size_t change) noexcept {
    if (lack == Lack::queue) return;
    for (TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      (lack == Lack::tenant ? its->room->waiting : its->room->level(demand.level).waiting)
          .fetch_add(change, std::memory_order_relaxed);
    }
  }
  static constexpr std::uint64_t waiters(Lack lack) noexcept {
    return lack == Lack::queue ? 1 : 1 + kAlone;
  }

  bool add_tenants(const Demand& demand) noexcept {
    for (const TenantDemand* its = demand.tenants; its != nullptr; its = its->next) {
      if (add_tenant(*its, demand.level)) continue;
      for (const TenantDemand* added = demand.tenants; added != its; added = added->next) {
        take_off(*added->room, demand.level, added->count, added->bytes);
      }
      return false;
    }
    return true;
  }

  // The whole demand has been added to what the queue holds.
  bool add_tenant(const TenantDemand& its, std::size_t level) noexcept {
    TenantRoom& room = *its.room;
    // Somebody may have taken more than there is, by force.
    const std::size_t left = capacity_ - std::min(queued(), capacity_);
    const std::size_t bytes_left =
        max_bytes_ - std::min(bytes_.load(std::memory_order_relaxed), max_bytes_);
    if (!take(room, room.count, its.count, left)) return false;
    if (take(room, room.bytes, its.bytes, bytes_left)) {
      if (level == kNoCount || add(room.level(level).queued, its.count, level_capacity(level))) {
        return true;
      }
      room.bytes.fetch_sub(its.bytes, std::memory_order_relaxed);
    }
    room.count.fetch_sub(its.count, std::memory_order_relaxed);
    return false;
  }

  static bool take(const TenantRoom& room, std::atomic<std::size_t>& held, std::size_t wanted,
                   std::size_t left) noexcept {
    std::size_t seen = held.load(std::memory_order_relaxed);
    do {
      if (!room.may_take(seen, wanted, left)) return false;
    } while (!held.compare_exchange_weak(seen, seen + wanted, std::memory_order_relaxed));
    return true;
  }

  static void take_off(TenantRoom& room, std::size_t level, std::size_t count,
                       std::size_t bytes) noexcept {
    room.count.fetch_sub(count, std::memory_order_relaxed);
    if (bytes > 0) room.bytes.fetch_sub(bytes, std::memory_order_relaxed);
    if (level != kNoCount) room.level(level).queued.fetch_sub(count, std::memory_order_relaxed);
  }

  static bool add(std::atomic<std::size_t>& sum, std::size_t part, std::size_t limit) noexcept {
    std::size_t seen = sum.load(std::memory_order_seq_cst);
    do {
      if (part > limit || seen > limit - part) return false;
    } while (!sum.compare_exchange_weak(seen, seen + part, std::memory_order_relaxed));
    return true;
  }

  // The unit of the upper half of waiting_.
  static constexpr std::uint64_t kAlone = std::uint64_t{1} << 32;
  static constexpr std::size_t kClosed = ~(~std::size_t{0} >> 1);  // The highest bit of queued_.

  const std::size_t capacity_;
  const std::size_t max_bytes_;
  const std::size_t tenant_room_;
  const std::vector<QueuePolicy> policies_;
  TenantRoom own_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::uint64_t> waiting_{
      0};  // How many, and of them how many for a tenant or level alone.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ADMISSION_HPP
