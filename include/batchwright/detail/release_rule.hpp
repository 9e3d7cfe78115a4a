// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_RELEASE_RULE_HPP
#define BATCHWRIGHT_DETAIL_RELEASE_RULE_HPP

#include "../policy.hpp"
#include "backlog.hpp"
#include "batch_cut.hpp"
#include "batch_size.hpp"
#include "counsel.hpp"
#include "executor_table.hpp"
#include "flow.hpp"
#include "lane_agenda.hpp"
#include "lane_cursor.hpp"
#include "lane_order.hpp"
#include "scheduler_limits.hpp"
#include "verdict.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Which lane's batch leaves next, and why; else what all wait for. The policy decides, and beside it
/// whatever makes a lane due without it: a cap or a preferred size that is reached, a full queue, the
/// drain, a flush, the overtaking bound and the net. It changes nothing but what the agenda knows of the
/// lanes. Costs what the policy does; with several lanes what LaneAgenda costs.
template <BatchingPolicy Policy>
class ReleaseRule {
 public:
  /// Refers to all of them.
  ReleaseRule(const SchedulerLimits& limits, Backlog& backlog, LaneOrder& order,
              const BatchCut& cut, Counsel<Policy>& counsel, const ExecutorTable& executors)
      : limits_(limits),
        backlog_(backlog),
        order_(order),
        cut_(cut),
        counsel_(counsel),
        executors_(executors),
        cursor_(order) {}

  /// Requires: something is queued, and an executor could take it.
  Choice choose(TimePoint now) noexcept {
    return limits_.keyed_lanes ? choose_of_many(now) : choose_only(now);
  }

  /// What the policy says to this queue, of which the view says the rest.
  Decision ask(QueueView& view) noexcept { return counsel_.ask(view, cut_.cap(), executors_); }

  /// From now on everything is due.
  void drain() noexcept {
    if (!std::exchange(draining_, true)) backlog_.reconsider();
  }
  bool draining() const noexcept { return draining_; }

 private:
  // There is one lane.
  Choice choose_only(TimePoint now) noexcept {
    Lane& lane = *backlog_.first_lane();
    if (!open(lane.executor)) return {.verdict = {.size = kNoCount}};
    const Verdict verdict = judge(lane, now);
    if (verdict.due) return {&lane, verdict};
    const bool by_lane = limits_.size_rule != SizeRule::sum;  // The intake adds up weights.
    if (by_lane) lane.quota.set(verdict.size, lane.count, lane.longest());
    return {nullptr, verdict, by_lane};
  }

  // There may be many.
  Choice choose_of_many(TimePoint now) noexcept {
    LaneAgenda& agenda = backlog_.agenda();
    const auto is_open = [this](std::size_t executor) { return open(executor); };
    agenda.look(now, is_open, [&](Lane& lane) { note(lane, judge(lane, now)); });
    while (Lane* const lane = agenda.first(order_, is_open)) {
      const Verdict verdict = judge(*lane, now);
      if (verdict.due) return {lane, verdict};
      note(*lane, verdict);
    }
    if (Lane* const lane = backlog_.full() ? agenda.oldest(is_open) : nullptr) {
      return {lane, {.due = true, .size = cut_.cap()}};
    }
    // One arrival may open a lane of its own, which nobody has asked the policy about.
    return {.verdict = {.size = 1, .until = agenda.earliest(is_open)}, .by_lane = true};
  }

  void note(Lane& lane, const Verdict& verdict) noexcept {
    if (verdict.due) {
      backlog_.agenda().put_due(lane);
    } else {
      const bool restless = counsel_.needs().every_look || cut_.depends_on_turns(lane);
      backlog_.agenda().put_waiting(lane, verdict.until, verdict.size, restless);
    }
  }

  bool open(std::size_t executor) const noexcept {
    return executor == kNoCount || !executors_.occupied(executor);
  }

  Verdict judge(const Lane& lane, TimePoint now) noexcept {
    const std::size_t cap = cut_.cap();
    const auto due = [cap](ReleaseReason reason) {
      return Verdict{.due = true, .reason = reason, .size = cap};
    };
    const std::size_t queued = lane.size(limits_.size_rule);
    QueueView view{now, lane.count, queued, lane.ages.oldest(), lane.ages.newest()};
    view.queue = cursor_.at(lane);
    const Decision decision = ask(view);
    const std::size_t size = std::min(decision.size(), cap);
    if (decision.dropped() > 0) return {.due = true, .dropped = decision.dropped()};
    if (decision.is_release()) return {.due = true, .reason = decision.reason(), .size = size};
    const bool held = decision.is_hold();
    if (!held && (queued >= size || backlog_.waits_in_vain())) return due(ReleaseReason::size);
    if (!held && cut_.preferred_reached(order_, lane)) return due(ReleaseReason::size);
    if (decision.until() <= now) return due(ReleaseReason::time);
    if (draining_) return due(ReleaseReason::drain);
    if (lane.flushed > 0) return due(ReleaseReason::flush);
    if (lane.bounded > 0) return due(ReleaseReason::overtaken);
    const TimePoint net = saturating_add(lane.ages.oldest(), limits_.max_wait);
    if (net <= now) return due(ReleaseReason::net);
    const TimePoint until = std::min(decision.until(), net);
    if (held) return {.size = kNoCount, .until = until};
    const std::size_t missing = std::min(size - queued, cut_.missing_to_preferred(queued));
    return {.size = std::min(missing, backlog_.room()), .until = until};
  }

  const SchedulerLimits& limits_;
  Backlog& backlog_;
  LaneOrder& order_;
  const BatchCut& cut_;
  Counsel<Policy>& counsel_;
  const ExecutorTable& executors_;
  LaneCursor cursor_;
  bool draining_ = false;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_RELEASE_RULE_HPP
