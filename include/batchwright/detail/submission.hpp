// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SUBMISSION_HPP
#define BATCHWRIGHT_DETAIL_SUBMISSION_HPP

#include "../admitted.hpp"
#include "../completion_task.hpp"
#include "../errors.hpp"
#include "../result.hpp"
#include "../submit_options.hpp"
#include "../ticket.hpp"
#include "awaited_answer.hpp"
#include "completions.hpp"
#include "row_join.hpp"
#include "submitter.hpp"

#include <cstddef>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

// What a request is made from: an element of the range, as an rvalue if the range is one.
template <class Range>
using ElementOf =
    std::conditional_t<std::is_rvalue_reference_v<Range&&>,
                       std::remove_reference_t<decltype(*std::begin(std::declval<Range&>()))>&&,
                       decltype(*std::begin(std::declval<Range&>()))>;

/// One call of a submitting function: makes its requests, and binds each to the way in which it is to be
/// answered.
template <class TIn, class TOut, Runtime R>
class Submission {
 public:
  using Item = Request<TIn, TOut>;
  using Join = RowJoin<TOut, R>;
  using Rows = JoinedRows<TOut>;
  using TicketedItem = Ticketed<Item, R>;
  using TicketedJoin = Ticketed<Join, R>;

  /// `core` tells the batcher's own threads; all three outlive the call.
  Submission(Submitter<TIn, TOut, R>& submitter, const std::function<void(CompletionTask)>& post,
             const void* core) noexcept
      : submitter_(submitter), post_(post), core_(core) {}

  // Each of these binds to a way of being answered: one request, or the rows of one call.

#if BATCHWRIGHT_HAS_EXCEPTIONS
  template <class Answer = TOut>
  static std::future<Answer> refused_future(Outcome outcome) {
    auto promise = make_promise<Answer>();
    promise.set_exception(prepared_exception(outcome));
    return promise.get_future();
  }

  template <class Work, class Answer = typename Work::Answer>
  static std::future<Answer> answer_by_future(Work& work) {
    auto promise = make_promise<Answer>();
    std::future<Answer> future = promise.get_future();
    work.completion.emplace(FutureAnswer<Answer>(std::move(promise)));
    if constexpr (requires { work.by_future; }) work.by_future = true;
    return future;
  }

  template <class In>
  Outcome by_future(std::future<TOut>& future, In&& input, const SubmitOptions& options,
                    WhenFull when_full) {
    return one(std::forward<In>(input), options, when_full,
               [&](Item& request) { future = answer_by_future(request); });
  }
  template <class Range>
  Outcome rows_by_future(std::future<Rows>& future, Range&& inputs, const SubmitOptions& options,
                         WhenFull when_full) {
    return rows(std::forward<Range>(inputs), options, when_full,
                [&](Join& join) { future = answer_by_future(join); });
  }
#endif

  // Nobody has seen the ticket, and the completion will not be called.
  template <class Answer>
  static void withdraw(TicketState<Answer, R>* state) noexcept {
    if (state != nullptr) state->request->release();
  }
  static void withdraw(std::vector<TicketState<TOut, R>*>& states) noexcept {
    for (auto* state : states) withdraw(state);
    states.clear();
  }

  template <class In>
  Outcome by_ticket(TicketState<TOut, R>*& state, In&& input, const SubmitOptions& options,
                    WhenFull when_full, Lent* lent = nullptr) {
    const Outcome outcome = one<TicketedItem>(
        std::forward<In>(input), options, when_full,
        [&](TicketedItem& request) { state = &request.ticket(); }, lent);
    if (outcome != Outcome::ok) withdraw(std::exchange(state, nullptr));
    return outcome;
  }
  /// `request` is for comparing only: it may be gone once it has been handed over.
  template <class In>
  Outcome by_waiting(AwaitedAnswer<TOut, R>& answer, const Cancellable*& request, In&& input,
                     const SubmitOptions& options, Lent* lent) {
    return one(
        std::forward<In>(input), options, WhenFull::block,
        [&](Item& item) {
          request = &item;
          item.completion.emplace(
              [&answer](Result<TOut>&& result) { answer.complete(std::move(result)); });
        },
        lent);
  }
  template <class Range>
  Outcome rows_by_ticket(TicketState<Rows, R>*& state, Range&& inputs, const SubmitOptions& options,
                         WhenFull when_full) {
    const Outcome outcome = with_undo(
        [&] {
          return rows<TicketedJoin>(std::forward<Range>(inputs), options, when_full,
                                    [&](TicketedJoin& join) { state = &join.ticket(); });
        },
        [&] { withdraw(state); });
    if (outcome != Outcome::ok) withdraw(std::exchange(state, nullptr));
    return outcome;
  }

  template <class Work, class Callback, class Answer = typename Work::Answer>
  void answer_by_callback(Work& work, Callback&& callback) {
    if (!post_) {
      work.completion.emplace([callback = std::decay_t<Callback>(std::forward<Callback>(callback))](
                                  Result<Answer>&& result) mutable {
        const PromptWakes prompt;
        callback(std::move(result));
      });
      return;
    }
    work.completion.emplace(
        PostedAnswer<Answer, std::decay_t<Callback>>(post_, std::forward<Callback>(callback)));
  }

  template <class In, class Callback>
  Admitted<void> by_callback(In&& input, Callback&& callback, const SubmitOptions& options,
                             WhenFull when_full) {
    require(callback);
    return Admitted<void>(one(std::forward<In>(input), options, when_full, [&](Item& request) {
      answer_by_callback(request, std::forward<Callback>(callback));
    }));
  }
  template <class Range, class Callback>
  Admitted<void> rows_by_callback(Range&& inputs, Callback&& callback, const SubmitOptions& options,
                                  WhenFull when_full) {
    require(callback);
    return Admitted<void>(rows(std::forward<Range>(inputs), options, when_full, [&](Join& join) {
      answer_by_callback(join, std::forward<Callback>(callback));
    }));
  }

  template <class Made = Item, class In, class Bind>
  Outcome one(In&& input, const SubmitOptions& options, WhenFull when_full, Bind&& bind,
              Lent* lent = nullptr) {
    submitter_.check(options);
    RequestTraits traits = submitter_.read(input);
    CallSize size{
        .count = 1, .heaviest = traits.weight, .bytes = traits.bytes, .longest = traits.length};
    if (traits.flow != nullptr) size.add_to_tenant(*traits.flow, traits.bytes);
    return submitter_.submit(
        options, size, when_full, nullptr,
        [&](RequestChain& chain) {
          Made* const request = make<Made>(options, std::move(traits), std::forward<In>(input));
          chain.append(*request);
          bind(*request);
        },
        lent);
  }

  /// All elements of a range, or none. `prepare(count)` comes first, then `bind(request)` for each.
  template <class Made = Item, class Range, class Prepare, class Bind>
  Outcome range(Range&& inputs, const SubmitOptions& options, WhenFull when_full, Prepare&& prepare,
                Bind&& bind) {
    submitter_.check(options);
    CallSize size;
    TraitsList list;
    for (const auto& input : inputs) {
      RequestTraits traits = submitter_.read(input);
      size.add(traits);
      if (submitter_.reads()) list.append(std::move(traits));
    }
    if (size.count == 0) {
      prepare(size.count);
      return Outcome::ok;
    }
    return submitter_.submit(options, size, when_full, nullptr, [&](RequestChain& chain) {
      prepare(size.count);
      for (auto&& input : inputs) {
        Made* request = nullptr;
        list.use_first([&](RequestTraits&& traits) {
          if constexpr (std::is_rvalue_reference_v<Range&&>) {
            request = make<Made>(options, std::move(traits), std::move(input));
          } else {
            request = make<Made>(options, std::move(traits), input);
          }
        });
        chain.append(*request);
        bind(*request);
      }
    });
  }

  /// All elements of a range as the rows of one call, or none. `bind(join)` says how it is answered.
  template <class Made = Join, class Range, class Bind>
  Outcome rows(Range&& inputs, const SubmitOptions& options, WhenFull when_full, Bind&& bind) {
    Made* join = nullptr;
    bool empty = false;
    const auto give_up = [&] {
      if (join != nullptr) join->release();
    };
    const Outcome outcome = with_undo(
        [&] {
          return range(
              std::forward<Range>(inputs), options, when_full,
              [&](std::size_t count) {
                join = make_join<Made>(count);
                empty = count == 0;
                bind(*join);
              },
              [&](Item& request) { join->add(request); });
        },
        give_up);
    // Once accepted the rows own it: it may be gone.
    if (outcome != Outcome::ok) {
      give_up();
    } else if (empty) {
      join->answer_empty();
    }
    return outcome;
  }

 private:
  template <class Made, class In>
  Made* make(const SubmitOptions& options, RequestTraits&& traits, In&& input) const {
    if constexpr (std::is_same_v<Made, Item>) {
      return submitter_.make(options, std::move(traits), std::forward<In>(input));
    } else {
      return submitter_.template make<Made>(options, std::move(traits), submitter_.runtime(), core_,
                                            std::forward<In>(input));
    }
  }

  template <class Made>
  Made* make_join(std::size_t count) const {
    if constexpr (std::is_same_v<Made, Join>) {
      return pool_new<Join>(submitter_.runtime(), count);
    } else {
      return pool_new<Made>(submitter_.runtime(), core_, submitter_.runtime(), count);
    }
  }

  template <class Callback>
  static void require(const Callback& callback) {
    if (detail::is_null(callback)) raise_invalid("callback", "callable", "null");
  }

  Submitter<TIn, TOut, R>& submitter_;
  const std::function<void(CompletionTask)>& post_;
  const void* core_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SUBMISSION_HPP
