// SPDX-License-Identifier: MIT
#include "../support/sanitizers.hpp"

#include <batchwright/detail/pages.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace {

using batchwright::detail::SystemPages;

constexpr std::size_t kSize = 256 * 1024;

TEST(SystemPages, AlignsToTheSize) {
  struct Region {
    void* memory;
    std::size_t size;
  };
  std::vector<Region> regions;
  const std::size_t before = SystemPages::mapped();
  for (int i = 0; i < 20; ++i) {
    const std::size_t size = i % 3 == 0 ? 4096 : kSize;  // The small one moves what comes after it.
    void* const memory = SystemPages::map(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % size, 0u);
    std::memset(memory, i, size);
    regions.push_back({memory, size});
  }
  EXPECT_EQ(SystemPages::mapped() - before, 13 * kSize + 7 * 4096);
  for (const Region& region : regions) SystemPages::unmap(region.memory, region.size);
  EXPECT_EQ(SystemPages::mapped(), before);
}

#if defined(__linux__) && !defined(BATCHWRIGHT_TEST_ADDRESS_SANITIZER) && \
    !defined(BATCHWRIGHT_TEST_THREAD_SANITIZER)
TEST(SystemPages, AsksTheNewHandlerAndThenThrows) {
  static int asked = 0;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit none{.rlim_cur = 1, .rlim_max = before.rlim_max};
  std::set_new_handler([] {
    if (++asked == 3) std::set_new_handler(nullptr);
  });
  ASSERT_EQ(setrlimit(RLIMIT_AS, &none), 0);
  bool threw = false;
  try {
    SystemPages::map(kSize);
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  std::set_new_handler(nullptr);
  EXPECT_TRUE(threw);
  EXPECT_EQ(asked, 3);
}
#endif

}  // namespace
