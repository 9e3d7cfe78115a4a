// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_EXECUTORS_HPP
#define BATCHWRIGHT_SIMULATION_EXECUTORS_HPP

#include "../detail/action.hpp"
#include "../detail/request_header.hpp"
#include "../policy.hpp"
#include "machine.hpp"
#include "service.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What a simulated batcher computes, and until when.
class SimulatedExecutors {
 public:
  struct Batch {
    TimePoint started{};
    TimePoint finish{};
    BatchReport report;
    RequestHeader* first = nullptr;  ///< Its requests, or those that lead others.
  };

  /// `start`: the beginning of time. Without a hand-over the dispatcher computes itself. `streams`: so
  /// many batches of an executor are computed at once, where its predictor is asynchronous.
  SimulatedExecutors(std::size_t count, bool hand_over, bool asynchronous, std::size_t streams,
                     ServiceSampler service, std::size_t max_in_flight, TimePoint start)
      : start_(start),
        hand_over_(hand_over),
        asynchronous_(asynchronous),
        streams_(asynchronous ? streams : 1),
        service_(std::move(service)),
        awake_until_(count),
        free_from_(count * streams_) {
    running_.reserve(max_in_flight);
  }

  bool idle() const noexcept { return running_.empty(); }
  std::span<const Batch> running() const noexcept {
    return running_;
  }  ///< As they were dispatched.
  TimePoint next_finish() const noexcept { return next_finish_; }

  /// Begins the batch of a dispatch, of `count` requests from `first` on.
  void begin(const Action& action, RequestHeader* first, std::size_t count, TimePoint now,
             MachineSampler& machine) {
    const auto first_stream =
        free_from_.begin() + static_cast<std::ptrdiff_t>(action.executor * streams_);
    TimePoint& free_from =
        *std::min_element(first_stream, first_stream + static_cast<std::ptrdiff_t>(streams_));
    TimePoint& awake_until = awake_until_[action.executor];
    TimePoint ready = now;
    if (hand_over_) {
      ready = awake_until < now ? saturating_add(now, machine.hand_over())
              : asynchronous_   ? awake_until
                                : now;
    }
    const TimePoint entered = machine.enter(action.executor, ready);
    // What an asynchronous predictor was given before comes first.
    const TimePoint started = std::max(entered, free_from);
    const Duration time = service_.draw(action.padded_size, action.executor, now - start_);
    const TimePoint finish = machine.leave(action.executor, started, time, count);
    free_from = finish;
    awake_until = asynchronous_ ? entered : finish;
    running_.push_back({.started = started,
                        .finish = finish,
                        .report = {.batch_id = action.batch_id,
                                   .executor = action.executor,
                                   .size = action.size,
                                   .count = action.requests.count,
                                   .padded_size = action.padded_size,
                                   .oldest = action.oldest,
                                   .dispatched = now,
                                   .started = entered,
                                   .finished = finish},
                        .first = first});
    next_finish_ = std::min(next_finish_, finish);
  }

  /// Gives `visit` each batch that ends now, as they were dispatched; it is no more afterwards.
  template <class Visit>
  void end(TimePoint now, Visit&& visit) {
    next_finish_ = kNever;
    std::size_t kept = 0;
    for (Batch& batch : running_) {
      if (batch.finish == now) {
        visit(batch);
      } else {
        next_finish_ = std::min(next_finish_, batch.finish);
        running_[kept++] = batch;
      }
    }
    running_.resize(kept);
  }

 private:
  const TimePoint start_;
  const bool hand_over_;
  const bool asynchronous_;
  const std::size_t streams_;
  ServiceSampler service_;
  std::vector<Batch> running_;
  std::vector<TimePoint> awake_until_;  // By executor: when its predictor has returned.
  std::vector<TimePoint> free_from_;    // By stream: when it has computed all that it was given.
  TimePoint next_finish_ = kNever;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_EXECUTORS_HPP
