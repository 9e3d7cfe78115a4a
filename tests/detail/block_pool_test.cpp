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
#include <deque>
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
using batchwright::detail::PoolBase;
using batchwright::detail::SystemPages;
using batchwright_test::Broken;
using batchwright_test::FailingNew;
using batchwright_test::Fragile;

// Pages that are counted, and that can run out.
class CountedPages {
 public:
  static void* map(std::size_t size) {
    if (left == 0) throw std::bad_alloc();
    --left;
    ++mapped;
    return SystemPages::map(size);
  }
  static void unmap(void* region, std::size_t size) noexcept {
    --mapped;
    ++left;
    SystemPages::unmap(region, size);
  }

  static inline std::atomic<int> mapped{0};
  static inline std::atomic<int> left{1'000'000};
};

// Sizes that nothing else in this program uses, so that each test has a pool of its own.
template <std::size_t Size>
using Blocks = BlockPool<Size, CountedPages>;

constexpr int kSlabBytes = 256 * 1024;

TEST(BlockPool, RecyclesBlocks) {
  auto& pool = Blocks<2048>::instance();
  void* const first = pool.allocate();
  pool.deallocate(first);
  void* const second = pool.allocate();
  EXPECT_EQ(second, first);
  pool.deallocate(second);
}

TEST(BlockPool, MapsNothingInSteadyState) {
  auto& pool = Blocks<2176>::instance();
  std::vector<void*> held(1000);
  for (void*& block : held) block = pool.allocate();
  const int before = CountedPages::left;
  for (int i = 0; i < 100'000; ++i) {
    void*& block = held[static_cast<std::size_t>(i * 7 % 1000)];
    pool.deallocate(block);
    block = pool.allocate();
  }
  for (int round = 0; round < 20; ++round) {  // Fewer at times: what is needed again is kept.
    for (void*& block : held) pool.deallocate(block);
    for (void*& block : held) block = pool.allocate();
  }
  EXPECT_EQ(CountedPages::left, before);
  for (void* const block : held) pool.deallocate(block);
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

TEST(BlockPool, GivesTheMemoryOfASpikeBackToTheSystem) {
  auto& pool = Blocks<192>::instance();
  const int before = CountedPages::mapped;
  for (const bool newest_first : {false, true}) {
    std::vector<void*> spike(120'000);
    for (void*& block : spike) block = pool.allocate();
    EXPECT_GE(CountedPages::mapped - before, 120'000 * 192 / kSlabBytes);
    if (newest_first) std::reverse(spike.begin(), spike.end());
    for (void* const block : spike) pool.deallocate(block);
    // What the last two epochs of 1,024 frees needed is still there,
    EXPECT_LE(CountedPages::mapped - before, 3);
    // and with a modest use from then on one slab.
    for (int i = 0; i < 4000; ++i) pool.deallocate(pool.allocate());
    EXPECT_EQ(CountedPages::mapped - before, 1);
  }
}

TEST(BlockPool, SlabsRunEmptyWhileTheirBlocksMingle) {
  auto& pool = Blocks<320>::instance();
  const int before = CountedPages::mapped;
  std::vector<void*> spike(80'000);
  for (void*& block : spike) block = pool.allocate();
  for (std::size_t i = 0; i < spike.size(); ++i) {  // One of each 200 is left, all over the slabs.
    if (i % 200 != 0) pool.deallocate(spike[i]);
  }
  std::deque<void*> held;
  for (std::size_t i = 0; i < spike.size(); i += 200) held.push_back(spike[i]);
  for (int i = 0; i < 20'000; ++i) {  // Each is replaced in turn.
    held.push_back(pool.allocate());
    pool.deallocate(held.front());
    held.pop_front();
  }
  EXPECT_LE(CountedPages::mapped - before, 2);
  for (void* const block : held) pool.deallocate(block);
}

TEST(BlockPool, ThrowsWithoutMemoryAndGoesOn) {
  auto& pool = Blocks<64 * 41>::instance();
  const int left = CountedPages::left.exchange(0);
  EXPECT_THROW(pool.allocate(), std::bad_alloc);
  CountedPages::left = left;
  void* const block = pool.allocate();
  EXPECT_NE(block, nullptr);
  pool.deallocate(block);
  void* const again = pool.allocate();
  EXPECT_EQ(again, block);
  pool.deallocate(again);
}

TEST(BlockPool, AForkedChildLeavesTheSlabsOfBeforeAlone) {
  auto& pool = Blocks<64 * 43>::instance();
  void* const old = pool.allocate();
  PoolBase::recover_after_fork();
  void* const young = pool.allocate();
  pool.deallocate(old);
  for (int i = 0; i < 10; ++i) {
    void* const block = pool.allocate();
    EXPECT_NE(block, old);
    EXPECT_NE(block, young);
  }
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
