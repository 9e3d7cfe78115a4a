// SPDX-License-Identifier: MIT
// expect-error: is not .*noexcept
// expect-error: may throw an exception
#include <batchwright/batchwright.hpp>

#include <span>
#include <vector>

#ifdef BATCHWRIGHT_EXPECT_ERROR
constexpr bool kQuiet = false;
#else
constexpr bool kQuiet = true;
#endif

// A policy is asked by the dispatcher in the middle of its work: one that may throw is refused, by
// name and by line.
struct Policy {
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept(kQuiet) {
    return batchwright::Decision::release(view.size, batchwright::ReleaseReason::greedy);
  }
};

using Batcher = batchwright::BasicDynamicBatcher<int, int, Policy>;
Batcher batcher([](std::span<const int> inputs) {
  return std::vector<int>(inputs.begin(), inputs.end());
});
