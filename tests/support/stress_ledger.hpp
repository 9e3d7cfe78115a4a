// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_STRESS_LEDGER_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_STRESS_LEDGER_HPP

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace batchwright_test {

/// The input of a stress run: one number, once. It cannot be copied, and knows that it has been moved
/// from.
class Token {
 public:
  static constexpr std::uint32_t kMoved = 0xffff'ffff;

  explicit Token(std::uint32_t id) noexcept : id_(id) {}
  Token(Token&& other) noexcept : id_(std::exchange(other.id_, kMoved)) {}
  Token& operator=(Token&& other) noexcept {
    id_ = std::exchange(other.id_, kMoved);
    return *this;
  }
  ~Token() = default;

  std::uint32_t id() const noexcept { return id_; }

 private:
  std::uint32_t id_;
};

inline std::int64_t answer_to(std::uint32_t id) noexcept { return std::int64_t{id} * 7 + 3; }

/// The outcome that an exception stands for. Of an error that a whole batch shares nothing is read: its
/// last owner frees it, and the thread sanitizer does not see how the standard library counts owners.
inline batchwright::Outcome outcome_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const batchwright::ResultCountError&) {
    return batchwright::Outcome::failed;
  } catch (const batchwright::BatcherError& refusal) {
    return refusal.outcome();
  } catch (...) {
    return batchwright::Outcome::failed;
  }
}

/// What became of every request of a run, as told by all who could know: the observer, the predictor
/// and the client. `check` compares these with each other and with the metrics. Requests are numbered
/// from 0; those of one call carry the trace id of their first one.
class Ledger final : public batchwright::Observer {
 public:
  using Outcome = batchwright::Outcome;

  explicit Ledger(std::size_t requests) : entries_(requests) {}

  static std::uint64_t trace_id(std::uint32_t first) noexcept { return first + std::uint64_t{1}; }

  // The observer.

  void on_admitted(const batchwright::AdmittedEvent& event) noexcept override {
    add(at(event.trace_id).admitted);
  }
  void on_refused(const batchwright::RefusedEvent& event) noexcept override {
    add(at(event.trace_id).refused);
    refused_[index(event.outcome)].fetch_add(1, std::memory_order_relaxed);
  }
  void on_answered(const batchwright::AnsweredEvent& event) noexcept override {
    add(at(event.trace_id).answered);
    answered_[index(event.outcome)].fetch_add(1, std::memory_order_relaxed);
  }
  void on_batch_formed(const batchwright::BatchFormedEvent& event) noexcept override {
    formed_.fetch_add(event.count, std::memory_order_relaxed);
  }

  // The predictor.

  void computed(std::uint32_t id) noexcept { add(entries_[id].computed); }

  // The client.

  /// `count` requests from `first` on go out in one call.
  void submits(std::uint32_t first, std::uint8_t count = 1) noexcept {
    entries_[first].of_call.store(count, std::memory_order_relaxed);
  }

  void delivered(std::uint32_t id, Outcome outcome) noexcept {
    Entry& entry = entries_[id];
    entry.outcome.store(static_cast<std::uint8_t>(outcome), std::memory_order_relaxed);
    add(entry.delivered);
    delivered_[index(outcome)].fetch_add(1, std::memory_order_relaxed);
  }
  void delivered(std::uint32_t id, std::int64_t value) noexcept {
    if (value != answer_to(id)) wrong_values_.fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
    delivered(id, Outcome::ok);
  }
  void delivered(std::uint32_t id, batchwright::Result<std::int64_t>&& result) noexcept {
    result ? delivered(id, *result) : delivered(id, result.outcome());
  }

  /// The client does not want to know.
  void dropped(std::uint32_t id) noexcept {
    add(entries_[id].dropped);
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }

  /// A ticket's `cancel` returned true, so it has to end as cancelled.
  void cancelled(std::uint32_t id) noexcept { add(entries_[id].cancelled); }

  std::uint64_t count_delivered(Outcome outcome) const noexcept {
    return delivered_[index(outcome)].load();
  }

  /// Requires that every client has its answers, and that the batcher is at rest.
  void check(const batchwright::MetricsSnapshot& metrics) const {
    std::uint64_t computed = 0;
    std::int64_t sum = 0;
    int complaints = 0;
    const auto require = [&](bool good, std::size_t id, const char* what) {
      if (!good && ++complaints <= 5) {
        ADD_FAILURE() << "request " << id << ": " << what << " " << entries_[id].describe();
      }
    };
    for (std::size_t id = 0; id < entries_.size(); ++id) {
      const Entry& entry = entries_[id];
      const bool seen = entry.delivered.load() == 1;
      const auto outcome = static_cast<Outcome>(entry.outcome.load());
      const bool ran = outcome == Outcome::ok || outcome == Outcome::failed;
      require(entry.delivered.load() + entry.dropped.load() == 1, id, "is answered exactly once");
      require(entry.computed.load() <= 1, id, "is computed at most once");
      require(!seen || ran == (entry.computed.load() == 1), id, "is computed if answered so");
      require(entry.cancelled.load() == 0 || !seen || outcome == Outcome::cancelled, id,
              "is cancelled if cancel() said so");
      require(entry.admitted.load() + entry.refused.load() == entry.of_call.load(), id,
              "is either admitted or refused");
      require(entry.admitted.load() == entry.answered.load(), id,
              "is seen as answered if it was admitted");
      computed += entry.computed.load();
      if (seen && outcome == Outcome::ok) sum += answer_to(static_cast<std::uint32_t>(id));
    }
    EXPECT_EQ(complaints, 0);
    EXPECT_EQ(wrong_values_.load(), 0u);
    EXPECT_EQ(sum_.load(), sum);

    EXPECT_EQ(metrics.submitted, entries_.size());
    EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
    EXPECT_EQ(metrics.accepted, metrics.answered());
    EXPECT_EQ(metrics.unaccounted(), 0);
    EXPECT_EQ(metrics.queued, 0u);
    EXPECT_EQ(metrics.executing, 0u);
    EXPECT_EQ(metrics.executing_batches, 0u);
    EXPECT_EQ(metrics.blocked, 0u);
    EXPECT_EQ(metrics.completed + metrics.failed, computed);
    EXPECT_EQ(metrics.items, computed);
    EXPECT_EQ(formed_.load(), computed);

    std::uint64_t unseen = 0;
    for (std::size_t i = 0; i < batchwright::kOutcomeCount; ++i) {
      const auto outcome = static_cast<Outcome>(i);
      EXPECT_EQ(answered_[i].load(), answered_as(metrics, outcome)) << to_string(outcome);
      EXPECT_EQ(refused_[i].load(), metrics.rejected[outcome]) << to_string(outcome);
      const std::uint64_t told = answered_[i].load() + refused_[i].load();
      EXPECT_GE(told, delivered_[i].load()) << to_string(outcome);
      unseen += told - delivered_[i].load();
    }
    EXPECT_EQ(unseen, dropped_.load());
  }

 private:
  struct Entry {
    std::atomic<std::uint8_t> of_call{0};
    std::atomic<std::uint8_t> admitted{0};
    std::atomic<std::uint8_t> refused{0};
    std::atomic<std::uint8_t> answered{0};
    std::atomic<std::uint8_t> computed{0};
    std::atomic<std::uint8_t> delivered{0};
    std::atomic<std::uint8_t> dropped{0};
    std::atomic<std::uint8_t> cancelled{0};
    std::atomic<std::uint8_t> outcome{0xff};

    std::string describe() const {
      const auto count = [](const char* name, const std::atomic<std::uint8_t>& value) {
        return std::string(" ") + name + " " + std::to_string(value.load());
      };
      return "(" + count("of_call", of_call) + count("admitted", admitted) +
             count("refused", refused) + count("answered", answered) + count("computed", computed) +
             count("delivered", delivered) + count("dropped", dropped) +
             count("cancelled", cancelled) + count("outcome", outcome) + " )";
    }
  };

  using Counts = std::array<std::atomic<std::uint64_t>, batchwright::kOutcomeCount>;

  static void add(std::atomic<std::uint8_t>& count) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
  }
  static std::size_t index(Outcome outcome) noexcept { return static_cast<std::size_t>(outcome); }

  Entry& at(std::uint64_t trace_id) noexcept { return entries_[trace_id - 1]; }

  static std::uint64_t answered_as(const batchwright::MetricsSnapshot& metrics, Outcome outcome) {
    switch (outcome) {
      case Outcome::ok:
        return metrics.completed;
      case Outcome::failed:
        return metrics.failed;
      case Outcome::expired:
        return metrics.expired;
      case Outcome::cancelled:
        return metrics.cancelled;
      case Outcome::stopped:
        return metrics.stopped;
      default:
        return 0;
    }
  }

  std::vector<Entry> entries_;
  Counts answered_{};
  Counts refused_{};
  Counts delivered_{};
  std::atomic<std::uint64_t> formed_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> wrong_values_{0};
  std::atomic<std::int64_t> sum_{0};
};

/// Watches a batcher's metrics while it runs: what may only grow grows, and answers follow
/// acceptances.
class MetricsWatch {
 public:
  void look(const batchwright::MetricsSnapshot& now) {
    EXPECT_GE(now.submitted, last_.submitted);
    EXPECT_GE(now.accepted, last_.accepted);
    EXPECT_GE(now.answered(), last_.answered());
    EXPECT_GE(now.rejected.total(), last_.rejected.total());
    EXPECT_EQ(now.submitted, now.accepted + now.rejected.total());
    EXPECT_LE(now.answered(), now.accepted);
    last_ = now;
  }

 private:
  batchwright::MetricsSnapshot last_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_STRESS_LEDGER_HPP
