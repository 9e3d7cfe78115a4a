// SPDX-License-Identifier: MIT
#include <batchwright/detail/handed.hpp>

#include <gtest/gtest.h>

#include <string>

namespace {

struct Letter {
  explicit Letter(char of) : name(of) {}
  char name;
  Letter* next = nullptr;
};

class HandedTest : public ::testing::Test {
 protected:
  // What is given out, in order. Whoever gets one may put it into a list of his own at once.
  std::string given() {
    std::string names;
    handed_.each([&](Letter& letter) {
      names += letter.name;
      letter.next = &letter;
    });
    return names;
  }

  batchwright::detail::Handed<Letter> handed_;
};

TEST_F(HandedTest, GivesOutInOrderWhateverBecomesOfEach) {
  Letter a('a'), b('b'), c('c');
  for (Letter* letter : {&a, &b, &c}) handed_.append(*letter);
  EXPECT_EQ(given(), "abc");
}

TEST_F(HandedTest, GivesOutEachOnceAndMayBeFilledAgain) {
  Letter a('a'), b('b');
  EXPECT_EQ(given(), "");
  handed_.append(a);
  EXPECT_EQ(given(), "a");
  EXPECT_EQ(given(), "");
  handed_.append(b);
  handed_.append(a);
  EXPECT_EQ(given(), "ba");
}

}  // namespace
