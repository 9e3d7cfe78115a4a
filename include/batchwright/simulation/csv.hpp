// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_CSV_HPP
#define BATCHWRIGHT_SIMULATION_CSV_HPP

#include "../errors.hpp"

#include <cstddef>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace batchwright::inline v0_1::detail {

// What the readers of comma-separated files share. Only what such files hold here: numbers and
// timestamps, no quoted fields.

/// The whole file. Throws std::invalid_argument if it cannot be read.
inline std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) raise(std::invalid_argument(path + ": cannot be opened"));
  std::string text;
  char block[65536];
  for (std::size_t read = 1; read > 0;) {
    read = std::fread(block, 1, sizeof block, file.get());
    text.append(block, read);
  }
  if (std::ferror(file.get()) != 0) raise(std::invalid_argument(path + ": cannot be read"));
  return text;
}

/// Takes what is before the first `separator` off the front of `text`, and the separator with it.
inline std::string_view take_until(std::string_view& text, char separator) noexcept {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

inline std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Gives each line that is not empty to `row(number, line)`; lines count from 1. A byte order mark is no
/// part of the first.
template <class Row>
void for_each_row(std::string_view text, Row&& row) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trimmed(take_until(text, '\n'));
    if (!line.empty()) row(number, line);
  }
}

[[noreturn]] inline void raise_bad_row(const std::string& name, std::size_t line,
                                       const std::string& what, std::string_view text) {
  raise(std::invalid_argument(name + ":" + std::to_string(line) + ": " + what + ", got '" +
                              std::string(text.substr(0, 60)) + "'"));
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_CSV_HPP
