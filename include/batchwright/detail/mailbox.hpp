// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_MAILBOX_HPP
#define BATCHWRIGHT_DETAIL_MAILBOX_HPP

#include "../policy.hpp"
#include "../runtime.hpp"
#include "adaptive_spin.hpp"
#include "block_cache.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Hands batches to the thread of one executor and lets it sleep in between. The scheduler gives an
/// executor its next batch only after the last call has returned, so one place is enough.
template <class Batch, Runtime R>
class Mailbox {
 public:
  /// `spin`: how long the executor looks out before it sleeps, see AdaptiveSpin.
  explicit Mailbox(const R& runtime, Duration spin = {}) noexcept
      : runtime_(runtime), spin_(runtime, spin) {}

  /// From the dispatcher. Requires: the executor is vacant.
  void put(Batch& batch) noexcept {
    batch_ = &batch;
    if (word_.exchange(kFull, std::memory_order_acq_rel) == kAsleep) runtime_.unpark(word_, 1);
  }

  /// From the dispatcher, or at a failed start: no batch will come any more.
  void close() noexcept {
    word_.store(kClosed, std::memory_order_release);
    runtime_.unpark(word_, 1);
  }

  /// From the executor: the next batch, or null when there will be none.
  Batch* take() noexcept {
    std::uint32_t seen = kEmpty;
    const auto come = [&] { return (seen = word_.load(std::memory_order_acquire)) != kEmpty; };
    if (!come() && !spin_.wait_for(kNever, come)) {
      BlocksAtHand::give_back_old();
      word_.compare_exchange_strong(seen, kAsleep, std::memory_order_acq_rel);
      while ((seen = word_.load(std::memory_order_acquire)) == kAsleep) {
        runtime_.park(word_, kAsleep, kNever);
      }
    }
    if (seen == kClosed) return nullptr;
    Batch* const batch = batch_;
    // Not a plain store: the mailbox may have been closed by a start that failed elsewhere.
    word_.compare_exchange_strong(seen, kEmpty, std::memory_order_acq_rel);
    return batch;
  }

 private:
  enum : std::uint32_t { kEmpty, kAsleep, kFull, kClosed };

  std::atomic<std::uint32_t> word_{kEmpty};
  Batch* batch_ = nullptr;
  [[no_unique_address]] R runtime_;
  AdaptiveSpin<R> spin_;  // The executor's.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_MAILBOX_HPP
