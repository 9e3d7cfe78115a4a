// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PAGES_HPP
#define BATCHWRIGHT_DETAIL_PAGES_HPP

#include "../errors.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#define BATCHWRIGHT_MMAP 1
#include <sys/mman.h>
#endif

namespace batchwright::inline v0_1::detail {

/// Memory straight from the system, and straight back to it: a C library keeps most of what is freed.
/// From operator new where there is no mmap. Regions are aligned to their size, a power of two of at
/// least a page.
class SystemPages {
 public:
  /// Throws std::bad_alloc, after the new-handler has tried.
  static void* map(std::size_t size) {
#if defined(BATCHWRIGHT_MMAP)
    void* region = map_aligned(size);
    while (region == nullptr) {
      const std::new_handler handler = std::get_new_handler();
      if (handler == nullptr) raise(std::bad_alloc());
      handler();
      region = map_aligned(size);
    }
#else
    void* const region = ::operator new(size, std::align_val_t(size));
#endif
    mapped_.fetch_add(size, std::memory_order_relaxed);
    return region;
  }

  static void unmap(void* region, std::size_t size) noexcept {
    mapped_.fetch_sub(size, std::memory_order_relaxed);
#if defined(BATCHWRIGHT_MMAP)
    munmap(region, size);
#else
    ::operator delete(region, std::align_val_t(size));
#endif
  }

  /// Bytes that are mapped now, by the whole process.
  static std::size_t mapped() noexcept { return mapped_.load(std::memory_order_relaxed); }

 private:
#if defined(BATCHWRIGHT_MMAP)
  // The system aligns to a page: as much again is mapped, and what sticks out on both sides goes back.
  static void* map_aligned(std::size_t size) noexcept {
    void* const all =
        mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(all);
    const std::size_t before = (0 - reinterpret_cast<std::uintptr_t>(all)) & (size - 1);
    if (before != 0) munmap(begin, before);
    munmap(begin + before + size, size - before);
    return begin + before;
  }
#endif

  static inline std::atomic<std::size_t> mapped_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PAGES_HPP
