// SPDX-License-Identifier: MIT
// expect-error: what isolating wraps is run again with the same inputs, so it must not be able to change
#include <batchwright/batchwright.hpp>

#include <span>

// Writing the results in place is fine, as long as the inputs stay.
#ifdef BATCHWRIGHT_EXPECT_ERROR
using Inputs = std::span<int>;
#else
using Inputs = std::span<const int>;
#endif
batchwright::DynamicBatcher<int, int> batcher(batchwright::isolating([](Inputs, std::span<int>) {
}));
