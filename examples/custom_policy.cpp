// SPDX-License-Identifier: MIT
// A policy of one's own: a struct with one function. This one waits for company only as long as a batch
// takes anyway, which it learns from the batches themselves.

#include <batchwright/batchwright.hpp>

#include <cstdio>
#include <span>
#include <thread>
#include <vector>

using batchwright::BatchReport, batchwright::Decision, batchwright::QueueView;
using batchwright::ReleaseReason;

// [policy]
struct TenthOfServiceTime {
  std::chrono::nanoseconds smoothed{};

  Decision decide(const QueueView& view) const noexcept {
    if (view.size >= view.max_batch_size) {
      return Decision::release(view.max_batch_size, ReleaseReason::size);
    }
    return Decision::wait(view.oldest + smoothed / 10);  // Or until the batch is full.
  }

  void on_batch(const BatchReport& report) noexcept {
    smoothed += (report.service_time() - smoothed) / 10;
  }
};
// [policy]

// What it has to look like is checked here, in ten lines of message instead of pages.
static_assert(batchwright::BatchingPolicy<TenthOfServiceTime>);

int main() {
  auto predict = [](std::span<const int> inputs) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));  // A model's time.
    return std::vector<int>(inputs.begin(), inputs.end());
  };
  batchwright::DynamicBatcher<int, int> batcher(
      predict, {.max_batch_size = 8, .policy = TenthOfServiceTime{}});

  std::vector<std::future<int>> answers;
  for (int i = 0; i < 200; ++i) answers.push_back(batcher.submit(i));
  for (int i = 0; i < 200; ++i) {
    if (answers[static_cast<std::size_t>(i)].get() != i) return 1;
  }
  std::printf("%s", to_string(batcher.metrics()).c_str());
}
