// SPDX-License-Identifier: MIT
// Real threads: rows that end on several executors at once, while calls are cancelled and the batcher is
// shut down. Made to be repeated under the thread sanitizer.
#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using batchwright::Batch;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::ShutdownMode;
using batchwright::StopSource;
using batchwright::use_ticket;

using Texts = std::vector<std::string>;
using Batcher = batchwright::DynamicBatcher<int, std::string>;

std::string text_of(int input) { return std::string(30, static_cast<char>('a' + input % 26)); }

// Every 31st input fails by itself.
void predict(Batch<int, std::string>& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.input(i) % 31 == 30) {
      batch.fail(i, std::make_exception_ptr(std::domain_error("bad")));
    } else {
      batch.answer(i, text_of(batch.input(i)));
    }
  }
}

bool is_right(const std::vector<int>& inputs, const Result<Texts>& result) {
  bool bad = false;
  Texts expected;
  for (const int input : inputs) {
    bad = bad || input % 31 == 30;
    expected.push_back(text_of(input));
  }
  if (result.has_value()) return !bad && *result == expected;
  return bad || result.outcome() != Outcome::failed;
}

constexpr int kClients = 4;

TEST(RowsStress, EveryCallIsAnsweredOnceAndAsAWhole) {
  for (int round = 0; round < 20; ++round) {
    Batcher batcher(batchwright::shared_predictor(predict),
                    {.max_batch_size = 4, .executors = 3, .capacity = 10'000});
    std::atomic<int> wrong = 0;
    std::atomic<int> answered = 0;
    std::atomic<int> submitted = 0;
    StopSource stop;
    {
      std::vector<std::jthread> clients;
      for (int client = 0; client < kClients; ++client) {
        clients.emplace_back([&, client] {
          for (int i = 0; i < 60; ++i) {
            std::vector<int> inputs;
            for (int k = 0; k < 1 + i % 7; ++k) inputs.push_back(client + 11 * i + k);
            const batchwright::SubmitOptions options{.stop = i % 5 == 0 ? stop.get_token()
                                                                        : batchwright::StopToken()};
            if (i % 3 == 0) {
              const auto admitted = batcher.submit_rows(
                  inputs,
                  [&, inputs](const Result<Texts>& result) {
                    if (!is_right(inputs, result)) ++wrong;
                    ++answered;
                  },
                  options);
              if (admitted) ++submitted;
              continue;
            }
            auto ticket = batcher.submit_rows(inputs, use_ticket, options);
            ++submitted;
            const bool cancelled = i % 4 == 0 && ticket.cancel();
            const Result<Texts> result = ticket.result();
            if (!is_right(inputs, result)) ++wrong;
            if (cancelled && result.outcome() != Outcome::cancelled) ++wrong;
            ++answered;
          }
        });
      }
      if (round % 2 == 0) stop.request_stop();
      if (round % 4 == 1) batcher.shutdown({.mode = ShutdownMode::abandon});
    }
    batcher.shutdown();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(answered, submitted);
    EXPECT_EQ(batcher.metrics().unaccounted(), 0);
  }
}

}  // namespace
