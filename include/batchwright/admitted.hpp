// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_ADMITTED_HPP
#define BATCHWRIGHT_ADMITTED_HPP

#include "outcome.hpp"

#include <optional>
#include <utility>

namespace batchwright::inline v0_1 {

/// What became of a submission that may be refused: true with the future or ticket of an accepted
/// request, or the reason of the refusal. A refused argument has not been touched.
template <class T>
class [[nodiscard]] Admitted {
 public:
  Admitted(T handle) noexcept : handle_(std::move(handle)) {}  // NOLINT
  Admitted(Outcome refusal) noexcept : outcome_(refusal) {}    // NOLINT

  explicit operator bool() const noexcept { return handle_.has_value(); }

  /// `ok` if accepted, else why not.
  Outcome outcome() const noexcept { return outcome_; }

  /// Requires: accepted.
  T& operator*() & noexcept { return *handle_; }
  T&& operator*() && noexcept { return std::move(*handle_); }
  T* operator->() noexcept { return &*handle_; }

 private:
  std::optional<T> handle_;
  Outcome outcome_ = Outcome::ok;
};

/// For callbacks, which are their own handle. If it is false the callback will not be called.
template <>
class Admitted<void> {
 public:
  explicit Admitted(Outcome outcome) noexcept : outcome_(outcome) {}
  explicit operator bool() const noexcept { return outcome_ == Outcome::ok; }
  Outcome outcome() const noexcept { return outcome_; }

 private:
  Outcome outcome_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_ADMITTED_HPP
