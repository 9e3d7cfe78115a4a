// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

// The guarantees about inputs and refusals.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Batch;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::use_ticket;

using Values = std::vector<int>;

// 7. Inputs.

struct InputLog {
  int moves = 0;
  int copies = 0;
  std::optional<std::thread::id> destroyed_on;
};

// Counts its moves and says where the last of it was destroyed.
class Tracked {
 public:
  explicit Tracked(InputLog& log) : log_(&log) {}
  Tracked(Tracked&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {
    if (log_ != nullptr) ++log_->moves;
  }
  Tracked(const Tracked& other) : log_(other.log_) { ++log_->copies; }
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() {
    if (log_ != nullptr) log_->destroyed_on = std::this_thread::get_id();
  }

 private:
  InputLog* log_;
};

TEST(Guarantee, AnInputIsMovedAtMostTwiceAndDestroyedOnTheExecutorBeforeItsAnswer) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    std::thread::id executor;
    TestBatcher<Tracked, int> batcher(
        [&](std::span<const Tracked> inputs) {
          executor = std::this_thread::get_id();
          return Values(inputs.size());
        },
        {.executors = executors});
    std::array<InputLog, 3> logs;
    int answers = 0;
    for (InputLog& log : logs) {
      const auto admitted = batcher.submit(Tracked(log), [&](const Result<int>&) {
        ++answers;
        // Exactly here: the answer is not visible to anybody yet.
        ASSERT_TRUE(log.destroyed_on.has_value());
        EXPECT_EQ(*log.destroyed_on, executor);
      });
      ASSERT_TRUE(admitted);
    }
    runtime.settle();
    EXPECT_EQ(answers, 3);
    for (const InputLog& log : logs) {
      EXPECT_LE(log.moves, 2);
      EXPECT_EQ(log.copies, 0);
    }
  }
}

TEST(Guarantee, AnInputThatABatchAnswersWhereItLiesIsMovedOnceAndDestroyedBeforeItsAnswer) {
  TestRuntime runtime;
  std::thread::id executor;
  TestBatcher<Tracked, int> batcher([&](Batch<Tracked, int>& batch) {
    executor = std::this_thread::get_id();
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, 1);
  });
  InputLog log;
  int answers = 0;
  const auto admitted = batcher.submit(Tracked(log), [&](const Result<int>&) {
    ++answers;
    ASSERT_TRUE(log.destroyed_on.has_value());
    EXPECT_EQ(*log.destroyed_on, executor);
  });
  ASSERT_TRUE(admitted);
  runtime.settle();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(log.moves, 1);
}

TEST(Guarantee, TheInputsOfAFailedBatchAreDestroyedBeforeItsAnswers) {
  TestRuntime runtime;
  TestBatcher<Tracked, int> batcher(
      [&](std::span<const Tracked>) -> Values { throw std::runtime_error("model failure"); });
  InputLog log;
  bool answered = false;
  const auto admitted = batcher.submit(Tracked(log), [&](const Result<int>&) {
    answered = true;
    EXPECT_TRUE(log.destroyed_on.has_value());
  });
  ASSERT_TRUE(admitted);
  runtime.settle();
  EXPECT_TRUE(answered);
}

TEST(Guarantee, AnInputThatIsNeverComputedIsDestroyedBeforeItsAnswer) {
  TestRuntime runtime;
  TestBatcher<Tracked, int> batcher(
      [&](std::span<const Tracked> inputs) { return Values(inputs.size()); });
  batcher.pause();
  StopSource source;
  std::array<InputLog, 2> logs;
  int answers = 0;
  const auto check = [&](InputLog& log) {
    return [&](const Result<int>&) {
      ++answers;
      EXPECT_TRUE(log.destroyed_on.has_value());
      EXPECT_EQ(log.moves, 1);
    };
  };
  ASSERT_TRUE(batcher.submit(Tracked(logs[0]), check(logs[0]), {.deadline = runtime.now() + 1ms}));
  ASSERT_TRUE(batcher.submit(Tracked(logs[1]), check(logs[1]), {.stop = source.get_token()}));
  runtime.settle();
  source.request_stop();
  runtime.advance(1ms);
  EXPECT_EQ(answers, 2);
}

TEST(Guarantee, AnInputMayBorrowFromACallerWhoWaitsForItsAnswer) {
  for_each_seed(20, [](TestRuntime&) {
    TestBatcher<std::span<const int>, int> batcher([](std::span<const std::span<const int>> rows) {
      Values sums;
      for (const auto& row : rows) {
        int sum = 0;
        for (const int value : row) sum += value;
        sums.push_back(sum);
      }
      return sums;
    });
    const auto rows = std::make_unique<Values>(Values{1, 2, 3});
    auto ticket = batcher.submit(std::span<const int>(*rows), use_ticket);
    EXPECT_EQ(ticket.get(), 6);
  });
}

// 8. Refusals.

TEST(Guarantee, TrySubmitLeavesItsArgumentUntouchedWhateverTheReasonOfTheRefusal) {
  using Input = std::unique_ptr<int>;
  for (const auto overflow : {OverflowAction::reject, OverflowAction::block}) {
    TestRuntime runtime;
    TestBatcher<Input, int> batcher(
        [](std::span<const Input> inputs) { return Values(inputs.size()); },
        {.capacity = 2,
         .max_queued_bytes = 10,
         .bytes = [](const Input& input) { return static_cast<std::size_t>(*input); },
         .overflow = overflow});
    batcher.pause();
    StopSource stopped;
    stopped.request_stop();
    const auto expect_refused = [&](Outcome reason, int bytes,
                                    const batchwright::SubmitOptions& options = {}) {
      auto input = std::make_unique<int>(bytes);
      const int* const before = input.get();
      EXPECT_EQ(batcher.try_submit(std::move(input), options).outcome(), reason);
      EXPECT_EQ(input.get(), before);
      EXPECT_EQ(batcher.try_submit(std::move(input), use_ticket, options).outcome(), reason);
      EXPECT_EQ(input.get(), before);
      EXPECT_EQ(batcher
                    .try_submit(
                        std::move(input), [](const Result<int>&) { FAIL() << "called"; }, options)
                    .outcome(),
                reason);
      EXPECT_EQ(input.get(), before);
    };
    expect_refused(Outcome::expired, 1, {.deadline = runtime.now()});
    expect_refused(Outcome::cancelled, 1, {.stop = stopped.get_token()});
    expect_refused(Outcome::too_large, 11);
    auto first = batcher.try_submit(std::make_unique<int>(6));
    expect_refused(Outcome::queue_full, 5);
    auto second = batcher.try_submit(std::make_unique<int>(4));
    expect_refused(Outcome::queue_full, 0);
    batcher.shutdown();
    expect_refused(Outcome::stopped, 1);
    EXPECT_EQ(first->get() + second->get(), 0);
  }
}

TEST(Guarantee, TrySubmitLeavesItsArgumentUntouchedWhenItRacesWithAShutdown) {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for_each_seed(100, [&](TestRuntime& runtime) {
    using Input = std::unique_ptr<int>;
    TestBatcher<Input, int> batcher(
        [](std::span<const Input> inputs) { return Values(inputs.size(), 1); });
    auto closer = runtime.start([&] { batcher.shutdown(); });
    auto input = std::make_unique<int>(1);
    for (int i = 0; i < 4; ++i) runtime.interleave("before the submission");
    auto admitted = batcher.try_submit(std::move(input), use_ticket);
    EXPECT_EQ(input == nullptr, static_cast<bool>(admitted));
    if (admitted) {
      ++accepted;
      EXPECT_EQ(admitted->get(), 1);
    } else {
      ++refused;
      EXPECT_EQ(admitted.outcome(), Outcome::stopped);
    }
    closer.join();
  });
  EXPECT_GE(accepted, 10u);
  EXPECT_GE(refused, 10u);
}

TEST(Guarantee, TrySubmitNeverBlocks) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls),
                                {.capacity = 1, .overflow = OverflowAction::block});
  batcher.pause();
  auto queued = batcher.submit(1, use_ticket);
  runtime.settle();
  const auto before = runtime.parks();
  EXPECT_EQ(batcher.try_submit(2).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit(2, use_ticket).outcome(), Outcome::queue_full);
  EXPECT_EQ(runtime.parks(), before);
}

TEST(Guarantee, RefusalsOfOneKindShareOnePreparedException) {
  TestRuntime runtime;
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls), {.capacity = 1});
  batcher.pause();
  auto queued = batcher.submit(1, use_ticket);
  std::vector<const void*> thrown;
  for (int i = 0; i < 2; ++i) {
    std::future<int> refused = batcher.submit(2);
    try {
      refused.get();
    } catch (const batchwright::QueueFullError& error) {
      thrown.push_back(&error);
    }
  }
  ASSERT_EQ(thrown.size(), 2u);
  EXPECT_EQ(thrown[0], thrown[1]);
}

}  // namespace
