// SPDX-License-Identifier: MIT
#include <batchwright/simulation/measure_curve.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

// A clock that goes on when a predictor says so.
struct ManualClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<ManualClock, duration>;
  static inline duration elapsed{};
  static time_point now() noexcept { return time_point(elapsed); }
};

template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

constexpr std::size_t kSizes[] = {1, 4, 16};

TEST(MeasureCurve, IsTheTimeOfEachSize) {
  const TableCurve curve = measure_curve<ManualClock>(
      [](std::size_t size) { ManualClock::elapsed += 5ms + size * 1ms; }, kSizes);
  EXPECT_EQ(curve(1), 6ms);
  EXPECT_EQ(curve(4), 9ms);
  EXPECT_EQ(curve(16), 21ms);
  EXPECT_EQ(curve(10), 15ms) << "straight between them";
}

TEST(MeasureCurve, TakesTheMedianOfTheRoundsAfterTheWarmUp) {
  // Of each size: the warm-up, then 1, 2, 3, 100 and 200 ms.
  std::vector<Duration> times = {1h, 1h, 1h};
  for (const Duration time :
       {Duration(100ms), Duration(1ms), Duration(3ms), Duration(200ms), Duration(2ms)}) {
    times.insert(times.end(), 3, time);
  }
  std::vector<std::size_t> sizes;
  std::size_t next = 0;
  const TableCurve curve = measure_curve<ManualClock>(
      [&](std::size_t size) {
        sizes.push_back(size);
        ManualClock::elapsed += times[next++];
      },
      kSizes);
  EXPECT_EQ(next, times.size());
  EXPECT_EQ(curve(1), 3ms);
  EXPECT_EQ(curve(16), 3ms);
  EXPECT_EQ((std::vector<std::size_t>(sizes.begin(), sizes.begin() + 4)),
            (std::vector<std::size_t>{1, 4, 16, 1}))
      << "the sizes take turns";
}

TEST(MeasureCurve, APredictorGetsTheFirstInputs) {
  const std::vector<int> inputs(16, 7);
  const auto predict = [](std::span<const int> batch) {
    for (const int input : batch) ManualClock::elapsed += input * 1ms;
    return std::vector<int>(batch.begin(), batch.end());
  };
  const TableCurve curve = measure_curve<ManualClock>(predict, inputs, kSizes);
  EXPECT_EQ(curve(4), 28ms);
  constexpr std::size_t kTooMany[] = {1, 17};
  EXPECT_EQ(error_of([&] { measure_curve<ManualClock>(predict, inputs, kTooMany); }),
            "Simulation: measure_curve: a size must be at most the number of inputs (16), got 17");
}

TEST(MeasureCurve, RefusesSizesBeforeItRunsAny) {
  std::size_t runs = 0;
  const auto run = [&runs](std::size_t) { ++runs; };
  constexpr std::size_t kFalling[] = {4, 2};
  EXPECT_EQ(error_of([&] { measure_curve(run, kFalling); }),
            "Simulation: TableCurve: point 1's size must be at least 5 (ascending), got 2");
  constexpr std::size_t kZero[] = {0};
  EXPECT_NE(error_of([&] { measure_curve(run, kZero); }), "none");
  EXPECT_NE(error_of([&] { measure_curve(run, std::span<const std::size_t>()); }), "none");
  EXPECT_EQ(error_of([&] { measure_curve(run, kSizes, {.repetitions = 0}); }),
            "Simulation: CurveMeasurement::repetitions must be at least 1, got 0");
  EXPECT_EQ(runs, 0u);
}

TEST(MeasureCurve, TheRealClockIsTheDefault) {
  const TableCurve curve = measure_curve([](std::size_t) {}, kSizes, {.repetitions = 3});
  EXPECT_LT(curve(1), 1s);
  EXPECT_EQ(curve.points().size(), 3u);
}

}  // namespace
