// SPDX-License-Identifier: MIT
#include <batchwright/detail/parking.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::detail::cpu_relax;
using batchwright::detail::kEveryone;
using batchwright::detail::park;
using batchwright::detail::unpark;
using Clock = std::chrono::steady_clock;
using Word = std::atomic<std::uint32_t>;

constexpr Clock::time_point kNever = Clock::time_point::max();

TEST(Parking, ReturnsAtOnceWhenTheWordIsSomethingElse) {
  const Word word{7};
  park(word, 6, kNever);
}

TEST(Parking, ReturnsAtOnceWhenTheInstantHasPassed) {
  const Word word{7};
  park(word, 7, Clock::now() - 1s);
  park(word, 7, Clock::time_point{});
  park(word, 7, Clock::time_point{} - 1s);
  park(word, 7, Clock::time_point::min());
}

TEST(Parking, EndsAtItsInstantNotBefore) {
  const Word word{7};
  const Clock::time_point until = Clock::now() + 3ms;
  while (Clock::now() < until) park(word, 7, until);
  // A park that ignored its instant would never have returned.
  EXPECT_GE(Clock::now(), until);
}

TEST(Parking, WaitsUntilItIsWoken) {
  Word word{0};
  std::thread waiter([&] {
    while (word.load() == 0) park(word, 0, kNever);
  });
  word = 1;
  unpark(word, 1);
  waiter.join();
}

TEST(Parking, AStoreBeforeTheWaitIsNeverMissed) {
  Word turn{0};
  constexpr std::uint32_t kRounds = 500;
  const auto play = [&](std::uint32_t mine) {
    for (std::uint32_t round = mine; round < kRounds; round += 2) {
      for (std::uint32_t seen = turn; seen != round; seen = turn) park(turn, seen, kNever);
      turn = round + 1;
      unpark(turn, kEveryone);
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(turn, kRounds);
}

TEST(Parking, WakesEverybody) {
  Word word{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      while (word.load() == 0) park(word, 0, kNever);
    });
  }
  word = 1;
  unpark(word, kEveryone);
  for (auto& waiter : waiters) waiter.join();
}

TEST(Parking, AWakeForAWordThatIsGoneIsHarmless) {
  auto word = std::make_unique<Word>(0);
  Word& gone = *word;
  std::thread waiter([&] {
    while (gone.load() == 0) park(gone, 0, kNever);
  });
  word->store(1);
  unpark(*word, 1);
  waiter.join();
  unpark(*word, kEveryone);
  cpu_relax();
}

}  // namespace
