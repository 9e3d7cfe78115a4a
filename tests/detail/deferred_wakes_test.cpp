// SPDX-License-Identifier: MIT
#include <batchwright/detail/deferred_wakes.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace {

using batchwright::detail::DeferredWake;
using batchwright::detail::DeferredWakes;
using batchwright::detail::PromptWakes;
using batchwright::detail::WakeList;

// Notes that it was woken, and when.
class Caller final : public DeferredWake {
 public:
  Caller(int name, std::vector<int>& woken) : name_(name), woken_(woken) {}
  void wake() noexcept override { woken_.push_back(name_); }

 private:
  int name_;
  std::vector<int>& woken_;
};

class DeferredWakesTest : public ::testing::Test {
 protected:
  std::vector<int> woken_;
  Caller a_{1, woken_}, b_{2, woken_}, c_{3, woken_};
};

using Woken = std::vector<int>;

TEST_F(DeferredWakesTest, AListWakesInOrderAndIsEmptyThen) {
  WakeList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0u);
  list.append(a_);
  EXPECT_EQ(list.size(), 1u);
  list.append(b_);
  EXPECT_EQ(list.size(), 2u);
  list.wake_all();
  EXPECT_EQ(woken_, (Woken{1, 2}));
  EXPECT_TRUE(list.empty());
  list.append(c_);
  EXPECT_EQ(list.size(), 1u);
}

TEST_F(DeferredWakesTest, AListThatIsTakenIsEmpty) {
  WakeList list;
  list.append(a_);
  list.append(b_);
  WakeList taken = list.take();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0u);
  EXPECT_EQ(taken.size(), 2u);
  taken.wake_all();
  EXPECT_EQ(woken_, (Woken{1, 2}));
}

TEST_F(DeferredWakesTest, OutsideAScopeNothingIsDeferred) {
  EXPECT_FALSE(DeferredWakes::take(a_));
  EXPECT_TRUE(woken_.empty());
}

TEST_F(DeferredWakesTest, WakesComeAtTheEndOfTheScope) {
  {
    const DeferredWakes deferred;
    EXPECT_TRUE(DeferredWakes::take(a_));
    EXPECT_TRUE(DeferredWakes::take(b_));
    EXPECT_TRUE(woken_.empty());
  }
  EXPECT_EQ(woken_, (Woken{1, 2}));
  EXPECT_FALSE(DeferredWakes::take(c_));
}

TEST_F(DeferredWakesTest, WhatIsTakenOffTheListIsTheTakers) {
  WakeList taken;
  {
    DeferredWakes deferred;
    DeferredWakes::take(a_);
    taken = deferred.list().take();
    DeferredWakes::take(b_);
  }
  EXPECT_EQ(woken_, (Woken{2}));
  { const DeferredWakes resumed(taken.take()); }
  EXPECT_EQ(woken_, (Woken{2, 1}));
}

TEST_F(DeferredWakesTest, AnInnerScopeWakesItsOwn) {
  const DeferredWakes outer;
  DeferredWakes::take(a_);
  {
    const DeferredWakes inner;
    DeferredWakes::take(b_);
  }
  EXPECT_EQ(woken_, (Woken{2}));
  EXPECT_TRUE(DeferredWakes::take(c_));
  EXPECT_EQ(woken_, (Woken{2}));
}

TEST_F(DeferredWakesTest, BeforeUserCodeRunsEverybodyIsWoken) {
  const DeferredWakes outer;
  DeferredWakes::take(a_);
  const DeferredWakes inner;
  DeferredWakes::take(b_);
  {
    const PromptWakes prompt;
    EXPECT_EQ(woken_, (Woken{2, 1}));
    EXPECT_FALSE(DeferredWakes::take(c_));
  }
  EXPECT_TRUE(DeferredWakes::take(c_));
}

}  // namespace
