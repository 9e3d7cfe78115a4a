// SPDX-License-Identifier: MIT
//
// The n-th allocation fails, for each n, and in a second walk all that come after it too. Real
// threads on the machine's own runtime: the test runtime allocates itself.
#include "support/failing_new.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Batch;
using batchwright::CompletionTask;
using batchwright::DynamicBatcher;
using batchwright::MetricsSnapshot;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::use_ticket;
using batchwright_test::FailingNew;

// Counts its living copies.
struct Input {
  explicit Input(int v) : value(v) { ++alive; }
  Input(const Input& other) : value(other.value) { ++alive; }
  Input(Input&& other) noexcept : value(other.value) { ++alive; }
  ~Input() { --alive; }

  int value;
  std::byte payload[1200] = {};
  static inline std::atomic<int> alive{0};
};

using Batcher = DynamicBatcher<Input, int>;

std::vector<int> doubled(std::span<const Input> inputs) {
  std::vector<int> results;
  for (const Input& input : inputs) results.push_back(input.value * 2);
  return results;
}

// Must come first: what is made once in a process is made here, without memory to spare.
TEST(Exhaustion, NothingIsMadeForTheFirstTimeWhenARequestEnds) {
  Batcher batcher(doubled);
  batcher.pause();
  const auto deadline = std::chrono::steady_clock::now() + 1ms;
  auto expiring = batcher.submit(Input(1), {.deadline = deadline});
  std::future_status status{};
  {
    const FailingNew none(1, true);
    status = expiring.wait_for(10s);
  }
  ASSERT_EQ(status, std::future_status::ready);
  EXPECT_THROW(expiring.get(), batchwright::DeadlineExceededError);
}

// What became of the submissions of one round. Anything but these two is a failure.
struct Tally {
  int threw = 0;     // std::bad_alloc out of the call: nothing was accepted.
  int answered = 0;  // With a value, or with std::bad_alloc from the predictor's call.
};

template <class Get>
void expect_answer(Tally& tally, Get get) {
  try {
    EXPECT_EQ(get(), 10);
  } catch (const std::bad_alloc&) {
  }
  ++tally.answered;
}

template <class Get>
void expect_rows(Tally& tally, Get get) {
  try {
    EXPECT_EQ(get(), (std::vector<int>{10, 10, 10}));
  } catch (const std::bad_alloc&) {
  }
  tally.answered += 3;
}

struct Way {
  const char* name;
  int requests;
  void (*submit)(Batcher& batcher, Tally& tally);
};

// A coroutine that nobody waits for: it tells the slot, and its frame is gone when the batcher is.
struct Unattended {
  struct promise_type {
    Unattended get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

struct Slot {
  int value = 0;
  std::exception_ptr error;
  std::atomic<int> done{0};
};

Unattended await(Batcher& batcher, Slot& slot) {
  try {
    slot.value = co_await batcher.predict(Input(5));
  } catch (...) {
    slot.error = std::current_exception();
  }
  slot.done = 1;
  slot.done.notify_one();
}

constexpr Way kWays[] = {
    {"a future", 1,
     [](Batcher& batcher, Tally& tally) {
       auto future = batcher.submit(Input(5));
       expect_answer(tally, [&] { return future.get(); });
     }},
    {"a tried future", 1,
     [](Batcher& batcher, Tally& tally) {
       auto admitted = batcher.try_submit(Input(5));
       EXPECT_EQ(admitted.outcome(), Outcome::ok);
       expect_answer(tally, [&] { return admitted->get(); });
     }},
    {"a ticket", 1,
     [](Batcher& batcher, Tally& tally) {
       auto ticket = batcher.submit(Input(5), use_ticket);
       expect_answer(tally, [&] { return ticket.get(); });
     }},
    {"a callback", 1,
     [](Batcher& batcher, Tally& tally) {
       std::atomic<int> calls{0};
       std::optional<Result<int>> answer;
       const std::byte large[100] = {};  // Too large to be stored in place.
       EXPECT_TRUE(batcher.submit(Input(5), [&, large](Result<int> result) {
         static_cast<void>(large);
         answer.emplace(std::move(result));
         calls = 1;
         calls.notify_one();
       }));
       calls.wait(0);
       expect_answer(tally, [&] { return answer->value(); });
     }},
    {"many", 3,
     [](Batcher& batcher, Tally& tally) {
       const Input inputs[] = {Input(5), Input(5), Input(5)};
       auto futures = batcher.submit_many(inputs);
       for (auto& future : futures) expect_answer(tally, [&] { return future.get(); });
     }},
    {"many tickets", 3,
     [](Batcher& batcher, Tally& tally) {
       const Input inputs[] = {Input(5), Input(5), Input(5)};
       auto tickets = batcher.submit_many(inputs, use_ticket);
       for (auto& ticket : tickets) expect_answer(tally, [&] { return ticket.get(); });
     }},
    {"rows", 3,
     [](Batcher& batcher, Tally& tally) {
       const Input inputs[] = {Input(5), Input(5), Input(5)};
       auto future = batcher.submit_rows(inputs);
       expect_rows(tally, [&] { return future.get(); });
     }},
    {"rows for a ticket", 3,
     [](Batcher& batcher, Tally& tally) {
       const Input inputs[] = {Input(5), Input(5), Input(5)};
       auto ticket = batcher.submit_rows(inputs, use_ticket);
       expect_rows(tally, [&] { return ticket.get(); });
     }},
    {"rows for a callback", 3,
     [](Batcher& batcher, Tally& tally) {
       const Input inputs[] = {Input(5), Input(5), Input(5)};
       std::atomic<int> calls{0};
       std::optional<Result<std::vector<int>>> answer;
       const std::byte large[100] = {};  // Too large to be stored in place.
       EXPECT_TRUE(batcher.submit_rows(inputs, [&, large](Result<std::vector<int>> result) {
         static_cast<void>(large);
         answer.emplace(std::move(result));
         calls = 1;
         calls.notify_one();
       }));
       calls.wait(0);
       expect_rows(tally, [&] { return answer->value(); });
     }},
    {"a stoppable callback", 1,
     [](Batcher& batcher, Tally& tally) {
       StopSource stop;
       std::atomic<int> calls{0};
       EXPECT_TRUE(batcher.submit(Input(5),
                                  [&](Result<int>) {
                                    calls = 1;
                                    calls.notify_one();
                                  },
                                  {.stop = stop.get_token()}));
       calls.wait(0);
       ++tally.answered;
     }},
    {"a coroutine", 1,
     [](Batcher& batcher, Tally& tally) {
       Slot slot;
       await(batcher, slot);
       slot.done.wait(0);
       const auto get = [&] {
         if (slot.error) std::rethrow_exception(slot.error);
         return slot.value;
       };
       if (batcher.metrics().accepted > 0) {
         expect_answer(tally, get);
       } else {
         static_cast<void>(get());
       }
     }},
};

// One round: construct, submit, be answered, destroy, with the n-th allocation failing. True if none
// failed.
template <class P>
bool round(const Way& way, P predictor, Batcher::Options options, std::int64_t nth, bool for_good) {
  Tally tally;
  bool constructed = false;
  bool failed = false;
  MetricsSnapshot metrics;
  {
    FailingNew failing(nth, for_good);
    try {
      Batcher batcher(predictor, std::move(options));
      constructed = true;
      try {
        way.submit(batcher, tally);
      } catch (const std::bad_alloc&) {
        ++tally.threw;
      }
      EXPECT_TRUE(batcher.wait_idle());
      metrics = batcher.metrics();
    } catch (const std::bad_alloc&) {
      EXPECT_FALSE(constructed);
    } catch (const std::system_error&) {
      EXPECT_FALSE(constructed);  // No memory for a thread.
    }
    failed = failing.end();
  }
  EXPECT_EQ(Input::alive, 0);
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.queued, 0u);
  EXPECT_EQ(metrics.accepted, static_cast<std::uint64_t>(tally.answered));
  if (constructed) {
    EXPECT_EQ(tally.answered, tally.threw > 0 ? 0 : way.requests);
  }
  if (!failed) {
    EXPECT_EQ(metrics.completed, static_cast<std::uint64_t>(way.requests));
  }
  return !failed;
}

// Walks n upwards until no allocation fails any more. Returns n.
template <class P>
std::int64_t walk(const Way& way, P predictor, const std::function<Batcher::Options()>& options,
                  bool for_good) {
  SCOPED_TRACE(std::string(way.name) + (for_good ? ", for good" : ", once"));
  for (std::int64_t nth = 1; nth < 2000; ++nth) {
    SCOPED_TRACE("allocation " + std::to_string(nth));
    if (round(way, predictor, options(), nth, for_good)) return nth;
    if (::testing::Test::HasFailure()) return 0;
  }
  ADD_FAILURE() << "it never succeeded";
  return 0;
}

template <class P>
void walk_all(P predictor, const std::function<Batcher::Options()>& options) {
  for (const Way& way : kWays) {
    for (const bool for_good : {false, true}) {
      const std::int64_t allocations = walk(way, predictor, options, for_good);
      if (::testing::Test::HasFailure()) return;
      EXPECT_GT(allocations, 10);
    }
  }
}

TEST(Exhaustion, NoAllocationThatFailsLosesARequestOverSpans) {
  walk_all(doubled, [] { return Batcher::Options{}; });
}

TEST(Exhaustion, NoAllocationThatFailsLosesARequestInline) {
  walk_all(doubled, [] { return Batcher::Options{.executors = 0}; });
}

TEST(Exhaustion, NoAllocationThatFailsLosesARequestOverBatches) {
  walk_all(
      [](Batch<Input, int> batch) {
        for (std::size_t i = 0; i < batch.size(); ++i) {
          batch.answer(i, batch.input(i).value * 2);
        }
      },
      [] { return Batcher::Options{}; });
}

TEST(Exhaustion, NoAllocationThatFailsLosesARequestWithCompletionsPosted) {
  walk_all(doubled, [] {
    return Batcher::Options{.executors = 0, .complete_on = [](CompletionTask task) { task(); }};
  });
}

TEST(Exhaustion, NoAllocationThatFailsLosesARequestWhereIdenticalOnesShareTheirWork) {
  walk_all(doubled, [] {
    return Batcher::Options{
        .coalesce = batchwright::coalesce_by<int>([](const Input& input) { return input.value; })};
  });
}

TEST(Exhaustion, AWrongResultCountFailsTheBatchAlsoWithoutMemoryToSayIt) {
  for (std::int64_t nth = 1;; ++nth) {
    ASSERT_LT(nth, 200);
    Batcher batcher([](std::span<const Input>) { return std::vector<int>(); });
    batcher.pause();
    auto future = batcher.submit(Input(1));
    FailingNew failing(nth, true);
    batcher.resume();
    future.wait();
    if (!failing.end()) {
      EXPECT_THROW(future.get(), batchwright::ResultCountError);
      break;
    }
    EXPECT_THROW(future.get(), std::bad_alloc);
  }
}

TEST(Exhaustion, RefusalsOfTicketsAndCallbacksAllocateNothing) {
  Batcher batcher(doubled, {.capacity = 1});
  batcher.pause();
  auto queued = batcher.submit(Input(1), use_ticket);
  const Input input(5);
  const FailingNew none(1, true);
  EXPECT_EQ(batcher.submit(input, use_ticket).result().outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit(input, use_ticket).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.submit(input, [](Result<int>) {}).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit(input, [](Result<int>) {}).outcome(), Outcome::queue_full);
  EXPECT_EQ(batcher.try_submit(input).outcome(), Outcome::queue_full);
  batcher.shutdown({.mode = batchwright::ShutdownMode::abandon});
  EXPECT_EQ(batcher.try_submit(input).outcome(), Outcome::stopped);
  EXPECT_EQ(queued.result().outcome(), Outcome::stopped);
}

}  // namespace
