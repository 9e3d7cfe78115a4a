// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/pairing_heap.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using batchwright::detail::HeapHook;
using batchwright_test::Random;

struct Element {
  std::int64_t key = 0;
  HeapHook<Element> low{};
  HeapHook<Element> high{};
};
struct Lower {
  bool operator()(const Element& a, const Element& b) const { return a.key < b.key; }
};
struct Higher {
  bool operator()(const Element& a, const Element& b) const { return a.key > b.key; }
};

TEST(PairingHeap, AnElementMayBeInTwoHeapsOfDifferentOrder) {
  batchwright::detail::PairingHeap<Element, &Element::low, Lower> low;
  batchwright::detail::PairingHeap<Element, &Element::high, Higher> high;
  EXPECT_EQ(low.first(), nullptr);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    std::vector<Element> elements(60);
    std::vector<Element*> inside;
    for (int step = 0; step < 2000; ++step) {
      if (!inside.empty() && random.chance(20)) {
        Element& moving = *inside[random.below(inside.size())];
        const std::int64_t key = random.between(0, 40);
        low.erase(moving);
        high.move(moving, [&] { moving.key = key; });
        low.insert(moving);
      } else if (inside.empty() || (inside.size() < elements.size() && random.chance(52))) {
        Element& element = *std::find_if(elements.begin(), elements.end(), [&](Element& one) {
          return std::find(inside.begin(), inside.end(), &one) == inside.end();
        });
        element.key = random.between(0, 40);
        low.insert(element);
        high.insert(element);
        inside.push_back(&element);
      } else {
        const auto leaving =
            inside.begin() + static_cast<std::ptrdiff_t>(random.below(inside.size()));
        low.erase(**leaving);
        high.erase(**leaving);
        inside.erase(leaving);
      }
      ASSERT_EQ(low.empty(), inside.empty());
      if (inside.empty()) continue;
      const auto [least, most] = std::minmax_element(
          inside.begin(), inside.end(), [](Element* a, Element* b) { return a->key < b->key; });
      ASSERT_EQ(low.first()->key, (*least)->key) << "seed " << seed << ", step " << step;
      ASSERT_EQ(high.first()->key, (*most)->key) << "seed " << seed << ", step " << step;
    }
    while (!inside.empty()) {
      low.erase(*inside.back());
      high.erase(*inside.back());
      inside.pop_back();
    }
  }
}

TEST(PairingHeap, AMillionInAscendingOrderDoNotUseTheStack) {
  batchwright::detail::PairingHeap<Element, &Element::low, Lower> heap;
  std::vector<Element> elements(1'000'000);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i].key = static_cast<std::int64_t>(i);
    heap.insert(elements[i]);
  }
  for (Element& element : elements) {
    ASSERT_EQ(heap.first(), &element);
    heap.erase(element);
  }
  EXPECT_TRUE(heap.empty());
}

}  // namespace
