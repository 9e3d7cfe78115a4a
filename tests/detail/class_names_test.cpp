// SPDX-License-Identifier: MIT
#include <batchwright/detail/class_names.hpp>
#include <batchwright/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <climits>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::string_literals;
using batchwright::SystemRuntime;
using Names = batchwright::detail::ClassNames<SystemRuntime>;

TEST(ClassNames, NumberLabelsInTheOrderInWhichTheyComeUp) {
  Names names(SystemRuntime{}, 5);
  EXPECT_EQ(names.count(), 0u);
  EXPECT_EQ(names.number_of("b"), 0u);
  EXPECT_EQ(names.number_of("a"), 1u);
  EXPECT_EQ(names.number_of(""), 2u);
  EXPECT_EQ(names.number_of("b"), 0u);
  EXPECT_EQ(names.number_of(""), 2u);
  EXPECT_EQ(names.count(), 3u);
  EXPECT_EQ(names.label(1), "a");
}

TEST(ClassNames, CountWhatComesTooLateTogether) {
  Names names(SystemRuntime{}, 2);
  EXPECT_EQ(names.number_of("a"), 0u);
  EXPECT_EQ(names.number_of("b"), 1u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(names.number_of("late " + std::to_string(i)), 2u);
  EXPECT_EQ(names.number_of("a"), 0u);
  EXPECT_EQ(names.count(), 2u);
  EXPECT_EQ(names.label(2), "other");
}

TEST(ClassNames, TakeALabelOtherForThoseThatComeTooLate) {
  Names names(SystemRuntime{}, 7);
  EXPECT_EQ(names.number_of("other"), 7u);
  EXPECT_EQ(names.count(), 0u);
}

TEST(ClassNames, TellAnyTwoLabelsApart) {
  Names names(SystemRuntime{}, 1'000);
  for (std::size_t i = 0; i < 1'000; ++i) ASSERT_EQ(names.number_of(std::to_string(i)), i);
  for (std::size_t i = 0; i < 1'000; ++i) {
    ASSERT_EQ(names.number_of(std::to_string(i)), i);
    ASSERT_EQ(names.label(i), std::to_string(i));
  }
}

TEST(ClassNames, KeepNoMoreOfALabelThanItsBeginning) {
  Names names(SystemRuntime{}, 5);
  const std::string begin(128, 'x');
  EXPECT_EQ(names.number_of(begin + "one"), 0u);
  EXPECT_EQ(names.number_of(begin + "two"), 0u);
  EXPECT_EQ(names.label(0), begin);
}

TEST(ClassNames, AreUtf8SoThatNoTwoAreShownAlike) {
  Names names(SystemRuntime{}, 5);
  EXPECT_EQ(names.number_of("\xff"), 0u);
  EXPECT_EQ(names.number_of("\xfe"), 0u);
  EXPECT_EQ(names.number_of("\0"s), 0u);
  EXPECT_EQ(names.number_of("\xef\xbf\xbd"), 0u);
  EXPECT_EQ(names.label(0), "\xef\xbf\xbd");
  // Cut within a character.
  std::string long_name(129, 'x');
  long_name.replace(127, 2, "\xc3\xa4");
  EXPECT_EQ(names.number_of(long_name), 1u);
  const std::string label(names.label(1));
  EXPECT_EQ(label.substr(0, 127), std::string(127, 'x'));
  EXPECT_EQ(label.substr(127), "\xef\xbf\xbd");
}

TEST(ClassNames, OfPrioritiesAreTheirDigits) {
  Names names(SystemRuntime{}, 4);
  EXPECT_EQ(names.number_of(0), 0u);
  EXPECT_EQ(names.number_of(-1), 1u);
  EXPECT_EQ(names.number_of(INT_MIN), 2u);
  EXPECT_EQ(names.number_of(-1), 1u);
  EXPECT_EQ(names.number_of(INT_MAX), 3u);
  EXPECT_EQ(names.number_of(5), 4u);
  EXPECT_EQ(names.number_of(0), 0u);
  EXPECT_EQ(names.number_of(5), 4u);
  EXPECT_EQ(names.label(1), "-1");
  EXPECT_EQ(names.label(2), "-2147483648");
  EXPECT_EQ(names.label(3), "2147483647");
}

TEST(ClassNames, FindEachOfManyPriorities) {
  Names names(SystemRuntime{}, 500);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(names.number_of(i * 4096), static_cast<std::size_t>(i));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(names.number_of(i * 4096), static_cast<std::size_t>(i));
  EXPECT_EQ(names.number_of(1), 500u);
}

TEST(ClassNames, GiveSeveralThreadsTheSameNumbers) {
  constexpr int kThreads = 4;
  constexpr int kLabels = 200;
  Names names(SystemRuntime{}, 150);
  std::vector<std::vector<std::size_t>> found(kThreads);
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      for (int i = 0; i < kLabels; ++i) {
        found[t].push_back(i % 2 == 0 ? names.number_of(i) : names.number_of(std::to_string(i)));
        EXPECT_NE(names.label(names.count() - 1), "");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(names.count(), 150u);
  for (std::size_t i = 0; i < kLabels; ++i) {
    for (const auto& one : found) ASSERT_EQ(one[i], found[0][i]) << i;
    EXPECT_EQ(names.label(found[0][i]), found[0][i] < 150 ? std::to_string(i) : "other");
  }
}

}  // namespace
