// SPDX-License-Identifier: MIT
#include "baselines.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <thread>
#include <utility>

namespace digits {

Sample run_direct(const Testbed& testbed, std::size_t threads, const Limit& limit) {
  const std::vector<Image>& images = testbed.test.images;
  Budget budget(limit);
  Clock::time_point start;
  const auto on_start = [&]() noexcept { budget.start(start = Clock::now()); };
  std::barrier barrier(static_cast<std::ptrdiff_t>(threads), on_start);

  std::vector<Sample> samples(threads);
  run_on_threads(threads, [&](std::size_t thread) {
    const Predict predict = testbed.backend.make_predict();
    Sample sample;
    Prediction prediction{};
    std::size_t image = thread * images.size() / threads;
    const auto compute_one = [&] {
      predict({&images[image], 1}, {&prediction, 1});
      sample.mismatches += !testbed.matches(image, prediction);
      image = (image + 1) % images.size();
    };
    for (int i = 0; i < 8; ++i) compute_one();  // Warms caches and clocks.
    barrier.arrive_and_wait();
    Clock::time_point now = start;
    while (budget.take(now)) {
      compute_one();
      const Clock::time_point end = Clock::now();
      sample.latencies_ms.push_back(static_cast<float>(Milliseconds(end - now).count()));
      now = end;
    }
    sample.seconds = std::chrono::duration<double>(now - start).count();
    samples[thread] = std::move(sample);
  });

  Sample all;
  for (const Sample& sample : samples) all.merge(sample);
  return all;
}

double replay(const Testbed& testbed, std::span<const BatchLog> logs) {
  std::size_t largest = 1;
  for (const BatchLog& log : logs) {
    for (const std::uint32_t size : log) largest = std::max<std::size_t>(largest, size);
  }
  const std::size_t count = testbed.test.images.size();
  // Every batch is a contiguous stretch; those that would run over the end find the start again.
  std::vector<Image> images;
  for (std::size_t i = 0; i < count + largest; ++i) {
    images.push_back(testbed.test.images[i % count]);
  }

  Clock::time_point start;
  const auto on_start = [&]() noexcept { start = Clock::now(); };
  std::barrier barrier(static_cast<std::ptrdiff_t>(logs.size()), on_start);
  struct Outcome {
    std::size_t computed = 0;
    double seconds = 0.0;
  };
  std::vector<Outcome> outcomes(logs.size());
  run_on_threads(logs.size(), [&](std::size_t thread) {
    const Predict predict = testbed.backend.make_predict();
    std::vector<Prediction> predictions(largest);
    const auto compute = [&](std::size_t first, std::size_t size) {
      predict(std::span(images).subspan(first, size), std::span(predictions).first(size));
    };
    for (int i = 0; i < 3; ++i) compute(0, largest);  // Warms caches and clocks.
    barrier.arrive_and_wait();
    std::size_t computed = 0;
    for (const std::uint32_t size : logs[thread]) {
      compute(computed % count, size);
      computed += size;
    }
    outcomes[thread] = {computed, std::chrono::duration<double>(Clock::now() - start).count()};
  });

  Outcome all;
  for (const Outcome& outcome : outcomes) {
    all.computed += outcome.computed;
    all.seconds = std::max(all.seconds, outcome.seconds);
  }
  return all.computed > 0 ? static_cast<double>(all.computed) / all.seconds : 0.0;
}

double two_wake_ups_ms() {
  constexpr int kRepeats = 201;
  // As long as a prediction takes, so that the waiting thread is as deeply asleep as a client is.
  constexpr std::chrono::microseconds kWork(200);
  std::atomic<int> turn{0};  // Odd: the worker's. Hands over the variables below, too.
  Clock::time_point worker_began;
  Clock::time_point worker_ended;
  std::thread worker([&] {
    for (int i = 0; i < kRepeats; ++i) {
      turn.wait(2 * i);
      worker_began = worker_ended = Clock::now();
      while (worker_ended - worker_began < kWork) worker_ended = Clock::now();
      turn.store(2 * i + 2);
      turn.notify_one();
    }
  });
  std::vector<double> times;
  for (int i = 0; i < kRepeats; ++i) {
    const Clock::time_point start = Clock::now();
    turn.store(2 * i + 1);
    turn.notify_one();
    turn.wait(2 * i + 1);
    const Clock::time_point end = Clock::now();
    times.push_back(Milliseconds((worker_began - start) + (end - worker_ended)).count());
  }
  worker.join();
  return median(std::move(times));
}

}  // namespace digits
