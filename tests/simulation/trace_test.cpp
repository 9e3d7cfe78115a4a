// SPDX-License-Identifier: MIT
#include <batchwright/simulation/trace.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

std::string error_of(const std::string& text) {
  try {
    parse_trace(text, "trace.csv");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Trace, ReadsTimestampsOfTheFirstColumn) {
  const std::vector<Duration> instants = parse_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2023-11-16 18:17:03.9799600,4808,10\n"
      "2023-11-16 18:17:04.0319600,3180,8\n",
      "trace.csv");
  ASSERT_EQ(instants.size(), 2u);
  EXPECT_EQ(instants[1] - instants[0], 52ms);
  EXPECT_EQ(instants[0], 1'700'158'623s + 979'960us);
}

TEST(Trace, ReadsSecondsToTheNanosecond) {
  const std::vector<Duration> instants =
      parse_trace("1700158623.000000001\n1700158624\r\n1.5e3,7\n\n", "trace.csv");
  ASSERT_EQ(instants.size(), 3u);
  EXPECT_EQ(instants[0], 1500s);
  EXPECT_EQ(instants[1], 1'700'158'623s + 1ns);
  EXPECT_EQ(instants[2], 1'700'158'624s);
}

TEST(Trace, ReadsTheCommonFormsOfATimestamp) {
  const std::vector<Duration> instants = parse_trace(
      "1970-01-01T00:00:01Z\n1970-01-02 00:00:00\n2000-02-29 12:00:00.5\n2000-03-01 12:00:00.5\n",
      "trace.csv");
  EXPECT_EQ(instants[0], 1s);
  EXPECT_EQ(instants[1], 24h);
  EXPECT_EQ(instants[2], 951'825'600s + 500ms);
  EXPECT_EQ(instants[3] - instants[2], 24h);
}

TEST(Trace, SortsWhatWasWrittenInAnotherOrder) {
  EXPECT_EQ(parse_trace("3\n1\n2\n", "trace.csv"), (std::vector<Duration>{1s, 2s, 3s}));
}

TEST(Trace, NamesTheLineThatIsBad) {
  EXPECT_EQ(error_of("time\n1.5\nlater,3\n"),
            "trace.csv:3: the first column must be seconds or a timestamp like 2023-11-16 "
            "18:17:03.98, got 'later'");
  EXPECT_EQ(error_of("1\n2023-13-16 18:17:03\n").substr(0, 12), "trace.csv:2:");
  EXPECT_EQ(error_of("1\n-4\n").substr(0, 12), "trace.csv:2:");
  EXPECT_EQ(error_of("1\nnan\n").substr(0, 12), "trace.csv:2:");
  EXPECT_EQ(error_of("1\n2x\n").substr(0, 12), "trace.csv:2:");
}

TEST(Trace, WithoutAnArrivalIsAnError) {
  EXPECT_EQ(error_of(""), "trace.csv: holds no arrival in its first column");
  EXPECT_EQ(error_of("time\n"), "trace.csv: holds no arrival in its first column");
}

TEST(Trace, ReadsAFileAndSaysWhichItCannotOpen) {
  const std::string path = testing::TempDir() + "batchwright_trace_test.csv";
  std::ofstream(path) << "t\n0.25\n";
  EXPECT_EQ(read_trace(path), (std::vector<Duration>{250ms}));
  std::remove(path.c_str());
  try {
    read_trace(path);
    ADD_FAILURE() << "read what is not there";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), path + ": cannot be opened");
  }
}

TEST(TraceArrivals, BeginAtTheFirstInstantAndEndWithTheLast) {
  const TraceArrivals trace{.instants = {10s, 11s, 13s}};
  auto stream = trace.start(Random(1));
  EXPECT_EQ(stream.next(), 0s);
  EXPECT_EQ(stream.next(), 1s);
  EXPECT_EQ(stream.next(), 3s);
  EXPECT_EQ(stream.next(), kNoArrival);
  EXPECT_EQ(trace.count(), 3u);
}

TEST(TraceArrivals, ComeFasterBySpeedUp) {
  const TraceArrivals trace{.instants = {10s, 11s, 13s}, .speed_up = 4};
  auto stream = trace.start(Random(1));
  EXPECT_EQ(stream.next(), 0s);
  EXPECT_EQ(stream.next(), 250ms);
  EXPECT_EQ(stream.next(), 750ms);
}

TEST(TraceArrivals, RepeatTheMeanGapAfterTheirLast) {
  const TraceArrivals trace{.instants = {10s, 11s, 14s}, .speed_up = 2, .end = TraceEnd::repeat};
  auto stream = trace.start(Random(1));
  for (const Duration expected : {0ms, 500ms, 2000ms, 3000ms, 3500ms, 5000ms, 6000ms}) {
    EXPECT_EQ(stream.next(), expected);
  }
}

TEST(TraceArrivals, NameTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  EXPECT_EQ(TraceArrivals{}.validate(), "TraceArrivals::instants must be at least one, got none");
  EXPECT_EQ((TraceArrivals{.instants = {2s, 1s}}).validate(),
            "TraceArrivals::instants[1] must be at least 2000000000 ns (ascending), got "
            "1000000000 ns");
  EXPECT_EQ((TraceArrivals{.instants = {2s}, .speed_up = 0}).validate(),
            "TraceArrivals::speed_up must be from 1e-06 to 1e+06, got 0");
  EXPECT_EQ((TraceArrivals{.instants = {2s}, .end = TraceEnd::repeat}).validate(),
            "TraceArrivals::end must be stop for a trace of one instant, got repeat");
}

}  // namespace
