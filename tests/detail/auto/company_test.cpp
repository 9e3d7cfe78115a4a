// SPDX-License-Identifier: MIT
#include <batchwright/detail/auto/company.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::Company;
using batchwright::detail::LearnedCurve;

LearnedCurve affine(double fixed_ms, double per_item_ms) {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 32; ++size) {
    curve.observe(size, (fixed_ms + per_item_ms * static_cast<double>(size)) * 1e6);
  }
  return curve;
}

Company::Input of(std::size_t queued, double rate_per_ms, double left_ms) {
  return {.queued = queued,
          .cap = 32,
          .rate = rate_per_ms / 1e6,
          .executors = 4,
          .left = left_ms * 1e6};
}

TEST(Company, ABatchThatCarriesItsShareGoes) {
  // 4 / 9 ms are more than a quarter of 1.5 a ms, a tenth more.
  EXPECT_EQ(Company::size(of(4, 1.5, 40), affine(5, 1)), 4u);
}

TEST(Company, ASmallerOneWaitsForTheFirstSizeThatDoes) {
  // b / (5 + b) >= 1.1 * 2 / 4 from 7 on.
  EXPECT_EQ(Company::size(of(1, 2, 40), affine(5, 1)), 7u);
}

TEST(Company, NotLongerThanTheFirstOneCanWait) {
  // (b - 1) / 2 + 5 + b <= 12.
  EXPECT_EQ(Company::size(of(1, 2, 12), affine(5, 1)), 5u);
}

TEST(Company, WhereTheTimeIsInProportionItDoesNotPay) {
  EXPECT_EQ(Company::size(of(1, 3.9, 40), affine(0.01, 1)), 1u);
}

}  // namespace
