// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_GAUGES_HPP
#define BATCHWRIGHT_DETAIL_GAUGES_HPP

#include "../metrics.hpp"
#include "../policy.hpp"

#include <chrono>

namespace batchwright::inline v0_1::detail {

inline Duration age(TimePoint since, TimePoint now) noexcept {
  return since < now ? Duration(now - since) : Duration::zero();
}

/// What a batcher holds at this moment.
template <class Admission, class Answering, class Dispatcher>
void read_gauges(MetricsSnapshot& metrics, const Admission& admission, const Answering& answering,
                 const Dispatcher& dispatcher) noexcept {
  metrics.queued = admission.queued();
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
