// SPDX-License-Identifier: MIT
// Three customers share one model. One of them floods it; the others get their shares all the same, of
// the room in the queue as of the executor, and what they do not use of that goes to the flood.
//
// A pause fills the queue, so that what happens afterwards does not depend on the machine's speed.

#include <batchwright/batchwright.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <future>
#include <span>
#include <string>
#include <utility>
#include <vector>

struct Job {
  std::string customer;
  int number;
};

int main() {
  const std::array<std::string, 3> customers = {"flood", "small", "paying"};
  std::array<int, 3> served{};
  int batch = 0;
  std::array<int, 3> while_all_wait{};
  std::printf("batch   flood   small  paying   (of 8)\n");
  auto predict = [&](std::span<const Job> jobs) {
    std::array<int, 3> now{};
    for (const Job& job : jobs) {
      for (std::size_t c = 0; c < customers.size(); ++c) now[c] += job.customer == customers[c];
    }
    if (++batch <= 5 || batch % 4 == 0) {
      std::printf("%5d  %6d  %6d  %6d\n", batch, now[0], now[1], now[2]);
    }
    for (std::size_t c = 0; c < customers.size(); ++c) {
      served[c] += now[c];
      if (batch <= 5) while_all_wait[c] += now[c];
    }
    return std::vector<int>(jobs.size(), 0);
  };

  batchwright::DynamicBatcher<Job, int> batcher(
      predict,
      {.max_batch_size = 8,
       .capacity = 200,
       .tenant = [](const Job& job) -> const std::string& { return job.customer; },
       .share = [](const Job& job) -> std::size_t { return job.customer == "paying" ? 2 : 1; }});

  batcher.pause();
  std::vector<std::future<int>> answers;
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    if (auto answer = batcher.try_submit(Job{"flood", i})) {
      ++admitted;
      answers.push_back(std::move(*answer));
    }
  }
  for (int i = 0; i < 12; ++i) answers.push_back(batcher.submit({"small", i}));
  for (int i = 0; i < 24; ++i) answers.push_back(batcher.submit({"paying", i}));
  batcher.resume();
  for (auto& answer : answers) answer.get();

  std::printf("\nwhile all three waited, 5 batches:\n");
  const int total = while_all_wait[0] + while_all_wait[1] + while_all_wait[2];
  const std::array<double, 3> shares = {0.25, 0.25, 0.5};
  bool fair = total == 40;
  for (std::size_t c = 0; c < customers.size(); ++c) {
    std::printf("  %-6s  share %.2f  got %.2f\n", customers[c].c_str(), shares[c],
                while_all_wait[c] / static_cast<double>(total));
    fair = fair && while_all_wait[c] == static_cast<int>(40 * shares[c]);
  }
  std::printf("of 1000 that the flood offered, a queue of 200 took %d\n", admitted);
  return fair && admitted == 160 && served[0] == admitted && served[1] == 12 && served[2] == 24 ? 0
                                                                                                : 1;
}
