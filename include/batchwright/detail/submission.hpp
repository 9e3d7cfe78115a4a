// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SUBMISSION_HPP
#define BATCHWRIGHT_DETAIL_SUBMISSION_HPP

#include "../admitted.hpp"
#include "../completion_task.hpp"
#include "../result.hpp"
#include "../submit_options.hpp"
#include "../ticket.hpp"
#include "completions.hpp"
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

  /// `core` tells the batcher's own threads; all three outlive the call.
  Submission(Submitter<TIn, TOut, R>& submitter, const std::function<void(CompletionTask)>& post,
             const void* core) noexcept
      : submitter_(submitter), post_(post), core_(core) {}

#if BATCHWRIGHT_HAS_EXCEPTIONS
  static std::promise<TOut> make_promise() {
    return std::promise<TOut>(std::allocator_arg, PoolAllocator<std::byte>());
  }

  static std::future<TOut> refused_future(Outcome outcome) {
    std::promise<TOut> promise = make_promise();
    promise.set_exception(prepared_exception(outcome));
    return promise.get_future();
  }

  static std::future<TOut> answer_by_future(Item& request) {
    std::promise<TOut> promise = make_promise();
    std::future<TOut> future = promise.get_future();
    request.completion.emplace(FutureAnswer<TOut>(std::move(promise)));
    return future;
  }

  template <class In>
  Outcome by_future(std::future<TOut>& future, In&& input, const SubmitOptions& options,
                    WhenFull when_full) {
    return one(std::forward<In>(input), options, when_full,
               [&](Item& request) { future = answer_by_future(request); });
  }
#endif

  TicketState<TOut, R>* answer_by_ticket(Item& request) {
    auto* const state = pool_new<TicketState<TOut, R>>(submitter_.runtime(), core_);
    state->request = &request;
    request.retain();
    request.completion.emplace(
        [state](Result<TOut>&& result) { state->complete(std::move(result)); });
    return state;
  }

  // Both references go: nobody has seen the ticket, and the completion will not be called.
  static void withdraw(TicketState<TOut, R>* state) noexcept {
    if (state == nullptr) return;
    state->release();
    state->release();
  }
  static void withdraw(std::vector<TicketState<TOut, R>*>& states) noexcept {
    for (auto* state : states) withdraw(state);
    states.clear();
  }

  template <class In>
  Outcome by_ticket(TicketState<TOut, R>*& state, In&& input, const SubmitOptions& options,
                    WhenFull when_full) {
    const Outcome outcome = one(std::forward<In>(input), options, when_full,
                                [&](Item& request) { state = answer_by_ticket(request); });
    if (outcome != Outcome::ok) withdraw(std::exchange(state, nullptr));
    return outcome;
  }

  template <class In, class Callback>
  Admitted<void> by_callback(In&& input, Callback&& callback, const SubmitOptions& options,
                             WhenFull when_full) {
    if constexpr (requires { callback == nullptr; }) {
      if (callback == nullptr) raise_invalid("callback", "callable", "null");
    }
    return Admitted<void>(one(std::forward<In>(input), options, when_full, [&](Item& request) {
      if (!post_) {
        request.completion.emplace([callback = std::decay_t<Callback>(std::forward<Callback>(
                                        callback))](Result<TOut>&& result) mutable {
          const PromptWakes prompt;
          callback(std::move(result));
        });
        return;
      }
      request.completion.emplace(
          PostedAnswer<TOut, std::decay_t<Callback>>(post_, std::forward<Callback>(callback)));
    }));
  }

  template <class In, class Bind>
  Outcome one(In&& input, const SubmitOptions& options, WhenFull when_full, Bind&& bind) {
    RequestTraits traits = submitter_.read(input);
    CallSize size;
    size.add(traits.bytes, traits.weight, traits.length);
    return submitter_.submit(options, size, when_full, nullptr, [&](RequestChain& chain) {
      Item* const request = submitter_.make(std::forward<In>(input), options, std::move(traits));
      chain.append(*request);
      bind(*request);
    });
  }

  /// All elements of a range, or none. `prepare(count)` comes first, then `bind(request)` for each.
  template <class Range, class Prepare, class Bind>
  Outcome range(Range&& inputs, const SubmitOptions& options, Prepare&& prepare, Bind&& bind) {
    CallSize size;
    std::vector<RequestTraits> traits;
    for (const auto& input : inputs) {
      traits.push_back(submitter_.read(input));
      size.add(traits.back().bytes, traits.back().weight, traits.back().length);
    }
    prepare(size.count);
    if (size.count == 0) return Outcome::ok;
    return submitter_.submit(options, size, WhenFull::block, nullptr, [&](RequestChain& chain) {
      auto next = traits.begin();
      for (auto&& input : inputs) {
        Item* request = nullptr;
        if constexpr (std::is_rvalue_reference_v<Range&&>) {
          request = submitter_.make(std::move(input), options, std::move(*next++));
        } else {
          request = submitter_.make(input, options, std::move(*next++));
        }
        chain.append(*request);
        bind(*request);
      }
    });
  }

 private:
  Submitter<TIn, TOut, R>& submitter_;
  const std::function<void(CompletionTask)>& post_;
  const void* core_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SUBMISSION_HPP
