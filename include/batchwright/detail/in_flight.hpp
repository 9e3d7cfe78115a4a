// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_IN_FLIGHT_HPP
#define BATCHWRIGHT_DETAIL_IN_FLIGHT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// How many requests executors have, and in how many batches. Read by anybody, as of a moment ago, and
/// never below zero.
///
/// Requests and batches are counted in one word, so that what ends a batch is one atomic operation, and
/// what begins is counted apart, by one thread at a time, which needs none. Both words may overflow:
/// their difference does not.
class InFlight {
 public:
  /// A batch of so many has been dispatched. By whoever has the dispatcher's role.
  void begin(std::size_t requests) noexcept {
    begun_.store(begun_.load(std::memory_order_relaxed) + kBatch + requests,
                 std::memory_order_relaxed);
  }

  // From any thread.

  /// So many requests have been answered or taken out, and as the last of their batches so many batches.
  void end(std::size_t requests, std::size_t batches = 0) noexcept {
    ended_.fetch_add(batches * kBatch + requests, std::memory_order_release);
  }
  /// So many have joined a batch since it was dispatched.
  void join(std::size_t requests) noexcept {
    ended_.fetch_sub(requests, std::memory_order_release);
  }

  std::size_t requests() const noexcept { return static_cast<std::size_t>(both() % kBatch); }
  std::size_t batches() const noexcept { return static_cast<std::size_t>(both() / kBatch); }

 private:
  static constexpr std::uint64_t kBatch = std::uint64_t{1} << 40;

  // What has ended was begun before.
  std::uint64_t both() const noexcept {
    const std::uint64_t ended = ended_.load(std::memory_order_acquire);
    return begun_.load(std::memory_order_relaxed) - ended;
  }

  std::atomic<std::uint64_t> begun_{0};
  std::atomic<std::uint64_t> ended_{0};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_IN_FLIGHT_HPP
