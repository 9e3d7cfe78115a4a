// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_PARSE_NUMBER_HPP
#define BATCHWRIGHT_DETAIL_PARSE_NUMBER_HPP

#include <charconv>
#include <concepts>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <version>

namespace batchwright::inline v0_1::detail {

/// For libraries whose std::from_chars reads integers alone, such as libc++ before version 20. Throws
/// std::bad_alloc.
template <std::floating_point Number>
bool parse_by_stream(std::string_view text, Number& number) {
  // A stream would skip white space, and take a plus.
  if (text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
  if (text.empty() || text.front() == '+') return false;
  std::istringstream in{std::string(text)};
  in.imbue(std::locale::classic());
  return in >> number && in.peek() == std::istringstream::traits_type::eof();
}

/// Whether all of `text` is one number, written as in the locale "C". Throws std::bad_alloc.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
#if !defined(__cpp_lib_to_chars)
  if constexpr (std::floating_point<Number>) {
    return parse_by_stream(text, number);
  } else
#endif
  {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && rest == end && !text.empty();
  }
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_PARSE_NUMBER_HPP
