// SPDX-License-Identifier: MIT
#include <batchwright/detail/block_cache.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace {

using batchwright::detail::BlockCache;
using batchwright::detail::BlockPool;
using batchwright::detail::SystemPages;

class CountedPages {
 public:
  static void* map(std::size_t size) {
    if (left == 0) throw std::bad_alloc();
    ++mapped;
    return SystemPages::map(size);
  }
  static void unmap(void* region, std::size_t size) noexcept {
    --mapped;
    SystemPages::unmap(region, size);
  }

  static inline std::atomic<int> mapped{0};
  static inline std::atomic<int> left{1'000'000};
};

// Sizes that nothing else in this program uses.
template <std::size_t Size>
using Cache = BlockCache<Size, CountedPages>;

TEST(BlockCache, HandsTheNewestOutFirst) {
  void* const one = Cache<64 * 31>::allocate();
  void* const two = Cache<64 * 31>::allocate();
  EXPECT_NE(one, two);
  Cache<64 * 31>::deallocate(one);
  Cache<64 * 31>::deallocate(two);
  EXPECT_EQ(Cache<64 * 31>::allocate(), two);
  EXPECT_EQ(Cache<64 * 31>::allocate(), one);
}

TEST(BlockCache, HandsNoBlockOutTwice) {
  std::set<void*> held;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) {
      void* const block = Cache<64 * 32>::allocate();
      std::memset(block, i, 64 * 32);
      ASSERT_TRUE(held.insert(block).second);
    }
    for (int i = 0; i < 70; ++i) Cache<64 * 32>::deallocate(held.extract(held.begin()).value());
  }
}

// One thread has them, another one gives them back: nothing is mapped in steady state.
TEST(BlockCache, BlocksThatChangeThreadsComeBack) {
  using Blocks = Cache<64 * 33>;
  std::mutex mutex;
  std::vector<void*> passed;
  const auto pass = [&](int rounds) {
    std::thread giver([&] {
      for (int i = 0; i < rounds; ++i) {
        std::vector<void*> some;
        for (int k = 0; k < 40; ++k) some.push_back(Blocks::allocate());
        const std::lock_guard lock(mutex);
        passed.insert(passed.end(), some.begin(), some.end());
        while (passed.size() > 100) {
          Blocks::deallocate(passed.back());
          passed.pop_back();
        }
      }
    });
    std::thread taker([&] {
      for (int i = 0; i < rounds; ++i) {
        std::vector<void*> some;
        {
          const std::lock_guard lock(mutex);
          some = std::exchange(passed, {});
        }
        for (void* const block : some) Blocks::deallocate(block);
      }
    });
    giver.join();
    taker.join();
  };
  pass(1);
  const int before = CountedPages::mapped;
  // 100 are on their way, 40 more in either hand, and what the caches hold.
  pass(2000);
  EXPECT_LE(CountedPages::mapped - before, 20);
  for (void* const block : std::exchange(passed, {})) Blocks::deallocate(block);
}

TEST(BlockCache, AThreadThatEndsGivesItsBlocksBack) {
  using Blocks = Cache<64 * 34>;
  std::set<void*> seen;
  for (int i = 0; i < 2000; ++i) {
    std::thread([&] {
      void* const block = Blocks::allocate();
      seen.insert(block);
      Blocks::deallocate(block);
    }).join();
  }
  using Pool = BlockPool<64 * 34, CountedPages>;
  EXPECT_LE(seen.size(), 2 * Pool::kBundle);
}

TEST(BlockCache, AThreadThatSleepsKeepsNothingOfASpike) {
  using Blocks = Cache<64 * 41>;
  Blocks::deallocate(Blocks::allocate());
  const int before = CountedPages::mapped;
  std::vector<void*> spike;
  for (int i = 0; i < 20'000; ++i) spike.push_back(Blocks::allocate());
  std::atomic<int> step{0};
  const auto await = [&step](int wanted) {
    while (step.load() != wanted) std::this_thread::yield();
  };
  // Another thread has a few at hand that lie far from each other, and does nothing more.
  std::thread other([&] {
    for (std::size_t i = 0; i < 20; ++i)
      Blocks::deallocate(std::exchange(spike[i * 1000], nullptr));
    step = 1;
    await(2);
    batchwright::detail::BlocksAtHand::give_back_old();  // A pool has shrunk since.
    step = 3;
    await(4);
  });
  await(1);
  for (void* const block : spike) {
    if (block != nullptr) Blocks::deallocate(block);
  }
  const auto work = [] {
    for (int round = 0; round < 5'000; ++round) {
      std::vector<void*> some;
      for (int i = 0; i < 40; ++i) some.push_back(Blocks::allocate());
      for (void* const block : some) Blocks::deallocate(block);
    }
  };
  work();
  EXPECT_GE(CountedPages::mapped - before, 15);
  step = 2;
  await(3);
  work();
  EXPECT_LE(CountedPages::mapped - before, 4);
  step = 4;
  other.join();
}

// An object of the thread that is destroyed after the cache.
struct Late {
  void* block = nullptr;
  ~Late() {
    if (block == nullptr) return;
    Cache<64 * 35>::deallocate(block);
    Cache<64 * 35>::deallocate(Cache<64 * 35>::allocate());
    ended = true;
  }
  static inline bool ended = false;
};

TEST(BlockCache, IsUsableWhileAndAfterItsThreadsObjectsAreDestroyed) {
  std::thread([] {
    static thread_local Late late;
    static_cast<void>(late.block);  // Made before the cache, so it ends after it.
    late.block = Cache<64 * 35>::allocate();
  }).join();
  EXPECT_TRUE(Late::ended);
}

TEST(BlockCache, ABlockThatIsFreedLateInAThreadsEndIsNotLost) {
  using Blocks = Cache<64 * 35>;
  std::set<void*> seen;
  for (int i = 0; i < 2000; ++i) {
    std::thread([&] {
      static thread_local Late late;
      late.block = nullptr;  // Made before the cache, so it ends after it.
      late.block = Blocks::allocate();
      seen.insert(late.block);
    }).join();
  }
  using Pool = BlockPool<64 * 35, CountedPages>;
  EXPECT_LE(seen.size(), 2 * Pool::kBundle);
}

TEST(BlockCache, ThrowsWithoutMemoryAndGoesOn) {
  const int left = CountedPages::left.exchange(0);
  EXPECT_THROW(Cache<64 * 36>::allocate(), std::bad_alloc);
  EXPECT_THROW(Cache<64 * 36>::allocate(), std::bad_alloc);
  CountedPages::left = left;
  void* const block = Cache<64 * 36>::allocate();
  EXPECT_NE(block, nullptr);
  Cache<64 * 36>::deallocate(block);
}

}  // namespace
