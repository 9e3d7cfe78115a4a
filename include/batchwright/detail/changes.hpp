// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CHANGES_HPP
#define BATCHWRIGHT_DETAIL_CHANGES_HPP

#include "../policy.hpp"
#include "../runtime.hpp"
#include "lock.hpp"

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Settings that were changed and that the dispatcher has not taken note of yet.
template <class Policy, Runtime R>
class Changes {
 public:
  explicit Changes(const R& runtime) : lock_(runtime) {}

  /// From any thread: a cap, unless kNoCount, and a policy, unless null, which is copied here.
  void post(std::size_t cap, const Policy* policy) {
    std::optional<Policy> copy;
    if (policy != nullptr) copy.emplace(*policy);
    const LockGuard guard(lock_);
    if (cap != kNoCount) cap_ = cap;
    if (copy.has_value()) policy_.swap(copy);
    any_.store(true, std::memory_order_relaxed);
  }

  /// From any thread: the predictor looks at BatchInfo from now on.
  void post_watch() noexcept { watch_.store(true, std::memory_order_relaxed); }
  bool watches() const noexcept { return watch_.load(std::memory_order_relaxed); }

  /// Swaps what was posted into the arguments. False if that is nothing.
  bool take(std::size_t& cap, std::optional<Policy>& policy) noexcept {
    if (!any_.load(std::memory_order_relaxed)) return false;
    const LockGuard guard(lock_);
    any_.store(false, std::memory_order_relaxed);
    cap = std::exchange(cap_, kNoCount);
    policy_.swap(policy);
    return true;
  }

 private:
  Lock<R> lock_;
  std::size_t cap_ = kNoCount;  // Guarded by lock_.
  std::optional<Policy> policy_;
  std::atomic<bool> any_{false};
  std::atomic<bool> watch_{false};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CHANGES_HPP
