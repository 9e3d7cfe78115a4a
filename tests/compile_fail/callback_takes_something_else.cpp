// SPDX-License-Identifier: MIT
// expect-error: no matching (member )?function for call to .*submit
#include <batchwright/batchwright.hpp>

#include <string>

// A callback is given a Result: the request may have ended otherwise than with a value.
void submit(batchwright::DynamicBatcher<int, std::string>& batcher) {
#ifdef BATCHWRIGHT_EXPECT_ERROR
  batcher.submit(1, [](std::string label) { static_cast<void>(label); });
#else
  batcher.submit(1, [](batchwright::Result<std::string> label) { static_cast<void>(label); });
#endif
}
