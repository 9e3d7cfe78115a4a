// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_QUORUM_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_QUORUM_HPP

#include "../../policy.hpp"
#include "../settings.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>

namespace batchwright::inline v0_1 {

/// Waits for the clients that are known to come back: a batch leaves when each executor's part of them
/// is queued, or all who are not being computed are.
///
/// Source: minigo's ModelBatcher (batching_dual_net): with N clients that each block on one request and
/// E batches in flight a batch leaves at max(1, N / E), or as soon as nobody is left who could still
/// come. Without thinking N clients get N / (t0 + a N) answers a second from one executor, where
/// GreedyPolicy settles at N / (2 t0 + a N).
///
/// Latency bound: while an executor is free a request waits for company for at most `max_wait`, counted
/// from its own arrival or from the last batch's end, whichever came later: from then on those who were
/// answered may come back.
///
/// When not to use it: when the clients think about as long as a batch takes, the waits for the slowest
/// cost more than the larger batches give; when their number is not known or changes, since batches wait
/// for `max_wait` in vain once some have left; for an open stream of arrivals it is a HybridPolicy. It
/// counts requests of weight 1.
struct QuorumPolicy {
  /// N: who each has at most one request outstanding.
  std::size_t clients = 0;
  /// The end of the wait for one who does not come.
  Duration max_wait = std::chrono::milliseconds(2);
  /// When the last batch ended. State, not a setting.
  TimePoint last_finish{};

  Decision decide(const QueueView& view) const noexcept {
    std::size_t computing = 0;
    for (const RunningBatch& batch : view.running) computing += batch.size;
    const std::size_t share = clients / std::max<std::size_t>(view.executors, 1);
    const std::size_t others = clients > computing ? clients - computing : 0;
    const std::size_t quorum =
        std::clamp(std::min(share, others), std::size_t{1}, view.max_batch_size);
    if (view.size >= quorum) return Decision::release(view.size, ReleaseReason::size);
    return Decision::wait(detail::saturating_add(std::max(view.oldest, last_finish), max_wait),
                          quorum);
  }

  void on_batch(const BatchReport& report) noexcept {
    last_finish = std::max(last_finish, report.finished);
  }

  std::string validate(const PolicyLimits& limits) const {
    if (clients < 1) return "QuorumPolicy::clients must be at least 1, got 0";
    return detail::check_window("QuorumPolicy::max_wait", max_wait, limits);
  }
};

static_assert(BatchingPolicy<QuorumPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_EXTRA_QUORUM_HPP
