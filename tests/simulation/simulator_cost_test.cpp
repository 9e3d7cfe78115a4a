// SPDX-License-Identifier: MIT
#include "../support/allocations.hpp"

#include <batchwright/policies/greedy.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::GreedyPolicy;

std::uint64_t allocations_of(const AnyArrivals& arrivals, std::uint64_t requests) {
  const BasicSimulation<GreedyPolicy> simulation{
      .arrivals = arrivals,
      .service = {.curve = AffineCurve{.per_item = 140us, .fixed = 2ms}, .noise = LognormalNoise{}},
      .requests = requests};
  const batchwright_test::AllocationCount count;
  simulate(simulation);
  return count();
}

TEST(SimulatorCost, ALongerRunAllocatesNoMore) {
  for (const AnyArrivals& arrivals :
       {AnyArrivals(PoissonArrivals{.rate_hz = 3000}), AnyArrivals(ClosedLoopArrivals{})}) {
    EXPECT_LE(allocations_of(arrivals, 100'000), allocations_of(arrivals, 5'000) + 4);
  }
}

}  // namespace
