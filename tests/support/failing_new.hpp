// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_FAILING_NEW_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_FAILING_NEW_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// Replaces the global operator new of the program that includes it by one that can be told to fail.
// To be included in one source file of a program.
namespace batchwright_test {

/// While one is alive, the n-th allocation of the whole process fails, and if `for_good` all that
/// come after it.
class FailingNew {
 public:
  explicit FailingNew(std::int64_t nth, bool for_good = false) {
    for_good_ = for_good;
    count_ = 0;
    fail_at_ = nth;
  }
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  ~FailingNew() { end(); }

  /// Ends it early. True if an allocation failed.
  bool end() noexcept {
    const std::int64_t nth = fail_at_.exchange(0);
    return nth > 0 && count_ >= nth;
  }

  static std::int64_t allocations() noexcept { return allocations_; }

  static void* allocate(std::size_t size, std::size_t alignment) noexcept {
    ++allocations_;
    if (const std::int64_t nth = fail_at_; nth > 0) {
      const std::int64_t mine = ++count_;
      if (mine == nth || (for_good_ && mine > nth)) return nullptr;
    }
    if (size == 0) size = 1;
    if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }

 private:
  static inline std::atomic<std::int64_t> fail_at_{0};
  static inline std::atomic<std::int64_t> count_{0};
  static inline std::atomic<bool> for_good_{false};
  static inline std::atomic<std::int64_t> allocations_{0};
};

}  // namespace batchwright_test

// Inlined into a caller, GCC takes std::free for a mismatch with the operator new that it sees.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void* operator new(std::size_t size) {
  if (void* const memory = batchwright_test::FailingNew::allocate(size, 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return batchwright_test::FailingNew::allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* const memory =
          batchwright_test::FailingNew::allocate(size, static_cast<std::size_t>(alignment))) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#endif  // BATCHWRIGHT_TESTS_SUPPORT_FAILING_NEW_HPP
