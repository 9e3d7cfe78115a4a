// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_BATCHWRIGHT_HPP
#define BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_BATCHWRIGHT_HPP

// The library, used as its README shows it, with each of its ways to be answered.

#include "../support/loop.hpp"
#include "../support/producer.hpp"
#include "setup.hpp"

#include <batchwright/batchwright.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace benchmarks {

using Batcher = batchwright::DynamicBatcher<int, int>;

inline Batcher::Options options_of(const Setup& setup) {
  Batcher::Options options{.max_batch_size = setup.max_batch,
                           .executors = setup.executors,
                           .capacity = 8192};  // More than all producers have outstanding.
  options.timer_slack = setup.timer_slack;
  if (setup.window.count() > 0) {
    options.policy = batchwright::HybridPolicy{.max_wait = setup.window};
  }
  return options;
}

/// Answers by std::future.
class FutureRow {
 public:
  explicit FutureRow(const Setup& setup) : FutureRow(setup, options_of(setup)) {}
  FutureRow(const Setup& setup, Batcher::Options options)
      : batcher_(setup.predict, std::move(options)) {}

  std::future<int> submit(int input, batchwright::TimePoint deadline = batchwright::kNever) {
    return batcher_.submit(input, {.deadline = deadline});
  }

  void produce(Producer& producer) {
    keep_outstanding(producer, [this](int input) { return batcher_.submit(input); });
  }

  Batcher& batcher() { return batcher_; }

 private:
  Batcher batcher_;
};

/// Answers by batchwright::Ticket.
class TicketRow {
 public:
  explicit TicketRow(const Setup& setup) : TicketRow(setup, options_of(setup)) {}
  TicketRow(const Setup& setup, Batcher::Options options)
      : batcher_(setup.predict, std::move(options)) {}

  Batcher::TicketType submit(int input, batchwright::TimePoint deadline = batchwright::kNever) {
    return batcher_.submit(input, batchwright::use_ticket, {.deadline = deadline});
  }

  void produce(Producer& producer) {
    keep_outstanding(producer,
                     [this](int input) { return batcher_.submit(input, batchwright::use_ticket); });
  }

  Batcher& batcher() { return batcher_; }

 private:
  Batcher batcher_;
};

/// Answers by callback, each of which posts to the loop of the producer that asked.
class CallbackRow {
 public:
  explicit CallbackRow(const Setup& setup) : CallbackRow(setup, options_of(setup)) {}
  CallbackRow(const Setup& setup, Batcher::Options options)
      : batcher_(setup.predict, std::move(options)) {}

  void produce(Producer& producer) {
    Loop loop;
    std::size_t live = producer.outstanding();
    std::vector<Slot> slots(live);
    for (Slot& slot : slots) {
      slot.row = this;
      slot.producer = &producer;
      slot.loop = &loop;
      slot.live = &live;
      slot.run = &Slot::answered;
      slot.send();
    }
    while (live > 0) loop.run();
  }

  Batcher& batcher() { return batcher_; }

 private:
  struct Slot : Loop::Node {
    void send() {
      question = producer->ask();
      const auto admitted = row->batcher_.submit(
          question.input, [this](batchwright::Result<int> result) { complete(std::move(result)); });
      if (!admitted) complete(batchwright::Result<int>::failure(admitted.outcome()));
    }

    void complete(batchwright::Result<int> result) {
      answer = result ? *result : -1;  // No input has this answer.
      loop->post(*this);
    }

    static void answered(Node& node) {
      Slot& slot = static_cast<Slot&>(node);
      slot.producer->answered(slot.question, slot.answer);
      if (slot.producer->stopping()) {
        --*slot.live;
      } else {
        slot.send();
      }
    }

    CallbackRow* row = nullptr;
    Producer* producer = nullptr;
    Loop* loop = nullptr;
    std::size_t* live = nullptr;
    Producer::Question question;
    int answer = 0;
  };

  Batcher batcher_;
};

/// Answers by coroutines, which go on on the loop of the producer.
class CoroutineRow {
 public:
  explicit CoroutineRow(const Setup& setup) : batcher_(setup.predict, options_of(setup)) {}

  void produce(Producer& producer) {
    Loop loop;
    std::size_t live = producer.outstanding();
    std::string problem;
    for (std::size_t i = producer.outstanding(); i > 0; --i) ask(producer, loop, live, problem);
    while (live > 0) loop.run();
    if (!problem.empty()) throw std::runtime_error(problem);
  }

  Batcher& batcher() { return batcher_; }

 private:
  /// A coroutine that nobody waits for.
  struct Detached {
    struct promise_type {
      Detached get_return_object() const noexcept { return {}; }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
  };

  Detached ask(Producer& producer, Loop& loop, std::size_t& live, std::string& problem) {
    std::string failure;
    try {
      while (!producer.stopping()) {
        const Producer::Question question = producer.ask();
        const int answer = co_await batcher_.predict(question.input);
        co_await loop.resume_here();
        producer.answered(question, answer);
      }
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (!failure.empty()) {
      co_await loop.resume_here();
      problem = failure;
    }
    --live;
  }

  Batcher batcher_;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_BATCHWRIGHT_HPP
