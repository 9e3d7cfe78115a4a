// SPDX-License-Identifier: MIT
#include <batchwright/detail/batch_size.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::SizeRule;
using batchwright::detail::BatchSize;
using batchwright::detail::padded_to;

TEST(BatchSize, IsTheSumOfTheWeights) {
  BatchSize size(SizeRule::sum);
  EXPECT_EQ(size.value(), 0u);
  size.add(3, 50);
  size.add(4, 1);
  EXPECT_EQ(size.value(), 7u);
  EXPECT_EQ(size.count(), 2u);
}

TEST(BatchSize, OrCountTimesTheLongest) {
  BatchSize size(SizeRule::padded);
  EXPECT_EQ(size.value(), 0u);
  size.add(9, 5);
  EXPECT_EQ(size.value(), 5u);
  size.add(9, 2);
  EXPECT_EQ(size.value(), 10u);
  size.add(9, 6);
  EXPECT_EQ(size.value(), 18u);
}

TEST(BatchSize, IsUsefulButForThePaddingToTheLongest) {
  BatchSize sum(SizeRule::sum);
  BatchSize padded(SizeRule::padded);
  for (const std::size_t length : {2u, 7u, 3u}) {
    sum.add(4, length);
    padded.add(4, length);
  }
  EXPECT_EQ(sum.useful(), sum.value());
  EXPECT_EQ(padded.useful(), 12u);
  EXPECT_EQ(padded.value(), 21u);
}

TEST(PaddedTo, IsTheSmallestAllowedSizeThatIsEnough) {
  EXPECT_EQ(padded_to({4, 8}, 1), 4u);
  EXPECT_EQ(padded_to({4, 8}, 4), 4u);
  EXPECT_EQ(padded_to({4, 8}, 5), 8u);
  EXPECT_EQ(padded_to({4, 8}, 9), 9u);
  EXPECT_EQ(padded_to({}, 3), 3u);
}

}  // namespace
