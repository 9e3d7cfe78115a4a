// SPDX-License-Identifier: MIT
#include "tests/support/allocations.hpp"
#include "tests/support/coroutine.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/detail/scheduler.hpp>
#include <batchwright/executor_pool.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <malloc.h>
#include <unistd.h>
#endif

// The guarantees about memory and about rest.
namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::Batch;
using batchwright::CompletionTask;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::TimePolicy;
using batchwright::use_ticket;
using batchwright::detail::Action;
using batchwright::detail::RequestHeader;
using batchwright::detail::Scheduler;
using batchwright::detail::SystemPages;

using Values = std::vector<int>;

// A predictor that allocates nothing itself.
void double_in_place(std::span<const int> inputs, std::span<int> results) {
  std::transform(inputs.begin(), inputs.end(), results.begin(), [](int x) { return 2 * x; });
}

// Allocations of `rounds` calls of `round`, after as many that warm up.
template <class Round>
std::uint64_t allocations_of(int rounds, Round round) {
  for (int i = 0; i < rounds; ++i) round(i);
  const AllocationCount count;
  const std::size_t mapped = SystemPages::mapped();
  for (int i = 0; i < rounds; ++i) round(i);
  const std::uint64_t made = count();
  if (batchwright::detail::kLargestPooled == 0) return 0;  // Nothing is recycled in this build.
  EXPECT_LE(SystemPages::mapped(), mapped);  // What the tests before took may still go back.
  return made;
}

// With the predictor on the dispatcher's thread, and on one of its own.
template <class Body>
void in_each_mode(Body body) {
  for (const std::size_t executors : {0u, 1u}) {
    SCOPED_TRACE(executors);
    TestRuntime runtime;
    TestBatcher<int, int> batcher(&double_in_place, {.executors = executors, .capacity = 64});
    body(runtime, batcher);
  }
}

TEST(Guarantee, SteadyStateAllocatesNothingForTickets) {
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    EXPECT_EQ(allocations_of(50,
                             [&](int i) {
                               auto first = batcher.submit(i, use_ticket);
                               auto second = batcher.submit(i, use_ticket);
                               runtime.settle();
                               if (first.get() + second.get() != 4 * i) std::abort();
                             }),
              0u);
  });
}

TEST(Guarantee, SteadyStateAllocatesNothingWithDeadlinesStopsPrioritiesLanesAndTenants) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      &double_in_place,
      {.max_batch_size = 8,
       .allowed_sizes = {2, 4, 8},
       .fit = batchwright::FitRule::cheapest,
       .capacity = 64,
       .levels = {{.priority = 1, .capacity = 32, .timeout = 5s}},
       .order = batchwright::QueueOrder::earliest_deadline,
       .weight = [](const int& x) { return static_cast<std::size_t>(1 + x % 2); },
       .lane = [](const int& x) { return x % 3; },
       .tenant = [](const int& x) { return static_cast<long>(x % 4); },
       .share = [](const int& x) { return static_cast<std::size_t>(1 + x % 4); },
       .forecast = batchwright::Forecast::refuse,
       .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true}},
      runtime);
  // The largest batch, once: the executor's buffers grow to it.
  batcher.pause();
  const auto largest =
      batcher.submit_many(std::vector<int>{0, 6, 12, 18, 24, 30, 36, 42}, use_ticket);
  batcher.resume();
  for (const auto& ticket : largest) ticket.wait();
  StopSource stop;
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             std::array<TestTicket<int>, 6> tickets;
                             for (int k = 0; k < 6; ++k) {
                               tickets[static_cast<std::size_t>(k)] = batcher.submit(
                                   i + k, use_ticket,
                                   {.priority = k % 3,
                                    .deadline = runtime.now() + std::chrono::seconds(1 + k),
                                    .stop = stop.get_token()});
                             }
                             runtime.settle();
                             int sum = 0;
                             for (auto& ticket : tickets) sum += ticket.get();
                             if (sum != 2 * (6 * i + 15)) std::abort();
                           }),
            0u);
}

// Any int is a priority, and none of these comes twice.
int unseen_priority(int i) { return static_cast<int>(static_cast<unsigned>(i) * 0x9e3779b1u); }

TEST(Guarantee, SteadyStateAllocatesNothingForPrioritiesThatNobodyHasSeen) {
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    int negative = 0;
    const std::uint64_t allocations = allocations_of(50, [&, next = 0](int i) mutable {
      std::array<TestTicket<int>, 20> tickets;
      batcher.pause();
      for (TestTicket<int>& ticket : tickets) {
        const int priority = unseen_priority(++next);
        negative += priority < 0 ? 1 : 0;
        ticket = batcher.submit(i, use_ticket, {.priority = priority});
      }
      batcher.resume();
      runtime.settle();
      for (TestTicket<int>& ticket : tickets) {
        if (ticket.get() != 2 * i) std::abort();
      }
    });
    EXPECT_EQ(allocations, 0u);
    EXPECT_GT(negative, 900);
    EXPECT_LT(negative, 1100);
  });
}

TEST(Guarantee, TheSchedulerAllocatesNothingForAnyNumberOfPriorities) {
  constexpr int kLevels = 100'000;
  std::vector<RequestHeader> requests(kLevels);
  Scheduler<GreedyPolicy> scheduler(GreedyPolicy{}, {.max_batch_size = 32});
  for (int i = 0; i < kLevels; ++i) {
    requests[static_cast<std::size_t>(i)].priority = unseen_priority(i);
  }
  const AllocationCount count;
  const std::size_t mapped = SystemPages::mapped();
  for (RequestHeader& request : requests) scheduler.arrive(request);
  EXPECT_EQ(scheduler.queued(), requests.size());
  EXPECT_EQ(count(), 0u);
  // They are so many levels: each batch is of the next highest ones.
  std::int64_t last = std::int64_t{1} << 40;
  std::size_t dispatched = 0;
  for (int batch = 1; batch <= 30; ++batch) {
    const Action action = scheduler.next({});
    action.requests.each<RequestHeader>([&](const RequestHeader& request) {
      EXPECT_LT(request.priority, last);
      last = request.priority;
      ++dispatched;
    });
    scheduler.report({.batch_id = action.batch_id, .size = 32, .count = 32});
    scheduler.vacate(0);
  }
  EXPECT_EQ(dispatched, 30u * 32);
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(SystemPages::mapped(), mapped);
}

TEST(Guarantee, SteadyStateAllocatesNothingForIdenticalRequestsThatShareTheirWork) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(&double_in_place,
                                {.max_batch_size = 8,
                                 .capacity = 64,
                                 .tenant = [](const int& x) { return x % 2; },
                                 .coalesce = batchwright::coalesce_by<int>(
                                     [](const int& x) { return static_cast<long>(x); })},
                                runtime);
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             std::array<TestTicket<int>, 6> tickets;
                             batcher.pause();
                             for (int k = 0; k < 6; ++k) {
                               tickets[static_cast<std::size_t>(k)] = batcher.submit(
                                   i + k / 2, use_ticket,
                                   {.priority = k % 3, .deadline = runtime.now() + 1s});
                             }
                             if (!tickets[0].cancel() || !tickets[5].cancel()) std::abort();
                             batcher.resume();
                             runtime.settle();
                             int sum = 0;
                             for (auto& ticket : tickets) sum += ticket.result() ? 1 : 0;
                             if (sum != 4) std::abort();
                           }),
            0u);
}

TEST(Guarantee, SteadyStateAllocatesNothingForFutures) {
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    EXPECT_EQ(allocations_of(50,
                             [&](int i) {
                               std::future<int> result = batcher.submit(i);
                               runtime.settle();
                               if (result.get() != 2 * i) std::abort();
                             }),
              0u);
  });
}

TEST(Guarantee, SteadyStateAllocatesTheVectorAloneForRows) {
  const std::array<int, 12> inputs{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const std::uint64_t vectors =
      batchwright::detail::kLargestPooled == 0 || !batchwright_test::kCountsAllocations ? 0 : 50;
  const auto expect_vectors_alone = [&](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    int sum = 0;
    const auto round = [&](int i) {
      std::future<Values> future = batcher.submit_rows(inputs);
      auto ticket = batcher.submit_rows(inputs, use_ticket, {.priority = i % 3});
      static_cast<void>(batcher.submit_rows(
          inputs, [&sum](const Result<Values>& result) { sum += (*result)[11]; }));
      runtime.settle();
      sum += future.get()[11] + ticket.get()[11];
    };
    EXPECT_EQ(allocations_of(50, round), 3 * vectors);
    EXPECT_EQ(sum, 2 * 50 * 3 * 22);
    // Nor does it cost more where they are withdrawn.
    EXPECT_EQ(allocations_of(50,
                             [&](int) {
                               batcher.pause();
                               auto ticket = batcher.submit_rows(inputs, use_ticket);
                               ticket.cancel();
                               batcher.resume();
                               runtime.settle();
                             }),
              vectors);
  };
  in_each_mode(expect_vectors_alone);
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      &double_in_place,
      {.max_batch_size = 8,
       .capacity = 64,
       .weight = [](const int& x) { return static_cast<std::size_t>(1 + x % 2); },
       .lane = [](const int& x) { return x % 3; },
       .tenant = [](const int& x) { return x % 4; }},
      runtime);
  expect_vectors_alone(runtime, batcher);
}

TEST(Guarantee, SteadyStateAllocatesNothingForCallbacksSmallAndLarge) {
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    int sum = 0;
    EXPECT_EQ(allocations_of(50,
                             [&](int i) {
                               const std::array<int, 50> large{};
                               static_cast<void>(batcher.submit(
                                   i, [&sum](const Result<int>& result) { sum += *result; }));
                               static_cast<void>(
                                   batcher.submit(i, [&sum, large](const Result<int>& result) {
                                     sum += *result + large[0];
                                   }));
                               runtime.settle();
                             }),
              0u);
    EXPECT_EQ(sum, 2 * 2 * 2 * 49 * 50 / 2);
  });
}

TEST(Guarantee, SteadyStateAllocatesNothingForCoroutines) {
  if (batchwright::detail::kLargestPooled == 0) GTEST_SKIP() << "nothing is recycled in this build";
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    std::uint64_t allocations = 1;
    Task<int> task = [](auto& steady, std::uint64_t& counted) -> Task<int> {
      int sum = 0;
      for (int i = 0; i < 50; ++i) sum += co_await steady.predict(i);
      const AllocationCount count;
      for (int i = 0; i < 50; ++i) sum += co_await steady.predict(i);
      counted = count();
      co_return sum;
    }(batcher, allocations);
    runtime.settle();
    EXPECT_EQ(task.get(), 2 * 2 * 49 * 50 / 2);
    EXPECT_EQ(allocations, 0u);
  });
}

TEST(Guarantee, SteadyStateAllocatesNothingForWhatExpiresIsCancelledOrRefused) {
  in_each_mode([](TestRuntime& runtime, TestBatcher<int, int>& batcher) {
    const StopSource stopped;
    StopSource(stopped).request_stop();
    EXPECT_EQ(allocations_of(
                  20,
                  [&](int i) {
                    batcher.pause();
                    auto expires = batcher.submit(i, use_ticket, {.deadline = runtime.now() + 1us});
                    auto expiring = batcher.submit(i, {.deadline = runtime.now() + 1us});
                    auto cancelled = batcher.submit(i, use_ticket);
                    cancelled.cancel();
                    auto refused = batcher.submit(i, {.stop = stopped.get_token()});
                    auto declined = batcher.try_submit(i, {.deadline = runtime.now()});
                    runtime.advance(1us);
                    if (declined || !is_ready(refused) || !is_ready(expiring) || !expires.ready()) {
                      std::abort();
                    }
                    if (cancelled.result().outcome() != Outcome::cancelled) std::abort();
                    batcher.resume();
                    runtime.settle();
                  }),
              0u);
  });
}

TEST(Guarantee, SteadyStateAllocatesNothingForTasksThatArePosted) {
  TestRuntime runtime;
  std::vector<CompletionTask> tasks;
  tasks.reserve(10);
  TestBatcher<int, int> batcher(&double_in_place, {.complete_on = [&](CompletionTask task) {
    tasks.push_back(std::move(task));
  }});
  int sum = 0;
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             static_cast<void>(batcher.submit(
                                 i, [&sum](const Result<int>& result) { sum += *result; }));
                             runtime.settle();
                             tasks.clear();
                           }),
            0u);
  EXPECT_EQ(sum, 2 * 2 * 49 * 50 / 2);
}

TEST(Guarantee, SteadyStateAllocatesNothingForBatchesAnsweredItemByItem) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](Batch<int, int> batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, batch.input(i));
  });
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             auto ticket = batcher.submit(i, use_ticket);
                             runtime.settle();
                             if (ticket.get() != i) std::abort();
                           }),
            0u);
}

TEST(Guarantee, SteadyStateAllocatesNothingWhereFailuresWouldBeIsolated) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(batchwright::isolating(&double_in_place));
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             auto ticket = batcher.submit(i, use_ticket);
                             runtime.settle();
                             if (ticket.get() != 2 * i) std::abort();
                           }),
            0u);
}

TEST(Guarantee, SteadyStateAllocatesNothingWhileSubmittersBlockAndSuspend) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      &double_in_place, {.max_batch_size = 1, .capacity = 1, .overflow = OverflowAction::block});
  std::uint64_t allocations = 1;
  int sum = 0;
  auto client = runtime.start([&] {
    allocations = allocations_of(50, [&](int i) {
      auto first = batcher.submit(i, use_ticket);
      auto second = batcher.submit(i, use_ticket);
      sum += first.get() + second.get();
    });
  });
  client.join();
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(sum, 2 * 4 * 49 * 50 / 2);
}

#if defined(__linux__) && !defined(BATCHWRIGHT_TEST_THREAD_SANITIZER)
std::size_t resident_bytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Before and after an ordinary load, with and without lanes and tenants in use, however one is answered.
TEST(Guarantee, ASpikeGivesItsMemoryBackToTheSystem) {
  if (batchwright::detail::kLargestPooled == 0)
    GTEST_SKIP() << "without pools the C library decides";
#if defined(M_MMAP_THRESHOLD)
  // Else it may keep what held a million tickets here: what it maps by itself grows with what is freed.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  enum class By { callback, ticket, future };
  struct Spike {
    int requests, lanes, tenants, priorities = 1;  // Of several: with deadlines and stops as well.
    By answered = By::callback;
  };
  for (const auto& [requests, lanes, tenants, priorities, answered] :
       {Spike{1'000'000, 1, 1}, Spike{1'000'000, 10, 17}, Spike{200'000, 1, 200'000},
        Spike{300'000, 1, 1, 1'000}, Spike{1'000'000, 1, 1, 1, By::ticket},
        Spike{1'000'000, 1, 1, 1, By::future}}) {
    SCOPED_TRACE(testing::Message() << lanes << " lanes, " << tenants << " tenants, " << priorities
                                    << " priorities, answered by " << static_cast<int>(answered));
    batchwright::BatcherOptions<int> options{
        .max_batch_size = 256, .executors = 1, .capacity = 2 * static_cast<std::size_t>(requests)};
    if (lanes > 1) options.lane = [n = lanes](const int& input) { return input % n; };
    if (tenants > 1) options.tenant = [n = tenants](const int& input) { return input % n; };
    batchwright::DynamicBatcher<int, int> batcher(&double_in_place, std::move(options));
    const StopSource stop;
    const auto urgency = [&stop, n = priorities](int i) -> batchwright::SubmitOptions {
      if (n == 1) return {};
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::hours(1 + i % 7);
      return {.priority = i % n, .deadline = deadline, .stop = stop.get_token()};
    };
    const auto ordinary_load = [&batcher, &urgency, by = answered] {
      for (int round = 0; round < 100; ++round) {
        std::vector<batchwright::Ticket<int>> tickets;
        std::vector<std::future<int>> futures;
        for (int i = 0; i < 1000; ++i) tickets.push_back(batcher.submit(i, use_ticket, urgency(i)));
        if (by == By::future) {
          for (int i = 0; i < 1000; ++i) futures.push_back(batcher.submit(i));
        }
        for (int i = 0; i < 1000; ++i)
          batcher.submit(
              i, [](const Result<int>&) {}, urgency(i));
        for (auto& ticket : tickets) static_cast<void>(ticket.get());
        for (auto& future : futures) static_cast<void>(future.get());
      }
      EXPECT_TRUE(
          batcher.wait_idle());  // Callbacks that wait still would take room from the spike.
    };
    // How many are outstanding at once is chance, and so what it needs.
    std::size_t before = 0;
    for (int load = 0; load < 3; ++load) {
      ordinary_load();
      before = std::max(before, resident_bytes());
    }
    batcher.pause();
    std::int64_t sum = 0;
    std::vector<batchwright::Ticket<int>> tickets;
    std::vector<std::future<int>> futures;
    for (int i = 0; i < requests; ++i) {
      if (answered == By::ticket) {
        tickets.push_back(batcher.submit(i, use_ticket));
      } else if (answered == By::future) {
        futures.push_back(batcher.submit(i));
      } else {
        ASSERT_TRUE(batcher.submit(
            i, [&](Result<int> result) { sum += result.value() / 2; }, urgency(i)));
      }
    }
    EXPECT_GT(resident_bytes(), before + static_cast<std::size_t>(requests) * 200);
    batcher.resume();
    for (auto& ticket : tickets) sum += ticket.get() / 2;
    for (auto& future : futures) sum += future.get() / 2;
    EXPECT_TRUE(batcher.wait_idle());
    EXPECT_EQ(sum, std::int64_t{requests} * (requests - 1) / 2);
    tickets = decltype(tickets)();
    futures = decltype(futures)();
    ordinary_load();
    // Tenants have blocks of other sizes, and what threads keep of them at hand keeps slabs.
    EXPECT_LE(resident_bytes(), before + before / 10 + (tenants > 100 ? kMebibyte : 0));
  }
}
#endif

// 13. Rest.

TEST(Guarantee, AnIdleBatcherUsesNoCpu) {
  for (const std::size_t executors : {0u, 1u, 3u}) {
    TestRuntime runtime;
    TestBatcher<int, int, TimePolicy> batcher(
        batchwright::shared_predictor(&double_in_place),
        {.policy = {.max_wait = 1ms}, .executors = executors});
    auto ticket = batcher.submit(1, use_ticket);
    runtime.advance(1ms);
    EXPECT_EQ(ticket.get(), 2);
    const auto before = activity(runtime);
    EXPECT_EQ(runtime.advance(1h), 0u);
    EXPECT_EQ(activity(runtime), before);
    EXPECT_EQ(runtime.next_due(), batchwright::kNever);
  }
}

TEST(Guarantee, APausedBatcherUsesNoCpuWhateverIsQueued) {
  for (const std::size_t executors : {0u, 1u}) {
    TestRuntime runtime;
    TestBatcher<int, int, TimePolicy> batcher(&double_in_place, {.max_batch_size = 4,
                                                                 .policy = {.max_wait = 1ms},
                                                                 .executors = executors,
                                                                 .max_wait = 5ms});
    batcher.pause();
    const auto tickets = batcher.submit_many(Values(10, 1), use_ticket);
    runtime.settle();
    const auto before = activity(runtime);
    EXPECT_EQ(runtime.advance(1h), 0u);
    EXPECT_EQ(activity(runtime), before);
  }
}

TEST(Guarantee, ABatcherWhoseExecutorsAllHangUsesNoCpuWhateverIsQueuedOrWaitsForIt) {
  TestRuntime runtime;
  Gate gate(runtime);
  TestBatcher<int, int, TimePolicy> batcher(
      batchwright::shared_predictor([&](std::span<const int> inputs) {
        gate.pass();
        return Values(inputs.begin(), inputs.end());
      }),
      {.max_batch_size = 1,
       .policy = {.max_wait = 1ms},
       .executors = 2,
       .capacity = 10,
       .overflow = OverflowAction::block,
       .max_wait = 5ms});
  auto tickets = batcher.submit_many(Values(10, 1), use_ticket);
  runtime.settle();
  const auto more = batcher.submit_many(Values(2, 1), use_ticket);
  auto blocked = runtime.start([&] { EXPECT_EQ(batcher.submit(3, use_ticket).get(), 3); });
  auto idle = runtime.start([&] { EXPECT_TRUE(batcher.wait_idle()); });
  auto waiter = runtime.start([&] { EXPECT_EQ(tickets[0].get(), 1); });
  runtime.settle();
  EXPECT_EQ(gate.waiting(), 2u);
  const auto before = activity(runtime);
  EXPECT_EQ(runtime.advance(1h), 0u);
  EXPECT_EQ(activity(runtime), before);
  gate.open();
  runtime.settle();
  for (auto* thread : {&blocked, &idle, &waiter}) thread->join();
}

TEST(Guarantee, LanesThatMayNotRunUseNoCpuThoughAnotherExecutorIsFree) {
  TestRuntime runtime;
  Gate gate(runtime);
  TestBatcher<int, int, TimePolicy> batcher(
      batchwright::shared_predictor([&](std::span<const int> inputs) {
        gate.pass();
        return Values(inputs.begin(), inputs.end());
      }),
      {.max_batch_size = 4,
       .policy = {.max_wait = 1ms},
       .executors = 2,
       .levels = {{.priority = 0, .timeout = 2ms, .on_timeout = batchwright::TimeoutAction::delay}},
       .lane = [](const int& x) { return x % 6; },
       .sticky_lanes = batchwright::StickyLanes::yes,
       .tenant = [](const int& x) { return x % 5; },
       .max_wait = 5ms},
      runtime);
  // Even keys belong to the first executor, which hangs.
  Values even;
  for (int i = 0; i < 60; i += 2) even.push_back(i);
  auto tickets = batcher.submit_many(even, use_ticket);
  runtime.settle();
  runtime.advance(10ms);  // Windows and delays come and go.
  EXPECT_EQ(gate.waiting(), 1u);
  const auto before = activity(runtime);
  EXPECT_EQ(runtime.advance(1h), 0u);
  EXPECT_EQ(activity(runtime), before);
  gate.open();
  runtime.settle();
  for (std::size_t i = 0; i < tickets.size(); ++i) EXPECT_EQ(tickets[i].get(), even[i]);
}

TEST(Guarantee, OnlyTheNetWakesAWindowWithoutAnEnd) {
  struct WaitsForEver {
    batchwright::Decision decide(const batchwright::QueueView&) const noexcept {
      return batchwright::Decision::wait(batchwright::kNever);
    }
  };
  TestRuntime runtime;
  TestBatcher<int, int, WaitsForEver> batcher(&double_in_place, {.max_wait = 30min});
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_EQ(runtime.advance(1h), 1u);
  TestBatcher<int, int, WaitsForEver> without(&double_in_place,
                                              {.max_wait = batchwright::Duration::max()});
  auto kept = without.submit(1, use_ticket);
  runtime.settle();
  const auto before = activity(runtime);
  EXPECT_EQ(runtime.advance(1h), 0u);
  EXPECT_EQ(activity(runtime), before);
}

// --- Each of the rest that may be on

using CostBatcher = TestBatcher<int, int>;

// Batches as large as can be, on every executor: their buffers grow to it.
void fill_buffers(const TestRuntime& runtime, CostBatcher& batcher, std::size_t executors) {
  for (int round = 0; round < 4; ++round) {
    batcher.pause();
    const auto tickets = batcher.submit_many(Values(16 * executors, 1), use_ticket);
    batcher.resume();
    runtime.settle();
    for (const auto& ticket : tickets) {
      if (!ticket.ready()) std::abort();
    }
  }
}

// Some wait while the batcher is paused, others find it idle.
void expect_no_allocations(TestRuntime& runtime, CostBatcher& batcher, std::size_t executors) {
  fill_buffers(runtime, batcher, executors);
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             std::array<TestTicket<int>, 12> tickets;
                             batcher.pause();
                             for (std::size_t k = 0; k < tickets.size(); ++k) {
                               if (k == 9) batcher.resume();
                               const int input = i + static_cast<int>(k);
                               tickets[k] =
                                   batcher.submit(input, use_ticket, {.priority = input % 3});
                             }
                             runtime.settle();
                             for (std::size_t k = 0; k < tickets.size(); ++k) {
                               if (tickets[k].get() != 2 * (i + static_cast<int>(k))) std::abort();
                             }
                           }),
            0u);
}

TEST(Guarantee, SteadyStateAllocatesNothingOnSeveralExecutors) {
  for (const auto order : {batchwright::PreserveOrder::no, batchwright::PreserveOrder::yes}) {
    TestRuntime runtime;
    CostBatcher batcher(
        batchwright::shared_predictor(&double_in_place),
        {.max_batch_size = 4, .executors = 3, .preserve_order = order, .capacity = 64}, runtime);
    expect_no_allocations(runtime, batcher, 3);
  }
}

TEST(Guarantee, SteadyStateAllocatesNothingOnAPool) {
  TestRuntime runtime;
  const auto pool = std::make_shared<batchwright::BasicExecutorPool<TestRuntime>>(
      batchwright::ExecutorPoolOptions{.executors = 2}, runtime);
  CostBatcher first(batchwright::shared_predictor(&double_in_place),
                    {.max_batch_size = 4, .pool = pool, .capacity = 64}, runtime);
  CostBatcher second(batchwright::shared_predictor(&double_in_place),
                     {.max_batch_size = 4, .pool = pool, .pool_share = 2, .capacity = 64}, runtime);
  fill_buffers(runtime, second, 2);
  fill_buffers(runtime, first, 2);
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             std::array<TestTicket<int>, 12> tickets;
                             for (std::size_t k = 0; k < tickets.size(); ++k) {
                               CostBatcher& batcher = k % 3 == 0 ? first : second;
                               tickets[k] = batcher.submit(i, use_ticket);
                             }
                             runtime.settle();
                             for (auto& ticket : tickets) {
                               if (ticket.get() != 2 * i) std::abort();
                             }
                           }),
            0u);
}

TEST(Guarantee, SteadyStateAllocatesNothingWithStickyLanes) {
  TestRuntime runtime;
  CostBatcher batcher(batchwright::shared_predictor(&double_in_place),
                      {.max_batch_size = 4,
                       .executors = 3,
                       .capacity = 64,
                       .lane = [](const int& x) { return x % 7; },
                       .sticky_lanes = batchwright::StickyLanes::yes},
                      runtime);
  expect_no_allocations(runtime, batcher, 3);
}

TEST(Guarantee, SteadyStateAllocatesNothingWherePaddedOnesOfSimilarLengthShareABatch) {
  TestRuntime runtime;
  CostBatcher batcher(&double_in_place,
                      {.max_batch_size = 16,
                       .capacity = 64,
                       .order = batchwright::QueueOrder::shortest_first,
                       .length = [](const int& x) { return static_cast<std::size_t>(1 + x % 5); },
                       .size_rule = batchwright::SizeRule::padded},
                      runtime);
  // The shortest: sixteen of them are a batch.
  batcher.pause();
  const auto shortest = batcher.submit_many(Values(32, 0), use_ticket);
  batcher.resume();
  for (const auto& ticket : shortest) ticket.wait();
  expect_no_allocations(runtime, batcher, 1);
}

TEST(Guarantee, SteadyStateAllocatesNothingForWhatIsEvictedOrDelayed) {
  TestRuntime runtime;
  CostBatcher batcher(&double_in_place,
                      {.max_batch_size = 4,
                       .capacity = 6,
                       .queue = {.timeout = 2us, .on_timeout = batchwright::TimeoutAction::delay},
                       .overflow = OverflowAction::evict},
                      runtime);
  std::uint64_t rounds = 0;
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             std::array<TestTicket<int>, 8> tickets;
                             batcher.pause();
                             // The last two are in the place of the two of the lowest priority.
                             for (int k = 0; k < 8; ++k) {
                               tickets[static_cast<std::size_t>(k)] =
                                   batcher.submit(i, use_ticket, {.priority = k / 2});
                             }
                             runtime.advance(3us);
                             batcher.resume();
                             runtime.settle();
                             for (std::size_t k = 0; k < tickets.size(); ++k) {
                               const Outcome outcome = tickets[k].result().outcome();
                               if (outcome != (k < 2 ? Outcome::evicted : Outcome::ok))
                                 std::abort();
                             }
                             ++rounds;
                           }),
            0u);
  EXPECT_EQ(batcher.metrics().evicted, 2 * rounds);
}

TEST(Guarantee, SteadyStateAllocatesNothingWhereDeadlinesComeAndStopsAreRequestedInLanesOfTenants) {
  TestRuntime runtime;
  CostBatcher batcher(&double_in_place,
                      {.max_batch_size = 8,
                       .capacity = 64,
                       .order = batchwright::QueueOrder::earliest_deadline,
                       .lane = [](const int& x) { return x % 3; },
                       .tenant = [](const int& x) { return static_cast<long>(x % 4); },
                       .metrics = {.per_priority = true, .per_lane = true, .per_tenant = true}},
                      runtime);
  fill_buffers(runtime, batcher, 1);
  std::vector<StopSource> stops(100);
  std::size_t round = 0;
  std::array<std::size_t, batchwright::kOutcomeCount> ends{};
  EXPECT_EQ(allocations_of(50,
                           [&](int i) {
                             StopSource& stop = stops[round++];
                             std::array<TestTicket<int>, 24> tickets;
                             batcher.pause();
                             for (int k = 0; k < 24; ++k) {
                               batchwright::SubmitOptions options{.priority = k % 2};
                               if (k % 3 == 0) options.deadline = runtime.now() + Duration(1 + k);
                               if (k % 3 == 1) options.stop = stop.get_token();
                               tickets[static_cast<std::size_t>(k)] =
                                   batcher.submit(i + k / 3, use_ticket, options);
                             }
                             runtime.advance(10ns);
                             stop.request_stop();
                             runtime.settle();
                             batcher.resume();
                             runtime.settle();
                             for (auto& ticket : tickets) {
                               ++ends[static_cast<std::size_t>(ticket.result().outcome())];
                             }
                           }),
            0u);
  const auto count = [&ends](Outcome outcome) { return ends[static_cast<std::size_t>(outcome)]; };
  EXPECT_EQ(count(Outcome::expired), 100u * 4);
  EXPECT_EQ(count(Outcome::cancelled), 100u * 8);
  EXPECT_EQ(count(Outcome::ok), 100u * 12);
}

}  // namespace
