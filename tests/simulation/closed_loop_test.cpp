// SPDX-License-Identifier: MIT
#include <batchwright/simulation/closed_loop.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

TEST(ClosedLoopArrivals, ClientsStartOneAfterAnother) {
  const ClosedLoopArrivals loop{.clients = 3, .start_gap = 2us};
  auto stream = loop.start(Random(1));
  for (std::size_t client = 0; client < 3; ++client) {
    EXPECT_EQ(stream.earliest(), Duration(2us) * static_cast<std::int64_t>(client));
    EXPECT_EQ(stream.take(), client);
  }
  EXPECT_EQ(stream.earliest(), kNoArrival);
}

TEST(ClosedLoopArrivals, AClientComesBackAfterItsThinkTime) {
  const ClosedLoopArrivals loop{
      .clients = 2, .mean_think = 3ms, .think_time = ThinkTime::fixed, .turnaround = 10us};
  auto stream = loop.start(Random(1));
  stream.take();
  stream.take();
  stream.answered(1, 5ms, true);
  stream.answered(0, 6ms, true);
  EXPECT_EQ(stream.earliest(), 8ms + 10us);
  EXPECT_EQ(stream.take(), 1u);
  EXPECT_EQ(stream.earliest(), 9ms + 10us);
  EXPECT_EQ(stream.take(), 0u);
}

TEST(ClosedLoopArrivals, OfThoseWhoComeAtOneInstantTheFirstAnsweredIsFirst) {
  const ClosedLoopArrivals loop{.clients = 3};
  auto stream = loop.start(Random(1));
  for (int i = 0; i < 3; ++i) stream.take();
  for (const std::size_t client : {2u, 0u, 1u}) stream.answered(client, 1ms, true);
  EXPECT_EQ(stream.take(), 2u);
  EXPECT_EQ(stream.take(), 0u);
  EXPECT_EQ(stream.take(), 1u);
}

TEST(ClosedLoopArrivals, ARefusedClientPausesFirst) {
  const ClosedLoopArrivals loop{.clients = 1, .retry_pause = 4ms};
  auto stream = loop.start(Random(1));
  stream.take();
  stream.answered(0, 1ms, false);
  EXPECT_EQ(stream.earliest(), 5ms);
}

TEST(ClosedLoopArrivals, ExponentialThinkTimesHaveTheirMean) {
  const ClosedLoopArrivals loop{.clients = 1, .mean_think = 2ms, .turnaround = 0ns};
  auto stream = loop.start(Random(1));
  Duration now{};
  for (int i = 0; i < 50'000; ++i) {
    now = stream.earliest();
    stream.answered(stream.take(), now, true);
  }
  EXPECT_NEAR(static_cast<double>(now.count()) / 50'000, 2e6, 3e4);
}

TEST(ClosedLoopArrivals, AClientThinksTheSameWhateverTheOthersDo) {
  const ClosedLoopArrivals loop{.clients = 2, .mean_think = 1ms, .turnaround = 0ns};
  const auto think_of_first = [&](bool other_first) {
    auto stream = loop.start(Random(9));
    stream.take();
    stream.take();
    if (other_first) stream.answered(1, 0ns, true);
    stream.answered(0, 1s, true);
    if (other_first) stream.take();
    return stream.earliest();
  };
  EXPECT_EQ(think_of_first(false), think_of_first(true));
}

TEST(ClosedLoopArrivals, NameTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  EXPECT_EQ(ClosedLoopArrivals{.clients = 0}.validate(),
            "ClosedLoopArrivals::clients must be from 1 to 1000000, got 0");
  EXPECT_EQ(ClosedLoopArrivals{.mean_think = -1ns}.validate(),
            "ClosedLoopArrivals::mean_think must be at least 0 ns, got -1 ns");
  EXPECT_EQ(ClosedLoopArrivals{.turnaround = -1ns}.validate(),
            "ClosedLoopArrivals::turnaround must be at least 0 ns, got -1 ns");
  EXPECT_EQ(ClosedLoopArrivals{.start_gap = -1ns}.validate(),
            "ClosedLoopArrivals::start_gap must be at least 0 ns, got -1 ns");
  EXPECT_EQ(ClosedLoopArrivals{.retry_pause = 0ns}.validate(),
            "ClosedLoopArrivals::retry_pause must be above 0 ns, got 0 ns");
  EXPECT_EQ(ClosedLoopArrivals{}.validate(), "");
}

}  // namespace
