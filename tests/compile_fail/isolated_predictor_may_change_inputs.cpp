// SPDX-License-Identifier: MIT
// expect-error: what isolating wraps is run again with the same inputs, so it must not be able to change
#include <batchwright/batchwright.hpp>

#include <span>
#include <vector>

// What has been moved from cannot be run again.
#ifdef BATCHWRIGHT_EXPECT_ERROR
using Inputs = std::span<int>;
#else
using Inputs = std::span<const int>;
#endif
batchwright::DynamicBatcher<int, int> batcher(batchwright::isolating([](Inputs inputs) {
  return std::vector<int>(inputs.begin(), inputs.end());
}));
