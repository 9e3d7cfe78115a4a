// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP
#define BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP

#include "pages.hpp"
#include "parking.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <thread>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What is common to the pools: they are linked, so that a forked child can put them in order.
class PoolBase {
 public:
  /// For a forked child, in which the thread that held a pool's lock does not exist: opens the locks and
  /// forgets the lists, which may be half changed. The blocks in them are lost to the child.
  static void recover_after_fork() noexcept {
    for (PoolBase* pool = first_.load(std::memory_order_acquire); pool != nullptr;
         pool = pool->next_) {
      pool->recover();
    }
  }

  /// Counts how often one of them has come to need no more than half of what it needed for a spike.
  static unsigned shrunk() noexcept { return shrunk_.load(std::memory_order_relaxed); }

 protected:
  static void note_shrunk() noexcept { shrunk_.fetch_add(1, std::memory_order_relaxed); }

  PoolBase() noexcept {
    next_ = first_.load(std::memory_order_relaxed);
    while (!first_.compare_exchange_weak(next_, this, std::memory_order_release,
                                         std::memory_order_relaxed)) {
    }
  }
  ~PoolBase() = default;
  virtual void recover() noexcept = 0;

 private:
  static inline std::atomic<PoolBase*> first_{nullptr};
  static inline std::atomic<unsigned> shrunk_{0};
  PoolBase* next_;
};

/// Recycles blocks of one size: requests, tickets, promise states. In steady state nothing is
/// allocated; what a spike needed is given back while the use falls. One pool per size for the whole
/// process, never destroyed, because futures may outlive every batcher and static destruction.
///
/// Blocks come in slabs of pages. The blocks of one slab are used before those of the next, so that
/// slabs run empty after a spike, and an empty slab goes back to the system. What threads exchange in
/// bundles, see BlockCache, passes by the slabs as long as it is but a few.
template <std::size_t Size, class Pages = SystemPages>
class BlockPool final : public PoolBase {
 public:
  static BlockPool& instance() {
    static BlockPool* const kPool = new BlockPool;
    return *kPool;
  }

  /// Throws std::bad_alloc.
  void* allocate() {
    {
      const Guard guard(lock_);
      if (!open_.empty()) return take();
    }
    void* const pages = Pages::map(kSlabSize);  // Not under the lock: this may take long, or throw.
    const Guard guard(lock_);
    open_.push_front(*new (pages) Slab(generation_));
    ++slabs_;
    return take();
  }

  void deallocate(void* memory) noexcept {
    Slab* surplus = nullptr;
    {
      const Guard guard(lock_);
      look_at_need(1, surplus);
      put(memory, surplus);
    }
    unmap(surplus);
  }

  /// So many blocks go from thread to thread at once.
  static constexpr std::size_t kBundle = 16;

  /// Writes up to kBundle blocks, and at least one, and returns how many. Throws std::bad_alloc.
  std::size_t allocate_bundle(void** blocks) {
    std::size_t count = 0;
    {
      const Guard guard(lock_);
      if (bundles_ > 0) {
        --bundles_;
        std::copy_n(bundle(bundles_), kBundle, blocks);
        return kBundle;
      }
      while (count < kBundle && !open_.empty()) blocks[count++] = take();
    }
    if (count == 0) blocks[count++] = allocate();
    return count;
  }

  /// Takes kBundle blocks.
  void deallocate_bundle(void** blocks) noexcept {
    Slab* surplus = nullptr;
    {
      const Guard guard(lock_);
      look_at_need(kBundle, surplus);
      if (bundles_ == kMostBundles) put_oldest_bundle(surplus);
      std::copy_n(blocks, kBundle, bundle(bundles_));
      ++bundles_;
      take_surplus(surplus);
    }
    unmap(surplus);
  }

 private:
  struct Block {
    Block* next;
  };

  struct Slab {
    explicit Slab(unsigned pool_generation) noexcept : generation(pool_generation) {}

    bool full() const noexcept { return used == kSlabBlocks; }

    // Needs !full(). A block that was in use comes before one whose pages were never touched.
    void* take() noexcept {
      ++used;
      if (free == nullptr) return reinterpret_cast<std::byte*>(this) + kHeader + touched++ * Size;
      Block* const block = free;
      free = block->next;
      return block;
    }

    void put(void* memory) noexcept {
      --used;
      free = new (memory) Block{free};
    }

    Slab* previous = nullptr;
    Slab* next = nullptr;
    Block* free = nullptr;
    std::size_t used = 0;
    std::size_t touched = 0;  // Blocks that were ever in use.
    unsigned generation;
  };

  // The slabs that have a free block: first those to be used first, last those that are empty.
  class SlabList {
   public:
    bool empty() const noexcept { return front_ == nullptr; }
    Slab& front() const noexcept { return *front_; }
    Slab& back() const noexcept { return *back_; }

    void push_front(Slab& slab) noexcept {
      slab.next = front_;
      (front_ != nullptr ? front_->previous : back_) = &slab;
      front_ = &slab;
    }
    void push_back(Slab& slab) noexcept {
      slab.previous = back_;
      (back_ != nullptr ? back_->next : front_) = &slab;
      back_ = &slab;
    }
    void erase(Slab& slab) noexcept {
      (slab.previous != nullptr ? slab.previous->next : front_) = slab.next;
      (slab.next != nullptr ? slab.next->previous : back_) = slab.previous;
      slab.previous = slab.next = nullptr;
    }
    void move_to_back(Slab& slab) noexcept {
      erase(slab);
      push_back(slab);
    }

   private:
    Slab* front_ = nullptr;
    Slab* back_ = nullptr;
  };

  static Slab& slab_of(void* block) noexcept {
    const std::size_t offset = reinterpret_cast<std::uintptr_t>(block) & (kSlabSize - 1);
    return *reinterpret_cast<Slab*>(static_cast<std::byte*>(block) - offset);
  }

  void put(void* memory, Slab*& surplus) noexcept {
    Slab& slab = slab_of(memory);
    if (slab.generation != generation_) return;
    --used_;
    if (slab.full()) open_.push_front(slab);
    slab.put(memory);
    if (slab.used == 0) open_.move_to_back(slab);
    take_surplus(surplus);
  }

  void put_oldest_bundle(Slab*& surplus) noexcept {
    std::for_each_n(bundle(0), kBundle, [&](void* memory) { put(memory, surplus); });
    first_bundle_ = (first_bundle_ + 1) % kMostBundles;
    --bundles_;
  }

  // Pushes a slab that is not needed any more, if there is one: no call takes long.
  void take_surplus(Slab*& surplus) noexcept {
    if (open_.empty() || open_.back().used != 0) return;
    if ((slabs_ - 1) * kSlabBlocks < keep_) return;
    Slab& unused = open_.back();
    open_.erase(unused);
    --slabs_;
    unused.next = std::exchange(surplus, &unused);
  }

  // Not under the lock: it may take long.
  static void unmap(Slab* surplus) noexcept {
    while (surplus != nullptr) Pages::unmap(std::exchange(surplus, surplus->next), kSlabSize);
  }

  void** bundle(std::size_t index) noexcept {
    return depot_ + (first_bundle_ + index) % kMostBundles * kBundle;
  }

  void* take() noexcept {
    Slab& slab = open_.front();
    void* const block = slab.take();
    if (slab.full()) open_.erase(slab);
    peak_ = std::max(peak_, ++used_);
    return block;
  }

  // Each epoch anew: kept is what this epoch and the one before needed. Pushes slabs as `put` does.
  void look_at_need(std::size_t freed, Slab*& surplus) noexcept {
    freed_ += freed;
    if (freed_ < kEpoch) return;
    freed_ = 0;
    keep_ = std::max(peak_, last_peak_);
    last_peak_ = std::exchange(peak_, used_);
    most_kept_ = std::max(most_kept_, keep_);
    if (most_kept_ > kSpike && keep_ <= most_kept_ / 2) {
      most_kept_ = keep_;
      note_shrunk();
      // Blocks of a spike that wait there would keep their slabs.
      while (bundles_ > 0) put_oldest_bundle(surplus);
    }
  }

  // The slabs of before are let be: a call may have left their lists half changed.
  void recover() noexcept override {
    open_ = {};
    slabs_ = used_ = peak_ = last_peak_ = bundles_ = 0;
    ++generation_;
    lock_.store(false, std::memory_order_release);
  }

  // A leaf: held for some ten instructions, but when the pool shrinks, over no other lock and no call.
  class Guard {
   public:
    explicit Guard(std::atomic<bool>& flag) noexcept : flag_(flag) {
      for (int spin = 0; flag_.exchange(true, std::memory_order_acquire); ++spin) {
        while (flag_.load(std::memory_order_relaxed)) {
          if (++spin > 64) {
            std::this_thread::yield();
          } else {
            cpu_relax();
          }
        }
      }
    }
    ~Guard() { flag_.store(false, std::memory_order_release); }

   private:
    std::atomic<bool>& flag_;
  };

  static constexpr std::size_t kHeader = 64;  // A cache line for the slab's own.
  static constexpr std::size_t kSlabSize = std::size_t{64} * 1024;
  static constexpr std::size_t kSlabBlocks = (kSlabSize - kHeader) / Size;
  static constexpr std::size_t kEpoch = 1024;  // Frees after which the need is looked at anew.
  static constexpr std::size_t kSpike = 2 * kEpoch;
  static constexpr std::size_t kMostBundles = 4;
  static_assert(Size % alignof(std::max_align_t) == 0 && Size <= kSlabSize / 8);

  std::atomic<bool> lock_{false};
  // Guarded by lock_.
  SlabList open_;
  std::size_t slabs_ = 0;
  std::size_t used_ = 0;       // Blocks.
  std::size_t peak_ = 0;       // Most in use in this epoch,
  std::size_t last_peak_ = 0;  // and in the one before.
  std::size_t keep_ = 1;       // Blocks for which slabs are kept: one slab in any case.
  std::size_t most_kept_ = 0;  // Since it has shrunk.
  std::size_t freed_ = 0;      // In this epoch.
  unsigned generation_ = 0;    // Forks that this process descends from.
  // Bundles on their way from thread to thread, a ring: the newest is used first.
  std::size_t bundles_ = 0;
  std::size_t first_bundle_ = 0;
  void* depot_[kMostBundles * kBundle] = {};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP
