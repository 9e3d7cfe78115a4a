// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_TRACE_JSON_HPP
#define BATCHWRIGHT_DETAIL_TRACE_JSON_HPP

#include "../policy.hpp"
#include "text.hpp"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace batchwright::inline v0_1::detail {

/// Appends `text` as a JSON string, quotes included.
inline void append_json(std::string& out, std::string_view text) {
  out.push_back('"');
  append_escaped(out, text, [](std::string& to, char character) {
    const auto code = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      to.append({'\\', character});
    } else if (code < 0x20 || code == 0x7f) {
      constexpr const char* kDigits = "0123456789abcdef";
      to.append("\\u00").append({kDigits[code >> 4], kDigits[code & 15]});
    } else {
      return false;
    }
    return true;
  });
  out.push_back('"');
}

/// Appends events in the Chrome trace event format, as the members of one JSON array. All of them are
/// of one process, and times are in microseconds of the steady clock.
class TraceJson {
 public:
  explicit TraceJson(std::string& out) noexcept : out_(out) {}

  /// Begins an event of phase `phase`, and ends the one before. Names are plain text of the library's.
  TraceJson& event(char phase, std::string_view name, std::uint64_t track) {
    end();
    out_.append(first_ ? "\n{\"ph\":\"" : ",\n{\"ph\":\"");
    first_ = false;
    open_ = true;
    out_.append({phase, '"'});
    return text("name", name).number("pid", 1).number("tid", track);
  }

  template <std::integral Number>
  TraceJson& number(std::string_view key, Number value) {
    begin_member(key);
    append_number(out_, value);
    return *this;
  }
  TraceJson& text(std::string_view key, std::string_view value) {
    begin_member(key);
    append_json(out_, value);
    return *this;
  }
  TraceJson& boolean(std::string_view key, bool value) {
    begin_member(key);
    out_.append(value ? "true" : "false");
    return *this;
  }
  TraceJson& at(TimePoint time) { return time_span("ts", time.time_since_epoch()); }
  TraceJson& time_span(std::string_view key, Duration span) {
    begin_member(key);
    append_scaled(out_, span.count(), 3);
    return *this;
  }

  /// What follows are the event's arguments, of any name.
  TraceJson& args() {
    begin_member("args");
    out_.push_back('{');
    in_args_ = true;
    first_member_ = true;
    return *this;
  }

  /// Ends the last event.
  void end() {
    if (open_) out_.append(in_args_ ? "}}" : "}");
    open_ = in_args_ = false;
    first_member_ = false;
  }

 private:
  void begin_member(std::string_view key) {
    if (!first_member_) out_.push_back(',');
    first_member_ = false;
    out_.append("\"").append(key).append("\":");
  }

  std::string& out_;
  bool first_ = true;          // No event yet.
  bool open_ = false;          // An event lacks its closing brace.
  bool in_args_ = false;       // And so do its arguments.
  bool first_member_ = false;  // The next member follows an opening brace.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_TRACE_JSON_HPP
