// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_ALLOCATIONS_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_ALLOCATIONS_HPP

#include "sanitizers.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// Counts every allocation of the program. To be included in one file of a program only: it replaces
// the global operators new and delete.

namespace batchwright_test {

/// Clang's thread sanitizer brings operators of its own, which no program can replace: there the counts
/// stay at zero.
#if defined(__clang__) && defined(BATCHWRIGHT_TEST_THREAD_SANITIZER)
#define BATCHWRIGHT_TEST_KEEPS_NEW 1
inline constexpr bool kCountsAllocations = false;
#else
inline constexpr bool kCountsAllocations = true;
#endif

inline std::atomic<std::uint64_t> allocations_made{0};
inline std::atomic<std::uint64_t> allocations_freed{0};

/// Allocations that have not been freed.
inline std::int64_t allocations_live() {
  return static_cast<std::int64_t>(allocations_made.load() - allocations_freed.load());
}

/// Allocations since this was made.
class AllocationCount {
 public:
  std::uint64_t operator()() const { return allocations_made.load() - before_; }

 private:
  std::uint64_t before_ = allocations_made.load();
};

inline void* count_allocation(std::size_t size, std::size_t alignment) noexcept {
  allocations_made.fetch_add(1, std::memory_order_relaxed);
  if (size == 0) size = 1;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

inline void count_deallocation(void* memory) noexcept {
  if (memory == nullptr) return;
  allocations_freed.fetch_add(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace batchwright_test

#ifndef BATCHWRIGHT_TEST_KEEPS_NEW

// GCC takes what it can see of these for a mismatch of new and free.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void* operator new(std::size_t size) {
  void* const memory = batchwright_test::count_allocation(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* const memory =
      batchwright_test::count_allocation(size, static_cast<std::size_t>(alignment));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return batchwright_test::count_allocation(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void operator delete(void* memory) noexcept { batchwright_test::count_deallocation(memory); }
void operator delete(void* memory, std::size_t) noexcept {
  batchwright_test::count_deallocation(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  batchwright_test::count_deallocation(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  batchwright_test::count_deallocation(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  batchwright_test::count_deallocation(memory);
}

#endif  // BATCHWRIGHT_TEST_KEEPS_NEW

#endif  // BATCHWRIGHT_TESTS_SUPPORT_ALLOCATIONS_HPP
