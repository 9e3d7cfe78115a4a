// SPDX-License-Identifier: MIT
#include <batchwright/simulation/service_curve.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(AffineCurve, IsAConstantAndAPartForEachItem) {
  const AffineCurve curve{.per_item = 100us, .fixed = 2ms};
  EXPECT_EQ(curve(1), 2100us);
  EXPECT_EQ(curve(32), 5200us);
}

TEST(TableCurve, GivesTheMeasuredTimesAndIsStraightBetween) {
  const TableCurve curve({{1, 2ms}, {4, 5ms}, {8, 6ms}});
  EXPECT_EQ(curve(1), 2ms);
  EXPECT_EQ(curve(4), 5ms);
  EXPECT_EQ(curve(8), 6ms);
  EXPECT_EQ(curve(2), 3ms);
  EXPECT_EQ(curve(6), 5500us);
}

TEST(TableCurve, HoldsBelowTheSmallestAndGoesOnAboveTheLargest) {
  const TableCurve curve({{4, 5ms}, {8, 6ms}});
  EXPECT_EQ(curve(1), 5ms);
  EXPECT_EQ(curve(16), 8ms);
  EXPECT_EQ(TableCurve({{4, 5ms}})(16), 5ms);
}

TEST(TableCurve, WhoseLastPieceFallsDoesNotFallOnAboveTheLargest) {
  const TableCurve curve({{1, 5ms}, {8, 4ms}, {16, 2ms}});
  EXPECT_EQ(curve(12), 3ms) << "what was measured holds";
  EXPECT_EQ(curve(17), 2ms);
  EXPECT_EQ(curve(4096), 2ms);
}

TEST(TableCurve, RefusesWhatIsNoCurve) {
  EXPECT_EQ(error_of([] { TableCurve({}); }),
            "Simulation: TableCurve must be of at least one point, got none");
  EXPECT_EQ(error_of([] {
              TableCurve({{0, 1ms}});
            }),
            "Simulation: TableCurve: point 0's size must be at least 1 (ascending), got 0");
  EXPECT_EQ(error_of([] {
              TableCurve({{2, 1ms}, {2, 1ms}});
            }),
            "Simulation: TableCurve: point 1's size must be at least 3 (ascending), got 2");
  EXPECT_EQ(error_of([] {
              TableCurve({{2, -1ms}});
            }),
            "Simulation: TableCurve: point 0's time must be at least 0 ns, got -1000000 ns");
}

TEST(TableCurve, IsReadFromSizesAndMilliseconds) {
  const TableCurve curve = parse_curve("size,ms\r\n1, 2.5\r\n8,4,ignored\n", "curve.csv");
  ASSERT_EQ(curve.points().size(), 2u);
  EXPECT_EQ(curve(1), 2500us);
  EXPECT_EQ(curve(8), 4ms);
  EXPECT_EQ(parse_curve("\xef\xbb\xbf"
                        "1,2\n",
                        "curve.csv")(1),
            2ms);
}

TEST(TableCurve, OfABadFileNamesTheLine) {
  const auto parse = [](const char* text) {
    return error_of([text] { parse_curve(text, "curve.csv"); });
  };
  EXPECT_EQ(parse("size,ms\n1,2\nx,3\n"),
            "curve.csv:3: the size must be a whole number of at least 2, got 'x'");
  EXPECT_EQ(parse("1,2\n1,3\n"),
            "curve.csv:2: the size must be a whole number of at least 2, got '1'");
  EXPECT_EQ(parse("1.5,2\n"),
            "curve.csv:1: the size must be a whole number of at least 1, got '1.5'");
  EXPECT_EQ(parse("1\n"), "curve.csv:1: the time must be from 0 to 1e9 milliseconds, got ''");
  EXPECT_EQ(parse("1,-2\n"), "curve.csv:1: the time must be from 0 to 1e9 milliseconds, got '-2'");
  EXPECT_EQ(parse("size,ms\n"), "curve.csv: holds no line of a size and its milliseconds");
  EXPECT_EQ(error_of([] { read_curve("/no/such/file.csv"); }),
            "/no/such/file.csv: cannot be opened");
}

}  // namespace
