// SPDX-License-Identifier: MIT
#include <batchwright/detail/request_traits.hpp>

#include <gtest/gtest.h>

#include <cstdint>
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

TEST(TraitsList, GivesThemInTheirOrder) {
  TraitsList list;
  for (std::uint32_t weight = 1; weight <= 3; ++weight) {
    RequestTraits traits;
    traits.weight = weight;
    list.append(std::move(traits));
  }
  EXPECT_EQ(list.take_first().weight, 1u);
  EXPECT_EQ(list.take_first().weight, 2u);
  RequestTraits late;
  late.weight = 4;
  list.append(std::move(late));
  EXPECT_EQ(list.take_first().weight, 3u);
  EXPECT_EQ(list.take_first().weight, 4u);
}

TEST(TraitsList, GivesTheUsualOnesWhereItIsEmpty) {
  TraitsList list;
  EXPECT_EQ(list.take_first().weight, 1u);
  list.append(RequestTraits());
  list.take_first();
  EXPECT_EQ(list.take_first().length, 1u);
}

TEST(TraitsList, WhatIsNotTakenIsLetGoOf) {
  Owner owner;
  {
    TraitsList list;
    for (std::uint32_t i = 1; i <= 3; ++i) list.append(owner.hold(i));
    const RequestTraits taken = list.take_first();
    EXPECT_EQ(owner.held, 3);
  }
  EXPECT_EQ(owner.held, 0);
}

}  // namespace
