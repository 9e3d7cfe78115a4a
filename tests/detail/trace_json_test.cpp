// SPDX-License-Identifier: MIT
#include "tests/support/json.hpp"

#include <batchwright/detail/trace_json.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using batchwright::TimePoint;
using batchwright::detail::append_json;
using batchwright::detail::TraceJson;
using batchwright_test::JsonParser;

std::string json_text(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

TEST(JsonParser, RefusesWhatIsNoJson) {
  for (const std::string_view right :
       {"{}", "[]", " [1, -0.5e+3, \"a\\n\\u0041\", true, false, null, {\"a\":{}}] "}) {
    EXPECT_NO_THROW(JsonParser::parse(right)) << right;
  }
  for (const std::string_view wrong :
       {"",      "{",      "[1,]",    "{\"a\":1,}", "[1 2]", "01",
        "1.",    ".5",     "+1",      "1e",         "nul",   "'a'",
        "\"a",   "\"\n\"", "\"\\x\"", "\"\\u12\"",  "{a:1}", "{\"a\":1,\"a\":2}",
        "[] []", "NaN",    "\"\xff\""}) {
    EXPECT_THROW(JsonParser::parse(wrong), std::runtime_error) << wrong;
  }
}

TEST(AppendJson, EscapesWhatAStringMayNotHold) {
  EXPECT_EQ(json_text("plain"), "\"plain\"");
  EXPECT_EQ(json_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(json_text("\n\t\x1f\x7f"), "\"\\u000a\\u0009\\u001f\\u007f\"");
  EXPECT_EQ(json_text("\0"s), "\"\\u0000\"");
  EXPECT_EQ(json_text("\xc3\xa4"), "\"\xc3\xa4\"");
  EXPECT_EQ(json_text("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(AppendJson, ReadsBackForEveryAsciiCharacter) {
  for (int code = 0; code < 128; ++code) {
    const std::string text(1, static_cast<char>(code));
    EXPECT_EQ(JsonParser::parse(json_text(text)).text, text) << code;
  }
}

TEST(TraceJson, WritesEventsWithTheirArguments) {
  std::string out = "[";
  TraceJson trace(out);
  trace.event('X', "work", 3).at(TimePoint(1'234'567ns)).time_span("dur", 1us);
  trace.boolean("flow_out", true).args().number("size", -2).text("why", "so");
  trace.event('M', "empty", 1).args();
  trace.event('i', "last", 2);
  trace.end();
  out += "]";
  EXPECT_EQ(out,
            "[\n"
            R"({"ph":"X","name":"work","pid":1,"tid":3,"ts":1234.567,"dur":1,"flow_out":true,)"
            R"("args":{"size":-2,"why":"so"}},)"
            "\n"
            R"({"ph":"M","name":"empty","pid":1,"tid":1,"args":{}},)"
            "\n"
            R"({"ph":"i","name":"last","pid":1,"tid":2}])");
  EXPECT_EQ(JsonParser::parse(out).items.size(), 3u);
}

TEST(TraceJson, OfNoEventsIsEmpty) {
  std::string out;
  TraceJson(out).end();
  EXPECT_EQ(out, "");
}

}  // namespace
