// SPDX-License-Identifier: MIT
// expect-error: constraints not satisfied
// expect-error: no matching function for call to 'coalesce_by'
#include <batchwright/batchwright.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

using batchwright::coalesce_by;

#ifdef BATCHWRIGHT_EXPECT_ERROR
using Output = std::unique_ptr<int>;
#else
using Output = std::shared_ptr<int>;
#endif

void predict(std::span<const int> inputs, std::span<Output> results) {
  for (std::size_t i = 0; i < inputs.size(); ++i) results[i] = Output(new int(inputs[i]));
}

batchwright::DynamicBatcher<int, Output> batcher(
    predict, {.coalesce = coalesce_by<Output>(std::identity{})});
