// SPDX-License-Identifier: MIT
// Coroutines on a loop of one's own: a thousand requests in flight, one thread, no blocking.

#include <batchwright/batchwright.hpp>

#include <condition_variable>
#include <coroutine>
#include <cstdio>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

// A loop that runs what is posted to it. An application has one already: asio's, libuv's, Qt's.
class Loop {
 public:
  void post(batchwright::CompletionTask task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    posted_.notify_one();
  }

  void run_one() {
    std::unique_lock lock(mutex_);
    posted_.wait(lock, [this] { return !tasks_.empty(); });
    batchwright::CompletionTask task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<batchwright::CompletionTask> tasks_;
};

// The least coroutine type that starts at once and cleans up after itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

using Batcher = batchwright::DynamicBatcher<int, int>;

Detached serve(Batcher& batcher, int request, long& sum, int& open) {
  const int once = co_await batcher.predict(request);
  const int twice = co_await batcher.predict(once);  // The loop's thread again: no lock needed.
  sum += twice;
  --open;
}

int main() {
  Loop loop;
  auto predict = [](std::span<const int> inputs, std::span<int> results) {
    for (std::size_t i = 0; i < inputs.size(); ++i) results[i] = inputs[i] + 1;
  };
  Batcher batcher(predict, {.max_batch_size = 64,
                            .capacity = 128,
                            .overflow = batchwright::OverflowAction::block,  // Suspends here.
                            .complete_on = [&loop](batchwright::CompletionTask task) {
                              loop.post(std::move(task));
                            }});

  long sum = 0;
  int open = 1000;
  for (int request = 0; request < 1000; ++request) serve(batcher, request, sum, open);
  while (open > 0) loop.run_one();

  std::printf("sum %ld, mean batch %.1f\n", sum, batcher.metrics().mean_batch_size());
  return sum == 999 * 1000 / 2 + 2 * 1000 ? 0 : 1;
}
