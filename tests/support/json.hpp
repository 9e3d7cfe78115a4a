// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_JSON_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_JSON_HPP

#include <batchwright/detail/text.hpp>

#include <charconv>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchwright_test {

/// A JSON value. What it is not reads as empty.
struct Json {
  enum class Type { null, boolean, number, string, array, object };
  Type type = Type::null;
  bool boolean = false;
  double number = 0;
  std::string text;  // The string, or the number as it is written.
  std::vector<Json> items;
  std::map<std::string, Json> members;

  bool has(const std::string& key) const { return members.contains(key); }
  const Json& operator[](const std::string& key) const {
    static const Json none;
    const auto found = members.find(key);
    return found == members.end() ? none : found->second;
  }
};

/// Reads JSON as RFC 8259 has it, without duplicate keys. Throws std::runtime_error for anything else.
class JsonParser {
 public:
  static Json parse(std::string_view text) {
    JsonParser parser(text);
    Json value = parser.value(0);
    parser.space();
    parser.require(parser.rest_.empty(), "nothing after the value");
    return value;
  }

 private:
  explicit JsonParser(std::string_view text) : rest_(text) {}

  void require(bool right, const char* what) const {
    if (right) return;
    throw std::runtime_error(std::string("JSON: expected ") + what + " before \"" +
                             std::string(rest_.substr(0, 20)) + '"');
  }

  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(std::string_view expected) {
    if (rest_.substr(0, expected.size()) != expected) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  void space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
      rest_.remove_prefix(1);
    }
  }

  Json value(int depth) {
    require(depth < 100, "less depth");
    space();
    Json value;
    if (take("null")) return value;
    if (take("true")) {
      value.type = Json::Type::boolean;
      value.boolean = true;
    } else if (take("false")) {
      value.type = Json::Type::boolean;
    } else if (peek() == '"') {
      value.type = Json::Type::string;
      value.text = string();
    } else if (take("[")) {
      value.type = Json::Type::array;
      space();
      if (take("]")) return value;
      do {
        value.items.push_back(this->value(depth + 1));
        space();
      } while (take(","));
      require(take("]"), "]");
    } else if (take("{")) {
      value.type = Json::Type::object;
      space();
      if (take("}")) return value;
      do {
        space();
        std::string key = string();
        space();
        require(take(":"), ":");
        require(value.members.emplace(std::move(key), this->value(depth + 1)).second, "a new key");
        space();
      } while (take(","));
      require(take("}"), "}");
    } else {
      number(value);
    }
    return value;
  }

  std::size_t digits() {
    std::size_t count = 0;
    for (; peek() >= '0' && peek() <= '9'; ++count) rest_.remove_prefix(1);
    return count;
  }

  void number(Json& value) {
    const std::string_view begin = rest_;
    take("-");
    const bool zero = peek() == '0';
    const std::size_t whole = digits();
    require(whole > 0 && (!zero || whole == 1), "a number");
    if (take(".")) require(digits() > 0, "a digit");
    if (take("e") || take("E")) {
      if (!take("+")) take("-");
      require(digits() > 0, "a digit");
    }
    value.type = Json::Type::number;
    value.text = begin.substr(0, begin.size() - rest_.size());
    std::from_chars(value.text.data(), value.text.data() + value.text.size(), value.number);
  }

  std::string string() {
    require(take("\""), "a string");
    std::string text;
    while (!take("\"")) {
      require(!rest_.empty() && static_cast<unsigned char>(peek()) >= 0x20, "a character");
      if (take("\\")) {
        escape(text);
        continue;
      }
      const std::size_t length = batchwright::detail::utf8_length(rest_);
      require(length > 0, "UTF-8");
      text.append(rest_.substr(0, length));
      rest_.remove_prefix(length);
    }
    return text;
  }

  void escape(std::string& text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (take("u")) {
      unsigned code = 0;
      const auto [end, error] =
          std::from_chars(rest_.data(), rest_.data() + (rest_.size() < 4 ? 0 : 4), code, 16);
      require(error == std::errc() && end == rest_.data() + 4, "four digits");
      require(code < 0x80, "no escape where UTF-8 does");  // Not wrong, but not ours.
      text.push_back(static_cast<char>(code));
      rest_.remove_prefix(4);
      return;
    }
    const std::size_t index = kLetters.find(peek());
    require(!rest_.empty() && index != std::string_view::npos, "an escape");
    text.push_back(kMeanings[index]);
    rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_JSON_HPP
