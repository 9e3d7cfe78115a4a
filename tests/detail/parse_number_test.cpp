// SPDX-License-Identifier: MIT
#include <batchwright/detail/parse_number.hpp>

#include <gtest/gtest.h>

#include <string_view>

namespace {

namespace detail = batchwright::detail;

TEST(ParseNumber, ANumberIsTheWholeText) {
  double number = 0;
  EXPECT_TRUE(detail::parse_number("1.5e2", number));
  EXPECT_EQ(number, 150);
  EXPECT_FALSE(detail::parse_number("1.5x", number));
  EXPECT_FALSE(detail::parse_number("", number));
  unsigned count = 0;
  EXPECT_TRUE(detail::parse_number("4294967295", count));
  EXPECT_EQ(count, 4294967295u);
  EXPECT_FALSE(detail::parse_number("4294967296", count));
  EXPECT_FALSE(detail::parse_number("-1", count));
  EXPECT_FALSE(detail::parse_number("1 ", count));
}

TEST(ParseNumber, AStreamReadsWhatTheLibraryWouldHaveRead) {
  for (const std::string_view text :
       {"0",     "-0.25", "1.5e2", "1.5E+2", "15e-1", ".5", "5.",  "123456789.125",
        "1e999", "",      " 1",    "1 ",     "+1",    "-",  "--1", "1-1",
        "1.5x",  "1e",    "0x10",  "1,5",    "1.2.3", "e5"}) {
    double by_stream = 0;
    double number = 0;
    const bool is_number = detail::parse_number(text, number);
    ASSERT_EQ(detail::parse_by_stream(text, by_stream), is_number) << text;
    if (!is_number) continue;
    EXPECT_EQ(by_stream, number) << text;
  }
}

}  // namespace
