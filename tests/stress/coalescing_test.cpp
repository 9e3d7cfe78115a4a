// SPDX-License-Identifier: MIT
// Real threads: few keys and many who ask for them, on several executors at once, while some expire or are
// cancelled and the batcher is shut down. Made to be repeated under the thread sanitizer.
#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::Batch;
using batchwright::Outcome;
using batchwright::OverflowAction;
using batchwright::PreserveOrder;
using batchwright::Result;
using batchwright::ShutdownMode;
using batchwright::StopSource;
using batchwright::SubmitOptions;
using batchwright::use_ticket;

using Batcher = batchwright::DynamicBatcher<int, std::string>;

constexpr int kClients = 4;
constexpr int kKeys = 5;

std::string text_of(int input) { return std::string(30, static_cast<char>('a' + input)); }

// Key 3 always fails.
void predict(Batch<int, std::string>& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.input(i) == 3) {
      batch.fail(i, std::make_exception_ptr(std::domain_error("three")));
    } else {
      batch.answer(i, text_of(batch.input(i)));
    }
  }
}

bool is_right(int input, const Result<std::string>& result) {
  if (result.has_value()) return input != 3 && *result == text_of(input);
  return input == 3 || result.outcome() != Outcome::failed;
}

TEST(CoalescingStress, EachIsAnsweredOnceAndRightly) {
  std::uint64_t shared = 0;
  for (int round = 0; round < 24; ++round) {
    Batcher batcher(batchwright::shared_predictor(predict),
                    {.max_batch_size = 3,
                     .executors = static_cast<std::size_t>(round % 4),
                     .preserve_order = round % 3 == 0 ? PreserveOrder::yes : PreserveOrder::no,
                     .capacity = 32,
                     .coalesce = batchwright::coalesce_by<std::string>(std::identity{}),
                     .overflow = round % 2 == 0 ? OverflowAction::block : OverflowAction::evict});
    std::atomic<int> wrong = 0;
    std::atomic<int> answered = 0;
    std::atomic<int> submitted = 0;
    StopSource stop;
    {
      std::vector<std::jthread> clients;
      for (int client = 0; client < kClients; ++client) {
        clients.emplace_back([&, client] {
          for (int i = 0; i < 150; ++i) {
            const int input = (i / 3 + client % 2) % kKeys;
            SubmitOptions options{.priority = i % 3};
            if (i % 5 == 0) options.stop = stop.get_token();
            if (i % 4 == 0) options.deadline = std::chrono::steady_clock::now() + 200us;
            if (i % 3 != 0) {
              const auto admitted = batcher.submit(
                  input,
                  [&, input](const Result<std::string>& result) {
                    if (!is_right(input, result)) ++wrong;
                    ++answered;
                  },
                  options);
              if (admitted) ++submitted;
              continue;
            }
            auto ticket = batcher.submit(input, use_ticket, options);
            ++submitted;
            const bool cancelled = i % 2 == 0 && ticket.cancel();
            const Result<std::string> result = ticket.result();
            if (!is_right(input, result)) ++wrong;
            if (cancelled && result.outcome() != Outcome::cancelled) ++wrong;
            ++answered;
          }
        });
      }
      if (round % 2 == 0) stop.request_stop();
      if (round % 8 == 1) batcher.shutdown({.mode = ShutdownMode::abandon});
    }
    batcher.shutdown();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(answered, submitted);
    const batchwright::MetricsSnapshot metrics = batcher.metrics();
    EXPECT_EQ(metrics.unaccounted(), 0);
    EXPECT_EQ(metrics.items + metrics.shared, metrics.completed + metrics.failed);
    shared += metrics.shared;
  }
  EXPECT_GT(shared, 0u);
}

}  // namespace
