// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BATCH_STATE_HPP
#define BATCHWRIGHT_DETAIL_BATCH_STATE_HPP

#include "../batch_info.hpp"
#include "../policy.hpp"
#include "../result.hpp"
#include "deferred_wakes.hpp"
#include "executor_lender.hpp"
#include "owned.hpp"
#include "request.hpp"
#include "scheduler_limits.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

namespace batchwright::inline v0_1::detail {

template <class TIn, class TOut>
class PredictorRunner;

/// What the dispatcher and an executor know of an errand; see Errand.
template <class TIn, class TOut>
class ErrandBase {
 public:
  virtual void run(Owned<PredictorRunner<TIn, TOut>>& runner) noexcept = 0;

  bool new_predictor = false;
  bool direct = false;  // The dispatcher does not know of it.
  PoolVisit visit;      // Where the executor is of a pool.

 protected:
  ~ErrandBase() = default;
};

/// A request that somebody may still wait for, and until when.
struct WatchedRequest {
  std::uint64_t sequence;  // Not its address: that may serve another request by now.
  TimePoint deadline;
};

/// One batch between its dispatch and its report. A batcher has `max_in_flight` of these and uses
/// them again and again.
template <class TIn, class TOut>
struct BatchState {
  BatchInfo info;
  std::vector<Request<TIn, TOut>*> items;  // Null once answered.
  StopSource stop;

  // What was dispatched. Of this, what had neither expired nor been cancelled at the predictor's entry
  // became the items.
  RequestChain dispatched;
  std::size_t size = 0;      // Of what was dispatched, then of the items.
  std::size_t padding = 0;   // What the model computes for nothing when it runs all of them.
  std::size_t computed = 0;  // Their padded size.
  std::optional<Duration> forecast;  // Of the service time; none if the size is another by now.
  ReleaseReason reason = ReleaseReason::size;
  TimePoint oldest{};
  TimePoint dispatched_at{};
  TimePoint started{};
  TimePoint finished{};

  std::atomic<std::size_t> unrecorded{0};  // Items whose answer the metrics do not know yet.
  std::atomic<bool> failed{false};         // One of the items, at least.

  std::vector<WatchedRequest> watched;  // The dispatcher's.
  TimePoint unwanted_at = kNever;

  WakeList wakes;  // Callers whose answers are there; whoever reports the batch sees to them.

  // AnswerOrder: the results that came before their turn.
  struct Held {
    Request<TIn, TOut>* item = nullptr;
    std::optional<Result<TOut>> result;
    bool done = false;
  };
  std::vector<Held> held;
  std::size_t next_to_give = 0;
  bool entered = false;
  BatchState* next_in_order = nullptr;

  BatchState* next = nullptr;  // In a list of free or of finished ones.

  ErrandBase<TIn, TOut>* errand = nullptr;  // It is no batch at all.

  const SchedulerLimits* limits = nullptr;  // The batcher's.

  /// Tells the predictor the sizes of what it is run with: the items from `begin` on, but for `end`.
  /// Returns what of the size is no padding.
  std::size_t measure(std::size_t begin, std::size_t end) noexcept {
    BatchSize measured(limits->size_rule);
    for (std::size_t i = begin; i < end; ++i) measured.add(items[i]->weight, items[i]->length);
    info.count = end - begin;
    info.size = measured.value();
    info.padded_size = padded_to(limits->allowed_sizes, info.size);
    return measured.useful();
  }

  RequestTiming timing(const RequestBase& item, TimePoint answered) const noexcept {
    return {.enqueued = item.enqueued,
            .started = started,
            .answered = answered,
            .batch_size = static_cast<std::uint32_t>(items.size()),
            .batch_id = info.batch_id};
  }

  BatchReport report() const noexcept {
    return {.batch_id = info.batch_id,
            .executor = info.executor,
            .size = size,
            .count = items.size(),
            .padded_size = computed,
            .oldest = oldest,
            .dispatched = dispatched_at,
            .started = started,
            .finished = finished,
            // The time of several runs says nothing about the size, however they ended.
            .failed = failed.load(std::memory_order_relaxed) || info.attempt > 1};
  }
};

/// Produces the answer of one item of a batch.
template <class TOut>
class ItemAnswers {
 public:
  virtual Result<TOut> operator()(std::size_t index) = 0;

 protected:
  ~ItemAnswers() = default;
};

/// Takes the answers of batches: the batcher, as predictors see it. Whoever may answer after its call has
/// returned shares in it.
template <class TIn, class TOut>
class BatchSink : public std::enable_shared_from_this<BatchSink<TIn, TOut>> {
 public:
  /// Answers every item, on the executor, after the predictor's call. The inputs are gone. Who waits
  /// for an answer is woken, or left in `state.wakes`.
  virtual void answer_all(BatchState<TIn, TOut>& state, ItemAnswers<TOut>& answers) noexcept = 0;

  /// As `answer_all`, but only some of the items, the first of them `begin`; who waits is woken. The
  /// last of the batch end it.
  virtual void answer_range(BatchState<TIn, TOut>& state, std::size_t begin, std::size_t end,
                            ItemAnswers<TOut>& answers) noexcept = 0;

  /// Answers one item, from any thread.
  virtual void answer_item(BatchState<TIn, TOut>& state, std::size_t index,
                           Result<TOut>&& result) noexcept = 0;

  /// Every item has been answered by `answer_item`. The state is not the caller's any more.
  virtual void finish(BatchState<TIn, TOut>& state) noexcept = 0;

 protected:
  ~BatchSink() = default;
};

/// The call of a predictor that is under way on this thread. It tells two things to those who come by
/// from below: that a batch is finished within its own call, and that a Batch is destroyed by the
/// predictor's exception, in which case the caller takes its items back and fails them with it.
class PredictorCall {
 public:
  /// `sink` tells the batches of this batcher from those of others, which may be answered meanwhile.
  PredictorCall(const void* sink, std::uint64_t batch_id) noexcept
      : sink_(sink),
        batch_id_(batch_id),
        exceptions_(std::uncaught_exceptions()),
        outer_(current_) {
    current_ = this;
  }
  PredictorCall(const PredictorCall&) = delete;
  PredictorCall& operator=(const PredictorCall&) = delete;
  ~PredictorCall() { current_ = outer_; }

  static bool runs(const void* sink, std::uint64_t batch_id) noexcept {
    return current_ != nullptr && current_->sink_ == sink && current_->batch_id_ == batch_id;
  }

  static bool takes_back(const void* sink, std::uint64_t batch_id) noexcept {
    if (!runs(sink, batch_id) || std::uncaught_exceptions() <= current_->exceptions_) return false;
    current_->taken_back_ = true;
    return true;
  }

  /// True, and noted, if the batch that is finished now is the one whose call is under way.
  static bool finishes(const void* sink, std::uint64_t batch_id) noexcept {
    if (!runs(sink, batch_id)) return false;
    current_->finished_ = true;
    return true;
  }

  bool has_taken_back() const noexcept { return taken_back_; }
  bool has_finished() const noexcept { return finished_; }

 private:
  static inline thread_local PredictorCall* current_ = nullptr;

  const void* sink_;
  std::uint64_t batch_id_;
  int exceptions_;
  bool taken_back_ = false;
  bool finished_ = false;
  PredictorCall* outer_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BATCH_STATE_HPP
