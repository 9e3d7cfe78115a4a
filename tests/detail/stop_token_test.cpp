// SPDX-License-Identifier: MIT
//
// The library's own stop token, side by side with the standard one, which it stands in for.
#define BATCHWRIGHT_OWN_STOP_TOKEN
#include <batchwright/detail/stop_token.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <version>
#ifdef __cpp_lib_jthread
#include <stop_token>
#endif

namespace {

struct Own {
  using Token = batchwright::StopToken;
  using Source = batchwright::StopSource;
  template <class F>
  using Callback = batchwright::StopCallback<F>;
};
#ifdef __cpp_lib_jthread
struct Standard {
  using Token = std::stop_token;
  using Source = std::stop_source;
  template <class F>
  using Callback = std::stop_callback<F>;
};
using Kinds = ::testing::Types<Own, Standard>;
#else
using Kinds = ::testing::Types<Own>;
#endif

static_assert(std::is_nothrow_default_constructible_v<Own::Token>);
static_assert(std::is_copy_constructible_v<Own::Token>);
static_assert(!std::is_copy_constructible_v<Own::Callback<void (*)()>>);

template <class Kind>
class StopToken : public ::testing::Test {
 public:
  using Token = typename Kind::Token;
  using Source = typename Kind::Source;
  using Callback = typename Kind::template Callback<std::function<void()>>;
};
TYPED_TEST_SUITE(StopToken, Kinds);

TYPED_TEST(StopToken, OfNothingIsNeverRequested) {
  const typename TestFixture::Token token;
  EXPECT_FALSE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  bool called = false;
  {
    const typename TestFixture::Callback callback(token, [&] { called = true; });
  }
  EXPECT_FALSE(called);
}

TYPED_TEST(StopToken, IsRequestedOnce) {
  typename TestFixture::Source source;
  const auto token = source.get_token();
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  EXPECT_FALSE(source.stop_requested());
  EXPECT_TRUE(source.request_stop());
  EXPECT_FALSE(source.request_stop());
  EXPECT_TRUE(source.stop_requested());
  EXPECT_TRUE(token.stop_requested());
  const auto copy = token;
  EXPECT_TRUE(copy.stop_requested());
}

TYPED_TEST(StopToken, CallsEveryCallbackThatIsThere) {
  typename TestFixture::Source source;
  int first = 0;
  int second = 0;
  int third = 0;
  std::optional<typename TestFixture::Callback> gone;
  const typename TestFixture::Callback a(source.get_token(), [&] { ++first; });
  gone.emplace(source.get_token(), [&] { ++second; });
  const typename TestFixture::Callback c(source.get_token(), [&] { ++third; });
  gone.reset();
  source.request_stop();
  source.request_stop();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(third, 1);
}

TYPED_TEST(StopToken, CallsAtOnceWhenItHasBeenRequested) {
  typename TestFixture::Source source;
  source.request_stop();
  bool called = false;
  const typename TestFixture::Callback callback(source.get_token(), [&] { called = true; });
  EXPECT_TRUE(called);
}

TYPED_TEST(StopToken, ACallbackMayDestroyItself) {
  typename TestFixture::Source source;
  std::optional<typename TestFixture::Callback> callback;
  bool called = false;
  callback.emplace(source.get_token(), [&] {
    bool* const result = &called;
    callback.reset();
    *result = true;
  });
  source.request_stop();
  EXPECT_TRUE(called);
}

TYPED_TEST(StopToken, ACallbackMayDestroyAnotherOne) {
  typename TestFixture::Source source;
  std::optional<typename TestFixture::Callback> first;
  std::optional<typename TestFixture::Callback> second;
  int calls = 0;
  first.emplace(source.get_token(), [&] {
    ++calls;
    second.reset();
  });
  second.emplace(source.get_token(), [&] {
    ++calls;
    first.reset();
  });
  source.request_stop();
  EXPECT_EQ(calls, 1);
}

TYPED_TEST(StopToken, DestructionWaitsForACallbackThatRunsElsewhere) {
  typename TestFixture::Source source;
  std::atomic<int> stage{0};
  bool finished = false;
  auto callback = std::make_unique<typename TestFixture::Callback>(source.get_token(), [&] {
    stage = 1;
    stage.notify_all();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    finished = true;  // Read after the destruction: a race unless that waits.
  });
  std::thread requester([&] { source.request_stop(); });
  stage.wait(0);
  callback.reset();
  EXPECT_TRUE(finished);
  requester.join();
}

TYPED_TEST(StopToken, OutlivesItsSource) {
  auto source = std::make_unique<typename TestFixture::Source>();
  const auto token = source->get_token();
  bool called = false;
  const typename TestFixture::Callback callback(token, [&] { called = true; });
  source->request_stop();
  source.reset();
  EXPECT_TRUE(called);
  EXPECT_TRUE(token.stop_requested());
}

TYPED_TEST(StopToken, RegistrationsRaceWithTheRequest) {
  for (int round = 0; round < 50; ++round) {
    typename TestFixture::Source source;
    std::atomic<int> calls{0};
    std::atomic<int> registered{0};
    std::thread registrar([&] {
      for (int i = 0; i < 20; ++i) {
        const typename TestFixture::Callback callback(source.get_token(), [&] { ++calls; });
        ++registered;
      }
    });
    source.request_stop();
    registrar.join();
    EXPECT_LE(calls, registered);
    const typename TestFixture::Callback last(source.get_token(), [&] { calls = 100; });
    EXPECT_EQ(calls, 100);
  }
}

}  // namespace
