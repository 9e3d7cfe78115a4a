// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ANSWERING_HPP
#define BATCHWRIGHT_DETAIL_ANSWERING_HPP

#include "../errors.hpp"
#include "../observer.hpp"
#include "answer_order.hpp"
#include "batch_state.hpp"
#include "class_register.hpp"
#include "deferred_wakes.hpp"
#include "metrics_recorder.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
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
  /// `end` hears of batches where answers are given in order.
  Answering(const R& runtime, std::size_t executors, std::size_t cap, const MetricsOptions& metrics,
            bool in_order, BatchEnd<TIn, TOut>& end, std::shared_ptr<Observer> observer)
      : runtime_(runtime),
        in_order_(in_order),
        order_(runtime),
        end_(end),
        classes_(runtime, metrics),
        recorder_(runtime, executors, classes_.size()),
        cap_(cap),
        observer_(std::move(observer)) {}

  MetricsRecorder<R>& recorder() noexcept { return recorder_; }

  /// What batches are measured by from now on.
  void set_cap(std::size_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

  const MetricsRecorder<R>& recorder() const noexcept { return recorder_; }
  ClassRegister<R>& classes() noexcept { return classes_; }
  std::size_t executing() const noexcept { return executing_.load(std::memory_order_relaxed); }
  std::size_t executing_batches() const noexcept {
    return batches_.load(std::memory_order_relaxed);
  }

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
                            .priority = request.priority});
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

  /// Counts requests that were refused, and tells the observer.
  void note_refused(std::uint64_t trace_id, Outcome outcome, std::size_t count = 1) noexcept {
    recorder_.refused(outcome, count);
    if (observer_ == nullptr) return;
    const TimePoint now = runtime_.now();
    for (std::size_t i = 0; i < count; ++i) {
      observer_->on_refused({.trace_id = trace_id, .at = now, .outcome = outcome});
    }
  }

  /// A batch has been dispatched.
  void dispatched(BatchState<TIn, TOut>& state) noexcept {
    if (in_order_) order_.begin(state);
    executing_.fetch_add(state.dispatched.count, std::memory_order_relaxed);
    batches_.fetch_add(1, std::memory_order_relaxed);
  }

  /// The point of no return: takes into `state.items` what has neither expired nor been cancelled, and
  /// answers the rest. `lost` counts those whose cancellation the dispatcher is to answer.
  void enter(BatchState<TIn, TOut>& state, std::atomic<std::int64_t>& lost) noexcept {
    state.started = runtime_.now();
    state.items.clear();
    for (RequestHeader* header = state.dispatched.first; header != nullptr;) {
      auto& request = static_cast<Request<TIn, TOut>&>(*header);
      header = RequestChain::next(*header);
      runtime_.interleave("claim");
      if (!request.claim()) {
        executing_.fetch_sub(1, std::memory_order_relaxed);
        lost.fetch_add(1, std::memory_order_relaxed);
        request.release();
      } else if (request.expires() <= state.started) {
        executing_.fetch_sub(1, std::memory_order_relaxed);
        recorder_.executor(state.info.executor).ended(Outcome::expired, request.classes());
        answer_unrun(request, Outcome::expired);
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
      batches_.fetch_sub(1, std::memory_order_relaxed);
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
  void answer_unrun(Request<TIn, TOut>& request, Outcome outcome) noexcept {
    request.drop_input();
    Result<TOut> result = Result<TOut>::failure(outcome);
    give(request, std::move(result), {.enqueued = request.enqueued, .answered = runtime_.now()}, 0);
  }

  /// Answers a request that was never accepted. It has been counted, and the observer knows.
  void answer_refused(Request<TIn, TOut>& request, Outcome outcome) noexcept {
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
        for (const auto* item : state.items) {
          record(writer, state, *item, failed ? Outcome::failed : Outcome::ok, state.finished);
        }
      }
      leave(state, state.items.size());
      DeferredWakes deferred;
      const auto give_one = [&](std::size_t index, std::size_t later) {
        if (later < state.items.size() && state.items[later] != nullptr) {
          state.items[later]->completion.prefetch();
        }
        give(*state.items[index], answers(index), timing(state, index, state.finished),
             state.info.executor);
      };
      constexpr std::size_t kAhead = 3;
      std::size_t futures = 0;
      for (std::size_t index = 0; index < state.items.size(); ++index) {
        if (state.items[index]->by_future) {
          ++futures;
        } else {
          give_one(index, index + kAhead);
          state.items[index] = nullptr;
        }
      }
      // Whoever waits for the oldest of them is woken when he need not wait for the others any more.
      for (std::size_t index = state.items.size(); futures > 0 && index > 0; --index) {
        if (state.items[index - 1] != nullptr) give_one(index - 1, index - 1 - kAhead);
      }
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
    Request<TIn, TOut>& item = *std::exchange(state.items[index], nullptr);
    const RequestTiming times = timing(state, item, runtime_.now());
    item.drop_input();
    const bool last = state.unrecorded.fetch_sub(1, std::memory_order_acq_rel) == 1;
    {
      auto writer = recorder_.executor(state.info.executor);
      record(writer, state, item, result.outcome(), times.answered);
      if (last) {
        state.finished = times.answered;
        record_batch(writer, state);
      }
    }
    executing_.fetch_sub(1, std::memory_order_relaxed);
    if (last) batches_.fetch_sub(1, std::memory_order_relaxed);
    give(item, std::move(result), times, state.info.executor);
  }

  /// Whether results wait for their turn: then it is not the executor that ends a batch with items.
  bool in_order() const noexcept { return in_order_; }

 private:
  void answer_in_order(BatchState<TIn, TOut>& state, std::size_t index,
                       Result<TOut>&& result) noexcept {
    Request<TIn, TOut>* const item = std::exchange(state.items[index], nullptr);
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
    order_.give([this](BatchState<TIn, TOut>& state, Request<TIn, TOut>& item,
                       Result<TOut>&& result) { record_and_give(state, item, std::move(result)); },
                [this](BatchState<TIn, TOut>& state) {
                  batches_.fetch_sub(1, std::memory_order_relaxed);
                  end_.given(state);
                });
  }

  void record_and_give(const BatchState<TIn, TOut>& state, Request<TIn, TOut>& item,
                       Result<TOut>&& result) noexcept {
    const RequestTiming times = timing(state, item, runtime_.now());
    {
      auto writer = recorder_.executor(state.info.executor);
      record(writer, state, item, result.outcome(), times.answered);
    }
    executing_.fetch_sub(1, std::memory_order_relaxed);
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

  static void record(Writer& writer, const BatchState<TIn, TOut>& state,
                     const Request<TIn, TOut>& item, Outcome outcome, TimePoint answered) noexcept {
    writer.answered({.outcome = outcome,
                     .queue_wait = state.started - item.enqueued,
                     .latency = answered - item.enqueued,
                     .late = answered > item.deadline},
                    item);
  }

  void leave(const BatchState<TIn, TOut>&, std::size_t count) noexcept {
    executing_.fetch_sub(count, std::memory_order_relaxed);
    batches_.fetch_sub(1, std::memory_order_relaxed);
  }

  static RequestTiming timing(const BatchState<TIn, TOut>& state, std::size_t index,
                              TimePoint answered) noexcept {
    return timing(state, *state.items[index], answered);
  }
  static RequestTiming timing(const BatchState<TIn, TOut>& state, const Request<TIn, TOut>& item,
                              TimePoint answered) noexcept {
    return {.enqueued = item.enqueued,
            .started = state.started,
            .answered = answered,
            .batch_size = static_cast<std::uint32_t>(state.items.size()),
            .batch_id = state.info.batch_id};
  }

  void give(Request<TIn, TOut>& request, Result<TOut>&& result, const RequestTiming& times,
            std::size_t executor) noexcept {
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
                              .executor = executor});
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
  std::atomic<std::size_t> executing_{0};
  std::atomic<std::size_t> batches_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ANSWERING_HPP
