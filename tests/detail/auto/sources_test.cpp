// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/auto/sources.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::Source;
using batchwright::detail::Sources;
using batchwright_test::Random;

constexpr double kMs = 1e6;

/// One executor that takes all that is queued, 2 ms a batch; arrivals at those instants.
Source open_loop(const std::vector<double>& arrivals) {
  Sources sources;
  double finish = -1;
  double computing = 0;
  double queued = 0;
  for (const double at : arrivals) {
    while (computing > 0 && finish <= at) {
      sources.answer(finish, computing);
      computing = std::exchange(queued, 0);
      finish += 2 * kMs;
    }
    sources.arrive(at, 1, [] { return 1 / kMs; });
    if (computing == 0) {
      computing = 1;
      finish = at + 2 * kMs;
    } else {
      queued += 1;
    }
  }
  return sources.source();
}

TEST(Sources, IndependentCallersAreThat) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    std::vector<double> arrivals;
    double at = 0;
    for (int i = 0; i < 4000; ++i) arrivals.push_back(at += kMs * random.exponential());
    EXPECT_EQ(open_loop(arrivals), Source::independent) << seed;
  }
}

TEST(Sources, AClockIsARenewalProcess) {
  std::vector<double> arrivals;
  for (int i = 0; i < 2000; ++i) arrivals.push_back(0.7 * kMs * i);
  EXPECT_EQ(open_loop(arrivals), Source::renewal);
}

TEST(Sources, CallersThatComeBackAreFoundWhetherTheyThinkOrNot) {
  for (const double think : {0.001, 0.3, 1.0}) {
    Random random(9);
    Sources sources;
    double now = 0;
    std::vector<double> back(16, 0.0);  // When each comes next.
    for (int batch = 0; batch < 400; ++batch) {
      std::sort(back.begin(), back.end());
      now = std::max(now, back.front());
      std::vector<double> later;
      double size = 0;
      for (const double at : back) {
        if (at > now) {
          later.push_back(at);
        } else {
          size += 1;
        }
      }
      // Those who come meanwhile come before the answer.
      const double finish = now + 2 * kMs;
      for (const double at : back) {
        if (at > now - 2 * kMs && at <= now) sources.arrive(at, 1, [] { return 1 / kMs; });
      }
      sources.answer(finish, size);
      for (int k = 0; k < static_cast<int>(size); ++k) {
        later.push_back(finish + think * kMs * random.exponential());
      }
      back = later;
      now = finish;
    }
    EXPECT_EQ(sources.source(), Source::returning) << think;
  }
}

TEST(Sources, NothingIsChosenBeforeEnoughWasSeen) {
  Sources sources;
  for (int i = 0; i < 20; ++i) sources.arrive(kMs * i, 1, [] { return 0.0; });
  EXPECT_EQ(sources.source(), Source::independent);
}

}  // namespace
