// SPDX-License-Identifier: MIT
// A program without exceptions: it asks by callback and by ticket, and reads outcomes as values.
#include <batchwright/batchwright.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <span>
#include <vector>

#if defined(__cpp_exceptions)
#error "this program is about -fno-exceptions"
#endif

namespace {

using namespace std::chrono_literals;
using batchwright::DynamicBatcher;
using batchwright::Outcome;
using batchwright::Result;
using batchwright::use_ticket;

bool all_right = true;

void expect(bool right, const char* what) {
  if (!right) std::printf("wrong: %s\n", what);
  all_right = all_right && right;
}

// One result for each input; none at all if the first input is 0.
std::vector<int> predict(std::span<const int> inputs) {
  std::vector<int> results;
  if (inputs.front() == 0) return results;
  for (int input : inputs) results.push_back(input * 2);
  return results;
}

}  // namespace

int main() {
  std::atomic<int> sum = 0;
  {
    DynamicBatcher<int, int> batcher(predict, {.max_batch_size = 4});

    for (int i = 1; i <= 100; ++i) {
      const auto admitted = batcher.submit(i, [&sum](Result<int> result) {
        if (result) sum += result.value();
      });
      expect(static_cast<bool>(admitted), "a callback is admitted");
    }
    expect(batcher.submit(21, use_ticket).get() == 42, "a ticket's value");

    expect(batcher.submit(0, use_ticket).result().outcome() == Outcome::failed,
           "a predictor that returns too few results");

    const auto past = std::chrono::steady_clock::now() - 1s;
    expect(batcher.submit(1, use_ticket, {.deadline = past}).result().outcome() == Outcome::expired,
           "a deadline that has passed");

    batcher.pause();
    auto ticket = batcher.submit(1, use_ticket);
    expect(ticket.cancel() && ticket.result().outcome() == Outcome::cancelled,
           "a cancelled ticket");

    batcher.resume();

    const std::vector<int> rows{1, 2, 3, 4, 5};
    expect(batcher.submit_rows(rows, use_ticket).get() == std::vector<int>{2, 4, 6, 8, 10},
           "rows that are joined");
    const std::vector<int> bad{0, 1, 2};
    expect(batcher.submit_rows(bad, use_ticket).result().outcome() == Outcome::failed,
           "rows of which one fails");

    batcher.shutdown();
    expect(batcher.submit(1, use_ticket).result().outcome() == Outcome::stopped,
           "a request after shutdown");
  }
  expect(sum == 2 * 5050, "every callback was called once");

  std::puts(all_right ? "no exceptions, every answer" : "a wrong answer");
  return all_right ? 0 : 1;
}
