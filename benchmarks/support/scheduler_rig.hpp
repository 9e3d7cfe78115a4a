// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_SCHEDULER_RIG_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_SCHEDULER_RIG_HPP

#include <batchwright/detail/scheduler.hpp>
#include <batchwright/policies/greedy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace benchmarks {

/// What the requests of a SchedulerRig are like.
struct Traffic {
  std::size_t queued = 1000;
  int levels = 1;       ///< Priorities, in turn.
  bool flows = false;   ///< They name a lane and a tenant, the same for all.
  bool sticky = false;  ///< The lane has an executor of its own.

  // What one in a thousand has.
  bool rarely_urgent = false;     ///< A priority of its own.
  bool rarely_deadlined = false;  ///< A deadline, far away.
  bool rarely_delayed = false;    ///< A timeout, far away, which delays it.
  bool rarely_heavy = false;      ///< The weight 2.
  bool rarely_shared = false;     ///< Others who wait for its answer.
};

/// The pure scheduler with a queue that stays as long as it is: what leaves in a batch comes back as new
/// requests.
class SchedulerRig {
 public:
  SchedulerRig(const batchwright::detail::SchedulerLimits& limits, const Traffic& traffic)
      : traffic_(traffic), scheduler_({}, limits), requests_(traffic.queued) {
    flow_.tenant = &tenant_;
    flow_.lane = &lane_;
    if (traffic.sticky) lane_.executor = 0;
    for (Request& request : requests_) {
      if (traffic.flows) request.flow = &flow_;
      arrive(request);
    }
  }

  /// That many batches, one after the other. Requests dispatched. Profilers look for it by its name.
  [[gnu::noinline]] std::size_t measured_steps(std::size_t batches) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < batches; ++i) {
      now_ += std::chrono::microseconds(10);
      if (scheduler_.limits().leased_executors) scheduler_.executors().grant(0);
      const auto action = scheduler_.next(now_);
      if (action.kind != batchwright::detail::Action::Kind::dispatch) return 0;
      count += action.requests.count;
      Request* request = action.requests.first;
      while (request != nullptr) {
        Request& again = *request;
        request = batchwright::detail::RequestChain::next(again);
        arrive(again);
      }
      scheduler_.report({.batch_id = action.batch_id,
                         .executor = action.executor,
                         .size = action.size,
                         .count = action.requests.count,
                         .oldest = action.oldest,
                         .dispatched = now_,
                         .started = now_,
                         .finished = now_});
      scheduler_.vacate(action.executor);
    }
    return count;
  }

 private:
  using Request = batchwright::detail::RequestHeader;

  void arrive(Request& request) {
    request.enqueued = now_;
    if (traffic_.levels > 1) {
      request.priority = turn_;
      turn_ = turn_ + 1 == traffic_.levels ? 0 : turn_ + 1;
    }
    if (&request == rare_) become_plain(request);
    if (--until_rare_ == 0) become_rare(request);
    scheduler_.arrive(request);
  }

  [[gnu::noinline]] void become_rare(Request& request) {
    const batchwright::TimePoint far = now_ + std::chrono::hours(1);
    until_rare_ = 1000;
    rare_ = &request;
    if (traffic_.rarely_urgent) request.priority = 1;
    if (traffic_.rarely_deadlined) request.deadline = far;
    if (traffic_.rarely_delayed) request.delay_at = far;
    if (traffic_.rarely_heavy) request.weight = 2;
    request.shared = traffic_.rarely_shared;
    request.latest = batchwright::kNever;
  }

  [[gnu::noinline]] void become_plain(Request& request) {
    rare_ = nullptr;
    request.priority = 0;
    request.deadline = request.delay_at = batchwright::kNever;
    request.weight = 1;
    request.shared = false;
  }

  Traffic traffic_;
  batchwright::detail::Tenant tenant_;
  batchwright::detail::Lane lane_;
  batchwright::detail::Flow flow_;
  batchwright::detail::Scheduler<batchwright::GreedyPolicy> scheduler_;
  std::vector<Request> requests_;
  batchwright::TimePoint now_{std::chrono::seconds(1)};
  Request* rare_ = nullptr;
  int until_rare_ = 1000;
  int turn_ = 0;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_SCHEDULER_RIG_HPP
