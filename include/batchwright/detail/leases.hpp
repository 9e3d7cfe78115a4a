// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LEASES_HPP
#define BATCHWRIGHT_DETAIL_LEASES_HPP

#include "../policy.hpp"
#include "executor_lender.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The dispatcher's side of a pool: asks for an executor while a batch is due, for one after the other,
/// and gives back what it cannot use. Does nothing for a batcher with executors of its own.
class Leases {
 public:
  Leases(ExecutorLender* lender, PoolClient* client) : lender_(lender), client_(client) {
    if (lender_ != nullptr) barred_.resize(lender_->executors());
  }

  /// Whether a grant may still be on its way.
  bool awaited() const noexcept { return awaited_; }

  /// After the scheduler's last action. True if it has to be asked again.
  template <class Scheduler>
  bool settle(Scheduler& scheduler, bool wants_executor, TimePoint now) noexcept {
    if (lender_ == nullptr) return false;
    bool changed = false;
    for (std::size_t unused; (unused = scheduler.executors().revoke()) != kNoCount;
         changed = true) {
      lender_->give_back(unused);
    }
    if (wants_executor == awaited_) return changed;
    if (!wants_executor) {
      // If it has been granted already it comes, and is given back then.
      if (lender_->withdraw(*client_)) awaited_ = false;
      return changed;
    }
    const std::size_t executor = lender_->request(*client_, now);
    awaited_ = true;
    if (executor == kNoCount) return changed;
    granted(executor);
    return true;
  }

  /// The lease that was awaited has come.
  void granted(std::size_t executor) noexcept {
    awaited_ = false;
    granted_ = executor;
  }

  /// Begins that lease: after all reports that came before it.
  template <class Scheduler>
  void begin(Scheduler& scheduler) noexcept {
    if (granted_ != kNoCount) scheduler.executors().grant(std::exchange(granted_, kNoCount));
  }

  /// While barred an executor is not granted to this batcher.
  void bar(std::size_t executor, bool barred) noexcept {
    if (lender_ == nullptr || barred_[executor] == barred) return;
    barred_[executor] = barred;
    lender_->bar(*client_, executor, barred);
  }

 private:
  ExecutorLender* lender_;
  PoolClient* client_;
  bool awaited_ = false;
  std::size_t granted_ = kNoCount;
  std::vector<bool> barred_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LEASES_HPP
