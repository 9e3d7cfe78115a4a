// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_GAUGES_HPP
#define BATCHWRIGHT_DETAIL_GAUGES_HPP

#include "../metrics.hpp"
#include "../policy.hpp"
#include "../shutdown.hpp"

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

/// What a shutdown did since `before`. `abandons`: what is queued still will be answered as stopped.
template <class R, class Totals>
ShutdownReport shutdown_report(const R& runtime, const MetricsSnapshot& before, bool finished,
                               bool abandons, Totals&& totals) noexcept {
  // The counters are read before the gauges: what moves from one to the other meanwhile is in neither,
  // until it is looked at again.
  MetricsSnapshot now = totals();
  for (int look = 0; look < 100 && now.unaccounted() != 0; ++look) {
    runtime.relax();
    now = totals();
  }
  return {.completed = now.completed + now.failed - before.completed - before.failed,
          .abandoned = now.stopped - before.stopped + (abandons ? now.queued : 0),
          .executing = now.executing,
          .finished = finished};
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_GAUGES_HPP
