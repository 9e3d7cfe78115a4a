// SPDX-License-Identifier: MIT
// expect-error: this predictor fits no form. Write one of
#include <batchwright/batchwright.hpp>

#include <span>
#include <vector>

// A predictor takes a batch, not one input.
#ifdef BATCHWRIGHT_EXPECT_ERROR
batchwright::DynamicBatcher<int, int> batcher([](int input) { return input * 2; });
#else
batchwright::DynamicBatcher<int, int> batcher([](std::span<const int> inputs) {
  return std::vector<int>(inputs.begin(), inputs.end());
});
#endif
