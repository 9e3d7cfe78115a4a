// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INLINE_FUNCTION_HPP
#define BATCHWRIGHT_DETAIL_INLINE_FUNCTION_HPP

#include "pooled.hpp"
#include "prefetch.hpp"

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1::detail {

template <class Signature>
class InlineFunction;

/// A callable that is made once, called at most once and never moved: stored in place up to six
/// pointers, in a pooled block beyond. A call that throws terminates.
template <class... Args>
class InlineFunction<void(Args...)> {
 public:
  InlineFunction() noexcept = default;
  InlineFunction(const InlineFunction&) = delete;
  InlineFunction& operator=(const InlineFunction&) = delete;
  ~InlineFunction() {
    if (table_ != nullptr) table_->destroy(storage_);
  }

  /// Requires: empty. Throws what the callable's constructor throws, and std::bad_alloc.
  template <class F>
  void emplace(F&& function) {
    using Callable = std::decay_t<F>;
    if constexpr (kFits<Callable>) {
      new (storage_) Callable(std::forward<F>(function));
      table_ = &kInPlace<Callable>;
    } else {
      new (storage_) Callable*(pool_new<Callable>(std::forward<F>(function)));
      table_ = &kPooled<Callable>;
    }
  }

  /// The callable. Requires: it is an F, and was emplaced.
  template <class F>
  F& target() noexcept {
    void* const storage = storage_;
    if constexpr (kFits<F>) {
      return *static_cast<F*>(storage);
    } else {
      return **static_cast<F**>(storage);
    }
  }

  /// Begins to fetch what the callable points to, if that is the first thing in it. Requires: not empty.
  void prefetch() const noexcept {
    if (table_->points) detail::prefetch(*reinterpret_cast<void* const*>(storage_));
  }

  void operator()(Args... args) noexcept { table_->call(storage_, std::forward<Args>(args)...); }

 private:
  static constexpr std::size_t kCapacity = 6 * sizeof(void*);

  struct Table {
    void (*call)(void*, Args&&...) noexcept;
    void (*destroy)(void*) noexcept;
    bool points;  // Large enough to begin with a pointer.
  };

  template <class F>
  static constexpr bool kFits = sizeof(F) <= kCapacity && alignof(F) <= alignof(void*);

  template <class F>
  static constexpr Table kInPlace = {[](void* storage, Args&&... args) noexcept {
                                       (*static_cast<F*>(storage))(std::forward<Args>(args)...);
                                     },
                                     [](void* storage) noexcept { static_cast<F*>(storage)->~F(); },
                                     sizeof(F) >= sizeof(void*)};

  template <class F>
  static constexpr Table kPooled = {
      [](void* storage, Args&&... args) noexcept {
        (**static_cast<F**>(storage))(std::forward<Args>(args)...);
      },
      [](void* storage) noexcept { pool_delete(*static_cast<F**>(storage)); }, true};

  const Table* table_ = nullptr;
  alignas(void*) std::byte storage_[kCapacity];
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INLINE_FUNCTION_HPP
