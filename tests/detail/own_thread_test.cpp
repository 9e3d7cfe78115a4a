// SPDX-License-Identifier: MIT
#include <batchwright/detail/own_thread.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace {

using batchwright::detail::on_own_thread;
using batchwright::detail::OwnThread;

const int kFirst = 1;
const int kSecond = 2;

TEST(OwnThread, IsTheBatchersWhileItIsMarked) {
  EXPECT_FALSE(on_own_thread(&kFirst));
  {
    const OwnThread own(&kFirst);
    EXPECT_TRUE(on_own_thread(&kFirst));
    EXPECT_FALSE(on_own_thread(&kSecond));
  }
  EXPECT_FALSE(on_own_thread(&kFirst));
}

TEST(OwnThread, Nests) {
  const OwnThread outer(&kFirst);
  {
    const OwnThread inner(&kSecond);
    const OwnThread again(&kFirst);
    EXPECT_TRUE(on_own_thread(&kFirst));
    EXPECT_TRUE(on_own_thread(&kSecond));
  }
  EXPECT_TRUE(on_own_thread(&kFirst));
  EXPECT_FALSE(on_own_thread(&kSecond));
}

TEST(OwnThread, IsMarkedForOneThreadAlone) {
  const OwnThread own(&kFirst);
  bool elsewhere = true;
  std::thread([&] { elsewhere = on_own_thread(&kFirst); }).join();
  EXPECT_FALSE(elsewhere);
}

}  // namespace
