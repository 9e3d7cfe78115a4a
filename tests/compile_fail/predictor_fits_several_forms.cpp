// SPDX-License-Identifier: MIT
// expect-error: this predictor fits several forms. Spell the type of its parameter
#include <batchwright/batchwright.hpp>

// `auto` accepts the batch by reference and by value alike.
#ifdef BATCHWRIGHT_EXPECT_ERROR
batchwright::DynamicBatcher<int, int> batcher([](auto&& batch) { static_cast<void>(batch); });
#else
batchwright::DynamicBatcher<int, int> batcher([](batchwright::Batch<int, int>& batch) {
  static_cast<void>(batch);
});
#endif
