// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_ALLOCATIONS_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_ALLOCATIONS_HPP

#include <cstdint>

namespace benchmarks {

/// Whether allocations are counted here: with glibc, in whose place `malloc` and its kin are defined.
extern const bool kAllocationsCounted;

/// Calls of `malloc` and its kin so far, `operator new` among them, by all threads.
std::uint64_t allocations_made() noexcept;

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_ALLOCATIONS_HPP
