// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PREDICTOR_SOURCE_HPP
#define BATCHWRIGHT_DETAIL_PREDICTOR_SOURCE_HPP

#include "../errors.hpp"
#include "../isolating.hpp"
#include "../predictor.hpp"
#include "isolating_runner.hpp"
#include "owned.hpp"
#include "predictor_forms.hpp"

#include <cstddef>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Where the executors get their predictors from.
template <class TIn, class TOut>
class PredictorSource {
 public:
  virtual ~PredictorSource() = default;
  /// Called on the executor's thread; throws what a factory throws. The runner dies there too.
  virtual Owned<PredictorRunner<TIn, TOut>> make(std::size_t executor) = 0;
  virtual bool parallel() const noexcept = 0;
  virtual bool asynchronous() const noexcept = 0;
  virtual bool takes_info() const noexcept = 0;
  /// Whether each runner has a predictor of its own, which goes when the runner does.
  virtual bool per_executor() const noexcept = 0;
};

template <class P, class TIn, class TOut>
consteval void require_one_form() {
  using F = typename Wrapped<P>::Callable;
  constexpr int kForms = forms_of<F, TIn, TOut>();
  static_assert(kForms != 0,
                "batchwright: this predictor fits no form. Write one of: "
                "std::vector<TOut>(std::span<const TIn>), "
                "void(std::span<const TIn>, std::span<TOut>), void(Batch<TIn, TOut>&), "
                "void(Batch<TIn, TOut>); each may take a trailing const BatchInfo&");
  static_assert(kForms <= 1,
                "batchwright: this predictor fits several forms. Spell the type of its parameter "
                "instead of auto: std::span<const TIn>, Batch<TIn, TOut>& or Batch<TIn, TOut>");
  static_assert(!Wrapped<P>::kIsolates || kForms != 1 || keeps_inputs<F, TIn, TOut>(),
                "batchwright: what isolating wraps is run again with the same inputs, so it must "
                "not be able to change them. Write one of: "
                "std::vector<TOut>(std::span<const TIn>), "
                "void(std::span<const TIn>, std::span<TOut>); each may take a trailing const "
                "BatchInfo&");
}

template <class F, class TIn, class TOut>
inline constexpr bool kAsynchronous = kCalls<F, Batch<TIn, TOut>>;

// Those over Batch have it in their hands anyway; whoever isolates looks whether to go on.
template <class F, class TIn, class TOut>
inline constexpr bool kLooksAtInfo =
    Wrapped<F>::kIsolates || kCalls<F, Batch<TIn, TOut>&> || kCalls<F, Batch<TIn, TOut>> ||
    kTakesInfo<F, InputSpan<F, TIn>> ||
    kTakesInfo<F, InputSpan<F, TIn, std::span<Stored<TOut>>>, std::span<Stored<TOut>>>;

template <class TIn, class TOut, class P>
using RunnerFor = std::conditional_t<
    Wrapped<P>::kIsolates, IsolatingRunner<TIn, TOut, typename Wrapped<P>::Callable>,
    std::conditional_t<kCalls<P, Batch<TIn, TOut>&> || kCalls<P, Batch<TIn, TOut>>,
                       BatchRunner<TIn, TOut, P>, SpanRunner<TIn, TOut, P>>>;

/// A callable that can be null must not be.
template <class F>
void require_callable(const char* name, const F& callable) {
  if (detail::is_null(callable)) raise_invalid(name, "callable", "null");
}

template <class F>
void require_callable(const char* name, const IsolatingPredictor<F>& isolating) {
  require_callable(name, isolating.predictor);
}

/// One object that all executors call: there is one, or the user allows concurrent calls.
template <class TIn, class TOut, class F, bool Parallel>
class SharedSource final : public PredictorSource<TIn, TOut> {
 public:
  template <class G>
  explicit SharedSource(G&& predictor) : predictor_(std::forward<G>(predictor)) {
    require_one_form<F, TIn, TOut>();
    require_callable("predictor", predictor_);
  }
  Owned<PredictorRunner<TIn, TOut>> make(std::size_t) override {
    return Owned<PredictorRunner<TIn, TOut>>(new RunnerFor<TIn, TOut, F>(predictor_));
  }
  bool parallel() const noexcept override { return Parallel; }
  bool asynchronous() const noexcept override { return kAsynchronous<F, TIn, TOut>; }
  bool takes_info() const noexcept override { return kLooksAtInfo<F, TIn, TOut>; }
  bool per_executor() const noexcept override { return false; }

 private:
  F predictor_;
};

template <class Factory>
decltype(auto) call_factory(Factory& factory, std::size_t executor) {
  if constexpr (std::is_invocable_v<Factory&, std::size_t>) {
    return factory(executor);
  } else {
    return factory();
  }
}

/// A predictor of its own for each executor.
template <class TIn, class TOut, class Factory>
class FactorySource final : public PredictorSource<TIn, TOut> {
  using F = std::remove_cvref_t<decltype(call_factory(std::declval<Factory&>(), 0))>;

  class Owner final : public PredictorRunner<TIn, TOut> {
   public:
    Owner(Factory& factory, std::size_t executor)
        : predictor_(call_factory(factory, executor)), runner_(predictor_) {
      require_callable("predictor", predictor_);
    }
    bool run(BatchSink<TIn, TOut>& sink, BatchState<TIn, TOut>& state) noexcept override {
      return runner_.run(sink, state);
    }

   private:
    F predictor_;
    RunnerFor<TIn, TOut, F> runner_;
  };

 public:
  template <class G>
  explicit FactorySource(G&& factory) : factory_(std::forward<G>(factory)) {
    require_one_form<F, TIn, TOut>();
    require_callable("predictor factory", factory_);
  }
  Owned<PredictorRunner<TIn, TOut>> make(std::size_t executor) override {
    return Owned<PredictorRunner<TIn, TOut>>(new Owner(factory_, executor));
  }
  bool parallel() const noexcept override { return true; }
  bool asynchronous() const noexcept override { return kAsynchronous<F, TIn, TOut>; }
  bool takes_info() const noexcept override { return kLooksAtInfo<F, TIn, TOut>; }
  bool per_executor() const noexcept override { return true; }

 private:
  Factory factory_;
};

template <class TIn, class TOut, class F>
Owned<PredictorSource<TIn, TOut>> make_source(SharedPredictor<F> predictor) {
  return Owned<PredictorSource<TIn, TOut>>(
      new SharedSource<TIn, TOut, F, true>(std::move(predictor.predictor)));
}

template <class TIn, class TOut, class Factory>
Owned<PredictorSource<TIn, TOut>> make_source(PerExecutorPredictor<Factory> predictor) {
  return Owned<PredictorSource<TIn, TOut>>(
      new FactorySource<TIn, TOut, Factory>(std::move(predictor.factory)));
}

template <class TIn, class TOut, class F>
Owned<PredictorSource<TIn, TOut>> make_source(F&& predictor) {
  return Owned<PredictorSource<TIn, TOut>>(
      new SharedSource<TIn, TOut, std::decay_t<F>, false>(std::forward<F>(predictor)));
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PREDICTOR_SOURCE_HPP
