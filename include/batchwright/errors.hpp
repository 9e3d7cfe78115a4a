// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_ERRORS_HPP
#define BATCHWRIGHT_ERRORS_HPP

#include "outcome.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

// Every throw, try and catch of the library stands in this file. Without exceptions
// (-fno-exceptions) a throw becomes a message on stderr and std::abort().
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define BATCHWRIGHT_HAS_EXCEPTIONS 1
#else
#define BATCHWRIGHT_HAS_EXCEPTIONS 0
#endif

namespace batchwright::inline v0_1 {

/// Base of everything that the library throws for load and lifecycle. What is wrong with a setting
/// or an argument is a std::invalid_argument instead, thrown where it is given.
class BatcherError : public std::runtime_error {
 public:
  BatcherError(Outcome outcome, const std::string& message)
      : std::runtime_error(message), outcome_(outcome) {}

  Outcome outcome() const noexcept { return outcome_; }

 private:
  Outcome outcome_;
};

/// The deadline passed before the predictor was entered.
class DeadlineExceededError : public BatcherError {
 public:
  DeadlineExceededError()
      : BatcherError(Outcome::expired, "batchwright: the deadline passed while queued") {}
};

/// The request was cancelled before the predictor was entered.
class CancelledError : public BatcherError {
 public:
  CancelledError() : BatcherError(Outcome::cancelled, "batchwright: cancelled while queued") {}
};

/// The queue was at its capacity.
class QueueFullError : public BatcherError {
 public:
  QueueFullError() : BatcherError(Outcome::queue_full, "batchwright: the queue is full") {}
};

/// The request, or the range of them, alone exceeds the queue's capacity.
class TooLargeError : public BatcherError {
 public:
  TooLargeError()
      : BatcherError(Outcome::too_large,
                     "batchwright: larger than max_batch_size or the queue's whole capacity") {}
};

/// By the forecast the request could not have been answered by its deadline; see Forecast.
class WouldExpireError : public BatcherError {
 public:
  WouldExpireError()
      : BatcherError(Outcome::would_expire, "batchwright: by forecast the deadline cannot be met") {
  }
};

/// The request gave way to one of higher priority when the queue was full.
class EvictedError : public BatcherError {
 public:
  EvictedError()
      : BatcherError(Outcome::evicted, "batchwright: evicted by a request of higher priority") {}
};

/// The batcher was shut down; also the answer to whatever an abandoning shutdown found queued.
class BatcherStoppedError : public BatcherError {
 public:
  BatcherStoppedError() : BatcherError(Outcome::stopped, "batchwright: the batcher is stopped") {}
};

/// A batcher was used in a forked child. Its threads live in the parent alone.
class ForkedError : public BatcherError {
 public:
  ForkedError()
      : BatcherError(Outcome::forked,
                     "batchwright: used in a forked child; construct the batcher after fork") {}
};

/// One of the batcher's own threads asked to block on it, which could never end.
class WouldDeadlockError : public BatcherError {
 public:
  WouldDeadlockError()
      : BatcherError(Outcome::would_deadlock,
                     "batchwright: blocking on a batcher from one of its own threads") {}
};

/// The predictor returned a number of results that is not the number of its inputs. All requests of
/// that batch fail with this; no result is handed to anybody, because none can be matched.
class ResultCountError : public BatcherError {
 public:
  ResultCountError(std::size_t inputs, std::size_t results)
      : BatcherError(Outcome::failed, "batchwright: the predictor returned " +
                                          std::to_string(results) + " results for " +
                                          std::to_string(inputs) + " inputs") {}
};

/// The predictor returned, or dropped its batch, without answering this request.
class UnansweredError : public BatcherError {
 public:
  UnansweredError()
      : BatcherError(Outcome::failed, "batchwright: the predictor left a request unanswered") {}
};

namespace detail {

/// Throws `error`; without exceptions prints it and aborts.
template <class Error>
[[noreturn]] void raise(Error error) {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  throw std::move(error);
#else
  std::fprintf(stderr, "%s\n", error.what());
  std::abort();
#endif
}

/// The one place where a bad setting becomes an error: names the setting, the value and what is
/// allowed, as in "DynamicBatcher: max_batch_size must be at least 1, got 0".
[[noreturn]] inline void raise_invalid(const std::string& setting, const std::string& allowed,
                                       const std::string& value) {
  raise(std::invalid_argument("DynamicBatcher: " + setting + " must be " + allowed + ", got " +
                              value));
}

/// Whether a callable that can be null is.
template <class F>
bool is_null([[maybe_unused]] const F& callable) {
  if constexpr (requires { callable == nullptr; }) {
    return callable == nullptr;
  } else {
    return false;
  }
}

/// One prepared exception object for each outcome: refusing a million requests throws nothing and
/// allocates nothing, it hands out references to these. Null for `ok`, and without exceptions.
inline std::exception_ptr prepared_exception(Outcome outcome) {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  static const std::exception_ptr kPrepared[kOutcomeCount] = {
      nullptr,
      std::make_exception_ptr(UnansweredError()),
      std::make_exception_ptr(DeadlineExceededError()),
      std::make_exception_ptr(CancelledError()),
      std::make_exception_ptr(QueueFullError()),
      std::make_exception_ptr(TooLargeError()),
      std::make_exception_ptr(WouldExpireError()),
      std::make_exception_ptr(EvictedError()),
      std::make_exception_ptr(BatcherStoppedError()),
      std::make_exception_ptr(ForkedError()),
      std::make_exception_ptr(WouldDeadlockError()),
  };
  return kPrepared[static_cast<std::size_t>(outcome)];
#else
  (void)outcome;
  return nullptr;
#endif
}

/// Throws the exception that stands for `outcome`: `error` if there is one, else the prepared one.
[[noreturn]] inline void raise_outcome(Outcome outcome, const std::exception_ptr& error = nullptr) {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  std::rethrow_exception(error ? error : prepared_exception(outcome));
#else
  (void)error;
  raise(BatcherError(outcome, std::string("batchwright: ") + to_string(outcome)));
#endif
}

/// An exception_ptr to a copy of `error`; null without exceptions.
template <class Error>
std::exception_ptr make_error([[maybe_unused]] Error error) {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  return std::make_exception_ptr(std::move(error));
#else
  return nullptr;
#endif
}

/// Calls `call()`; if it throws, calls `on_error(std::exception_ptr)` instead of letting anything
/// escape. True when nothing was thrown.
template <class Call, class OnError>
bool guarded(Call&& call, [[maybe_unused]] OnError&& on_error) noexcept {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  try {
    std::forward<Call>(call)();
    return true;
  } catch (...) {
    std::forward<OnError>(on_error)(std::current_exception());
    return false;
  }
#else
  std::forward<Call>(call)();
  return true;
#endif
}

/// Calls `call()` and, if it throws, `undo()` before the exception goes on.
template <class Call, class Undo>
decltype(auto) with_undo(Call&& call, [[maybe_unused]] Undo&& undo) {
#if BATCHWRIGHT_HAS_EXCEPTIONS
  try {
    return std::forward<Call>(call)();
  } catch (...) {
    std::forward<Undo>(undo)();
    throw;
  }
#else
  return std::forward<Call>(call)();
#endif
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_ERRORS_HPP
