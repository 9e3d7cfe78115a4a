// SPDX-License-Identifier: MIT
// Urgent requests go first, late ones are answered without being computed, and nobody starves.
//
// A pause fills the queue, so that what happens afterwards does not depend on the machine's speed.

#include <batchwright/batchwright.hpp>

#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

using namespace std::chrono_literals;

int main() {
  int batch = 0;
  auto predict = [&batch](std::span<const std::string> jobs) {
    std::printf("batch %d:", ++batch);
    for (const std::string& job : jobs) std::printf("  %s", job.c_str());
    std::printf("\n");
    return std::vector<std::size_t>(jobs.size(), jobs.size());
  };
  batchwright::DynamicBatcher<std::string, std::size_t> batcher(
      predict, {.max_batch_size = 4, .overtaking_bound = 6});

  batcher.pause();
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::future<std::size_t>> answers;
  answers.push_back(batcher.submit("background"));
  for (int i = 1; i <= 10; ++i) {
    answers.push_back(batcher.submit("urgent " + std::to_string(i), {.priority = 10}));
  }
  answers.push_back(batcher.submit("too late", {.priority = 10, .deadline = now + 1ms}));
  // On time although nothing is being computed: a deadline needs no executor.
  try {
    answers.back().get();
  } catch (const batchwright::DeadlineExceededError& error) {
    std::printf("too late: %s\n", error.what());
  }
  answers.pop_back();

  // "background" is overtaken by the first eight; then the bound is reached and it goes first.
  batcher.resume();
  for (auto& answer : answers) answer.get();

  const batchwright::MetricsSnapshot metrics = batcher.metrics();
  std::printf("completed %llu, expired %llu\n", static_cast<unsigned long long>(metrics.completed),
              static_cast<unsigned long long>(metrics.expired));
  return metrics.completed == 11 && metrics.expired == 1 ? 0 : 1;
}
