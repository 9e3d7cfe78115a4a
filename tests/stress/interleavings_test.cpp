// SPDX-License-Identifier: MIT
// Small scenes, each run under very many interleavings. The runtime owns every choice: a failure names
// its seed, and a hang is reported as a deadlock with its seed. BATCHWRIGHT_SEEDS sets how many seeds
// each scene gets.
#include "tests/support/random.hpp"
#include "tests/support/stress_client.hpp"
#include "tests/support/stress_ledger.hpp"
#include "tests/support/stress_predictors.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace batchwright_test {
namespace {

using namespace std::chrono_literals;
using batchwright::AnyPolicy;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::ShutdownMode;
using batchwright::SubmitOptions;
using batchwright::TimePoint;
using batchwright::testing::SwitchRule;
using batchwright::testing::TestOptions;
using batchwright::testing::TestRuntime;
using batchwright::testing::TestThread;
using batchwright::testing::TimeMode;

using Batcher = batchwright::BasicDynamicBatcher<int, int, AnyPolicy, TestRuntime>;
using Ticket = batchwright::Ticket<int, TestRuntime>;
using TokenBatcher = batchwright::BasicDynamicBatcher<Token, std::int64_t, AnyPolicy, TestRuntime>;

/// A scene's own number of seeds, unless the environment says how many.
std::uint64_t seeds(std::uint64_t usual) {
  const char* const text = std::getenv("BATCHWRIGHT_SEEDS");
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

/// Runs `scene(runtime, random)` under that many seeds, in every temper of the runtime, until one fails.
/// BATCHWRIGHT_FIRST_SEED replays from another one.
template <class Scene>
void for_every_interleaving(std::uint64_t usual, Scene scene) {
  const char* const text = std::getenv("BATCHWRIGHT_FIRST_SEED");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + seeds(usual); ++seed) {
    constexpr double kHabits[] = {0.5, 0.25, 0.1, 0.8};
    TestOptions options;
    options.seed = seed;
    options.time = TimeMode::automatic;
    options.switch_probability = kHabits[seed % 4];
    options.rule = seed % 16 == 0 ? SwitchRule::round_robin : SwitchRule::random;
    options.spurious_probability = seed % 2 == 0 ? 0.05 : 0;
    options.max_steps = 1'000'000;
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestRuntime runtime(options);
    Random random(seed);
    scene(runtime, random);
    if (::testing::Test::HasFailure()) return;
  }
}

/// Managed threads that are joined at the end of the scene.
class Cast {
 public:
  explicit Cast(const TestRuntime& runtime) : runtime_(runtime) {}
  Cast(const Cast&) = delete;
  Cast& operator=(const Cast&) = delete;
  ~Cast() { join(); }

  template <class Function>
  void start(const char* name, Function function) {
    threads_.push_back(runtime_.start(std::move(function), name));
  }
  void join() {
    for (TestThread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  TestRuntime runtime_;
  std::vector<TestThread> threads_;
};

/// Takes a span of virtual time.
void pass(const TestRuntime& runtime, Duration span) {
  const std::atomic<std::uint32_t> word{0};
  const TimePoint end = runtime.now() + span;
  while (runtime.now() < end) runtime.park(word, 0, end);
}

/// Lets others run some steps.
void dawdle(const TestRuntime& runtime, std::size_t steps) {
  while (steps-- > 0) runtime.interleave("dawdle");
}

auto doubler(const TestRuntime& runtime, Duration span = {}) {
  return batchwright::shared_predictor([runtime, span](std::span<const int> inputs) {
    std::vector<int> results;
    for (const int input : inputs) results.push_back(input * 2);
    runtime.interleave("predict");
    if (span > Duration::zero()) pass(runtime, span);
    return results;
  });
}

void expect_conserved(const batchwright::MetricsSnapshot& metrics) {
  EXPECT_EQ(metrics.submitted, metrics.accepted + metrics.rejected.total());
  EXPECT_EQ(metrics.accepted, metrics.answered());
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.blocked, 0u);
}

// Everything at once.

AnyPolicy any_policy(Random& random, std::size_t cap) {
  switch (random.below(5)) {
    case 0:
      return batchwright::HybridPolicy{.size = 1 + random.below(cap), .max_wait = 50us};
    case 1:
      return batchwright::AdaptivePolicy{.target_latency = 20us, .step = 1, .window = 30us};
    case 2:
      return batchwright::SizePolicy{.size = 1 + random.below(cap)};
    case 3:
      return batchwright::TimePolicy{.max_wait = 40us};
    default:
      return batchwright::GreedyPolicy{};
  }
}

// Batches that were taken over, and threads that finish them in any order.
class Finishers {
 public:
  Finishers(const TestRuntime& runtime, Bench& bench, std::uint64_t seed, std::size_t threads)
      : runtime_(runtime), bench_(bench), cast_(runtime) {
    for (std::size_t i = 0; i < threads; ++i) {
      cast_.start("finisher", [this, random = Random(seed + i)]() mutable { run(random); });
    }
  }
  ~Finishers() { closed_ = true; }

  void add(TokenBatch&& batch) { batches_.push_back(std::move(batch)); }

 private:
  void run(Random& random) {
    for (;;) {
      runtime_.run_until([this] { return closed_ || !batches_.empty(); });
      if (batches_.empty()) return;
      dawdle(runtime_, random.below(6));
      if (random.chance(30)) pass(runtime_, std::chrono::microseconds(random.below(30)));
      if (batches_.empty()) continue;
      std::swap(random.pick(batches_), batches_.back());
      TokenBatch batch = std::move(batches_.back());
      batches_.pop_back();
      bench_.finish(std::move(batch), random);
    }
  }

  TestRuntime runtime_;
  Bench& bench_;
  std::vector<TokenBatch> batches_;
  bool closed_ = false;
  Cast cast_;
};

void everything_at_once(const TestRuntime& runtime, Random& random, bool end_early) {
  const auto form = static_cast<Form>(random.below(kFormCount));
  const std::size_t cap = 1 + random.below(4);
  const std::size_t executors = random.below(3);
  const auto requests = static_cast<std::uint32_t>(4 + random.below(12));
  const std::size_t in_flight = (executors == 0 ? 1 : executors) * (form == Form::by_value ? 2 : 1);

  const std::size_t capacity = 1 + random.below(4);
  const std::size_t max_bytes = random.chance(25) ? 3 + random.below(4) : batchwright::kNoCount;

  const auto ledger = std::make_shared<Ledger>(requests + (end_early ? 0 : capacity));
  Bench bench(*ledger, random.bits(), cap, executors, in_flight, random.chance(50) ? 30 : 0);
  Finishers finishers(runtime, bench, random.bits(), form == Form::by_value ? 2 : 0);
  TokenBatcher::Options options{.max_batch_size = cap,
                                .policy = any_policy(random, cap),
                                .executors = executors,
                                .capacity = capacity,
                                .max_wait = 100us,
                                .overtaking_bound = 1 + random.below(3),
                                .observer = ledger};
  if (random.chance(60)) {
    options.overflow = OverflowAction::block;
    if (random.chance(50)) options.max_block = std::chrono::microseconds(random.below(60));
  }
  if (max_bytes != batchwright::kNoCount) {
    options.bytes = [requests, max_bytes](const Token& token) {
      if (token.id() >= requests) return token.id() == requests ? max_bytes : 0;  // See below.
      return std::size_t{1} + token.id() % 3;
    };
    options.max_queued_bytes = max_bytes;
  }
  const Duration service = std::chrono::microseconds(random.below(3) * 10);
  auto batcher = make_batcher<TokenBatcher>(
      form, bench, std::move(options), runtime,
      [runtime, service] {
        runtime.interleave("predict");
        if (service > Duration::zero()) pass(runtime, service);
      },
      [&finishers](TokenBatch batch) { finishers.add(std::move(batch)); });

  Demand demand{.ledger = *ledger, .requests = requests, .stops = {}, .tight = 40us};
  demand.stops.resize(3);
  demand.per_stop = requests / 3 + 1;
  {
    const auto wait = [runtime](std::future<std::int64_t>& future) {
      runtime.run_until([&] { return future.wait_for(0s) == std::future_status::ready; });
    };
    bool submitting = true;
    std::size_t clients = 1 + random.below(3);
    Cast cast(runtime);
    for (std::size_t i = clients; i > 0; --i) {
      cast.start("client", [&, seed = random.bits()] {
        Client client(*batcher, demand, runtime, seed, 3, wait);
        client.run();
        submitting = --clients > 0;
      });
    }
    cast.start("stopper", [&, mine = Random(random.bits())]() mutable {
      for (batchwright::StopSource& stop : demand.stops) {
        dawdle(runtime, mine.below(60));
        if (mine.chance(30)) pass(runtime, std::chrono::microseconds(mine.below(40)));
        stop.request_stop();
      }
    });
    cast.start("controller", [&, mine = Random(random.bits())]() mutable {
      MetricsWatch watch;
      while (submitting) {
        switch (mine.below(5)) {
          case 0:
            batcher->pause();
            dawdle(runtime, mine.below(10));
            if (mine.chance(30)) pass(runtime, 10us);
            batcher->resume();
            break;
          case 1:
            batcher->flush();
            break;
          case 2:
            batcher->wait_idle(runtime.now() + std::chrono::microseconds(mine.below(20)));
            break;
          case 3:
            watch.look(batcher->metrics());
            break;
          default:
            pass(runtime, std::chrono::microseconds(mine.below(20)));
        }
        dawdle(runtime, mine.below(10));
      }
      watch.look(batcher->metrics());
    });
    if (end_early) {
      for (std::size_t i = 1 + random.below(2); i > 0; --i) {
        cast.start("closer", [&, mine = Random(random.bits())]() mutable {
          dawdle(runtime, mine.below(100));
          if (mine.chance(50)) pass(runtime, std::chrono::microseconds(mine.below(60)));
          const auto mode = mine.chance(50) ? ShutdownMode::drain : ShutdownMode::abandon;
          const TimePoint until =
              mine.chance(50) ? kNever : runtime.now() + std::chrono::microseconds(mine.below(20));
          const auto report = batcher->shutdown({.mode = mode, .until = until});
          if (until == kNever) {
            EXPECT_TRUE(report.finished);
          }
          if (report.finished) {
            EXPECT_EQ(report.executing, 0u);
          }
        });
      }
    }
  }
  if (!end_early) {
    // All room has been given back: as much as ever fits is let in at once.
    EXPECT_TRUE(batcher->wait_idle());
    batcher->pause();
    std::vector<Token> tokens;
    for (std::uint32_t id = requests; id < requests + capacity; ++id) tokens.emplace_back(id);
    ledger->submits(requests, static_cast<std::uint8_t>(capacity));
    auto tickets = batcher->submit_many(std::move(tokens), batchwright::use_ticket,
                                        {.trace_id = Ledger::trace_id(requests)});
    batcher->resume();
    for (std::uint32_t i = 0; i < capacity; ++i) {
      auto result = tickets[i].result();
      EXPECT_NE(result.outcome(), Outcome::queue_full);
      ledger->delivered(requests + i, std::move(result));
    }
  }
  EXPECT_TRUE(batcher->shutdown().finished);
  const auto metrics = batcher->metrics();
  batcher.reset();
  ledger->check(metrics);
  bench.check();
}

TEST(Interleavings, EveryKindOfRequestIsAnsweredOnceWhateverRaces) {
  for_every_interleaving(60, [](const TestRuntime& runtime, Random& random) {
    everything_at_once(runtime, random, false);
  });
}

TEST(Interleavings, EveryKindOfRequestIsAnsweredOnceWhenShutdownsRaceWithIt) {
  for_every_interleaving(60, [](const TestRuntime& runtime, Random& random) {
    everything_at_once(runtime, random, true);
  });
}

// One request, and all that compete for it.

TEST(Interleavings, CancellationExpiryDispatchAndShutdownCompeteForOneRequest) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    bool computed = false;
    const std::size_t executors = random.below(2);
    auto batcher = std::make_unique<Batcher>(
        [&computed](std::span<const int> inputs) {
          computed = true;
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        Batcher::Options{.max_batch_size = 2,
                         .policy = batchwright::TimePolicy{.max_wait = 10us},
                         .executors = executors},
        runtime);
    batchwright::StopSource stop;
    const bool expires = random.chance(50);
    Ticket ticket = batcher->submit(
        1, batchwright::use_ticket,
        {.deadline = expires ? runtime.now() + 10us : kNever, .stop = stop.get_token()});
    bool cancel_won = false;
    bool abandoned = false;
    {
      const auto some_time = [&runtime](Random& mine) {
        pass(runtime, std::chrono::microseconds(mine.between(9, 11)));
        dawdle(runtime, mine.below(8));
      };
      Cast cast(runtime);
      cast.start("cancel", [&, mine = Random(random.bits())]() mutable {
        some_time(mine);
        cancel_won = ticket.cancel();
      });
      cast.start("stop", [&, mine = Random(random.bits())]() mutable {
        some_time(mine);
        stop.request_stop();
      });
      if (random.chance(50)) {
        abandoned = random.chance(50);
        cast.start("shutdown", [&, mine = Random(random.bits())]() mutable {
          some_time(mine);
          batcher->shutdown({.mode = abandoned ? ShutdownMode::abandon : ShutdownMode::drain});
        });
      }
    }
    if (random.chance(50)) batcher.reset();
    const Outcome outcome = ticket.result().outcome();
    EXPECT_EQ(computed, outcome == Outcome::ok);
    if (cancel_won) {
      EXPECT_EQ(outcome, Outcome::cancelled);
    }
    EXPECT_TRUE(outcome == Outcome::ok || outcome == Outcome::cancelled ||
                (outcome == Outcome::expired && expires) ||
                (outcome == Outcome::stopped && abandoned))
        << to_string(outcome);
  });
}

TEST(Interleavings, AStopRacesWithRegistrationDispatchAndAnswer) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    int computed = 0;
    int answered = 0;
    int cancelled = 0;
    const auto note = [&](Outcome outcome) {
      ++answered;
      cancelled += outcome == Outcome::cancelled;
      EXPECT_TRUE(outcome == Outcome::ok || outcome == Outcome::cancelled) << to_string(outcome);
    };
    batchwright::StopSource stop;
    auto batcher = std::make_unique<Batcher>(
        [&](std::span<const int> inputs) {
          runtime.interleave("predict");
          computed += static_cast<int>(inputs.size());
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        Batcher::Options{.max_batch_size = 2, .executors = random.below(2)}, runtime);
    std::vector<Ticket> tickets;
    {
      const SubmitOptions options{.stop = stop.get_token()};
      Cast cast(runtime);
      cast.start("callbacks", [&] {
        for (int i = 0; i < 2; ++i) {
          const auto done = [&note](batchwright::Result<int> result) { note(result.outcome()); };
          if (const auto admitted = batcher->submit(i, done, options); !admitted) {
            note(admitted.outcome());
          }
        }
      });
      cast.start("tickets", [&] {
        const std::vector<int> inputs{2, 3};
        tickets = batcher->submit_many(inputs, batchwright::use_ticket, options);
      });
      cast.start("stop", [&, steps = random.below(80)] {
        dawdle(runtime, steps);
        stop.request_stop();
      });
    }
    const bool destroyed_first = random.chance(50);
    if (destroyed_first) batcher.reset();
    for (Ticket& ticket : tickets) note(ticket.result().outcome());
    batcher.reset();
    EXPECT_EQ(answered, 4);
    EXPECT_EQ(computed + cancelled, 4);
  });
}

TEST(Interleavings, TicketsAreTakenDroppedAndCancelledWhileTheBatcherIsDestroyed) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    auto batcher = std::make_unique<Batcher>(
        // It looks at BatchInfo, so that cancellations that come too late are passed on as well.
        batchwright::shared_predictor(
            [runtime, span = std::chrono::microseconds(random.below(2) * 10)](
                std::span<const int> inputs, const batchwright::BatchInfo&) {
              std::vector<int> results;
              for (const int input : inputs) results.push_back(input * 2);
              pass(runtime, span);
              return results;
            }),
        Batcher::Options{.max_batch_size = 2, .executors = random.below(3)}, runtime);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 4; ++i) tickets.push_back(batcher->submit(i, batchwright::use_ticket));
    Cast cast(runtime);
    cast.start("take", [&runtime, ticket = std::move(tickets[0])]() mutable {
      while (!ticket.wait_for(3us)) runtime.interleave("not yet");
      EXPECT_EQ(ticket.get(), 0);
    });
    cast.start("drop",
               [&runtime, ticket = std::move(tickets[1]), steps = random.below(40)]() mutable {
                 dawdle(runtime, steps);
                 ticket = Ticket();
               });
    cast.start("cancel",
               [&runtime, ticket = std::move(tickets[2]), steps = random.below(40)]() mutable {
                 dawdle(runtime, steps);
                 const bool won = ticket.cancel();
                 EXPECT_EQ(ticket.result().outcome(), won ? Outcome::cancelled : Outcome::ok);
               });
    cast.start("cancel and drop",
               [&runtime, ticket = std::move(tickets[3]), steps = random.below(40)]() mutable {
                 dawdle(runtime, steps);
                 ticket.cancel();
                 ticket = Ticket();
               });
    if (random.chance(50)) dawdle(runtime, random.below(40));
    batcher.reset();
  });
}

// Waking: on virtual time a wake that is missed, or comes too late, shows in what the clock says.

TEST(Interleavings, TheArrivalThatCompletesABatchReleasesItAtOnce) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    const std::size_t executors = random.below(2);
    Batcher batcher(doubler(runtime),
                    {.max_batch_size = 8,
                     .policy = batchwright::HybridPolicy{.size = 4, .max_wait = 1s},
                     .executors = executors},
                    runtime);
    Cast cast(runtime);
    for (int i = 0; i < 3; ++i) {
      cast.start("client", [&, i] {
        if (i > 0) {
          EXPECT_EQ(batcher.submit(i, batchwright::use_ticket).get(), 2 * i);
        } else {
          auto two = batcher.submit_many(std::vector<int>{7, 8}, batchwright::use_ticket);
          EXPECT_EQ(two[0].get() + two[1].get(), 30);
        }
      });
    }
    cast.join();
    EXPECT_EQ(runtime.elapsed(), Duration::zero());
    EXPECT_EQ(batcher.metrics().batches.total(), 1u);
  });
}

TEST(Interleavings, WhatEndsAWaitEndsItAtItsInstant) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    const std::size_t executors = random.below(2);
    Batcher batcher(doubler(runtime),
                    {.max_batch_size = 8,
                     .policy = batchwright::HybridPolicy{.max_wait = 500us},
                     .executors = executors},
                    runtime);
    const TimePoint start = runtime.now();
    batchwright::StopSource stop;
    const auto expect = [&](Ticket& ticket, Outcome outcome, Duration at) {
      const auto result = ticket.result();
      EXPECT_EQ(result.outcome(), outcome) << to_string(result.outcome());
      EXPECT_EQ((result.timing().answered - start).count(), Duration(at).count());
    };
    const auto submit = [&](SubmitOptions options) {
      return batcher.submit(1, batchwright::use_ticket, options);
    };
    // Who comes first, and so opens the window, is up to the seed.
    Cast cast(runtime);
    const bool flushed = random.chance(50);
    const Duration window = flushed ? Duration(300us) : Duration(500us);
    cast.start("patient", [&] {
      Ticket ticket = submit({});
      expect(ticket, Outcome::ok, window);
    });
    const auto perhaps = [&](const char* name, auto function) {
      if (random.chance(60)) cast.start(name, function);
    };
    perhaps("hurried", [&] {
      Ticket ticket = submit({.deadline = start + 100us});
      expect(ticket, Outcome::expired, 100us);
    });
    perhaps("more hurried", [&] {
      Ticket ticket = submit({.deadline = start + 70us});
      expect(ticket, Outcome::expired, 70us);
    });
    perhaps("fickle", [&] {
      Ticket ticket = submit({});
      pass(runtime, 50us);
      EXPECT_TRUE(ticket.cancel());
      expect(ticket, Outcome::cancelled, 50us);
    });
    const bool stopped = random.chance(60);
    if (stopped)
      cast.start("stopped", [&] {
        Ticket ticket = submit({.stop = stop.get_token()});
        expect(ticket, Outcome::cancelled, 60us);
      });
    if (stopped)
      cast.start("stopper", [&] {
        pass(runtime, 60us);
        stop.request_stop();
      });
    if (flushed) {
      pass(runtime, 300us);
      batcher.flush();
    }
    cast.join();
    EXPECT_EQ(runtime.elapsed(), window);
  });
}

TEST(Interleavings, CancellationsAndDeadlinesAreAnsweredWhileEveryExecutorIsBusy) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    Batcher batcher(doubler(runtime, 1ms), {.max_batch_size = 1, .executors = 1 + random.below(2)},
                    runtime);
    const TimePoint start = runtime.now();
    auto busy = batcher.submit_many(std::vector<int>{1, 2}, batchwright::use_ticket);
    pass(runtime, 10us);
    Cast cast(runtime);
    cast.start("deadline", [&] {
      const auto result =
          batcher.submit(3, batchwright::use_ticket, {.deadline = start + 30us}).result();
      EXPECT_EQ(result.outcome(), Outcome::expired);
      EXPECT_EQ(result.timing().answered, start + 30us);
    });
    for (const Duration at : {Duration(20us), Duration(30us)}) {
      cast.start("cancel", [&, at] {
        Ticket ticket = batcher.submit(4, batchwright::use_ticket);
        while (runtime.now() < start + at) pass(runtime, start + at - runtime.now());
        EXPECT_TRUE(ticket.cancel());
        EXPECT_EQ(ticket.result().timing().answered, start + at);
      });
    }
  });
}

// One executor computes 0 from 0 to 10 us, while 1 is queued, which takes from then to 110 us. Whatever
// happens at the instant of the report, when the executor may have the dispatcher's role, is served at
// that instant.
class AtTheReport {
 public:
  AtTheReport(const TestRuntime& runtime, Random& random, Batcher::Options options)
      : runtime_(runtime), random_(random), start_(runtime.now()) {
    options.max_batch_size = options.max_batch_size == 32 ? 1 : options.max_batch_size;
    batcher_ = std::make_unique<Batcher>(
        [this](std::span<const int> inputs) {
          entered_ = true;
          work(inputs.front() == 0 ? start_ + 10us : runtime_.now() + 100us);
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        std::move(options), runtime);
    first_ = batcher_->submit(0, batchwright::use_ticket);
    batcher_->flush();
    runtime_.run_until([this] { return entered_; });
    work(start_ + 5us);
  }

  Batcher& operator*() { return *batcher_; }
  Batcher* operator->() { return batcher_.get(); }

  /// Comes to the instant of the report.
  void reach() {
    work(start_ + 10us);
    dawdle(runtime_, random_.below(15));
  }

  Ticket submit(int input, SubmitOptions options = {}) {
    return batcher_->submit(input, batchwright::use_ticket, options);
  }

  TimePoint at(Duration since) const { return start_ + since; }
  Duration since(TimePoint instant) const { return instant - start_; }

 private:
  void work(TimePoint end) {
    if (end > runtime_.now()) pass(runtime_, end - runtime_.now());
  }

  TestRuntime runtime_;
  Random& random_;
  const TimePoint start_;
  bool entered_ = false;
  std::unique_ptr<Batcher> batcher_;
  Ticket first_;
};

TEST(Interleavings, ACancellationAtTheInstantOfAReportIsServedThen) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {});
    Ticket next = batcher.submit(1);
    Ticket fickle = batcher.submit(2);
    batcher.reach();
    EXPECT_TRUE(fickle.cancel());
    EXPECT_EQ(batcher.since(fickle.result().timing().answered).count(), 10'000);
    EXPECT_EQ(batcher.since(next.result().timing().started).count(), 10'000);
  });
}

TEST(Interleavings, AnArrivalAtTheInstantOfAReportExpiresOnTime) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {});
    Ticket next = batcher.submit(1);
    Ticket patient = batcher.submit(1);
    batcher.reach();
    const auto result = batcher.submit(2, {.deadline = batcher.at(30us)}).result();
    EXPECT_EQ(result.outcome(), Outcome::expired);
    EXPECT_EQ(batcher.since(result.timing().answered).count(), 30'000);
  });
}

TEST(Interleavings, WhoWaitsForRoomAtTheInstantOfAReportIsLetInThen) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {.capacity = 1, .overflow = OverflowAction::block});
    Ticket next = batcher.submit(1);
    batcher.reach();
    EXPECT_EQ(batcher.since(batcher.submit(2).result().timing().enqueued).count(), 10'000);
  });
}

TEST(Interleavings, AResumeAtTheInstantOfAReportDispatchesThen) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {});
    Ticket next = batcher.submit(1);
    batcher->pause();
    batcher.reach();
    batcher->resume();
    EXPECT_EQ(batcher.since(next.result().timing().started).count(), 10'000);
  });
}

TEST(Interleavings, AFlushOrAWindowActsThoughARoleWasLentInBetween) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(
        runtime, random,
        {.max_batch_size = 8, .policy = batchwright::HybridPolicy{.max_wait = 300us}});
    Ticket next = batcher.submit(1);
    const bool flushed = random.chance(50);
    batcher.reach();
    if (flushed) batcher->flush();
    const auto started = batcher.since(next.result().timing().started);
    EXPECT_EQ(started.count(), flushed ? 10'000 : 305'000);
  });
}

TEST(Interleavings, ADeadlineThatPassesWhileTheRoleIsLentIsServedWhenItIsGivenBack) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {});
    batcher->pause();  // Nothing but the cancellation and the deadline is left to do.
    batchwright::StopSource stop;
    EXPECT_TRUE(batcher->submit(1, [&runtime](batchwright::Result<int>) { pass(runtime, 30us); },
                                {.stop = stop.get_token()}));
    Ticket hurried = batcher.submit(2, {.deadline = batcher.at(20us)});
    batcher.reach();
    stop.request_stop();
    EXPECT_EQ(batcher.since(hurried.result().timing().answered).count(), 40'000);
  });
}

TEST(Interleavings, AShutdownAtTheInstantOfAReportActsThen) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    AtTheReport batcher(runtime, random, {});
    const bool more = random.chance(50);
    Ticket next;
    Ticket last;
    if (more) {
      next = batcher.submit(1);
      last = batcher.submit(2);
    }
    const auto mode = random.chance(50) ? ShutdownMode::abandon : ShutdownMode::drain;
    Cast cast(runtime);
    if (random.chance(50)) {
      cast.start("waits until idle", [&] {
        batcher.reach();
        EXPECT_TRUE(batcher->wait_idle());
      });
    }
    batcher.reach();
    EXPECT_TRUE(batcher->shutdown({.mode = mode}).finished);
    if (!more) {
      EXPECT_EQ(batcher.since(runtime.now()).count(), 10'000);
    } else if (mode == ShutdownMode::drain) {
      EXPECT_EQ(next.get() + last.get(), 3);
    } else {
      const auto result = last.result();
      EXPECT_EQ(result.outcome(), Outcome::stopped);
      EXPECT_EQ(batcher.since(result.timing().answered).count(), 10'000);
    }
  });
}

// Room.

TEST(Interleavings, WhoeverWaitsForRoomIsLetInOrRefusedAtTheInstantThatSaysSo) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random&) {
    bool entered = false;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          entered = true;
          pass(runtime, 100us);
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 1,
         .capacity = 1,
         .overflow = OverflowAction::block,
         .max_block = 70us,
         .max_wait = batchwright::Duration::max()},
        runtime);
    const TimePoint start = runtime.now();
    Ticket first = batcher.submit(1, batchwright::use_ticket);
    runtime.run_until([&] { return entered; });
    Ticket second = batcher.submit(2, batchwright::use_ticket);
    batchwright::StopSource stop;
    const auto wait_for_room = [&](SubmitOptions options, Outcome outcome, TimePoint at) {
      const auto result = batcher.submit(3, batchwright::use_ticket, options).result();
      EXPECT_EQ(result.outcome(), outcome) << to_string(result.outcome());
      EXPECT_EQ((result.timing().answered - start).count(), (at - start).count());
      EXPECT_EQ(runtime.now(), at);
    };
    Cast cast(runtime);
    cast.start("deadline",
               [&] { wait_for_room({.deadline = start + 40us}, Outcome::expired, start + 40us); });
    cast.start("limit", [&] { wait_for_room({}, Outcome::queue_full, start + 70us); });
    cast.start("stop", [&] {
      wait_for_room({.stop = stop.get_token()}, Outcome::cancelled, start + 55us);
    });
    cast.start("coroutine", [&] {
      const auto run = [](Batcher& on, TimePoint deadline, const TestRuntime& clock) -> Detached {
        Outcome outcome = Outcome::ok;
        try {
          co_await on.predict(4, {.deadline = deadline});
        } catch (const batchwright::BatcherError& error) {
          outcome = error.outcome();
        }
        EXPECT_EQ(outcome, Outcome::expired);
        EXPECT_EQ(clock.now(), deadline);
      };
      run(batcher, start + 45us, runtime);
    });
    cast.start("patient", [&] {
      pass(runtime, 60us);  // Its own 70 us end after the first batch does.
      wait_for_room({}, Outcome::ok, start + 300us);
    });
    pass(runtime, 55us);
    stop.request_stop();
    cast.join();
    EXPECT_EQ(first.get() + second.get(), 3);
    expect_conserved(batcher.metrics());
    EXPECT_EQ(batcher.metrics().rejected.total(), 4u);
  });
}

TEST(Interleavings, AShutdownAnswersWhoeverWaitsForRoom) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    int answers = 0;
    std::vector<int> outcomes(batchwright::kOutcomeCount);
    const auto note = [&](Outcome outcome) {
      ++answers;
      ++outcomes[static_cast<std::size_t>(outcome)];
    };
    auto batcher = std::make_unique<Batcher>(doubler(runtime, 10us),
                                             Batcher::Options{.max_batch_size = 1,
                                                              .executors = random.below(2),
                                                              .capacity = 1,
                                                              .overflow = OverflowAction::block},
                                             runtime);
    const auto mode = random.chance(50) ? ShutdownMode::drain : ShutdownMode::abandon;
    {
      Cast cast(runtime);
      for (int i = 0; i < 3; ++i) {
        cast.start("blocked", [&, i] {
          note(batcher->submit(i, batchwright::use_ticket).result().outcome());
        });
      }
      const auto coroutine = [](Batcher& on, const auto& tell) -> Detached {
        Outcome outcome = Outcome::ok;
        try {
          EXPECT_EQ(co_await on.predict(5), 10);
        } catch (const batchwright::BatcherError& error) {
          outcome = error.outcome();
        }
        tell(outcome);
      };
      cast.start("suspended", [&] { coroutine(*batcher, note); });
      cast.start("shutdown", [&, mine = Random(random.bits())]() mutable {
        dawdle(runtime, mine.below(60));
        if (mine.chance(50)) pass(runtime, std::chrono::microseconds(10 * mine.below(4)));
        EXPECT_TRUE(batcher->shutdown({.mode = mode}).finished);
      });
    }
    batcher->shutdown();
    const auto metrics = batcher->metrics();
    batcher.reset();
    EXPECT_EQ(answers, 4);
    EXPECT_EQ(outcomes[static_cast<std::size_t>(Outcome::ok)] +
                  outcomes[static_cast<std::size_t>(Outcome::stopped)],
              4);
    if (mode == ShutdownMode::drain) {
      EXPECT_EQ(metrics.stopped, 0u);
    }
    EXPECT_EQ(metrics.completed,
              static_cast<std::uint64_t>(outcomes[static_cast<std::size_t>(Outcome::ok)]));
    expect_conserved(metrics);
  });
}

// An input that can fail to be made, after room was reserved for it.
struct Fragile {
  Fragile(int number) : value(number) {  // NOLINT(google-explicit-constructor)
    const TestRuntime runtime;
    dawdle(runtime, 20);
    if (number < 0) throw std::runtime_error("planned");
  }
  int value;
};

TEST(Interleavings, RoomThatAFailedSubmissionGivesBackReachesWhoeverWaits) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    using FragileBatcher = batchwright::BasicDynamicBatcher<Fragile, int, AnyPolicy, TestRuntime>;
    FragileBatcher batcher(
        [](std::span<const Fragile> inputs) { return std::vector<int>(inputs.size(), 1); },
        {.executors = random.below(2), .capacity = 1, .overflow = OverflowAction::block}, runtime);
    const bool closes = random.chance(50);
    Cast cast(runtime);
    cast.start("fails", [&] {
      EXPECT_THROW(
          {
            const Outcome refusal = batcher.submit(-1, batchwright::use_ticket).result().outcome();
            EXPECT_TRUE(closes && refusal == Outcome::stopped);
            throw std::runtime_error("refused before it could fail");
          },
          std::runtime_error);
    });
    cast.start("waits", [&] {
      const Outcome outcome = batcher.submit(1, batchwright::use_ticket).result().outcome();
      EXPECT_TRUE(outcome == Outcome::ok || (closes && outcome == Outcome::stopped));
    });
    if (closes) {
      cast.start("shuts down", [&, steps = random.below(60)] {
        dawdle(runtime, steps);
        batcher.shutdown();
      });
    }
  });
}

// Pause, flush, wait_idle.

TEST(Interleavings, NothingIsDispatchedAfterAPauseThatIsIdle) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    bool forbidden = false;
    int computed = 0;
    Batcher batcher(
        [&](std::span<const int> inputs) {
          EXPECT_FALSE(forbidden);
          runtime.interleave("predict");
          EXPECT_FALSE(forbidden);
          computed += static_cast<int>(inputs.size());
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 2, .executors = random.below(2)}, runtime);
    Cast cast(runtime);
    for (int i = 0; i < 2; ++i) {
      cast.start("client", [&, i] {
        Ticket one = batcher.submit(i, batchwright::use_ticket);
        Ticket two = batcher.submit(i, batchwright::use_ticket);
        EXPECT_EQ(one.get() + two.get(), 2 * i);
      });
    }
    dawdle(runtime, random.below(30));
    batcher.pause();
    EXPECT_TRUE(batcher.wait_idle());
    forbidden = true;
    Ticket fickle = batcher.submit(9, batchwright::use_ticket);
    dawdle(runtime, random.below(30));
    EXPECT_TRUE(fickle.cancel());
    EXPECT_EQ(fickle.result().outcome(), Outcome::cancelled);
    EXPECT_EQ(batcher.submit(9, batchwright::use_ticket, {.deadline = runtime.now() + 5us})
                  .result()
                  .outcome(),
              Outcome::expired);
    forbidden = false;
    if (random.chance(50)) {
      batcher.resume();
    } else {
      batcher.shutdown();  // Ends a pause.
    }
    cast.join();
  });
}

TEST(Interleavings, WhenWaitIdleReturnsEverythingSubmittedBeforeIsAnswered) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    Batcher batcher(doubler(runtime), {.max_batch_size = 2, .executors = random.below(3)}, runtime);
    Cast cast(runtime);
    for (int i = 0; i < 2; ++i) {
      cast.start("client", [&, i, mine = Random(random.bits())]() mutable {
        for (int round = 0; round < 2; ++round) {
          Ticket ticket = batcher.submit(i, batchwright::use_ticket);
          Ticket other = batcher.submit(i, batchwright::use_ticket);
          dawdle(runtime, mine.below(20));
          if (mine.chance(60)) other.cancel();
          EXPECT_TRUE(batcher.wait_idle());
          EXPECT_TRUE(ticket.ready());
          EXPECT_TRUE(other.ready());
        }
      });
    }
    cast.start("keeps it awake", [&] {
      for (int i = 0; i < 15; ++i) {
        batcher.flush();
        dawdle(runtime, 2);
      }
    });
    cast.join();
    EXPECT_EQ(runtime.elapsed(), Duration::zero());
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  });
}

// Ends.

TEST(Interleavings, ShutdownsFromSeveralThreadsAllReturnAndAgree) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    // Lives and dies on the thread of its executor.
    struct Predictor {
      Predictor(const TestRuntime& r, int& l) : runtime(r), live(&l) { ++*live; }
      Predictor(Predictor&& other) noexcept
          : runtime(other.runtime), live(std::exchange(other.live, nullptr)) {}
      ~Predictor() {
        dawdle(runtime, 5);
        if (live != nullptr) --*live;
      }
      std::vector<int> operator()(std::span<const int> inputs) const {
        pass(runtime, 10us);
        return {inputs.begin(), inputs.end()};
      }
      TestRuntime runtime;
      int* live;
    };
    int live = 0;
    auto batcher = std::make_unique<Batcher>(
        batchwright::predictor_per_executor([&] { return Predictor(runtime, live); }),
        Batcher::Options{.max_batch_size = 1, .executors = random.below(3)}, runtime);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 4; ++i) tickets.push_back(batcher->submit(i, batchwright::use_ticket));
    {
      Cast cast(runtime);
      for (int i = 0; i < 3; ++i) {
        cast.start("shutdown", [&, mine = Random(random.bits())]() mutable {
          dawdle(runtime, mine.below(30));
          const auto report = batcher->shutdown(
              {.mode = mine.chance(30) ? ShutdownMode::abandon : ShutdownMode::drain});
          EXPECT_TRUE(report.finished);
          EXPECT_EQ(report.executing, 0u);
          EXPECT_EQ(live, 0);  // Every thread has ended.
          for (const Ticket& ticket : tickets) EXPECT_TRUE(ticket.ready());
        });
      }
    }
    EXPECT_TRUE(batcher->wait_idle());
    std::uint64_t completed = 0;
    for (Ticket& ticket : tickets) completed += ticket.result().outcome() == Outcome::ok;
    EXPECT_EQ(batcher->metrics().completed, completed);
    EXPECT_EQ(batcher->metrics().stopped, 4 - completed);
    EXPECT_EQ(batcher->submit(1, batchwright::use_ticket).result().outcome(), Outcome::stopped);
  });
}

TEST(Interleavings, ABatcherMayBeDestroyedInACallbackOnAnyOfItsThreads) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    int answered = 0;
    std::vector<Ticket> tickets;
    auto batcher = std::make_unique<Batcher>(
        doubler(runtime), Batcher::Options{.max_batch_size = 2, .executors = random.below(3)},
        runtime);
    // By the executor, or by the dispatcher, for it expires or is cancelled.
    batcher->pause();
    batchwright::StopSource stop;
    SubmitOptions options{.stop = stop.get_token()};
    if (random.chance(30)) options.deadline = runtime.now() + 5us;
    bool destroyed = false;
    const auto destroy = [&](batchwright::Result<int>) {
      ++answered;
      batcher.reset();
      destroyed = true;
    };
    for (int i = 0; i < 2; ++i) tickets.push_back(batcher->submit(i, batchwright::use_ticket));
    EXPECT_TRUE(batcher->submit(7, destroy, options));
    for (int i = 0; i < 2; ++i) tickets.push_back(batcher->submit(i, batchwright::use_ticket));
    if (random.chance(30)) stop.request_stop();
    // Otherwise the request expires, or it waits for this.
    if (options.deadline == kNever && !stop.stop_requested()) {
      if (random.chance(50)) {
        batcher->resume();
      } else {
        runtime.start([&] { batcher->resume(); }).join();
      }
    }
    for (Ticket& ticket : tickets) EXPECT_EQ(ticket.result().outcome(), Outcome::ok);
    runtime.run_until([&] { return destroyed; });
    EXPECT_EQ(answered, 1);
  });
}

TEST(Interleavings, ACoroutineMayDestroyTheBatcherThatResumedIt) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    bool destroyed = false;
    auto batcher = std::make_unique<Batcher>(doubler(runtime),
                                             Batcher::Options{.max_batch_size = 2,
                                                              .executors = random.below(3),
                                                              .capacity = 1,
                                                              .overflow = OverflowAction::block},
                                             runtime);
    // The thread that starts the coroutine may still be on its way out of the submission.
    const auto coroutine = [&]() -> Detached {
      EXPECT_EQ(co_await batcher->predict(3), 6);
      batcher.reset();
      destroyed = true;
    };
    Ticket ticket;
    if (random.chance(50)) ticket = batcher->submit(1, batchwright::use_ticket);
    Cast cast(runtime);
    cast.start("starter", [&] { coroutine(); });
    runtime.run_until([&] { return destroyed; });
    if (ticket.valid()) {
      EXPECT_EQ(ticket.get(), 2);
    }
  });
}

// Batches that are taken over.

using IntBatch = batchwright::Batch<int, int>;

void answer_rest(IntBatch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.pending(i)) batch.answer(i, batch.input(i) * 2);
  }
}

/// Where predictors put batches, and other threads take them.
class Shelf {
 public:
  explicit Shelf(const TestRuntime& runtime) : runtime_(runtime) {}

  void put(IntBatch&& batch) { batches_.push_back(std::move(batch)); }

  /// Waits for a batch, the last one first; none once it is closed.
  std::optional<IntBatch> take() {
    runtime_.run_until([this] { return closed_ || !batches_.empty(); });
    if (batches_.empty()) return std::nullopt;
    std::optional<IntBatch> batch(std::move(batches_.back()));
    batches_.pop_back();
    return batch;
  }

  void close() { closed_ = true; }

 private:
  TestRuntime runtime_;
  std::vector<IntBatch> batches_;
  bool closed_ = false;
};

TEST(Interleavings, BatchesAreFinishedInAnyOrderWhileTheirCallsReturn) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    Shelf shelf(runtime);
    auto batcher = std::make_unique<Batcher>(
        [&](IntBatch batch) {
          shelf.put(std::move(batch));
          dawdle(runtime, 5);
        },
        Batcher::Options{
            .max_batch_size = 2, .executors = random.below(2), .max_in_flight = 3, .capacity = 16},
        runtime);
    std::vector<Ticket> tickets;
    Cast cast(runtime);
    for (int i = 0; i < 2; ++i) {
      cast.start("finisher", [&] {
        while (std::optional<IntBatch> batch = shelf.take()) {
          dawdle(runtime, 10);
          if (batch->size() == 1) {
            batch->answer(0, batch->input(0) * 2);
            continue;
          }
          // Items of one batch, answered by two threads at the same time.
          Cast helper(runtime);
          helper.start("helper", [&] { batch->answer(1, batch->input(1) * 2); });
          batch->answer(0, batch->input(0) * 2);
        }
      });
    }
    for (int i = 0; i < 6; ++i) tickets.push_back(batcher->submit(i, batchwright::use_ticket));
    for (int i = 0; i < 6; ++i) EXPECT_EQ(tickets[static_cast<std::size_t>(i)].get(), 2 * i);
    batcher->shutdown();
    shelf.close();
    cast.join();
    EXPECT_EQ(batcher->metrics().completed, 6u);
    expect_conserved(batcher->metrics());
  });
}

TEST(Interleavings, WhateverAPredictorDoesToItsBatchEachRequestIsAnswered) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    Shelf shelf(runtime);
    const std::size_t crime = random.below(6);
    auto batcher = std::make_unique<Batcher>(
        [&](IntBatch batch) {
          switch (crime) {
            case 0:
              throw std::runtime_error("the batch goes down with it");
            case 1:
              try {
                const IntBatch lost = std::move(batch);
                throw std::runtime_error("caught, but the batch is gone");
              } catch (const std::runtime_error&) {
              }
              return;
            case 2:
              shelf.put(std::move(batch));
              throw std::runtime_error("given away first");
            case 3:
              batch.answer(0, 1);
              throw std::runtime_error("partly answered");
            case 4: {
              const IntBatch dropped = std::move(batch);
              return;
            }
            default:
              shelf.put(std::move(batch));
          }
        },
        Batcher::Options{.max_batch_size = 3, .executors = random.below(2)}, runtime);
    auto tickets = batcher->submit_many(std::vector<int>{1, 2, 3}, batchwright::use_ticket);
    if (crime == 2 || crime == 5) {
      IntBatch batch = *shelf.take();
      if (random.chance(50)) answer_rest(batch);
    }
    for (Ticket& ticket : tickets) {
      const Outcome outcome = ticket.result().outcome();
      EXPECT_TRUE(outcome == Outcome::ok || outcome == Outcome::failed) << to_string(outcome);
    }
    EXPECT_TRUE(batcher->wait_idle());
    EXPECT_TRUE(batcher->shutdown().finished);
    EXPECT_EQ(batcher->metrics().batches.total(), 1u);
    expect_conserved(batcher->metrics());
  });
}

TEST(Interleavings, ABatchMayBeFinishedInsideTheCallOfAnotherBatcher) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    // The outer one hands each item to the inner one, whose callbacks answer it: inside a call of the
    // inner predictor, for a batch of the same number.
    Batcher inner(
        [&](IntBatch& batch) {
          runtime.interleave("inner");
          answer_rest(batch);
        },
        {.max_batch_size = 2, .executors = random.below(2)}, runtime);
    Batcher outer(
        [&](IntBatch taken) {
          const auto batch = std::make_shared<IntBatch>(std::move(taken));
          for (std::size_t i = 0; i < batch->size(); ++i) {
            const auto admitted = inner.submit(
                batch->input(i),
                [batch, i](batchwright::Result<int> result) { batch->answer(i, *result + 1); });
            EXPECT_TRUE(admitted);
          }
        },
        {.max_batch_size = 2, .executors = random.below(2), .max_in_flight = 2}, runtime);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 5; ++i) tickets.push_back(outer.submit(i, batchwright::use_ticket));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(tickets[static_cast<std::size_t>(i)].get(), 2 * i + 1);
    EXPECT_TRUE(outer.wait_idle());
    EXPECT_TRUE(inner.wait_idle());
    EXPECT_EQ(outer.metrics().completed, 5u);
    EXPECT_EQ(inner.metrics().completed, 5u);
  });
}

TEST(Interleavings, WhomACallbackAnswersIsAwakeBeforeItReturns) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    // The first batcher's callback answers a request of the second one, and looks whether that helped.
    bool went_on = false;
    Shelf shelf(runtime);
    Batcher second([&](IntBatch batch) { shelf.put(std::move(batch)); },
                   {.executors = random.below(2)}, runtime);
    Batcher first(doubler(runtime), {.executors = random.below(2)}, runtime);
    Cast cast(runtime);
    cast.start("client", [&] {
      EXPECT_EQ(second.submit(1, batchwright::use_ticket).get(), 2);
      went_on = true;
    });
    EXPECT_TRUE(first.submit(0, [&](batchwright::Result<int>) {
      IntBatch batch = *shelf.take();
      dawdle(runtime, 10);
      answer_rest(batch);
      runtime.run_until([&] { return went_on; });
    }));
  });
}

TEST(Interleavings, ACallbackOnAFinishersThreadDoesNotWaitForItself) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    bool told = false;
    const std::size_t what = random.below(3);
    Shelf shelf(runtime);
    auto batcher =
        std::make_unique<Batcher>([&](IntBatch batch) { shelf.put(std::move(batch)); },
                                  Batcher::Options{.executors = random.below(2)}, runtime);
    Cast cast(runtime);
    const auto done = [&](batchwright::Result<int> result) {
      EXPECT_EQ(*result, 2);
      if (what == 0) {
        EXPECT_FALSE(batcher->shutdown().finished);
      } else if (what == 1) {
        EXPECT_THROW(batcher->wait_idle(), batchwright::WouldDeadlockError);
      } else {
        batcher.reset();
      }
      told = true;
    };
    EXPECT_TRUE(batcher->submit(1, done));
    cast.start("finisher", [&] {
      IntBatch batch = *shelf.take();
      answer_rest(batch);
    });
    runtime.run_until([&] { return told; });
    cast.join();
  });
}

TEST(Interleavings, AShutdownWithALimitReturnsThenAndLeavesTheRestToTheThreads) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    Shelf shelf(runtime);
    auto batcher = std::make_unique<Batcher>(
        [&](IntBatch batch) { shelf.put(std::move(batch)); },
        Batcher::Options{.max_batch_size = 2, .executors = random.below(2), .max_in_flight = 1},
        runtime);
    auto running = batcher->submit_many(std::vector<int>{1, 2}, batchwright::use_ticket);
    IntBatch held = *shelf.take();
    Ticket queued = batcher->submit(3, batchwright::use_ticket);
    const TimePoint until = runtime.now() + 20us;
    const auto report = batcher->shutdown({.until = until});
    EXPECT_EQ(runtime.now(), until);
    EXPECT_FALSE(report.finished);
    EXPECT_EQ(report.completed, 0u);
    EXPECT_EQ(report.executing, 2u);
    EXPECT_EQ(report.abandoned, 1u);
    const bool destroyed_first = random.chance(50);
    if (destroyed_first) batcher.reset();
    EXPECT_EQ(queued.result().outcome(), Outcome::stopped);
    EXPECT_EQ(runtime.now(), until);
    answer_rest(held);
    EXPECT_EQ(running[0].get() + running[1].get(), 6);
    if (!destroyed_first) {
      EXPECT_TRUE(batcher->shutdown().finished);
    }
  });
}

TEST(Interleavings, APredictorIsToldToStopOnlyWhenNobodyWaitsForItsBatch) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    int wanted = 0;
    int stopped = 0;
    Batcher batcher(
        batchwright::shared_predictor([&](std::span<const int> inputs, std::span<int> outputs,
                                          const batchwright::BatchInfo& info) {
          for (std::size_t i = 0; i < inputs.size(); ++i) {
            outputs[i] = inputs[i] * 2;
            wanted += inputs[i] >= 100;
          }
          const bool needed = *std::max_element(inputs.begin(), inputs.end()) >= 100;
          for (int step = 0; step < 5; ++step) {
            pass(runtime, 1us);
            if (!info.stop.stop_requested()) continue;
            ++stopped;
            EXPECT_FALSE(needed);
            break;
          }
        }),
        {.max_batch_size = 2, .executors = 1 + random.below(2)}, runtime);
    Cast cast(runtime);
    for (int i = 0; i < 2; ++i) {
      cast.start("needs it", [&, i] {
        for (int round = 0; round < 2; ++round) {
          EXPECT_EQ(batcher.submit(100 + i, batchwright::use_ticket).get(), 200 + 2 * i);
        }
      });
      cast.start("gives up", [&, i, mine = Random(random.bits())]() mutable {
        for (int round = 0; round < 3; ++round) {
          Ticket ticket = batcher.submit(i, batchwright::use_ticket);
          pass(runtime, std::chrono::microseconds(mine.below(5)));
          const bool won = ticket.cancel();
          EXPECT_EQ(ticket.result().outcome(), won ? Outcome::cancelled : Outcome::ok);
        }
      });
    }
    cast.join();
    EXPECT_EQ(wanted, 4);
  });
}

TEST(Interleavings, APredictorIsToldToStopWhenAllOfItsRequestsAreCancelled) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    bool entered = false;
    Batcher batcher(
        [&](std::span<const int> inputs, const batchwright::BatchInfo& info) {
          entered = true;
          runtime.run_until([&] { return info.stop.stop_requested(); });
          return std::vector<int>(inputs.begin(), inputs.end());
        },
        {.max_batch_size = 2}, runtime);
    auto tickets = batcher.submit_many(std::vector<int>{1, 2}, batchwright::use_ticket);
    dawdle(runtime, random.below(20));
    // Before it is dispatched, between that and the predictor's entry, or after.
    const bool won = tickets[0].cancel();
    runtime.run_until([&] { return entered; });
    EXPECT_FALSE(tickets[1].cancel());
    EXPECT_EQ(tickets[0].result().outcome(), won ? Outcome::cancelled : Outcome::ok);
    EXPECT_EQ(tickets[1].get(), 2);
  });
}

TEST(Interleavings, WhatIsPostedElsewhereIsDeliveredThoughTheBatcherIsGone) {
  for_every_interleaving(30, [](const TestRuntime& runtime, Random& random) {
    std::vector<batchwright::CompletionTask> posted;
    bool closed = false;
    int told = 0;
    Cast cast(runtime);
    cast.start("poster", [&] {
      while (true) {
        runtime.run_until([&] { return closed || !posted.empty(); });
        if (posted.empty()) return;
        batchwright::CompletionTask task = std::move(posted.back());
        posted.pop_back();
        if (told % 2 == 0) task();  // Otherwise it is destroyed, and runs then.
      }
    });
    auto batcher = std::make_unique<Batcher>(
        doubler(runtime),
        Batcher::Options{
            .max_batch_size = 2,
            .executors = random.below(2),
            .complete_on =
                [&](batchwright::CompletionTask task) { posted.push_back(std::move(task)); }},
        runtime);
    const auto coroutine = [](Batcher& on, int& count) -> Detached {
      EXPECT_EQ(co_await on.predict(3), 6);
      ++count;
    };
    for (int i = 0; i < 2; ++i) {
      coroutine(*batcher, told);
      EXPECT_TRUE(batcher->submit(4, [&](batchwright::Result<int> result) {
        EXPECT_EQ(*result, 8);
        ++told;
      }));
    }
    batcher.reset();
    closed = true;
    cast.join();
    EXPECT_EQ(told, 4);
  });
}

}  // namespace
}  // namespace batchwright_test
