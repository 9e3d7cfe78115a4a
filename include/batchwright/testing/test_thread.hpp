// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTING_TEST_THREAD_HPP
#define BATCHWRIGHT_TESTING_TEST_THREAD_HPP

// One thread as TestScheduler knows it, and the token that it waits for.

#include "../detail/parking.hpp"
#include "../policy.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace batchwright::inline v0_1::detail {

class TestScheduler;

/// The token of one thread, given by another.
class TokenWord {
 public:
  void give() noexcept {
    // Past the exchange the taker may run, end and free this object; unpark needs its address only.
    if (word_.exchange(kGiven, std::memory_order_acq_rel) == kAsleep) {
      detail::unpark(word_, 1);
    }
  }

  void take() noexcept {
    std::uint32_t seen = kNone;
    if (word_.compare_exchange_strong(seen, kAsleep, std::memory_order_acquire)) {
      while (word_.load(std::memory_order_acquire) == kAsleep) {
        detail::park(word_, kAsleep, kNever);
      }
    }
    word_.store(kNone, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kNone = 0;
  static constexpr std::uint32_t kGiven = 1;
  static constexpr std::uint32_t kAsleep = 2;

  std::atomic<std::uint32_t> word_{kNone};
};

/// `parked` waits for a word or an instant, `awaiting` for a condition, `settling` for nobody else
/// to be runnable.
enum class ManagedState { runnable, parked, awaiting, settling, finished };

struct ManagedThread {
  TestScheduler* scheduler = nullptr;
  ManagedThread* outer = nullptr;  // What this thread is to an earlier scheduler.
  std::size_t index = 0;
  const char* name = "";
  ManagedState state = ManagedState::runnable;
  const void* word = nullptr;
  TimePoint until = kNever;
  bool (*condition)(const void*) noexcept = nullptr;
  const void* condition_argument = nullptr;
  const char* awaited = "";
  const char* last_point = "none";
  bool detached = false;
  TokenWord baton;
  std::thread thread;
};

/// The calling thread as its innermost scheduler knows it; null for a thread that has none.
inline ManagedThread*& current_thread() noexcept {
  constinit thread_local ManagedThread* current = nullptr;
  return current;
}

/// The parked threads, those that have been so the longest first.
class ParkedThreads {
 public:
  void reserve(std::size_t count) { threads_.reserve(count); }

  void add(ManagedThread& thread, const void* word, TimePoint until) noexcept {
    thread.word = word;
    thread.until = until;
    thread.state = ManagedState::parked;
    threads_.push_back(&thread);
  }

  std::size_t size() const noexcept { return threads_.size(); }

  std::size_t count_on(const void* word) const noexcept {
    return count([&](const ManagedThread* thread) { return thread->word == word; });
  }

  std::size_t count_until(TimePoint instant) const noexcept {
    return count([&](const ManagedThread* thread) { return thread->until == instant; });
  }

  /// The earliest instant of all.
  TimePoint next_due() const noexcept {
    TimePoint earliest = kNever;
    for (const ManagedThread* thread : threads_) earliest = std::min(earliest, thread->until);
    return earliest;
  }

  /// Removes one of those on the word, of which there are more than `skip`.
  ManagedThread& take_on(const void* word, std::size_t skip) noexcept {
    return *take([&](const ManagedThread* thread) { return thread->word == word && skip-- == 0; });
  }

  /// Removes one whose instant has come; null if there is none.
  ManagedThread* take_due(TimePoint now) noexcept {
    return take([&](const ManagedThread* thread) { return thread->until <= now; });
  }

 private:
  template <class Predicate>
  std::size_t count(Predicate predicate) const noexcept {
    return static_cast<std::size_t>(std::count_if(threads_.begin(), threads_.end(), predicate));
  }

  template <class Predicate>
  ManagedThread* take(Predicate predicate) noexcept {
    const auto found = std::find_if(threads_.begin(), threads_.end(), predicate);
    if (found == threads_.end()) return nullptr;
    ManagedThread* const thread = *found;
    threads_.erase(found);
    return thread;
  }

  std::vector<ManagedThread*> threads_;  // Never grows beyond what was reserved.
};

/// An instant as its distance from `start`.
inline std::string describe_instant(TimePoint instant, TimePoint start) {
  return instant == kNever ? "never" : "+" + std::to_string((instant - start).count()) + "ns";
}

/// One line of a report.
inline std::string describe_thread(const ManagedThread& thread, TimePoint start) {
  std::string line = "thread " + std::to_string(thread.index) + " (" + thread.name + ") ";
  switch (thread.state) {
    case ManagedState::runnable:
      line += "runnable";
      break;
    case ManagedState::parked: {
      char word[32];
      std::snprintf(word, sizeof word, "%p", thread.word);
      line += std::string("parked on ") + word + " until " + describe_instant(thread.until, start);
      break;
    }
    case ManagedState::awaiting:
      line += std::string("awaits ") + thread.awaited;
      break;
    case ManagedState::settling:
      line += "lets the others run";
      break;
    case ManagedState::finished:
      line += "finished";
      break;
  }
  return line + ", last point: " + thread.last_point;
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_TESTING_TEST_THREAD_HPP
