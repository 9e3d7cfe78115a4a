// SPDX-License-Identifier: MIT
#include <batchwright/policies/extra/policy_settings.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Duration;
using batchwright::detail::PolicySettings;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

std::string error_of(const char* text) {
  return error_of([text] {
    PolicySettings settings("p", text);
    std::size_t size = 0;
    Duration wait{};
    double share = 0;
    settings.read("size", size);
    settings.read("wait_ms", wait);
    settings.read("share", share, 0, 1.5);
    settings.finish();
  });
}

TEST(PolicySettings, ReadsWhatIsThereAndLeavesTheRestAlone) {
  PolicySettings settings("p", "size=8,wait_ms=2.5,share=0.25,limits=2/3/40");
  std::size_t size = 0;
  std::size_t other = 7;
  Duration wait{};
  double share = 0;
  std::vector<std::size_t> limits = {1, 1};
  settings.read("size", size);
  settings.read("other", other);
  settings.read("wait_ms", wait);
  settings.read("share", share, 0, 1);
  settings.read("limits", limits);
  settings.finish();
  EXPECT_EQ(size, 8u);
  EXPECT_EQ(other, 7u);
  EXPECT_EQ(wait, 2500us);
  EXPECT_EQ(share, 0.25);
  EXPECT_EQ(limits, (std::vector<std::size_t>{2, 3, 40}));
  EXPECT_EQ(error_of(""), "none");
}

TEST(PolicySettings, ABadValueNamesKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(error_of("size=0"),
            "policy 'p': size must be a whole number from 1 to 4294967295, got '0'");
  EXPECT_EQ(error_of("size=-1"),
            "policy 'p': size must be a whole number from 1 to 4294967295, got '-1'");
  EXPECT_EQ(error_of("size=8x"),
            "policy 'p': size must be a whole number from 1 to 4294967295, got '8x'");
  EXPECT_EQ(error_of("size="),
            "policy 'p': size must be a whole number from 1 to 4294967295, got ''");
  EXPECT_EQ(error_of("wait_ms=-1"),
            "policy 'p': wait_ms must be milliseconds from 0 to 3600000, got '-1'");
  EXPECT_EQ(error_of("wait_ms=nan"),
            "policy 'p': wait_ms must be milliseconds from 0 to 3600000, got 'nan'");
  EXPECT_EQ(error_of("share=2"), "policy 'p': share must be a number from 0 to 1.5, got '2'");
}

TEST(PolicySettings, ABadNumberInAListShowsTheList) {
  PolicySettings settings("p", "limits=2//3");
  std::vector<std::size_t> limits;
  EXPECT_EQ(error_of([&] { settings.read("limits", limits); }),
            "policy 'p': limits must be a whole number from 1 to 4294967295, got '2//3'");
}

TEST(PolicySettings, AnUnknownKeyNamesTheKeys) {
  EXPECT_EQ(error_of("sise=8"),
            "policy 'p': has no setting 'sise'; it has 'size', 'wait_ms', 'share'");
  EXPECT_EQ(error_of([] { PolicySettings("p", "size=8").finish(); }),
            "policy 'p': has no setting 'size'; it has none");
}

TEST(PolicySettings, WhatIsNoListOfPairsIsRefused) {
  EXPECT_EQ(error_of("size"), "policy 'p': a setting must be key=value, got 'size'");
  EXPECT_EQ(error_of("=8"), "policy 'p': a setting must be key=value, got '=8'");
  EXPECT_EQ(error_of("size=8,"), "policy 'p': ends in a comma");
  EXPECT_EQ(error_of("size=8,,share=1"), "policy 'p': a setting must be key=value, got ''");
  EXPECT_EQ(error_of("size=8,size=9"), "policy 'p': size is set twice");
}

}  // namespace
