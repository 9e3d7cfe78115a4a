// SPDX-License-Identifier: MIT
#include "../../support/queue_view.hpp"

#include <batchwright/policies/extra/quorum.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright::PolicyLimits;
using batchwright::QueueView;
using batchwright::QuorumPolicy;
using batchwright::ReleaseReason;
using batchwright::RunningBatch;
using batchwright_test::expect_release;
using batchwright_test::expect_wait;
using batchwright_test::kOldest;
using batchwright_test::view_of;

TEST(QuorumPolicy, WaitsForAllClientsOnOneExecutor) {
  const QuorumPolicy policy{.clients = 8, .max_wait = 3ms};
  expect_wait(policy.decide(view_of(7, 1ms)), kOldest + 3ms, 8);
  expect_release(policy.decide(view_of(8)), 8, ReleaseReason::size);
  expect_release(policy.decide(view_of(9)), 9, ReleaseReason::size);
}

TEST(QuorumPolicy, TheWaitBeginsWhenTheOthersWereAnswered) {
  QuorumPolicy policy{.clients = 8, .max_wait = 3ms};
  policy.on_batch({.finished = kOldest + 10ms});
  policy.on_batch({.finished = kOldest + 9ms});
  expect_wait(policy.decide(view_of(4, 10ms)), kOldest + 13ms, 8);
  policy.last_finish = kOldest - 1ms;
  expect_wait(policy.decide(view_of(4, 1ms)), kOldest + 3ms, 8);
}

TEST(QuorumPolicy, OnSeveralExecutorsWaitsForEachOnesPart) {
  const QuorumPolicy policy{.clients = 9};
  QueueView view = view_of(3);
  view.executors = 2;
  expect_wait(policy.decide(view), kOldest + 2ms, 4);
  view.size = 4;
  expect_release(policy.decide(view), 4, ReleaseReason::size);
}

TEST(QuorumPolicy, DoesNotWaitForClientsWhoAreBeingComputed) {
  const QuorumPolicy policy{.clients = 8};
  const std::vector<RunningBatch> running{{.size = 3}, {.size = 3}};
  QueueView view = view_of(1);
  view.executors = 2;
  view.running = running;
  expect_wait(policy.decide(view), kOldest + 2ms, 2);
  view.size = 2;
  expect_release(policy.decide(view), 2, ReleaseReason::size);
  const std::vector<RunningBatch> all{{.size = 20}};
  view.running = all;
  view.size = 1;
  expect_release(policy.decide(view), 1, ReleaseReason::size);
}

TEST(QuorumPolicy, AFullBatchIsAlwaysAQuorum) {
  const QuorumPolicy policy{.clients = 100};
  expect_wait(policy.decide(view_of(31)), kOldest + 2ms, 32);
  expect_release(policy.decide(view_of(32)), 32, ReleaseReason::size);
}

TEST(QuorumPolicy, RefusesSettingsThatCannotWork) {
  const PolicyLimits limits{.max_batch_size = 32, .max_wait = 1s};
  EXPECT_EQ(QuorumPolicy{.clients = 1}.validate(limits), "");
  EXPECT_EQ(QuorumPolicy().validate(limits), "QuorumPolicy::clients must be at least 1, got 0");
  EXPECT_EQ((QuorumPolicy{.clients = 4, .max_wait = 2s}.validate(limits)),
            "QuorumPolicy::max_wait must be from 0 to the batcher's max_wait (1000000000 ns), got "
            "2000000000 ns");
}

constexpr double kItem = 0.1438;  // Milliseconds.
constexpr double kFixed = 1.8874;

template <class Policy>
SimulationResult closed_loop(Policy policy, std::size_t clients, Duration think,
                             std::size_t executors = 1) {
  return simulate(BasicSimulation<Policy>{
      .arrivals = ClosedLoopArrivals{.clients = clients, .mean_think = think},
      .service = {.curve = AffineCurve{.per_item = 143'800ns, .fixed = 1'887'400ns}},
      .batcher = {.max_batch_size = 64, .policy = policy, .executors = executors},
      .requests = 50'000});
}

TEST(QuorumPolicy, ClientsWhoDoNotThinkGetWholeBatches) {
  for (const std::size_t clients : {8u, 32u, 64u}) {
    const auto n = static_cast<double>(clients);
    const SimulationResult result =
        closed_loop(QuorumPolicy{.clients = clients, .max_wait = 100ms}, clients, 0ms);
    EXPECT_NEAR(result.throughput_hz, 1000 * n / (kFixed + kItem * n),
                0.001 * result.throughput_hz);
    EXPECT_NEAR(result.mean_batch_size(), n, 0.001 * n);
  }
}

// Half of them are queued while the other half is computed: that they have waited does not count.
TEST(QuorumPolicy, LeavesHalfBatchesWithAWaitThatIsShorterThanABatch) {
  const SimulationResult result = closed_loop(QuorumPolicy{.clients = 32}, 32, 200us);
  EXPECT_GT(result.mean_batch_size(), 31.5);
  EXPECT_GT(result.throughput_hz,
            1.12 * closed_loop(batchwright::GreedyPolicy{}, 32, 200us).throughput_hz);
}

TEST(QuorumPolicy, OnTwoExecutorsTwoHalvesTakeTurns) {
  const SimulationResult result =
      closed_loop(QuorumPolicy{.clients = 32, .max_wait = 100ms}, 32, 0ms, 2);
  EXPECT_NEAR(result.throughput_hz, 1000 * 32 / (kFixed + kItem * 16), 0.01 * result.throughput_hz);
}

TEST(QuorumPolicy, ForClientsWhoThinkTheWaitForTheSlowestCostsMoreThanItGives) {
  const QuorumPolicy patient{.clients = 32, .max_wait = 100ms};
  const double greedy = closed_loop(batchwright::GreedyPolicy{}, 32, 1ms).throughput_hz;
  double slowest = 0;  // Of 32 exponential thinkers.
  for (int k = 1; k <= 32; ++k) slowest += 1.0 / k;
  const double result = closed_loop(patient, 32, 1ms).throughput_hz;
  EXPECT_NEAR(result, 1000 * 32 / (kFixed + kItem * 32 + slowest), 0.01 * result);
  EXPECT_LT(result, 0.85 * greedy);
}

}  // namespace
