// SPDX-License-Identifier: MIT
// expect-error: what isolating wraps is run again with the same inputs, so it must not be able to change
#include <batchwright/batchwright.hpp>

// A predictor that answers later has failed nobody by returning: there is nothing to run again. It fails
// items one by one itself.
using Batch = batchwright::Batch<int, int>;
#ifdef BATCHWRIGHT_EXPECT_ERROR
batchwright::DynamicBatcher<int, int> batcher(batchwright::isolating([](Batch) {}));
#else
batchwright::DynamicBatcher<int, int> batcher([](Batch) {});
#endif
