// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_BATCH_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_BATCH_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace batchwright::inline v0_1::detail {

// What the policies that look at deadlines share.

/// What a batch of `size` should take: straight between the measured means, outside of them on with the
/// line's slope, and so many deviations on top. O(means).
inline Duration expected_time(const ServiceEstimate& service, std::size_t size,
                              double deviations) noexcept {
  const auto x = static_cast<double>(size);
  const double margin = deviations * service.deviation_ns;
  const SizeMean* below = nullptr;
  const SizeMean* above = nullptr;
  for (const SizeMean& mean : service.means) {
    if (mean.size <= x) below = &mean;
    if (mean.size >= x) {
      above = &mean;
      break;
    }
  }
  double ns = service.intercept_ns + service.slope_ns * x;
  if (below != nullptr && above != nullptr) {
    const double span = above->size - below->size;
    const double part = span > 0 ? (x - below->size) / span : 0;
    ns = below->mean_ns + part * (above->mean_ns - below->mean_ns);
  } else if (const SizeMean* const nearest = below != nullptr ? below : above) {
    ns = nearest->mean_ns + service.slope_ns * (x - nearest->size);
  }
  return Duration(static_cast<std::int64_t>(std::max(ns + margin, 0.0)));
}

/// The largest size up to `most` that should take no longer than `budget`; 0 if there is none. It takes
/// the times to grow with the size. O(log most) times of a size.
inline std::size_t largest_within(const ServiceEstimate& service, std::size_t most, Duration budget,
                                  double deviations) noexcept {
  std::size_t low = 0;
  for (std::size_t high = most; low < high;) {
    const std::size_t middle = low + (high - low + 1) / 2;
    if (expected_time(service, middle, deviations) <= budget) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/// Whether there is something to forecast with.
inline bool has_samples(const QueueView& view) noexcept {
  return view.service != nullptr && view.service->samples > 0;
}

/// The largest batch with which the first request in order that can still be met is met. Those before it
/// ride along, because only the scheduler can let a request go, when it expires. All up to the cap where
/// nothing can be met, or nothing has a deadline. O(batch x log batch).
inline Decision release_by_deadline(const QueueView& view, double deviations) noexcept {
  const std::size_t most = std::min(view.size, view.max_batch_size);
  const Decision all = Decision::release(
      most, view.size >= view.max_batch_size ? ReleaseReason::size : ReleaseReason::greedy);
  if (!has_samples(view)) return all;
  QueueCursor cursor = view.queue;
  QueuedRequest request;
  std::size_t needed = 0;
  while (cursor.next(request) && request.deadline != kNever) {
    needed += request.weight;
    if (needed > most) break;
    const std::size_t size =
        largest_within(*view.service, most, request.deadline - view.now, deviations);
    if (size == most) break;
    if (size >= needed) return Decision::release(size, ReleaseReason::deadline);
  }
  return all;
}

inline std::string check_deviations(const char* setting, double deviations) {
  if (deviations >= 0 && deviations <= 100) return {};
  return std::string(setting) + " must be from 0 to 100, got " + std::to_string(deviations);
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_BATCH_HPP
