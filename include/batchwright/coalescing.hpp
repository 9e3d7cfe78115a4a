// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_COALESCING_HPP
#define BATCHWRIGHT_COALESCING_HPP

#include "detail/block_pool.hpp"
#include "key_function.hpp"
#include "result.hpp"

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

namespace detail {

/// How results of one type are copied, without the type.
struct ResultCopier {
  const void* type = nullptr;
  /// Makes `*place`, a std::optional<Result<TOut>>, a copy of `*result`. Throws what the copy throws.
  void (*copy)(const void* result, void* place) = nullptr;

  template <class TOut>
  static constexpr ResultCopier of() noexcept {
    return {&kTypeMark<TOut>, [](const void* result, void* place) {
              static_cast<std::optional<Result<TOut>>*>(place)->emplace(
                  *static_cast<const Result<TOut>*>(result));
            }};
  }
};

}  // namespace detail

/// What `coalesce_by` makes, before the batcher's input is known.
template <class TOut, class F, class Hash>
struct CoalesceBy {
  F function;
  Hash hash;
};

/// Makes `BatcherOptions::coalesce` of a key of the input, as KeyFunction describes it:
/// `.coalesce = coalesce_by<Label>(&Image::digest)`, or `coalesce_by<Label>(std::identity{})` where
/// inputs themselves have `==` and a hash. `hash` is for keys that have none.
///
/// Requests are identical if and only if their keys are equal, and they are of one lane and tenant. The
/// answer to one must serve for the other, so what the answer depends on belongs into the key. The
/// work has the rank of the most urgent of those who wait for it, is seen by policies with the last of
/// their deadlines, and is computed while at least one does. Each of them counts against `capacity`, is
/// answered by itself, with a copy of the result or the same exception, and may expire or be cancelled
/// by itself: who came before the predictor was entered until then, who came later until the result is
/// there. Nobody joins what a predictor was told to give up (`BatchInfo::stop`).
///
/// TOut is the batcher's, and copyable. Where copying it throws, that request alone fails.
template <class TOut, class F, class Hash>
  requires(std::is_void_v<TOut> || std::copy_constructible<TOut>)
CoalesceBy<TOut, F, Hash> coalesce_by(F key, Hash hash) {
  return {std::move(key), std::move(hash)};
}
template <class TOut, class F>
  requires(std::is_void_v<TOut> || std::copy_constructible<TOut>)
CoalesceBy<TOut, F, std::nullptr_t> coalesce_by(F key) {
  return {std::move(key), nullptr};
}

/// Whether, and by what, identical requests share their computation. By default none do.
template <class TIn>
class Coalescing {
 public:
  Coalescing() = default;

  template <class TOut, class F>
    requires std::constructible_from<KeyFunction<TIn>, F>
  Coalescing(CoalesceBy<TOut, F, std::nullptr_t> by)
      : key_(std::move(by.function)), copier_(detail::ResultCopier::of<TOut>()) {}
  template <class TOut, class F, class Hash>
    requires(!std::same_as<Hash, std::nullptr_t>)
  Coalescing(CoalesceBy<TOut, F, Hash> by)
      : key_(std::move(by.function), std::move(by.hash)),
        copier_(detail::ResultCopier::of<TOut>()) {}

  explicit operator bool() const noexcept { return static_cast<bool>(key_); }

  const KeyFunction<TIn>& key() const noexcept { return key_; }
  const detail::ResultCopier& copier() const noexcept { return copier_; }

 private:
  KeyFunction<TIn> key_;
  detail::ResultCopier copier_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_COALESCING_HPP
