// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BATCH_INFO_HPP
#define BATCHWRIGHT_BATCH_INFO_HPP

#include "detail/stop_token.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {

/// What a predictor may know of its batch, as a trailing parameter `const BatchInfo&`.
struct BatchInfo {
  std::uint64_t batch_id = 0;   ///< From 1, in the order of dispatch.
  std::size_t size = 0;         ///< Rows of input.
  std::size_t padded_size = 0;  ///< Rows that the model should be run with; at least `size`.
  std::size_t executor = 0;     ///< Which executor runs it, from 0.
  std::size_t attempt = 1;      ///< 1 unless the batch is run again.
  /// Requested when nobody waits for the results any more: every request of the batch has been
  /// cancelled or has passed its deadline since, or a shutdown has given up.
  StopToken stop;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_BATCH_INFO_HPP
