// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_AGENDA_HPP
#define BATCHWRIGHT_DETAIL_LANE_AGENDA_HPP

#include "../policy.hpp"
#include "due_flows.hpp"
#include "fair_share.hpp"
#include "flow.hpp"
#include "intrusive_list.hpp"
#include "lane_ages.hpp"
#include "lane_order.hpp"
#include "pairing_heap.hpp"
#include "scheduler_limits.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Which lanes have to be judged, so that a look need not judge them all. A lane that waits is judged
/// again when it has changed, or its instant has come; one that is due, when its turn comes. Until then
/// what was found of it holds, but of a lane that is restless, which is judged at each look.
///
/// It knows their ages, too, for a full queue.
///
/// A lane that is bound to an executor is on that one's page, all others are on a page of their own;
/// pages of occupied executors are left alone. A lane is on its page while something is queued in it.
class LaneAgenda {
 public:
  /// With one lane there is nothing to choose: then it is not in use, and needs no memory.
  LaneAgenda(const SchedulerLimits& limits, const FairShare& shares)
      : pages_(limits.keyed_lanes ? limits.executors + 1 : 0, Page(shares)) {}

  /// The request has entered its flow. As of `moved`, O(1) where its level has others, who are before it.
  void entered(RequestHeader& request) noexcept {
    Lane& lane = *request.flow->lane;
    page_of(lane).ages.entered(lane, request);
    if (!request.heads_level && (lane.due || lane.changed)) return;
    moved(request);
  }

  /// The request has changed its place in its flow. O(1) for a lane that waits; O(log due flows) for a
  /// due one if the flow has another head now.
  void moved(RequestHeader& request) noexcept {
    Flow& flow = *request.flow;
    Lane& lane = *flow.lane;
    if (!lane.due) return page_of(lane).note(lane);
    if (flow.head != &request && flow.head == flow.front()) return;
    if (flow.head != nullptr) page_of(lane).due.erase(flow);
    page_of(lane).due.insert(flow);
  }

  /// The request has left. If the lane is due call `refill` when all that leave with it have left.
  void left(const RequestHeader& request) noexcept {
    Flow& flow = *request.flow;
    Lane& lane = *flow.lane;
    Page& page = page_of(lane);
    if (!lane.due) {
      page.note(lane);
    } else if (flow.head == &request) {
      page.due.erase(flow);
    }
    if (lane.count > 0) return;
    page.forget(lane);
    page.ages.emptied(lane);
  }

  /// As `left`, of a request that has headed its flow, and `refill`.
  void head_left(const RequestHeader& head) noexcept {
    Flow& flow = *head.flow;
    if (!flow.lane->due || flow.empty()) return left(head);
    page_of(*flow.lane).due.advance(flow);
  }

  /// The flow has another head, if it is not empty, and if its lane is due.
  void refill(Flow& flow) noexcept {
    if (flow.lane->due && flow.head == nullptr && !flow.empty()) {
      page_of(*flow.lane).due.insert(flow);
    }
  }

  /// The lane has to be judged anew.
  void note(Lane& lane) noexcept {
    if (!lane.due) page_of(lane).note(lane);
  }

  /// Gives `judge` each lane that may have become due, but those of executors that are not `open`.
  template <class Open, class Judge>
  void look(TimePoint now, Open&& open, Judge&& judge) noexcept {
    for_each_page(open, [&](Page& page) {
      for (Lane* lane = page.changed.front(); lane != nullptr;) {
        Lane* const next = Changed::next(*lane);
        judge(*lane);
        lane = next;
      }
      while (!page.waiting.empty() && page.waiting.first()->until <= now) {
        judge(*page.waiting.first());
      }
    });
  }

  /// The lane was judged and is due.
  void put_due(Lane& lane) noexcept {
    if (lane.due) return;
    Page& page = page_of(lane);
    page.forget(lane);
    lane.quota.lift();  // Its executor is all that is missing, if it is not taken at once.
    lane.due = true;
    for (Flow* flow = lane.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
      page.due.insert(*flow);
    }
  }

  /// The lane was judged and waits until an instant that is to come, or so much more.
  void put_waiting(Lane& lane, TimePoint until, std::size_t missing, bool restless) noexcept {
    Page& page = page_of(lane);
    if (std::exchange(lane.due, false)) {
      for (Flow* flow = lane.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
        page.due.erase(*flow);
      }
    }
    page.set_alarm(lane, until);
    restless ? page.note(lane) : page.unnote(lane);
    lane.alert = true;
    lane.quota.set(missing, lane.count, lane.longest());
  }

  /// The due lane that goes first, of executors that are `open`; null if there is none.
  template <class Open>
  Lane* first(const LaneOrder& order, Open&& open) noexcept {
    Flow* first = nullptr;
    for_each_page(open, [&](Page& page) {
      Flow* const flow = page.due.first();
      if (flow == nullptr) return;
      if (first == nullptr || order.before(*flow->head, *first->head)) first = flow;
    });
    return first == nullptr ? nullptr : first->lane;
  }

  /// The lane of the oldest request, of executors that are `open`; null if there is none. O(executors),
  /// and of each O(log lanes) amortized.
  template <class Open>
  Lane* oldest(Open&& open) noexcept {
    Lane* oldest = nullptr;
    for_each_page(open, [&](Page& page) {
      Lane* const lane = page.ages.first();
      if (lane == nullptr) return;
      if (oldest == nullptr || LaneAges::older(*lane, *oldest)) oldest = lane;
    });
    return oldest;
  }

  /// The first instant for which one of the lanes waits, of executors that are `open`.
  template <class Open>
  TimePoint earliest(Open&& open) noexcept {
    TimePoint earliest = kNever;
    for_each_page(open, [&](Page& page) {
      if (!page.waiting.empty()) earliest = std::min(earliest, page.waiting.first()->until);
    });
    return earliest;
  }

 private:
  using Flows = IntrusiveList<&Flow::in_lane>;
  using Changed = IntrusiveList<&Lane::in_changed>;

  struct Sooner {
    bool operator()(const Lane& a, const Lane& b) const noexcept { return a.until < b.until; }
  };

  struct Page {
    explicit Page(const FairShare& shares) noexcept : due(shares) {}

    void note(Lane& lane) noexcept {
      if (lane.changed) return;
      lane.changed = true;
      changed.push_back(lane);
      lane.quota.lift();  // It is judged before anybody sleeps, or when its executor is vacant.
    }

    void unnote(Lane& lane) noexcept {
      if (!lane.changed) return;
      lane.changed = false;
      changed.erase(lane);
    }

    void set_alarm(Lane& lane, TimePoint until) noexcept {
      if (lane.until == until) return;
      if (lane.until != kNever) waiting.erase(lane);
      lane.until = until;
      if (until != kNever) waiting.insert(lane);
    }

    void forget(Lane& lane) noexcept {
      unnote(lane);
      set_alarm(lane, kNever);
      lane.quota.shut();
      lane.due = false;
    }

    Changed changed;
    PairingHeap<Lane, &Lane::by_until, Sooner> waiting;
    DueFlows due;
    LaneAges ages;
  };

  // The first page is that of the lanes that are bound to nobody: kNoCount + 1 is zero.
  Page& page_of(const Lane& lane) noexcept { return pages_[lane.executor + 1]; }

  template <class Open, class Visit>
  void for_each_page(Open& open, Visit&& visit) noexcept {
    for (std::size_t index = 0; index < pages_.size(); ++index) {
      if (index == 0 || open(index - 1)) visit(pages_[index]);
    }
  }

  std::vector<Page> pages_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_AGENDA_HPP
