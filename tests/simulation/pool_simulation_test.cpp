// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/simulation/pool_simulation.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AnyPolicy;
using batchwright::BasicExecutorPool;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::Outcome;
using batchwright::QueueView;
using batchwright::Result;
using batchwright::TimePoint;
using batchwright_test::TestBatcher;
using batchwright_test::TestRuntime;

Simulation batcher(double rate_hz, AffineCurve curve, std::size_t share = 1) {
  return {.arrivals = PoissonArrivals{.rate_hz = rate_hz},
          .service = {.curve = curve},
          .batcher = {.max_batch_size = 8, .pool_share = share, .capacity = 64},
          .requests = 8'000};
}

double busy(const SimulationResult& result) {
  return std::accumulate(result.utilisation.begin(), result.utilisation.end(), 0.0);
}

// One that cannot be served: 8,000 a second, where full batches alone give 1,000.
constexpr AffineCurve kSlow{.per_item = 1ms, .fixed = 0ms};
constexpr AffineCurve kQuick{.per_item = 250us, .fixed = 0ms};

TEST(PoolSimulation, ABatcherAloneHasThePoolAsItsOwn) {
  for (const std::size_t executors : {1u, 3u}) {
    Simulation alone = batcher(700.0 * static_cast<double>(executors), kSlow);
    alone.service.noise = LognormalNoise{.sigma = 0.3};
    const std::vector<SimulationResult> pooled =
        simulate_pool({.batchers = {alone}, .executors = executors});
    alone.batcher.executors = executors;
    ASSERT_EQ(pooled.size(), 1u);
    const SimulationResult own = simulate(alone);
    EXPECT_EQ(pooled[0].latency, own.latency) << executors;
    EXPECT_EQ(pooled[0].batches, own.batches);
  }
}

TEST(PoolSimulation, UnderOverloadEachGetsItsShareOfTheExecutorsTimeWhateverItsBatchesTake) {
  for (const std::size_t share : {1u, 3u}) {
    const auto results = simulate_pool(
        {.batchers = {batcher(8000, kSlow, share), batcher(32'000, kQuick)}, .executors = 2});
    ASSERT_EQ(results.size(), 2u);
    EXPECT_NEAR(busy(results[0]) / busy(results[1]), static_cast<double>(share),
                0.02 * static_cast<double>(share));
    EXPECT_NEAR(busy(results[0]) + busy(results[1]), 2.0, 0.02);
  }
}

// A tenth of an executor, and one that would take eight, for about ten seconds.
PoolSimulation beside_a_flood() {
  PoolSimulation two{.batchers = {batcher(100, kSlow), batcher(32'000, kQuick)}};
  two.batchers[0].requests = 1'000;
  return two;
}

TEST(PoolSimulation, WhatOneDoesNotUseGoesToTheOther) {
  const auto results = simulate_pool(beside_a_flood());
  EXPECT_NEAR(busy(results[0]), 0.1, 0.01);
  EXPECT_NEAR(busy(results[1]), 0.9, 0.04);  // Its window is a short one.
  EXPECT_EQ(results[0].outcomes.dropped(), 0u);
  EXPECT_GT(results[1].outcomes[Outcome::queue_full], 0u);
}

TEST(PoolSimulation, AFloodDelaysTheOthersByTheBatchThatRunsAndNoMore) {
  const auto results = simulate_pool(beside_a_flood());
  // Its own batch of one, behind one of eight that has begun: 1 ms + 2 ms, and who comes meanwhile.
  EXPECT_GE(results[0].latency.p50, 1ms);
  EXPECT_LE(results[0].latency.p99, 5ms);
}

TEST(PoolSimulation, BatchersOfEqualSettingsDoNotGetEqualArrivals) {
  const auto results =
      simulate_pool({.batchers = {batcher(300, kSlow), batcher(300, kSlow)}, .executors = 2});
  EXPECT_NE(results[0], results[1]);
  EXPECT_NEAR(results[0].latency.mean_ns, results[1].latency.mean_ns,
              0.1 * results[0].latency.mean_ns);
}

TEST(PoolSimulation, IsTheSameEachTime) {
  const PoolSimulation two{.batchers = {batcher(500, kSlow), batcher(900, kQuick)}};
  EXPECT_EQ(simulate_pool(two), simulate_pool(two));
}

TEST(PoolSimulation, EachHasItsOwnPolicyAndEndsItsRequests) {
  Simulation waits = batcher(400, kQuick);
  waits.batcher.policy = HybridPolicy{.size = 4, .max_wait = 20ms};
  const auto results = simulate_pool({.batchers = {waits, batcher(400, kQuick)}, .executors = 2});
  EXPECT_GT(results[0].mean_batch_size(), 3.0);
  EXPECT_LT(results[1].mean_batch_size(), 1.5);
  for (const SimulationResult& result : results) {
    EXPECT_EQ(result.outcomes.total(), 7'200u);  // Without the warm-up.
  }
}

TEST(PoolSimulation, AnAsynchronousPredictorHoldsItsExecutorForTheCallAlone) {
  Simulation device = batcher(500, kSlow);
  device.service.predictor = PredictorKind::asynchronous;
  const auto results = simulate_pool({.batchers = {device, batcher(3000, kQuick)}});
  EXPECT_EQ(results[0].outcomes.dropped(), 0u);
  EXPECT_EQ(results[1].outcomes.dropped(), 0u);
}

TEST(PoolSimulation, OfRecordedArrivalsTheLastOnesEndToo) {
  Simulation few = batcher(100, kSlow);
  few.arrivals = TraceArrivals{.instants = {0ms, 1ms, 2ms}};
  few.warm_up = 0;
  few.batcher.policy = batchwright::SizePolicy{.size = 8};
  few.batcher.max_wait = batchwright::Duration::max();
  const auto results = simulate_pool({.batchers = {few, few}});
  for (const SimulationResult& result : results) EXPECT_EQ(result.outcomes[Outcome::ok], 3u);
}

std::string problem_of(const PoolSimulation& simulation) {
  try {
    static_cast<void>(simulate_pool(simulation));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(PoolSimulation, WhatIsWrongIsNamed) {
  const Simulation good = batcher(100, kSlow);
  EXPECT_EQ(problem_of({}), "Simulation: batchers must be at least one, got none");
  EXPECT_EQ(problem_of({.batchers = {good}, .executors = 0}),
            "Simulation: executors must be from 1 to 1024, got 0");
  Simulation own = good;
  own.batcher.executors = 2;
  EXPECT_EQ(problem_of({.batchers = {good, own}}),
            "DynamicBatcher: executors must be unset with pool, got 2");
  Simulation pooled = good;
  pooled.batcher.pool = std::make_shared<batchwright::ExecutorPool>();
  EXPECT_EQ(problem_of({.batchers = {pooled}}),
            "Simulation: batcher.pool must be unset (simulate_pool shares executors), got a value");
  try {
    static_cast<void>(simulate(pooled));
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(
        error.what(),
        std::string("Simulation: batcher.pool must be unset (simulate_pool shares executors), "
                    "got a value"));
  }
}

// The pool itself, with the same requests at the same instants on virtual time.

struct Seen {
  TimePoint dispatched{};
  TimePoint finished{};
  std::size_t executor = 0;
  std::size_t count = 0;

  friend auto operator<=>(const Seen&, const Seen&) = default;
};

/// What a batcher has computed.
class Journal {
 public:
  void note(const BatchReport& report) {
    seen_.push_back({report.dispatched, report.finished, report.executor, report.count});
  }

  std::vector<Seen> since(TimePoint start) const {
    std::vector<Seen> all = seen_;
    for (Seen& one : all) {
      one.dispatched = TimePoint{} + (one.dispatched - start);
      one.finished = TimePoint{} + (one.finished - start);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::vector<Seen> seen_;
};

/// A policy that keeps a journal.
template <class Policy>
struct Recorded {
  Policy policy;
  Journal* journal;

  Decision decide(const QueueView& view) noexcept { return policy.decide(view); }
  void on_batch(const BatchReport& report) noexcept { journal->note(report); }
};

struct Arrival {
  Duration at{};
  std::size_t batcher = 0;

  friend auto operator<=>(const Arrival&, const Arrival&) = default;
};

// Where the simulator's clock starts.
constexpr TimePoint kStart = TimePoint{} + 24h;

// All that is simulated happens in the batchers too, at the same instants on the same executors.
TEST(PoolOfTheBatchers, ComputesTheSimulatedBatchesAtTheSimulatedInstants) {
  for (const std::size_t executors : {1u, 2u, 3u}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(std::to_string(executors) + " executors, seed " + std::to_string(seed));
      batchwright_test::Random random(seed);
      constexpr std::size_t kBatchers = 3;
      const AffineCurve curves[kBatchers] = {{.per_item = 201us, .fixed = 1003us},
                                             {.per_item = 53us, .fixed = 407us},
                                             {.per_item = 119us, .fixed = 611us}};
      Journal simulated[kBatchers];
      Journal real[kBatchers];
      const auto policy = [](std::size_t batcher, Journal& journal) -> AnyPolicy {
        if (batcher == 1) return Recorded<GreedyPolicy>{{}, &journal};
        // Begun at one instant, their windows end at different ones.
        const Duration window = batcher == 0 ? 1700us : 1303us;
        return Recorded<HybridPolicy>{{.size = 4, .max_wait = window}, &journal};
      };
      PoolSimulation simulation{.batchers = {}, .executors = executors};
      std::vector<Arrival> arrivals;
      for (std::size_t i = 0; i < kBatchers; ++i) {
        std::vector<Duration> instants = {0us};
        // In nanoseconds: but for the first ones no two events are at one instant.
        while (instants.size() < 150) {
          const std::int64_t gap = random.between(1, 1'400'000);
          instants.push_back(instants.back() + Duration(gap));
        }
        for (const Duration at : instants) arrivals.push_back({at, i});
        simulation.batchers.push_back({.arrivals = TraceArrivals{.instants = instants},
                                       .service = {.curve = curves[i]},
                                       .batcher = {.max_batch_size = 6,
                                                   .policy = policy(i, simulated[i]),
                                                   .pool_share = i + 1},
                                       .requests = 150,
                                       .warm_up = 0});
      }
      std::sort(arrivals.begin(), arrivals.end());
      simulate_pool(simulation);

      TestRuntime runtime({.time = batchwright::testing::TimeMode::automatic});
      const auto pool = std::make_shared<BasicExecutorPool<TestRuntime>>(
          batchwright::ExecutorPoolOptions{.executors = executors}, runtime);
      TimePoint start{};
      {
        std::vector<std::unique_ptr<TestBatcher<int, int, AnyPolicy>>> batchers;
        for (std::size_t i = 0; i < kBatchers; ++i) {
          const auto predict = [&, i](std::span<const int> inputs) {
            batchwright_test::work_for(runtime, curves[i](inputs.size()));
            return std::vector<int>(inputs.begin(), inputs.end());
          };
          batchers.push_back(std::make_unique<TestBatcher<int, int, AnyPolicy>>(
              batchwright::shared_predictor(predict),
              batchwright::BatcherOptions<int, AnyPolicy>{.max_batch_size = 6,
                                                          .policy = policy(i, real[i]),
                                                          .pool = pool,
                                                          .pool_share = i + 1},
              runtime));
        }
        start = runtime.now() + 1s;
        for (const Arrival& arrival : arrivals) {
          batchwright_test::work_for(runtime, start + arrival.at - runtime.now());
          batchers[arrival.batcher]->submit(1, [](const Result<int>&) {});
          runtime.settle();
        }
        batchwright_test::work_for(runtime, 1s);
      }
      for (std::size_t i = 0; i < kBatchers; ++i) {
        const std::vector<Seen> expected = simulated[i].since(kStart);
        const std::vector<Seen> actual = real[i].since(start);
        ASSERT_GT(expected.size(), 30u);
        ASSERT_EQ(actual.size(), expected.size()) << "batcher " << i;
        for (std::size_t batch = 0; batch < expected.size(); ++batch) {
          ASSERT_EQ(actual[batch].dispatched, expected[batch].dispatched) << i << ": " << batch;
          ASSERT_EQ(actual[batch], expected[batch]) << "batcher " << i << ", batch " << batch;
        }
      }
    }
  }
}

}  // namespace
