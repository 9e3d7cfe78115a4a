// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AWAITED_ANSWER_HPP
#define BATCHWRIGHT_DETAIL_AWAITED_ANSWER_HPP

#include "../result.hpp"
#include "../runtime.hpp"
#include "deferred_wakes.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// An answer on the stack of the caller who waits for it, and who does nothing else until it is there. The
/// word says so last of all: while the caller's wake is deferred he sleeps on, though his answer is here.
template <class TOut, Runtime R>
class AwaitedAnswer final : public DeferredWake {
 public:
  explicit AwaitedAnswer(const R& runtime) noexcept : runtime_(runtime), caller_(this_thread()) {}
  AwaitedAnswer(const AwaitedAnswer&) = delete;
  AwaitedAnswer& operator=(const AwaitedAnswer&) = delete;
  ~AwaitedAnswer() = default;

  /// From whoever answers.
  void complete(Result<TOut>&& answer) noexcept {
    deliver(result_, std::move(answer));
    // The caller has come to it himself: there is nobody to hand it over to.
    if (caller_ == this_thread()) return word_.store(kReady, std::memory_order_relaxed);
    std::uint32_t pending = kPending;
    if (word_.compare_exchange_strong(pending, kReady, std::memory_order_acq_rel)) return;
    if (!DeferredWakes::take(*this)) wake();
  }

  void wake() noexcept override {
    const R runtime = runtime_;  // Once the word says so this may be gone.
    word_.store(kReady, std::memory_order_release);
    runtime.unpark(word_, kEveryone);
  }

  /// From the caller.
  Result<TOut>& wait() noexcept {
    std::uint32_t seen = kPending;
    if (word_.load(std::memory_order_acquire) != kReady &&
        word_.compare_exchange_strong(seen, kWaiting, std::memory_order_acq_rel)) {
      while (word_.load(std::memory_order_acquire) != kReady) {
        runtime_.park(word_, kWaiting, kNever);
      }
    }
    return *result_;
  }

 private:
  enum : std::uint32_t { kPending, kWaiting, kReady };

  // Another address on each thread.
  static const void* this_thread() noexcept {
    static thread_local const char kMark = 0;
    return &kMark;
  }

  std::atomic<std::uint32_t> word_{kPending};
  [[no_unique_address]] R runtime_;
  const void* const caller_;
  std::optional<Result<TOut>> result_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AWAITED_ANSWER_HPP
