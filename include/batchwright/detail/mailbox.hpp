// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_MAILBOX_HPP
#define BATCHWRIGHT_DETAIL_MAILBOX_HPP

#include "../runtime.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Hands batches to the thread of one executor and lets it sleep in between. The scheduler gives an
/// executor its next batch only after the last call has returned, so one place is enough.
template <class Batch, Runtime R>
class Mailbox {
 public:
  explicit Mailbox(const R& runtime) noexcept : runtime_(runtime) {}

  /// From the dispatcher. Requires: the executor is vacant.
  void put(Batch& batch) noexcept {
    batch_ = &batch;
    word_.store(kFull, std::memory_order_release);
    runtime_.unpark(word_, 1);
  }

  /// From the dispatcher, or at a failed start: no batch will come any more.
  void close() noexcept {
    word_.store(kClosed, std::memory_order_release);
    runtime_.unpark(word_, 1);
  }

  /// From the executor: the next batch, or null when there will be none.
  Batch* take() noexcept {
    std::uint32_t seen = word_.load(std::memory_order_acquire);
    while (seen == kEmpty) {
      runtime_.park(word_, kEmpty, kNever);
      seen = word_.load(std::memory_order_acquire);
    }
    if (seen == kClosed) return nullptr;
    Batch* const batch = batch_;
    // Not a plain store: the mailbox may have been closed by a start that failed elsewhere.
    word_.compare_exchange_strong(seen, kEmpty, std::memory_order_acq_rel);
    return batch;
  }

 private:
  enum : std::uint32_t { kEmpty, kFull, kClosed };

  std::atomic<std::uint32_t> word_{kEmpty};
  Batch* batch_ = nullptr;
  [[no_unique_address]] R runtime_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_MAILBOX_HPP
