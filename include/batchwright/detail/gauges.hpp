// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_GAUGES_HPP
#define BATCHWRIGHT_DETAIL_GAUGES_HPP

#include "../metrics.hpp"
#include "../policy.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace batchwright::inline v0_1::detail {

inline Duration age(TimePoint since, TimePoint now) noexcept {
  return since < now ? Duration(now - since) : Duration::zero();
}

/// What a batcher holds at this moment.
template <class Admission, class Answering, class Dispatcher>
void read_gauges(MetricsSnapshot& metrics, const Admission& admission, const Answering& answering,
                 const Dispatcher& dispatcher) noexcept {
  // Riders hold room in the queue, and count as executing.
  const std::size_t riding = answering.riding();
  const std::size_t admitted = admission.queued();
  metrics.queued = admitted - std::min(riding, admitted);
  metrics.executing = answering.executing();
  metrics.executing_batches = answering.executing_batches();
  metrics.blocked = admission.waiting();
  metrics.oldest_queued_age =
      metrics.queued > 0 ? age(dispatcher.oldest_queued(), metrics.taken_at) : Duration{};
  metrics.oldest_executing_age = metrics.executing_batches > 0
                                     ? age(dispatcher.oldest_running(), metrics.taken_at)
                                     : Duration{};
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_GAUGES_HPP
