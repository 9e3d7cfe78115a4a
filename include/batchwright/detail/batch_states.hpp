// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BATCH_STATES_HPP
#define BATCHWRIGHT_DETAIL_BATCH_STATES_HPP

#include "../errors.hpp"
#include "../runtime.hpp"
#include "batch_state.hpp"
#include "deferred_wakes.hpp"
#include "lock.hpp"
#include "owned.hpp"
#include "scheduler.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The states of the batches in flight, used again and again, and the answer to the question whether
/// anybody still waits for one of them: `BatchInfo::stop` is requested when each request of a batch has
/// been cancelled or has passed its deadline since it was dispatched. Belongs to the dispatcher, but for
/// `request_stop`.
template <class TIn, class TOut, Runtime R>
class BatchStates {
 public:
  using Batch = BatchState<TIn, TOut>;

  /// The limits outlive it. `watch`: the predictor looks at BatchInfo, so it is worth while to know who still waits.
  /// `in_order`: for AnswerOrder.
  BatchStates(const R& runtime, const SchedulerLimits& limits, std::size_t max_count, bool watch,
              bool in_order)
      : lock_(runtime), watch_(watch) {
    states_.reserve(limits.max_in_flight);
    for (std::size_t i = 0; i < limits.max_in_flight; ++i) {
      Batch& state = *states_.emplace_back(make_owned<Batch>());
      state.limits = &limits;
      state.items.reserve(max_count);
      if (watch_) state.watched.reserve(max_count);
      if (in_order) state.held.reserve(max_count);
      state.info.stop = state.stop.get_token();
      free_ = (state.next = free_, &state);
    }
  }

  /// From now on the predictor looks at BatchInfo. Without memory for it nobody is told.
  void watch() noexcept {
    if (watch_) return;
    watch_ = guarded(
        [&] {
          for (const auto& state : states_) state->watched.reserve(state->items.capacity());
        },
        [](const std::exception_ptr&) {});
  }

  /// A state for what the scheduler dispatched.
  Batch& take(const Action& action, TimePoint now) noexcept {
    Batch& state = *std::exchange(free_, free_->next);
    state.dispatched = action.requests;
    state.size = action.size;
    state.forecast = action.forecast;
    state.reason = action.reason;
    state.oldest = action.oldest;
    state.dispatched_at = now;
    state.info.batch_id = action.batch_id;
    state.info.executor = action.executor;
    if (watch_) watch(state);
    return state;
  }

  void put_back(Batch& state) noexcept {
    state.unwanted_at = kNever;
    state.watched.clear();
    if (state.info.stop.stop_requested()) renew_stop(state);
    state.next = std::exchange(free_, &state);
  }

  /// Somebody waits for this dispatched request, until `deadline` and no longer. False if its batch has
  /// been stopped.
  bool wanted(std::uint64_t batch_id, std::uint64_t sequence, TimePoint deadline) noexcept {
    if (!watch_) return true;
    for (const auto& state : states_) {
      if (state->info.batch_id != batch_id) continue;
      if (state->info.stop.stop_requested()) return false;
      auto& watched = state->watched;
      const auto place = std::find_if(watched.begin(), watched.end(), [&](const auto& watch) {
        return watch.sequence == sequence;
      });
      if (place == watched.end()) {
        watched.push_back({sequence, deadline});  // Reserved for all of the batch.
      } else {
        place->deadline = deadline;
      }
      state->unwanted_at = last_deadline(*state);
      return true;
    }
    return true;
  }

  /// Nobody waits for this request any more, which has been dispatched at some time.
  void unwanted(std::uint64_t sequence) noexcept {
    for (const auto& state : states_) {
      auto& watched = state->watched;
      const auto place = std::find_if(watched.begin(), watched.end(), [&](const auto& watch) {
        return watch.sequence == sequence;
      });
      if (place == watched.end()) continue;
      watched.erase(place);
      if (watched.empty()) {
        stop(*state);
      } else {
        state->unwanted_at = last_deadline(*state);
      }
      return;
    }
  }

  /// The next instant at which nobody waits for some batch any more.
  TimePoint earliest() const noexcept {
    TimePoint earliest = kNever;
    if (!watch_) return earliest;
    for (const auto& state : states_) earliest = std::min(earliest, state->unwanted_at);
    return earliest;
  }

  void serve(TimePoint now) noexcept {
    if (!watch_) return;
    for (const auto& state : states_) {
      if (state->unwanted_at > now) continue;
      state->unwanted_at = kNever;
      stop(*state);
    }
  }

  /// Nobody waits for anything any more. From any thread.
  void request_stop() noexcept {
    for (const auto& state : states_) {
      StopSource stop = [&] {
        const LockGuard guard(lock_);
        return state->stop;
      }();
      stop.request_stop();  // Runs user code, so not under the lock.
    }
  }

 private:
  // Runs the predictor's stop callbacks.
  static void stop(Batch& state) noexcept {
    const PromptWakes prompt;
    state.stop.request_stop();
  }

  static void watch(Batch& state) noexcept {
    for (RequestHeader* header = state.dispatched.first; header != nullptr;
         header = RequestChain::next(*header)) {
      state.watched.push_back({header->sequence, header->deadline});
    }
    state.unwanted_at = last_deadline(state);
  }

  static TimePoint last_deadline(const Batch& state) noexcept {
    TimePoint last = TimePoint::min();
    for (const auto& watch : state.watched) last = std::max(last, watch.deadline);
    return last;
  }

  // The next batch of this state is a different matter. Without memory for a new source it has none.
  void renew_stop(Batch& state) noexcept {
    const bool good = guarded(
        [&] {
          // Not a local one, which GCC 12 takes for uninitialized where it inlines all of this.
          const auto fresh = make_owned<StopSource>();
          const LockGuard guard(lock_);
          std::swap(state.stop, *fresh);
        },
        [](const std::exception_ptr&) {});
    state.info.stop = good ? state.stop.get_token() : StopToken();
  }

  Lock<R> lock_;  // For `stop` of each state, between `renew_stop` and `request_stop`.
  std::vector<Owned<Batch>> states_;
  Batch* free_ = nullptr;
  bool watch_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BATCH_STATES_HPP
