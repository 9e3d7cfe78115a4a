// SPDX-License-Identifier: MIT
#include "../../support/random.hpp"

#include <batchwright/detail/auto/overlap.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace {

using batchwright::detail::Overlap;
using batchwright_test::Random;

constexpr double kTime = 1000;  // Of a batch alone, the hand-over included.

/// An executor that computes `streams` batches at once, or all that it has with the speed of one.
struct Device {
  std::size_t streams = 1;
  double hand_over = 0;
  double noise = 0;  ///< Relative, either way.

  void dispatch(double at, std::size_t executor = 0, double expected = kTime) {
    const double computed = (kTime - hand_over) * (1 + noise * (2 * random.unit() - 1));
    free.resize(streams, 0);
    double& stream = *std::min_element(free.begin(), free.end());
    stream = std::max(stream, at + hand_over) + computed;
    batches.push_back({.executor = executor,
                       .dispatched = at,
                       .finished = stream,
                       .expected = expected,
                       .trusted = trusted});
    std::stable_sort(batches.begin(), batches.end(),
                     [](const auto& a, const auto& b) { return a.finished < b.finished; });
  }

  /// Those that have ended by then.
  void tell(Overlap& overlap, double by) {
    while (!batches.empty() && batches.front().finished <= by) {
      overlap.observe(batches.front());
      batches.erase(batches.begin());
    }
  }

  std::vector<double> free = {};
  std::vector<Overlap::Batch> batches = {};  ///< That have not ended.
  int tries = 0;
  bool trusted = true;  ///< How long they should have been computed is known well.
  Random random{1};
};

std::size_t most_in_flight(const Overlap& overlap) {
  return overlap.known() ? overlap.width() + (overlap.tries() ? 1 : 0) : 4;
}

/// What a batcher would do that has one request now and then: one beside as many others as are computed at
/// once, and one more to try.
double run(Overlap& overlap, Device& device, int batches, double from, double apart = 700) {
  Random random(2);
  double now = from;
  for (int i = 0; i < batches; ++i) {
    now += apart * (0.5 + random.unit());
    device.tell(overlap, now);
    while (device.batches.size() >= most_in_flight(overlap)) {
      now = device.batches.front().finished;
      device.tell(overlap, now);
    }
    device.tries += overlap.tries() ? 1 : 0;
    device.dispatch(now, 0, kTime - overlap.lead());
  }
  device.tell(overlap, now + 100 * kTime);
  return now + 100 * kTime;
}

TEST(Overlap, KnowsNothingUntilBatchesOfOneExecutorOverlap) {
  Overlap overlap;
  EXPECT_FALSE(overlap.known());
  EXPECT_FALSE(overlap.tries());
  for (int i = 0; i < 100; ++i) {
    const double at = 1000 * i;
    EXPECT_EQ(overlap.observe({.executor = 0, .dispatched = at, .finished = at + 990}), 990);
    EXPECT_EQ(overlap.observe({.executor = 1, .dispatched = at, .finished = at + 999}), 999);
  }
  EXPECT_FALSE(overlap.known());
  EXPECT_EQ(overlap.lead(), 0);
  EXPECT_EQ(overlap.begun(0, 99'100), 99'100) << "not behind the one that had not ended";
}

TEST(Overlap, AReportThatIsALittleLateIsNoOverlap) {
  Overlap overlap;
  for (int i = 0; i < 100; ++i) {
    const double at = 1000 * i;
    overlap.observe({.executor = 0, .dispatched = at, .finished = at + 1050});
  }
  EXPECT_FALSE(overlap.known());
}

TEST(Overlap, OneIsComputedAfterTheOther) {
  Overlap overlap;
  Device device{.noise = 0.1};
  run(overlap, device, 40, 0);
  EXPECT_TRUE(overlap.known());
  EXPECT_FALSE(overlap.tries());
  EXPECT_EQ(overlap.width(), 1u);
  EXPECT_LT(overlap.lead(), 0.05 * kTime);
}

TEST(Overlap, TwoStreamsAreFoundAndNoThird) {
  Overlap overlap;
  Device device{.streams = 2, .noise = 0.1};
  const double now = run(overlap, device, 100, 0, 400);
  EXPECT_EQ(overlap.width(), 2u);
  run(overlap, device, 2000, now, 400);
  EXPECT_EQ(overlap.width(), 2u);
}

TEST(Overlap, FourStreamsAreFound) {
  Overlap overlap;
  Device device{.streams = 4, .noise = 0.1};
  run(overlap, device, 300, 0, 200);
  EXPECT_EQ(overlap.width(), 4u);
}

TEST(Overlap, TwoThatShareWhatOneWouldHaveAreNoTwoStreams) {
  // Each of two has half of the speed while both are there, so both end later.
  Overlap overlap;
  Random random(3);
  double now = 0;
  for (int i = 0; i < 40; ++i) {
    const double alone = kTime * random.unit();  // The first, before the second comes.
    const double both = 2 * (kTime - alone);
    const double first = now + alone + both;
    const double rest = kTime - both / 2;
    overlap.observe({.dispatched = now, .finished = first, .expected = kTime, .trusted = true});
    overlap.observe(
        {.dispatched = now + alone, .finished = first + rest, .expected = kTime, .trusted = true});
    now = first + rest + 1;
  }
  EXPECT_EQ(overlap.width(), 1u);
}

TEST(Overlap, AnIdeaOfTheTimesThatIsALittleOffDoesNotMislead) {
  for (const double wrong : {0.85, 1.2}) {
    for (const std::size_t streams : {std::size_t{1}, std::size_t{2}}) {
      Overlap overlap;
      Device device{.streams = streams, .noise = 0.1};
      Random random(4);
      double now = 0;
      for (int i = 0; i < 200; ++i) {
        now += kTime * random.unit();
        device.tell(overlap, now);
        while (device.batches.size() >= most_in_flight(overlap)) {
          now = device.batches.front().finished;
          device.tell(overlap, now);
        }
        device.dispatch(now, 0, kTime * wrong);
      }
      EXPECT_EQ(overlap.width(), streams) << wrong;
    }
  }
}

TEST(Overlap, OtherExecutorsBatchesAreNoCompany) {
  Overlap overlap;
  std::vector<Device> devices(3, Device{.noise = 0.1});
  double now = 0;
  for (int i = 0; i < 100; ++i) {
    now += 300;
    for (std::size_t e = 0; e < 3; ++e) {
      devices[e].tell(overlap, now);
      if (devices[e].batches.empty()) devices[e].dispatch(now, e);
    }
  }
  EXPECT_FALSE(overlap.known());
}

TEST(Overlap, WhatIsDoneForABatchBeforeItCanBeComputedIsTheLead) {
  Overlap overlap;
  Device device{.hand_over = 200, .noise = 0.05};
  run(overlap, device, 400, 0);
  EXPECT_EQ(overlap.width(), 1u);
  EXPECT_NEAR(overlap.lead(), 200, 50);
}

TEST(Overlap, SizesThatAreNotKnownWellTellNothingOfTheLead) {
  Overlap overlap;
  Device device{.hand_over = 200, .trusted = false};
  run(overlap, device, 600, 0);
  EXPECT_EQ(overlap.lead(), 0);
}

TEST(Overlap, ABatchTellsHowLongItWasComputed) {
  Overlap overlap;
  Device device{.hand_over = 200};
  double now = run(overlap, device, 400, 0);
  ASSERT_FALSE(overlap.tries());
  const double lead = overlap.lead();
  ASSERT_NEAR(lead, 200, 20);
  // One alone, and one that waited behind it.
  EXPECT_NEAR(overlap.observe({.dispatched = now, .finished = now + 1000, .expected = 800}),
              1000 - lead, 1);
  EXPECT_NEAR(overlap.observe({.dispatched = now + 700, .finished = now + 1800, .expected = 800}),
              800, 1);
  EXPECT_NEAR(overlap.begun(0, now + 1000), now + 1800, 1);
  EXPECT_NEAR(overlap.begun(0, now + 5000), now + 5000 + lead, 1);
}

TEST(Overlap, TriesAreRareInTheEnd) {
  Overlap overlap;
  Device device{.noise = 0.1};
  double now = run(overlap, device, 2000, 0);
  EXPECT_LT(device.tries, 100);
  device.tries = 0;
  run(overlap, device, 20'000, now);
  EXPECT_LT(device.tries, 200);
}

TEST(Overlap, AnotherStreamIsFoundWhenItComes) {
  Overlap overlap;
  Device one{.noise = 0.1};
  const double now = run(overlap, one, 200, 0, 400);
  ASSERT_EQ(overlap.width(), 1u);
  Device two{.streams = 2, .noise = 0.1};
  run(overlap, two, 3000, now, 400);
  EXPECT_EQ(overlap.width(), 2u);
}

}  // namespace
