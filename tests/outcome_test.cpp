// SPDX-License-Identifier: MIT
#include <batchwright/outcome.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace {

using batchwright::kOutcomeCount;
using batchwright::Outcome;

static_assert(std::string_view(to_string(Outcome::ok)) == "ok");

TEST(Outcome, HasANameForEachEnumerator) {
  EXPECT_STREQ(to_string(Outcome::ok), "ok");
  EXPECT_STREQ(to_string(Outcome::failed), "failed");
  EXPECT_STREQ(to_string(Outcome::expired), "expired");
  EXPECT_STREQ(to_string(Outcome::cancelled), "cancelled");
  EXPECT_STREQ(to_string(Outcome::queue_full), "queue_full");
  EXPECT_STREQ(to_string(Outcome::too_large), "too_large");
  EXPECT_STREQ(to_string(Outcome::stopped), "stopped");
  EXPECT_STREQ(to_string(Outcome::forked), "forked");
  EXPECT_STREQ(to_string(Outcome::would_deadlock), "would_deadlock");
}

TEST(Outcome, CountsItsEnumerators) {
  EXPECT_EQ(static_cast<std::size_t>(Outcome::would_deadlock) + 1, kOutcomeCount);
  std::set<std::string> names;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) names.insert(to_string(static_cast<Outcome>(i)));
  EXPECT_EQ(names.size(), kOutcomeCount);
}

}  // namespace
