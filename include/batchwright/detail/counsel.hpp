// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_COUNSEL_HPP
#define BATCHWRIGHT_DETAIL_COUNSEL_HPP

#include "../policy.hpp"
#include "arrival_model.hpp"
#include "arrival_news.hpp"
#include "executor_table.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"
#include "service_model.hpp"
#include "size_times.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The policy, and what it is told: of arrivals and batches as they come, and of what has been learned
/// from them when it is asked.
template <BatchingPolicy Policy>
class Counsel {
 public:
  /// `learns`: the service model is wanted, whatever the policy needs.
  Counsel(Policy policy, const SchedulerLimits& limits, bool learns)
      : policy_(std::move(policy)),
        needs_(needs_of(policy_)),
        hears_(hears_arrivals(policy_)),
        learns_(learns),
        service_(limits.max_batch_size),
        times_(limits.fit == FitRule::cheapest ? limits.allowed_sizes
                                               : std::vector<std::size_t>{}) {}

  const Policy& policy() const noexcept { return policy_; }
  const PolicyNeeds& needs() const noexcept { return needs_; }

  /// From now on this policy decides. It knows nothing of what came before.
  void replace(Policy policy) noexcept {
    policy_ = std::move(policy);
    needs_ = needs_of(policy_);
    hears_ = hears_arrivals(policy_);
  }

  const ServiceModel& service() const noexcept { return service_; }
  const SizeTimes& times() const noexcept { return times_; }

  /// What was measured means nothing any more.
  void forget_service() noexcept {
    service_.reset();
    times_.reset();
  }

  bool learns_service() const noexcept { return learns_ || needs_.service; }

  void arrived(const RequestHeader& request) noexcept {
    if (needs_.arrivals) arrivals_.observe(request.enqueued);
    if (hears_) news_.note(policy_, request, needs_.each_arrival);
  }

  void finished(const BatchReport& report) noexcept {
    if (learns_service() && !report.failed) {
      service_.observe(report.size, report.service_time());
      times_.observe(std::max(report.size, report.padded_size), report.service_time());
    }
    if constexpr (HearsBatches<Policy>) policy_.on_batch(report);
  }

  /// Of what came, before it is asked.
  void tell() noexcept { news_.tell(policy_); }

  /// Fills in what a view says beside the queue, and has the policy decide.
  Decision ask(QueueView& view, std::size_t cap, const ExecutorTable& executors) noexcept {
    view.max_batch_size = cap;
    view.executors = executors.count();
    // One at least: where executors are leased the policy is asked before.
    view.free_executors = std::max<std::size_t>(executors.available(), 1);
    view.running = executors.running();
    if (needs_.service) {
      service_estimate_ = service_.estimate();
      view.service = &service_estimate_;
    }
    if (needs_.arrivals) {
      arrival_estimate_ = arrivals_.estimate();
      view.arrivals = &arrival_estimate_;
    }
    return policy_.decide(view);
  }

 private:
  Policy policy_;
  PolicyNeeds needs_;
  bool hears_;  // Of arrivals.
  const bool learns_;
  ServiceModel service_;
  SizeTimes times_;  // Where somebody chooses by them.
  ArrivalModel arrivals_;
  ServiceEstimate service_estimate_;
  ArrivalEstimate arrival_estimate_;
  ArrivalNews<Policy> news_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_COUNSEL_HPP
