// SPDX-License-Identifier: MIT
// Real threads, real time, everything at once: every kind of submission from eight producers, while
// others cancel, pause, flush, look at the metrics and shut down. Afterwards the books have to balance.
// BATCHWRIGHT_STRESS_REQUESTS sets the number of requests of the largest run, the others have a tenth of
// it. Each test prints its seed, and BATCHWRIGHT_STRESS_SEED gives it another try, though not the same
// interleaving. Made to be repeated many times under the thread sanitizer.
#include "tests/support/random.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/stress_client.hpp"
#include "tests/support/stress_ledger.hpp"
#include "tests/support/stress_predictors.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace batchwright_test {
namespace {

using namespace std::chrono_literals;
using batchwright::AdaptivePolicy;
using batchwright::AnyPolicy;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::kNever;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::ShutdownMode;
using batchwright::SystemRuntime;
using batchwright::TimePoint;

using Batcher = batchwright::DynamicBatcher<Token, std::int64_t>;

constexpr std::size_t kProducers = 8;

constexpr std::uint32_t kUsualRequests = batchwright_test::kSlow ? 100'000 : 1'000'000;

std::uint32_t total_requests() {
  const char* const text = std::getenv("BATCHWRIGHT_STRESS_REQUESTS");
  if (text == nullptr) return kUsualRequests;
  return static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

std::uint64_t any_seed() {
  const char* const text = std::getenv("BATCHWRIGHT_STRESS_SEED");
  const std::uint64_t seed =
      text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  // At once, because a sanitizer's report ends the process.
  std::printf("BATCHWRIGHT_STRESS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

TimePoint from_now(Duration span) { return SystemRuntime().now() + span; }

/// Threads that finish batches that were taken over, in any order.
class Finishers {
 public:
  Finishers(Bench& bench, std::uint64_t seed, std::size_t count) : bench_(bench) {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.push_back(std::thread([this, random = Random(seed + i)]() mutable { run(random); }));
    }
  }
  ~Finishers() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    came_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void add(TokenBatch&& batch) {
    {
      const std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
    }
    came_.notify_one();
  }

 private:
  void run(Random& random) {
    for (;;) {
      std::unique_lock lock(mutex_);
      came_.wait(lock, [this] { return closed_ || !batches_.empty(); });
      if (batches_.empty()) return;
      std::swap(random.pick(batches_), batches_.back());
      TokenBatch batch = std::move(batches_.back());
      batches_.pop_back();
      lock.unlock();
      bench_.finish(std::move(batch), random);
    }
  }

  Bench& bench_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<TokenBatch> batches_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

struct Mix {
  Form form = Form::returns;
  std::size_t executors = 1;
  std::size_t cap = 8;
  std::size_t max_in_flight = 1;
  AnyPolicy policy = GreedyPolicy{};
  std::size_t capacity = 128;
  OverflowAction overflow = OverflowAction::reject;
  Duration max_block = Duration::max();
  std::size_t max_bytes = 0;  ///< 0: not counted.
  unsigned bad_percent = 5;   ///< Batches that the predictor fails, in one way or another.
  bool shutdown_races = false;
};

Batcher::Options options_of(const Mix& mix, const std::shared_ptr<Ledger>& ledger) {
  Batcher::Options options{.max_batch_size = mix.cap,
                           .policy = mix.policy,
                           .executors = mix.executors,
                           .max_in_flight = mix.max_in_flight,
                           .capacity = mix.capacity,
                           .overflow = mix.overflow,
                           .max_block = mix.max_block,
                           .observer = ledger};
  if (mix.max_bytes > 0) {
    options.bytes = [](const Token& token) { return 1 + token.id() % 4; };
    options.max_queued_bytes = mix.max_bytes;
  }
  return options;
}

// Whoever meddles, once every so many requests and until `submitting` ends.
template <class Meddle>
void while_submitting(const Demand& demand, const std::atomic<bool>& submitting, Meddle meddle) {
  for (std::uint32_t seen = demand.ticks.load(); submitting.load(); seen = demand.ticks.load()) {
    meddle();
    demand.ticks.wait(seen);
  }
}

void steer(Batcher& batcher, Random& random) {
  switch (random.below(4)) {
    case 0:
      batcher.pause();
      for (std::size_t i = random.below(20); i > 0; --i) std::this_thread::yield();
      batcher.resume();
      break;
    case 1:
      batcher.flush();
      break;
    default:
      batcher.wait_idle(from_now(std::chrono::microseconds(random.below(300))));
  }
}

void close(Batcher& batcher, Demand& demand, Random random) {
  const std::uint32_t when =
      demand.requests / 2 + static_cast<std::uint32_t>(random.below(demand.requests / 4));
  for (std::uint32_t seen = demand.ticks.load(); demand.next.load() < when;
       seen = demand.ticks.load()) {
    demand.ticks.wait(seen);
  }
  const auto mode = random.chance(50) ? ShutdownMode::drain : ShutdownMode::abandon;
  const TimePoint until =
      random.chance(50) ? kNever : from_now(std::chrono::microseconds(random.below(300)));
  const auto report = batcher.shutdown({.mode = mode, .until = until});
  EXPECT_TRUE(report.finished || until != kNever);
}

class Threads {
 public:
  ~Threads() { join(); }

  template <class Function>
  void start(Function function) {
    threads_.push_back(std::thread(std::move(function)));
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

/// Runs one mix with that many requests; false if something is wrong.
bool run(const Mix& mix, std::uint32_t requests, std::uint64_t seed) {
  Random random(seed);
  const auto ledger = std::make_shared<Ledger>(requests);
  Bench bench(*ledger, seed, mix.cap, mix.executors, mix.max_in_flight, mix.bad_percent);
  Finishers finishers(bench, random.bits(), mix.form == Form::by_value ? 3 : 0);
  const auto batcher = make_batcher<Batcher>(
      mix.form, bench, options_of(mix, ledger), SystemRuntime(), [] { std::this_thread::yield(); },
      [&finishers](TokenBatch batch) { finishers.add(std::move(batch)); });

  Demand demand{.ledger = *ledger, .requests = requests, .stops = {}, .tight = 200us};
  demand.per_stop = 64;
  demand.stops.resize(requests / demand.per_stop + 1);

  std::atomic<bool> submitting{true};
  Threads producers;
  for (std::size_t i = 0; i < kProducers; ++i) {
    producers.start([&, own = random.bits()] {
      const auto wait = [](std::future<std::int64_t>& future) { future.wait(); };
      Client client(*batcher, demand, SystemRuntime(), own, 16, wait);
      client.run();
    });
  }
  Threads meddlers;
  meddlers.start([&] {
    // Always the neighbourhood that is being submitted.
    while_submitting(demand, submitting,
                     [&] { demand.stop_of(demand.next.load()).request_stop(); });
  });
  meddlers.start([&, own = Random(random.bits())]() mutable {
    while_submitting(demand, submitting, [&] { steer(*batcher, own); });
  });
  meddlers.start([&, watch = MetricsWatch()]() mutable {
    while_submitting(demand, submitting, [&] { watch.look(batcher->metrics()); });
  });
  if (mix.shutdown_races) {
    for (int i = 0; i < 2; ++i) {
      meddlers.start([&, own = Random(random.bits())] { close(*batcher, demand, own); });
    }
  }
  producers.join();
  submitting.store(false);
  demand.tick();
  meddlers.join();

  EXPECT_TRUE(batcher->shutdown().finished);
  ledger->check(batcher->metrics());
  bench.check();
  if (!mix.shutdown_races) {
    EXPECT_EQ(ledger->count_delivered(Outcome::stopped), 0u);
    EXPECT_GT(ledger->count_delivered(Outcome::ok), 0u);
  }
  return !::testing::Test::HasFailure();
}

TEST(Stress, OneExecutorThatRejectsWhenFull) { run({}, total_requests(), any_seed()); }

TEST(Stress, SeveralExecutorsThatBlockWhenFull) {
  run({.form = Form::per_executor,
       .executors = 3,
       .max_in_flight = 3,
       .policy = HybridPolicy{.size = 4, .max_wait = 100us},
       .capacity = 24,
       .overflow = OverflowAction::block},
      total_requests() / 10, any_seed());
}

TEST(Stress, InlineExecutionThatBlocksForALimitedTime) {
  run({.form = Form::writes,
       .executors = 0,
       .policy = AdaptivePolicy{.target_latency = 20us, .step = 1, .window = 50us},
       .capacity = 16,
       .overflow = OverflowAction::block,
       .max_block = 1ms},
      total_requests() / 10, any_seed());
}

TEST(Stress, BatchesThatAreFinishedElsewhereInAnyOrder) {
  run({.form = Form::by_value,
       .executors = 2,
       .max_in_flight = 5,
       .capacity = 24,
       .overflow = OverflowAction::block,
       .max_bytes = 40},
      total_requests() / 10, any_seed());
}

TEST(Stress, ItemsThatAreAnsweredOneByOne) {
  run({.form = Form::by_reference,
       .executors = 3,
       .max_in_flight = 3,
       .policy = HybridPolicy{.max_wait = 100us},
       .max_bytes = 300},
      total_requests() / 10, any_seed());
}

TEST(Stress, ShutdownsWhileEverybodySubmits) {
  constexpr std::uint32_t kRounds = 10;
  Random random(any_seed());
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    Mix mix{.shutdown_races = true};
    mix.form = static_cast<Form>(random.below(kFormCount));
    mix.executors = random.below(4);
    mix.cap = 1 + random.below(8);
    mix.max_in_flight =
        (mix.executors == 0 ? 1 : mix.executors) * (mix.form == Form::by_value ? 2 : 1);
    if (random.chance(50)) mix.policy = HybridPolicy{.max_wait = 100us};
    if (random.chance(50)) mix.overflow = OverflowAction::block;
    mix.capacity = mix.cap + random.below(24);
    SCOPED_TRACE("round " + std::to_string(round));
    if (!run(mix, total_requests() / 10 / kRounds, random.bits())) return;
  }
}

}  // namespace
}  // namespace batchwright_test
