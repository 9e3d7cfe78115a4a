// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_ISOLATING_HPP
#define BATCHWRIGHT_ISOLATING_HPP

#include "policy.hpp"
#include "predictor.hpp"
#include "result.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

/// What isolation may cost.
struct IsolationOptions {
  /// Calls of the predictor for one batch besides the first. What has no answer when they are used up
  /// fails with the last error. Unless set: 4 x ceil(log2 n) for a batch of n requests, which finds any
  /// two bad ones. 2 x (n - 1) finds all.
  std::size_t max_extra_executions = kNoCount;
};

/// A predictor whose failing batches are run again in parts.
template <class F>
struct IsolatingPredictor {
  F predictor;
  IsolationOptions options;
};

/// Contains failures: when `predictor` throws, or gives a wrong number of results, the batch is halved
/// and each half run again, left half first, down to the requests that fail alone. These get what their
/// own run threw; their neighbours get their results, each half at once, in the order of the batch.
///
/// For predictors without side effects that matter: inputs are run up to log2 n + 1 times. It must
/// not change them either, so it takes `std::span<const TIn>`; any other form does not compile.
/// `BatchInfo::attempt` counts the runs of a batch, `BatchInfo::size` is that of the part.
/// `MetricsSnapshot::executions` counts them all, `batches_failed` only batches in which a request
/// failed. To a policy the batch is a failed one, because its time says nothing about its size.
///
/// Deadlines and cancellations do not act between two runs, as the predictor has been entered. But once
/// `BatchInfo::stop` is requested there is no further run: the rest fails with the last error.
///
/// Wraps the callable itself: `shared_predictor(isolating(p))`, and for one predictor each a factory
/// that returns `isolating(p)`. A batch that does not fail costs nothing extra.
template <class F>
IsolatingPredictor<std::decay_t<F>> isolating(F&& predictor, IsolationOptions options = {});

namespace detail {

template <class F>
inline constexpr bool kServesExecutors = false;
template <class F>
inline constexpr bool kServesExecutors<SharedPredictor<F>> = true;
template <class Factory>
inline constexpr bool kServesExecutors<PerExecutorPredictor<Factory>> = true;

// What the batcher calls in the end, and whether batches are run again.
template <class P>
struct Wrapped {
  using Callable = P;
  static constexpr bool kIsolates = false;
};
template <class F>
struct Wrapped<IsolatingPredictor<F>> {
  using Callable = F;
  static constexpr bool kIsolates = true;
};

// Whether the inputs are still there after a call.
template <class F, class TIn, class TOut>
constexpr bool keeps_inputs() {
  using Const = std::span<const TIn>;
  return (returns_results<F, TIn, TOut>() && std::same_as<InputSpan<F, TIn>, Const>) ||
         (writes_results<F, TIn, TOut>() &&
          std::same_as<InputSpan<F, TIn, std::span<Stored<TOut>>>, Const>);
}

}  // namespace detail

template <class F>
IsolatingPredictor<std::decay_t<F>> isolating(F&& predictor, IsolationOptions options) {
  static_assert(!detail::kServesExecutors<std::decay_t<F>>,
                "batchwright: isolating wraps the predictor itself. Write "
                "shared_predictor(isolating(p)), or return isolating(p) from the factory of "
                "predictor_per_executor");
  return {std::forward<F>(predictor), options};
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_ISOLATING_HPP
