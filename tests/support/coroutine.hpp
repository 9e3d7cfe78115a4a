// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_COROUTINE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_COROUTINE_HPP

#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace batchwright_test {

/// The smallest coroutine that can be tested: it starts at once and runs to its end on whichever
/// threads resume it. It must have ended before its Task does.
template <class T = void>
class Task {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  struct PromiseBase {
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { error = std::current_exception(); }

    std::exception_ptr error;
    std::optional<Value> value;
  };

  struct VoidPromise : PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<VoidPromise>::from_promise(*this));
    }
    void return_void() { this->value.emplace(); }
  };

  struct ValuePromise : PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<ValuePromise>::from_promise(*this));
    }
    template <class U>
    void return_value(U&& result) {
      this->value.emplace(std::forward<U>(result));
    }
  };

  using promise_type = std::conditional_t<std::is_void_v<T>, VoidPromise, ValuePromise>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!handle_) return;
    if (!handle_.done()) std::terminate();
    handle_.destroy();
  }

  bool done() const noexcept { return handle_.done(); }

  /// The value that the coroutine returned; throws what it threw. Requires: done.
  T get() {
    if (!done()) throw std::logic_error("Task: the coroutine has not ended");
    promise_type& promise = handle_.promise();
    if (promise.error) std::rethrow_exception(promise.error);
    if constexpr (!std::is_void_v<T>) return std::move(*promise.value);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_COROUTINE_HPP
