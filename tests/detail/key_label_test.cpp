// SPDX-License-Identifier: MIT
#include <batchwright/detail/key_label.hpp>
#include <batchwright/key_function.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace shapes {

enum class Kind : std::uint8_t { small = 3, large = 200 };

enum class Named { one };
const char* to_string(Named) { return "the one"; }

struct Shape {
  int width = 0;
  int height = 0;
  bool operator==(const Shape&) const = default;
};
std::string to_string(const Shape& shape) {
  return std::to_string(shape.width) + "x" + std::to_string(shape.height);
}

struct Mute {
  int value = 0;
  bool operator==(const Mute&) const = default;
};

struct Hash {
  std::size_t operator()(const Shape&) const { return 0; }
  std::size_t operator()(const Mute&) const { return 0; }
};

}  // namespace shapes

namespace {

namespace bw = batchwright;
using bw::detail::HasText;
using namespace std::string_literals;

template <class T>
std::string text_of(const T& value) {
  std::string text;
  bw::detail::with_text(value, [&](std::string_view shown) { text = shown; });
  return text;
}

TEST(KeyLabel, OfAStringIsTheString) {
  EXPECT_EQ(text_of("customer 7"s), "customer 7");
  EXPECT_EQ(text_of(std::string_view("a\0b", 3)), "a\0b"s);
  const char* const text = "plain";
  EXPECT_EQ(text_of(text), "plain");
  const char* const none = nullptr;
  EXPECT_EQ(text_of(none), "");
}

TEST(KeyLabel, OfANumberIsItsDigits) {
  EXPECT_EQ(text_of(-17), "-17");
  EXPECT_EQ(text_of(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(text_of(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(text_of(std::uint8_t{65}), "65");
  EXPECT_EQ(text_of('A'), "65");
  EXPECT_EQ(text_of(true), "true");
  EXPECT_EQ(text_of(false), "false");
}

TEST(KeyLabel, OfAnEnumeratorIsItsNumberUnlessItHasAName) {
  EXPECT_EQ(text_of(shapes::Kind::large), "200");
  EXPECT_EQ(text_of(shapes::Named::one), "the one");
}

TEST(KeyLabel, OfATypeIsWhatItsToStringSays) {
  EXPECT_EQ(text_of(shapes::Shape{640, 480}), "640x480");
  EXPECT_EQ(text_of(bw::Outcome::failed), "failed");
}

TEST(KeyLabel, IsMissingWhereNothingSaysHowAKeyIsShown) {
  static_assert(!HasText<shapes::Mute>);
  static_assert(!HasText<double>);
  static_assert(!HasText<std::pair<int, int>>);
}

template <class Function>
std::string label_of(const Function& function, int input) {
  const auto& traits = *function.traits();
  std::string label;
  struct Query {
    const bw::detail::KeyTraits<int>& traits;
    std::string& label;
  } query{traits, label};
  traits.with_key(
      input,
      [](void* context, const bw::detail::ErasedKey& key) {
        auto& asked = *static_cast<Query*>(context);
        asked.traits.with_label(
            key.value,
            [](void* out, std::string_view text) { *static_cast<std::string*>(out) = text; },
            &asked.label);
      },
      &query);
  return label;
}

TEST(KeyFunction, ShowsItsKeysAsTheyAre) {
  const bw::KeyFunction<int> digits([](const int& x) { return x / 10; });
  EXPECT_TRUE(digits.traits()->has_label());
  EXPECT_EQ(label_of(digits, 123), "12");
  const bw::KeyFunction<int> shape(
      [](const int& x) {
        return shapes::Shape{x, 2};
      },
      shapes::Hash{});
  EXPECT_EQ(label_of(shape, 5), "5x2");
}

TEST(KeyFunction, ShowsItsKeysAsALabelFunctionSays) {
  const bw::KeyFunction<int> tiers = {
      [](const int& x) { return shapes::Mute{x}; }, shapes::Hash{},
      [](const shapes::Mute& key) { return key.value > 9 ? "large"s : "small"s; }};
  EXPECT_TRUE(tiers.traits()->has_label());
  EXPECT_EQ(label_of(tiers, 10), "large");
  EXPECT_EQ(label_of(tiers, 9), "small");
  const bw::KeyFunction<int> hashed = {
      [](const int& x) { return x; }, {}, [](const int& key) { return key * 2; }};
  EXPECT_EQ(label_of(hashed, 21), "42");
}

TEST(KeyFunction, OfKeysThatCannotBeShownHasNoLabel) {
  const bw::KeyFunction<int> mute([](const int& x) { return shapes::Mute{x}; }, shapes::Hash{});
  EXPECT_FALSE(mute.traits()->has_label());
}

}  // namespace
