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
  int levels = 1;                 ///< Priorities, in turn.
  bool rarely_urgent = false;     ///< One in a thousand has a priority of its own,
  bool rarely_deadlined = false;  ///< and one a deadline, far away.
  bool flows = false;             ///< They name a lane and a tenant, the same for all.
};

/// The pure scheduler with a queue that stays as long as it is: what leaves in a batch comes back as new
/// requests.
class SchedulerRig {
 public:
  SchedulerRig(const batchwright::detail::SchedulerLimits& limits, const Traffic& traffic)
      : traffic_(traffic), scheduler_({}, limits), requests_(traffic.queued) {
    flow_.tenant = &tenant_;
    flow_.lane = &lane_;
    for (Request& request : requests_) arrive(request);
  }

  /// That many batches, one after the other. Requests dispatched. Profilers look for it by its name.
  [[gnu::noinline]] std::size_t measured_steps(std::size_t batches) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < batches; ++i) {
      now_ += std::chrono::microseconds(10);
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
    ++arrivals_;
    const bool rare = arrivals_ % 1000 == 0;
    request.enqueued = now_;
    request.priority = traffic_.rarely_urgent
                           ? int{rare}
                           : static_cast<int>(arrivals_ % static_cast<unsigned>(traffic_.levels));
    request.deadline =
        traffic_.rarely_deadlined && rare ? now_ + std::chrono::hours(1) : batchwright::kNever;
    request.flow = traffic_.flows ? &flow_ : nullptr;
    scheduler_.arrive(request);
  }

  Traffic traffic_;
  batchwright::detail::Tenant tenant_;
  batchwright::detail::Lane lane_;
  batchwright::detail::Flow flow_;
  batchwright::detail::Scheduler<batchwright::GreedyPolicy> scheduler_;
  std::vector<Request> requests_;
  batchwright::TimePoint now_{std::chrono::seconds(1)};
  std::uint64_t arrivals_ = 0;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_SCHEDULER_RIG_HPP
