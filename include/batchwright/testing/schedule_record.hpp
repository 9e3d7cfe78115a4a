// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTING_SCHEDULE_RECORD_HPP
#define BATCHWRIGHT_TESTING_SCHEDULE_RECORD_HPP

// The two things that make a run under TestScheduler repeatable: its choices and the record of
// them.

#include "test_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Randomness of our own, because the distributions of the standard library differ by platform.
class SeededChoice {
 public:
  explicit SeededChoice(std::uint64_t seed) noexcept : state_(seed) {}

  bool coin(double probability) noexcept {
    return static_cast<double>(draw() >> 11) * 0x1p-53 < probability;
  }

  /// An index below `count`, which is positive.
  std::size_t below(std::size_t count) noexcept {
    return count == 1 ? 0 : static_cast<std::size_t>((draw() >> 32) * count >> 32);
  }

 private:
  std::uint64_t draw() noexcept {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

/// Who was at which point and who was chosen: all of it as a hash, the last of it as a trace.
class ScheduleRecord {
 public:
  void note(std::size_t thread, const char* point) noexcept {
    trace_[steps_++ % kTraceLength] = {thread, point};
    mix(thread);
    // By its characters: the address of a literal differs from one run to the next.
    for (const char* c = point; *c != '\0'; ++c) mix(static_cast<unsigned char>(*c));
  }

  void note_choice(std::size_t thread) noexcept { mix(thread); }

  std::uint64_t steps() const noexcept { return steps_; }
  std::uint64_t hash() const noexcept { return hash_; }

  std::vector<testing::TestStep> trace() const {
    std::vector<testing::TestStep> steps;
    for (std::uint64_t i = steps_ - std::min(steps_, kTraceLength); i < steps_; ++i) {
      steps.push_back(trace_[i % kTraceLength]);
    }
    return steps;
  }

 private:
  static constexpr std::uint64_t kTraceLength = 64;

  void mix(std::uint64_t value) noexcept { hash_ = (hash_ ^ value) * 0x100000001b3u; }

  std::uint64_t steps_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  testing::TestStep trace_[kTraceLength] = {};
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_TESTING_SCHEDULE_RECORD_HPP
