// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_STRESS_CLIENT_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_STRESS_CLIENT_HPP

#include "random.hpp"
#include "stress_ledger.hpp"

#include <batchwright/batchwright.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <utility>
#include <vector>

namespace batchwright_test {

/// A coroutine that nobody waits for.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

/// What the clients of one run share.
struct Demand {
  static constexpr std::uint32_t kTick = 32;

  Ledger& ledger;
  std::uint32_t requests;                      ///< To be submitted by all of them together.
  std::vector<batchwright::StopSource> stops;  ///< Each for some neighbouring requests.
  std::uint32_t per_stop = 1;
  unsigned stop_percent = 15;
  unsigned deadline_percent = 30;
  batchwright::Duration tight{};  ///< The scale of deadlines that may pass or not.
  std::atomic<std::uint32_t> next{0};
  std::atomic<std::uint32_t> ticks{0};  ///< One every so many requests, for those who follow.

  bool take(std::uint32_t count, std::uint32_t& first) noexcept {
    first = next.load(std::memory_order_relaxed);
    do {
      if (first + count > requests) return false;
    } while (!next.compare_exchange_weak(first, first + count, std::memory_order_relaxed));
    if (first / kTick != (first + count) / kTick) tick();
    return true;
  }

  void tick() noexcept {
    ticks.fetch_add(1);
    ticks.notify_all();
  }

  batchwright::StopSource& stop_of(std::uint32_t id) { return stops[id / per_stop % stops.size()]; }
};

/// One thread that submits requests in every possible way and takes their answers. `wait(future)`
/// returns when the future is ready.
template <class Batcher, class R, class Wait>
class Client {
  using Ticket = typename Batcher::TicketType;
  using Future = std::future<std::int64_t>;
  using Outcome = batchwright::Outcome;

 public:
  Client(Batcher& batcher, Demand& demand, const R& runtime, std::uint64_t seed, std::size_t window,
         Wait wait)
      : batcher_(batcher),
        demand_(demand),
        ledger_(demand.ledger),
        runtime_(runtime),
        random_(seed),
        window_(window),
        wait_(std::move(wait)) {}

  /// Submits until all is submitted, then takes what is outstanding.
  void run() {
    while (step()) {
      if (futures_.size() > window_) take_one(futures_);
      if (tickets_.size() > window_) take_one(tickets_);
    }
    while (!futures_.empty()) take_one(futures_);
    while (!tickets_.empty()) take_one(tickets_);
  }

 private:
  template <class Handle>
  struct Pending {
    std::uint32_t id;
    Handle handle;
  };

  bool step() {
    const std::size_t kind = random_.below(12);
    auto count = static_cast<std::uint32_t>(kind >= 10 ? 1 + random_.below(4) : 1);
    std::uint32_t id = 0;
    if (!demand_.take(count, id)) {
      if (count == 1 || !demand_.take(1, id)) return false;
      count = 1;
    }
    ledger_.submits(id, static_cast<std::uint8_t>(count));
    const batchwright::SubmitOptions options = options_for(id);
    switch (kind) {
      case 0:
      case 1:
        keep(id, batcher_.submit(Token(id), options));
        break;
      case 2:
        keep(id, batcher_.submit(Token(id), batchwright::use_ticket, options));
        break;
      case 3:
        static_cast<void>(batcher_.submit(Token(id), batchwright::use_ticket, options));
        ledger_.dropped(id);
        break;
      case 4:
        cancel_some(id, batcher_.submit(Token(id), batchwright::use_ticket, options));
        break;
      case 5:
      case 6:
        if (const auto admitted = batcher_.submit(Token(id), callback(id), options); !admitted) {
          ledger_.delivered(id, admitted.outcome());
          catch_up();
        }
        break;
      case 7:
        await(batcher_, ledger_, id, options);
        break;
      case 8:
        try_one(id, [&](Token&& token) { return batcher_.try_submit(std::move(token), options); });
        break;
      case 9:
        try_callback(id, options);
        break;
      default:
        submit_range(id, count, options);
    }
    return true;
  }

  batchwright::SubmitOptions options_for(std::uint32_t id) {
    batchwright::SubmitOptions options;
    options.trace_id = Ledger::trace_id(id);
    options.priority = static_cast<int>(random_.below(5)) - 2;
    if (random_.chance(demand_.deadline_percent)) {
      const std::int64_t tight = demand_.tight.count();
      const std::int64_t spans[] = {-1, random_.between(0, tight), random_.between(0, tight),
                                    tight * 1'000'000};
      options.deadline = runtime_.now() + batchwright::Duration(random_.pick(spans));
    }
    if (random_.chance(demand_.stop_percent)) options.stop = demand_.stop_of(id).get_token();
    return options;
  }

  auto callback(std::uint32_t id) {
    return [&ledger = ledger_, id](batchwright::Result<std::int64_t> result) {
      ledger.delivered(id, std::move(result));
    };
  }

  static Detached await(Batcher& batcher, Ledger& ledger, std::uint32_t id,
                        batchwright::SubmitOptions options) {
    try {
      ledger.delivered(id, co_await batcher.predict(Token(id), options));
    } catch (...) {
      ledger.delivered(id, outcome_of(std::current_exception()));
    }
  }

  void cancel_some(std::uint32_t id, Ticket ticket) {
    if (random_.chance(50) && ticket.cancel()) ledger_.cancelled(id);
    keep(id, std::move(ticket));
  }

  template <class Try>
  void try_one(std::uint32_t id, Try submit) {
    Token token(id);
    auto admitted = submit(std::move(token));
    if (admitted) {
      keep(id, std::move(*admitted));
    } else {
      refused(id, token, admitted.outcome());  // NOLINT: it has not been moved from.
    }
  }

  void try_callback(std::uint32_t id, const batchwright::SubmitOptions& options) {
    if (random_.chance(50)) {
      return try_one(id, [&](Token&& token) {
        return batcher_.try_submit(std::move(token), batchwright::use_ticket, options);
      });
    }
    Token token(id);
    const auto admitted = batcher_.try_submit(std::move(token), callback(id), options);
    if (!admitted) refused(id, token, admitted.outcome());  // NOLINT: as above.
  }

  void refused(std::uint32_t id, const Token& token, Outcome outcome) {
    EXPECT_EQ(token.id(), id) << "refused as " << to_string(outcome) << ", and yet touched";
    ledger_.delivered(id, outcome);
    catch_up();
  }

  // There is no room: takes some answers first.
  void catch_up() {
    if (!futures_.empty()) take_one(futures_);
    if (!tickets_.empty()) take_one(tickets_);
  }

  void submit_range(std::uint32_t first, std::uint32_t count,
                    const batchwright::SubmitOptions& options) {
    std::vector<Token> tokens;
    for (std::uint32_t id = first; id < first + count; ++id) tokens.emplace_back(id);
    const auto keep_all = [&](auto handles) {
      EXPECT_EQ(handles.size(), count);
      for (auto& handle : handles) keep(first++, std::move(handle));
    };
    if (random_.chance(50)) {
      keep_all(batcher_.submit_many(std::move(tokens), options));
    } else {
      keep_all(batcher_.submit_many(std::move(tokens), batchwright::use_ticket, options));
    }
  }

  void keep(std::uint32_t id, Future future) {
    if (random_.chance(5)) return ledger_.dropped(id);
    futures_.push_back({id, std::move(future)});
  }
  void keep(std::uint32_t id, Ticket ticket) { tickets_.push_back({id, std::move(ticket)}); }

  template <class Handle>
  void take_one(std::vector<Pending<Handle>>& pending) {
    std::swap(random_.pick(pending), pending.back());
    Pending<Handle> one = std::move(pending.back());
    pending.pop_back();
    take(one);
  }

  void take(Pending<Future>& one) {
    wait_(one.handle);
    try {
      ledger_.delivered(one.id, one.handle.get());
    } catch (...) {
      ledger_.delivered(one.id, outcome_of(std::current_exception()));
    }
  }

  void take(Pending<Ticket>& one) {
    switch (random_.below(8)) {
      case 0:
        return ledger_.dropped(one.id);
      case 1:
        if (one.handle.cancel()) ledger_.cancelled(one.id);
        break;
      default:
        break;
    }
    ledger_.delivered(one.id, one.handle.result());
  }

  Batcher& batcher_;
  Demand& demand_;
  Ledger& ledger_;
  R runtime_;
  Random random_;
  const std::size_t window_;
  Wait wait_;
  std::vector<Pending<Future>> futures_;
  std::vector<Pending<Ticket>> tickets_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_STRESS_CLIENT_HPP
