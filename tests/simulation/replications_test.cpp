// SPDX-License-Identifier: MIT
#include <batchwright/simulation/random.hpp>
#include <batchwright/simulation/replications.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <stdexcept>
#include <vector>

namespace {

using namespace batchwright::simulation;

TEST(Estimate, StudentsTIsThatOfTheTables) {
  using batchwright::detail::student_t;
  EXPECT_NEAR(student_t(0.95, 1), 12.7062, 1e-3);
  EXPECT_NEAR(student_t(0.95, 2), 4.30265, 1e-4);
  EXPECT_NEAR(student_t(0.95, 9), 2.26216, 1e-4);
  EXPECT_NEAR(student_t(0.99, 4), 4.60409, 1e-4);
  EXPECT_NEAR(student_t(0.90, 29), 1.69913, 1e-4);
  EXPECT_NEAR(student_t(0.95, 1000), 1.96234, 1e-4);
}

TEST(Estimate, IsTheMeanWithItsInterval) {
  const std::vector<double> values{1, 2, 3, 4, 5};
  const Estimate result = estimate(std::span<const double>(values));
  EXPECT_DOUBLE_EQ(result.mean, 3);
  EXPECT_NEAR(result.standard_error, std::sqrt(2.5 / 5), 1e-12);
  EXPECT_NEAR(result.half_width, 2.77645 * std::sqrt(0.5), 1e-4);
  EXPECT_NEAR(result.low(), 3 - result.half_width, 1e-12);
  EXPECT_NEAR(result.high(), 3 + result.half_width, 1e-12);
}

TEST(Estimate, TakesAFigureOfEachResult) {
  std::vector<SimulationResult> results(3);
  for (std::size_t i = 0; i < 3; ++i) results[i].throughput_hz = static_cast<double>(10 * i);
  EXPECT_DOUBLE_EQ(estimate(results, &SimulationResult::throughput_hz).mean, 10);
  EXPECT_DOUBLE_EQ(
      estimate(results, [](const SimulationResult& r) { return 2 * r.throughput_hz; }).mean, 20);
}

TEST(Estimate, CoversTheTruthAsOftenAsItSays) {
  Random random(1);
  int covered = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> values;
    for (int i = 0; i < 5; ++i) values.push_back(7 + random.normal());
    const Estimate result = estimate(std::span<const double>(values), 0.9);
    covered += result.low() <= 7 && 7 <= result.high();
  }
  EXPECT_NEAR(covered, 1800, 40);
}

TEST(Estimate, RefusesWhatHasNoInterval) {
  const std::vector<double> values{1, 2};
  EXPECT_THROW(estimate(std::span<const double>(values).first(1)), std::invalid_argument);
  EXPECT_THROW(estimate(std::span<const double>(values), 1), std::invalid_argument);
  EXPECT_THROW(estimate(std::span<const double>(values), 0), std::invalid_argument);
}

}  // namespace
