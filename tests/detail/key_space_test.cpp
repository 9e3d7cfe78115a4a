// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/key_space.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

namespace bw = batchwright;
using batchwright_test::TestRuntime;
using bw::detail::ErasedKey;

struct Node {
  int prepared = 0;
};

/// A key that counts its copies and may refuse to be one.
struct Name {
  std::string text;
  int* alive = nullptr;

  Name(std::string its_text, int* counter) : text(std::move(its_text)), alive(counter) {
    if (alive != nullptr) ++*alive;
  }
  Name(const Name& other) : text(other.text), alive(other.alive) {
    if (text == "no copy") throw std::runtime_error("no copy");
    if (alive != nullptr) ++*alive;
  }
  Name& operator=(const Name&) = delete;
  ~Name() {
    if (alive != nullptr) --*alive;
  }
  bool operator==(const Name& other) const {
    if (comparing_throws) throw std::runtime_error("no comparison");
    return text == other.text;
  }

  static inline bool comparing_throws = false;
};
struct NameHash {
  std::size_t operator()(const Name& name) const { return name.text.size(); }  // Many collide.
};

class KeySpaceTest : public ::testing::Test {
 protected:
  Node& acquire(const std::string& text) {
    return space_.acquire(text, [](Node& node, const ErasedKey&) noexcept { ++node.prepared; });
  }

  int alive_ = 0;
  TestRuntime runtime_;
  bw::KeyFunction<std::string> function_{[this](const std::string& text) {
                                           if (text == "no key") throw std::runtime_error("no key");
                                           return Name(text, &alive_);
                                         },
                                         NameHash{}};
  bw::detail::KeySpace<std::string, Node, TestRuntime> space_{runtime_, function_.traits()};
};

TEST_F(KeySpaceTest, EqualKeysHaveOneNodeAndUnequalOnesOfOneHashDoNot) {
  Node& a = acquire("aa");
  Node& b = acquire("bb");
  EXPECT_NE(&a, &b);
  EXPECT_EQ(&acquire("aa"), &a);
  EXPECT_EQ(a.prepared, 1);
  EXPECT_EQ(space_.size(), 2u);
  space_.release(a);
  EXPECT_EQ(space_.size(), 2u);
  space_.release(a);
  space_.release(b);
}

TEST_F(KeySpaceTest, AKeyIsForgottenWithItsLastHolder) {
  Node& a = acquire("a");
  EXPECT_EQ(alive_, 1);
  space_.release(a);
  EXPECT_EQ(space_.size(), 0u);
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(acquire("a").prepared, 1);  // A new one.
}

TEST_F(KeySpaceTest, WhatIsStillHeldAtTheEndIsDestroyed) {
  {
    bw::detail::KeySpace<std::string, Node, TestRuntime> space(runtime_, function_.traits());
    space.acquire("held", [](Node&, const ErasedKey&) noexcept {});
    EXPECT_EQ(alive_, 1);
  }
  EXPECT_EQ(alive_, 0);
}

TEST_F(KeySpaceTest, WhatTheKeyThrowsLeavesNothingBehind) {
  EXPECT_THROW(acquire("no key"), std::runtime_error);
  EXPECT_THROW(acquire("no copy"), std::runtime_error);
  EXPECT_EQ(space_.size(), 0u);
  EXPECT_EQ(alive_, 0);
}

TEST_F(KeySpaceTest, WhatTheFirstUseOfANodeThrowsLeavesNothingBehind) {
  EXPECT_THROW(space_.acquire("a", [](Node&, const ErasedKey&) { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_EQ(space_.size(), 0u);
  EXPECT_EQ(alive_, 0);
  space_.release(acquire("a"));
}

TEST_F(KeySpaceTest, AnEqualityThatThrowsIsTheCallersAndNeverThatOfWhoLetsGo) {
  Node& a = acquire("aa");
  Node& b = acquire("bb");
  Name::comparing_throws = true;
  EXPECT_THROW(acquire("cc"), std::runtime_error);
  space_.release(a);
  space_.release(b);
  EXPECT_EQ(space_.size(), 0u);
  EXPECT_EQ(alive_, 0);
  Name::comparing_throws = false;
}

TEST(KeyFunction, TakesWhatHasEqualityAndAHash) {
  struct Plain {};
  static_assert(std::is_constructible_v<bw::KeyFunction<int>, std::string (*)(const int&)>);
  static_assert(!std::is_constructible_v<bw::KeyFunction<int>, Plain (*)(const int&)>);
  static_assert(!std::is_constructible_v<bw::KeyFunction<int>, Name (*)(const int&)>);
  static_assert(std::is_constructible_v<bw::KeyFunction<int>, Name (*)(const int&), NameHash>);
  EXPECT_FALSE(bw::KeyFunction<int>());
  EXPECT_TRUE(bw::KeyFunction<int>([](const int& x) { return x; }));
}

}  // namespace
