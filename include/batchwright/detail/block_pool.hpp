// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP
#define BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP

#include "parking.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <thread>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define BATCHWRIGHT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BATCHWRIGHT_ASAN 1
#endif
#endif
#if defined(BATCHWRIGHT_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace batchwright::inline v0_1::detail {

// The address sanitizer takes a block in a pool for one in use, unless it is told.
inline void hide_block([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) noexcept {
#if defined(BATCHWRIGHT_ASAN)
  ASAN_POISON_MEMORY_REGION(memory, size);
#endif
}
inline void show_block([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) noexcept {
#if defined(BATCHWRIGHT_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(memory, size);
#endif
}

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

 protected:
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
  PoolBase* next_;
};

/// Recycles blocks of one size: requests, tickets, promise states. In steady state nothing is
/// allocated; what a spike needed is given back while the use falls. One pool per size for the whole
/// process, never destroyed, because futures may outlive every batcher and static destruction.
template <std::size_t Size>
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
      peak_ = std::max(peak_, ++used_);
      if (free_ != nullptr) {
        --spare_;
        return take();
      }
    }
    void* const block = ::operator new(Size, std::nothrow);
    if (block == nullptr) {
      {
        const Guard guard(lock_);
        --used_;
      }
      return ::operator new(Size);  // Lets the new-handler try, and throws.
    }
    return block;
  }

  void deallocate(void* memory) noexcept {
    Block* surplus = nullptr;
    {
      const Guard guard(lock_);
      --used_;
      if (++freed_ == kEpoch) {
        freed_ = 0;
        keep_ = std::max(peak_, last_peak_) + kMinimum;
        last_peak_ = std::exchange(peak_, used_);
      }
      free_ = new (memory) Block{free_};
      hide_block(free_ + 1, Size - sizeof(Block));  // The leak check follows the link.
      ++spare_;
      // Two at a time: the pool shrinks faster than blocks come back, and no call takes long.
      for (int i = 0; i < 2 && spare_ > 0 && used_ + spare_ > keep_; ++i) {
        Block* const block = take();
        --spare_;
        block->next = surplus;
        surplus = block;
      }
    }
    while (surplus != nullptr) ::operator delete(std::exchange(surplus, surplus->next));
  }

 private:
  void recover() noexcept override {
    free_ = nullptr;
    spare_ = 0;
    lock_.store(false, std::memory_order_release);
  }

  struct Block {
    Block* next;
  };

  Block* take() noexcept {
    Block* const block = free_;
    show_block(block, Size);
    free_ = block->next;
    return block;
  }

  // A leaf: held for some ten instructions, over no other lock and no call.
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

  static constexpr std::size_t kEpoch = 4096;   // Frees after which the need is looked at anew.
  static constexpr std::size_t kMinimum = 256;  // Kept in any case.

  std::atomic<bool> lock_{false};
  // Guarded by lock_.
  Block* free_ = nullptr;
  std::size_t spare_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;       // Most in use in this epoch,
  std::size_t last_peak_ = 0;  // and in the one before.
  std::size_t keep_ = kEpoch;  // Used and spare blocks together that are kept.
  std::size_t freed_ = 0;
};

// Sizes are rounded up to whole cache lines, so that few pools serve many types; above this they come
// from operator new.
inline constexpr std::size_t kLargestPooled = 1024;
constexpr std::size_t pooled_size(std::size_t size) noexcept { return (size + 63) / 64 * 64; }

template <std::size_t Size, std::size_t Alignment>
void* pool_allocate() {
  if constexpr (Alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return ::operator new(Size, std::align_val_t(Alignment));
  } else if constexpr (pooled_size(Size) > kLargestPooled) {
    return ::operator new(Size);
  } else {
    return BlockPool<pooled_size(Size)>::instance().allocate();
  }
}

template <std::size_t Size, std::size_t Alignment>
void pool_deallocate(void* memory) noexcept {
  if constexpr (Alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(memory, std::align_val_t(Alignment));
  } else if constexpr (pooled_size(Size) > kLargestPooled) {
    ::operator delete(memory);
  } else {
    BlockPool<pooled_size(Size)>::instance().deallocate(memory);
  }
}

/// A std::allocator over the pools, for the shared state of promises.
template <class T>
struct PoolAllocator {
  using value_type = T;

  PoolAllocator() noexcept = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) {
    if (n == 1) return static_cast<T*>(pool_allocate<sizeof(T), alignof(T)>());
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(alignof(T))));
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    if (n == 1) return pool_deallocate<sizeof(T), alignof(T)>(memory);
    ::operator delete(memory, std::align_val_t(alignof(T)));
  }

  friend bool operator==(PoolAllocator, PoolAllocator) noexcept { return true; }
};

/// `new` and `delete` of a T in a pool.
template <class T, class... Args>
T* pool_new(Args&&... args) {
  struct Memory {
    void* block = pool_allocate<sizeof(T), alignof(T)>();
    ~Memory() {
      if (block != nullptr) pool_deallocate<sizeof(T), alignof(T)>(block);
    }
  } memory;
  T* const object = new (memory.block) T(std::forward<Args>(args)...);
  memory.block = nullptr;
  return object;
}

template <class T>
void pool_delete(T* object) noexcept {
  object->~T();
  pool_deallocate<sizeof(T), alignof(T)>(object);
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BLOCK_POOL_HPP
