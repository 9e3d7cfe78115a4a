// SPDX-License-Identifier: MIT
#include <batchwright/admitted.hpp>
#include <batchwright/outcome.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using batchwright::Admitted;
using batchwright::Outcome;

static_assert(!std::is_convertible_v<Admitted<int>, bool>);
static_assert(!std::is_convertible_v<Admitted<void>, bool>);
static_assert(std::is_nothrow_move_constructible_v<Admitted<std::unique_ptr<int>>>);

TEST(Admitted, AnAcceptedRequestIsTrueAndHasItsHandle) {
  Admitted<std::string> admitted(std::string("handle"));
  EXPECT_TRUE(admitted);
  EXPECT_EQ(admitted.outcome(), Outcome::ok);
  EXPECT_EQ(*admitted, "handle");
  EXPECT_EQ(admitted->size(), 6u);
}

TEST(Admitted, ARefusalIsFalseAndSaysWhy) {
  const Admitted<std::string> admitted(Outcome::queue_full);
  EXPECT_FALSE(admitted);
  EXPECT_EQ(admitted.outcome(), Outcome::queue_full);
}

TEST(Admitted, AMoveOnlyHandleIsTakenFromAnRvalue) {
  Admitted<std::unique_ptr<int>> admitted(std::make_unique<int>(3));
  const std::unique_ptr<int> handle = *std::move(admitted);
  EXPECT_EQ(*handle, 3);
}

TEST(Admitted, OfACallbackThereIsTheOutcomeAlone) {
  EXPECT_TRUE(Admitted<void>(Outcome::ok));
  EXPECT_FALSE(Admitted<void>(Outcome::stopped));
  EXPECT_EQ(Admitted<void>(Outcome::stopped).outcome(), Outcome::stopped);
}

}  // namespace
