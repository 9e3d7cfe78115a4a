// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/quorum.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::detail::Hazard;
using batchwright::detail::LearnedCurve;
using batchwright::detail::Quorum;
using batchwright_test::Random;

LearnedCurve v100() {
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 64; ++size) {
    curve.observe(size, 1.8874e6 + 0.1438e6 * static_cast<double>(size));
  }
  return curve;
}

Hazard thinking(double mean, bool fixed) {
  Random random(1);
  Hazard hazard;
  for (int i = 0; i < 256; ++i) hazard.end(fixed ? mean : 1000 + mean * random.exponential());
  return hazard;
}

TEST(Quorum, OfCallersThatDoNotThinkIsAllOfThem) {
  const Quorum quorum = Quorum::choose(32, 1, 64, v100(), thinking(1000, true));
  EXPECT_EQ(quorum.size, 32u);
  EXPECT_LT(quorum.time, 0.05e6);
}

TEST(Quorum, IsSharedByTheExecutors) {
  EXPECT_EQ(Quorum::choose(32, 4, 64, v100(), thinking(1000, true)).size, 8u);
}

TEST(Quorum, IsNotAboveTheCap) {
  EXPECT_EQ(Quorum::choose(32, 1, 16, v100(), thinking(1000, true)).size, 16u);
}

TEST(Quorum, OfCallersThatThinkLongIsAPartThatIsThereAtOnce) {
  // Waiting for the last of 16 would take several times the mean thought.
  const Quorum quorum = Quorum::choose(16, 1, 32, v100(), thinking(20e6, false));
  EXPECT_LT(quorum.size, 6u);
  EXPECT_LT(quorum.time, 4e6);
}

TEST(Quorum, OfCallersThatThinkInStepTakesTurns) {
  // A thought of one full batch: in two halves the one computes while the other thinks.
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 16; ++size)
    curve.observe(size, 1e6 + 1e6 * static_cast<double>(size));
  const double thought = 17e6;
  const Quorum quorum = Quorum::choose(16, 1, 16, curve, thinking(thought, true));
  EXPECT_LT(quorum.size, 9u);
  EXPECT_LT(static_cast<double>(quorum.size) / (curve(quorum.size) + quorum.time), 16 / 17e6);
  EXPECT_GT(static_cast<double>(quorum.size) / (curve(quorum.size) + quorum.time),
            16 / (17e6 + thought))
      << "better than all at once";
}

TEST(Quorum, OfCallersInStepSharesThemAmongTheExecutors) {
  // 64 who think for 6.5 ms. An executor with 16 callers of its own would take them in eights and wait
  // for 1.7 ms between; with whoever is there the next ones come while these think.
  const LearnedCurve curve = v100();
  const double thought = curve(32);
  const Quorum quorum = Quorum::choose(64, 4, 32, curve, thinking(thought, true));
  EXPECT_GE(quorum.size, 4u);
  EXPECT_LE(quorum.size, 6u);
  // Each caller's cycle is a thought, a batch and no more.
  const double answered = 4 * static_cast<double>(quorum.size) / (curve(quorum.size) + quorum.time);
  EXPECT_LT(answered, 64 / (thought + curve(quorum.size)));
  EXPECT_GT(answered, 0.97 * 64 / (thought + curve(quorum.size)));
}

TEST(Quorum, FindsAShortWaitForOneAmongLongThoughts) {
  // Eight callers: with 1.06 ms of waiting after each batch of one seven of them think at a time.
  LearnedCurve curve;
  for (std::size_t size = 1; size <= 8; ++size) {
    curve.observe(size, 0.1e6 + 1e6 * static_cast<double>(size));
  }
  const Quorum quorum = Quorum::choose(16, 2, 32, curve, thinking(16.1e6, true));
  EXPECT_EQ(quorum.size, 1u);
  EXPECT_NEAR(quorum.time, 1.06e6, 0.03e6);
}

TEST(Quorum, TriesASizeThatMayBeBetterThanItIsKnown) {
  // Only single requests and whole batches were seen; nothing says that fewer would not be faster.
  LearnedCurve curve;
  for (int i = 0; i < 20'000; ++i) {
    curve.observe(1, 2e6);
    curve.observe(32, 20e6);
  }
  const Hazard returns = thinking(1000, true);
  EXPECT_LT(Quorum::choose(64, 1, 32, curve, returns).size, 32u);
  for (int i = 0; i < 30; ++i) {
    for (std::size_t size = 1; size <= 32; ++size) {
      curve.observe(size, 2e6 + 18e6 / 31 * static_cast<double>(size - 1));
    }
  }
  EXPECT_EQ(Quorum::choose(64, 1, 32, curve, returns).size, 32u) << "now it is known";
}

TEST(Quorum, OfOneCallerIsOne) {
  EXPECT_EQ(Quorum::choose(1, 1, 32, v100(), thinking(1e6, false)).size, 1u);
  EXPECT_EQ(Quorum::choose(1, 4, 32, v100(), thinking(1e6, false)).size, 1u);
}

}  // namespace
