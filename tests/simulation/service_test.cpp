// SPDX-License-Identifier: MIT
#include <batchwright/simulation/service.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;
using batchwright::detail::check_service;
using batchwright::detail::ServiceSampler;

const AffineCurve kCurve{.per_item = 1ms, .fixed = 2ms};

ServiceSampler sampler(const Service& service, std::size_t executors = 1) {
  return {service, executors, 8, Random(1)};
}

/// Mean and squared relative deviation of many draws.
struct Spread {
  double mean_ms = 0, squared_deviation = 0;
};
Spread spread_of(ServiceSampler draws) {
  constexpr int kCount = 50'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double ms = static_cast<double>(draws.draw(2, 0, 0ns).count()) / 1e6;
    sum += ms;
    squares += ms * ms;
  }
  const double mean = sum / kCount;
  return {mean, squares / kCount / (mean * mean) - 1};
}

TEST(Service, WithoutNoiseIsTheCurve) {
  const Service service{.curve = kCurve};
  ServiceSampler draws = sampler(service);
  EXPECT_EQ(draws.draw(1, 0, 0ns), 3ms);
  EXPECT_EQ(draws.draw(8, 0, 5s), 10ms);
  EXPECT_EQ(draws.draw(100, 0, 5s), 102ms) << "larger than the cap";
}

TEST(Service, TakesAnyFunctionAsItsCurve) {
  const Service service{.curve = [](std::size_t size) { return Duration(size * size); }};
  EXPECT_EQ(sampler(service).draw(7, 0, 0ns), 49ns);
}

TEST(Service, MeasuredNoiseDrawsOneOfTheFactors) {
  const Spread spread = spread_of(sampler({.curve = kCurve, .noise = MeasuredNoise{{0.5, 2.0}}}));
  EXPECT_NEAR(spread.mean_ms, 4 * 1.25, 0.02);
  EXPECT_NEAR(spread.squared_deviation, 0.36, 0.01);
}

TEST(Service, MeasuredNoiseMayKeepItsOrderFromARandomOneOn) {
  const Service service{.curve = kCurve,
                        .noise = MeasuredNoise{{1, 2, 3, 4}, NoiseOrder::as_measured}};
  std::set<Duration> first;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    ServiceSampler one(service, 1, 8, Random(seed));
    Duration before = one.draw(1, 0, 0ns);
    first.insert(before);
    for (int i = 0; i < 8; ++i) {
      const Duration now = one.draw(1, 0, 0ns);
      EXPECT_EQ(now, before == 4 * kCurve(1) ? kCurve(1) : before + kCurve(1));
      before = now;
    }
  }
  EXPECT_EQ(first.size(), 4u);
}

TEST(Service, LognormalNoiseKeepsTheMean) {
  const Spread spread =
      spread_of(sampler({.curve = kCurve, .noise = LognormalNoise{.sigma = 0.3}}));
  EXPECT_NEAR(spread.mean_ms, 4, 0.02);
  EXPECT_NEAR(spread.squared_deviation, std::exp(0.09) - 1, 0.003);
}

TEST(Service, ExponentialNoiseKeepsTheMean) {
  const Spread spread = spread_of(sampler({.curve = kCurve, .noise = ExponentialNoise{}}));
  EXPECT_NEAR(spread.mean_ms, 4, 0.06);
  EXPECT_NEAR(spread.squared_deviation, 1, 0.03);
}

TEST(Service, AStallMakesSomeBatchesLongerByItsLength) {
  const Service service{.curve = kCurve, .stalls = {.probability = 0.25, .length = 50ms}};
  ServiceSampler draws = sampler(service);
  int stalled = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Duration time = draws.draw(1, 0, 0ns);
    ASSERT_TRUE(time == 3ms || time == 53ms);
    stalled += time == 53ms;
  }
  EXPECT_NEAR(stalled, 2500, 130);
}

TEST(Service, StallsLeaveTheNoiseAsItIs) {
  const Service calm{.curve = kCurve, .noise = LognormalNoise{}};
  Service stalling = calm;
  stalling.stalls = {.probability = 1, .length = 1s};
  ServiceSampler calm_draws = sampler(calm);
  ServiceSampler stalling_draws = sampler(stalling);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(calm_draws.draw(3, 0, 0ns) + 1s, stalling_draws.draw(3, 0, 0ns));
  }
}

TEST(Service, ExecutorsMayDifferInSpeed) {
  const Service service{.curve = kCurve, .speeds = {1, 2, 0.5}};
  ServiceSampler draws = sampler(service, 3);
  EXPECT_EQ(draws.draw(2, 0, 0ns), 4ms);
  EXPECT_EQ(draws.draw(2, 1, 0ns), 2ms);
  EXPECT_EQ(draws.draw(2, 2, 0ns), 8ms);
}

TEST(Service, ChangesAtItsInstants) {
  const Service service{.curve = kCurve,
                        .changes = {{.at = 1s, .factor = 2},
                                    {.at = 2s, .factor = 3, .executor = 1},
                                    {.at = 3s, .factor = 1}}};
  ServiceSampler draws = sampler(service, 2);
  EXPECT_EQ(draws.draw(2, 0, 999ms), 4ms);
  EXPECT_EQ(draws.draw(2, 0, 1s), 8ms);
  EXPECT_EQ(draws.draw(2, 0, 2s), 8ms);
  EXPECT_EQ(draws.draw(2, 1, 2s), 12ms);
  EXPECT_EQ(draws.draw(2, 1, 3s), 4ms);
}

TEST(Service, NamesTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  const auto check = [](const Service& service) { return check_service(service, 2, 8); };
  EXPECT_EQ(check({.curve = kCurve}), "");
  EXPECT_EQ(check({}), "service.curve must be callable, got none");
  EXPECT_EQ(check({.curve = [](std::size_t size) { return Duration(size == 8 ? -1 : 1); }}),
            "service.curve(8) must be at least 0 ns, got -1 ns");
  EXPECT_EQ(check({.curve = kCurve, .noise = MeasuredNoise{}}),
            "service.noise.factors must be at least one, got none");
  EXPECT_EQ(check({.curve = kCurve, .noise = MeasuredNoise{{1, -1}}}),
            "service.noise.factors[1] must be from 0 to 1e+06, got -1");
  EXPECT_EQ(check({.curve = kCurve, .noise = LognormalNoise{.sigma = 3}}),
            "service.noise.sigma must be from 0 to 2, got 3");
  EXPECT_EQ(check({.curve = kCurve, .stalls = {.probability = 2}}),
            "service.stalls.probability must be from 0 to 1, got 2");
  EXPECT_EQ(check({.curve = kCurve, .stalls = {.length = -1ns}}),
            "service.stalls.length must be at least 0 ns, got -1 ns");
  EXPECT_EQ(check({.curve = kCurve, .streams = 0}),
            "service.streams must be from 1 to 1024, got 0");
  EXPECT_EQ(check({.curve = kCurve, .speeds = {1}}),
            "service.speeds must be empty or one for each executor (2), got 1 speeds");
  EXPECT_EQ(check({.curve = kCurve, .speeds = {1, 0}}),
            "service.speeds[1] must be from 1e-06 to 1e+06, got 0");
  EXPECT_EQ(check({.curve = kCurve, .changes = {{.factor = 0}}}),
            "service.changes[0].factor must be from 1e-06 to 1e+06, got 0");
  EXPECT_EQ(check({.curve = kCurve, .changes = {{.at = 2ns}, {.at = 1ns}}}),
            "service.changes[1].at must be at least 2 ns (ascending), got 1 ns");
  EXPECT_EQ(check({.curve = kCurve, .changes = {{.executor = 2}}}),
            "service.changes[0].executor must be below executors (2), got 2");
}

}  // namespace
