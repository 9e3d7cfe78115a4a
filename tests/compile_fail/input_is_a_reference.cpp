// SPDX-License-Identifier: MIT
// expect-error: TIn and TOut are values; use a pointer or std::reference_wrapper
#include <batchwright/batchwright.hpp>

#include <functional>
#include <span>
#include <vector>

#ifdef BATCHWRIGHT_EXPECT_ERROR
using Input = int&;
#else
using Input = std::reference_wrapper<int>;
#endif

using Batcher = batchwright::DynamicBatcher<Input, int>;
constexpr auto kSize = sizeof(Batcher);
