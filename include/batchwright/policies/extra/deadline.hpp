// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_HPP

#include "../../policy.hpp"
#include "deadline_batch.hpp"

#include <string>

namespace batchwright::inline v0_1 {

/// As soon as an executor is free the largest batch leaves with which the first request in order still
/// meets its deadline, by the measured time of each size.
///
/// Source: Clockwork (Gujarati et al., OSDI 2020, sections 4 and 5): times of a model are predictable,
/// so each size's is measured, the largest size leaves that the most urgent request allows, and what
/// cannot be met any more is never begun. The last part is the batcher's: set
/// `order = QueueOrder::earliest_deadline` and `forecast = Forecast::refuse`; what expires in the queue
/// is dropped by itself.
///
/// Latency bound: as GreedyPolicy's, since it never waits. With enough executors it answers within the
/// deadlines, as far as the times keep within `deviations` of their means.
///
/// When not to use it: without deadlines it is GreedyPolicy, at a higher price. On one executor near its
/// limit every head is urgent, so batches shrink when they should grow, and GreedyPolicy answers more in
/// time; it wins there only where requests come in groups.
struct DeadlinePolicy {
  /// How many deviations of the service time are added to its mean.
  double deviations = 1;

  Decision decide(const QueueView& view) const noexcept {
    return detail::release_by_deadline(view, deviations);
  }

  PolicyNeeds needs() const noexcept { return {.service = true}; }

  std::string validate(const PolicyLimits&) const {
    return detail::check_deviations("DeadlinePolicy::deviations", deviations);
  }
};

static_assert(BatchingPolicy<DeadlinePolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_DEADLINE_HPP
