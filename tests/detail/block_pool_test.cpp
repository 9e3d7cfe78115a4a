// SPDX-License-Identifier: MIT
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
using batchwright::detail::PoolBase;
using batchwright::detail::SystemPages;

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

constexpr int kSlabBytes = 64 * 1024;

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
    EXPECT_LE((CountedPages::mapped - before) * kSlabBytes, 3 * 256 * 1024);
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

TEST(BlockPool, PassesBundlesOnNewestFirst) {
  auto& pool = Blocks<64 * 44>::instance();
  constexpr std::size_t kBundle = Blocks<64 * 44>::kBundle;
  std::vector<std::vector<void*>> bundles(6, std::vector<void*>(kBundle));
  for (auto& bundle : bundles) {
    for (void*& block : bundle) block = pool.allocate();
  }
  for (auto& bundle : bundles) pool.deallocate_bundle(bundle.data());
  // Four are kept as they are; the two oldest went back into their slabs.
  for (std::size_t i = 6; i > 2; --i) {
    std::vector<void*> got(kBundle);
    ASSERT_EQ(pool.allocate_bundle(got.data()), kBundle);
    EXPECT_EQ(got, bundles[i - 1]);
  }
  std::set<void*> rest(bundles[0].begin(), bundles[0].end());
  rest.insert(bundles[1].begin(), bundles[1].end());
  for (int i = 0; i < 4000 && !rest.empty(); ++i) rest.erase(pool.allocate());
  EXPECT_TRUE(rest.empty());
}

TEST(BlockPool, BundlesGiveTheMemoryOfASpikeBackToo) {
  auto& pool = Blocks<256>::instance();
  constexpr std::size_t kBundle = Blocks<256>::kBundle;
  const int before = CountedPages::mapped;
  std::vector<void*> spike(kBundle * 6000);
  for (void*& block : spike) block = pool.allocate();
  EXPECT_GE(CountedPages::mapped - before, 6000 * 256 * 16 / kSlabBytes);
  for (std::size_t i = 0; i < spike.size(); i += kBundle) pool.deallocate_bundle(&spike[i]);
  std::vector<void*> some(kBundle);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(pool.allocate_bundle(some.data()), kBundle);
    pool.deallocate_bundle(some.data());
  }
  EXPECT_LE(CountedPages::mapped - before, 2);
}

TEST(BlockPool, ABundleMayBeSmallerAndIsNeverEmpty) {
  auto& pool = Blocks<64 * 45>::instance();
  std::vector<void*> got(Blocks<64 * 45>::kBundle);
  const int left = CountedPages::left.exchange(1);
  ASSERT_EQ(pool.allocate_bundle(got.data()), 1u) << "the slab had to be made first";
  EXPECT_EQ(pool.allocate_bundle(got.data()), Blocks<64 * 45>::kBundle);
  while (pool.allocate_bundle(got.data()) == Blocks<64 * 45>::kBundle) {
  }
  EXPECT_THROW(pool.allocate_bundle(got.data()), std::bad_alloc);
  CountedPages::left = left;
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

}  // namespace
