// SPDX-License-Identifier: MIT
#include <batchwright/detail/in_flight.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <thread>

namespace {

using batchwright::detail::InFlight;

TEST(InFlight, CountsRequestsAndBatchesApart) {
  InFlight in_flight;
  in_flight.begin(3);
  in_flight.begin(5);
  EXPECT_EQ(in_flight.requests(), 8u);
  EXPECT_EQ(in_flight.batches(), 2u);
  in_flight.end(1);  // Taken out.
  in_flight.join(2);
  EXPECT_EQ(in_flight.requests(), 9u);
  EXPECT_EQ(in_flight.batches(), 2u);
  in_flight.end(5, 1);
  EXPECT_EQ(in_flight.requests(), 4u);
  EXPECT_EQ(in_flight.batches(), 1u);
  in_flight.end(4);
  in_flight.end(0, 1);
  EXPECT_EQ(in_flight.requests(), 0u);
  EXPECT_EQ(in_flight.batches(), 0u);
}

// As many requests as the word holds beside the batches, many times over.
TEST(InFlight, StaysRightWhenItsWordsOverflow) {
  InFlight in_flight;
  constexpr std::size_t kMany = std::size_t{1} << 39;
  in_flight.begin(7);
  for (int i = 0; i < 100; ++i) {
    in_flight.begin(kMany);
    EXPECT_EQ(in_flight.requests(), kMany + 7);
    EXPECT_EQ(in_flight.batches(), 2u);
    in_flight.end(kMany, 1);
  }
  EXPECT_EQ(in_flight.requests(), 7u);
  EXPECT_EQ(in_flight.batches(), 1u);
}

TEST(InFlight, IsNeverBelowZero) {
  InFlight in_flight;
  std::atomic<int> begun{0};
  std::atomic<bool> done{false};
  std::thread ender([&] {
    for (int ended = 0; ended < 20'000;) {
      if (ended == begun.load()) continue;
      in_flight.end(4, 1);
      ++ended;
    }
    done = true;
  });
  std::thread reader([&] {
    while (!done) {
      EXPECT_LE(in_flight.requests(), 80'000u);
      EXPECT_LE(in_flight.batches(), 20'000u);
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    in_flight.begin(4);
    ++begun;
  }
  ender.join();
  reader.join();
  EXPECT_EQ(in_flight.requests(), 0u);
}

}  // namespace
