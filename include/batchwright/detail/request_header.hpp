// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP
#define BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP

#include "../policy.hpp"
#include "batch_size.hpp"
#include "intrusive_list.hpp"
#include "pairing_heap.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

struct Flow;

/// What moves a request before others, but for its age.
struct Urgency {
  int priority = 0;
  TimePoint deadline = kNever;
  TimePoint delay_at = kNever;  ///< When it goes behind the others of its priority.
};

/// What the scheduler knows of a request: neither its input, nor its result, nor how it is answered.
/// All queues of the scheduler are intrusive, so it allocates nothing and nothing in it can fail.
///
/// A request is made on one core and queued on another, and each cache line that both touch travels. So
/// what the caller gives and what is the scheduler's alone lie on lines of their own, and the caller does
/// not even initialize the latter.
struct RequestHeader {
  // Owned by the scheduler from the arrival until it hands the request out, and without a meaning before.
  alignas(64) ListHook<RequestHeader> by_age;  ///< AgeList
  ListHook<RequestHeader> by_acceptance;       ///< OvertakingLedger
  // OvertakingLedger: dispatched requests that were accepted between this one and its successor.
  std::uint64_t dispatched_behind;
  TimePoint due;           ///< The first instant at which something becomes of it.
  std::uint64_t sequence;  ///< The order of acceptance, from 1.
  std::int64_t order_key;  ///< Within one priority the smaller goes first.

  // Of few requests. The first of a level is its node in the tree of PriorityQueue.
  RequestHeader* lower_levels;
  RequestHeader* higher_levels;
  RequestHeader* parent_level;
  std::uint64_t level_balance;
  RequestHeader** level_slot;      ///< LevelTable
  std::uint64_t level_weight;      ///< Where levels are weighed.
  RequestHeader* next_picked;      ///< BatchCut
  HeapHook<RequestHeader> by_due;  ///< DeadlineHeap
  HeapHook<RequestHeader> by_length;
  std::uint64_t delay_turn;  ///< The order in which requests were delayed.
  TimePoint latest;          ///< Of a `shared` one: the last deadline of those for whom it stands.

  // Given by the caller before the arrival and constant from then on.
  alignas(64) TimePoint enqueued{};
  TimePoint deadline = kNever;
  TimePoint expiry = kNever;    ///< When it fails as expired, if its deadline does not come before.
  TimePoint delay_at = kNever;  ///< When it goes behind the others of its priority.
  Flow* flow = nullptr;         ///< Its tenant and its lane; null for the scheduler's own.
  std::size_t bytes = 0;

  // Links what is handed over; then PriorityQueue: the list of its level; then links the batch.
  ListHook<RequestHeader> by_rank{};

  int priority = 0;
  std::uint32_t weight = 1;
  std::uint32_t length = 1;
  bool shared = false;  ///< It is a SharedWork, and stands for several requests: `latest` is set.

  // The scheduler's.
  bool heads_level = false;
  bool queued = false;
  bool delayed = false;   ///< `delay_at` has come.
  bool at_bound = false;  ///< Overtaken as often as is allowed: it goes first.

  /// From this instant on it may not be dispatched.
  TimePoint expires() const noexcept { return deadline < expiry ? deadline : expiry; }
};

/// Requests that leave the scheduler together, linked in order.
struct RequestChain {
  RequestHeader* first = nullptr;
  RequestHeader* last = nullptr;
  std::size_t count = 0;
  std::size_t size = 0;  ///< Sum of their weights.

  bool empty() const noexcept { return first == nullptr; }

  void append(RequestHeader& request) noexcept {
    request.by_rank = {last, nullptr};
    (last == nullptr ? first : last->by_rank.next) = &request;
    last = &request;
    ++count;
    size += request.weight;
  }

  /// All of another chain, at the end; that one is not to be used any more. O(1).
  void splice(const RequestChain& others) noexcept {
    others.first->by_rank.previous = last;
    (last == nullptr ? first : last->by_rank.next) = others.first;
    last = others.last;
    count += others.count;
    size += others.size;
  }

  void erase(RequestHeader& request) noexcept {
    RequestHeader* const previous = request.by_rank.previous;
    RequestHeader* const next = request.by_rank.next;
    (previous == nullptr ? first : previous->by_rank.next) = next;
    (next == nullptr ? last : next->by_rank.previous) = previous;
    request.by_rank = {};
    --count;
    size -= request.weight;
  }

  /// Calls `visit(request)` for each, in order; it may be gone afterwards.
  template <class Item, class Visit>
  void each(Visit&& visit) const {
    for (RequestHeader* next = first; next != nullptr;) {
      RequestHeader& request = *next;
      next = request.by_rank.next;
      visit(static_cast<Item&>(request));
    }
  }

  static RequestHeader* next(const RequestHeader& request) noexcept { return request.by_rank.next; }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP
