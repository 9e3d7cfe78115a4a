// SPDX-License-Identifier: MIT
// expect-error: constraints not satisfied
// expect-error: does not satisfy 'BatchingPolicy'
#include <batchwright/batchwright.hpp>

// What is optional in a policy must be right where it is there: it is not passed over in silence.
struct Policy {
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::release(view.size, batchwright::ReleaseReason::greedy);
  }
#ifdef BATCHWRIGHT_EXPECT_ERROR
  void on_batch(const batchwright::BatchReport& report) { last = report.size; }
#else
  void on_batch(const batchwright::BatchReport& report) noexcept { last = report.size; }
#endif
  std::size_t last = 0;
};

using Batcher = batchwright::BasicDynamicBatcher<int, int, Policy>;
constexpr auto kSize = sizeof(Batcher);
