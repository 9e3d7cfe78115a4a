// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/settle.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

// The settings for traffic that is not uniform; the others are tested with options.hpp.
namespace {

namespace bw = batchwright;
using namespace std::chrono_literals;
using Options = bw::BatcherOptions<int, bw::GreedyPolicy>;

std::size_t one(const int&) { return 1; }

/// What is said of these settings.
template <class TIn, class Policy>
std::string complaint(bw::BatcherOptions<TIn, Policy> options) {
  try {
    bw::detail::settle(options, false, false);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

/// A policy that has to be told something.
struct Told : bw::GreedyPolicy {
  explicit Told(int /*what*/) {}
};

TEST(Settle, APolicyNeedNotBeDefaultConstructible) {
  EXPECT_EQ(complaint(bw::BatcherOptions<int, Told>{.policy = Told(1)}), "none");
}

TEST(Settle, ContradictionsAreErrorsThatNameThem) {
  EXPECT_EQ(complaint(Options{.max_batch_size = 8, .allowed_sizes = {4, 16}}),
            "DynamicBatcher: allowed_sizes must be strictly ascending, from 1 to max_batch_size "
            "(8), got {4, 16}");
  EXPECT_EQ(complaint(Options{.preferred_sizes = {4, 4}}),
            "DynamicBatcher: preferred_sizes must be strictly ascending, from 1 to "
            "max_batch_size (32), got {4, 4}");
  EXPECT_EQ(complaint(Options{.preferred_sizes = {6}, .allowed_sizes = {4, 8}}),
            "DynamicBatcher: preferred_sizes must be among allowed_sizes {4, 8}, got {6}");
  EXPECT_EQ(complaint(Options{.preferred_sizes = {4, 8}, .capacity = 7}),
            "DynamicBatcher: preferred_sizes must be at most the capacity (7) without weight, got "
            "{4, 8}");
  EXPECT_EQ(complaint(Options{.preferred_sizes = {4, 8}, .capacity = 8}), "none");
  using Hybrid = bw::BatcherOptions<int, bw::HybridPolicy>;
  EXPECT_EQ(
      complaint(Hybrid{.preferred_sizes = {4, 8}, .policy = {.size = 7}}),
      "DynamicBatcher: HybridPolicy::size must be at least the largest of preferred_sizes (8), "
      "got 7");
  EXPECT_EQ(complaint(Hybrid{.preferred_sizes = {4, 8}, .policy = {.size = 8}}), "none");

  EXPECT_EQ(complaint(Options{.preferred_sizes = {4, 8}, .capacity = 4, .weight = one}), "none");
  EXPECT_EQ(complaint(Options{.fit = bw::FitRule::cheapest}),
            "DynamicBatcher: fit must be pad_up without allowed_sizes, got cheapest");
  EXPECT_EQ(complaint(Options{.size_rule = bw::SizeRule::padded}),
            "DynamicBatcher: length must be set with size_rule padded, got none");
  EXPECT_EQ(
      complaint(Options{.allowed_sizes = {4}, .length = one, .size_rule = bw::SizeRule::padded}),
      "DynamicBatcher: allowed_sizes must be empty with size_rule padded, got {4}");
  EXPECT_EQ(complaint(Options{
                .allowed_sizes = {4, 8}, .weight = one, .oversized = bw::Oversized::run_alone}),
            "DynamicBatcher: oversized must be refuse with allowed_sizes, got run_alone");
  EXPECT_EQ(complaint(Options{
                .preferred_sizes = {4, 8}, .length = one, .size_rule = bw::SizeRule::padded}),
            "DynamicBatcher: preferred_sizes must be empty with size_rule padded, got {4, 8}");
  EXPECT_EQ(complaint(Options{.weight = one, .length = one, .size_rule = bw::SizeRule::padded}),
            "DynamicBatcher: weight must be unset with size_rule padded, got a function");
  EXPECT_EQ(complaint(Options{.order = bw::QueueOrder::shortest_first}),
            "DynamicBatcher: length must be set with order shortest_first, got none");
  EXPECT_EQ(complaint(Options{.order = bw::QueueOrder::earliest_deadline, .length = one}),
            "DynamicBatcher: length must be unset without size_rule padded or order "
            "shortest_first, got a function");
  EXPECT_EQ(complaint(Options{.oversized = bw::Oversized::run_alone}),
            "DynamicBatcher: oversized must be refuse without weight or size_rule padded, got "
            "run_alone");
  EXPECT_EQ(complaint(Options{.share = one}),
            "DynamicBatcher: share must be unset without tenant, got a function");
  EXPECT_EQ(complaint(Options{.tenant_room = 2}),
            "DynamicBatcher: tenant_room must be unset without tenant, got 2");
  EXPECT_EQ(complaint(Options{.tenant = [](const int& x) { return x; }, .tenant_room = 0}),
            "DynamicBatcher: tenant_room must be at least 1, got 0");
  EXPECT_EQ(complaint(Options{.sticky_lanes = bw::StickyLanes::yes}),
            "DynamicBatcher: sticky_lanes must be no without lane, got yes");
  EXPECT_EQ(
      complaint(Options{.queue = {.capacity = 4}}),
      "DynamicBatcher: queue.capacity must be unset (capacity bounds the whole queue), got 4");
  EXPECT_EQ(complaint(Options{.queue = {.priority = 3}}),
            "DynamicBatcher: queue.priority must be unset (queue is for all priorities that levels "
            "do not list), got 3");
  EXPECT_EQ(complaint(Options{.queue = {.timeout = 0ms}}),
            "DynamicBatcher: queue.timeout must be above 0 ns, got 0 ns");
  EXPECT_EQ(complaint(Options{.queue = {.timeout = -1ms}}),
            "DynamicBatcher: queue.timeout must be above 0 ns, got -1000000 ns");
  EXPECT_EQ(complaint(Options{.levels = {{.priority = 1}, {.priority = 1}}}),
            "DynamicBatcher: levels[1].priority must be named once, got 1");
  EXPECT_EQ(complaint(Options{.levels = {{.priority = 1, .capacity = 1025}}}),
            "DynamicBatcher: levels[0].capacity must be at most the capacity of the whole queue "
            "(1024), got 1025");
  EXPECT_EQ(complaint(Options{.levels = {{.priority = 1}, {.priority = 2, .capacity = 0}}}),
            "DynamicBatcher: levels[1].capacity must be at least 1, got 0");
  EXPECT_EQ(complaint(Options{.levels = {{.priority = 1, .timeout = 0ms}}}),
            "DynamicBatcher: levels[0].timeout must be above 0 ns, got 0 ns");
}

TEST(Settle, APoliciesSizeIsWithinTheLargestAllowedOne) {
  using Sized = bw::BatcherOptions<int, bw::SizePolicy>;
  EXPECT_EQ(complaint(Sized{.allowed_sizes = {4, 8}, .policy = {.size = 9}}),
            "DynamicBatcher: SizePolicy::size must be from 1 to max_batch_size (8), got 9");
  EXPECT_EQ(complaint(Sized{.allowed_sizes = {4, 8}, .policy = {.size = 8}}), "none");
}

TEST(Settle, TheFunctionsOfAKeyAreNotNull) {
  using Key = bw::KeyFunction<int>;
  using Function = std::function<int(const int&)>;
  using Hash = std::function<std::size_t(const int&)>;
  using Label = std::function<std::string(const int&)>;
  const auto same = [](const int& x) { return x; };
  const auto null = [](const char* what) {
    return "DynamicBatcher: " + std::string(what) + " must be callable, got null";
  };
  int (*const no_function)(const int&) = nullptr;
  EXPECT_EQ(complaint(Options{.lane = no_function}), null("lane"));
  EXPECT_EQ(complaint(Options{.lane = Function()}), null("lane"));
  EXPECT_EQ(complaint(Options{.lane = Key(same, Hash())}), null("hash of lane"));
  EXPECT_EQ(complaint(Options{.lane = Key(same, std::hash<int>(), Label())}),
            null("label of lane"));
  EXPECT_EQ(complaint(Options{.tenant = no_function}), null("tenant"));
  EXPECT_EQ(complaint(Options{.tenant = Key(same, Hash())}), null("hash of tenant"));
  EXPECT_EQ(complaint(Options{.coalesce = bw::coalesce_by<int>(no_function)}), null("coalesce"));
  EXPECT_EQ(complaint(Options{.coalesce = bw::coalesce_by<int>(same, Hash())}),
            null("hash of coalesce"));

  struct Input {
    int key = 0;
  };
  int Input::*const no_member = nullptr;
  EXPECT_EQ(complaint(bw::BatcherOptions<Input, bw::GreedyPolicy>{.lane = no_member}),
            null("lane"));

  EXPECT_EQ(complaint(Options{.lane = Key(Function(same), Hash(std::hash<int>()),
                                          Label([](const int&) { return "label"; })),
                              .tenant = +same,
                              .coalesce = bw::coalesce_by<int>(Function(same))}),
            "none");
}

TEST(Settle, WhatFitsTogetherIsAccepted) {
  EXPECT_EQ(complaint(Options{.preferred_sizes = {4}, .allowed_sizes = {2, 4, 32}}), "none");
  EXPECT_EQ(complaint(Options{.length = one, .size_rule = bw::SizeRule::padded}), "none");
  EXPECT_EQ(
      complaint(Options{
          .length = one, .size_rule = bw::SizeRule::padded, .oversized = bw::Oversized::run_alone}),
      "none");
  EXPECT_EQ(complaint(Options{.order = bw::QueueOrder::shortest_first, .length = one}), "none");
  EXPECT_EQ(complaint(Options{.weight = one, .oversized = bw::Oversized::run_alone}), "none");
  EXPECT_EQ(complaint(Options{.levels = {{.priority = -1, .capacity = 1}, {.priority = 1}}}),
            "none");
  EXPECT_EQ(complaint(Options{.capacity = 5000, .levels = {{.priority = 1, .capacity = 5000}}}),
            "none");
}

}  // namespace
