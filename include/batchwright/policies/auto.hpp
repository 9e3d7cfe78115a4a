// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_AUTO_HPP
#define BATCHWRIGHT_POLICIES_AUTO_HPP

#include "../detail/auto/rule.hpp"
#include "../policy.hpp"
#include "settings.hpp"

#include <string>

namespace batchwright::inline v0_1 {

/// Nothing to set, or one objective. While it runs it learns how long a batch of each size takes, who
/// sends (independent callers, a clock, or a fixed number who wait for their answers) and how often, and
/// does what that makes the mean latency least: goes at once; waits for the next one; waits for the
/// callers that are about to come back; takes a part of the queue; or holds a batch to keep the
/// dispatches to several executors apart. Each batch says which, as its ReleaseReason.
///
/// With an objective it answers as many as it can within it instead: requests that would make others
/// late end early, as `Outcome::would_expire`.
///
/// Latency bound: it waits for company at most as long as a batch of what is queued takes, and where the
/// predictor is asynchronous besides until a batch in flight has ended, or has taken four times as long as
/// expected; never past the last instant at which the objective, or the first request's own deadline, can
/// be met.
///
/// When not to use it: in lanes with keys, because it takes the arrivals of all lanes for those of the
/// one it is asked about; for runs of fewer batches than it takes to learn, some tens; and where a rule
/// that can be told in one sentence is worth more than some percent of latency (GreedyPolicy).
struct AutoPolicy {
  /// Within which answers are worth something, from the call of `submit`. Unset: the mean counts.
  Duration objective = Duration::max();
  /// What it has learned. State, not a setting.
  detail::AutoRule rule = {};

  Decision decide(const QueueView& view) noexcept { return rule.decide(view, objective); }
  void on_arrivals(const ArrivalReport& report) noexcept { rule.on_arrivals(report); }
  void on_batch(const BatchReport& report) noexcept { rule.on_batch(report); }
  PolicyNeeds needs() const noexcept { return {.each_arrival = true}; }

  std::string validate(const PolicyLimits&) const {
    if (objective > Duration::zero()) return {};
    return "AutoPolicy::objective must be above 0, got " + detail::to_text(objective);
  }
};

static_assert(BatchingPolicy<AutoPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_AUTO_HPP
