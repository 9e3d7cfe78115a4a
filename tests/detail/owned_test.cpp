// SPDX-License-Identifier: MIT
#include <batchwright/detail/owned.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::make_owned;
using batchwright::detail::Owned;
using batchwright::detail::OwnedArray;

struct Counted {
  explicit Counted(int& count) : alive(count) { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  virtual ~Counted() { --alive; }
  int& alive;
};

struct Derived final : Counted {
  using Counted::Counted;
};

static_assert(!std::is_copy_constructible_v<Owned<int>>);
static_assert(!std::is_copy_assignable_v<Owned<int>>);
static_assert(std::is_nothrow_move_constructible_v<Owned<int>>);
static_assert(std::is_nothrow_move_assignable_v<Owned<int>>);
static_assert(!std::is_convertible_v<int*, Owned<int>>);
static_assert(!std::is_copy_constructible_v<OwnedArray<int>>);
static_assert(!std::is_copy_assignable_v<OwnedArray<int>>);
static_assert(std::is_nothrow_move_assignable_v<OwnedArray<int>>);

TEST(Owned, DestroysWhatItOwnsOnceWhoeverHasIt) {
  int alive = 0;
  {
    auto first = make_owned<Counted>(alive);
    EXPECT_EQ(alive, 1);
    Owned<Counted> second(std::move(first));
    EXPECT_EQ(first.get(), nullptr);
    EXPECT_TRUE(second);
    first = make_owned<Counted>(alive);
    EXPECT_EQ(alive, 2);
    first = std::move(second);
    EXPECT_EQ(alive, 1);
    EXPECT_TRUE(second == nullptr);
    EXPECT_EQ(&first->alive, &alive);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Owned, HoldsWhatIsDerivedAndLetsGoOfIt) {
  int alive = 0;
  Owned<Counted> owned(new Derived(alive));
  EXPECT_EQ(alive, 1);
  owned.reset();
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(owned);
  owned.reset(new Derived(alive));
  owned = nullptr;
  EXPECT_EQ(alive, 0);
}

TEST(Owned, KeepsItsObjectWhenItIsAssignedToItself) {
  int alive = 0;
  auto owned = make_owned<Counted>(alive);
  Owned<Counted>& same = owned;
  owned = std::move(same);
  EXPECT_TRUE(owned);
  EXPECT_EQ(alive, 1);
}

TEST(Owned, GoesWithAVectorThatGrows) {
  int alive = 0;
  {
    std::vector<Owned<Counted>> all;
    for (int i = 0; i < 20; ++i) all.push_back(make_owned<Counted>(alive));
    EXPECT_EQ(alive, 20);
  }
  EXPECT_EQ(alive, 0);
}

TEST(OwnedArray, BeginsWithZeros) {
  const OwnedArray<int> numbers(100);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(numbers[i], 0);
}

TEST(OwnedArray, OfNoElementsIsNull) {
  EXPECT_FALSE(OwnedArray<int>(0));
  EXPECT_FALSE(OwnedArray<int>());
  EXPECT_TRUE(OwnedArray<int>(1));
}

TEST(OwnedArray, MovesAndDestroysItsElements) {
  static int alive = 0;
  struct Element {
    Element() { ++alive; }
    ~Element() { --alive; }
  };
  {
    OwnedArray<Element> first(3);
    OwnedArray<Element> second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_EQ(alive, 3);
    first = OwnedArray<Element>(2);
    EXPECT_EQ(alive, 5);
    first = std::move(second);
    EXPECT_EQ(alive, 3);
    EXPECT_FALSE(second);
    OwnedArray<Element>& same = first;
    first = std::move(same);
    EXPECT_TRUE(first);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
