// SPDX-License-Identifier: MIT
#include "../support/failing_new.hpp"
#include "../support/fragile.hpp"

#include <batchwright/detail/block_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::BlockPool;
using batchwright::detail::pool_delete;
using batchwright::detail::pool_new;
using batchwright::detail::PoolAllocator;
using batchwright_test::Broken;
using batchwright_test::FailingNew;
using batchwright_test::Fragile;

// Sizes that nothing else in this program uses, so that each test has a pool of its own.
template <std::size_t Size>
using Blocks = BlockPool<Size>;

TEST(BlockPool, RecyclesBlocks) {
  auto& pool = Blocks<2048>::instance();
  void* const first = pool.allocate();
  pool.deallocate(first);
  const std::int64_t before = FailingNew::allocations();
  void* const second = pool.allocate();
  EXPECT_EQ(second, first);
  EXPECT_EQ(FailingNew::allocations(), before);
  pool.deallocate(second);
}

TEST(BlockPool, HandsOutDistinctBlocks) {
  auto& pool = Blocks<2112>::instance();
  std::set<void*> blocks;
  for (int i = 0; i < 100; ++i) {
    void* const block = pool.allocate();
    std::memset(block, i, 2112);
    EXPECT_TRUE(blocks.insert(block).second);
  }
  for (void* const block : blocks) pool.deallocate(block);
}

TEST(BlockPool, GivesTheMemoryOfASpikeBack) {
  auto& pool = Blocks<192>::instance();
  std::vector<void*> spike(12'000);
  for (void*& block : spike) block = pool.allocate();
  for (void* const block : spike) pool.deallocate(block);
  // A modest use from then on: after some of it the spare blocks are gone.
  for (int i = 0; i < 20'000; ++i) pool.deallocate(pool.allocate());
  std::vector<void*> held;
  const std::int64_t before = FailingNew::allocations();
  held.reserve(1000);
  for (int i = 0; i < 1000; ++i) held.push_back(pool.allocate());
  EXPECT_GT(FailingNew::allocations() - before, 500);
  for (void* const block : held) pool.deallocate(block);
}

TEST(BlockPool, ThrowsWithoutMemoryAndGoesOn) {
  auto& pool = Blocks<64 * 41>::instance();
  {
    const FailingNew none(1, true);
    EXPECT_THROW(pool.allocate(), std::bad_alloc);
  }
  void* const block = pool.allocate();
  EXPECT_NE(block, nullptr);
  pool.deallocate(block);
  void* const again = pool.allocate();
  EXPECT_EQ(again, block);
  pool.deallocate(again);
}

TEST(BlockPool, ServesSeveralThreadsAtOnce) {
  auto& pool = Blocks<64 * 42>::instance();
  std::vector<std::thread> threads;
  std::atomic<bool> shared{false};
  for (unsigned char t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<unsigned char*> mine;
      for (int i = 0; i < 400; ++i) {
        mine.push_back(static_cast<unsigned char*>(pool.allocate()));
        *mine.back() = t;
        mine.back()[100] = t;
        if (i % 3 == 2) {
          if (mine.front()[100] != t) shared = true;
          pool.deallocate(mine.front());
          mine.erase(mine.begin());
        }
      }
      for (unsigned char* const block : mine) pool.deallocate(block);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(shared);
}

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

TEST(PoolNew, GivesTheBlockBackWhenTheConstructorThrows) {
  pool_delete(pool_new<Fragile>(1));
  const Fragile other(2);
  const std::int64_t before = FailingNew::allocations();
  for (int i = 0; i < 3; ++i) {
    Fragile::break_at(1);
    EXPECT_THROW(pool_new<Fragile>(other), Broken);
  }
  EXPECT_EQ(FailingNew::allocations(), before);
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
