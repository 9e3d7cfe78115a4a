// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_PREDICTION_HPP
#define BATCHWRIGHT_PREDICTION_HPP

#include "completion_task.hpp"
#include "detail/deferred_wakes.hpp"
#include "detail/submitter.hpp"
#include "result.hpp"
#include "submit_options.hpp"

#include <coroutine>
#include <functional>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1 {

/// What `predict` returns: to be awaited at once, by `co_await batcher.predict(input)`. The request is
/// submitted when it is awaited, and the coroutine resumes with the value, or with the exception that
/// stands for what happened instead. It resumes on the thread that completes the batch, or where
/// `complete_on` posts it; a refusal does not suspend it. A full queue with `OverflowAction::block`
/// suspends the coroutine and blocks no thread. A suspended coroutine must not be destroyed.
template <class TIn, class TOut, Runtime R>
class [[nodiscard]] Prediction {
 public:
  /// Made by `predict`.
  Prediction(detail::Submitter<TIn, TOut, R>& submitter,
             const std::function<void(CompletionTask)>& post, detail::Request<TIn, TOut>* request,
             const SubmitOptions& options) noexcept
      : submitter_(submitter), post_(post), request_(request), options_(options) {}

  Prediction(const Prediction&) = delete;
  Prediction& operator=(const Prediction&) = delete;
  ~Prediction() {
    if (request_ != nullptr) request_->release();
  }

  bool await_ready() const noexcept { return false; }

  bool await_suspend(std::coroutine_handle<> coroutine) {
    detail::Request<TIn, TOut>& request = *request_;
    resumption_.coroutine = coroutine;
    request.completion.emplace([this](Result<TOut>&& result) {
      detail::deliver(result_, std::move(result));
      const detail::PromptWakes prompt;
      if (post_) {
        post_(CompletionTask(&resumption_));
      } else {
        resumption_.run_and_delete();
      }
    });
    // From the submission on the coroutine may be running elsewhere, and this object be gone.
    const SubmitOptions options = options_;
    detail::CallSize size;
    size.add(request.bytes, request.weight, request.length);
    if (request.held_flow != nullptr) size.add_to_tenant(*request.held_flow, request.bytes);
    const Outcome outcome = submitter_.submit(
        options, size, detail::WhenFull::suspend, &group_,
        [this](detail::RequestChain& chain) { chain.append(*std::exchange(request_, nullptr)); });
    if (outcome == Outcome::ok) return true;
    result_.emplace(Result<TOut>::failure(outcome));
    return false;
  }

  TOut await_resume() { return std::move(*result_).value(); }

 private:
  struct Resumption final : detail::CompletionWork {
    void run_and_delete() noexcept override { coroutine.resume(); }
    std::coroutine_handle<> coroutine;
  };

  detail::Submitter<TIn, TOut, R>& submitter_;
  const std::function<void(CompletionTask)>& post_;
  detail::Request<TIn, TOut>* request_;
  SubmitOptions options_;
  detail::WaitingGroup group_;
  std::optional<Result<TOut>> result_;
  Resumption resumption_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_PREDICTION_HPP
