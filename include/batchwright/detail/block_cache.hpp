// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BLOCK_CACHE_HPP
#define BATCHWRIGHT_DETAIL_BLOCK_CACHE_HPP

#include "block_pool.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What a thread has at hand of all sizes. One that uses a size no more, or only gives its blocks away,
/// would keep some of a spike for ever, and with each a slab that is empty but for it.
class BlocksAtHand {
 public:
  /// Gives them back if a pool has shrunk since the last time. For the batcher's own threads before they
  /// sleep, which may do nothing else with them; who submits exchanges his with each request.
  static void give_back_old() noexcept {
    const unsigned shrunk = PoolBase::shrunk();
    if (std::exchange(seen_, shrunk) == shrunk) return;
    for (const Size* size = first_; size != nullptr; size = size->next) size->give_back();
  }

 private:
  template <std::size_t, class>
  friend class BlockCache;

  struct Size {
    void (*give_back)() noexcept;
    Size* next;
  };

  static constinit inline thread_local Size* first_ = nullptr;
  static constinit inline thread_local unsigned seen_ = 0;
};

/// A few blocks of a pool at each thread's hand, so that of sixteen requests one takes the pool's lock:
/// a request's blocks are had on one thread and given back on another, and the lock's line would travel
/// between them each time. A thread that ends gives its blocks back; what it uses while it ends, and
/// after that, comes from the pool itself.
template <std::size_t Size, class Pages = SystemPages>
class BlockCache {
 public:
  /// Throws std::bad_alloc.
  static void* allocate() {
    Local& local = local_;
    if (local.count == 0) refill(local);
    return local.blocks[--local.count];
  }

  static void deallocate(void* memory) noexcept {
    Local& local = local_;
    if (local.count == local.capacity && !make_room(local)) {
      return Pool::instance().deallocate(memory);
    }
    local.blocks[local.count++] = memory;
  }

 private:
  using Pool = BlockPool<Size, Pages>;

  static constexpr std::size_t kCapacity = 2 * Pool::kBundle;

  struct Local {
    std::size_t count = 0;
    std::size_t capacity = 0;  // Zero until its end has been seen to, and from then on.
    bool ended = false;
    void* blocks[kCapacity] = {};
  };

  // Another object than the blocks, so that these need neither a guard nor a destructor.
  struct End {
    ~End() {
      give_back();
      local_.capacity = 0;
      local_.ended = true;
    }
  };

  static void give_back() noexcept {
    Local& local = local_;
    while (local.count > 0) Pool::instance().deallocate(local.blocks[--local.count]);
  }

  static void refill(Local& local) {
    if (local.capacity == 0 && !begin(local)) {
      local.blocks[local.count++] = Pool::instance().allocate();
    } else {
      local.count = Pool::instance().allocate_bundle(local.blocks);
    }
  }

  // False if the thread's end has been.
  static bool make_room(Local& local) noexcept {
    if (local.capacity == 0) return begin(local);
    // The older half goes: the newer one is in this core's cache.
    Pool::instance().deallocate_bundle(local.blocks);
    std::copy(local.blocks + Pool::kBundle, local.blocks + local.count, local.blocks);
    local.count -= Pool::kBundle;
    return true;
  }

  static bool begin(Local& local) noexcept {
    if (local.ended) return false;
    static thread_local const End kEnd;
    static_cast<void>(kEnd);
    local.capacity = kCapacity;
    at_hand_.next = std::exchange(BlocksAtHand::first_, &at_hand_);
    return true;
  }

  static constinit inline thread_local Local local_{};
  static constinit inline thread_local BlocksAtHand::Size at_hand_{&give_back, nullptr};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BLOCK_CACHE_HPP
