// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_STRESS_PREDICTORS_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_STRESS_PREDICTORS_HPP

#include "random.hpp"
#include "stress_ledger.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace batchwright_test {

using TokenBatch = batchwright::Batch<Token, std::int64_t>;

/// Every way to write a predictor.
enum class Form : std::uint8_t { returns, writes, by_reference, by_value, per_executor };
inline constexpr std::size_t kFormCount = 5;

/// What the predictors of one run share: the ledger, the limits that they check, and their moods,
/// which depend on the seed and on the batch alone.
class Bench {
 public:
  Bench(Ledger& ledger, std::uint64_t seed, std::size_t cap, std::size_t executors,
        std::size_t max_in_flight, unsigned bad_percent)
      : ledger_(ledger),
        seed_(seed),
        cap_(cap),
        executors_(executors == 0 ? 1 : executors),
        max_in_flight_(max_in_flight),
        bad_percent_(bad_percent) {}

  Ledger& ledger() noexcept { return ledger_; }

  /// What the predictor does with a batch. Most of them are computed as they should.
  std::uint64_t mood(std::uint32_t first) const noexcept {
    const std::uint64_t bits = Random::mix(seed_ * 0x9E3779B97F4A7C15u + first);
    return bits % 100 < bad_percent_ ? 1 + (bits >> 32) % 4 : 0;
  }

  /// Holds while the predictor is being called.
  class Call {
   public:
    Call(Bench& bench, std::size_t count) : bench_(bench) {
      if (count == 0 || count > bench.cap_) bench.oversized_.store(true);
      if (bench.calls_.fetch_add(1) >= bench.executors_) bench.crowded_.store(true);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { bench_.calls_.fetch_sub(1); }

   private:
    Bench& bench_;
  };

  /// Answers or fails the items of a batch one by one, in an order and to an extent of its own.
  void answer(TokenBatch& batch, Random random) {
    for (std::size_t left = batch.size(), at = random.below(left); left > 0; --left) {
      at = (at + 1) % batch.size();
      if (!batch.pending(at)) continue;
      const std::uint32_t id = batch.input(at).id();
      switch (mood(id)) {
        case 1:
          batch.fail(at, std::make_exception_ptr(std::runtime_error("planned")));
          break;
        case 2:
          return;  // The rest is left unanswered.
        default:
          batch.answer(at, answer_to(id));
      }
    }
  }

  /// All at once: answers, then counts the batch as finished.
  void finish(TokenBatch batch, Random random) {
    in_flight_.fetch_sub(1);
    answer(batch, random);
  }

  void took_over() noexcept {
    if (in_flight_.fetch_add(1) >= max_in_flight_) crowded_.store(true);
  }

  Random random(std::uint32_t first) const { return Random(seed_ ^ (first * std::uint64_t{977})); }

  void check() const {
    EXPECT_FALSE(oversized_.load()) << "a batch was empty or larger than the cap";
    EXPECT_FALSE(crowded_.load()) << "more calls at once than executors, or batches than in flight";
    EXPECT_EQ(calls_.load(), 0u);
    EXPECT_EQ(in_flight_.load(), 0u);
  }

 private:
  Ledger& ledger_;
  const std::uint64_t seed_;
  const std::size_t cap_;
  const std::size_t executors_;
  const std::size_t max_in_flight_;
  const unsigned bad_percent_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<bool> oversized_{false};
  std::atomic<bool> crowded_{false};
};

namespace stress_detail {

inline void note(Bench& bench, std::span<const Token> inputs) {
  for (const Token& input : inputs) bench.ledger().computed(input.id());
}

inline void note(Bench& bench, TokenBatch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) bench.ledger().computed(batch.input(i).id());
}

template <class Pause>
auto returning(Bench& bench, Pause pause) {
  return [&bench, pause](std::span<const Token> inputs) {
    const Bench::Call call(bench, inputs.size());
    note(bench, inputs);
    pause();
    const std::uint64_t mood = bench.mood(inputs.front().id());
    if (mood == 1) throw std::runtime_error("planned");
    if (mood == 2) throw 42;  // NOLINT: not an exception by the book, and survived all the same.
    std::vector<std::int64_t> results;
    for (const Token& input : inputs) results.push_back(answer_to(input.id()));
    if (mood == 3) results.pop_back();
    return results;
  };
}

template <class Pause>
auto writing(Bench& bench, Pause pause) {
  return [&bench, pause](std::span<const Token> inputs, std::span<std::int64_t> outputs) {
    const Bench::Call call(bench, inputs.size());
    note(bench, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) outputs[i] = answer_to(inputs[i].id());
    pause();
    if (bench.mood(inputs.front().id()) == 1) throw std::runtime_error("planned");
  };
}

template <class Pause>
auto by_reference(Bench& bench, Pause pause) {
  return [&bench, pause](TokenBatch& batch) {
    const Bench::Call call(bench, batch.size());
    note(bench, batch);
    const std::uint32_t first = batch.input(0).id();
    pause();
    if (bench.mood(first) == 1) throw std::runtime_error("planned");
    bench.answer(batch, bench.random(first));
    if (bench.mood(first) == 3) throw std::runtime_error("planned, with a part of it answered");
  };
}

template <class Pause, class Later>
auto by_value(Bench& bench, Pause pause, Later later) {
  return [&bench, pause, later](TokenBatch batch) {
    const Bench::Call call(bench, batch.size());
    note(bench, batch);
    const std::uint32_t first = batch.input(0).id();
    const std::uint64_t mood = bench.mood(first);
    if (mood == 1) throw std::runtime_error("planned, and the batch lost on the way");
    if (mood == 2) return bench.answer(batch, bench.random(first));  // Inside its own call.
    bench.took_over();
    later(std::move(batch));
    pause();
    if (mood == 3) throw std::runtime_error("planned, after the batch was given away");
  };
}

}  // namespace stress_detail

/// A batcher with a predictor of the given form. `pause()` is called while it computes, `later(batch)`
/// takes a batch that is to be finished by `bench.finish`, on another thread and at another time.
template <class Batcher, class R, class Pause, class Later>
std::unique_ptr<Batcher> make_batcher(Form form, Bench& bench, typename Batcher::Options options,
                                      const R& runtime, Pause pause, Later later) {
  using batchwright::shared_predictor;
  const auto make = [&](auto predictor) {
    return std::make_unique<Batcher>(std::move(predictor), std::move(options), runtime);
  };
  switch (form) {
    case Form::returns:
      return make(shared_predictor(stress_detail::returning(bench, pause)));
    case Form::writes:
      return make(shared_predictor(stress_detail::writing(bench, pause)));
    case Form::by_reference:
      return make(shared_predictor(stress_detail::by_reference(bench, pause)));
    case Form::by_value:
      return make(shared_predictor(stress_detail::by_value(bench, pause, later)));
    case Form::per_executor:
      return make(batchwright::predictor_per_executor(
          [&bench, pause] { return stress_detail::returning(bench, pause); }));
  }
  return nullptr;
}

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_STRESS_PREDICTORS_HPP
