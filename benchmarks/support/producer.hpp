// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_PRODUCER_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_PRODUCER_HPP

#include "meter.hpp"

#include <batchwright/histogram.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace benchmarks {

/// One client of a closed loop, and what came of its requests. An implementation's
/// `produce(producer)`, on a thread of its own, keeps `outstanding` requests on their way until
/// `stopping`, then waits for the last of them.
class alignas(64) Producer {
 public:
  /// An input and when it was submitted; 0 for those, nearly all, whose latency is not looked at: two
  /// clock calls would be as long as what is measured.
  struct Question {
    int input = 0;
    std::int64_t sent = 0;
  };

  Producer(std::size_t outstanding, const std::atomic<bool>& stopping)
      : outstanding_(outstanding), stopping_(stopping) {}

  std::size_t outstanding() const { return outstanding_; }
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

  /// What to ask next; the right answer is twice the input.
  Question ask() {
    const int input = next_;
    next_ = (next_ + 1) & kLargest;
    return {input, input % kSampled == 0 ? now_ns() : 0};
  }

  void answered(const Question& question, int answer) {
    if (question.sent != 0) {
      latencies_.record(static_cast<std::uint64_t>(now_ns() - question.sent));
    }
    if (answer != 2 * question.input) wrong_ = true;
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Answers so far; from any thread.
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  /// After the producer's end.
  bool wrong() const { return wrong_; }
  const batchwright::Histogram& latencies() const { return latencies_; }

 private:
  static constexpr int kLargest = (1 << 29) - 1;
  static constexpr int kSampled = 61;  // A prime, so that it falls on all places in batches.

  const std::size_t outstanding_;
  const std::atomic<bool>& stopping_;
  int next_ = 0;
  bool wrong_ = false;
  std::atomic<std::uint64_t> count_{0};
  batchwright::Histogram latencies_;
};

/// A producer of what answers through handles: `submit(x)` returns one with `get()`. It waits for the
/// oldest, and submits again.
template <class Submit>
void keep_outstanding(Producer& producer, Submit submit) {
  struct Slot {
    Producer::Question question;
    decltype(submit(0)) handle;
  };
  std::vector<Slot> ring(producer.outstanding());
  const auto send = [&](Slot& slot) {
    slot.question = producer.ask();
    slot.handle = submit(slot.question.input);
  };
  for (Slot& slot : ring) send(slot);
  while (!producer.stopping()) {
    for (Slot& slot : ring) {
      producer.answered(slot.question, slot.handle.get());
      send(slot);
    }
  }
  for (Slot& slot : ring) producer.answered(slot.question, slot.handle.get());
}

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_PRODUCER_HPP
