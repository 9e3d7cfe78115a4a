// SPDX-License-Identifier: MIT
#include <batchwright/detail/text.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace {

using namespace std::string_literals;
using batchwright::detail::append_escaped;
using batchwright::detail::append_number;
using batchwright::detail::append_scaled;
using batchwright::detail::utf8_length;

template <class Number>
std::string number(Number value) {
  std::string text;
  append_number(text, value);
  return text;
}

std::string scaled(std::int64_t value, int decimals) {
  std::string text;
  append_scaled(text, value, decimals);
  return text;
}

/// Escapes nothing but an `x`, as "<x>".
std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text, [](std::string& to, char character) {
    if (character == 'x') to.append("<x>");
    return character == 'x';
  });
  return out;
}

TEST(AppendNumber, WritesIntegersInFull) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(-7), "-7");
  EXPECT_EQ(number(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(number(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
}

TEST(AppendNumber, WritesTheShortestTextThatReadsBackAsTheSameDouble) {
  EXPECT_EQ(number(0.0), "0");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1.5), "1.5");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(0.1 + 0.2), "0.30000000000000004");
}

TEST(AppendScaled, MovesThePointAndDropsWhatIsZeroBehindIt) {
  EXPECT_EQ(scaled(1'500, 3), "1.5");
  EXPECT_EQ(scaled(1'000, 3), "1");
  EXPECT_EQ(scaled(1, 3), "0.001");
  EXPECT_EQ(scaled(1'050'000'007, 9), "1.050000007");
  EXPECT_EQ(scaled(0, 9), "0");
  EXPECT_EQ(scaled(12, 0), "12");
}

TEST(AppendScaled, IsExactAtBothEnds) {
  EXPECT_EQ(scaled(std::numeric_limits<std::int64_t>::max(), 9), "9223372036.854775807");
  EXPECT_EQ(scaled(std::numeric_limits<std::int64_t>::min(), 9), "-9223372036.854775808");
  EXPECT_EQ(scaled(-1, 9), "-0.000000001");
}

TEST(Utf8Length, TellsCharactersOfEachLength) {
  EXPECT_EQ(utf8_length("a"), 1u);
  EXPECT_EQ(utf8_length("\0"s), 1u);
  EXPECT_EQ(utf8_length("\xc3\xa4"), 2u);
  EXPECT_EQ(utf8_length("\xe2\x82\xac and more"), 3u);
  EXPECT_EQ(utf8_length("\xf0\x9f\x9a\x82"), 4u);
}

TEST(Utf8Length, TakesTheFirstAndTheLastOfEachRange) {
  for (const std::string_view edge :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(utf8_length(edge), edge.size()) << edge;
  }
}

TEST(Utf8Length, IsZeroForWhatIsNoCharacter) {
  for (const std::string_view wrong :
       {"\x80", "\xbf\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\x28", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xe2\x82", "\xe2\x28\xac", "\xe2\x82\x28", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x9a", "\xf0\x9f\x9a\x28", "\xff"}) {
    EXPECT_EQ(utf8_length(wrong), 0u);
  }
}

TEST(AppendEscaped, LeavesTheRestAsItIs) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("max"), "ma<x>");
  EXPECT_EQ(escaped("\xe2\x82\xac x"), "\xe2\x82\xac <x>");
}

TEST(AppendEscaped, ReplacesEachByteThatIsNoPartOfACharacter) {
  EXPECT_EQ(escaped("a\xffz"), "a\xef\xbf\xbdz");
  EXPECT_EQ(escaped("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(escaped("\xe2x"), "\xef\xbf\xbd<x>");
}

}  // namespace
