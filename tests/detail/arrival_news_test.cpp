// SPDX-License-Identifier: MIT
#include <batchwright/detail/arrival_news.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace {

using batchwright::ArrivalReport;
using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::ArrivalNews;
using batchwright::detail::RequestHeader;

struct Listener {
  std::vector<ArrivalReport> heard;
  void on_arrivals(const ArrivalReport& report) noexcept { heard.push_back(report); }
};

RequestHeader request(int at, std::uint32_t weight) {
  RequestHeader header{};
  header.enqueued = TimePoint(Duration(at));
  header.weight = weight;
  return header;
}

TEST(ArrivalNews, AreToldInBulkOnceAskedFor) {
  ArrivalNews<Listener> news;
  Listener listener;
  news.note(listener, request(5, 2), false);
  news.note(listener, request(3, 1), false);
  EXPECT_TRUE(listener.heard.empty());
  news.tell(listener);
  news.tell(listener);
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_EQ(listener.heard[0].count, 2u);
  EXPECT_EQ(listener.heard[0].size, 3u);
  EXPECT_EQ(listener.heard[0].first, TimePoint(Duration(3)));
  EXPECT_EQ(listener.heard[0].last, TimePoint(Duration(5)));
}

TEST(ArrivalNews, AreToldOneByOneAtOnceIfThatIsNeeded) {
  ArrivalNews<Listener> news;
  Listener listener;
  news.note(listener, request(5, 2), true);
  news.note(listener, request(3, 1), true);
  news.tell(listener);
  ASSERT_EQ(listener.heard.size(), 2u);
  EXPECT_EQ(listener.heard[0].size, 2u);
  EXPECT_EQ(listener.heard[1].first, TimePoint(Duration(3)));
}

TEST(ArrivalNews, MeanNothingToAPolicyThatDoesNotListen) {
  struct Deaf {};
  ArrivalNews<Deaf> news;
  Deaf deaf;
  news.note(deaf, request(5, 2), false);
  news.tell(deaf);
}

}  // namespace
