// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_EXTRA_POLICY_SETTINGS_HPP
#define BATCHWRIGHT_POLICIES_EXTRA_POLICY_SETTINGS_HPP

#include "../../detail/parse_number.hpp"
#include "../../detail/text.hpp"
#include "../../errors.hpp"
#include "../../policy.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The settings of one policy as text, `size=32,max_wait_ms=2`. Each key is read once, into a value that
/// is left alone where the key is not there; `finish` then refuses what nobody has read. Whatever is
/// wrong is a std::invalid_argument that names the policy, the key, what is allowed and the value.
class PolicySettings {
 public:
  PolicySettings(std::string_view policy, std::string_view text) : policy_(policy) {
    while (!text.empty()) {
      const std::size_t end = text.find(',');
      add(text.substr(0, end));
      if (end != std::string_view::npos && end + 1 == text.size()) fail("ends in a comma");
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

  /// A whole number of at least 1.
  void read(std::string_view key, std::size_t& value) {
    const std::string_view* const text = take(key);
    if (text != nullptr) value = size_of(key, *text, *text);
  }

  /// Whole numbers of at least 1, with slashes between them.
  void read(std::string_view key, std::vector<std::size_t>& values) {
    const std::string_view* const text = take(key);
    if (text == nullptr) return;
    values.clear();
    for (std::string_view rest = *text;;) {
      const std::size_t end = rest.find('/');
      values.push_back(size_of(key, rest.substr(0, end), *text));
      if (end == std::string_view::npos) return;
      rest.remove_prefix(end + 1);
    }
  }

  /// A number within bounds.
  void read(std::string_view key, double& value, double least, double most) {
    const std::string_view* const text = take(key);
    if (text == nullptr) return;
    double number = 0;
    if (!parse_number(*text, number) || !(number >= least && number <= most)) {
      std::string allowed = "a number from ";
      append_number(allowed, least);
      allowed += " to ";
      append_number(allowed, most);
      refuse(key, allowed, *text);
    }
    value = number;
  }

  /// Milliseconds, whole or not, up to an hour.
  void read(std::string_view key, Duration& value) {
    constexpr double kMost = 3.6e6;
    const std::string_view* const text = take(key);
    if (text == nullptr) return;
    double number = 0;
    if (!parse_number(*text, number) || !(number >= 0 && number <= kMost)) {
      refuse(key, "milliseconds from 0 to 3600000", *text);
    }
    value = Duration(std::llround(number * 1e6));
  }

  void finish() const {
    for (const Setting& setting : settings_) {
      if (setting.read) continue;
      std::string keys;
      for (const std::string_view key : known_) keys += (keys.empty() ? "" : ", ") + quoted(key);
      fail("has no setting " + quoted(setting.key) +
           (keys.empty() ? "; it has none" : "; it has " + keys));
    }
  }

 private:
  struct Setting {
    std::string_view key;
    std::string_view value;
    bool read = false;
  };

  static std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

  [[noreturn]] void fail(const std::string& what) const {
    raise(std::invalid_argument("policy " + quoted(policy_) + ": " + what));
  }

  [[noreturn]] void refuse(std::string_view key, const std::string& allowed,
                           std::string_view value) const {
    fail(std::string(key) + " must be " + allowed + ", got " + quoted(value));
  }

  void add(std::string_view pair) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail("a setting must be key=value, got " + quoted(pair));
    }
    const std::string_view key = pair.substr(0, equals);
    for (const Setting& setting : settings_) {
      if (setting.key == key) fail(std::string(key) + " is set twice");
    }
    settings_.push_back({key, pair.substr(equals + 1), false});
  }

  const std::string_view* take(std::string_view key) {
    known_.push_back(key);
    for (Setting& setting : settings_) {
      if (setting.key != key) continue;
      setting.read = true;
      return &setting.value;
    }
    return nullptr;
  }

  std::size_t size_of(std::string_view key, std::string_view text, std::string_view all) const {
    std::size_t number = 0;
    if (!parse_number(text, number) || number < 1 || number > 0xffff'ffff) {
      refuse(key, "a whole number from 1 to 4294967295", all);
    }
    return number;
  }

  std::string_view policy_;
  std::vector<Setting> settings_;
  std::vector<std::string_view> known_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_POLICIES_EXTRA_POLICY_SETTINGS_HPP
