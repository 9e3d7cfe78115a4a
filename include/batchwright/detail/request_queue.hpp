// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REQUEST_QUEUE_HPP
#define BATCHWRIGHT_DETAIL_REQUEST_QUEUE_HPP

#include "../policy.hpp"
#include "action.hpp"
#include "backlog.hpp"
#include "batch_cut.hpp"
#include "deadline_heap.hpp"
#include "eviction.hpp"
#include "flow.hpp"
#include "leavers.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Requests from their arrival until they are handed out: those in the backlog, each also by the instant
/// at which something becomes of it, and those that have left it without a batch.
class RequestQueue {
 public:
  explicit RequestQueue(const SchedulerLimits& limits) : backlog_(limits) {}

  Backlog& backlog() noexcept { return backlog_; }
  const Backlog& backlog() const noexcept { return backlog_; }
  const DeadlineHeap& deadlines() const noexcept { return deadlines_; }
  Leavers& leavers() noexcept { return leavers_; }
  const Leavers& leavers() const noexcept { return leavers_; }

  void enter(RequestHeader& request) noexcept {
    backlog_.enter(request);
    deadlines_.insert(request);
  }

  /// One that has its place and does not enter.
  void turn_away(RequestHeader& request) noexcept {
    request.queued = false;
    request.sequence = 0;
    leavers_.hopeless.append(request);
  }

  void cancel(RequestHeader& request) noexcept {
    withdraw(request);
    leavers_.cancelled.append(request);
  }

  /// No action hands it out.
  void withdraw(RequestHeader& request) noexcept {
    if (!request.queued) return leavers_.hopeless.erase(request);
    backlog_.withdraw(request);
    deadlines_.erase(request);
  }

  /// Those that are linked by `next_picked`.
  void withdraw_picked(RequestHeader* first, RequestChain& into) noexcept {
    while (first != nullptr) {
      RequestHeader& request = *std::exchange(first, first->next_picked);
      withdraw(request);
      into.append(request);
    }
  }

  /// As of Scheduler.
  void rerank(RequestHeader& request, const Urgency& urgency) noexcept {
    deadlines_.erase(request);
    request.deadline = request.expiry = kNever;
    backlog_.rerank(request, urgency);
    deadlines_.insert(request);
  }

  /// As of Scheduler.
  bool evict(const Tenant& tenant, std::size_t count, std::size_t bytes, int priority) noexcept {
    RequestHeader* const victim = choose_victims(tenant, count, bytes, priority);
    if (victim == nullptr) return false;
    withdraw_picked(victim, leavers_.evicted);
    return true;
  }

  /// Delays what is to be delayed by now, and takes what has expired.
  RequestChain take_due(TimePoint now) noexcept {
    RequestChain expired;
    while (deadlines_.due(now)) {
      RequestHeader& request = *deadlines_.first();
      if (request.due == request.expires()) {
        withdraw(request);
        expired.append(request);
      } else {
        deadlines_.erase(request);
        backlog_.delay(request);
        deadlines_.insert(request);
      }
    }
    return expired;
  }

  RequestChain take_all() noexcept {
    RequestChain all;
    while (!backlog_.empty()) {
      RequestHeader& request = *backlog_.first_tenant()->ledger.first();
      withdraw(request);
      all.append(request);
    }
    return all;
  }

  /// Takes a batch out, and puts it into the action that runs it.
  void dispatch(const BatchCut::Cut& cut, Action& action) noexcept {
    action.requests = backlog_.dispatch(cut);
    action.requests.each<RequestHeader>([&](RequestHeader& request) {
      deadlines_.erase(request);
      action.oldest = std::min(action.oldest, request.enqueued);
    });
  }

 private:
  Backlog backlog_;
  DeadlineHeap deadlines_;
  Leavers leavers_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REQUEST_QUEUE_HPP
