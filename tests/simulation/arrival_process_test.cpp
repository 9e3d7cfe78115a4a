// SPDX-License-Identifier: MIT
#include <batchwright/simulation/arrival_process.hpp>
#include <batchwright/simulation/arrivals.hpp>
#include <batchwright/simulation/closed_loop.hpp>
#include <batchwright/simulation/trace.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

/// Three arrivals, the way a user would write them.
struct Three {
  struct Stream {
    int come = 0;
    Duration next() noexcept { return come < 3 ? Duration(++come) : kNoArrival; }
  };
  Stream start(const Random&) const { return {}; }
  std::string validate() const { return "Three is as it is"; }
};
static_assert(ArrivalProcess<Three>);
static_assert(ArrivalProcess<PoissonArrivals>);
static_assert(ArrivalProcess<ClosedLoopArrivals>);

struct Throwing : Three {
  struct Stream {
    Duration next() { return kNoArrival; }
  };
  Stream start(const Random&) const { return {}; }
};
static_assert(!ArrivalProcess<Throwing>);

struct Unchecked {
  Three::Stream start(const Random&) const { return {}; }
};
static_assert(!ArrivalProcess<Unchecked>);

TEST(AnyArrivals, HoldAnOpenProcess) {
  const AnyArrivals arrivals = Three{};
  EXPECT_EQ(arrivals.validate(), "Three is as it is");
  const auto stream = arrivals.start(Random(1));
  EXPECT_FALSE(stream->closed());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(stream->earliest(), Duration(i));
    EXPECT_EQ(stream->take(), 0u);
  }
  EXPECT_EQ(stream->earliest(), kNoArrival);
}

TEST(AnyArrivals, HoldAClosedProcess) {
  const AnyArrivals arrivals =
      ClosedLoopArrivals{.clients = 2, .turnaround = 5ns, .start_gap = 1ns};
  const auto stream = arrivals.start(Random(1));
  EXPECT_TRUE(stream->closed());
  EXPECT_EQ(stream->take(), 0u);
  EXPECT_EQ(stream->earliest(), 1ns);
  EXPECT_EQ(stream->take(), 1u);
  EXPECT_EQ(stream->earliest(), kNoArrival);
  stream->answered(1, 100ns, true);
  EXPECT_EQ(stream->earliest(), 105ns);
}

TEST(AnyArrivals, ARunBeginsAnewWithEachStart) {
  const AnyArrivals arrivals = PoissonArrivals{};
  const AnyArrivals copy = arrivals;
  const auto first = arrivals.start(Random(1));
  const Duration instant = first->earliest();
  first->take();
  EXPECT_EQ(copy.start(Random(1))->earliest(), instant);
}

TEST(AnyArrivals, KnowHowManyComeWhereTheProcessDoes) {
  EXPECT_EQ(AnyArrivals(TraceArrivals{.instants = {1s, 2s}}).count(), 2u);
  EXPECT_EQ(AnyArrivals(PoissonArrivals{}).count(), std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
