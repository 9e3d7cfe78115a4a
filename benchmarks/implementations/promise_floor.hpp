// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_PROMISE_FLOOR_HPP
#define BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_PROMISE_FLOOR_HPP

#include "../support/producer.hpp"
#include "setup.hpp"

#include <batchwright/policy.hpp>
#include <batchwright/runtime.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace benchmarks {

/// No batcher: promises and futures alone, between two threads. Each producer has a bounded ring; the
/// other thread sets what lies in them and sleeps when all are empty. What answers with a future of
/// the standard library does all of this and more.
class PromiseFloor {
 public:
  explicit PromiseFloor(const Setup&) : thread_([this] { run(); }) {}

  ~PromiseFloor() {
    ended_.store(true, std::memory_order_seq_cst);
    wake();
    thread_.join();
  }

  void produce(Producer& producer) {
    const std::size_t index = used_.fetch_add(1);
    if (index >= rings_.size()) throw std::length_error("PromiseFloor: too many producers");
    Ring& ring = rings_[index];
    if (producer.outstanding() > ring.items.size()) {
      throw std::length_error("PromiseFloor: more outstanding than the ring holds");
    }
    keep_outstanding(producer, [&](int input) {
      const std::uint64_t tail = ring.tail.load(std::memory_order_relaxed);
      Item& item = ring.items[tail % kCapacity];
      item.input = input;
      item.promise = std::promise<int>();
      std::future<int> future = item.promise.get_future();
      ring.tail.store(tail + 1, std::memory_order_seq_cst);
      if (asleep_.load(std::memory_order_seq_cst) != 0) wake();
      return future;
    });
  }

 private:
  static constexpr std::size_t kCapacity = 1024;

  struct Item {
    int input = 0;
    std::promise<int> promise;
  };
  struct Ring {
    std::vector<Item> items = std::vector<Item>(kCapacity);
    alignas(64) std::atomic<std::uint64_t> tail{0};
    alignas(64) std::uint64_t head = 0;  // Of the thread alone: outstanding bounds what is queued.
  };

  void wake() {
    if (asleep_.exchange(0) != 0) runtime_.unpark(asleep_, 1);
  }

  bool answer_all() {
    bool any = false;
    for (Ring& ring : rings_) {
      for (; ring.head != ring.tail.load(std::memory_order_seq_cst); ++ring.head) {
        any = true;
        Item& item = ring.items[ring.head % kCapacity];
        std::promise<int> promise =
            std::move(item.promise);  // From its answer on the place is free.
        promise.set_value(2 * item.input);
      }
    }
    return any;
  }

  void run() {
    for (;;) {
      if (answer_all()) continue;
      if (ended_.load(std::memory_order_seq_cst)) return;
      asleep_.store(1, std::memory_order_seq_cst);
      if (answer_all() || ended_.load(std::memory_order_seq_cst)) {
        asleep_.store(0, std::memory_order_relaxed);
        continue;
      }
      while (asleep_.load(std::memory_order_acquire) != 0) {
        runtime_.park(asleep_, 1, batchwright::kNever);
      }
    }
  }

  batchwright::SystemRuntime runtime_;
  std::array<Ring, 8> rings_;
  std::atomic<std::size_t> used_{0};
  std::atomic<bool> ended_{false};
  alignas(64) std::atomic<std::uint32_t> asleep_{0};
  std::thread thread_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_PROMISE_FLOOR_HPP
