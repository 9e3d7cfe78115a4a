// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ROW_JOIN_HPP
#define BATCHWRIGHT_DETAIL_ROW_JOIN_HPP

#include "../errors.hpp"
#include "../outcome.hpp"
#include "../result.hpp"
#include "../runtime.hpp"
#include "inline_function.hpp"
#include "pooled.hpp"
#include "request.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The joined answer of rows that are answered with a TOut each.
template <class TOut>
using JoinedRows = std::conditional_t<std::is_void_v<TOut>, void, std::vector<Stored<TOut>>>;

/// Joins the answers to the rows of one call into one: their results in their order, or the first
/// failure.
///
/// A row is a request like any other. Its result stays in its own block until the last row has been
/// answered, by whichever thread; that thread gathers the results and answers the call. So the call's
/// answer comes when no predictor has any of its inputs any more, and nothing is allocated but the vector.
///
/// States. `verdict_` is `ok` until something goes wrong and never changes again: whoever makes that
/// exchange says how the call ends. `pending_` counts the rows without an answer and only falls.
///
/// | verdict_ | pending_ |                                                                      |
/// |----------|----------|----------------------------------------------------------------------|
/// | ok       | above 0  | results are kept                                                     |
/// | other    | above 0  | results are dropped; where one row ended alone the rest is withdrawn |
/// | any      | 0        | whoever took it there has everything to itself, and answers          |
///
/// A row gives its verdict before it is counted out. A canceller gives it after it has won a row; that
/// row has yet to be counted out, and gives the same verdict unless there is one. So the last row always
/// finds the verdict made.
///
/// Owners. One reference is that of all rows together: the last one gives it back after the answer, or
/// a submission that failed does. A ticket has another. The join itself holds one of each row while it
/// lives: results lie still, and a row may be cancelled, whoever has answered it meanwhile.
template <class TOut, Runtime R>
class RowJoin : public Cancellable {
 public:
  using Answer = JoinedRows<TOut>;

  /// For so many rows. All the memory that the answer needs is had here.
  RowJoin(const R& runtime, std::size_t count) : runtime_(runtime), pending_(count) {
    if constexpr (!std::is_void_v<TOut>) joined_.reserve(count);
  }
  RowJoin(const RowJoin&) = delete;
  RowJoin& operator=(const RowJoin&) = delete;
  /// Makes a request the next row. Before the first of them is handed over.
  void add(AnswerableRequest<TOut>& request) {
    request.completion.emplace(Slot{this, std::nullopt});
    request.retain_unshared();
    (last_ == nullptr ? first_ : last_->next_of_call) = &request;
    last_ = &request;
  }

  /// The call has no rows.
  void answer_empty() noexcept {
    const TimePoint now = runtime_.now();
    finish({.enqueued = now, .answered = now});
  }

  /// Withdraws the rows that no predictor has. True if there was one and the call ends as cancelled.
  bool cancel() noexcept final {
    if (!withdraw()) return false;
    return decide(Outcome::cancelled) ||
           verdict_.load(std::memory_order_relaxed) == Outcome::cancelled;
  }

  void retain() noexcept final { references_.fetch_add(1, std::memory_order_relaxed); }
  /// As `retain`, while no other thread knows the join.
  void retain_unshared() noexcept { retain(); }

  /// Without an answer only if no row was handed over.
  void release() noexcept final {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  InlineFunction<void(Result<Answer>&&)> completion;

 protected:
  virtual ~RowJoin() {
    while (first_ != nullptr) std::exchange(first_, first_->next_of_call)->release();
  }

 private:
  virtual void destroy() noexcept { pool_delete(this); }
  friend void pool_delete<RowJoin>(RowJoin*) noexcept;

  // The completion of a row, and where its result waits.
  struct Slot {
    RowJoin* join;
    std::optional<Stored<TOut>> value;
    void operator()(Result<TOut>&& result) noexcept { join->take(*this, std::move(result)); }
  };

  static Slot& slot_of(RequestBase& row) noexcept {
    return static_cast<AnswerableRequest<TOut>&>(row).completion.template target<Slot>();
  }

  void take(Slot& slot, Result<TOut>&& result) noexcept {
    const RequestTiming timing = result.timing();
    if (!result) {
      fail(result.outcome(), result.error());
    } else if (verdict_.load(std::memory_order_relaxed) == Outcome::ok) {
      guarded([&] { slot.value.emplace(std::move(*result)); },
              [&](const std::exception_ptr& error) { fail(Outcome::failed, error); });
    }
    runtime_.interleave("row is answered");
    // Releases this row's result and verdict to the last row, which acquires all of them.
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish(timing);
  }

  void fail(Outcome outcome, const std::exception_ptr& error) noexcept {
    if (!decide(outcome)) return;
    error_ = error;
    runtime_.interleave("row has failed");
    if (!ends_all(outcome)) withdraw();
  }

  // Whether it reaches each row by itself, which then ends as that, and not as cancelled.
  static constexpr bool ends_all(Outcome outcome) noexcept {
    return outcome == Outcome::expired || outcome == Outcome::cancelled ||
           outcome == Outcome::queue_full || outcome == Outcome::stopped;
  }

  bool decide(Outcome outcome) noexcept {
    Outcome open = Outcome::ok;
    return verdict_.compare_exchange_strong(open, outcome, std::memory_order_relaxed);
  }

  // Answers nothing: what it wins reaches the dispatcher, which answers. True if it won a row.
  bool withdraw() noexcept {
    bool won = false;
    for (RequestBase* row = first_; row != nullptr; row = row->next_of_call) won |= row->cancel();
    return won;
  }

  void finish(const RequestTiming& timing) noexcept {
    if constexpr (!std::is_void_v<TOut>) gather();
    const Outcome verdict = verdict_.load(std::memory_order_relaxed);
    Result<Answer> result = verdict == Outcome::ok
                                ? Result<Answer>::success(std::move(joined_))
                                : Result<Answer>::failure(verdict, std::move(error_));
    result.set_timing(timing);
    completion(std::move(result));
    release();
  }

  void gather() noexcept {
    for (RequestBase* row = first_; row != nullptr; row = row->next_of_call) {
      std::optional<TOut>& value = slot_of(*row).value;
      if (verdict_.load(std::memory_order_relaxed) == Outcome::ok) {
        guarded([&] { joined_.push_back(std::move(*value)); },
                [&](const std::exception_ptr& error) { fail(Outcome::failed, error); });
      }
      value.reset();
    }
  }

  [[no_unique_address]] R runtime_;
  // Linked by next_of_call. Constant once handed over.
  RequestBase* first_ = nullptr;
  RequestBase* last_ = nullptr;
  std::atomic<std::size_t> pending_;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<Outcome> verdict_{Outcome::ok};
  std::exception_ptr error_;  // Whoever has decided writes it; whoever finishes reads it.
  Stored<Answer> joined_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ROW_JOIN_HPP
