// SPDX-License-Identifier: MIT
// Real threads: several clients of two batchers that share a pool, while their predictors are replaced and
// their caps and policies change. Made to be repeated under the thread sanitizer.
#include "tests/support/random.hpp"
#include "tests/support/sanitizers.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::AnyPolicy;
using batchwright::BatcherError;
using batchwright::DynamicBatcher;
using batchwright::ExecutorPool;
using batchwright::ExecutorPoolOptions;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::predictor_per_executor;
using batchwright::ReplaceOrder;
using batchwright::Result;
using batchwright::SizePolicy;
using batchwright::use_ticket;
using batchwright_test::Random;

using Batcher = DynamicBatcher<std::int64_t, std::int64_t>;

constexpr std::size_t kBatchers = 2;
constexpr int kClients = 4;
constexpr std::int64_t kVersions = 1000;
constexpr std::int64_t kRequests = batchwright_test::kSlow ? 500 : 2'000;  // Of each client.

/// One batcher, and what became of its requests.
class Side {
  using Predictor = std::function<std::vector<std::int64_t>(std::span<const std::int64_t>)>;

  // Its answers name it.
  auto version(std::int64_t number) {
    return predictor_per_executor([this, number] {
      return [this, number](std::span<const std::int64_t> inputs) {
        if (inputs.size() > 8) oversized_.fetch_add(1);
        std::vector<std::int64_t> results;
        std::int64_t sum = 0;
        for (const std::int64_t input : inputs) {
          results.push_back(input * kVersions + number);
          sum += input;
        }
        computed_.fetch_add(sum);
        std::this_thread::yield();
        return results;
      };
    });
  }

 public:
  Side(std::shared_ptr<ExecutorPool> pool, std::size_t share, OverflowAction overflow)
      : batcher_(version(1), {.max_batch_size = 8,
                              .pool = std::move(pool),
                              .pool_share = share,
                              .capacity = 64,
                              .overflow = overflow}) {}

  // A client.

  void submit(std::int64_t input, Random& random) {
    submitted_.fetch_add(1);
    const std::int64_t least = serving_.load();
    const auto note = [this, input, least](const Result<std::int64_t>& result) {
      end(input, least, result);
    };
    switch (random.below(3)) {
      case 0:
        if (const auto admitted = batcher_.submit(input, note); !admitted) {
          outcomes_[static_cast<std::size_t>(admitted.outcome())].fetch_add(1);
        }
        break;
      case 1:
        note(batcher_.submit(input, use_ticket).result());
        break;
      default:
        note(result_of(batcher_.submit(input)));
    }
  }

  // Whoever meddles.

  void replace(ReplaceOrder order) {
    const std::int64_t next = loading_.fetch_add(1) + 1;
    batcher_.replace_predictor(version(next), order);
    serving_.store(next);
  }

  void fail_to_replace(ReplaceOrder order) {
    EXPECT_THROW(
        batcher_.replace_predictor(
            predictor_per_executor([]() -> Predictor { throw std::domain_error("none"); }), order),
        std::domain_error);
  }

  void reconfigure(Random& random) {
    const AnyPolicy policies[] = {GreedyPolicy{}, SizePolicy{.size = 1},
                                  HybridPolicy{.size = 3, .max_wait = 50us}};
    switch (random.below(3)) {
      case 0:
        batcher_.reconfigure({.max_batch_size = 3 + random.below(6)});
        break;
      case 1:
        batcher_.reconfigure({.policy = random.pick(policies)});
        break;
      default:
        batcher_.reconfigure(
            {.max_batch_size = 3 + random.below(6), .policy = random.pick(policies)});
    }
  }

  /// Requires that nobody submits any more.
  void check() {
    EXPECT_TRUE(batcher_.shutdown().finished);
    std::uint64_t ended = 0;
    for (const auto& count : outcomes_) ended += count.load();
    EXPECT_EQ(ended, submitted_.load());
    const std::uint64_t full = outcomes_[static_cast<std::size_t>(Outcome::queue_full)].load();
    const std::uint64_t good = outcomes_[static_cast<std::size_t>(Outcome::ok)].load();
    EXPECT_EQ(good + full, submitted_.load());
    EXPECT_GT(good, 0u);
    EXPECT_EQ(wrong_.load(), 0u);
    EXPECT_EQ(sum_.load(), computed_.load());
    EXPECT_EQ(oversized_.load(), 0u);
    const MetricsSnapshot metrics = batcher_.metrics();
    EXPECT_EQ(metrics.submitted, submitted_.load());
    EXPECT_EQ(metrics.completed, good);
    EXPECT_EQ(metrics.items, good);
    EXPECT_EQ(metrics.rejected[Outcome::queue_full], full);
    EXPECT_EQ(metrics.unaccounted(), 0);
  }

  std::int64_t serving() const { return serving_.load(); }

 private:
  static Result<std::int64_t> result_of(std::future<std::int64_t> future) {
    try {
      return Result<std::int64_t>::success(future.get());
    } catch (const BatcherError& error) {
      return Result<std::int64_t>::failure(error.outcome());
    } catch (...) {
      return Result<std::int64_t>::failure(Outcome::failed, std::current_exception());
    }
  }

  void end(std::int64_t input, std::int64_t least, const Result<std::int64_t>& result) {
    outcomes_[static_cast<std::size_t>(result.outcome())].fetch_add(1);
    if (!result) return;
    sum_.fetch_add(*result / kVersions);
    const std::int64_t by = *result - input * kVersions;
    if (by < least || by > loading_.load()) wrong_.fetch_add(1);
  }

  std::atomic<std::int64_t> serving_{1};
  std::atomic<std::int64_t> loading_{1};
  std::atomic<std::uint64_t> submitted_{0};
  std::array<std::atomic<std::uint64_t>, batchwright::kOutcomeCount> outcomes_{};
  std::atomic<std::uint64_t> wrong_{0};
  std::atomic<std::uint64_t> oversized_{0};
  std::atomic<std::int64_t> sum_{0};       // Of the inputs that were answered,
  std::atomic<std::int64_t> computed_{0};  // and of those that predictors saw.
  Batcher batcher_;
};

TEST(ExecutorPoolStress, NothingIsLostWhileBothBatchersChange) {
  for (const std::size_t executors : {1u, 3u}) {
    const auto pool = std::make_shared<ExecutorPool>(ExecutorPoolOptions{.executors = executors});
    Side rejects(pool, 1, OverflowAction::reject);
    Side blocks(pool, 2, OverflowAction::block);
    std::array<Side*, kBatchers> sides = {&rejects, &blocks};
    std::atomic<int> submitting{kClients};
    std::vector<std::jthread> threads;
    for (int client = 0; client < kClients; ++client) {
      threads.emplace_back([&, random = Random(static_cast<std::uint64_t>(client))]() mutable {
        for (std::int64_t i = 0; i < kRequests; ++i) random.pick(sides)->submit(i, random);
        --submitting;
      });
    }
    threads.emplace_back([&, random = Random(77)]() mutable {
      for (Side* const side : sides) side->replace(ReplaceOrder::unload_first);
      while (submitting.load() > 0 && rejects.serving() < kVersions - 1 &&
             blocks.serving() < kVersions - 1) {
        const auto order =
            random.chance(50) ? ReplaceOrder::unload_first : ReplaceOrder::load_first;
        Side& side = *random.pick(sides);
        random.chance(20) ? side.fail_to_replace(order) : side.replace(order);
      }
    });
    threads.emplace_back([&, random = Random(78)]() mutable {
      while (submitting.load() > 0) {
        random.pick(sides)->reconfigure(random);
        std::this_thread::yield();
      }
    });
    threads.clear();
    for (Side* const side : sides) {
      side->check();
      EXPECT_GT(side->serving(), 1);
    }
  }
}

}  // namespace
