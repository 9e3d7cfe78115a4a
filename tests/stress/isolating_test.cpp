// SPDX-License-Identifier: MIT
// Real threads: batches that are run in parts while their requests are cancelled and the batcher is
// shut down. Made to be repeated under the thread sanitizer.
#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using batchwright::BatchInfo;
using batchwright::isolating;
using batchwright::Outcome;
using batchwright::ShutdownMode;
using batchwright::use_ticket;

// Every seventh input is bad.
std::vector<int> predict(std::span<const int> inputs, const BatchInfo& info) {
  std::vector<int> results;
  for (const int input : inputs) {
    if (input % 7 == 0 && !info.stop.stop_requested()) throw std::domain_error("seven");
    results.push_back(2 * input);
  }
  return results;
}

constexpr int kRequests = 2000;
constexpr int kClients = 4;

TEST(IsolatingStress, EveryRequestGetsItsOwnAnswer) {
  batchwright::DynamicBatcher<int, int> batcher(
      batchwright::shared_predictor(isolating(predict, {.max_extra_executions = 1000})),
      {.max_batch_size = 16, .executors = 2, .capacity = 100'000});
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&] {
        for (int i = 0; i < kRequests;) {
          std::vector<batchwright::Ticket<int>> tickets;
          const int begin = i;
          for (; i < begin + 8; ++i) tickets.push_back(batcher.submit(i, use_ticket));
          for (int k = 0; k < 8; ++k) {
            const auto result = tickets[static_cast<std::size_t>(k)].result();
            const int input = begin + k;
            const bool right = input % 7 == 0 ? result.outcome() == Outcome::failed
                                              : result.has_value() && *result == 2 * input;
            if (!right) ++wrong;
          }
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(batcher.wait_idle());
  const auto metrics = batcher.metrics();
  EXPECT_EQ(metrics.unaccounted(), 0);
  EXPECT_EQ(metrics.failed, static_cast<unsigned>(kClients * ((kRequests + 6) / 7)));
  EXPECT_GT(metrics.executions, metrics.batches.total());
}

TEST(IsolatingStress, CancellationsAndAShutdownMeanwhileLeaveNobodyWithoutAnAnswer) {
  for (int round = 0; round < 20; ++round) {
    batchwright::DynamicBatcher<int, int> batcher(
        batchwright::shared_predictor(isolating(predict)),
        {.max_batch_size = 8, .executors = 2, .capacity = 100'000});
    std::atomic<int> answered = 0;
    {
      std::vector<std::jthread> clients;
      for (int client = 0; client < kClients; ++client) {
        clients.emplace_back([&] {
          for (int i = 0; i < 40; ++i) {
            std::vector<batchwright::Ticket<int>> tickets;
            for (int k = 0; k < 4; ++k) tickets.push_back(batcher.submit(7 * i + k, use_ticket));
            if (i % 2 == 0) {
              for (auto& ticket : tickets) ticket.cancel();
            }
            for (auto& ticket : tickets) {
              static_cast<void>(ticket.result());
              ++answered;
            }
          }
        });
      }
      if (round % 2 == 0) batcher.shutdown({.mode = ShutdownMode::abandon});
    }
    EXPECT_EQ(answered, kClients * 40 * 4);
    batcher.shutdown();
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  }
}

}  // namespace
