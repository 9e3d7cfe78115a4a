// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_RECONFIGURATION_HPP
#define BATCHWRIGHT_RECONFIGURATION_HPP

#include <cstddef>
#include <cstdint>
#include <optional>

namespace batchwright::inline v0_1 {

/// What changes of a running batcher's settings. What is not set stays as it is.
template <class Policy>
struct Reconfiguration {
  /// The new cap: from 1 to the `max_batch_size` of the construction, for which the memory was laid out.
  /// With `allowed_sizes` the largest of them that is not above it acts as the cap. Preferred sizes above it
  /// are set aside meanwhile, and what was accepted and is larger by itself runs alone.
  std::optional<std::size_t> max_batch_size = {};

  /// The new policy. It knows nothing of what the old one learned.
  std::optional<Policy> policy = {};
};

/// The order in which the executors of a batcher change over to another predictor.
enum class ReplaceOrder : std::uint8_t {
  /// The new one is made, and warmed, while the old one is still there: nothing is failed if it cannot
  /// be. There has to be room for both.
  load_first,
  /// The old one is destroyed before the new one is made: for devices that hold one only. Needs
  /// `predictor_per_executor` on both sides; the old factory is called again if the new one throws.
  unload_first,
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_RECONFIGURATION_HPP
