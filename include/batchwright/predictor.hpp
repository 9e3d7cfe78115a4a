// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_PREDICTOR_HPP
#define BATCHWRIGHT_PREDICTOR_HPP

#include "batch.hpp"
#include "batch_info.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {
namespace detail {

// A predictor may take a trailing `const BatchInfo&`.
template <class F, class... Args>
inline constexpr bool kTakesInfo = std::is_invocable_v<F&, Args..., const BatchInfo&>;

template <class F, class... Args>
inline constexpr bool kCalls = std::is_invocable_v<F&, Args...> || kTakesInfo<F, Args...>;

template <class F, class... Args>
decltype(auto) call_predictor(F& predictor, const BatchInfo& info, Args&&... args) {
  if constexpr (kTakesInfo<F, Args...>) {
    return predictor(std::forward<Args>(args)..., info);
  } else {
    return predictor(std::forward<Args>(args)...);
  }
}

template <class F, class... Args>
struct CallResult {
  using type = void;
};
template <class F, class... Args>
  requires kCalls<F, Args...>
struct CallResult<F, Args...> {
  using type = decltype(call_predictor(std::declval<F&>(), std::declval<const BatchInfo&>(),
                                       std::declval<Args>()...));
};

// The span that a predictor wants: over const inputs if it accepts that.
template <class F, class TIn, class... Rest>
using InputSpan = std::conditional_t<kCalls<F, std::span<const TIn>, Rest...>, std::span<const TIn>,
                                     std::span<TIn>>;

template <class F, class TIn, class TOut>
constexpr bool returns_results() {
  using Span = InputSpan<F, TIn>;
  if constexpr (!kCalls<F, Span>) {
    return false;
  } else {
    using Returned = std::remove_cvref_t<typename CallResult<F, Span>::type>;
    if constexpr (std::is_void_v<TOut>) {
      return std::is_void_v<Returned>;
    } else {
      return std::same_as<Returned, std::vector<TOut>>;
    }
  }
}

template <class F, class TIn, class TOut>
constexpr bool writes_results() {
  if constexpr (std::is_void_v<TOut>) {
    return false;
  } else {
    return kCalls<F, InputSpan<F, TIn, std::span<TOut>>, std::span<TOut>>;
  }
}

template <class F, class TIn, class TOut>
constexpr int forms_of() {
  return int{returns_results<F, TIn, TOut>()} + int{writes_results<F, TIn, TOut>()} +
         int{kCalls<F, Batch<TIn, TOut>&>} + int{kCalls<F, Batch<TIn, TOut>>};
}

}  // namespace detail

/// A callable in one of the four forms. Each may take a trailing `const BatchInfo&`.
///
/// | form | meaning |
/// |------|---------|
/// | `std::vector<TOut>(std::span<const TIn>)`, also over `span<TIn>` | one result per input, in order |
/// | `void(std::span<const TIn>, std::span<TOut>)`, also over `span<TIn>` | writes in place; the results are value-initialized before each call |
/// | `void(Batch<TIn, TOut>&)` | sees inputs where they lie; answers or fails them one by one before it returns |
/// | `void(Batch<TIn, TOut>)` | owns the batch and may answer later, from any thread |
///
/// For `TOut = void` the first returns nothing, and the second does not exist. The spans hold the real
/// inputs alone, contiguous, moved there from where they were submitted.
///
/// A predictor runs on an executor's thread, one call at a time unless it is given as
/// `shared_predictor`. What it throws fails its batch and nothing else. It may submit to its batcher,
/// but not wait for the answer.
template <class F, class TIn, class TOut>
concept Predictor = detail::forms_of<F, TIn, TOut>() == 1;

/// A predictor that may be called by several executors at the same time.
template <class F>
struct SharedPredictor {
  F predictor;
};

/// Says that calls of `predictor` from several threads at once are fine. Then one object serves all
/// executors; otherwise a bare predictor serves one executor.
template <class F>
SharedPredictor<std::decay_t<F>> shared_predictor(F&& predictor) {
  return {std::forward<F>(predictor)};
}

/// A predictor of its own for each executor.
template <class Factory>
struct PerExecutorPredictor {
  Factory factory;
};

/// `factory()` or `factory(std::size_t executor)` returns the predictor of one executor. It is called,
/// used and destroyed on that executor's thread; what it throws comes out of the batcher's constructor.
template <class Factory>
PerExecutorPredictor<std::decay_t<Factory>> predictor_per_executor(Factory&& factory) {
  return {std::forward<Factory>(factory)};
}

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_PREDICTOR_HPP
