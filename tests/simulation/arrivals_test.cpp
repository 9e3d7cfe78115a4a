// SPDX-License-Identifier: MIT
#include <batchwright/simulation/arrivals.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

template <class Process>
std::vector<Duration> arrivals_of(const Process& process, std::size_t count,
                                  std::uint64_t seed = 1) {
  auto stream = process.start(Random(seed));
  std::vector<Duration> instants;
  for (std::size_t i = 0; i < count; ++i) instants.push_back(stream.next());
  return instants;
}

double rate_of(const std::vector<Duration>& instants) {
  return static_cast<double>(instants.size() - 1) * 1e9 /
         static_cast<double>((instants.back() - instants.front()).count());
}

/// The squared coefficient of variation of the gaps.
double burstiness_of(const std::vector<Duration>& instants) {
  double sum = 0, squares = 0;
  for (std::size_t i = 1; i < instants.size(); ++i) {
    const auto gap = static_cast<double>((instants[i] - instants[i - 1]).count());
    sum += gap;
    squares += gap * gap;
  }
  const auto count = static_cast<double>(instants.size() - 1);
  return squares / count / (sum / count * (sum / count)) - 1;
}

TEST(PoissonArrivals, ComeAtTheirRateWithExponentialGaps) {
  const std::vector<Duration> instants = arrivals_of(PoissonArrivals{.rate_hz = 5000}, 100'000);
  EXPECT_NEAR(rate_of(instants), 5000, 50);
  EXPECT_NEAR(burstiness_of(instants), 1, 0.03);
}

TEST(PoissonArrivals, DependOnTheSeed) {
  const PoissonArrivals process{.rate_hz = 100};
  EXPECT_EQ(arrivals_of(process, 50, 3), arrivals_of(process, 50, 3));
  EXPECT_NE(arrivals_of(process, 50, 3), arrivals_of(process, 50, 4));
}

TEST(RegularArrivals, ComeLikeAClockThatDoesNotDrift) {
  const std::vector<Duration> instants = arrivals_of(RegularArrivals{.rate_hz = 3}, 3000);
  EXPECT_EQ(instants[0], Duration(333'333'333));
  EXPECT_EQ(instants[2], 1s);
  EXPECT_EQ(instants[2999], 1000s);
}

TEST(RegularArrivals, JitterMovesEachByLessThanItsShareOfAGap) {
  const std::vector<Duration> instants =
      arrivals_of(RegularArrivals{.rate_hz = 1000, .jitter = 0.5}, 1000);
  bool moved = false;
  for (std::size_t i = 0; i < instants.size(); ++i) {
    const Duration off = instants[i] - Duration(1ms) * static_cast<std::int64_t>(i + 1);
    EXPECT_GE(off, 0ns);
    EXPECT_LE(off, 500us);
    moved |= off > 250us;
  }
  EXPECT_TRUE(moved);
}

TEST(RegularArrivals, NeverFallWithTheLargestJitterAndRate) {
  const std::vector<Duration> instants =
      arrivals_of(RegularArrivals{.rate_hz = 6e8, .jitter = 1}, 10'000);
  for (std::size_t i = 1; i < instants.size(); ++i) ASSERT_GE(instants[i], instants[i - 1]);
}

TEST(ClumpedArrivals, ComeAtTheirRateInGroupsOfTheirMean) {
  const std::vector<Duration> instants =
      arrivals_of(ClumpedArrivals{.rate_hz = 2000, .mean_clump = 5}, 100'000);
  EXPECT_NEAR(rate_of(instants), 2000, 60);
  std::size_t groups = 1;
  for (std::size_t i = 1; i < instants.size(); ++i) groups += instants[i] != instants[i - 1];
  EXPECT_NEAR(100'000.0 / static_cast<double>(groups), 5, 0.15);
}

TEST(MmppArrivals, ComeAtTheMeanRateOfTheirStatesAndInBursts) {
  const MmppArrivals process{
      .states = {{.rate_hz = 5000, .mean_stay = 50ms}, {.rate_hz = 500, .mean_stay = 100ms}}};
  EXPECT_NEAR(process.mean_rate_hz(), 2000, 1e-9);
  const std::vector<Duration> instants = arrivals_of(process, 400'000);
  EXPECT_NEAR(rate_of(instants), 2000, 80);
  EXPECT_GT(burstiness_of(instants), 2);
}

TEST(MmppArrivals, AreSilentInAStateWithoutARate) {
  const MmppArrivals on_off{
      .states = {{.rate_hz = 10'000, .mean_stay = 10ms}, {.rate_hz = 0, .mean_stay = 1s}}};
  const std::vector<Duration> instants = arrivals_of(on_off, 100'000);
  EXPECT_NEAR(rate_of(instants) / on_off.mean_rate_hz(), 1, 0.1);
  std::size_t long_gaps = 0;
  for (std::size_t i = 1; i < instants.size(); ++i) {
    long_gaps += instants[i] - instants[i - 1] > 100ms;
  }
  // A burst has about 100, and nine of ten pauses are longer than 100 ms.
  EXPECT_NEAR(static_cast<double>(long_gaps), 900, 120);
}

TEST(MmppArrivals, OfOneStateAreAPoissonProcess) {
  const std::vector<Duration> instants =
      arrivals_of(MmppArrivals{.states = {{.rate_hz = 1000, .mean_stay = 1ms}}}, 100'000);
  EXPECT_NEAR(rate_of(instants), 1000, 15);
  EXPECT_NEAR(burstiness_of(instants), 1, 0.03);
}

TEST(Arrivals, NameTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  EXPECT_EQ(PoissonArrivals{.rate_hz = 0}.validate(),
            "PoissonArrivals::rate_hz must be above 0 and at most 1e9, got 0");
  EXPECT_EQ(RegularArrivals{.rate_hz = -3}.validate(),
            "RegularArrivals::rate_hz must be above 0 and at most 1e9, got -3");
  EXPECT_EQ((RegularArrivals{.rate_hz = 3, .jitter = 1.5}).validate(),
            "RegularArrivals::jitter must be from 0 to 1, got 1.5");
  EXPECT_EQ((ClumpedArrivals{.rate_hz = 3, .mean_clump = 0.5}).validate(),
            "ClumpedArrivals::mean_clump must be from 1 to 1e+06, got 0.5");
  EXPECT_EQ((ClumpedArrivals{.rate_hz = 2e9}).validate(),
            "ClumpedArrivals::rate_hz must be above 0 and at most 1e9, got 2e+09");
  EXPECT_EQ((MmppArrivals{}).validate(),
            "MmppArrivals::states must be at least one with a rate above 0, got 0 without");
  EXPECT_EQ((MmppArrivals{.states = {{.rate_hz = 1, .mean_stay = 0ns}}}).validate(),
            "MmppArrivals::states[0].mean_stay must be above 0 ns, got 0 ns");
  EXPECT_EQ((MmppArrivals{.states = {{.rate_hz = -1, .mean_stay = 1s}}}).validate(),
            "MmppArrivals::states[0].rate_hz must be from 0 to 1e+09, got -1");
}

}  // namespace
