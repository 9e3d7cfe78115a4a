// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP
#define BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP

#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Requests by priority, higher first, and first in, first out within one. Any `int` is a priority;
/// levels are not allocated: the first request of a level is also the level's node in a treap (Seidel
/// and Aragon 1996) over the priorities, and hands that office to the next one when it leaves.
/// Every operation is O(log levels), O(1) where there is one level.
class PriorityQueue {
 public:
  bool empty() const noexcept { return root_ == nullptr; }

  void push(RequestHeader& request) noexcept {
    RequestHeader** const place = find(request.priority);
    if (RequestHeader* const head = *place; head != nullptr) {
      RequestHeader* const tail = head->by_rank.previous;
      request.by_rank = {tail, nullptr};
      tail->by_rank.next = &request;
      head->by_rank.previous = &request;  // The head's `previous` is its level's last request.
      request.heads_level = false;
    } else {
      request.by_rank = {&request, nullptr};
      request.heads_level = true;
      insert_level(request);
    }
  }

  void erase(RequestHeader& request) noexcept {
    RequestHeader* const next = request.by_rank.next;
    if (request.heads_level) {
      RequestHeader** const place = find(request.priority);
      if (next == nullptr) {
        *place = join(request.lower_levels, request.higher_levels);
      } else {
        next->by_rank.previous = request.by_rank.previous;
        next->heads_level = true;
        next->lower_levels = request.lower_levels;
        next->higher_levels = request.higher_levels;
        *place = next;
      }
      request.heads_level = false;
      request.lower_levels = request.higher_levels = nullptr;
    } else {
      RequestHeader* const previous = request.by_rank.previous;
      previous->by_rank.next = next;
      RequestHeader* const holder = next == nullptr ? *find(request.priority) : next;
      holder->by_rank.previous = previous;
    }
    request.by_rank = {};
  }

  /// The first in order; null if there is none.
  RequestHeader* front() const noexcept {
    RequestHeader* level = root_;
    while (level != nullptr && level->higher_levels != nullptr) level = level->higher_levels;
    return level;
  }

  /// The one after `request` in order; null at the end.
  RequestHeader* next(const RequestHeader& request) const noexcept {
    if (request.by_rank.next != nullptr) return request.by_rank.next;
    RequestHeader* below = nullptr;
    for (RequestHeader* level = root_; level != nullptr;) {
      if (level->priority < request.priority) {
        below = level;
        level = level->higher_levels;
      } else {
        level = level->lower_levels;
      }
    }
    return below;
  }

 private:
  // A treap is balanced by a second, random key for each node. A hash of the priority serves: the shape
  // then depends on the set of levels alone, and a new head takes its level's place as it is.
  static std::uint64_t balance(const RequestHeader& level) noexcept {
    std::uint64_t x = static_cast<std::uint32_t>(level.priority) + 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;  // Finalizer of SplitMix64 (Steele et al. 2014).
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }

  // The link that leads to the level of `priority`, or at which it would be inserted as a leaf.
  RequestHeader** find(int priority) noexcept {
    RequestHeader** place = &root_;
    while (*place != nullptr && (*place)->priority != priority) {
      place = priority < (*place)->priority ? &(*place)->lower_levels : &(*place)->higher_levels;
    }
    return place;
  }

  void insert_level(RequestHeader& level) noexcept {
    const std::uint64_t key = balance(level);
    RequestHeader** place = &root_;
    while (*place != nullptr && balance(**place) >= key) {
      place =
          level.priority < (*place)->priority ? &(*place)->lower_levels : &(*place)->higher_levels;
    }
    RequestHeader* rest = *place;
    *place = &level;
    // Split what stood there into the lower and the higher levels.
    RequestHeader** lower = &level.lower_levels;
    RequestHeader** higher = &level.higher_levels;
    while (rest != nullptr) {
      if (rest->priority < level.priority) {
        *lower = rest;
        lower = &rest->higher_levels;
        rest = rest->higher_levels;
      } else {
        *higher = rest;
        higher = &rest->lower_levels;
        rest = rest->lower_levels;
      }
    }
    *lower = *higher = nullptr;
  }

  static RequestHeader* join(RequestHeader* lower, RequestHeader* higher) noexcept {
    RequestHeader* root = nullptr;
    RequestHeader** place = &root;
    while (lower != nullptr && higher != nullptr) {
      if (balance(*lower) >= balance(*higher)) {
        *place = lower;
        place = &lower->higher_levels;
        lower = lower->higher_levels;
      } else {
        *place = higher;
        place = &higher->lower_levels;
        higher = higher->lower_levels;
      }
    }
    *place = lower != nullptr ? lower : higher;
    return root;
  }

  RequestHeader* root_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP
