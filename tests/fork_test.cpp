// SPDX-License-Identifier: MIT
//
// A forked child has a copy of the batcher and none of its threads. Whatever it does must be refused
// and must not hang; the parent goes on as if nothing had happened.
#include "support/sanitizers.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#if defined(__unix__) || defined(__APPLE__)
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using batchwright::DynamicBatcher;
using batchwright::ForkedError;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::use_ticket;

using Batcher = DynamicBatcher<int, int>;

std::vector<int> doubled(std::span<const int> inputs) {
  std::vector<int> results;
  for (const int input : inputs) results.push_back(input * 2);
  return results;
}

// Runs `checks` in a forked child; the number of the first that fails, 0 if none does. A child that
// hangs is ended by its alarm.
class Child {
 public:
  // Numbers its checks from 1.
  void expect(bool good) {
    ++checks_;
    if (!good && failed_ == 0) failed_ = checks_;
  }
  int failed() const { return failed_; }

 private:
  int checks_ = 0;
  int failed_ = 0;
};

int in_child(const std::function<void(Child&)>& checks) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    Child child;
    try {
      checks(child);
    } catch (...) {
      _exit(200);
    }
    _exit(child.failed());  // Without the destructors and exit handlers, which are the parent's.
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

template <class Call>
bool throws_forked(Call call) {
  try {
    call();
    return false;
  } catch (const ForkedError&) {
    return true;
  }
}

struct Unattended {
  struct promise_type {
    Unattended get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

Unattended await(Batcher& batcher, bool& forked) {
  try {
    co_await batcher.predict(1);
  } catch (const ForkedError&) {
    forked = true;
  }
}

TEST(Fork, EveryWayToSubmitIsRefusedInTheChild) {
  Batcher batcher(doubled, {.overflow = OverflowAction::block});
  EXPECT_EQ(batcher.submit(1).get(), 2);
  EXPECT_EQ(in_child([&](Child& child) {
              child.expect(throws_forked([&] { batcher.submit(1).get(); }));
              child.expect(batcher.try_submit(1).outcome() == Outcome::forked);
              child.expect(batcher.submit(1, use_ticket).result().outcome() == Outcome::forked);
              child.expect(batcher.try_submit(1, use_ticket).outcome() == Outcome::forked);
              bool called = false;
              child.expect(batcher.submit(1, [&](Result<int>) { called = true; }).outcome() ==
                           Outcome::forked);
              child.expect(!called);
              auto futures = batcher.submit_many(std::vector<int>{1, 2});
              child.expect(futures.size() == 2 && throws_forked([&] { futures[1].get(); }));
              bool forked = false;
              await(batcher, forked);
              child.expect(forked);
            }),
            0);
  EXPECT_EQ(batcher.submit(2).get(), 4);
}

TEST(Fork, WaitingAndShutdownReturnInTheChild) {
  Batcher batcher(doubled);
  EXPECT_EQ(in_child([&](Child& child) {
              child.expect(throws_forked([&] { batcher.wait_idle(); }));
              child.expect(!batcher.shutdown().finished);
            }),
            0);
  EXPECT_TRUE(batcher.wait_idle());
  EXPECT_TRUE(batcher.shutdown().finished);
}

TEST(Fork, DestroyingItInTheChildDoesNotHang) {
  auto batcher = std::make_unique<Batcher>(doubled);
  batcher->pause();
  auto future = batcher->submit(3);
  EXPECT_EQ(in_child([&](Child& child) {
              batcher.reset();
              child.expect(batcher == nullptr);
            }),
            0);
  batcher->resume();
  EXPECT_EQ(future.get(), 6);
}

TEST(Fork, AGrandchildIsAChildToo) {
  Batcher batcher(doubled);
  EXPECT_EQ(in_child([&](Child& child) {
              child.expect(in_child([&](Child& grandchild) {
                             grandchild.expect(batcher.try_submit(1).outcome() == Outcome::forked);
                           }) == 0);
            }),
            0);
}

TEST(Fork, ABatcherThatIsMadeAfterwardsServesTheChild) {
  if (batchwright_test::kThreadSanitizer) {
    GTEST_SKIP() << "It lets no thread start in the child of a process that has several";
  }
  Batcher batcher(doubled);
  EXPECT_EQ(in_child([&](Child& child) {
              Batcher own(doubled);
              child.expect(own.submit(4).get() == 8);
              child.expect(batcher.try_submit(4).outcome() == Outcome::forked);
            }),
            0);
}

}  // namespace

#endif
