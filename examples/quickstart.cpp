// SPDX-License-Identifier: MIT
#include <batchwright/batchwright.hpp>

#include <cstdio>
#include <span>
#include <thread>
#include <vector>

int main() {
  // The model sees many inputs at once and returns one result for each.
  auto predict = [](std::span<const double> inputs) {
    std::vector<double> results;
    for (double input : inputs) results.push_back(input * input);
    return results;
  };
  batchwright::DynamicBatcher<double, double> batcher(predict, {.max_batch_size = 32});

  // Any number of threads, each with one input and one answer.
  std::vector<std::jthread> clients;
  for (int client = 1; client <= 4; ++client) {
    clients.emplace_back([&batcher, client] {
      std::future<double> answer = batcher.submit(client);
      std::printf("%d squared is %g\n", client, answer.get());
    });
  }
}
