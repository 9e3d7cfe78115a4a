// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ANSWERING_HPP
#define BATCHWRIGHT_DETAIL_ANSWERING_HPP

#include "../errors.hpp"
#include "../observer.hpp"
#include "answer_order.hpp"
#include "answer_sequence.hpp"
#include "batch_state.hpp"
#include "class_register.hpp"
#include "coalescer.hpp"
#include "deferred_wakes.hpp"
#include "in_flight.hpp"
#include "metrics_recorder.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The last step of a request's way: counts its answer, tells the observer, and gives it, in this
/// order, so that whoever holds an answer finds it counted.
template <class TIn, class TOut, Runtime R>
class Answering {
 public:
  using Item = Request<TIn, TOut>;
  using Batch = BatchState<TIn, TOut>;

  /// `end` hears of batches where answers are given in order. `coalescer` may be null.
  Answering(const R& runtime, std::size_t executors, std::size_t cap, const MetricsOptions& metrics,
            bool in_order, BatchEnd<TIn, TOut>& end, std::shared_ptr<Observer> observer,
            Coalescer<TIn, TOut, R>* coalescer = nullptr)
      : runtime_(runtime),
        in_order_(in_order),
        order_(runtime),
        end_(end),
        classes_(runtime, metrics),
        recorder_(runtime, executors, classes_.size()),
        cap_(cap),
        observer_(std::move(observer)),
        coalescer_(coalescer) {}

  MetricsRecorder<R>& recorder() noexcept { return recorder_; }
  /// What batches are measured by from now on.
  void set_cap(std::size_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

  const MetricsRecorder<R>& recorder() const noexcept { return recorder_; }
  ClassRegister<R>& classes() noexcept { return classes_; }
  /// Requests, riders among them.
  std::size_t executing() const noexcept { return in_flight_.requests() + riding(); }
  std::size_t riding() const noexcept { return coalescer_ == nullptr ? 0 : coalescer_->riding(); }
  std::size_t executing_batches() const noexcept { return in_flight_.batches(); }

  /// Tells the observer whom it was given to.
  void tell_attached(std::string_view batcher_name) const noexcept {
    if (observer_ != nullptr) observer_->on_attached({.name = batcher_name});
  }

  /// Counts a request that has been admitted, by class, and tells the observer.
  void admitted(const RequestBase& request) noexcept {
    if (classes_.in_use()) classes_.accepted(request.classes());
    if (observer_ == nullptr) return;
    observer_->on_admitted({.trace_id = request.trace_id,
                            .enqueued = request.enqueued,
                            .deadline = request.deadline,
                            .weight = request.weight,
                            .priority = request.priority,
                            .submitted = request.submitted});
  }

  /// Counts a request that leaves the queue, by class. The dispatcher's.
  void left_queue(const RequestBase& request) noexcept {
    if (classes_.in_use()) classes_.left(request.classes());
  }

  /// Adds what is counted by class. Throws std::bad_alloc.
  void add_classes(MetricsSnapshot& metrics) const {
    if (!classes_.in_use()) return;
    const std::vector<ClassCounts> counts = recorder_.classes();
    metrics.priorities = classes_.metrics(ClassKind::priority, counts);
    metrics.lanes = classes_.metrics(ClassKind::lane, counts);
    metrics.tenants = classes_.metrics(ClassKind::tenant, counts);
  }

  /// Counts requests that were refused, and tells the observer. `submitted`: see RefusedEvent.
  void note_refused(std::uint64_t trace_id, Outcome outcome, std::size_t count = 1,
                    TimePoint submitted = kNever) noexcept {
    recorder_.refused(outcome, count);
    if (observer_ == nullptr) return;
    const TimePoint now = runtime_.now();
    for (std::size_t i = 0; i < count; ++i) {
      observer_->on_refused(
          {.trace_id = trace_id, .at = now, .outcome = outcome, .submitted = submitted});
    }
  }

  /// A batch of so many requests has been dispatched.
  void dispatched(Batch& state, std::size_t count) noexcept {
    if (in_order_) order_.begin(state);
    in_flight_.begin(count);
  }

  /// A request that was dispatched has been taken out of its batch.
  void taken_out() noexcept { in_flight_.end(1); }

  /// The point of no return: takes into `state.items` what has neither expired nor been cancelled, and
  /// answers the rest. `lost` counts those whose cancellation the dispatcher is to answer.
  void enter(Batch& state, TimePoint now, std::atomic<std::int64_t>& lost) noexcept {
    state.started = now;
    state.items.clear();
    for (RequestHeader* header = state.dispatched.first; header != nullptr;) {
      RequestHeader& one = *header;
      header = RequestChain::next(one);
      runtime_.interleave("claim");
      if (one.shared) {
        enter_shared(state, static_cast<SharedWork&>(one), lost);
        continue;
      }
      auto& request = static_cast<Item&>(one);
      if (!request.claim()) {
        let_go(request, lost);
      } else if (request.expires() <= state.started) {
        expire(state, request);
      } else {
        state.items.push_back(&request);
      }
    }
    const std::size_t useful = state.measure(0, state.items.size());
    if (state.info.size != state.size) state.forecast.reset();
    state.size = state.info.size;
    state.computed = state.info.padded_size;
    state.padding = state.computed - useful;
    state.info.lane_key = {};
    if (!state.items.empty()) {
      if (const HeldFlow* const flow = state.items.front()->held_flow; flow != nullptr) {
        state.info.lane_key = flow->owner->key_of(*flow);
      }
    }
    state.info.attempt = 1;
    state.unrecorded.store(state.items.size(), std::memory_order_relaxed);
    state.failed.store(false, std::memory_order_relaxed);
    if (in_order_) {
      order_.enter(state);
      give_in_order();
    }
    if (state.items.empty()) {
      state.finished = state.started;
      in_flight_.end(0, 1);
    } else if (observer_ != nullptr) {
      observer_->on_batch_formed({.batch_id = state.info.batch_id,
                                  .executor = state.info.executor,
                                  .count = state.items.size(),
                                  .size = state.size,
                                  .padded_size = state.computed,
                                  .reason = state.reason,
                                  .oldest = state.oldest,
                                  .dispatched = state.dispatched_at});
    }
  }

  /// Answers a request that no predictor saw. It has been counted.
  void answer_unrun(Item& request, Outcome outcome) noexcept {
    request.drop_input();
    Result<TOut> result = Result<TOut>::failure(outcome);
    give(request, std::move(result), {.enqueued = request.enqueued, .answered = runtime_.now()}, 0);
  }

  /// Answers a request that was never accepted. It has been counted, and the observer knows.
  void answer_refused(Item& request, Outcome outcome) noexcept {
    request.drop_input();
    Result<TOut> result = Result<TOut>::failure(outcome);
    result.set_timing({.enqueued = request.enqueued, .answered = runtime_.now()});
    runtime_.interleave("answer");
    request.answer(std::move(result));
  }

  /// Answers all items of a batch with what `answers` makes. Wakes that it has not given are in `state.wakes`.
  void answer_all(BatchState<TIn, TOut>& state, ItemAnswers<TOut>& answers) noexcept {
    if (in_order_) return answer_range(state, 0, state.items.size(), answers);
    state.finished = runtime_.now();
    const bool failed = state.failed.load(std::memory_order_relaxed);
    if (failed || std::is_nothrow_move_constructible_v<Stored<TOut>>) {
      // What is to come cannot fail: one lock for the whole batch.
      {
        auto writer = recorder_.executor(state.info.executor);
        record_batch(writer, state);
        typename Writer::Answers all(writer, failed ? Outcome::failed : Outcome::ok);
        for (const auto* item : state.items) {
          all.add(state.started, state.finished, *item);
        }
      }
      in_flight_.end(state.items.size(), 1);
      DeferredWakes deferred;
      in_answer_sequence(state.items, [&](std::size_t index) {
        give(*state.items[index], answers(index), state.timing(*state.items[index], state.finished),
             state.info.executor);
      });
      state.wakes = deferred.list().take();
    } else {
      answer_range(state, 0, state.items.size(), answers);
    }
  }

  /// Answers some items of a batch, from `begin` up to `end`, each as soon as its result is there.
  void answer_range(BatchState<TIn, TOut>& state, std::size_t begin, std::size_t end,
                    ItemAnswers<TOut>& answers) noexcept {
    for (std::size_t index = begin; index < end; ++index) {
      std::optional<Result<TOut>> result;
      guarded([&] { result.emplace(answers(index)); },
              [&](std::exception_ptr error) {
                state.failed.store(true, std::memory_order_relaxed);
                result.emplace(Result<TOut>::failure(Outcome::failed, std::move(error)));
              });
      answer_item(state, index, std::move(*result));
    }
  }

  /// Answers one item of a batch; different items also from several threads at once.
  void answer_item(BatchState<TIn, TOut>& state, std::size_t index,
                   Result<TOut>&& result) noexcept {
    if (in_order_) return answer_in_order(state, index, std::move(result));
    Item& item = *std::exchange(state.items[index], nullptr);
    const RequestTiming times = state.timing(item, runtime_.now());
    item.drop_input();
    const bool last = state.unrecorded.fetch_sub(1, std::memory_order_acq_rel) == 1;
    {
      auto writer = recorder_.executor(state.info.executor);
      record(writer, times, item, result.outcome());
      if (last) {
        state.finished = times.answered;
        record_batch(writer, state);
      }
    }
    in_flight_.end(1, last ? 1 : 0);
    give(item, std::move(result), times, state.info.executor);
  }

  /// Whether results wait for their turn: then it is not the executor that ends a batch with items.
  bool in_order() const noexcept { return in_order_; }

 private:
  void let_go(Item& request, std::atomic<std::int64_t>& lost) noexcept {
    taken_out();
    lost.fetch_add(1, std::memory_order_relaxed);
    request.release();
  }

  void expire(const BatchState<TIn, TOut>& state, Item& request) noexcept {
    taken_out();
    recorder_.executor(state.info.executor).ended(Outcome::expired, request.classes());
    answer_unrun(request, Outcome::expired);
  }

  void enter_shared(BatchState<TIn, TOut>& state, SharedWork& work,
                    std::atomic<std::int64_t>& lost) noexcept {
    const auto entry = coalescer_->enter(work, state.started);
    if (entry.late > 0) in_flight_.join(entry.late);
    if (entry.leader != nullptr) state.items.push_back(entry.leader);
    entry.lost.template each<Item>([&](Item& request) { let_go(request, lost); });
    entry.expired.template each<Item>([&](Item& request) { expire(state, request); });
  }

  // Gives the others of a work, which is over then, what its leader is about to get.
  void give_shared(Item& leader, const Result<TOut>& result, const RequestTiming& times,
                   std::size_t executor) noexcept {
    std::size_t entered = 0;
    const RequestChain others = coalescer_->end(leader, entered);
    in_flight_.end(entered);
    others.template each<Item>([&](Item& request) {
      std::optional<Result<TOut>> copy;
      guarded([&] { coalescer_->copy(result, copy); },
              [&](std::exception_ptr error) {
                copy.emplace(Result<TOut>::failure(Outcome::failed, std::move(error)));
              });
      RequestTiming its = times;
      its.enqueued = request.enqueued;
      its.started = std::max(times.started, request.enqueued);
      // It may have joined while others of the batch were answered.
      its.answered = std::max(times.answered, request.enqueued);
      request.drop_input();
      {
        auto writer = recorder_.executor(executor);
        record(writer, its, request, copy->outcome());
        writer.shared();
      }
      give(request, std::move(*copy), its, executor);
    });
  }

  void answer_in_order(BatchState<TIn, TOut>& state, std::size_t index,
                       Result<TOut>&& result) noexcept {
    Item* const item = std::exchange(state.items[index], nullptr);
    item->drop_input();
    if (state.unrecorded.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      state.finished = runtime_.now();
      auto writer = recorder_.executor(state.info.executor);
      record_batch(writer, state);
    }
    if (result) {
      order_.hold(state, index, *item, std::move(result));
    } else {
      record_and_give(state, *item, std::move(result));
      order_.skip(state, index);
    }
    give_in_order();
  }

  void give_in_order() noexcept {
    order_.give([this](BatchState<TIn, TOut>& state, Item& item,
                       Result<TOut>&& result) { record_and_give(state, item, std::move(result)); },
                [this](BatchState<TIn, TOut>& state) {
                  in_flight_.end(0, 1);
                  end_.given(state);
                });
  }

  void record_and_give(const BatchState<TIn, TOut>& state, Item& item,
                       Result<TOut>&& result) noexcept {
    const RequestTiming times = state.timing(item, runtime_.now());
    {
      auto writer = recorder_.executor(state.info.executor);
      record(writer, times, item, result.outcome());
    }
    in_flight_.end(1);
    give(item, std::move(result), times, state.info.executor);
  }

  using Writer = typename MetricsRecorder<R>::Writer;

  void record_batch(Writer& writer, const BatchState<TIn, TOut>& state) noexcept {
    writer.batch({.reason = state.reason,
                  .count = state.items.size(),
                  .size = state.size,
                  .cap = cap_.load(std::memory_order_relaxed),
                  .computed = state.computed,
                  .padding = state.padding,
                  .service_time = state.finished - state.dispatched_at,
                  .forecast = state.forecast,
                  .executions = state.info.attempt,
                  .failed = state.failed.load(std::memory_order_relaxed)});
  }

  static void record(Writer& writer, const RequestTiming& times, const RequestBase& item,
                     Outcome outcome) noexcept {
    writer.answered({.outcome = outcome,
                     .queue_wait = times.started - times.enqueued,
                     .latency = times.answered - times.enqueued,
                     .late = times.answered > item.deadline},
                    item);
  }

  void give(Item& request, Result<TOut>&& result, const RequestTiming& times,
            std::size_t executor) noexcept {
    if (request.work != nullptr) give_shared(request, result, times, executor);
    result.set_timing(times);
    if (observer_ != nullptr) {
      observer_->on_answered({.trace_id = request.trace_id,
                              .outcome = result.outcome(),
                              .priority = request.priority,
                              .enqueued = times.enqueued,
                              .started = times.started,
                              .answered = times.answered,
                              .deadline = request.deadline,
                              .batch_id = times.batch_id,
                              .executor = executor,
                              .submitted = request.submitted});
    }
    runtime_.interleave("answer");
    request.answer(std::move(result));
  }

  [[no_unique_address]] R runtime_;
  const bool in_order_;
  AnswerOrder<TIn, TOut, R> order_;
  BatchEnd<TIn, TOut>& end_;
  ClassRegister<R> classes_;
  MetricsRecorder<R> recorder_;
  std::atomic<std::size_t> cap_;
  std::shared_ptr<Observer> observer_;
  Coalescer<TIn, TOut, R>* const coalescer_;
  alignas(64) InFlight in_flight_;  // Submitters read what stands before.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ANSWERING_HPP
