// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_POOLED_HPP
#define BATCHWRIGHT_DETAIL_POOLED_HPP

#include "../errors.hpp"
#include "block_cache.hpp"
#include "pages.hpp"

#include <bit>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define BATCHWRIGHT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BATCHWRIGHT_ASAN 1
#endif
#endif

namespace batchwright::inline v0_1::detail {

// Sizes are rounded up to whole cache lines, so that few pools serve many types; above this they come
// from operator new. So does all for the address sanitizer, which then sees each use of a freed block.
#if defined(BATCHWRIGHT_ASAN) || defined(BATCHWRIGHT_NO_POOL)
inline constexpr std::size_t kLargestPooled = 0;
#else
inline constexpr std::size_t kLargestPooled = 1024;
#endif
constexpr std::size_t pooled_size(std::size_t size) noexcept { return (size + 63) / 64 * 64; }

constexpr bool is_pooled(std::size_t size, std::size_t alignment) noexcept {
  return pooled_size(size) <= kLargestPooled && alignment <= 64;
}

template <std::size_t Size, std::size_t Alignment>
void* pool_allocate() {
  if constexpr (is_pooled(Size, Alignment)) {
    return BlockCache<pooled_size(Size)>::allocate();
  } else if constexpr (Alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return ::operator new(Size, std::align_val_t(Alignment));
  } else {
    return ::operator new(Size);
  }
}

template <std::size_t Size, std::size_t Alignment>
void pool_deallocate(void* memory) noexcept {
  if constexpr (is_pooled(Size, Alignment)) {
    BlockCache<pooled_size(Size)>::deallocate(memory);
  } else if constexpr (Alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(memory, std::align_val_t(Alignment));
  } else {
    ::operator delete(memory);
  }
}

/// What large arrays come from: a C library keeps most of what is freed.
constexpr bool is_paged(std::size_t size) noexcept {
  return kLargestPooled > 0 && size >= (std::size_t{64} << 10);
}

/// A std::allocator over the pools, for the shared state of promises and for tables of keys.
template <class T>
struct PoolAllocator {
  using value_type = T;

  PoolAllocator() noexcept = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) {
    if (n == 1) return static_cast<T*>(pool_allocate<kSize, alignof(T)>());
    if (is_paged(n * kSize)) return static_cast<T*>(SystemPages::map(std::bit_ceil(n * kSize)));
    return static_cast<T*>(::operator new(n* kSize, std::align_val_t(alignof(T))));
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    if (n == 1) return pool_deallocate<kSize, alignof(T)>(memory);
    if (is_paged(n * kSize)) return SystemPages::unmap(memory, std::bit_ceil(n * kSize));
    ::operator delete(memory, std::align_val_t(alignof(T)));
  }

  friend bool operator==(PoolAllocator, PoolAllocator) noexcept { return true; }

 private:
  static constexpr std::size_t kSize =
      sizeof(T);  // NOLINT(bugprone-sizeof-expression): of a pointer
};

/// Gives memory back of a hash table that has grown far beyond what it holds: call it after each removal.
/// Amortized O(1); what it holds stays where it is. Without memory for a smaller table it keeps the large.
template <class Map>
void shrink_to_need(Map& map) noexcept {
  constexpr std::size_t kSmall = 4096;
  if (map.bucket_count() <= kSmall || map.size() >= map.bucket_count() / 16) return;
  guarded([&] { map.rehash(4 * map.size()); }, [](const std::exception_ptr&) {});
}

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

#endif  // BATCHWRIGHT_DETAIL_POOLED_HPP
