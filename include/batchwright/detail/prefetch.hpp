// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PREFETCH_HPP
#define BATCHWRIGHT_DETAIL_PREFETCH_HPP

namespace batchwright::inline v0_1::detail {

/// Begins to fetch a cache line that will be written. Any address will do.
inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__) && defined(__x86_64__)
  // The built-in fetches it to be read, unless told of a CPU that can do more; a write then waits once
  // more until no other core has it. All these CPUs know this instruction, some do nothing on it.
  asm volatile("prefetchw (%0)" : : "r"(address));
#elif defined(__GNUC__)
  __builtin_prefetch(address, 1);
#else
  static_cast<void>(address);
#endif
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PREFETCH_HPP
