// SPDX-License-Identifier: MIT
// Two models share two threads. The slow one takes ten times as long for a batch as the quick one, and
// both have more to do than there is time; still each gets its share of the time, one to three.

#include <batchwright/batchwright.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using batchwright::DynamicBatcher;
using batchwright::Result;

int main() {
  std::array<std::atomic<long>, 2> used_us{};
  const auto model = [&](std::size_t which, std::chrono::milliseconds takes) {
    return batchwright::shared_predictor([&used_us, which, takes](std::span<const int> inputs) {
      const auto begin = std::chrono::steady_clock::now();
      std::this_thread::sleep_for(takes);  // A model would compute here.
      used_us[which] += std::chrono::duration_cast<std::chrono::microseconds>(
                            std::chrono::steady_clock::now() - begin)
                            .count();
      return std::vector<int>(inputs.size());
    });
  };

  const auto pool =
      std::make_shared<batchwright::ExecutorPool>(batchwright::ExecutorPoolOptions{.executors = 2});
  DynamicBatcher<int, int> slow(model(0, 20ms),
                                {.max_batch_size = 4, .pool = pool, .capacity = 4000});
  DynamicBatcher<int, int> quick(
      model(1, 2ms), {.max_batch_size = 4, .pool = pool, .pool_share = 3, .capacity = 4000});

  for (int i = 0; i < 4000; ++i) {
    slow.submit(i, [](const Result<int>&) {});
    quick.submit(i, [](const Result<int>&) {});
  }
  std::this_thread::sleep_for(1s);
  const double seconds[] = {static_cast<double>(used_us[0]) / 1e6,
                            static_cast<double>(used_us[1]) / 1e6};
  std::printf("model   share   seconds of 2 executors in 1 s\n");
  std::printf("slow        1   %.2f\n", seconds[0]);
  std::printf("quick       3   %.2f\n", seconds[1]);

  slow.shutdown({.mode = batchwright::ShutdownMode::abandon});
  quick.shutdown({.mode = batchwright::ShutdownMode::abandon});
  const bool fair = seconds[1] > 2 * seconds[0] && seconds[1] < 4 * seconds[0];
  std::printf("%s\n", fair ? "as agreed" : "NOT as agreed");
  return fair ? 0 : 1;
}
