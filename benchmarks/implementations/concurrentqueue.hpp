// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_CONCURRENTQUEUE_HPP
#define BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_CONCURRENTQUEUE_HPP

#include "../support/producer.hpp"
#include "setup.hpp"

#include <algorithm>
#include <chrono>
#include <concurrentqueue/blockingconcurrentqueue.h>
#include <cstddef>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace benchmarks {

/// A batcher from a ready-made concurrent queue: one thread takes in bulk and sets promises.
class ConcurrentQueueRow {
 public:
  explicit ConcurrentQueueRow(const Setup& setup) : setup_(setup), thread_([this] { run(); }) {}

  ~ConcurrentQueueRow() {
    Item end;
    end.last = true;
    queue_.enqueue(std::move(end));
    thread_.join();
  }

  std::future<int> submit(int input, std::chrono::steady_clock::time_point = {}) {
    Item item = make(input);
    std::future<int> future = item.promise.get_future();
    queue_.enqueue(std::move(item));
    return future;
  }

  void produce(Producer& producer) {
    const moodycamel::ProducerToken token(queue_);
    keep_outstanding(producer, [&](int input) {
      Item item = make(input);
      std::future<int> future = item.promise.get_future();
      queue_.enqueue(token, std::move(item));
      return future;
    });
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Item {
    int input = 0;
    bool last = false;
    Clock::time_point enqueued;
    std::promise<int> promise;
  };

  static Item make(int input) {
    Item item;
    item.input = input;
    item.enqueued = Clock::now();
    return item;
  }

  void run() {
    std::vector<Item> items(setup_.max_batch);
    std::vector<int> inputs;
    std::vector<int> outputs;
    moodycamel::ConsumerToken token(queue_);
    for (bool last = false; !last;) {
      std::size_t count = queue_.wait_dequeue_bulk(token, items.begin(), setup_.max_batch);
      const Clock::time_point until = items[0].enqueued + setup_.window;
      while (count < setup_.max_batch && !items[count - 1].last) {
        const auto left = std::max(Clock::duration::zero(), until - Clock::now());
        const std::size_t more = queue_.wait_dequeue_bulk_timed(
            token, items.begin() + static_cast<std::ptrdiff_t>(count), setup_.max_batch - count,
            std::chrono::duration_cast<std::chrono::microseconds>(left));
        if (more == 0) break;
        count += more;
      }
      inputs.clear();
      for (std::size_t i = 0; i < count; ++i) inputs.push_back(items[i].input);
      outputs.resize(count);
      setup_.predict(inputs, outputs);
      for (std::size_t i = 0; i < count; ++i) {
        last = last || items[i].last;
        items[i].promise.set_value(outputs[i]);
      }
    }
  }

  const Setup setup_;
  moodycamel::BlockingConcurrentQueue<Item> queue_;
  std::thread thread_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_CONCURRENTQUEUE_HPP
