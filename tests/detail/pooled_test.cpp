// SPDX-License-Identifier: MIT
#include "../support/failing_new.hpp"
#include "../support/fragile.hpp"

#include <batchwright/detail/pooled.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace {

using batchwright::detail::pool_delete;
using batchwright::detail::pool_new;
using batchwright::detail::PoolAllocator;
using batchwright_test::Broken;
using batchwright_test::FailingNew;
using batchwright_test::Fragile;

struct alignas(256) Wide {
  std::byte data[256];
};
struct Large {
  std::byte data[3000];
};

TEST(PoolNew, MakesAndDestroysAnObjectOfAnySizeAndAlignment) {
  Fragile* const fragile = pool_new<Fragile>(3);
  EXPECT_EQ(fragile->value(), 3);
  EXPECT_EQ(Fragile::alive(), 1);
  pool_delete(fragile);
  EXPECT_EQ(Fragile::alive(), 0);
  Wide* const wide = pool_new<Wide>();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(wide) % 256, 0u);
  pool_delete(wide);
  pool_delete(pool_new<Large>());
}

TEST(ShrinkToNeed, GivesTheMemoryOfATableBackThatHasBeenMuchLarger) {
  std::unordered_map<int, int> table;
  for (int i = 0; i < 100'000; ++i) table.emplace(i, i);
  const int* const kept = &table.at(7);
  std::size_t smallest = table.bucket_count();
  int changes = 0;
  for (int i = 99'999; i > 7; --i) {
    table.erase(i);
    batchwright::detail::shrink_to_need(table);
    if (table.bucket_count() == smallest) continue;
    EXPECT_LT(table.bucket_count(), smallest);
    smallest = table.bucket_count();
    ++changes;
  }
  EXPECT_LE(smallest, 4096u);
  EXPECT_LE(changes, 4);  // Seldom, so that each removal costs O(1).
  EXPECT_EQ(&table.at(7), kept);
}

TEST(PoolNew, GivesTheBlockBackWhenTheConstructorThrows) {
  pool_delete(pool_new<Fragile>(1));
  const Fragile other(2);
  const std::int64_t before = FailingNew::allocations();
  for (int i = 0; i < 3; ++i) {
    Fragile::break_at(1);
    EXPECT_THROW(pool_new<Fragile>(other), Broken);
  }
  if (batchwright::detail::kLargestPooled > 0) {
    EXPECT_EQ(FailingNew::allocations(), before);
  }
  EXPECT_EQ(Fragile::alive(), 1);
}

TEST(PoolAllocator, ServesOneAndMany) {
  PoolAllocator<int> allocator;
  int* const one = allocator.allocate(1);
  *one = 3;
  allocator.deallocate(one, 1);
  int* const many = allocator.allocate(50);
  many[49] = 3;
  allocator.deallocate(many, 50);
  EXPECT_TRUE(allocator == PoolAllocator<int>(PoolAllocator<char>()));
}

}  // namespace
