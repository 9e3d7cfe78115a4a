// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BATCH_INFO_HPP
#define BATCHWRIGHT_BATCH_INFO_HPP

#include "detail/stop_token.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {

namespace detail {
/// An address that stands for a type.
template <class T>
inline constexpr char kTypeMark = 0;

/// A lane's key without its type.
struct LaneKey {
  const void* value = nullptr;
  const void* type = nullptr;
};
}  // namespace detail

/// What a predictor may know of its batch, as a trailing parameter `const BatchInfo&`.
struct BatchInfo {
  std::uint64_t batch_id = 0;  ///< From 1, in the order of dispatch.
  std::size_t count = 0;       ///< Requests in it, in this run.
  std::size_t size = 0;  ///< What the cap counts: their weight, `count` unless told otherwise.
  std::size_t padded_size = 0;  ///< The allowed size to run the model with; at least `size`.
  std::size_t executor = 0;     ///< Which executor runs it, from 0.
  std::size_t attempt = 1;      ///< 1 unless it is run again, in parts (see `isolating`).
  /// Requested when nobody waits for the results any more: every request of the batch has been
  /// cancelled or has passed its deadline since, or a shutdown has given up. Of those whom a predictor
  /// answers one by one nothing is known here: they count as waiting until the batch ends.
  StopToken stop;

  /// The key that all its requests have in common, in the type that the lane function returns (without
  /// reference); null if there is none, or none of that type. Valid during the call.
  template <class Key>
  const Key* lane() const noexcept {
    return lane_key.type == &detail::kTypeMark<Key> ? static_cast<const Key*>(lane_key.value)
                                                    : nullptr;
  }

  detail::LaneKey lane_key;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_BATCH_INFO_HPP
