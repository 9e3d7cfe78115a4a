// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"

#include <batchwright/detail/pool_arbiter.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace {

using batchwright::Duration;
using batchwright::TimePoint;
using batchwright::detail::PoolArbiter;
using batchwright_test::Random;

using Client = PoolArbiter::Client;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

struct Rig {
  explicit Rig(std::size_t executors) : arbiter(executors) {}

  Client& client(std::uint32_t share = 1) {
    Client& made = clients.emplace_back();
    arbiter.add(made, share);
    return made;
  }

  // Who is served at that instant: its index, -1 for nobody.
  int next(std::int64_t tick) {
    last = arbiter.next(at(tick));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (last.client == &clients[i]) return static_cast<int>(i);
    }
    return -1;
  }

  PoolArbiter arbiter;
  std::deque<Client> clients;
  PoolArbiter::Grant last;
};

TEST(PoolArbiter, GrantsAFreeExecutorToWhoWaitsAndToNobodyElse) {
  Rig rig(1);
  Client& a = rig.client();
  Client& b = rig.client();
  EXPECT_EQ(rig.next(0), -1);
  rig.arbiter.request(b, at(0));
  EXPECT_EQ(rig.next(0), 1);
  rig.arbiter.request(a, at(0));
  EXPECT_EQ(rig.next(5), -1);
  rig.arbiter.release(0, at(10), true);
  EXPECT_EQ(rig.next(10), 0);
  rig.arbiter.release(0, at(20), true);
  EXPECT_EQ(rig.next(20), -1);
}

TEST(PoolArbiter, OfEqualsWhoHasWaitedForLongestGoesFirst) {
  Rig rig(1);
  Client& a = rig.client();
  Client& b = rig.client();
  rig.arbiter.request(a, at(7));
  rig.arbiter.request(b, at(3));
  EXPECT_EQ(rig.next(10), 1);
}

TEST(PoolArbiter, EqualsTakeTurns) {
  Rig rig(9);
  for (int i = 0; i < 3; ++i) rig.arbiter.request(rig.client(), at(i));
  std::string order;
  for (int tick = 10; tick < 19; ++tick) {  // What a lease takes is not known yet.
    const int who = rig.next(tick);
    order += std::to_string(who);
    rig.arbiter.request(rig.clients[static_cast<std::size_t>(who)], at(tick));
  }
  EXPECT_EQ(order, "012012012");
}

TEST(PoolArbiter, ChargesTimeAndNotLeases) {
  Rig rig(1);
  Client& slow = rig.client();   // 30 ticks a lease,
  Client& quick = rig.client();  // 10.
  std::vector<std::int64_t> used(2);
  std::int64_t now = 0;
  for (int i = 0; i < 400; ++i) {
    rig.arbiter.request(slow, at(now));
    rig.arbiter.request(quick, at(now));
    const int who = rig.next(now);
    const std::int64_t took = who == 0 ? 30 : 10;
    used[static_cast<std::size_t>(who)] += took;
    rig.arbiter.release(0, at(now += took), true);
  }
  EXPECT_NEAR(static_cast<double>(used[0]), static_cast<double>(used[1]), 30);
}

TEST(PoolArbiter, SeveralExecutorsDoNotAllGoToOne) {
  Rig rig(4);
  Client& a = rig.client();
  Client& b = rig.client();
  for (Client* client : {&a, &b}) {  // What a lease takes is known.
    rig.arbiter.request(*client, at(0));
    rig.next(0);
    rig.arbiter.release(rig.last.executor, at(10), true);
  }
  std::vector<int> granted(2);
  for (int i = 0; i < 4; ++i) {
    rig.arbiter.request(a, at(10));
    rig.arbiter.request(b, at(11));
    ++granted[static_cast<std::size_t>(rig.next(12))];
  }
  EXPECT_EQ(granted[0], 2);
  EXPECT_EQ(granted[1], 2);
}

TEST(PoolArbiter, WhoComesBackHasSavedUpNothing) {
  Rig rig(1);
  Client& busy = rig.client();
  Client& idle = rig.client();
  std::int64_t now = 0;
  for (int i = 0; i < 100; ++i) {
    rig.arbiter.request(busy, at(now));
    rig.next(now);
    rig.arbiter.release(0, at(now += 10), true);
  }
  std::string order;
  for (int i = 0; i < 8; ++i) {
    rig.arbiter.request(busy, at(now));
    rig.arbiter.request(idle, at(now));
    order += rig.next(now) == 0 ? 'b' : 'i';
    rig.arbiter.release(0, at(now += 10), true);
  }
  EXPECT_EQ(std::count(order.begin(), order.end(), 'i'), 4) << order;
}

TEST(PoolArbiter, ALeaseThatWasNotUsedCostsWhatItTook) {
  Rig rig(1);
  Client& a = rig.client();
  Client& b = rig.client();
  rig.arbiter.request(a, at(0));
  EXPECT_EQ(rig.next(0), 0);
  rig.arbiter.release(0, at(10), true);
  rig.arbiter.request(b, at(10));
  EXPECT_EQ(rig.next(10), 1);
  rig.arbiter.release(0, at(20), true);
  // Both have had 10; `a` takes one more and gives it back at once.
  rig.arbiter.request(a, at(20));
  EXPECT_EQ(rig.next(20), 0);
  rig.arbiter.release(0, at(20), false);
  rig.arbiter.request(b, at(21));
  rig.arbiter.request(a, at(20));
  EXPECT_EQ(rig.next(21), 0);
}

TEST(PoolArbiter, GivesTheExecutorOnWhichTheClientIsQuickest) {
  Rig rig(3);
  Client& a = rig.client();
  const std::int64_t times[] = {30, 10, 20};
  for (int i = 0; i < 3; ++i) {  // Each is tried first.
    rig.arbiter.request(a, at(0));
    rig.next(0);
    EXPECT_EQ(rig.last.executor, static_cast<std::size_t>(i));
    rig.arbiter.release(rig.last.executor, at(times[i]), true);
  }
  for (const std::size_t expected : {1u, 2u, 0u}) {
    rig.arbiter.request(a, at(50));
    EXPECT_EQ(rig.next(50), 0);
    EXPECT_EQ(rig.last.executor, expected);
  }
}

TEST(PoolArbiter, GrantsNeitherWhatIsBarredNorWhatIsOccupied) {
  Rig rig(2);
  Client& a = rig.client();
  Client& b = rig.client();
  rig.arbiter.bar(a, 0, true);
  EXPECT_TRUE(rig.arbiter.occupy(1));
  EXPECT_FALSE(rig.arbiter.occupy(1));
  rig.arbiter.request(a, at(0));
  EXPECT_EQ(rig.next(0), -1);
  rig.arbiter.request(b, at(1));
  EXPECT_EQ(rig.next(1), 1);  // It is not kept waiting by who cannot be served.
  EXPECT_EQ(rig.last.executor, 0u);
  EXPECT_FALSE(rig.arbiter.occupy(0));
  rig.arbiter.vacate(1);
  EXPECT_EQ(rig.next(2), 0);
  EXPECT_EQ(rig.last.executor, 1u);
}

TEST(PoolArbiter, AWithdrawnRequestIsNotServed) {
  Rig rig(1);
  Client& a = rig.client();
  rig.arbiter.request(a, at(0));
  EXPECT_TRUE(rig.arbiter.withdraw(a));
  EXPECT_FALSE(rig.arbiter.withdraw(a));
  EXPECT_EQ(rig.next(0), -1);
}

// The bound that the class states, on random schedules: clients that always wait, leases of random
// length, any number of executors.
TEST(PoolArbiter, KeepsItsBoundBetweenThoseWhoAlwaysWait) {
  double closest = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    const std::size_t executors = 1 + random.below(4);
    const std::size_t count = 2 + random.below(4);
    Rig rig(executors);
    struct Load {
      std::int64_t share;
      std::int64_t longest;   // Of its leases.
      double used = 0;        // Over its share, and so is
      double lease_each = 0;  // one of its leases on every executor.
    };
    std::vector<Load> loads;
    for (std::size_t i = 0; i < count; ++i) {
      // Long enough for what is lost to rounding to mean nothing.
      Load load{.share = random.between(1, 5), .longest = random.between(1'000, 50'000)};
      load.lease_each = static_cast<double>(load.longest * static_cast<std::int64_t>(executors)) /
                        static_cast<double>(load.share);
      loads.push_back(load);
      rig.client(static_cast<std::uint32_t>(load.share));
    }
    struct Running {
      std::int64_t end;
      std::size_t client;
      std::size_t executor;
    };
    std::vector<Running> running;
    std::int64_t now = 0;
    for (int step = 0; step < 3000; ++step) {
      for (Client& client : rig.clients) rig.arbiter.request(client, at(now));
      for (int who; (who = rig.next(now)) >= 0;) {
        const auto client = static_cast<std::size_t>(who);
        running.push_back(
            {now + random.between(1, loads[client].longest), client, rig.last.executor});
        rig.arbiter.request(rig.clients[client], at(now));
      }
      ASSERT_EQ(running.size(), executors);
      const auto first =
          std::min_element(running.begin(), running.end(),
                           [](const Running& a, const Running& b) { return a.end < b.end; });
      for (const Running& one : running) {
        Load& load = loads[one.client];
        load.used += static_cast<double>(first->end - now) / static_cast<double>(load.share);
      }
      now = first->end;
      rig.arbiter.release(first->executor, at(now), true);
      running.erase(first);
      for (const Load& a : loads) {
        for (const Load& b : loads) {
          if (&a == &b) continue;
          const double bound = a.lease_each + b.lease_each;
          ASSERT_LE(a.used - b.used, bound) << "seed " << seed << ", step " << step;
          closest = std::max(closest, (a.used - b.used) / bound);
        }
      }
    }
  }
  EXPECT_GT(closest, 0.5);  // It is no idle promise.
}

}  // namespace
