// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_RULE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_RULE_HPP

#include "../../policy.hpp"
#include "arrival_rate.hpp"
#include "company.hpp"
#include "early_drop.hpp"
#include "learned_curve.hpp"
#include "overlap.hpp"
#include "pacing.hpp"
#include "queue_value.hpp"
#include "quorum.hpp"
#include "sources.hpp"
#include "split_rule.hpp"
#include "wait_rule.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What AutoPolicy has learned, and how it decides from it: the parts of this folder put together.
class AutoRule {
 public:
  void on_arrivals(const ArrivalReport& report) noexcept {
    if (brief()) return;
    const double at = to_ns(report.last);
    const auto size = static_cast<double>(report.size);
    sources_.arrive(at, size, [&] { return rate_.forecast(at, 0); });
    rate_.arrive(at, size);
  }

  void on_batch(const BatchReport& report) noexcept {
    brief_ = report.service_time() < kBrief ? std::min(brief_ + 1, kBriefBatches) : 0;
    if (!brief()) sources_.answer(to_ns(report.finished), static_cast<double>(report.size));
    if (report.failed) return;
    const bool trusted = report.size <= curve_.largest() && curve_.doubt(report.size) < kTrusted;
    const double alone = overlap_.observe({.executor = report.executor,
                                           .dispatched = to_ns(report.dispatched),
                                           .finished = to_ns(report.finished),
                                           .expected = curve_(report.size),
                                           .trusted = trusted});
    curve_.observe(report.size, alone);
    const double window = curve_(kWindowSize);
    rate_.set_window(window);
    ++batches_;
    // It has become slower or faster.
    if (std::abs(window - drawn_from_) > kSameCurve * drawn_from_) {
      drawn_from_ = window;
      value_until_ = 0;
      quorum_callers_ = 0;
    }
  }

  /// `objective`: Duration::max() if there is none.
  Decision decide(const QueueView& view, Duration objective) noexcept {
    const std::size_t queued = std::min(view.size, view.max_batch_size);
    in_time_ = objective != Duration::max();
    if (brief()) return go(queued, ReleaseReason::greedy);
    const double now = to_ns(view.now);
    rate_.roll(now);
    if (waiting_ && view.oldest > waiting_oldest_) waiting_ = false;  // Those have left otherwise.
    if (!overlap_.known()) return decide_beside(view, queued, objective, now);
    // What is dispatched beside others may only wait for them, and grows no more meanwhile.
    const std::size_t at_once = view.executors * overlap_.width();
    const std::size_t most = at_once + (overlap_.tries() ? 1 : 0);
    const bool crowded = overlap_.settled() && view.size >= kCrowded * view.max_batch_size;
    if (view.running.size() >= most && !crowded) {
      const double rest = until_free(view, queued, at_once, now);
      const TimePoint last = std::min(last_instant(view), in_time(view, queued, objective));
      if (rest > 0 && last > view.now) {
        return Decision::hold(std::min(later(view.now, rest), last));
      }
    }
    QueueView part = view;
    part.executors = at_once;
    part.free_executors = at_once - std::min(view.running.size(), at_once - 1);
    return decide_beside(part, queued, objective, now);
  }

  const LearnedCurve& curve() const noexcept { return curve_; }
  const Overlap& overlap() const noexcept { return overlap_; }
  const Quorum& quorum() const noexcept { return quorum_; }
  const Sources& sources() const noexcept { return sources_; }

 private:
  static constexpr std::uint64_t kLeastBatches = 8;
  static constexpr std::size_t kOverload = 4;  // So many caps are queued: what works them off.
  static constexpr std::size_t kWindowSize = 8;
  static constexpr double kLeastGain = 0.01;  // Of what the queue costs anyhow.
  static constexpr std::uint64_t kQuorumEvery = 32;
  static constexpr std::uint64_t kTryFor = 8;  // Batches.
  static constexpr double kMostComing = 0.7;   // Of those who are missing.
  static constexpr double kDoubt = 0.05;       // A quorum in more doubt is tried.
  // What a queue costs is computed anew after so many batches, or if the rate has changed by so much.
  static constexpr std::uint64_t kValueFor = 16;
  static constexpr double kSameRate = 0.02;
  static constexpr double kSameCurve = 0.1;
  static constexpr std::size_t kCrowded = 2;  // So many caps are queued: batches are full anyhow.
  static constexpr double kTrusted = 0.2;     // Doubt.
  static constexpr double kShortLead = 0.02;  // Of the time of a batch: not worth a wake-up.
  static constexpr double kPatience = 3;      // Times of a batch, beyond its end: it has stalled.

  // A wait is at most as long as a batch takes. A timer is late by as much as these do, and to be woken
  // costs more than they could save: so no one waits for company, and nothing is learned but the curve.
  static constexpr Duration kBrief = std::chrono::microseconds(20);
  static constexpr int kBriefBatches = 16;  // One after the other.

  // What is to be done with an executor that is free.
  Decision decide_beside(const QueueView& view, std::size_t queued, Duration objective,
                         double now) noexcept {
    if (batches_ < kLeastBatches) return go(queued, ReleaseReason::greedy);
    if (objective != Duration::max()) return decide_in_time(view, to_ns(objective), now);
    if (view.size >= kOverload * view.max_batch_size) {
      const double rate = rate_.forecast(now, curve_(queued));
      const std::size_t part = SplitRule::of_backlog({.queued = view.size, .most = queued}, rate,
                                                     static_cast<double>(view.executors), curve_);
      return go(part, part < queued ? ReleaseReason::split : ReleaseReason::size);
    }
    if (sources_.source() == Source::returning) return gather(view, queued, now);
    if (view.executors == 1 && queued == 1) return wait_or_go(view, queued, now);
    const bool paces = view.executors > 1 && sources_.source() == Source::independent &&
                       view.size < view.max_batch_size;
    renew_values(view, queued, now);
    // Who holds goes on first: a part of what is held is taken only if it would go.
    const bool holds = paces && waiting_;
    Decision held = Decision::release(queued, ReleaseReason::paced);
    if (holds) held = pace(view, queued, now);
    if (!held.is_release()) return held;
    const auto free = static_cast<double>(view.free_executors);
    const SplitRule::Input input{view.size, queued, free, busy(view, now)};
    const std::size_t part = SplitRule::batch_of(input, value_, curve_);
    if (part < queued) return go(part, ReleaseReason::split);
    if (view.size >= view.max_batch_size) return go(queued, ReleaseReason::size);
    if (holds) return held;
    if (paces) return pace(view, queued, now);
    return wait_or_go(view, queued, now);
  }

  bool brief() const noexcept { return brief_ == kBriefBatches && !in_time_; }

  static double to_ns(TimePoint instant) noexcept {
    return static_cast<double>(instant.time_since_epoch().count());
  }
  static double to_ns(Duration span) noexcept { return static_cast<double>(span.count()); }

  static TimePoint later(TimePoint now, double ns) noexcept {
    return now + Duration(static_cast<std::int64_t>(std::ceil(std::clamp(ns, 1.0, 1e15))));
  }

  Decision go(std::size_t size, ReleaseReason reason) noexcept {
    waiting_ = false;
    return Decision::release(size, reason);
  }

  // At which the first one's own deadline can still be met; kNever without one.
  TimePoint last_instant(const QueueView& view) const noexcept {
    QueueCursor queue = view.queue;
    QueuedRequest first;
    if (!queue.next(first) || first.deadline == kNever) return kNever;
    return first.deadline - surely(view.size);
  }

  // At which the oldest one can still be answered within the objective; kNever without one.
  TimePoint in_time(const QueueView& view, std::size_t size, Duration objective) const noexcept {
    if (objective == Duration::max()) return kNever;
    return saturating_add(view.oldest, objective) - surely(size);
  }

  // What a batch takes at most, by what batches deviate.
  Duration surely(std::size_t size) const noexcept {
    return Duration(static_cast<std::int64_t>(curve_(size) * (1 + curve_.deviation())));
  }

  // Not past the first one's last instant.
  Decision wait(const QueueView& view, TimePoint until, std::size_t more = 1) noexcept {
    const TimePoint last = last_instant(view);
    if (last <= view.now) return go(view.size, ReleaseReason::deadline);
    until = std::min(until, last);
    if (!waiting_) {
      waiting_ = true;
      waiting_since_ = view.now;
      waiting_oldest_ = view.oldest;
    }
    return Decision::wait(until, view.size + more);
  }

  double waited(const QueueView& view) const noexcept {
    return waiting_ ? to_ns(view.now - waiting_since_) : 0;
  }

  double expected_end(const RunningBatch& batch) const noexcept {
    return overlap_.begun(batch.executor, to_ns(batch.dispatched)) + curve_(batch.size);
  }

  // Time until the executor of a running batch is free.
  double left(const RunningBatch& batch, double now) const noexcept {
    return std::max(0.0, expected_end(batch) - now);
  }

  // Time until another batch would be computed at once, or be ready just in time for that. One that has
  // to end first says so by its report, and is not awaited for ever.
  double until_free(const QueueView& view, std::size_t queued, std::size_t at_once,
                    double now) const noexcept {
    double soonest = 1e300;
    double time = 0;  // Of that one.
    for (const RunningBatch& batch : view.running) {
      const double ends = expected_end(batch);
      if (ends >= soonest) continue;
      soonest = ends;
      time = curve_(batch.size);
    }
    const double lead = overlap_.lead();
    if (view.running.size() > at_once || lead < kShortLead * curve_(queued)) {
      return soonest + kPatience * time - now;
    }
    // Who comes meanwhile joins. If nothing is saved by that it need not be late.
    if (WaitRule::saving(queued, 1, curve_) <= 0) return 0;
    return soonest - lead - 0.5 * time * curve_.deviation() - now;
  }

  double busy(const QueueView& view, double now) const noexcept {
    double sum = 0;
    for (const RunningBatch& batch : view.running) sum += left(batch, now);
    return sum;
  }

  // What a queue costs at the rate that is to be expected while this one is worked off.
  void renew_values(const QueueView& view, std::size_t queued, double now) noexcept {
    const double rounds = static_cast<double>(view.size) / static_cast<double>(queued);
    const double rate = rate_.forecast(now, 2 * curve_(queued) * rounds);
    const auto executors = static_cast<double>(view.executors);
    if (std::abs(rate - value_rate_) <= kSameRate * value_rate_ && batches_ < value_until_ &&
        value_.executors == executors && value_.cap == view.max_batch_size) {
      return;
    }
    const double groups = rate_.dispersion();
    value_ = QueueValue::of(rate, groups, executors, view.max_batch_size, curve_);
    if (executors > 1) {
      all_ = QueueValue::taking_all(rate, groups, executors, view.max_batch_size, curve_);
    }
    value_rate_ = rate;
    value_until_ = batches_ + std::min<std::uint64_t>(batches_ / 8, kValueFor);
  }

  // With an objective the number that is answered in time comes before the mean.
  Decision decide_in_time(const QueueView& view, double objective, double now) noexcept {
    // Whoever has just left out some is asked again.
    if (plan_.batch > 0 && view.now == planned_at_ && view.size == planned_for_) {
      const std::size_t batch = std::exchange(plan_, {}).batch;
      return go(batch, ReleaseReason::deadline);
    }
    const auto executors = static_cast<double>(view.executors);
    const double rate = rate_.forecast(now, objective);
    const EarlyDrop::Plan plan = early_drop_.plan(view.queue, view.size,
                                                  {.now = now,
                                                   .objective = objective,
                                                   .rate = rate,
                                                   .executors = executors,
                                                   .deviation = curve_.deviation(),
                                                   .cap = view.max_batch_size},
                                                  curve_);
    if (plan.dropped > 0 || plan.batch == 0) {
      plan_ = plan.limited ? plan : EarlyDrop::Plan{};
      planned_at_ = view.now;
      planned_for_ = view.size - plan.dropped;
      return Decision::drop(plan.dropped);
    }
    if (plan.limited) return go(plan.batch, ReleaseReason::deadline);
    if (plan.batch >= view.max_batch_size) return go(plan.batch, ReleaseReason::size);
    if (view.executors > 1) {
      const double margin = 1 + curve_.deviation();
      const double left = to_ns(view.oldest) + objective - now;
      const Company::Input input{.queued = plan.batch,
                                 .cap = view.max_batch_size,
                                 .rate = rate,
                                 .executors = executors,
                                 .left = left,
                                 .margin = margin};
      const std::size_t size = Company::size(input, curve_);
      if (size > plan.batch) {
        const double latest = left - curve_(plan.batch + 1) * margin;
        if (latest > 0) return wait(view, later(view.now, latest), size - plan.batch);
        return go(plan.batch, ReleaseReason::deadline);
      }
    }
    return go(plan.batch, ReleaseReason::greedy);
  }

  // A closed loop: until the callers are back for whom it pays to wait.
  Decision gather(const QueueView& view, std::size_t queued, double now) noexcept {
    double inside = static_cast<double>(view.size);
    for (const RunningBatch& batch : view.running) inside += static_cast<double>(batch.size);
    const auto callers = static_cast<std::size_t>(std::lround(inside + sources_.returns().out()));
    if (batches_ - quorum_at_ >= (tries_ ? kTryFor : kQuorumEvery) || callers > quorum_callers_) {
      quorum_ = Quorum::choose(callers, view.executors, view.max_batch_size, curve_,
                               sources_.returns().times());
      quorum_at_ = batches_;
      tries_ = curve_.doubt(quorum_.size) > kDoubt;
      quorum_callers_ = callers;
    }
    // Many more than a quorum have come in step; taking them apart lets their batches overlap with
    // the others' thinking.
    std::size_t size = queued;
    if (quorum_.size < queued &&
        (queued * 2 >= quorum_.size * 3 || tries_ || slower(queued, quorum_.size))) {
      size = quorum_.size;
    }
    if (queued >= std::min(quorum_.size, view.max_batch_size)) {
      return go(size, ReleaseReason::returns);
    }
    // Who is not back by then has left, most likely: that costs at most the time of one batch.
    const double limit = std::min(4 * quorum_.time + 0.2 * curve_(quorum_.size), curve_(queued));
    const double rest = limit - waited(view);
    if (rest <= 0) return go(size, ReleaseReason::time);
    if (!waiting_) {
      // They may be in a batch that is being computed, or it is not their time yet.
      const auto missing = static_cast<double>(quorum_.size - queued);
      const double coming = sources_.returns().within(now, limit);
      if (coming < kMostComing * missing) return go(size, ReleaseReason::greedy);
    }
    return wait(view, later(view.now, rest));
  }

  // That a batch of `size` answers fewer in a time than one of `other`.
  bool slower(std::size_t size, std::size_t other) const noexcept {
    return curve_(size) * static_cast<double>(other) >
           1.03 * curve_(other) * static_cast<double>(size);
  }

  Decision pace(const QueueView& view, std::size_t queued, double now) noexcept {
    double next_free = curve_(queued);
    for (const RunningBatch& batch : view.running)
      next_free = std::min(next_free, left(batch, now));
    const double rate = rate_.forecast(now, curve_(queued));
    const auto free = static_cast<double>(view.free_executors);
    const Pacing::Input input{queued, rate, free, next_free, busy(view, now)};
    const double x = Pacing::wait(input, all_, curve_);
    if (x <= 0) return go(queued, waiting_ ? ReleaseReason::paced : ReleaseReason::greedy);
    // It would go on holding until then, or until so many more: half of them is early enough to ask again.
    const auto come = static_cast<std::size_t>(rate * x / 2);
    return wait(view, later(view.now, x), std::max<std::size_t>(come, 1));
  }

  Decision wait_or_go(const QueueView& view, std::size_t queued, double now) noexcept {
    const double alone = curve_(queued);
    const double rest = alone - waited(view);
    WaitRule::Choice choice;
    if (rest > 0) {
      if (sources_.source() == Source::independent) {
        const double rate = rate_.forecast(now, alone);
        choice = WaitRule::choose(queued, rest, curve_, rate);
      } else {
        const Hazard& gaps = sources_.gaps();
        const double age = std::max(now - sources_.last(), 0.0);
        const double so_far = gaps.outlasts(age);
        choice = WaitRule::choose(queued, rest, curve_,
                                  [&](double x) { return gaps.outlasts(age + x) / so_far; });
      }
    }
    const double worth = kLeastGain * static_cast<double>(queued) * alone;
    if (choice.gain <= worth) {
      return go(queued, waiting_ ? ReleaseReason::time : ReleaseReason::greedy);
    }
    return wait(view, later(view.now, choice.wait));
  }

  LearnedCurve curve_;
  Overlap overlap_;
  Sources sources_;
  ArrivalRate rate_;
  Quorum quorum_;
  QueueValue value_;
  QueueValue all_;  // Of taking all of it.
  EarlyDrop early_drop_;
  EarlyDrop::Plan plan_;  // Of what is left after a drop.
  TimePoint planned_at_{};
  std::size_t planned_for_ = 0;
  double value_rate_ = 0;
  std::uint64_t value_until_ = 0;
  double drawn_from_ = 0;  // The time of kWindowSize of which the value and the quorum are.
  std::uint64_t batches_ = 0;
  int brief_ = 0;         // So many of the last batches, one after the other.
  bool in_time_ = false;  // There is an objective.
  std::uint64_t quorum_at_ = 0;
  std::size_t quorum_callers_ = 0;
  bool tries_ = false;
  bool waiting_ = false;
  TimePoint waiting_since_{};
  TimePoint waiting_oldest_{};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_RULE_HPP
