// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_GUIDE_PORT_HPP
#define BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_GUIDE_PORT_HPP

// The batcher that everybody writes by hand, as a baseline. Frozen: what is measured against it stays
// comparable only as long as it does not change.

#include "../support/producer.hpp"
#include "setup.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace benchmarks {

/// One deque, one mutex, one condition variable, one thread. A batch leaves when `max_batch` are queued
/// or `window` after its oldest came; promises are set outside the lock, in order.
template <class TIn, class TOut>
class GuidePort {
 public:
  using Predict = std::function<std::vector<TOut>(std::span<const TIn>)>;

  GuidePort(Predict predict, std::size_t max_batch, std::chrono::nanoseconds window)
      : predict_(std::move(predict)),
        max_batch_(max_batch),
        window_(window),
        thread_([this] { run(); }) {}

  ~GuidePort() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  std::future<TOut> submit(TIn input) {
    std::promise<TOut> promise;
    std::future<TOut> future = promise.get_future();
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({std::move(input), std::move(promise), std::chrono::steady_clock::now()});
    }
    changed_.notify_one();
    return future;
  }

 private:
  struct Item {
    TIn input;
    std::promise<TOut> promise;
    std::chrono::steady_clock::time_point enqueued;
  };

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      changed_.wait_until(lock, queue_.front().enqueued + window_,
                          [this] { return stopping_ || queue_.size() >= max_batch_; });
      std::vector<TIn> inputs;
      std::vector<std::promise<TOut>> promises;
      while (!queue_.empty() && inputs.size() < max_batch_) {
        inputs.push_back(std::move(queue_.front().input));
        promises.push_back(std::move(queue_.front().promise));
        queue_.pop_front();
      }
      lock.unlock();
      std::vector<TOut> outputs = predict_(inputs);
      for (std::size_t i = 0; i < promises.size(); ++i)
        promises[i].set_value(std::move(outputs[i]));
      lock.lock();
    }
  }

  const Predict predict_;
  const std::size_t max_batch_;
  const std::chrono::nanoseconds window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

/// As the rows want it.
class GuidePortRow {
 public:
  explicit GuidePortRow(const Setup& setup)
      : batcher_(
            [predict = setup.predict](std::span<const int> inputs) {
              std::vector<int> outputs(inputs.size());
              predict(inputs, outputs);
              return outputs;
            },
            setup.max_batch, setup.window) {}

  std::future<int> submit(int input, std::chrono::steady_clock::time_point = {}) {
    return batcher_.submit(input);
  }

  void produce(Producer& producer) {
    keep_outstanding(producer, [this](int input) { return submit(input); });
  }

 private:
  GuidePort<int, int> batcher_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_GUIDE_PORT_HPP
