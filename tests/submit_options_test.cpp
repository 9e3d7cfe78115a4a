// SPDX-License-Identifier: MIT
#include <batchwright/submit_options.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <type_traits>

namespace {

using batchwright::kNever;
using batchwright::StopSource;
using batchwright::SubmitOptions;
using batchwright::TimePoint;

static_assert(std::is_aggregate_v<SubmitOptions>);
static_assert(std::is_nothrow_move_constructible_v<SubmitOptions>);

TEST(SubmitOptions, AskForNothingByDefault) {
  const SubmitOptions options;
  EXPECT_EQ(options.priority, 0);
  EXPECT_EQ(options.deadline, kNever);
  EXPECT_FALSE(options.stop.stop_possible());
  EXPECT_FALSE(options.stop.stop_requested());
  EXPECT_EQ(options.trace_id, 0u);
}

TEST(SubmitOptions, AreWrittenByName) {
  StopSource source;
  const SubmitOptions options{.priority = std::numeric_limits<int>::min(),
                              .deadline = TimePoint{},
                              .stop = source.get_token(),
                              .trace_id = std::numeric_limits<std::uint64_t>::max()};
  EXPECT_EQ(options.priority, std::numeric_limits<int>::min());
  EXPECT_EQ(options.deadline, TimePoint{});
  EXPECT_TRUE(options.stop.stop_possible());
  source.request_stop();
  EXPECT_TRUE(options.stop.stop_requested());
}

}  // namespace
