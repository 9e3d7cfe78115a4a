// SPDX-License-Identifier: MIT
// A burst on a small batcher, as a timeline to look at: urgent requests overtake, some expire in the
// queue, some are refused.
//
// Usage: timeline [file, timeline.json unless given]

#include <batchwright/batchwright.hpp>
#include <batchwright/timeline.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Takes 1 ms for a batch and 0.1 ms more for each of its items.
std::vector<int> predict(std::span<const int> inputs) {
  std::this_thread::sleep_for(1ms + 100us * inputs.size());
  return {inputs.begin(), inputs.end()};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "timeline.json";
  const auto recorder = std::make_shared<batchwright::TimelineRecorder>("ranker");
  batchwright::DynamicBatcher<int, int> batcher(batchwright::shared_predictor(predict),
                                                {.max_batch_size = 8,
                                                 .executors = 2,
                                                 .capacity = 32,
                                                 .name = "ranker",
                                                 .observer = recorder});

  // Three clients of 60 requests each: bursts of 20, more than the queue has room for.
  std::vector<std::jthread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&batcher, client] {
      for (int burst = 0; burst < 3; ++burst) {
        std::vector<std::future<int>> answers;
        for (int i = 0; i < 20; ++i) {
          const auto now = std::chrono::steady_clock::now();
          answers.push_back(batcher.submit(
              i, {.priority = i % 5 == 0 ? 10 : 0,
                  .deadline = i % 4 == 1 ? now + 3ms : batchwright::kNever,
                  .trace_id = static_cast<std::uint64_t>(1'000 * client + 100 * burst + i + 1)}));
        }
        for (auto& answer : answers) answer.wait();
      }
    });
  }
  clients.clear();
  batcher.shutdown();

  const batchwright::MetricsSnapshot metrics = batcher.metrics();
  try {
    recorder->write_file(path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("%llu answered, %llu expired, %llu refused, in %llu batches\n",
              static_cast<unsigned long long>(metrics.completed),
              static_cast<unsigned long long>(metrics.expired),
              static_cast<unsigned long long>(metrics.rejected.total()),
              static_cast<unsigned long long>(metrics.batches.total()));
  std::printf("Open %s in https://ui.perfetto.dev or chrome://tracing.\n", path.c_str());
  return metrics.completed > 0 && recorder->dropped() == 0 ? 0 : 1;
}
