// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_SCHEDULER_POLICIES_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_SCHEDULER_POLICIES_HPP

#include "random.hpp"

#include <batchwright/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

// The plainest policies there are, written for the tests of the scheduler: nothing here is shared
// with the policies that the library offers.
namespace batchwright_test {

/// Never waits.
struct ReleaseAll {
  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::release(view.max_batch_size, batchwright::ReleaseReason::greedy);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Never waits, and takes no more than `size` at a time.
struct ReleaseSome {
  std::size_t size = 1;
  batchwright::ReleaseReason reason = batchwright::ReleaseReason::greedy;

  batchwright::Decision decide(const batchwright::QueueView&) const noexcept {
    return batchwright::Decision::release(size, reason);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Waits until the oldest request is `window` old.
struct WaitForAge {
  batchwright::Duration window{};

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::wait(view.oldest + window);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Waits until `size` is queued, for ever if it must.
struct WaitForSize {
  std::size_t size = batchwright::kNoCount;

  batchwright::Decision decide(const batchwright::QueueView&) const noexcept {
    return batchwright::Decision::wait(batchwright::kNever, size);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Waits until `size` is queued or the oldest request is `window` old.
struct WaitForEither {
  std::size_t size = batchwright::kNoCount;
  batchwright::Duration window{};

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    return batchwright::Decision::wait(view.oldest + window, size);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Releases what is queued `slack` ahead of the earliest deadline, which it finds with the cursor.
struct ReleaseBeforeDeadline {
  batchwright::Duration slack{};

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    batchwright::TimePoint earliest = batchwright::kNever;
    batchwright::QueueCursor cursor = view.queue;
    for (batchwright::QueuedRequest request; cursor.next(request);) {
      earliest = std::min(earliest, request.deadline);
    }
    if (earliest == batchwright::kNever) return batchwright::Decision::wait(earliest);
    if (earliest <= view.now + slack) {
      return batchwright::Decision::release(view.size, batchwright::ReleaseReason::deadline);
    }
    return batchwright::Decision::wait(earliest - slack);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Does anything that a policy may do which is not asked at every look: what it decides depends on the
/// lane alone, and on the requests in it in whatever order.
struct Steadfast {
  std::uint64_t salt = 0;
  unsigned release_percent = 30;
  unsigned drop_percent = 0;

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    std::uint64_t hash = salt;
    const auto stir = [&hash](auto value) {
      hash = Random::mix(hash ^ static_cast<std::uint64_t>(value));
    };
    stir(view.count);
    stir(view.size);
    stir(view.oldest.time_since_epoch().count());
    stir(view.newest.time_since_epoch().count());
    std::uint64_t all = 0;
    batchwright::QueueCursor cursor = view.queue;
    for (batchwright::QueuedRequest request; cursor.next(request);) {
      all += Random::mix(static_cast<std::uint64_t>(request.enqueued.time_since_epoch().count()) ^
                         request.weight << 48 ^ static_cast<std::uint64_t>(request.priority));
    }
    stir(all);
    Random random(hash);
    const std::size_t size = random.below(view.max_batch_size + 3);
    if (random.chance(drop_percent)) return batchwright::Decision::drop(1 + random.below(3));
    if (random.chance(release_percent)) {
      return batchwright::Decision::release(size, batchwright::ReleaseReason::greedy);
    }
    const batchwright::TimePoint until =
        random.chance(20) ? batchwright::kNever
                          : view.oldest + batchwright::Duration(random.between(-2, 25));
    return batchwright::Decision::wait(
        until, random.chance(40) ? batchwright::kNoCount : view.size + size / 2);
  }

  batchwright::PolicyNeeds needs() const noexcept { return {.every_look = false}; }
};

/// Does anything a policy may do, zero sizes and instants in the past included, but always the same
/// on the same view.
struct Whimsical {
  std::uint64_t salt = 0;
  unsigned release_percent = 50;
  unsigned drop_percent = 0;

  batchwright::Decision decide(const batchwright::QueueView& view) const noexcept {
    std::uint64_t hash = salt;
    const auto stir = [&hash](auto value) {
      hash = Random::mix(hash ^ static_cast<std::uint64_t>(value));
    };
    stir(view.now.time_since_epoch().count());
    stir(view.count);
    stir(view.size);
    stir(view.oldest.time_since_epoch().count());
    stir(view.newest.time_since_epoch().count());
    stir(view.free_executors);
    stir(view.running.size());
    batchwright::QueueCursor cursor = view.queue;
    batchwright::QueuedRequest request;
    for (int seen = 0; seen < 3 && cursor.next(request); ++seen) {
      stir(request.enqueued.time_since_epoch().count());
      stir(request.weight);
      stir(request.priority);
    }
    Random random(hash);
    const std::size_t size = random.below(view.max_batch_size + 3);
    if (random.chance(drop_percent)) return batchwright::Decision::drop(1 + random.below(3));
    if (random.chance(release_percent)) {
      constexpr batchwright::ReleaseReason kReasons[] = {
          batchwright::ReleaseReason::size,   batchwright::ReleaseReason::time,
          batchwright::ReleaseReason::greedy, batchwright::ReleaseReason::deadline,
          batchwright::ReleaseReason::split,  batchwright::ReleaseReason::returns,
          batchwright::ReleaseReason::paced};
      return batchwright::Decision::release(size, random.pick(kReasons));
    }
    const batchwright::TimePoint until =
        random.chance(40) ? batchwright::kNever
                          : view.now + batchwright::Duration(random.between(-2, 12));
    return batchwright::Decision::wait(
        until, random.chance(40) ? batchwright::kNoCount : view.size + size / 2);
  }
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_SCHEDULER_POLICIES_HPP
