// SPDX-License-Identifier: MIT
#include <batchwright/simulation/csv.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace detail = batchwright::detail;

using Rows = std::vector<std::pair<std::size_t, std::string>>;

Rows rows_of(std::string_view text) {
  Rows rows;
  detail::for_each_row(text, [&](std::size_t number, std::string_view line) {
    rows.emplace_back(number, std::string(line));
  });
  return rows;
}

TEST(Csv, RowsKeepTheirLineNumbersAcrossEmptyLines) {
  EXPECT_EQ(rows_of("a,b\r\n\n c \n"), (Rows{{1, "a,b"}, {3, "c"}}));
  EXPECT_EQ(rows_of("last without an end"), (Rows{{1, "last without an end"}}));
  EXPECT_EQ(rows_of(""), Rows{});
}

TEST(Csv, AByteOrderMarkIsNoPartOfTheFirstRow) {
  EXPECT_EQ(rows_of("\xef\xbb\xbfx\n"), (Rows{{1, "x"}}));
}

TEST(Csv, TakesFieldsOffTheFront) {
  std::string_view rest = "a,,b";
  EXPECT_EQ(detail::take_until(rest, ','), "a");
  EXPECT_EQ(detail::take_until(rest, ','), "");
  EXPECT_EQ(detail::take_until(rest, ','), "b");
  EXPECT_EQ(detail::take_until(rest, ','), "");
}

TEST(Csv, ReadsAFileLargerThanABlock) {
  const std::string path = testing::TempDir() + "batchwright_csv_test.csv";
  const std::string text(200'000, 'x');
  std::ofstream(path) << text;
  EXPECT_EQ(detail::read_file(path), text);
  std::remove(path.c_str());
  EXPECT_THROW(detail::read_file(path), std::invalid_argument);
}

TEST(Csv, ABadRowIsNamedAndCutShort) {
  try {
    detail::raise_bad_row("f.csv", 3, "must be good", std::string(100, 'y'));
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), "f.csv:3: must be good, got '" + std::string(60, 'y') + "'");
  }
}

}  // namespace
