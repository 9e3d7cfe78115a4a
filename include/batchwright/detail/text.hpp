// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_TEXT_HPP
#define BATCHWRIGHT_DETAIL_TEXT_HPP

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What programs read: the same in every locale, and UTF-8 whatever the input is.
namespace batchwright::inline v0_1::detail {

/// Appends an integer, or the shortest text that reads back as the same double.
template <class Number>
  requires std::integral<Number> || std::same_as<Number, double>
void append_number(std::string& out, Number number) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

/// Appends value / 10^decimals, exactly, without trailing zeros: (1'500, 3) is "1.5".
inline void append_scaled(std::string& out, std::int64_t value, int decimals) {
  // Not -value, which overflows for the least of them.
  const std::uint64_t size =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::uint64_t unit = 1;
  for (int i = 0; i < decimals; ++i) unit *= 10;
  if (value < 0) out.push_back('-');
  append_number(out, size / unit);
  std::uint64_t rest = size % unit;
  if (rest != 0) out.push_back('.');
  while (rest != 0) {
    unit /= 10;
    out.push_back(static_cast<char>('0' + rest / unit));
    rest %= unit;
  }
}

/// Bytes of the UTF-8 character at the front of `text`, which is not empty; 0 if there is none: a
/// stray or missing continuation, an overlong form, a surrogate, above U+10FFFF.
inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

/// Appends `text`, with U+FFFD for each byte that is no part of a character. Where
/// `escape(out, character)` returns true it has appended its own form of an ASCII character.
template <class Escape>
void append_escaped(std::string& out, std::string_view text, Escape escape) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out.append("\xef\xbf\xbd");
    } else if (length > 1 || !escape(out, text.front())) {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_TEXT_HPP
