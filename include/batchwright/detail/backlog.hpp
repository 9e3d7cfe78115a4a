// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BACKLOG_HPP
#define BATCHWRIGHT_DETAIL_BACKLOG_HPP

#include "batch_cut.hpp"
#include "fair_share.hpp"
#include "flow.hpp"
#include "lane_agenda.hpp"
#include "lane_turns.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// All that is queued: by tenant, lane, priority, age and order of acceptance at once. It keeps these
/// views of the same requests in step; who goes first by them is LaneOrder's question. Entering and
/// leaving is O(log levels) of the request's flow, with several tenants what LaneTurns costs, and with
/// several lanes what LaneAgenda costs.
class Backlog {
 public:
  explicit Backlog(const SchedulerLimits& limits)
      : order_(limits.order),
        measured_(limits.size_rule == SizeRule::padded),
        weighed_(limits.forecast != Forecast::off),
        keyed_(limits.keyed_lanes),
        plain_(!measured_ && !keyed_),
        bound_(limits.overtaking_bound),
        capacity_(limits.capacity),
        agenda_(limits, shares_) {
    own_flow_.tenant = &own_tenant_;
    own_flow_.lane = &own_lane_;
  }

  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  std::size_t count() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  /// Whether nobody can come: then there is no company to wait for.
  bool full() const noexcept { return count_ + others_ >= capacity_; }
  /// Likewise of the only lane.
  bool waits_in_vain() const noexcept { return full() && !keyed_; }
  /// How many have to come until then, at least 1; kNoCount where that is never.
  std::size_t room() const noexcept {
    if (capacity_ == kNoCount) return kNoCount;
    return capacity_ - std::min(capacity_ - 1, count_ + others_);
  }
  /// So many hold room though they are not queued here.
  void share_room(std::size_t others) noexcept { others_ = others; }

  /// The lanes with something queued, in the order in which they got their first request.
  Lane* first_lane() const noexcept { return lanes_.front(); }
  static Lane* next_lane(const Lane& lane) noexcept { return Lanes::next(lane); }

  /// Likewise the tenants.
  Tenant* first_tenant() const noexcept { return tenants_.front(); }

  const IntrusiveList<&Tenant::in_backlog>& tenants() const noexcept { return tenants_; }

  /// The lane of requests that name no flow.
  Lane& own_lane() noexcept { return own_lane_; }

  /// The tenant of requests that name none.
  Tenant& own_tenant() noexcept { return own_tenant_; }
  const FairShare& shares() const noexcept { return shares_; }

  /// What is known of several lanes: kept up where they come with the requests.
  LaneAgenda& agenda() noexcept { return agenda_; }

  /// The earliest enqueue time; kNever if nothing is queued. Of one lane O(1), else as LaneAgenda::oldest.
  TimePoint oldest() noexcept {
    if (empty()) return kNever;
    const Lane* const lane =
        keyed_ ? agenda_.oldest([](std::size_t) { return true; }) : first_lane();
    return lane->ages.oldest();
  }

  /// Gives a request that comes its place, before it enters or is turned away.
  void place(RequestHeader& request) const noexcept {
    if (request.flow == nullptr) request.flow = const_cast<Flow*>(&own_flow_);
    request.delayed = request.at_bound = false;
    request.order_key = order_key(request.deadline, request);
  }

  void enter(RequestHeader& request) noexcept {
    place(request);
    request.sequence = ++last_sequence_;
    request.queued = true;
    Flow& flow = *request.flow;
    Lane& lane = *flow.lane;
    Tenant& tenant = *flow.tenant;
    tenant.ledger.accept(request);
    if (flow.empty()) {
      flow.queue.remember_in(levels_);
      if (lane.flows.empty()) lanes_.push_back(lane);
      if (tenant.flows.empty()) tenants_.push_back(tenant);
      lane.flows.push_back(flow);
      tenant.flows.push_back(flow);
      turns_.enter(flow);
    }
    if (flow.queue.push(request)) lane.alert = true;
    if (lane.ages.insert(request)) lane.alert = true;
    flow.weight += request.weight;
    ++lane.count;
    lane.weight += request.weight;
    ++count_;
    if (lane.alert) [[unlikely]] {
      index(request);
    }
  }

  /// Takes a batch out, which is dispatched.
  RequestChain dispatch(const BatchCut::Cut& cut) noexcept {
    if (cut.last != nullptr) return dispatch_front(cut);
    RequestChain batch;
    RequestHeader* next = cut.first;
    for (std::size_t taken = 0; taken < cut.count; ++taken) {
      RequestHeader& request = *std::exchange(next, next->next_picked);
      dispatch(request, taken == 0);
      batch.append(request);
    }
    settle(batch);
    return batch;
  }

  /// A request is dispatched as it comes, alone: as `enter` and `dispatch`, where nothing is queued.
  void pass(RequestHeader& request) noexcept {
    place(request);
    request.sequence = ++last_sequence_;
    request.queued = false;
  }

  /// Takes out a request that was dispatched; the first of its batch leads. After the last of a batch
  /// call `settle`.
  void dispatch(RequestHeader& request, bool leads) noexcept {
    Tenant& tenant = *request.flow->tenant;
    if (leads) shares_.lead(tenant);
    shares_.charge(tenant, request.weight);
    tenant.ledger.dispatch(request);
    leave(request);
  }

  /// Takes out a request that was not dispatched.
  void withdraw(RequestHeader& request) noexcept {
    Flow& flow = *request.flow;
    flow.tenant->ledger.withdraw(request);
    leave(request);
    if (keyed_) agenda_.refill(flow);
  }

  /// Looks whom the batch that left has overtaken as often as is allowed.
  void settle(const RequestChain& batch) noexcept {
    if (keyed_) [[unlikely]] {
      refill(batch);
    }
    const Tenant* settled = nullptr;
    for (RequestHeader* one = batch.first; one != nullptr; one = RequestChain::next(*one)) {
      Tenant& tenant = *one->flow->tenant;
      if (&tenant == settled) continue;
      settled = &tenant;
      settle(tenant);
    }
  }

  /// Puts a request behind the others of its priority.
  void delay(RequestHeader& request) noexcept {
    if (!request.at_bound) request.flow->queue.erase(request, weighed_);
    request.delayed = true;
    request.delay_turn = ++last_delay_turn_;
    if (!request.at_bound) request.flow->queue.push(request);
    if (keyed_) agenda_.moved(request);
  }

  /// Gives a request another rank; its age and its order of acceptance stay. O(those of its new level that
  /// came later).
  void rerank(RequestHeader& request, const Urgency& urgency) noexcept {
    if (!request.at_bound) request.flow->queue.erase(request, weighed_);
    request.priority = urgency.priority;
    request.order_key = order_key(urgency.deadline, request);
    request.delayed = request.delayed && request.delay_at == urgency.delay_at;
    request.delay_at = urgency.delay_at;
    if (!request.at_bound) request.flow->queue.insert(request);
    if (keyed_) agenda_.moved(request);
  }

  /// Marks all that is queued: see `Lane::flushed`.
  void flush() noexcept {
    for (Lane* lane = first_lane(); lane != nullptr; lane = Lanes::next(*lane)) {
      lane->flush_mark = last_sequence_;
      lane->flushed = lane->count;
    }
    reconsider();
  }

  /// All lanes have to be judged anew. O(lanes).
  void reconsider() noexcept {
    if (!keyed_) return;
    for (Lane* lane = first_lane(); lane != nullptr; lane = Lanes::next(*lane)) agenda_.note(*lane);
  }

 private:
  using Lanes = IntrusiveList<&Lane::in_backlog>;
  using Tenants = IntrusiveList<&Tenant::in_backlog>;

  std::int64_t order_key(TimePoint deadline, const RequestHeader& request) const noexcept {
    switch (order_) {
      case QueueOrder::earliest_deadline:
        return deadline.time_since_epoch().count();
      case QueueOrder::shortest_first:
        return request.length;
      case QueueOrder::fifo:
        break;
    }
    return 0;
  }

  // What is kept up only where lengths count, or where there may be several lanes. Apart, so that the
  // hot path of one lane stays small.
  void index(RequestHeader& request) noexcept {
    Lane& lane = *request.flow->lane;
    lane.alert = measured_;  // LaneAgenda says when it has to be again.
    if (measured_) lane.lengths.insert(request);
    if (keyed_) agenda_.entered(request);
  }

  void unindex(RequestHeader& request) noexcept {
    if (measured_) request.flow->lane->lengths.erase(request);
    if (keyed_) agenda_.left(request);
  }

  RequestChain dispatch_front(const BatchCut::Cut& cut) noexcept {
    Flow& flow = *cut.first->flow;
    Lane& lane = *flow.lane;
    Tenant& tenant = *flow.tenant;
    shares_.lead(tenant);
    shares_.charge(tenant, static_cast<std::uint32_t>(cut.size));
    if (cut.accepted_first) tenant.ledger.dispatch_front(*cut.last);
    if (cut.oldest) lane.ages.erase_front(*cut.last);
    flow.weight -= cut.size;
    lane.weight -= cut.size;
    lane.count -= cut.count;
    count_ -= cut.count;
    RequestHeader* last = &dispatch_piece(*cut.first, cut);
    while (last != cut.last) {
      RequestHeader& next = *flow.front();
      RequestHeader& end = dispatch_piece(next, cut);
      last->by_rank.next = &next;
      next.by_rank.previous = std::exchange(last, &end);
    }
    if (keyed_) agenda_.head_left(*cut.first);
    if (!cut.accepted_first) settle(tenant);
    if (flow.empty()) close(flow);
    return {.first = cut.first, .last = cut.last, .count = cut.count, .size = cut.size};
  }

  // Takes the first of a flow out, as many as are all at the bound, or of one level. Returns the last.
  RequestHeader& dispatch_piece(RequestHeader& first, const BatchCut::Cut& cut) noexcept {
    Flow& flow = *first.flow;
    Lane& lane = *flow.lane;
    RequestHeader* last = &first;
    last->queued = false;
    while (last != cut.last && last->by_rank.next != nullptr) {
      last = last->by_rank.next;
      last->queued = false;
    }
    if (!cut.accepted_first) {
      for_each_of(first, *last, [&](RequestHeader& one) { flow.tenant->ledger.dispatch(one); });
    }
    if (!cut.oldest) for_each_of(first, *last, [&](RequestHeader& one) { lane.ages.erase(one); });
    // Those at the bound are the first piece: all of it, if it is not the last one.
    if (first.at_bound) lane.bounded = last == cut.last ? lane.bounded - cut.count : 0;
    std::uint64_t weight = 0;
    if (&first == cut.first && last == cut.last) {
      weight = cut.size;
    } else if (weighed_) {
      for_each_of(first, *last, [&](RequestHeader& one) { weight += one.weight; });
    }
    flow.erase_front(*last, weight);
    return *last;
  }

  template <class Visit>
  static void for_each_of(RequestHeader& first, RequestHeader& last, Visit&& visit) noexcept {
    for (RequestHeader* one = &first;; one = one->by_rank.next) {
      visit(*one);
      if (one == &last) return;
    }
  }

  // Its last request has left.
  void close(Flow& flow) noexcept {
    Lane& lane = *flow.lane;
    Tenant& tenant = *flow.tenant;
    lane.flows.erase(flow);
    tenant.flows.erase(flow);
    turns_.leave(flow);
    if (lane.flows.empty()) lanes_.erase(lane);
    if (tenant.flows.empty()) tenants_.erase(tenant);
    if (count_ == 0) shares_.reset();
  }

  void settle(Tenant& tenant) noexcept {
    tenant.ledger.settle(bound_, [this](RequestHeader& request) {
      PriorityQueue::fetch_after_next(request);
      request.flow->queue.erase(request, weighed_);
      request.flow->at_bound.push_back(request);
      request.at_bound = true;
      ++request.flow->lane->bounded;
      if (keyed_) agenda_.moved(request);
    });
  }

  void refill(const RequestChain& batch) noexcept {
    for (RequestHeader* one = batch.first; one != nullptr; one = RequestChain::next(*one)) {
      agenda_.refill(*one->flow);
    }
  }

  void leave(RequestHeader& request) noexcept {
    Flow& flow = *request.flow;
    Lane& lane = *flow.lane;
    if (request.at_bound) {
      flow.at_bound.erase(request);
      --lane.bounded;
    } else {
      flow.queue.erase(request, weighed_);
    }
    flow.weight -= request.weight;
    lane.ages.erase(request);
    if (request.sequence <= lane.flush_mark) --lane.flushed;
    --lane.count;
    --count_;
    lane.weight -= request.weight;
    request.queued = false;
    if (!plain_) [[unlikely]] {
      unindex(request);
    }
    if (flow.empty()) close(flow);
  }

  const QueueOrder order_;
  const bool measured_;  // Whether lengths count.
  const bool weighed_;   // Whether levels are.
  const bool keyed_;     // Whether there may be several lanes.
  const bool plain_;     // Neither.
  const std::uint64_t bound_;
  const std::size_t capacity_;

  Tenant own_tenant_;
  Lane own_lane_;
  Flow own_flow_;
  Lanes lanes_;
  Tenants tenants_;
  LevelTable levels_;
  FairShare shares_;
  LaneTurns turns_{shares_};
  LaneAgenda agenda_;
  std::size_t count_ = 0;
  std::size_t others_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::uint64_t last_delay_turn_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BACKLOG_HPP
