// SPDX-License-Identifier: MIT
// A burst on a small batcher, as a timeline to look at: urgent requests overtake, some expire in the
// queue, some are refused. What was written is read back and checked.
//
// Usage: timeline [file, timeline.json unless given]

#include <batchwright/batchwright.hpp>
#include <batchwright/timeline.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <future>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Takes 1 ms for a batch and 0.1 ms more for each of its items.
std::vector<int> predict(std::span<const int> inputs) {
  std::this_thread::sleep_for(1ms + 100us * inputs.size());
  return {inputs.begin(), inputs.end()};
}

// The events, each of which has a line of its own, with all of these texts.
std::size_t count(std::string_view json, std::initializer_list<std::string_view> texts) {
  std::size_t events = 0;
  for (std::size_t end; !json.empty(); json.remove_prefix(std::min(end + 1, json.size()))) {
    end = std::min(json.find('\n'), json.size());
    const std::string_view line = json.substr(0, end);
    events += std::all_of(texts.begin(), texts.end(), [line](std::string_view text) {
      return line.find(text) != std::string_view::npos;
    });
  }
  return events;
}

// Each request that was accepted is there from its submission to its answer, and each batch with why it
// left.
bool is_complete(const std::string& path, const batchwright::MetricsSnapshot& metrics) {
  std::ifstream file(path);
  const std::string json((std::istreambuf_iterator<char>(file)), {});
  const std::string_view request = "\"name\":\"request\"";
  return count(json, {request, "\"ph\":\"b\"", "\"outcome\":\""}) == metrics.accepted &&
         count(json, {request, "\"ph\":\"e\""}) == metrics.accepted &&
         count(json, {"\"cat\":\"batch\"", "\"dur\":", "\"reason\":\""}) == metrics.batches.total();
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
  if (metrics.completed == 0 || !is_complete(path, metrics)) {
    std::fprintf(stderr, "%s does not show all that happened\n", path.c_str());
    return 1;
  }
  std::printf("%llu answered, %llu expired, %llu refused, in %llu batches\n",
              static_cast<unsigned long long>(metrics.completed),
              static_cast<unsigned long long>(metrics.expired),
              static_cast<unsigned long long>(metrics.rejected.total()),
              static_cast<unsigned long long>(metrics.batches.total()));
  std::printf("Open %s in https://ui.perfetto.dev or chrome://tracing.\n", path.c_str());
}
