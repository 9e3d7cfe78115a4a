// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP
#define BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP

#include "request_header.hpp"

#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The queue of one flow: by priority, higher first; of one priority what is delayed behind the rest;
/// then by `order_key`, smaller first; and first in, first out where all that is equal. Such a set of
/// equals is a level, so with no other order than the priority there is one level a priority, of which
/// any `int` may be one. Levels are not allocated: the first request of a level is also the level's node
/// in a treap (Seidel and Aragon 1996), and hands that office to the next one when it leaves. Every
/// operation is O(log levels), O(1) where there is one level.
class PriorityQueue {
 public:
  bool empty() const noexcept { return root_ == nullptr; }

  void push(RequestHeader& request) noexcept {
    RequestHeader** const place = find(request);
    if (RequestHeader* const head = *place; head != nullptr) {
      head->level_weight += request.weight;
      RequestHeader* const tail = head->by_rank.previous;
      request.by_rank = {tail, nullptr};
      tail->by_rank.next = &request;
      head->by_rank.previous = &request;  // The head's `previous` is its level's last request.
      request.heads_level = false;
    } else {
      request.by_rank = {&request, nullptr};
      request.heads_level = true;
      request.level_weight = request.weight;
      insert_level(request);
    }
  }

  /// As `push`, for a request that need not be the last of its level. O(those of the level behind it,
  /// log levels).
  void insert(RequestHeader& request) noexcept {
    RequestHeader** const place = find(request);
    RequestHeader* const head = *place;
    if (head == nullptr || !before(request, *head->by_rank.previous)) return push(request);
    if (before(request, *head)) {
      request.by_rank = {head->by_rank.previous, head};
      request.heads_level = true;
      request.level_weight = head->level_weight + request.weight;
      request.lower_levels = std::exchange(head->lower_levels, nullptr);
      request.higher_levels = std::exchange(head->higher_levels, nullptr);
      head->heads_level = false;
      head->by_rank.previous = &request;
      *place = &request;
      return;
    }
    RequestHeader* next = head->by_rank.previous;
    while (before(request, *next->by_rank.previous)) next = next->by_rank.previous;
    head->level_weight += request.weight;
    request.by_rank = {next->by_rank.previous, next};
    request.heads_level = false;
    next->by_rank.previous->by_rank.next = &request;
    next->by_rank.previous = &request;
  }

  /// `weighed`: `weight_before` will be asked, of all that is in the queue.
  void erase(RequestHeader& request, bool weighed = false) noexcept {
    if (weighed) (*find(request))->level_weight -= request.weight;
    RequestHeader* const next = request.by_rank.next;
    if (request.heads_level) {
      RequestHeader** const place = find(request);
      if (next == nullptr) {
        *place = join(request.lower_levels, request.higher_levels);
      } else {
        next->by_rank.previous = request.by_rank.previous;
        next->heads_level = true;
        next->level_weight = request.level_weight;
        next->lower_levels = request.lower_levels;
        next->higher_levels = request.higher_levels;
        *place = next;
      }
      request.heads_level = false;
      request.lower_levels = request.higher_levels = nullptr;
    } else {
      RequestHeader* const previous = request.by_rank.previous;
      previous->by_rank.next = next;
      RequestHeader* const holder = next == nullptr ? *find(request) : next;
      holder->by_rank.previous = previous;
    }
    request.by_rank = {};
  }

  /// Takes out the first in order up to `last`, of the same level; they weigh so much.
  void erase_front(RequestHeader& last, std::uint64_t weight) noexcept {
    RequestHeader& head = *front();
    RequestHeader* const next = last.by_rank.next;
    RequestHeader** const place = find(head);
    if (next == nullptr) {
      *place = join(head.lower_levels, head.higher_levels);
    } else {
      next->by_rank.previous = head.by_rank.previous;
      next->heads_level = true;
      next->level_weight = head.level_weight - weight;
      next->lower_levels = head.lower_levels;
      next->higher_levels = head.higher_levels;
      *place = next;
    }
    head.heads_level = false;
    head.by_rank.previous = last.by_rank.next = nullptr;
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
      if (comes_after(*level, request)) {
        below = level;
        level = level->higher_levels;
      } else {
        level = level->lower_levels;
      }
    }
    return below;
  }

  /// The weight of all that goes before a newcomer, or more than `enough` if it is that much. O(levels
  /// before it, log levels). Needs every `erase` to be `weighed`.
  std::uint64_t weight_before(const RequestHeader& newcomer, std::uint64_t enough) const noexcept {
    std::uint64_t weight = 0;
    for (const RequestHeader* level = front(); level != nullptr && weight <= enough;
         level = next(*level->by_rank.previous)) {
      if (comes_after(*level, newcomer)) break;
      weight += level->level_weight;
    }
    return weight;
  }

  /// The last in order; null if there is none.
  RequestHeader* back() const noexcept {
    RequestHeader* level = root_;
    while (level != nullptr && level->lower_levels != nullptr) level = level->lower_levels;
    return level == nullptr ? nullptr : level->by_rank.previous;
  }

  /// The one before `request` in order; null at the front.
  RequestHeader* previous(const RequestHeader& request) const noexcept {
    if (!request.heads_level) return request.by_rank.previous;
    RequestHeader* above = nullptr;
    for (RequestHeader* level = root_; level != nullptr;) {
      if (comes_after(request, *level)) {
        above = level;
        level = level->lower_levels;
      } else {
        level = level->higher_levels;
      }
    }
    return above == nullptr ? nullptr : above->by_rank.previous;
  }

  /// Whether the level of `a` comes after that of `b`.
  static bool comes_after(const RequestHeader& a, const RequestHeader& b) noexcept {
    if (a.priority != b.priority) return a.priority < b.priority;
    if (a.delayed != b.delayed) return a.delayed;
    return a.order_key > b.order_key;
  }

  /// Whether `a` is served before `b`, in whatever queues of one tenant they are.
  static bool before(const RequestHeader& a, const RequestHeader& b) noexcept {
    if (!same_level(a, b)) return comes_after(b, a);
    return a.delayed ? a.delay_turn < b.delay_turn : a.sequence < b.sequence;
  }

 private:
  static bool same_level(const RequestHeader& a, const RequestHeader& b) noexcept {
    return a.priority == b.priority && a.delayed == b.delayed && a.order_key == b.order_key;
  }

  // A treap is balanced by a second, random key for each node. A hash of the level serves: the shape
  // then depends on the set of levels alone, and a new head takes its level's place as it is.
  static std::uint64_t balance(const RequestHeader& level) noexcept {
    std::uint64_t x = static_cast<std::uint32_t>(level.priority) + 0x9e3779b97f4a7c15ULL;
    x += static_cast<std::uint64_t>(level.order_key) * 0xd1342543de82ef95ULL + level.delayed;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;  // Finalizer of SplitMix64 (Steele et al. 2014).
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }

  // The link that leads to the level of `request`, or at which it would be inserted as a leaf.
  RequestHeader** find(const RequestHeader& request) noexcept {
    RequestHeader** place = &root_;
    while (*place != nullptr && !same_level(**place, request)) {
      place = comes_after(request, **place) ? &(*place)->lower_levels : &(*place)->higher_levels;
    }
    return place;
  }

  void insert_level(RequestHeader& level) noexcept {
    const std::uint64_t key = balance(level);
    RequestHeader** place = &root_;
    while (*place != nullptr && balance(**place) >= key) {
      place = comes_after(level, **place) ? &(*place)->lower_levels : &(*place)->higher_levels;
    }
    RequestHeader* rest = *place;
    *place = &level;
    // Split what stood there into the lower and the higher levels.
    RequestHeader** below = &level.lower_levels;
    RequestHeader** above = &level.higher_levels;
    while (rest != nullptr) {
      if (comes_after(*rest, level)) {
        *below = rest;
        below = &rest->higher_levels;
        rest = rest->higher_levels;
      } else {
        *above = rest;
        above = &rest->lower_levels;
        rest = rest->lower_levels;
      }
    }
    *below = *above = nullptr;
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
