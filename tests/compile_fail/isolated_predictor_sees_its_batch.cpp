// SPDX-License-Identifier: MIT
// expect-error: what isolating wraps is run again with the same inputs, so it must not be able to change
#include <batchwright/batchwright.hpp>

// Through its batch a predictor can take the inputs and answer items, before it throws.
using Batch = batchwright::Batch<int, int>;
#ifdef BATCHWRIGHT_EXPECT_ERROR
batchwright::DynamicBatcher<int, int> batcher(batchwright::isolating([](Batch&) {}));
#else
batchwright::DynamicBatcher<int, int> batcher([](Batch&) {});
#endif
