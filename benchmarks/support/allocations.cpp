// SPDX-License-Identifier: MIT
#include "allocations.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace benchmarks {
namespace {

// One counter per thread on a line of its own, so that counting costs every implementation the same
// two instructions. The last one is shared by all threads that come after so many others.
constexpr std::uint32_t kCounters = 1 << 16;

struct alignas(64) Counter {
  std::atomic<std::uint64_t> value{0};
};

constinit std::array<Counter, kCounters> counters{};
constinit std::atomic<std::uint32_t> counters_used{0};
constinit thread_local Counter* own_counter = nullptr;

[[maybe_unused]] void count_one() noexcept {
  if (own_counter == nullptr) {
    const std::uint32_t index = counters_used.fetch_add(1, std::memory_order_relaxed);
    own_counter = &counters[std::min(index, kCounters - 1)];
  }
  std::atomic<std::uint64_t>& value = own_counter->value;
  if (own_counter == &counters.back()) {
    value.fetch_add(1, std::memory_order_relaxed);
  } else {
    value.store(value.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

}  // namespace

std::uint64_t allocations_made() noexcept {
  const std::uint32_t used =
      std::min(counters_used.load(std::memory_order_relaxed), std::uint32_t{kCounters});
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < used; ++i) {
    sum += counters[i].value.load(std::memory_order_relaxed);
  }
  return sum;
}

#if defined(__GLIBC__)

const bool kAllocationsCounted = true;

}  // namespace benchmarks

// The names under which glibc has what it calls malloc and so on.
extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t size) {
  benchmarks::count_one();
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  benchmarks::count_one();
  return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
  benchmarks::count_one();
  return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  benchmarks::count_one();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"

#else

const bool kAllocationsCounted = false;

}  // namespace benchmarks

#endif
