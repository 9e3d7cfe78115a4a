// SPDX-License-Identifier: MIT
// expect-error: Write shared_predictor\(isolating\(p\)\), or return isolating\(p\) from the factory
#include <batchwright/batchwright.hpp>

#include <span>
#include <vector>

using batchwright::isolating;
using batchwright::shared_predictor;

std::vector<int> predict(std::span<const int> inputs) { return {inputs.begin(), inputs.end()}; }

#ifdef BATCHWRIGHT_EXPECT_ERROR
batchwright::DynamicBatcher<int, int> batcher(isolating(shared_predictor(predict)));
#else
batchwright::DynamicBatcher<int, int> batcher(shared_predictor(isolating(predict)));
#endif
