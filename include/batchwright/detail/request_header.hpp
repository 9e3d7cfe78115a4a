// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP
#define BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP

#include "../policy.hpp"

#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

struct RequestHeader;

/// A request's place in one intrusive list. Null at both ends, and while in no list.
struct ListHook {
  RequestHeader* previous = nullptr;
  RequestHeader* next = nullptr;
};

/// What the scheduler knows of a request: neither its input, nor its result, nor how it is answered.
/// All queues of the scheduler are intrusive, so it allocates nothing and nothing in it can fail.
struct RequestHeader {
  // Given by the caller before the arrival and constant from then on.
  TimePoint enqueued{};
  TimePoint deadline = kNever;
  int priority = 0;
  std::uint32_t weight = 1;

  // Owned by the scheduler from the arrival until it hands the request out.
  std::uint64_t sequence = 0;  ///< The order of acceptance, from 1.
  bool queued = false;

  ListHook by_rank;        ///< PriorityQueue: within one priority; afterwards links the batch.
  ListHook by_age;         ///< AgeList
  ListHook by_acceptance;  ///< OvertakingLedger

  // PriorityQueue: the first request of a priority is that level's node in the tree of levels.
  bool heads_level = false;
  RequestHeader* lower_levels = nullptr;
  RequestHeader* higher_levels = nullptr;

  // OvertakingLedger: dispatched requests that were accepted between this one and its successor.
  std::uint64_t dispatched_behind = 0;

  // DeadlineHeap: a pairing heap's links. `heap_previous` is the parent for a first child.
  RequestHeader* heap_child = nullptr;
  RequestHeader* heap_next = nullptr;
  RequestHeader* heap_previous = nullptr;
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

  static RequestHeader* next(const RequestHeader& request) noexcept { return request.by_rank.next; }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REQUEST_HEADER_HPP
