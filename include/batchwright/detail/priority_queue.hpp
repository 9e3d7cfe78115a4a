// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP
#define BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP

#include "level_table.hpp"
#include "prefetch.hpp"
#include "request_header.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The queue of one flow: by priority, higher first; of one priority what is delayed behind the rest;
/// then by `order_key`, smaller first; and first in, first out where all that is equal. Such a set of
/// equals is a level, so with no other order than the priority there is one level a priority, of which
/// any `int` may be one. Levels are not allocated: the first request of a level is also the level's node
/// in a treap (Seidel and Aragon 1996), and hands that office to the next one when it leaves. Every
/// operation is O(log levels), O(1) where there is one level; to push to a level that was met of late, and
/// to erase from one that stays, is O(1), too.
class PriorityQueue {
 public:
  bool empty() const noexcept { return root_ == nullptr; }

  /// From now on levels are looked for in `table` first, which outlives what is queued. Queues that share
  /// one are of different flows. Requires that nothing is queued.
  void remember_in(LevelTable& table) noexcept { met_ = &table; }

  /// True if it opens its level.
  bool push(RequestHeader& request) noexcept {
    if (RequestHeader* const head = head_of(request); head != nullptr) {
      head->level_weight += request.weight;
      RequestHeader* const tail = head->by_rank.previous;
      request.by_rank = {tail, nullptr};
      tail->by_rank.next = &request;
      head->by_rank.previous = &request;  // The head's `previous` is its level's last request.
      request.heads_level = false;
      return false;
    }
    request.by_rank = {&request, nullptr};
    request.heads_level = true;
    request.level_weight = request.weight;
    insert_level(request);
    return true;
  }

  /// As `push`, for a request that need not be the last of its level. O(those of the level behind it,
  /// log levels).
  void insert(RequestHeader& request) noexcept {
    RequestHeader* const head = head_of(request);
    if (head == nullptr || !before(request, *head->by_rank.previous)) {
      push(request);
      return;
    }
    if (before(request, *head)) {
      request.by_rank = {head->by_rank.previous, head};
      request.level_weight = head->level_weight + request.weight;
      hand_over(*head, request);
      head->by_rank.previous = &request;
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
    // Apart, so that the one that most often leaves, a head, costs no call.
    if (!request.heads_level) return erase_behind(request, weighed);
    if (RequestHeader* const next = request.by_rank.next; next != nullptr) {
      next->by_rank.previous = request.by_rank.previous;
      next->level_weight = request.level_weight - request.weight;
      hand_over(request, *next);
    } else {
      remove_level(request);
    }
    request.by_rank = {};
  }

  /// Takes out the first in order up to `last`, of the same level; they weigh so much.
  void erase_front(RequestHeader& last, std::uint64_t weight) noexcept {
    RequestHeader& head = *front();
    RequestHeader* const next = last.by_rank.next;
    if (next == nullptr) {
      remove_level(head);
    } else {
      next->by_rank.previous = head.by_rank.previous;
      next->level_weight = head.level_weight - weight;
      hand_over(head, *next);
    }
    head.by_rank.previous = last.by_rank.next = nullptr;
  }

  /// To be called before the first of a level is erased: the next one becomes the first then, and the one
  /// behind that will be needed when this happens to it. Most likely nobody has touched it for long.
  static void fetch_after_next(const RequestHeader& request) noexcept {
    const RequestHeader* const next = request.by_rank.next;
    const RequestHeader* const later = next == nullptr ? nullptr : next->by_rank.next;
    if (later == nullptr) return;
    prefetch(&later->by_acceptance);
    prefetch(&later->lower_levels);
    prefetch(&later->by_rank);
    prefetch(&later->heads_level);
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

  /// The head of the level below that of `head`; null at the end. O(1) amortized over a walk.
  static RequestHeader* below(const RequestHeader& head) noexcept {
    if (RequestHeader* level = head.lower_levels; level != nullptr) {
      while (level->higher_levels != nullptr) level = level->higher_levels;
      return level;
    }
    const RequestHeader* level = &head;
    RequestHeader* parent = head.parent_level;
    while (parent != nullptr && parent->lower_levels == level) {
      level = parent;
      parent = parent->parent_level;
    }
    return parent;
  }

  /// The weight of all that goes before a newcomer, or more than `enough` if it is that much. O(levels
  /// before it, log levels). Needs every `erase` to be `weighed`.
  std::uint64_t weight_before(const RequestHeader& newcomer, std::uint64_t enough) const noexcept {
    std::uint64_t weight = 0;
    for (const RequestHeader* level = front(); level != nullptr && weight <= enough;
         level = below(*level)) {
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

  // The head of the level of `request`; null if there is no such level.
  RequestHeader* head_of(const RequestHeader& request) noexcept {
    RequestHeader* level = root_;
    if (level == nullptr || same_level(*level, request)) return level;
    if (met_ == nullptr) return search(request);
    RequestHeader*& met = met_->slot(request);
    if (met != nullptr && met->flow == request.flow && same_level(*met, request)) return met;
    level = search(request);
    if (level != nullptr) LevelTable::put(met, *level);
    return level;
  }

  // As `head_of`, down from the root, which is another level's.
  RequestHeader* search(const RequestHeader& request) const noexcept {
    RequestHeader* level = root_;
    do {
      level = comes_after(request, *level) ? level->lower_levels : level->higher_levels;
    } while (level != nullptr && !same_level(*level, request));
    return level;
  }

  // Of one that heads no level.
  [[gnu::noinline]] void erase_behind(RequestHeader& request, bool weighed) noexcept {
    if (weighed) head_of(request)->level_weight -= request.weight;
    RequestHeader* const previous = request.by_rank.previous;
    RequestHeader* const next = request.by_rank.next;
    previous->by_rank.next = next;
    RequestHeader* const holder = next == nullptr ? head_of(request) : next;
    holder->by_rank.previous = previous;
    request.by_rank = {};
  }

  // The link that leads to a level.
  RequestHeader*& link_to(const RequestHeader& level) noexcept {
    RequestHeader* const parent = level.parent_level;
    if (parent == nullptr) return root_;
    return parent->lower_levels == &level ? parent->lower_levels : parent->higher_levels;
  }

  static void hang(RequestHeader*& link, RequestHeader* level, RequestHeader* parent) noexcept {
    link = level;
    if (level != nullptr) level->parent_level = parent;
  }

  // Gives the head's place in the tree to another one of its level.
  void hand_over(RequestHeader& head, RequestHeader& successor) noexcept {
    hang(link_to(head), &successor, head.parent_level);
    hang(successor.lower_levels, head.lower_levels, &successor);
    hang(successor.higher_levels, head.higher_levels, &successor);
    successor.level_balance = head.level_balance;
    successor.heads_level = true;
    head.heads_level = false;
    LevelTable::replace(head, successor);
  }

  [[gnu::noinline]] void remove_level(RequestHeader& head) noexcept {
    RequestHeader* parent = head.parent_level;
    RequestHeader** place = &link_to(head);
    RequestHeader* lower = head.lower_levels;
    RequestHeader* higher = head.higher_levels;
    while (lower != nullptr && higher != nullptr) {
      if (lower->level_balance >= higher->level_balance) {
        hang(*place, lower, parent);
        parent = lower;
        place = &lower->higher_levels;
        lower = lower->higher_levels;
      } else {
        hang(*place, higher, parent);
        parent = higher;
        place = &higher->lower_levels;
        higher = higher->lower_levels;
      }
    }
    hang(*place, lower != nullptr ? lower : higher, parent);
    head.heads_level = false;
    LevelTable::forget(head);
  }

  void insert_level(RequestHeader& level) noexcept {
    level.level_balance = balance(level);
    level.level_slot = nullptr;
    RequestHeader* parent = nullptr;
    RequestHeader** place = &root_;
    while (*place != nullptr && (*place)->level_balance >= level.level_balance) {
      parent = *place;
      place = comes_after(level, *parent) ? &parent->lower_levels : &parent->higher_levels;
    }
    RequestHeader* rest = *place;
    hang(*place, &level, parent);
    // Split what stood there into the lower and the higher levels.
    RequestHeader* low = &level;
    RequestHeader* high = &level;
    RequestHeader** below = &level.lower_levels;
    RequestHeader** above = &level.higher_levels;
    while (rest != nullptr) {
      if (comes_after(*rest, level)) {
        hang(*below, rest, low);
        low = rest;
        below = &rest->higher_levels;
        rest = rest->higher_levels;
      } else {
        hang(*above, rest, high);
        high = rest;
        above = &rest->lower_levels;
        rest = rest->lower_levels;
      }
    }
    *below = *above = nullptr;
  }

  RequestHeader* root_ = nullptr;
  LevelTable* met_ = nullptr;  // Of levels that were not the root.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PRIORITY_QUEUE_HPP
