// SPDX-License-Identifier: MIT
#include <batchwright/detail/request_traits.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <optional>
#include <utility>

namespace {

using batchwright::detail::FlowOwner;
using batchwright::detail::HeldFlow;
using batchwright::detail::LaneKey;
using batchwright::detail::RequestTraits;
using batchwright::detail::TraitsList;

class Owner final : public FlowOwner {
 public:
  RequestTraits hold(std::uint32_t weight) {
    ++held;
    flow.owner = this;
    RequestTraits traits;
    traits.weight = weight;
    traits.flow = &flow;
    return traits;
  }
  void release(HeldFlow&) noexcept override { --held; }
  LaneKey key_of(const HeldFlow&) const noexcept override { return {}; }

  HeldFlow flow;
  int held = 0;
};

std::uint32_t next_weight(TraitsList& list) {
  std::uint32_t weight = 0;
  list.use_first([&](const RequestTraits& traits) { weight = traits.weight; });
  return weight;
}

TEST(TraitsList, GivesThemInTheirOrder) {
  TraitsList list;
  for (std::uint32_t weight = 1; weight <= 3; ++weight) {
    RequestTraits traits;
    traits.weight = weight;
    list.append(std::move(traits));
  }
  EXPECT_EQ(next_weight(list), 1u);
  EXPECT_EQ(next_weight(list), 2u);
  RequestTraits late;
  late.weight = 4;
  list.append(std::move(late));
  EXPECT_EQ(next_weight(list), 3u);
  EXPECT_EQ(next_weight(list), 4u);
}

TEST(TraitsList, GivesTheUsualOnesWhereItIsEmpty) {
  TraitsList list;
  EXPECT_EQ(next_weight(list), 1u);
  list.append(RequestTraits());
  next_weight(list);
  EXPECT_EQ(next_weight(list), 1u);
}

TEST(TraitsList, WhatIsNotTakenIsLetGoOf) {
  Owner owner;
  {
    TraitsList list;
    for (std::uint32_t i = 1; i <= 3; ++i) list.append(owner.hold(i));
    std::optional<RequestTraits> taken;
    list.use_first([&](RequestTraits&& traits) { taken.emplace(std::move(traits)); });
    EXPECT_EQ(owner.held, 3);
  }
  EXPECT_EQ(owner.held, 0);
}

TEST(TraitsList, KeepsWhatHasNotBeenTakenByWhoThrows) {
  Owner owner;
  TraitsList list;
  list.append(owner.hold(1));
  EXPECT_THROW(list.use_first([](RequestTraits&&) { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(owner.held, 1);
  EXPECT_EQ(next_weight(list), 1u);
  EXPECT_EQ(owner.held, 0);
}

}  // namespace
