// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_LOOP_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_LOOP_HPP

#include <batchwright/policy.hpp>
#include <batchwright/runtime.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>

namespace benchmarks {

/// The event loop of one producer, as small as it can be: other threads post to it, its own thread
/// runs what was posted, the newest first, and sleeps while there is nothing.
class Loop {
 public:
  /// What is posted; it must live until it runs, and may be posted again from then on.
  struct Node {
    Node* next = nullptr;
    void (*run)(Node&) = nullptr;
  };

  /// From any thread. At most one wake-up for each time that the loop sleeps.
  void post(Node& node) noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    do {
      node.next = head == &asleep_ ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, &node, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    if (head == &asleep_) {
      awake_.store(1, std::memory_order_release);
      runtime_.unpark(awake_, 1);
    }
  }

  /// On the loop's thread: runs what was posted, and waits for it if there is nothing.
  void run() {
    Node* list = head_.exchange(nullptr, std::memory_order_acquire);
    if (list == nullptr) {
      awake_.store(0, std::memory_order_relaxed);
      if (head_.compare_exchange_strong(list, &asleep_, std::memory_order_acq_rel)) {
        while (awake_.load(std::memory_order_acquire) == 0) {
          runtime_.park(awake_, 0, batchwright::kNever);
        }
      }
      list = head_.exchange(nullptr, std::memory_order_acquire);
    }
    while (list != nullptr) {
      Node& node = *list;
      list = node.next;
      node.run(node);
    }
  }

  /// `co_await loop.resume_here()` goes on on the loop's thread.
  auto resume_here() noexcept {
    struct Hop : Node {
      explicit Hop(Loop& its_loop) : loop(its_loop) {}
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> suspended) noexcept {
        coroutine = suspended;
        run = [](Node& node) { static_cast<Hop&>(node).coroutine.resume(); };
        loop.post(*this);
      }
      void await_resume() const noexcept {}

      Loop& loop;
      std::coroutine_handle<> coroutine;
    };
    return Hop(*this);
  }

 private:
  std::atomic<Node*> head_{nullptr};
  std::atomic<std::uint32_t> awake_{1};
  Node asleep_;  // Its address at the head says that the loop sleeps.
  batchwright::SystemRuntime runtime_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_LOOP_HPP
