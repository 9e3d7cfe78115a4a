// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_AUTO_HPP
#define BATCHWRIGHT_POLICIES_AUTO_HPP

#include "../detail/auto/rule.hpp"
#include "../policy.hpp"

namespace batchwright::inline v0_1 {

/// Nothing to set: it learns the times of batches, who sends and how often while it runs, and does what
/// is expected to make the mean latency least.
struct AutoPolicy {
  /// What it has learned. State, not a setting.
  detail::AutoRule rule = {};

  Decision decide(const QueueView& view) noexcept { return rule.decide(view); }
  void on_arrivals(const ArrivalReport& report) noexcept { rule.on_arrivals(report); }
  void on_batch(const BatchReport& report) noexcept { rule.on_batch(report); }
  PolicyNeeds needs() const noexcept { return {.each_arrival = true}; }
};

static_assert(BatchingPolicy<AutoPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_AUTO_HPP
