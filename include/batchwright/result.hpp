// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_RESULT_HPP
#define BATCHWRIGHT_RESULT_HPP

#include "errors.hpp"
#include "outcome.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

/// When things happened to one request, on the batcher's clock. `started` and `batch_size` are zero
/// for a request that no predictor saw.
struct RequestTiming {
  std::chrono::steady_clock::time_point enqueued{};  ///< When it was admitted.
  std::chrono::steady_clock::time_point started{};   ///< When the predictor was entered with it.
  std::chrono::steady_clock::time_point answered{};  ///< When its answer was ready.
  std::uint32_t batch_size = 0;                      ///< Requests in its batch.
  std::uint64_t batch_id = 0;                        ///< Number of its batch, from 1.
};

namespace detail {
struct VoidValue {};
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, VoidValue, T>;
}  // namespace detail

/// The answer to one request: a value, or the outcome that took its place, with an exception where
/// the predictor threw one. Movable if T is. No thread safety of its own, like any value.
template <class T>
class Result {
 public:
  using value_type = T;

  /// A value. (For `Result<void>`: success.)
  static Result success(detail::Stored<T> value) {
    Result result(Outcome::ok);
    result.value_.emplace(std::move(value));
    return result;
  }

  /// An outcome other than `ok`, with the exception that caused it, if any.
  static Result failure(Outcome outcome, std::exception_ptr error = nullptr) noexcept {
    Result result(outcome);
    result.error_ = std::move(error);
    return result;
  }

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  Outcome outcome() const noexcept { return outcome_; }

  /// What the predictor threw, or null. Outcomes of load and lifecycle carry no exception object
  /// until somebody asks for one by `value()`.
  const std::exception_ptr& error() const noexcept { return error_; }

  /// The value. Throws the predictor's exception, or the BatcherError of the outcome.
  std::add_lvalue_reference_t<T> value() & {
    require_value();
    if constexpr (!std::is_void_v<T>) return *value_;
  }
  T value() && {
    require_value();
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }

  /// The value, without a check: undefined unless `has_value()`.
  detail::Stored<T>& operator*() noexcept { return *value_; }
  const detail::Stored<T>& operator*() const noexcept { return *value_; }

  const RequestTiming& timing() const noexcept { return timing_; }
  void set_timing(const RequestTiming& timing) noexcept { timing_ = timing; }

 private:
  explicit Result(Outcome outcome) noexcept : outcome_(outcome) {}

  void require_value() const {
    if (!value_) detail::raise_outcome(outcome_, error_);
  }

  std::optional<detail::Stored<T>> value_;
  std::exception_ptr error_;
  Outcome outcome_;
  RequestTiming timing_;
};

namespace detail {

/// Moves an answer to where somebody waits for it. A value whose move throws becomes a failure with
/// what it threw.
template <class T>
void deliver(std::optional<Result<T>>& place, Result<T>&& answer) noexcept {
  guarded([&] { place.emplace(std::move(answer)); },
          [&](std::exception_ptr error) {
            place.emplace(Result<T>::failure(Outcome::failed, std::move(error)));
            place->set_timing(answer.timing());
          });
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_RESULT_HPP
