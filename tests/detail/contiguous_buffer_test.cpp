// SPDX-License-Identifier: MIT
#include "../support/fragile.hpp"

#include <batchwright/detail/contiguous_buffer.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace {

using batchwright::detail::ContiguousBuffer;
using batchwright_test::Broken;
using batchwright_test::Fragile;

static_assert(!std::is_copy_constructible_v<ContiguousBuffer<int>>);

TEST(ContiguousBuffer, HoldsItsRowsInOrder) {
  ContiguousBuffer<int> buffer;
  EXPECT_TRUE(buffer.rows().empty());
  buffer.reserve(3);
  for (const int value : {1, 2, 3}) buffer.emplace_back(value);
  const std::span<int> rows = buffer.rows();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], 1);
  EXPECT_EQ(rows[2], 3);
}

TEST(ContiguousBuffer, IsContiguousForBoolToo) {
  ContiguousBuffer<bool> buffer;
  buffer.reserve(2);
  buffer.emplace_back(true);
  buffer.emplace_back(false);
  const std::span<bool> rows = buffer.rows();
  EXPECT_TRUE(rows[0]);
  EXPECT_FALSE(rows[1]);
}

TEST(ContiguousBuffer, ValueInitializesWithoutArguments) {
  ContiguousBuffer<int> buffer;
  buffer.reserve(1);
  buffer.emplace_back(7);
  buffer.clear();
  buffer.emplace_back();
  EXPECT_EQ(buffer.rows()[0], 0);
}

TEST(ContiguousBuffer, KeepsItsMemoryForTheNextBatch) {
  ContiguousBuffer<std::unique_ptr<int>> buffer;
  buffer.reserve(4);
  buffer.emplace_back(std::make_unique<int>(1));
  const void* const memory = buffer.rows().data();
  buffer.clear();
  buffer.reserve(2);
  buffer.emplace_back(std::make_unique<int>(2));
  EXPECT_EQ(buffer.rows().data(), memory);
  EXPECT_EQ(buffer.rows().size(), 1u);
}

TEST(ContiguousBuffer, DestroysItsRows) {
  {
    ContiguousBuffer<Fragile> buffer;
    buffer.reserve(3);
    for (const int value : {1, 2, 3}) buffer.emplace_back(value);
    EXPECT_EQ(Fragile::alive(), 3);
    buffer.clear();
    EXPECT_EQ(Fragile::alive(), 0);
    buffer.emplace_back(4);
  }
  EXPECT_EQ(Fragile::alive(), 0);
}

TEST(ContiguousBuffer, LetsGoOfItsFirstRowsAndLeavesTheOthersInPlace) {
  {
    ContiguousBuffer<Fragile> buffer;
    buffer.reserve(4);
    for (const int value : {1, 2, 3, 4}) buffer.emplace_back(value);
    const Fragile* const third = &buffer.rows()[2];
    buffer.drop_front(2);
    EXPECT_EQ(Fragile::alive(), 2);
    ASSERT_EQ(buffer.rows().size(), 2u);
    EXPECT_EQ(buffer.rows().data(), third);
    EXPECT_EQ(buffer.rows()[0].value(), 3);
    buffer.drop_front(1);
    EXPECT_EQ(buffer.rows()[0].value(), 4);
    buffer.clear();
    EXPECT_EQ(Fragile::alive(), 0);
    buffer.reserve(4);
    buffer.emplace_back(5);
    EXPECT_EQ(buffer.rows()[0].value(), 5);
    buffer.drop_front(1);
    EXPECT_TRUE(buffer.rows().empty());
    // Without any it is as new.
    for (const int value : {6, 7, 8, 9}) buffer.emplace_back(value);
    EXPECT_EQ(buffer.rows().size(), 4u);
    buffer.drop_front(1);
  }
  EXPECT_EQ(Fragile::alive(), 0);
}

TEST(ContiguousBuffer, ARowThatThrowsIsNotThere) {
  ContiguousBuffer<Fragile> buffer;
  buffer.reserve(2);
  buffer.emplace_back(1);
  const Fragile other(2);
  Fragile::break_at(1);
  EXPECT_THROW(buffer.emplace_back(other), Broken);
  EXPECT_EQ(buffer.rows().size(), 1u);
  EXPECT_EQ(Fragile::alive(), 2);
}

struct alignas(128) Wide {
  std::byte data[128];
};

TEST(ContiguousBuffer, IsAlignedAsItsRowsWant) {
  ContiguousBuffer<Wide> buffer;
  buffer.reserve(2);
  buffer.emplace_back();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.rows().data()) % 128, 0u);
}

}  // namespace
