// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_STOP_TOKEN_HPP
#define BATCHWRIGHT_DETAIL_STOP_TOKEN_HPP

// std::stop_token where the standard library has it, else a small one of our own with the part of its
// interface that batching needs. BATCHWRIGHT_OWN_STOP_TOKEN chooses the latter, for tests.

#include <version>

#if defined(__cpp_lib_jthread) && !defined(BATCHWRIGHT_OWN_STOP_TOKEN)

#include <stop_token>

namespace batchwright::inline v0_1 {
using StopToken = std::stop_token;
using StopSource = std::stop_source;
template <class Callback>
using StopCallback = std::stop_callback<Callback>;
}  // namespace batchwright::inline v0_1

#else

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace batchwright::inline v0_1 {
namespace detail {

struct StopNode {
  virtual void run() noexcept = 0;
  StopNode* next = nullptr;
  StopNode** place = nullptr;  // The link that points here; null when not registered.

 protected:
  ~StopNode() = default;
};

// A cold path: one mutex, held over no callback.
class StopState {
 public:
  bool requested() const {
    const std::lock_guard lock(mutex_);
    return requested_;
  }

  bool request() {
    std::unique_lock lock(mutex_);
    if (std::exchange(requested_, true)) return false;
    requester_ = std::this_thread::get_id();
    while (first_ != nullptr) {
      running_ = first_;
      remove(*first_);
      lock.unlock();
      running_->run();
      lock.lock();
      running_ = nullptr;
      finished_.notify_all();
    }
    return true;
  }

  // False if stop was requested already: the caller then runs the callback itself.
  bool add(StopNode& node) {
    const std::lock_guard lock(mutex_);
    if (requested_) return false;
    node.next = first_;
    node.place = &first_;
    if (first_ != nullptr) first_->place = &node.next;
    first_ = &node;
    return true;
  }

  // Returns once the callback is not running, unless it is this very thread that runs it.
  void drop(StopNode& node) {
    std::unique_lock lock(mutex_);
    if (node.place != nullptr) {
      remove(node);
    } else if (requester_ != std::this_thread::get_id()) {
      finished_.wait(lock, [&] { return running_ != &node; });
    }
  }

 private:
  static void remove(StopNode& node) {
    *node.place = node.next;
    if (node.next != nullptr) node.next->place = node.place;
    node.place = nullptr;
  }

  mutable std::mutex mutex_;
  std::condition_variable finished_;
  std::thread::id requester_;
  StopNode* first_ = nullptr;
  StopNode* running_ = nullptr;
  bool requested_ = false;
};

}  // namespace detail

/// Tells whether a stop was requested, as std::stop_token. Thread safe.
class StopToken {
 public:
  StopToken() noexcept = default;
  bool stop_requested() const noexcept { return state_ != nullptr && state_->requested(); }
  bool stop_possible() const noexcept { return state_ != nullptr; }

 private:
  friend class StopSource;
  template <class Callback>
  friend class StopCallback;
  std::shared_ptr<detail::StopState> state_;
};

/// Requests a stop, as std::stop_source. Thread safe.
class StopSource {
 public:
  StopSource() : state_(std::make_shared<detail::StopState>()) {}
  StopToken get_token() const noexcept {
    StopToken token;
    token.state_ = state_;
    return token;
  }
  bool stop_requested() const noexcept { return state_->requested(); }
  bool request_stop() noexcept { return state_->request(); }

 private:
  std::shared_ptr<detail::StopState> state_;
};

/// Calls back when a stop is requested, as std::stop_callback.
template <class Callback>
class StopCallback final : detail::StopNode {
 public:
  template <class C>
  StopCallback(const StopToken& token, C&& callback)
      : callback_(std::forward<C>(callback)), state_(token.state_) {
    if (state_ != nullptr && !state_->add(*this)) {
      state_ = nullptr;
      callback_();
    }
  }
  StopCallback(const StopCallback&) = delete;
  StopCallback& operator=(const StopCallback&) = delete;
  ~StopCallback() {
    if (state_ != nullptr) state_->drop(*this);
  }

 private:
  void run() noexcept override { callback_(); }

  Callback callback_;
  std::shared_ptr<detail::StopState> state_;
};

}  // namespace batchwright::inline v0_1

#endif

#endif  // BATCHWRIGHT_DETAIL_STOP_TOKEN_HPP
