// SPDX-License-Identifier: MIT
// expect-error: constraints not satisfied
// expect-error: does not satisfy 'BatchingPolicy'
#include <batchwright/batchwright.hpp>

#include <memory>

// A policy is a value: the batcher copies it.
struct Policy {
#ifdef BATCHWRIGHT_EXPECT_ERROR
  std::unique_ptr<int> size;
#else
  std::shared_ptr<int> size;
#endif
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::release(view.size, batchwright::ReleaseReason::greedy);
  }
};

using Batcher = batchwright::BasicDynamicBatcher<int, int, Policy>;
constexpr auto kSize = sizeof(Batcher);
